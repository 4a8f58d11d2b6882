"""Appendix B.2: polynomial regression, f = ⟨θ, φ(x)⟩ with features φ of degree at most p, centred under the source.

Statement (printed): with Γ_i = E φφᵀ under N(0, Σ_i), for m <= c·min(d_eff(Γ_1), d_eff(Γ_1^½·Γ_2·Γ_1^½)) "standard
concentration arguments" give σ_max² ≍ Tr(Γ_1) and γ_ov² ≳ Tr(Γ_1·Γ_2)/Tr(Γ_1), hence Spill >= C·R²·Tr(Γ_1·Γ_2)/Tr(Γ_1)². Read,
as in B.1, with constants and a probability of 1 - exp(-c'·m). K_eval is the second moment under the target, which is not
centred.
What is wrong: first what is wrong in B.1: one strong feature over a long flat tail of others. Refuted with features of degree
1 to 4 and constants down to 1/256 (K up to 256); in longer tails no constant helps. Then the concentration itself, even if r(Γ)
takes the place of d_eff(Γ): φ(x) = h(z)·(w_1, …, w_n), h a Hermite polynomial, has Γ_1 = I and d_eff = r = n, but ‖φ‖² ≈
n·h(z)² does not concentrate at all: with h(z) = z it is below half of its mean for every second x, and with two such blocks
(one that Σ_2 sees, one that it does not) the overlap is a small share of what is printed; among m rows one such is enough.
Shown for conditioning and overlap, for c = c' down to 1/32.
Corrected: with v the relative variance of ‖φ‖², E‖ΦΦᵀ - Tr(Γ_1)·I‖_F² = m·v·Tr(Γ_1)² + m·(m - 1)·Tr(Γ_1²), so by Markov's
inequality item 1 fails with at most the probability 4m·(v + (m - 1)/d_eff(Γ_1)); likewise for Φ·Γ_2·Φᵀ and A =
Γ_1^½·Γ_2·Γ_1^½, and overlap (1/3) and display (1/9) follow as in B.1, with at most the sum of both.
Premises of the corrected forms: none but that this is below 1; degree and law of the features do not matter.
Constants: 4 is Markov's for a deviation of half the trace.
Equality case: none.
Numerics: features of degree k in `blocks` are Hermite polynomials, each of a coordinate of its own (of odd degree where Γ_2
has to be diagonal: their means vanish under any centred normal target); gated ones are in `sampled_blocks`. Refuted by a
ladder; by frequencies among samples where the law has no simple bound, at the level 10⁻¹⁴ an instance.
Source: Local Edits, Appendix B.2.
"""

import torch
from torch import Tensor

from boundcheck.claim import Sides, Stance, premise, theorem
from boundcheck.exact import constant
from boundcheck.strategies import Blocks, SampledGrams, SampledRows, blocks, sampled_grams, sampled_rows
from boundcheck.theorems.local_edits.regression import (
    fails_at_most,
    few_samples,
    long_column,
    small_overlap,
    small_spill,
)
from boundcheck.theorems.local_edits.regression_samples import (
    extreme_squares,
    least_quotients,
    least_spills,
    overlap_squares,
    seldom,
    shortest_and_longest,
    where,
)
from boundcheck.theorems.local_edits.setting import local_edits, positive

SOURCE = local_edits("Appendix B.2")
RUNGS = [f"1/{2**k}" for k in range(1, 9)]
FACTORS = [str(2**k) for k in range(1, 9)]
LEAST = 2.0**-8
GATED_RUNGS = [f"1/{2**k}" for k in range(1, 6)]

FEW = constant(RUNGS[-1], printed="c", unit="min d_eff")
RATE = constant(RUNGS[-1], printed="c'", unit="m in the exponent")


