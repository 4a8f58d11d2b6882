"""What Lemma 6, Theorem 7 and the linear setting lose when something they assume is taken away that is no margin.

*Adam for gradient descent.* On one sample of a linear model Adam moves along sign(x), not along x (`boundcheck.dynamics.adam`):
out of the tangent space. With x = (2, 1) and an evaluation point (1, -1) nothing spills, though the overlap is 1/√5.
*The average for the smallest eigenvalue.* √(tr(BᵀKB)/mk) is large when any direction of the tangent space is seen at all; a step
along one that is not does not spill.
*Full row rank.* One sample, given twice with the labels α·f(x) ± ρ: the gradient is α·x·(ρ - ρ) = 0, and descent stays at θ_0
whatever the residual. σ_min is 0 then, and only ρ_0 = +∞ satisfies the condition on the ball.
"""

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.ablations import ablation, hunted_over, unneeded
from boundcheck.claim import Sides, premise
from boundcheck.dynamics import AdamFit, Setup
from boundcheck.exact import constant
from boundcheck.strategies import (
    adam_fits,
    fine_tunings,
    general_quadratic_models,
    glancing_tunings,
    linear_models,
    overshooting_tunings,
    setups,
)
from boundcheck.theorems.local_edits import lemma_6, linear_setting, theorem_7
from boundcheck.theorems.local_edits.linear_setting import linear_spill
from boundcheck.theorems.local_edits.setting import C, lemma_6_scale_free, positive, theorem_7_scale_free

ITERATES = lemma_6.iterates_stay_within_path_bound
DECAY = lemma_6.residual_decays_at_three_quarters
LOWER, UPPER = lemma_6.movement_ge, lemma_6.movement_le
THEOREM_7 = theorem_7.spillover_ge_overlap_sq_mul_residual_sq
DISPLAY = linear_setting.spill_ge_half_reach

ADAM = "gradient descent, Adam in its place"
AVERAGE = "the smallest eigenvalue, the average overlap in its place"
RANK = "J_S has full row rank"
ROWS = setups(family=linear_models(max_inputs=4, max_outputs=2), max_points=4).filter(
    lambda recipe: recipe.samples * recipe.family.outputs_count > 1  # of one row the average is the smallest
)
SMALL = general_quadratic_models(max_dimension=2, max_outputs=1)
BEYOND = fine_tunings(family=SMALL, max_samples=1, max_points=1, placements=("outside", "outside", "inside"))
OVERSHOOTING = overshooting_tunings(family=st.one_of(linear_models(max_inputs=2, max_outputs=1), SMALL), max_points=1)
ONE_SAMPLE = setups(family=linear_models(max_inputs=4, max_outputs=2), max_samples=1, max_points=4)


def average_overlap(p: Setup) -> Tensor:
    """√(tr(BᵀKB)/mk)."""
    restricted = p.jacobian_eval @ p.basis
    return torch.sqrt(restricted.square().mean(-1).sum(-1))


def doubled(p: Setup, c: Tensor) -> None:
    """Lemma 6's conditions for a linear model whose one sample comes twice: σ_min = 0, σ_max² doubles, the step is η/2."""
    positive("the sample is not 0", p.sigma_max)
    positive("the residual is not 0", p.residual_norm)
    premise("step size", c - p.step_size)
    everywhere = torch.ones_like(p.rho0)
    premise("ball", torch.where(p.rho0 == torch.inf, everywhere, -everywhere))


# ------------------------------------------------------------------------------------------------------------------ Adam


@ablation(THEOREM_7, ADAM, over=adam_fits())
def spill_ge_under_adam(
    p: AdamFit, c: Tensor = C, lower: Tensor = constant("1/3", scales="smaller", unit="(g R/S)^2")
) -> Sides:
    """Theorem 7's bound where Adam fitted the label: Spill >= (1/3)·(γ_ov·R/σ_max)²."""
    theorem_7_scale_free(p, c)
    return Sides(smaller=lower * (p.overlap * p.residual_norm / p.sigma_max).square(), larger=p.spill)


