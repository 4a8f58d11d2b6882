"""Appendix B.1: linear regression, f = ⟨θ, x⟩ with x ~ N(0, Σ_1) in the fine-tuning set and N(0, Σ_2) in the evaluation.

Statement (printed): for m <= c·min(d_eff(Σ_1), d_eff(A)), A = Σ_1^½·Σ_2·Σ_1^½, d_eff(S) = Tr(S)²/Tr(S²), with a probability of
at least 1 - exp(-c'·m): σ_min² >= Tr(Σ_1)/2 and σ_max² <= (3/2)·Tr(Σ_1) (item 1), γ_ov² >= Tr(Σ_1·Σ_2)/(3·Tr(Σ_1)) (item 3),
and so Spill >= C·R²·Tr(Σ_1·Σ_2)/Tr(Σ_1)².
What is wrong: all but σ_min, for every c, c' and C. Let Σ_1 have one eigenvalue L over n eigenvalues 1, n >> L² >> 1: d_eff ≈
n, but one column of X has the squared length L·m, which is more than the trace as soon as m > 3n/(2L), and n/L is small beside
n. If Σ_2 does not see that direction, γ_ov² is at most about n/(L·m + n); and labels along it (y_i = θ_0ᵀx_i plus a multiple
of that coordinate) spill next to nothing. The printed argument (Hanson-Wright and a net) needs r(Σ) = Tr(Σ)/‖Σ‖ in the place
of d_eff.
Corrected: σ_min: d_eff(Σ_1) >= 1100·m, failing with at most exp(-m). σ_max: r(Σ_1) >= 200·m, with at most exp(-r/125). Overlap
and display (C = 1/9): r(Σ_1) >= 200·m and d_eff(A) >= 1100·m, with at most 2·exp(-m).
Constants: X = G·Σ_1^½. Gordon and Chevet: E σ_min >= √(Tr - ‖Σ‖) - √(‖Σ‖·m) and E σ_max <= √Tr + √(‖Σ‖·m), either
√‖Σ‖-Lipschitz in G, so with r = Tr/‖Σ‖: Pr[σ_min² < τ·Tr] <= exp(-(r/2)·(√(1 - 1/r) - √τ - √(m/r))²) and Pr[σ_max² > (3/2)·Tr]
<= exp(-(r/2)·(√(3/2) - 1 - √(m/r))²), where the brackets are above 0. For σ_min first drop the eigenvalues above 6·Tr/d_eff:
that only lowers it, keeps 5/6 of the trace (they sum to at most Tr(Σ²)·d_eff/(6·Tr)), and leaves r' >= 5·d_eff/36 with τ' =
3/5 (`LE-B1a:discard`, `:tail`; `LE-B1b:tail`). The Gram matrix of X·Σ_2^½ is G·A·Gᵀ up to a rotation, so λ_min(X·Σ_2·Xᵀ) >=
Tr(A)/2 likewise, and γ_ov² >= (Tr(A)/2)/((3/2)·Tr(Σ_1)). Spill = ½·‖Σ_2^½·Xᵀ(XXᵀ)⁻¹ρ‖² >= ½·(Tr(A)/2)·R²/((3/2)·Tr(Σ_1))².
Equality case: none; `LE-B1a:discard` is approached by a spectrum of which a sixth lies just above the cut.
Numerics: what is refuted are consequences: lower bounds on the probability of failure, rational in the numbers of a spectrum
(`regression`), so that dimensions of 10¹⁵ cost nothing; fall by a ladder c = c' = C = 1/2, …, 1/256. What is corrected is
counted among samples of the Gram matrices (`regression_samples`).
Source: Local Edits, Appendix B.1.
"""

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.claim import Sides, Stance, premise, theorem
from boundcheck.exact import constant
from boundcheck.strategies import Blocks, SampledGrams, SampledTurned, blocks, sampled_grams, sampled_turned
from boundcheck.theorems.local_edits.regression import (
    fails_at_most,
    few_samples,
    long_column,
    small_overlap,
    small_spill,
)
from boundcheck.theorems.local_edits.regression_samples import (
    Pair,
    extreme_squares,
    least_spills,
    overlap_squares,
    seldom,
    where,
)
from boundcheck.theorems.local_edits.setting import local_edits, positive

RUNGS = [f"1/{2**k}" for k in range(1, 9)]
LEAST = 2.0**-8


@theorem(
    "LE-B1b:printed",
    source=local_edits("Appendix B.1, item 1"),
    stance=Stance.PRINTED,
    over=blocks(share=LEAST),
    refuted_by="ladder",
    ladder={"c": RUNGS, "c_prime": RUNGS},
)
def largest_singular_value_le(
    p: Blocks,
    c: Tensor = constant(RUNGS[-1], printed="c", unit="min d_eff"),
    c_prime: Tensor = constant(RUNGS[-1], printed="c'", unit="m in the exponent"),
) -> Sides:
    """For m <= c·min(d_eff(Σ_1), d_eff(A)), σ_max² > (3/2)·Tr(Σ_1) has at most the probability exp(-c'·m)."""
    few_samples(p, c)
    return fails_at_most(p, long_column(p, p.first.new_tensor(1.5)), c_prime)