@theorem(
    "LE-B2:sigma-max-printed",
    source=SOURCE,
    stance=Stance.PRINTED,
    over=blocks(degrees="1234", share=LEAST, tailed=0.85),
    refuted_by="ladder",
    ladder={"c": RUNGS, "c_prime": RUNGS, "K": FACTORS},
)
def largest_singular_value_le(
    p: Blocks,
    c: Tensor = FEW,
    c_prime: Tensor = RATE,
    K: Tensor = constant(FACTORS[-1], printed="O(1)", unit="Tr(G1)"),
) -> Sides:
    """For m <= c·min(d_eff(Γ_1), d_eff(A)), σ_max² > K·Tr(Γ_1) has at most the probability exp(-c'·m): degrees 1 to 4."""
    few_samples(p, c)
    return fails_at_most(p, long_column(p, K), c_prime)


@theorem(
    "LE-B2:overlap-printed",
    source=SOURCE,
    stance=Stance.PRINTED,
    over=blocks(degrees="13", share=LEAST, tailed=0.85),
    refuted_by="ladder",
    ladder={"c": RUNGS, "c_prime": RUNGS, "C": RUNGS},
)
def overlap_ge(
    p: Blocks,
    c: Tensor = FEW,
    c_prime: Tensor = RATE,
    C: Tensor = constant(RUNGS[-1], printed="some C > 0", unit="Tr(G1 G2)/Tr(G1)"),
) -> Sides:
    """γ_ov² < C·Tr(Γ_1·Γ_2)/Tr(Γ_1) has at most the probability exp(-c'·m): features of degrees 1 and 3."""
    few_samples(p, c)
    return fails_at_most(p, small_overlap(p, C), c_prime)


@theorem(
    "LE-B2:display-printed",
    source=SOURCE,
    stance=Stance.PRINTED,
    over=blocks(degrees="13", share=LEAST, tailed=0.85),
    refuted_by="ladder",
    ladder={"c": RUNGS, "c_prime": RUNGS, "C": RUNGS},
)
def spill_ge(
    p: Blocks,
    c: Tensor = FEW,
    c_prime: Tensor = RATE,
    C: Tensor = constant(RUNGS[-1], printed="C", unit="R^2 Tr(G1 G2)/Tr(G1)^2"),
) -> Sides:
    """Spill < C·R²·Tr(Γ_1·Γ_2)/Tr(Γ_1)² has at most the probability exp(-c'·m): features of degrees 1 and 3."""
    few_samples(p, c)
    return fails_at_most(p, small_spill(p, C), c_prime)


def few_by_intrinsic(p: SampledRows, c: Tensor) -> None:
    """m <= c·min(r(Γ_1), r(A)), which is more than m <= c·min(d_eff(Γ_1), d_eff(A))."""
    premise("m <= c r(G1)", c * p.trace - p.samples * p.norm)
    positive("Tr(G1 G2) > 0", p.product_trace)
    premise("m <= c r(A12)", c * p.product_trace - p.samples * (p.first * p.second).amax())


@theorem(
    "LE-B2:conditioning-printed",
    source=SOURCE,
    stance=Stance.PRINTED,
    over=sampled_rows(intrinsic=32, mixed=32),
    refuted_by="statistical",
    ladder={"c": GATED_RUNGS, "c_prime": GATED_RUNGS},
)
def conditioning(
    p: SampledRows,
    c: Tensor = constant(GATED_RUNGS[-1], printed="c", unit="min r, which is at most d_eff"),
    c_prime: Tensor = constant(GATED_RUNGS[-1], printed="c'", unit="m in the exponent"),
    spread: Tensor = constant("1/2", unit="Tr(G1) on either side"),
) -> Sides:
    """Even for m <= c·r: σ_min² < Tr(Γ_1)/2 or σ_max² > 3·Tr(Γ_1)/2 has at most the probability exp(-c'·m)."""
    few_by_intrinsic(p, c)
    shortest, longest = shortest_and_longest(p)
    failed = torch.maximum(where(shortest < (1 - spread) * p.trace), where(longest > (1 + spread) * p.trace))
    return seldom(failed, -c_prime * p.samples)


