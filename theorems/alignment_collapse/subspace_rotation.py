"""Appendix B: the Fisher matrix moves along the flow, and its top eigenspace with it.

The instances: responses N(f, I) with q = d, so that F(θ) = J(θ)ᵀJ(θ) has rank d and P(θ), its top-d projector, projects onto
the rows of J(θ) = J + B[D, ·]. With β >= ‖B‖: ‖F(θ) - F‖ <= L_F·‖D‖ for L_F = 2√λ_1·β + β²·r on the ball of radius r, and Λ =
λ_d.

Proposition B.1 (printed): ‖P(θ - θ*)‖ <= (2L_F/Λ)·‖D‖. That bounds how far θ moved inside M, not how far M turned: false
wherever F hardly moves (B = 0: the right side is 0). Corrected, as its proof has it: ‖P(θ) - P(θ*)‖_op <= (2L_F/Λ)·‖D‖, with
an eigengap Λ > 0. Theorem B.3: "there is ρ" with ‖F^{1/2}·P(θ(t))·D‖ >= γt²/2 - √λ_1·εt - ρt² - O(t³) is true of everything
(ρ may be large). Proved with the
ρ of its proof: ρ = 2√λ_1·L_F·G²/Λ, G >= sup‖g‖ on the path, and C'·t³ of Lemma A.6 for the remainder.
(L_F is the Lipschitz constant of F; for B.4 its rate along v alone will do, a smaller number and so a stronger statement.)
Corollary B.4 (printed): Δu = Ω(t⁴) if γ > ρ. Read with *any* ρ that satisfies (13): false. Where the curvature of the outputs
undoes J·a, ‖F^{1/2}·P(t)·D‖ still grows as γt²/2 (its leading part is ‖½J·a + B[v, v]‖·t², and ½ - 1 is as far from 0 as ½),
so that ρ = 0 will do, while Δu has no term of order t⁴. Read with the ρ of the proof and ε = 0: true, even for γ > ρ/2, with
Δu >= (γ - ρ/2)²·t⁴/8 + O(t⁵): where Jv = 0, F's rate along v times ‖v‖ is at least ‖JᵀB[v, v]‖, so that √λ_d·‖B[v, v]‖ <=
L_F·‖v‖² and ‖B[v, v]‖ <= ρ/2.
Premises: Definition 5.1; λ_d > 0; for B.4 ε = 0 and no tail.
Source: Proposition B.1, Theorem B.3 (13), Corollary B.4.
"""

import torch
from torch import Tensor

from boundcheck.claim import Sides, Stance, premise, theorem
from boundcheck.dynamics import Instability, Skill, SkillStep
from boundcheck.exact import constant
from boundcheck.geometry import largest_singular_value, project_onto_rows
from boundcheck.strategies import instabilities, skill_steps
from boundcheck.theorems.alignment_collapse.quartic_corollary import fourth_order
from boundcheck.theorems.alignment_collapse.setting import (
    alignment_collapse,
    instability,
    no_first_order_effect,
    norm,
    positive,
    sensitive_subspace,
)
from boundcheck.theorems.alignment_collapse.theorem_6_2 import remainder

STEPS = skill_steps(kinds=["gaussian"], tail=False)
FLOWS = instabilities(kinds=["gaussian"], tail=False, cancelled=[0.0], bends=[0.02, 0.2])
ALIGNED = instabilities(kinds=["gaussian"], tail=False, overlap="none")
BARELY_CURVED = instabilities(
    kinds=["gaussian"], tail=False, overlap="none", cancelled=[0.0, 0.1, 0.4], bends=[0.0, 0.1]
)
GROUP = "AC-rotation"


def lipschitz(p: Skill, radius: Tensor) -> Tensor:
    """L_F on the ball of this radius."""
    return 2.0 * p.lambda_max.sqrt() * p.bend_norm + p.bend_norm.square() * radius


def jacobian_at(p: Skill, D: Tensor) -> Tensor:
    """J(θ* + D) = J + B[D, ·]: `[q, n]`."""
    return p.jacobian + (p.curvature @ D[..., None, :, None]).squeeze(-1)


@theorem(
    "AC-B1:printed",
    source=alignment_collapse("Proposition B.1"),
    stance=Stance.PRINTED,
    over=STEPS,
    refuted_by="instance",
    group=GROUP,
)
def movement_le_as_printed(
    p: SkillStep, c: Tensor = constant(2, printed="2", scales="larger", unit="L_F |D|/Lambda")
) -> Sides:
    """‖P·(θ - θ*)‖ <= (2L_F/Λ)·‖D‖."""
    sensitive_subspace(p)
    return Sides(smaller=norm(p.inside(p.step)), larger=c * lipschitz(p, p.step_norm) * p.step_norm / p.gap)


