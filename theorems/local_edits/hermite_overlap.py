"""Remark 9: orthonormal Hermite features, centred under the source N(0, I), evaluated under the target N(0, Σ).

Statement (printed): Γ2 = E[φ·φᵀ] decomposes degree by degree, φ all He_α/√α! with 1 <= |α| <= p: ‖Γ2‖_F² is the sum of its
diagonal blocks' ‖(Γ2)_kk‖_F². What is wrong: degrees of the same parity couple unless Σ = I. In one dimension E[He_1·He_3] =
3σ²(σ² - 1). Corrected: (a) for p <= 2 it does decompose, with ‖(Γ2)_11‖² = ‖Σ‖² and, for E = Σ - I, ‖(Γ2)_22‖² = ¼‖E‖⁴ +
tr(EΣEΣ) + ½(‖Σ‖⁴ + tr Σ⁴); (b) for any p Γ2 splits into odd and even degrees, for N(0, Σ) is symmetric (an argument and no
claim: moments of odd order are 0 whatever numbers stand in Σ, so that no instance could break it). Γ1 is the identity.
Premises: none. Σ = A·Aᵀ for any A, singular ones too. Why (a): for symmetric M of norm 1 the feature (xᵀMx - tr M)/√2 has the
second moment ½·tr(ME)² + tr(MΣMΣ), so the block is ½·E⊗E + Σ⊗Σ on symmetric matrices; degrees 1 and 2 do not couple, by
parity. Equality case: these are identities. Numerics: moments by Isserlis' recursion, integer coefficients and squares of
entries: no root is taken, so that both sides are rational functions of A and compare exactly. Source: Local Edits, Remark 9
(features centred under the source, as B.2 assumes; with a constant feature p = 2 couples as well).
"""

import itertools
from collections.abc import Iterable

import torch
from torch import Tensor

from boundcheck.claim import Identity, Stance, scaled, theorem
from boundcheck.geometry.gaussian_moments import hermite_block_square
from boundcheck.strategies import feature_moments
from boundcheck.strategies.feature_maps import FeatureMoments
from boundcheck.theorems.local_edits.setting import local_edits, positive

SOURCE = local_edits("Remark 9")
GROUP = "LE-features"


def blocks(p: FeatureMoments) -> dict[tuple[int, int], Tensor]:
    """‖(Γ2)_kj‖_F² by degrees k <= j, that of k < j twice: it stands on either side of the diagonal."""
    moments = p.moments
    pairs = itertools.combinations_with_replacement(range(1, p.degree + 1), 2)
    return {(k, j): hermite_block_square(moments, p.dim, k, j) * (1 if k == j else 2) for k, j in pairs}


def total(squares: Iterable[Tensor]) -> Tensor:
    """The sum of at least one scalar."""
    return torch.stack(list(squares)).sum()


def whole_square(p: FeatureMoments, squares: dict[tuple[int, int], Tensor]) -> Tensor:
    """‖Γ2‖_F², and the premise that the features do not vanish, where any factor is true."""
    positive("inputs are not 0", square(p.root))
    return total(squares.values())


def square(matrix: Tensor) -> Tensor:
    """‖M‖_F²."""
    return matrix.square().sum()


def first_two_blocks(p: FeatureMoments) -> Tensor:
    """‖(Γ2)_11‖² + ‖(Γ2)_22‖² in closed form; the first alone for p = 1."""
    cov = p.covariance
    if p.degree == 1:
        return square(cov)
    excess = cov - torch.eye(p.dim, dtype=cov.dtype, device=cov.device)
    turned = excess @ cov
    second = square(excess).square() / 4 + (turned * turned.mT).sum() + (square(cov).square() + square(cov @ cov)) / 2
    return square(cov) + second


@theorem(
    "LE-R9:printed",
    source=SOURCE,
    stance=Stance.PRINTED,
    over=feature_moments(degrees=(3, 4)),
    refuted_by="instance",
    group=GROUP,
)
def splits_by_degree(p: FeatureMoments) -> Identity:
    """‖Γ2‖_F² = Σ_k ‖(Γ2)_kk‖_F²: Γ2 decomposes degree by degree."""
    squares = blocks(p)
    diagonal = total(value for (k, j), value in squares.items() if k == j)
    return Identity(left=whole_square(p, squares), right=diagonal)


@theorem(
    "LE-R9:quadratic",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=feature_moments(degrees=(1, 2), max_dim=3),
    mutants={"1e-6 off": scaled("1000001/1000000")},
    group=GROUP,
)
def splits_up_to_degree_two(p: FeatureMoments) -> Identity:
    """For p <= 2, ‖Γ2‖_F² = ‖Σ‖² + ¼‖Σ - I‖⁴ + tr((Σ - I)Σ(Σ - I)Σ) + ½(‖Σ‖⁴ + tr Σ⁴): two blocks on the diagonal."""
    return Identity(left=whole_square(p, blocks(p)), right=first_two_blocks(p))
