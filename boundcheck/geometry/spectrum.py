"""Extreme singular values and eigenvalues, projections, ranks, solutions and exponentials, for one matrix or a batch of them.

Plain torch wherever ATen has an operator whose error is bounded; the rank is an operator of our own. A matrix that is not finite
gives NaN (LAPACK would raise), a singular one an unknown solution, and no other matrix of the batch is disturbed.
"""

from typing import Any

import torch
from torch import Tensor

from boundcheck.geometry.overlap import project, row_space, singular_values
from boundcheck.rigor.operators import RANK


def smallest_singular_value(matrix: Tensor) -> Tensor:
    """σ_min of `[..., rows, n]`, the last of min(rows, n): `[...]`. Differentiable where it is simple and not 0."""
    return singular_values(matrix)[..., -1]


def largest_singular_value(matrix: Tensor) -> Tensor:
    """σ_max of `[..., rows, n]`, the spectral norm: `[...]`. Differentiable where it is simple."""
    return singular_values(matrix)[..., 0]


def eigenvalues(symmetric: Tensor) -> Tensor:
    """All eigenvalues of (A + Aᵀ)/2, ascending: `[..., n]`; NaN where A is not finite."""
    finite = symmetric.isfinite().flatten(-2).all(-1)
    clean = torch.where(finite[..., None, None], symmetric, torch.zeros_like(symmetric))
    values = torch.linalg.eigvalsh((clean + clean.mT) / 2)
    return torch.where(finite[..., None], values, torch.full_like(values, torch.nan))


def smallest_eigenvalue(symmetric: Tensor) -> Tensor:
    """λ_min of the symmetric part of `[..., n, n]`: `[...]`. Differentiable where it is simple."""
    return eigenvalues(symmetric)[..., 0]


def largest_eigenvalue(symmetric: Tensor) -> Tensor:
    """λ_max of the symmetric part of `[..., n, n]`: `[...]`. Differentiable where it is simple."""
    return eigenvalues(symmetric)[..., -1]


def project_onto_rows(matrix: Tensor, vector: Tensor) -> Tensor:
    """Π·v, the orthogonal projection of `[..., n]` onto the row space of `[..., rows, n]`, rows <= n.

    Nothing is known of it where the rows may be linearly dependent.
    """
    return project(row_space(matrix), vector)


def solve(matrix: Tensor, right: Tensor) -> Tensor:
    """A⁻¹·B of `[..., n, n]` and `[..., n, k]` or a vector `[n]`; of a singular matrix not finite, and its enclosure unknown."""
    return torch.linalg.solve_ex(matrix, right).result


def matrix_exponential(matrix: Tensor) -> Tensor:
    """exp(A) of `[..., n, n]`.

    A zero matrix goes along: of a small matrix that comes alone, torch computes about 10 digits (4 in float32), see
    https://github.com/pytorch/pytorch/issues/196592 (versions 2.13 and 2.14). Enclosures and proofs have their own formulas.
    """
    return torch.linalg.matrix_exp(torch.stack([matrix, torch.zeros_like(matrix)]))[0]


class _Rank(torch.autograd.Function):
    """The rank with its derivative, which is 0 wherever there is one."""

    generate_vmap_rule = True

    @staticmethod
    def forward(matrix: Tensor) -> Tensor:
        return RANK(matrix)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return torch.zeros_like(ctx.saved_tensors[0])

    @staticmethod
    def jvp(ctx: Any, direction: Tensor) -> Tensor:
        return torch.zeros_like(ctx.saved_tensors[1])


def rank(matrix: Tensor) -> Tensor:
    """The rank of `[..., rows, n]` as float64: `[...]`.

    Its enclosure is a single number where singular values that are certainly not 0 decide it, together with rows or columns that
    are exactly 0 or repeated; else it reaches from the least to the largest rank that is possible.
    """
    return _Rank.apply(matrix)  # type: ignore[no-untyped-call]
