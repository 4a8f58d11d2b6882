"""Lemma B.2: how far the top eigenspace of a symmetric matrix turns when the matrix is changed.

Statement: ‖P_B - P_A‖ <= 2·‖B - A‖/(λ_k(A) - λ_{k+1}(A)), P the orthogonal projectors onto the top k eigenvectors,
operator norms.
Premises: A and B symmetric, λ_k(A) > λ_{k+1}(A). Where λ_k(B) = λ_{k+1}(B), any choice of P_B.
Constants (printed and proved 2): where 2·‖B - A‖ >= gap the bound is at least 1, and no two projectors are farther
apart. Else, by Weyl, λ_{k+1}(B) <= λ_{k+1}(A) + ‖B - A‖ lies below λ_k(A) by at least gap - ‖B - A‖ > gap/2; then sin θ
<= ‖B - A‖/(gap - ‖B - A‖) for the largest angle θ between two subspaces of equal dimension, and ‖P_B - P_A‖ = sin θ.
Sharper, not printed: below half the gap √2 suffices. The sin 2θ theorem gives sin 2θ <= 2·‖B - A‖/gap < 1
along the whole segment from A to B, so θ stays below π/4, where sin 2θ >= √2·sin θ.
Equality case: none below half the gap; 2 is approached as ‖B - A‖ comes down to half the gap with a top eigenvector
exchanged for the next, √2 as it comes up to half the gap in the plane of the two.
Numerics: A = V·diag(a)·Vᵀ and B = W·diag(b)·Wᵀ from Cayley transforms V and W, so that the projectors are exact.
Source: The Geometry of Alignment Collapse, Lemma B.2 (Davis and Kahan).
"""

import torch
from torch import Tensor

from boundcheck.claim import Sides, Stance, premise, theorem
from boundcheck.exact import constant
from boundcheck.geometry import eigenvalues
from boundcheck.strategies import spectral_pairs
from boundcheck.strategies.eigenspaces import SpectralPair
from boundcheck.theorems.alignment_collapse.setting import alignment_collapse, positive

SOURCE = alignment_collapse("Lemma B.2")


def norm(symmetric: Tensor) -> Tensor:
    """The operator norm of a symmetric matrix."""
    return eigenvalues(symmetric).abs().amax(-1)


def ordered_with_a_gap(p: SpectralPair) -> Tensor:
    """The gap of A, and the premises: the first k columns are the top eigenvectors."""
    premise("eigenvalues of A fall", (p.first[:-1] - p.first[1:]).amin())
    premise("eigenvalues of B fall", (p.second[:-1] - p.second[1:]).amin())
    positive("A has a gap", p.gap)
    return torch.where(p.gap > 0, p.gap, torch.ones_like(p.gap))


@theorem(
    "AC-B2:proved",
    source=SOURCE,
    stance=Stance.PROVED,
    over=spectral_pairs(),
    mutants={"1.99": {"c": "199/100"}},
    group="AC-rotation",
)
def projectors_differ_le_change(
    p: SpectralPair, c: Tensor = constant(2, printed="2", scales="larger", unit="|B - A| / gap")
) -> Sides:
    """‖P_B - P_A‖ <= 2·‖B - A‖/gap(A)."""
    gap = ordered_with_a_gap(p)
    return Sides(smaller=norm(p.rotated), larger=c * norm(p.difference) / gap)


@theorem(
    "AC-B2:near",
    source=SOURCE,
    stance=Stance.PROVED,
    over=spectral_pairs(),
    mutants={"1.98": {"c": "198/100"}},
    group="AC-rotation",
)
def projectors_differ_le_near(
    p: SpectralPair, c: Tensor = constant(2, printed="4", scales="larger", unit="(|B - A| / gap)^2")
) -> Sides:
    """Where ‖B - A‖ < gap(A)/2, ‖P_B - P_A‖² <= 2·(‖B - A‖/gap(A))²."""
    gap = ordered_with_a_gap(p)
    change = norm(p.difference)
    positive("|B - A| < gap/2", gap - 2 * change)
    return Sides(smaller=norm(p.rotated).square(), larger=c * (change / gap).square())
