"""What Appendix B's two settings share: least squares on features, and lower bounds on how often its bounds fail.

The rows of X `[m, n]` are independent copies of a vector of features with second moment Σ_1 (Γ_1 for polynomial features);
K_eval is Σ_2 (Γ_2). Take block j of a `Blocks` and one of its features, √λ_j·h, with g = (h(x_1), …, h(x_m)), Z = ‖g‖², and T
the Gram matrix of all other features, which do not depend on g. Then Z has mean m and variance m·Var(h²), and for u = g/‖g‖
the number Y = uᵀTu has mean Σ λ·n over the others and at most the variance Σ λ²·n·Var(h²). (Of features of degree k,
independent of each other, (Σ u_i·h(x_i))² has the variance 2 + (E h⁴ - 3)·Σ u_i⁴ <= Var(h²).)

* σ_max² >= λ_j·Z: it is the squared length of a column.
* γ_ov² <= vᵀΣ_2v/‖v‖² with v = Xᵀu; this is (λ_j·μ_j·Z + Y_2)/(λ_j·Z + Y), where Y_2 is Y with λ·μ in the place of λ.
* Let labels ask for the residual a·√λ_j·g, a multiple of that feature. The movement is then D = a·P·e_j, P onto the row space
  of X; its part D_j = a·e_jᵀPe_j is at most a, and the rest has at most the energy μ·a²·x/(1 + x)² <= μ·a²/x, x = λ_j·gᵀT⁻¹g
  >= λ_j·Z/Y (Cauchy-Schwarz), μ being the largest eigenvalue of Σ_2 on the others. So Spill/R² <= ½·[μ_j/(λ_j·Z) +
  μ·Y/(λ_j·Z)²].

Each printed bound fails wherever such a combination of Z, Y, Y_2 is below 0; Cantelli's inequality bounds the probability of
that from below, in rational numbers.
"""

import torch
from torch import Tensor

from boundcheck.claim import Sides, premise
from boundcheck.geometry import cantelli
from boundcheck.strategies.blocks import Blocks
from boundcheck.theorems.local_edits.setting import positive


def few_samples(p: Blocks, c: Tensor) -> None:
    """m <= c·min(d_eff(Σ_1), d_eff(Σ_1^½·Σ_2·Σ_1^½))."""
    premise("m <= c d_eff(S1)", c * p.effective_dimension - p.samples)
    positive("Tr(S1 S2) > 0", p.product_trace)
    premise("m <= c d_eff(A12)", c * p.product_trace.square() - p.samples * p.mixed_square)


def long_column(p: Blocks, most: Tensor) -> Tensor:
    """At most Pr[σ_max² > most·Tr(Σ_1)], the better of the blocks' bounds."""
    mean = most * p.trace - p.first * p.samples
    variance = p.first.square() * p.spread * p.samples
    return cantelli(mean, variance).amax(-1)


def others(p: Blocks) -> Tensor:
    """How many features are left of each block (columns) when one of block j (rows) is taken away: `[q, q]`."""
    q = p.first.shape[-1]
    return p.sizes - torch.eye(q, dtype=p.first.dtype, device=p.first.device)


def small_overlap(p: Blocks, least: Tensor) -> Tensor:
    """At most Pr[γ_ov² < least·Tr(Σ_1·Σ_2)/Tr(Σ_1)]."""
    level = least * p.product_trace / p.trace
    weights = p.first * (p.second - level)
    mean = weights * p.samples + others(p) @ weights
    variance = weights.square() * p.spread * p.samples + others(p) @ (weights.square() * p.spread)
    return cantelli(mean, variance).amax(-1)


def small_spill(p: Blocks, least: Tensor) -> Tensor:
    """At most Pr[Spill < least·R²·Tr(Σ_1·Σ_2)/Tr(Σ_1)²] for labels along one of the features."""
    long_enough = cantelli(-0.5 * p.samples, p.samples * p.spread)  # Z >= m/2
    size = 0.5 * p.first * p.samples
    left = 2 * least * p.product_trace / p.trace.square() * size.square() - p.second * size
    elsewhere = torch.where(others(p) > 0, p.second, torch.zeros_like(p.second)).amax(-1)
    mean = elsewhere * (others(p) @ p.first) - left
    variance = elsewhere.square() * (others(p) @ (p.first.square() * p.spread))
    return (long_enough * cantelli(mean, variance)).amax(-1)


def fails_at_most(p: Blocks, probability: Tensor, c_prime: Tensor) -> Sides:
    """That something of at least this probability has at most exp(-c'·m), in logarithms: c'·m <= -log(probability)."""
    positive("the lower bound on the probability is above 0", probability)
    safe = torch.where(probability > 0, probability, torch.ones_like(probability))
    return Sides(smaller=c_prime * p.samples, larger=-torch.log(safe))