@theorem(
    "LE-B2:gated-overlap-printed",
    source=SOURCE,
    stance=Stance.PRINTED,
    over=sampled_rows(intrinsic=32, mixed=32),
    refuted_by="statistical",
    ladder={"c": GATED_RUNGS, "c_prime": GATED_RUNGS, "C": ["1/2", "1/3", "1/4", "1/5", "1/6"]},
)
def gated_overlap(
    p: SampledRows,
    c: Tensor = constant(GATED_RUNGS[-1], printed="c", unit="min r, which is at most d_eff"),
    c_prime: Tensor = constant(GATED_RUNGS[-1], printed="c'", unit="m in the exponent"),
    C: Tensor = constant("1/6", printed="some C > 0", unit="Tr(G1 G2)/Tr(G1)"),
) -> Sides:
    """Even for m <= c·r: γ_ov² < C·Tr(Γ_1·Γ_2)/Tr(Γ_1) has at most the probability exp(-c'·m)."""
    few_by_intrinsic(p, c)
    return seldom(where(least_quotients(p) < C * p.product_trace / p.trace), -c_prime * p.samples)


def log_deviation(p: SampledGrams, values: Tensor, effective: Tensor, four: Tensor) -> Tensor:
    """4·m·(v + (m - 1)/d_eff), v the relative variance of the rows' energies: at least Pr[‖Gram - Tr·I‖ > Tr/2]."""
    return four * p.samples * (p.relative_variance(values) + (p.samples - 1) / effective)


@theorem(
    "LE-B2:corrected",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=sampled_grams(effective=64, samples=(1, 2, 3), gates="0123"),
    mutants={"9/10 and 11/10": {"spread": "1/10"}},
    group="LE-B2",
)
def conditioning_by_variance(
    p: SampledGrams,
    four: Tensor = constant(4, unit="m (v + (m - 1)/d_eff)"),
    spread: Tensor = constant("1/2", unit="Tr(G1) on either side"),
) -> Sides:
    """σ_min² < Tr(Γ_1)/2 or σ_max² > 3·Tr(Γ_1)/2 has at most the probability 4m·(v + (m - 1)/d_eff), v = Var‖φ‖²/Tr(Γ_1)²."""
    smallest, largest = extreme_squares(p)
    failed = torch.maximum(where(smallest < (1 - spread) * p.trace), where(largest > (1 + spread) * p.trace))
    return seldom(failed, torch.log(log_deviation(p, p.first, p.effective_dimension, four)))


def log_either(p: SampledGrams) -> Tensor:
    """The same for both Gram matrices, Γ_1's and A's."""
    positive("Tr(G1 G2) > 0", p.product_trace)
    four = torch.full_like(p.samples, 4.0)
    source = log_deviation(p, p.first, p.effective_dimension, four)
    mixed = log_deviation(p, p.first * p.second, p.mixed_effective_dimension, four)
    return torch.log(torch.nan_to_num(source + mixed, nan=1.0))


@theorem(
    "LE-B2:overlap-corrected",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=sampled_grams(effective=128, samples=(1, 2, 3), gates="0123"),
    mutants={"as large as its mean": {"C": 1}},
    group="LE-B2",
)
def overlap_by_variance(
    p: SampledGrams, C: Tensor = constant("1/3", printed="some C > 0", unit="Tr(G1 G2)/Tr(G1)")
) -> Sides:
    """γ_ov² < Tr(Γ_1·Γ_2)/(3·Tr(Γ_1)) has at most the sum of these probabilities for Γ_1 and A."""
    probability = log_either(p)
    return seldom(where(overlap_squares(p) < C * p.product_trace / p.trace), probability)


@theorem(
    "LE-B2:display-corrected",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=sampled_grams(effective=128, samples=(1, 2, 3), gates="0123"),
    mutants={"1/2": {"C": "1/2"}},
    group="LE-B2",
)
def spill_by_variance(
    p: SampledGrams, C: Tensor = constant("1/9", printed="C", unit="R^2 Tr(G1 G2)/Tr(G1)^2")
) -> Sides:
    """Spill < R²·Tr(Γ_1·Γ_2)/(9·Tr(Γ_1)²) for some residual has at most the same probability."""
    probability = log_either(p)
    return seldom(where(least_spills(p) < C * p.product_trace / p.trace.square()), probability)
