"""Tangent-space geometry of a fine-tuning set (Local Edits, Section 2), for one instance or a batch of them.

Functions take stacked Jacobians `[..., rows, n]` and are plain torch: inside a claim they are traced, and every rounding
in them is bounded by `boundcheck.rigor`.
"""

import torch
from torch import Tensor


def singular_values(matrix: Tensor) -> Tensor:
    """All min(rows, n) singular values, decreasing; NaN for a matrix that is not finite (LAPACK would raise)."""
    finite = matrix.isfinite().flatten(-2).all(-1)
    clean = torch.where(finite[..., None, None], matrix, torch.zeros_like(matrix))
    return torch.where(
        finite[..., None], torch.linalg.svdvals(clean), torch.full_like(clean[..., 0, 0, None], torch.nan)
    )


def row_space(jacobian: Tensor) -> Tensor:
    """B_S of Definition 2: an orthonormal basis of the row space as columns `[..., n, rows]`.

    Meaningful where the Jacobian has full row rank (so rows ≤ n); elsewhere its enclosure is infinitely wide.
    """
    finite = jacobian.isfinite().flatten(-2).all(-1)
    clean = torch.where(finite[..., None, None], jacobian, torch.zeros_like(jacobian))
    return torch.linalg.qr(clean.mT).Q


def overlap(jacobian_eval: Tensor, basis: Tensor) -> Tensor:
    """γ_ov of Definition 4: √λ_min(B_Sᵀ·K_eval·B_S), as the smallest singular value of J_eval·B_S/√N.

    Taking it from the factor instead of from the kernel keeps small overlaps accurate: an eigenvalue of BᵀKB is only known
    to about u·Λ², its root then to √u·Λ.

    Args:
        jacobian_eval: per-sample Jacobians stacked over samples and outputs and divided by √N: `[..., N·k, n]`.
        basis: `[..., n, mk]`, from `row_space`.

    Returns:
        `[...]`; exactly 0 where N·k < mk, since K_eval then has a smaller rank than the tangent space has dimensions.

    """
    restricted = jacobian_eval @ basis
    if restricted.shape[-2] < restricted.shape[-1]:
        return torch.zeros_like(restricted[..., 0, 0])
    return singular_values(restricted)[..., -1]


def tangent_kernel(jacobian_eval: Tensor) -> Tensor:
    """K_eval of Local Edits (2): `[..., n, n]`, for the rare caller that needs the matrix itself."""
    return jacobian_eval.mT @ jacobian_eval


def project(basis: Tensor, vector: Tensor) -> Tensor:
    """Π_S·v for a basis of the tangent space: `[..., n]`."""
    return (basis @ (basis.mT @ vector.unsqueeze(-1))).squeeze(-1)