@theorem(
    "AC-B1:corrected",
    source=alignment_collapse("Proposition B.1"),
    stance=Stance.CORRECTED,
    over=STEPS,
    mutants={"2/5": {"c": "2/5"}},
    group=GROUP,
)
def rotation_le(p: SkillStep, c: Tensor = constant(2, printed="2", scales="larger", unit="L_F |D|/Lambda")) -> Sides:
    """‖P(θ) - P(θ*)‖_op <= (2L_F/Λ)·‖D‖, while the rows of J(θ) stay independent."""
    sensitive_subspace(p)
    larger = c * lipschitz(p, p.step_norm) * p.step_norm / p.gap
    positive("the bound is below 1", 1.0 - larger)
    positive("the outputs are curved", p.bend_norm)
    basis = p.sensitive_basis
    # P(θ)·V_d column by column, so that no n×n projector is needed: ‖P(θ) - P(θ*)‖ = ‖(I - P(θ))·V_d‖ for equal ranks.
    J = jacobian_at(p, p.step)
    turned = torch.stack([project_onto_rows(J, column) for column in basis.unbind(-1)], dim=-1)
    return Sides(smaller=largest_singular_value(basis - turned), larger=larger)


@theorem(
    "AC-B3:proved",
    source=alignment_collapse("Theorem B.3", "(13)"),
    stance=Stance.PROVED,
    over=FLOWS,
    mutants={"51/100": {"c": "51/100"}, "a sixteenth of rho": {"share": "1/16"}},
    group=GROUP,
)
def turned_drift_ge_curvature_coupling(
    p: Instability,
    c: Tensor = constant("1/2", printed="1/2", scales="smaller", unit="gamma t^2"),
    share: Tensor = constant(1, unit="rho"),
) -> Sides:
    """‖F^{1/2}·P(θ(t))·D‖ >= γt²/2 - √λ_1·εt - ρt² - C't³ with ρ = 2√λ_1·L_F·G²/Λ, G >= sup‖g‖ on the path."""
    instability(p)
    root, t = p.lambda_max.sqrt(), p.time
    rho = 2.0 * root * lipschitz(p, p.path_bound) * p.top_speed.square() / p.gap
    smaller = (c * p.coupling - share * rho) * t.square() - root * (p.overlap * t + remainder(p))
    positive("the bound is above 0", smaller)
    D = p.displacement
    turned = project_onto_rows(jacobian_at(p, D), D)
    return Sides(smaller=smaller, larger=norm(p.weighted(turned)))


@theorem(
    "AC-B4:printed",
    source=alignment_collapse("Corollary B.4"),
    stance=Stance.PRINTED,
    over=ALIGNED,
    refuted_by="order",
    group=GROUP,
)
def fourth_order_ge_with_any_rho(
    p: Instability, c: Tensor = constant("2^-64", scales="smaller", unit="gamma^2")
) -> Sides:
    """Δu has a term of order t⁴, at least c·γ² for some c > 0 (here 2^-64), if γ > ρ with any ρ for which (13) holds."""
    instability(p)
    no_first_order_effect(p)
    leading = norm(0.5 * p.linear(p.acceleration) + p.bent(p.velocity, p.velocity))
    # (13) at small t says that leading >= γ/2 - ρ: any instance does with ρ = γ/2; this premise lets ρ = γ/4 do.
    premise("(13) holds with rho = gamma/4", leading - 0.25 * p.coupling)
    return Sides(smaller=c * p.coupling.square(), larger=fourth_order(p))


@theorem(
    "AC-B4:corrected",
    source=alignment_collapse("Corollary B.4"),
    stance=Stance.CORRECTED,
    over=BARELY_CURVED,
    mutants={"1/7": {"c": "1/7"}, "rho a tenth smaller": {"share": "9/20"}},
    group=GROUP,
    equality_at=lambda p: p.designed,
)
def fourth_order_ge_with_rho_of_the_proof(
    p: Instability,
    c: Tensor = constant("1/8", scales="smaller", unit="(gamma - rho/2)^2"),
    share: Tensor = constant("1/2", unit="rho"),
) -> Sides:
    """With ε = 0 and ρ = 2√λ_1·L_F·‖v‖²/Λ the coefficient of t⁴ in Δu is at least (γ - ρ/2)²/8, for γ > ρ/2."""
    instability(p)
    no_first_order_effect(p)
    rho = 2.0 * p.lambda_max.sqrt() * p.fisher_rate * p.speed_sq.sqrt() / p.gap
    left = p.coupling - share * rho
    positive("gamma > rho/2", left)
    return Sides(smaller=c * left.clamp(min=0).square(), larger=fourth_order(p))
