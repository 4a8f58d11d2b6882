"""Section 3, the linear setting.

Statement (printed): ½·E‖J_x·D‖² = DᵀK_eval·D >= (γ_ov·‖r_0‖/(α·σ_max))² for the minimum-norm D that fits the labels.
What is wrong: the first equality loses the ½; Spill is ½·DᵀKD, so the bound on it is half the printed one.
Corrected: Spill >= ½·(γ_ov·R/σ_max)².
Premises: J_S has full row rank; there is a residual; the overlap is positive.
Equality case: one sample and one output (mk = 1), for every instance.
Numerics: D = -J_Sᵀ(J_S·J_Sᵀ)⁻¹·r_0/α in closed form (gradient descent from θ_0 has this limit), so no descent is needed.
Source: Local Edits, Section 3, the display in "Intuition in the Linear Setting".
"""

import torch
from torch import Tensor

from boundcheck.claim import Identity, Sides, Stance, scaled, theorem
from boundcheck.dynamics import Setup
from boundcheck.exact import constant
from boundcheck.strategies import linear_models, setups
from boundcheck.theorems.local_edits.setting import local_edits, one_direction, positive, regular

SOURCE = local_edits("Section 3, linear setting")
ONE_ROW = setups(family=linear_models(max_outputs=1), max_samples=1)


def linear_spill(p: Setup) -> Tensor:
    """½·E‖J_x·D‖² for the minimum-norm D with α·J_S·D = -r_0."""
    gram = p.jacobian @ p.jacobian.mT
    D = -(p.jacobian.mT @ torch.linalg.solve_ex(gram, p.residual(p.theta0)).result) / p.alpha
    return 0.5 * (p.jacobian_eval @ D).square().sum()


def reach(p: Setup) -> Tensor:
    """(γ_ov·R/σ_max)²."""
    return (p.overlap * p.residual_norm / p.sigma_max).square()


def premises(p: Setup) -> None:
    """Full row rank, a residual, an overlap."""
    regular(p)
    positive("overlap > 0", p.overlap)


@theorem(
    "LE-linear:printed",
    source=SOURCE,
    stance=Stance.PRINTED,
    over=setups(family=linear_models()),
    refuted_by="instance",
    group="LE-setup",
)
def spill_ge_reach(p: Setup) -> Sides:
    """Spill = ½·E‖J·D‖² >= (γ_ov·R/σ_max)² for the minimum-norm fit of a linear model."""
    premises(p)
    return Sides(smaller=reach(p), larger=linear_spill(p))


@theorem(
    "LE-linear:corrected",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=setups(family=linear_models()),
    mutants={"11/20": {"c": "11/20"}, "as printed": {"c": 1}},
    equality=ONE_ROW,
    group="LE-setup",
    equality_at=one_direction,
)
def spill_ge_half_reach(
    p: Setup, c: Tensor = constant("1/2", printed="1", scales="smaller", unit="(g R/S)^2")
) -> Sides:
    """Spill = ½·E‖J·D‖² >= ½·(γ_ov·R/σ_max)² for the minimum-norm fit of a linear model."""
    premises(p)
    return Sides(smaller=c * reach(p), larger=linear_spill(p))


@theorem(
    "LE-linear:equality",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=ONE_ROW,
    mutants={"1 % off": scaled("101/100"), "1e-6 off": scaled("1000001/1000000")},
    group="LE-setup",
)
def spill_eq_half_reach_of_one_row(p: Setup) -> Identity:
    """With one sample and one output, Spill = ½·(γ_ov·R/σ_max)²."""
    premises(p)
    return Identity(left=linear_spill(p), right=0.5 * reach(p))
