"""How often the bounds of Appendix B fail among samples, and what that says of a probability.

Of T independent samples k fail. Were each to fail with a probability of at most q, so many would fail with at most the
probability Pr[Bin(T, q) >= k]. A claim that failures are at most this likely is contradicted where that is below the level, one
in 10¹⁴: its smaller side is -log Pr[Bin(T, q) >= k], its larger one log 10¹⁴. Counting only samples that certainly failed is
enough for a refutation; a claim that holds is asked of all that failed.

What is proved is far from what samples can show: at the edge of the premises of Appendix B's corrected forms (d_eff = 1100·m,
say) none of some 10⁵ samples failed, and exp(-m) could be much less. There the counts guard the laws, the shares and the sense
of the premises; the constants stand on proofs, whose steps are claims of their own (`LE-B1a:discard`, `:tail`, `LE-B1b:tail`).
"""

import torch
from torch import Tensor

from boundcheck.claim import Sides
from boundcheck.geometry import overlap, row_space, singular_values, solve, surprise
from boundcheck.strategies import SampledGrams, SampledRows, SampledTurned
from boundcheck.theorems.local_edits.setting import positive

Pair = SampledGrams | SampledTurned

LEVEL = 1e14
"""One in so many: the probability with which the samples of one instance contradict a claim that is true. The one that is shown
is chosen among all that a run looks at, some 100,000 in the default profile: of such runs one in 10⁹ is wrong."""

LEAST = 2.0**-40
"""A probability this close to 1 says nothing."""


def seldom(failed: Tensor, log_probability: Tensor) -> Sides:
    """Failures `[T]` (1 or 0) against their probability: how surprising their number is, and how surprising it may be."""
    positive("the probability is below 1", -log_probability - LEAST)
    safe = torch.where(log_probability < -LEAST, log_probability, torch.full_like(log_probability, -1.0))
    told = surprise(failed.sum(-1), failed.shape[-1], safe)
    return Sides(smaller=told, larger=torch.log(torch.full_like(told, LEVEL)))


def where(condition: Tensor) -> Tensor:
    """1 where a bound failed, 0 where not, as floats."""
    one = torch.ones(condition.shape, dtype=torch.float64, device=condition.device)
    return torch.where(condition, one, torch.zeros_like(one))


def extreme_squares(p: SampledGrams) -> tuple[Tensor, Tensor]:
    """σ_min² and σ_max² of each sample: `[T]`."""
    values = singular_values(p.rows).square()
    return values[..., -1], values[..., 0]


def overlap_squares(p: Pair) -> Tensor:
    """γ_ov² of each sample: `[T]`."""
    return overlap(p.kernel_root, row_space(p.rows)).square()


def least_spills(p: Pair) -> Tensor:
    """The least Spill/R² over all residuals, of each sample: `[T]`. Spill = ½·‖Σ_2^½·Xᵀ(XXᵀ)⁻¹ρ‖² for a residual ρ."""
    rows = p.rows
    movement = solve(rows @ rows.mT, rows).mT  # Xᵀ(XXᵀ)⁻¹
    return 0.5 * singular_values(p.kernel_root @ movement)[..., -1].square()


def shortest_and_longest(p: SampledRows) -> tuple[Tensor, Tensor]:
    """The smallest and the largest ‖φ(x_i)‖² of each sample `[T]`: at least σ_min², and at most σ_max²."""
    squares = p.energy(torch.ones_like(p.second))
    return squares.amin(-1), squares.amax(-1)


def least_quotients(p: SampledRows) -> Tensor:
    """The least φᵀΣ_2φ/‖φ‖² among the rows of each sample `[T]`: at least γ_ov²."""
    return (p.energy(p.second) / p.energy(torch.ones_like(p.second))).amin(-1)