@ablation(DISPLAY, ADAM, over=adam_fits())
def linear_spill_ge_under_adam(p: AdamFit, c: Tensor = constant("1/2", scales="smaller", unit="(g R/S)^2")) -> Sides:
    """The linear display's bound where Adam fitted the label: Spill >= ½·(γ_ov·R/σ_max)²."""
    linear_setting.premises(p)
    return Sides(smaller=c * (p.overlap * p.residual_norm / p.sigma_max).square(), larger=p.spill)


@ablation(UPPER, ADAM, over=adam_fits())
def movement_le_under_adam(
    p: AdamFit, c: Tensor = C, upper: Tensor = constant("7/5", scales="larger", unit="R/s")
) -> Sides:
    """Lemma 6's upper bound where Adam fitted the label: ‖θ̂ - θ_0‖ <= (7/5)·R/σ_min."""
    lemma_6_scale_free(p, c)
    return Sides(smaller=p.step_norm, larger=upper * p.residual_norm / p.sigma_min)


# --------------------------------------------------------------------------------------------------------------- overlap


@ablation(THEOREM_7, AVERAGE, over=ROWS)
def spill_ge_average_overlap(
    p: Setup, c: Tensor = C, lower: Tensor = constant("1/3", scales="smaller", unit="(g R/S)^2")
) -> Sides:
    """Theorem 7's bound with the average overlap, on linear models: Spill >= (1/3)·tr(BᵀKB)/mk·(R/σ_max)²."""
    lemma_6_scale_free(p, c)
    g = average_overlap(p)
    positive("average overlap > 0", g)  # b and d are 0 on linear models
    return Sides(smaller=lower * (g * p.residual_norm / p.sigma_max).square(), larger=linear_spill(p))


# ------------------------------------------------------------------------------------------------------------------ rank


@ablation(LOWER, RANK, over=ONE_SAMPLE)
def movement_ge_of_twins(
    p: Setup, c: Tensor = C, lower: Tensor = constant("0.97", scales="smaller", unit="R/S")
) -> Sides:
    """‖θ̂ - θ_0‖ >= 0.97·R/σ_max where the one sample comes twice, with labels α·f(x) ± ρ: nothing moves."""
    doubled(p, c)
    return Sides(smaller=lower * p.residual_norm / p.sigma_max, larger=torch.zeros_like(p.alpha))


@ablation(THEOREM_7, RANK, over=ONE_SAMPLE)
def spill_ge_of_twins(
    p: Setup, c: Tensor = C, lower: Tensor = constant("1/3", scales="smaller", unit="(g R/S)^2")
) -> Sides:
    """Spill >= (1/3)·(γ_ov·R/σ_max)² where the one sample comes twice, with labels α·f(x) ± ρ: nothing spills."""
    doubled(p, c)
    positive("overlap > 0", p.overlap)
    reach = p.overlap * p.residual_norm / p.sigma_max
    return Sides(smaller=lower * reach.square(), larger=torch.zeros_like(p.alpha))


# ------------------------------------------------------------------------------------------- what no instance can show

for _claim in (ITERATES, DECAY, LOWER, UPPER, THEOREM_7):
    hunted_over(_claim, BEYOND)
    hunted_over(_claim, OVERSHOOTING, premise="step size")
    unneeded(_claim, "the residual is not 0", "without a residual both sides are 0")
    unneeded(_claim, "ball", "the constants of these models hold everywhere: no iterate has to be kept in a ball")
hunted_over(THEOREM_7, glancing_tunings(), premise="b <= c")
for _claim in (ITERATES, UPPER):
    unneeded(_claim, RANK, "where sigma_min is 0 the bound is infinite")
unneeded(LOWER, "step size", "every point at which the residual vanishes is that far from theta_0")
unneeded(DECAY, RANK, "where sigma_min is 0 the other premises leave linear models, whose residual never grows")
unneeded(THEOREM_7, "a <= c", "it follows from b <= c, for Lambda >= gamma_ov and sigma_max >= sigma_min")
unneeded(THEOREM_7, "overlap > 0", "where the overlap is 0 so is the bound")