@theorem(
    "LE-B1c:printed",
    source=local_edits("Appendix B.1, item 3"),
    stance=Stance.PRINTED,
    over=blocks(share=LEAST),
    refuted_by="ladder",
    ladder={"c": RUNGS, "c_prime": RUNGS},
)
def overlap_ge(
    p: Blocks,
    c: Tensor = constant(RUNGS[-1], printed="c", unit="min d_eff"),
    c_prime: Tensor = constant(RUNGS[-1], printed="c'", unit="m in the exponent"),
    third: Tensor = constant("1/3", printed="1/3", unit="Tr(S1 S2)/Tr(S1)"),
) -> Sides:
    """γ_ov² < Tr(Σ_1·Σ_2)/(3·Tr(Σ_1)) has at most the probability exp(-c'·m)."""
    few_samples(p, c)
    return fails_at_most(p, small_overlap(p, third), c_prime)


@theorem(
    "LE-B1d:printed",
    source=local_edits("Appendix B.1, display"),
    stance=Stance.PRINTED,
    over=blocks(share=LEAST),
    refuted_by="ladder",
    ladder={"c": RUNGS, "c_prime": RUNGS, "C": RUNGS},
)
def spill_ge(
    p: Blocks,
    c: Tensor = constant(RUNGS[-1], printed="c", unit="min d_eff"),
    c_prime: Tensor = constant(RUNGS[-1], printed="c'", unit="m in the exponent"),
    C: Tensor = constant(RUNGS[-1], printed="C", unit="R^2 Tr(S1 S2)/Tr(S1)^2"),
) -> Sides:
    """Spill < C·R²·Tr(Σ_1·Σ_2)/Tr(Σ_1)² has at most the probability exp(-c'·m)."""
    few_samples(p, c)
    return fails_at_most(p, small_spill(p, C), c_prime)


def many_effective_dimensions(p: Blocks, least: Tensor) -> None:
    """d_eff(Σ_1) >= least·m."""
    premise("m is small beside d_eff(S1)", p.effective_dimension - least * p.samples)


def many_intrinsic_dimensions(p: Blocks | SampledTurned, least: Tensor) -> None:
    """r(Σ_1) = Tr(Σ_1)/‖Σ_1‖ >= least·m."""
    premise("m is small beside r(S1)", p.intrinsic_dimension - least * p.samples)


def regular_pair(p: Pair, effective: Tensor, intrinsic: Tensor) -> None:
    """r(Σ_1) >= 200·m and d_eff(A) >= 1100·m."""
    many_intrinsic_dimensions(p, intrinsic)
    positive("Tr(S1 S2) > 0", p.product_trace)
    premise("m is small beside d_eff(A12)", p.product_trace.square() - effective * p.samples * p.mixed_square)


PAIRS = st.one_of(sampled_grams(effective=1100, intrinsic=200), sampled_turned(effective=1100, intrinsic=200))
EFFECTIVE = constant(1100, printed="1/c", unit="m below d_eff")
INTRINSIC = constant(200, unit="m below r")


@theorem(
    "LE-B1a:proved",
    source=local_edits("Appendix B.1, item 1"),
    stance=Stance.PROVED,
    over=sampled_grams(effective=1100),
    mutants={"19/20": {"share": "19/20"}},
    group="LE-B1",
)
def smallest_singular_value_ge(
    p: SampledGrams, least: Tensor = EFFECTIVE, share: Tensor = constant("1/2", printed="1/2", unit="Tr(S1)")
) -> Sides:
    """For m <= d_eff(Σ_1)/1100, σ_min² < Tr(Σ_1)/2 has at most the probability exp(-m)."""
    many_effective_dimensions(p, least)
    smallest, _ = extreme_squares(p)
    return seldom(where(smallest < share * p.trace), -p.samples)


@theorem(
    "LE-B1a:discard",
    source=local_edits("Appendix B.1, item 1"),
    stance=Stance.PROVED,
    over=blocks(mixed=False),
    mutants={"19/20": {"share": "19/20"}},
    group="LE-B1",
)
def trace_without_large_eigenvalues(
    p: Blocks, share: Tensor = constant("5/6", scales="smaller", unit="Tr(S1)")
) -> Sides:
    """The eigenvalues up to 6·Tr/d_eff have at least 5/6 of the trace."""
    positive("an eigenvalue is above 6 Tr/d_eff", p.norm * p.effective_dimension - 6 * p.trace)
    kept = torch.where(p.first * p.effective_dimension <= 6 * p.trace, p.first, torch.zeros_like(p.first))
    return Sides(smaller=share * p.trace, larger=(p.sizes * kept).sum(-1))


