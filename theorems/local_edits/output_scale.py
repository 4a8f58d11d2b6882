"""The remark after Lemma 6: condition (11) as "providing a lower-bound for the scale parameter α".

Statement (printed, labels y fixed): with C the right side of (11), where (11), that is ‖F_S(θ_0) - y/α‖ <= C, holds at a scale α
it holds at every larger one.
What is wrong: as α grows the left side tends to ‖F_S(θ_0)‖, and C does not depend on α. Where ‖F_S(θ_0)‖ > C, (11) confines α
to a bounded window, or fails at every α.
Corrected: (a) where ‖F_S(θ_0)‖ <= C the printed statement holds; (b) where ‖F_S(θ_0)‖ < C, (11) holds from
α = (√(⟨F, y⟩² + ‖y‖²(C² - ‖F‖²)) - ⟨F, y⟩)/(C² - ‖F‖²) on and at no smaller scale; (c) where labels move with the outputs,
y = αF_S(θ_0) + e with a fixed edit e, (11) holds from α = ‖e‖/C on and at no smaller scale.
Premises: Assumption 5 with β_S, β > 0 (else C is infinite), full row rank, an overlap.
Why: in u = 1/α, the ball ‖F - u·y‖ <= C is an interval; it begins at or below 0 exactly where ‖F‖ <= C, and its upper end is the
positive root of ‖y‖²u² - 2⟨F, y⟩u + ‖F‖² - C² = 0. With moving labels the left side is ‖e‖/α.
Constants: c = 1/16 in C, as in (11). "Holds from t on and at no smaller scale" is one inequality, (C - ‖F - y/α'‖)·(α' - t) >= 0.
Equality case: none but at the threshold itself.
Source: Local Edits, the remark after the proof of Lemma 6, (11).
"""

import torch
from torch import Tensor

from boundcheck.claim import Sides, Stance, premise, scaled, theorem
from boundcheck.exact import constant
from boundcheck.strategies import rescaled_setups
from boundcheck.strategies.scaled_setups import RescaledSetup
from boundcheck.theorems.local_edits.setting import C, local_edits, positive

SOURCE = local_edits("remark after Lemma 6", "(11)")
GROUP = "LE-scale"
RUNGS = [f"1/{2**k}" for k in range(4, 11)]
"""For c, which the paper only calls sufficiently small."""


def norm(vector: Tensor) -> Tensor:
    """The Euclidean norm."""
    return torch.linalg.vector_norm(vector)


def residual_at(p: RescaledSetup, scale: Tensor, labels: Tensor) -> Tensor:
    """‖F_S(θ_0) - y/α‖, the left side of (11) at a scale."""
    return norm(p.start - labels / scale)


def ceiling(p: RescaledSetup, c: Tensor) -> Tensor:
    """C, the right side of (11), and the premises that make it a positive number."""
    positive("J_S has full row rank", p.sigma_min)
    positive("overlap > 0", p.overlap)
    positive("beta_S > 0", p.beta_train, established=p.established)
    positive("beta > 0", p.beta_eval, established=p.established)
    return p.ceiling(c)


def larger_scale(p: RescaledSetup, c: Tensor) -> Sides:
    """Where (11) holds at α, and α' >= α, the two sides of (11) at α'."""
    limit = ceiling(p, c)
    premise("(11) at the first scale", limit - residual_at(p, p.alpha, p.labels))
    premise("the other scale is larger", p.other - p.alpha)
    return Sides(smaller=residual_at(p, p.other, p.labels), larger=limit)


def least_scale(p: RescaledSetup, limit: Tensor) -> Tensor:
    """(√(⟨F, y⟩² + ‖y‖²(C² - ‖F‖²)) - ⟨F, y⟩)/(C² - ‖F‖²), and the premises that make it positive."""
    room = limit.square() - p.start.square().sum()
    size = p.labels.square().sum()
    positive("|F| < C", room)
    positive("the labels are not 0", size)
    along = (p.start * p.labels).sum()
    return (torch.sqrt((along.square() + size * room).clamp(min=0)) - along) / room


def from_threshold_on(limit: Tensor, residual: Tensor, scale: Tensor, threshold: Tensor) -> Sides:
    """(C - residual)·(scale - threshold) >= 0: (11) holds from the threshold on, and at no smaller scale."""
    return Sides(smaller=limit * threshold + residual * scale, larger=limit * scale + residual * threshold)


@theorem(
    "LE-6alpha:printed",
    source=SOURCE,
    stance=Stance.PRINTED,
    over=rescaled_setups(),
    refuted_by="ladder",
    ladder={"c": RUNGS},
    group=GROUP,
)
def residual_stays_small_as_printed(p: RescaledSetup, c: Tensor = constant(RUNGS[-1], unit="in (11)")) -> Sides:
    """Where (11) holds at α it holds at every α' >= α."""
    return larger_scale(p, c)


@theorem(
    "LE-6alpha:small-outputs",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=rescaled_setups(),
    mutants={"0.1 % less": scaled("999/1000")},
    group=GROUP,
)
def residual_stays_small(p: RescaledSetup, c: Tensor = C) -> Sides:
    """Where ‖F_S(θ_0)‖ <= C and (11) holds at α it holds at every α' >= α."""
    sides = larger_scale(p, c)
    premise("|F| <= C", sides.larger - norm(p.start))
    return sides


@theorem(
    "LE-6alpha:threshold",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=rescaled_setups(),
    mutants={"0.1 % less": {"share": "999/1000"}, "0.1 % more": {"share": "1001/1000"}},
    group=GROUP,
)
def holds_from_threshold_on(
    p: RescaledSetup, c: Tensor = C, share: Tensor = constant(1, unit="the threshold")
) -> Sides:
    """Where ‖F_S(θ_0)‖ < C, (11) holds from a scale on, given in closed form, and at no smaller one."""
    limit = ceiling(p, c)
    threshold = share * least_scale(p, limit)
    residual = residual_at(p, p.other, p.labels)
    return from_threshold_on(limit, residual, p.other, threshold)


@theorem(
    "LE-6alpha:moving-labels",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=rescaled_setups(),
    mutants={"0.1 % less": {"share": "999/1000"}, "0.1 % more": {"share": "1001/1000"}},
    group=GROUP,
)
def holds_from_edit_on(p: RescaledSetup, c: Tensor = C, share: Tensor = constant(1, unit="|e|/C")) -> Sides:
    """Where labels are α·F_S(θ_0) + e with e fixed, (11) holds from α = ‖e‖/C on, and at no smaller scale."""
    limit = ceiling(p, c)
    positive("the edit is not 0", norm(p.edit))
    residual = residual_at(p, p.other, p.other * p.start + p.edit)
    return from_threshold_on(limit, residual, p.other, share * norm(p.edit) / limit)
