"""Theorem 1, the informal statement of Theorem 7: spillover is at least γ_ov² times the average edit.

Statement (printed): Spill >= Ω(γ_ov²)·E_i‖f_θ̂(x_i) - f_θ0(x_i)‖², the mean taken over the m fine-tuning samples, "up to
conditioning and smoothness factors, and other lower-order terms".
What these factors must contain: m/σ_max². In the limit of the descent the edits are the residuals, so Σ_i‖f_θ̂(x_i) - f_θ0(x_i)‖²
is R², and Theorem 7 says Spill >= c'·γ_ov²·(m/σ_max²)·mean edit: σ_max, which the paper counts as conditioning, has to be
among the factors. Without it the two sides do not even have one unit: parameters counted in other units (θ → θ/t, the same model)
multiply γ_ov and all singular values by t, and leave edits, spillover and every premise as they are. `:literal` reads it with a
universal constant and nothing else, which the paper does not claim; that reading falls at every rung of a ladder.
Premises: Theorem 7's, scale-free (U) or adaptive; see `setting`.
Constants: c' = 1/3 under U; adaptive: √(2·Spill) >= (γ_ov/σ_max)·√(m·mean edit)·[1 - a·P²/2 - b·P/A - d·P²/2].
Equality case: linear models with one row, as in Theorem 7.
Numerics: edits are measured on the outputs at θ̂ and at θ_0, not taken from r_0; θ̂ has a certified radius.
Source: Local Edits, Theorem 1.
"""

import torch
from torch import Tensor

from boundcheck.claim import Sides, Stance, theorem
from boundcheck.dynamics import FineTuning, mean_square
from boundcheck.exact import constant
from boundcheck.strategies import fine_tunings, tunings_in_other_units
from boundcheck.theorems.local_edits.setting import (
    C,
    lemma_6_adaptive,
    linear_or_one_parameter,
    local_edits,
    positive,
    theorem_7_scale_free,
)
from boundcheck.theorems.local_edits.theorem_7 import GROUP, lazy_losses

SOURCE = local_edits("Theorem 1")


def mean_edit(p: FineTuning) -> Tensor:
    """E_i‖f_θ̂(x_i) - f_θ0(x_i)‖² over the fine-tuning samples."""
    at_tuned = p.family.outputs(p.tuned, p.frozen, p.x_train)
    return mean_square(at_tuned - p.family.outputs(p.theta0, p.frozen, p.x_train))


def samples(p: FineTuning) -> float:
    """m."""
    return float(p.y_train.shape[-2])


@theorem(
    "LE-1:proved",
    source=SOURCE,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"51/100": {"lower": "51/100"}},
    group=GROUP,
)
def spill_ge_mean_edit(
    p: FineTuning, c: Tensor = C, lower: Tensor = constant("1/3", scales="smaller", unit="g^2 m/S^2 mean edit")
) -> Sides:
    """Spill >= (1/3)·γ_ov²·(m/σ_max²)·E_i‖f_θ̂(x_i) - f_θ0(x_i)‖² under the scale-free conditions with c = 1/16."""
    theorem_7_scale_free(p, c)
    unit = (p.overlap / p.sigma_max).square() * samples(p)
    return Sides(smaller=lower * unit * mean_edit(p), larger=p.spill)


@theorem(
    "LE-1:adaptive",
    source=SOURCE,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"1 % more": {"share": "101/100"}},
    group=GROUP,
    equality_at=linear_or_one_parameter,
)
def spill_ge_mean_edit_adaptive(
    p: FineTuning, share: Tensor = constant(1, scales="smaller", unit="g/S edit (1 - a P^2/2 - b P/A - d P^2/2)")
) -> Sides:
    """√(2·Spill) >= (γ_ov/σ_max)·√(m·E_i‖f_θ̂(x_i) - f_θ0(x_i)‖²)·[1 - a·P²/2 - b·P/A - d·P²/2]."""
    A, P = lemma_6_adaptive(p)
    positive("overlap > 0", p.overlap)
    turned, outside, bent = lazy_losses(p, A, P)
    left = 1 - turned - outside - bent
    positive("the bound is above 0", left)
    edit = torch.sqrt(samples(p) * mean_edit(p))
    return Sides(smaller=share * p.overlap / p.sigma_max * edit * left, larger=torch.sqrt(2 * p.spill))


@theorem(
    "LE-1:literal",
    source=SOURCE,
    stance=Stance.PRINTED,
    over=tunings_in_other_units(),
    refuted_by="ladder",
    ladder={"lower": [f"2^-{k}" for k in range(1, 9)]},
    group=GROUP,
)
def spill_ge_mean_edit_without_units(
    p: FineTuning, c: Tensor = C, lower: Tensor = constant("2^-8", scales="smaller", unit="g^2 mean edit")
) -> Sides:
    """Spill >= 2^-8·γ_ov²·E_i‖f_θ̂(x_i) - f_θ0(x_i)‖²: read without the factor m/σ_max²."""
    theorem_7_scale_free(p, c)
    return Sides(smaller=lower * p.overlap.square() * mean_edit(p), larger=p.spill)