@theorem(
    "LE-B1a:tail",
    source=local_edits("Appendix B.1, item 1"),
    stance=Stance.PROVED,
    over=blocks(share=1 / 1100, mixed=False),
    mutants={"1.6": {"exponent": "1.6"}},
    group="LE-B1",
)
def gordon_after_discarding(
    p: Blocks, least: Tensor = EFFECTIVE, exponent: Tensor = constant(1, scales="smaller", unit="m")
) -> Sides:
    """For m <= d_eff/1100 and r' = 5·d_eff/36: m <= (r'/2)·(√(1 - 1/r') - √(3/5) - √(m/r'))²."""
    many_effective_dimensions(p, least)
    r = 5 * p.effective_dimension / 36
    root = torch.sqrt(1 - 1 / r) - torch.sqrt(r.new_tensor(3.0) / 5) - torch.sqrt(p.samples / r)
    positive("Gordon's bound is above 0", root)
    return Sides(smaller=exponent * p.samples, larger=0.5 * r * root.square())


@theorem(
    "LE-B1b:corrected",
    source=local_edits("Appendix B.1, item 1"),
    stance=Stance.CORRECTED,
    over=sampled_grams(intrinsic=200),
    mutants={"21/20": {"share": "21/20"}},
    group="LE-B1",
)
def largest_singular_value_le_by_intrinsic(
    p: SampledGrams,
    least: Tensor = INTRINSIC,
    share: Tensor = constant("3/2", printed="3/2", unit="Tr(S1)"),
    rate: Tensor = constant("1/125", printed="c' m/r", unit="r in the exponent"),
) -> Sides:
    """For m <= r(Σ_1)/200, σ_max² > (3/2)·Tr(Σ_1) has at most the probability exp(-r/125)."""
    many_intrinsic_dimensions(p, least)
    _, largest = extreme_squares(p)
    return seldom(where(largest > share * p.trace), -rate * p.intrinsic_dimension)


@theorem(
    "LE-B1b:tail",
    source=local_edits("Appendix B.1, item 1"),
    stance=Stance.CORRECTED,
    over=blocks(share=1 / 200, mixed=False),
    mutants={"1/80": {"exponent": "1/80"}},
    group="LE-B1",
)
def chevet(
    p: Blocks, least: Tensor = INTRINSIC, exponent: Tensor = constant("1/125", scales="smaller", unit="r")
) -> Sides:
    """For m <= r/200: r/125 <= (r/2)·(√(3/2) - 1 - √(m/r))²."""
    many_intrinsic_dimensions(p, least)
    r = p.intrinsic_dimension
    root = torch.sqrt(r.new_tensor(1.5)) - 1 - torch.sqrt(p.samples / r)
    return Sides(smaller=exponent * r, larger=0.5 * r * root.square())


@theorem(
    "LE-B1c:corrected",
    source=local_edits("Appendix B.1, item 3"),
    stance=Stance.CORRECTED,
    over=PAIRS,
    mutants={"as large as its mean": {"share": 1}},
    group="LE-B1",
)
def overlap_ge_by_intrinsic(
    p: Pair,
    effective: Tensor = EFFECTIVE,
    intrinsic: Tensor = INTRINSIC,
    share: Tensor = constant("1/3", printed="1/3", unit="Tr(S1 S2)/Tr(S1)"),
) -> Sides:
    """For m <= min(r(Σ_1)/200, d_eff(A)/1100), γ_ov² < Tr(Σ_1·Σ_2)/(3·Tr(Σ_1)) has at most the probability 2·exp(-m)."""
    regular_pair(p, effective, intrinsic)
    return seldom(where(overlap_squares(p) < share * p.product_trace / p.trace), log_twice(p))


@theorem(
    "LE-B1d:corrected",
    source=local_edits("Appendix B.1, display"),
    stance=Stance.CORRECTED,
    over=PAIRS,
    mutants={"1/2": {"C": "1/2"}},
    group="LE-B1",
)
def spill_ge_by_intrinsic(
    p: Pair,
    effective: Tensor = EFFECTIVE,
    intrinsic: Tensor = INTRINSIC,
    C: Tensor = constant("1/9", printed="C", unit="R^2 Tr(S1 S2)/Tr(S1)^2"),
) -> Sides:
    """Under the same premises Spill < R²·Tr(Σ_1·Σ_2)/(9·Tr(Σ_1)²) for some residual has at most the probability 2·exp(-m)."""
    regular_pair(p, effective, intrinsic)
    return seldom(where(least_spills(p) < C * p.product_trace / p.trace.square()), log_twice(p))


def log_twice(p: Pair) -> Tensor:
    """log(2·exp(-m))."""
    return torch.log(torch.full_like(p.samples, 2.0)) - p.samples
