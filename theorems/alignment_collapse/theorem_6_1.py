"""Theorem 6.1: moving in the sensitive subspace costs utility, and its "consequently".

Statement (printed): Δu >= ½‖F^{1/2}·P·D‖² - O(‖D‖³) near θ*; consequently ‖P·D‖ >= δ and ‖D‖ small enough give Δu = Ω(λ·δ²),
where the proof takes ‖D‖ <= λ·δ²/(4C).
Premises: Δu = E KL(π* ‖ π_θ) (Assumption 1); P projects onto the top-d eigenspace, λ_d > λ_{d+1}.
Constants: responses N(f, I) with f = J·D + ½·B[D, D] have Δu = ½‖f‖² >= ½‖JD‖² - ½·⟨JD, B[D, D]⟩, so C = ½·β·√λ_1 with β >=
‖B‖. For whitened policies with finitely many responses, globally: Δu >= ψ(-R)·‖f‖² >= ψ(-R)·(‖JD‖ - ½β‖D‖²)₊²
(`kl_geometry`), and ‖JD‖ >= ‖F^{1/2}·P·D‖.
What is wrong with the consequence: δ <= ‖D‖ <= λδ²/(4C) is empty unless δ >= 4C/λ, and there the remainder C·‖D‖³ may exceed
everything: with one output and D along its curvature, f = μ·x - ½β·x² is 0 at x = 2μ/β. Corrected: ‖D‖ <= (λδ²/(4C))^{1/3},
that is C‖D‖³ <= λδ²/4.
Equality case: B = 0 and D in M, with N(f, I).
Source: Theorem 6.1 and its proof (A.3); Theorem 1.1 is its informal version.
"""

from torch import Tensor

from boundcheck.claim import Sides, Stance, premise, scaled, theorem
from boundcheck.dynamics import SkillStep
from boundcheck.exact import constant
from boundcheck.strategies import skill_steps
from boundcheck.theorems.alignment_collapse.setting import alignment_collapse, norm, positive, sensitive_subspace

SOURCE = alignment_collapse("Theorem 6.1")
CONSEQUENCE = alignment_collapse("Theorem 6.1, “consequently”")
GAUSSIAN = skill_steps(kinds=["gaussian"])
GROUP = "AC-step"


def cubic(p: SkillStep) -> Tensor:
    """C·‖D‖³ with C = ½·β·√λ_1."""
    return 0.5 * p.bend_norm * p.lambda_max.sqrt() * p.step_norm.pow(3)


def one_direction(p: SkillStep) -> bool:
    """Structures on which J·D and F^{1/2}·P·D can be the same: no eigenvalue outside M."""
    return p.policy.outputs == p.sensitive


@theorem(
    "AC-6.1:proved",
    source=SOURCE,
    stance=Stance.PROVED,
    over=GAUSSIAN,
    mutants={"11/20": {"c": "11/20"}, "half of C": {"share": "1/2"}},
    group=GROUP,
    equality_at=one_direction,
)
def drop_ge_weighted_movement(
    p: SkillStep,
    c: Tensor = constant("1/2", printed="1/2", scales="smaller", unit="|F^(1/2) P D|^2"),
    share: Tensor = constant(1, unit="C |D|^3"),
) -> Sides:
    """Δu >= ½‖F^{1/2}·P·D‖² - C·‖D‖³ with C = ½·β·√λ_1, for responses N(f, I)."""
    sensitive_subspace(p)
    bound = c * p.weighted(p.step).square().sum(-1) - share * cubic(p)
    positive("the bound is above 0", bound)
    return Sides(smaller=bound, larger=p.drop(p.step))


@theorem(
    "AC-6.1:global",
    source=SOURCE,
    stance=Stance.PROVED,
    over=skill_steps(),
    mutants={"a tenth less": scaled("9/10")},
    group=GROUP,
    equality_at=one_direction,
)
def drop_ge_psi_times_weighted_movement(p: SkillStep) -> Sides:
    """Δu >= ψ(-R)·(‖F^{1/2}·P·D‖ - ½·β·‖D‖²)₊² at any distance, R the spread of the logits' change (ψ = ½ for N(f, I))."""
    sensitive_subspace(p)
    reach = norm(p.weighted(p.step)) - 0.5 * p.bend_norm * p.step_norm.square()
    positive("the bound is above 0", reach)
    factor = p.policy.lower_factor(p.outputs(p.step), p.prompt)
    return Sides(smaller=factor * reach.clamp(min=0).square(), larger=p.drop(p.step))


@theorem(
    "AC-1.1:proved",
    source=alignment_collapse("Theorem 1.1"),
    stance=Stance.PROVED,
    over=GAUSSIAN,
    mutants={"11/20": {"c": "11/20"}},
    group=GROUP,
    equality_at=one_direction,
)
def drop_ge_least_curvature_times_movement(
    p: SkillStep, c: Tensor = constant("1/2", scales="smaller", unit="lambda |P D|^2")
) -> Sides:
    """Δu >= ½·λ_d·‖P·D‖² - C·‖D‖³: moving in the sensitive subspace costs Ω(λ·‖P·D‖²)."""
    sensitive_subspace(p)
    bound = c * p.lambda_d * p.inside(p.step).square().sum(-1) - cubic(p)
    positive("the bound is above 0", bound)
    return Sides(smaller=bound, larger=p.drop(p.step))


@theorem(
    "AC-6.1omega:printed",
    source=CONSEQUENCE,
    stance=Stance.PRINTED,
    over=GAUSSIAN,
    refuted_by="instance",
    group=GROUP,
)
def drop_is_quadratic_near_as_printed(
    p: SkillStep, c: Tensor = constant("1/4", scales="smaller", unit="lambda delta^2")
) -> Sides:
    """‖P·D‖ = δ and ‖D‖ <= λδ²/(4C) give Δu >= λδ²/4."""
    sensitive_subspace(p)
    square = p.lambda_d * p.inside(p.step).square().sum(-1)
    positive("delta > 0", square)
    # 4·C·‖D‖ <= λδ² with C = ½·β·√λ_1
    premise("|D| <= lambda delta^2/(4C)", square - 2.0 * p.bend_norm * p.lambda_max.sqrt() * p.step_norm)
    return Sides(smaller=c * square, larger=p.drop(p.step))


@theorem(
    "AC-6.1omega:corrected",
    source=CONSEQUENCE,
    stance=Stance.CORRECTED,
    over=GAUSSIAN,
    mutants={"51/100": {"c": "51/100"}},
    group=GROUP,
)
def drop_is_quadratic_near(p: SkillStep, c: Tensor = constant("1/4", scales="smaller", unit="lambda delta^2")) -> Sides:
    """‖P·D‖ = δ and ‖D‖ <= (λδ²/(4C))^(1/3) give Δu >= λδ²/4."""
    sensitive_subspace(p)
    square = p.lambda_d * p.inside(p.step).square().sum(-1)
    positive("delta > 0", square)
    premise("C |D|^3 <= lambda delta^2/4", 0.25 * square - cubic(p))
    return Sides(smaller=c * square, larger=p.drop(p.step))
