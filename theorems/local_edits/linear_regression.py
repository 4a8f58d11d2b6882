"""Appendix B.1, linear regression."""

from torch import Tensor

from boundcheck.claim import Sides, Stance, theorem
from boundcheck.exact import constant
from boundcheck.strategies import Blocks, blocks
from boundcheck.theorems.local_edits.regression import (
    failure_allowed,
    few_samples,
    few_samples_for_both,
    long_column,
    small_overlap,
    small_spill,
)
from boundcheck.theorems.local_edits.setting import local_edits

RUNGS = [f"1/{2**k}" for k in range(1, 9)]
LEAST = 2.0**-8


@theorem(
    "LE-B1b:printed",
    source=local_edits("Appendix B.1, item 1"),
    stance=Stance.PRINTED,
    over=blocks(share=LEAST),
    refuted_by="ladder",
    ladder={"c": RUNGS, "rate": RUNGS},
)
def largest_singular_value_le(
    p: Blocks,
    c: Tensor = constant(RUNGS[-1], printed="c", unit="d_eff(S1)"),
    rate: Tensor = constant(RUNGS[-1], printed="c'", unit="m in the exponent"),
) -> Sides:
    """For m <= c·d_eff(Σ_1), σ_max² > (3/2)·Tr(Σ_1) has at most the probability exp(-c'·m)."""
    few_samples(p, c)
    return Sides(smaller=long_column(p, p.first.new_tensor(1.5)), larger=failure_allowed(p, rate))


@theorem(
    "LE-B1c:printed",
    source=local_edits("Appendix B.1, item 3"),
    stance=Stance.PRINTED,
    over=blocks(share=LEAST),
    refuted_by="ladder",
    ladder={"c": RUNGS, "rate": RUNGS},
)
def overlap_ge(
    p: Blocks,
    c: Tensor = constant(RUNGS[-1], printed="c", unit="min d_eff"),
    rate: Tensor = constant(RUNGS[-1], printed="c'", unit="m in the exponent"),
    third: Tensor = constant("1/3", printed="1/3", unit="Tr(S1 S2)/Tr(S1)"),
) -> Sides:
    """γ_ov² < Tr(Σ_1·Σ_2)/(3·Tr(Σ_1)) has at most the probability exp(-c'·m)."""
    few_samples_for_both(p, c)
    return Sides(smaller=small_overlap(p, third), larger=failure_allowed(p, rate))


@theorem(
    "LE-B1d:printed",
    source=local_edits("Appendix B.1, display"),
    stance=Stance.PRINTED,
    over=blocks(share=LEAST),
    refuted_by="ladder",
    ladder={"c": RUNGS, "rate": RUNGS, "C": RUNGS},
)
def spill_ge(
    p: Blocks,
    c: Tensor = constant(RUNGS[-1], printed="c", unit="min d_eff"),
    rate: Tensor = constant(RUNGS[-1], printed="c'", unit="m in the exponent"),
    C: Tensor = constant(RUNGS[-1], printed="C", unit="R^2 Tr(S1 S2)/Tr(S1)^2"),
) -> Sides:
    """Spill < C·R²·Tr(Σ_1·Σ_2)/Tr(Σ_1)² has at most the probability exp(-c'·m)."""
    few_samples_for_both(p, c)
    return Sides(smaller=small_spill(p, C), larger=failure_allowed(p, rate))
