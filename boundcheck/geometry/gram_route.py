"""γ_ov, σ_min and σ_max from inner products of Jacobian rows alone, where a bound says that this costs next to nothing.

With K = J_S·J_Sᵀ = L·Lᵀ (Cholesky), C = J_eval·J_Sᵀ and Y = L⁻¹, the matrix B = C·Yᵀ has the singular values of J_eval on the
tangent space: γ_ov² = λ_min(BᵀB)/N, σ_min² = λ_min(K), σ_max² = λ_max(K). Forming K and BᵀB squares condition numbers.

How much that costs is known once Y is. Let s_i be a size of row i, at least its norm. The entries of K err by at most
c·u·s_i·s_j, with c the number of roundings; so does Cholesky (its backward error is at most (mk + 1)·u·‖L_i‖·‖L_j‖). The
relative change of every singular value is then at most ½·δ to first order, with δ = c·u·‖|Y|·s‖² ≥ ‖Y·E·Yᵀ‖, which no scaling
of the rows changes. Eigenvalues of BᵀB and of K err by a few u times the largest.
Source: Demmel, *On floating point errors in Cholesky*, 1989; Ostrowski's theorem.

Plain functions of tensors; leading axes, if any, are lanes (`[...]` below), and a lane that is not finite, not positive definite
or too ill-conditioned is not trusted and leaves the others alone.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

UNIT = 2.0**-53

ACCURACY = 1e-9
"""The relative change of γ_ov, σ_min and σ_max up to which a lane may go by Cholesky, unless a caller says otherwise."""

SMALLEST_ROW = 1e-60
"""Rows below this size may have inner products whose factors underflowed, which no relative bound covers."""


@dataclass(frozen=True)
class Whitening:
    """Y = L⁻¹ of a Gram matrix K = L·Lᵀ and what rounding did to it.

    Attributes:
        inverse: Y, `[..., mk, mk]`, lower triangular; the identity where K is not `regular`.
        shift: ½·δ, at least the relative change of a singular value of C·Yᵀ or of J_S from the roundings in K, L and Y.
        condition: ‖Y·diag(s)‖ (Frobenius): κ after scaling each row by its size.
        regular: K is finite and was factorised, and no row is too small to tell.
        factor: L, `[..., mk, mk]`; meaningless where K is not `regular`.

    """

    inverse: Tensor
    shift: Tensor
    condition: Tensor
    regular: Tensor
    factor: Tensor


@dataclass(frozen=True)
class GramOverlap:
    """What `by_cholesky` found; numbers mean nothing where `trusted` is False.

    Attributes:
        gamma: γ_ov, `[...]`; 0 where there are fewer evaluation rows than fine-tuning rows.
        error: size of its rounding error: u·√tr(K_eval)·κ, as in every method, and γ_ov times the bound of this one's.
        sigma_min: σ_min(J_S).
        sigma_max: σ_max(J_S).
        trusted: whether the roundings of this route change none of the three by more than `accuracy`, relatively.

    """

    gamma: Tensor
    error: Tensor
    sigma_min: Tensor
    sigma_max: Tensor
    trusted: Tensor


def by_cholesky(
    gram: Tensor,
    cross: Tensor,
    train_sizes: Tensor,
    eval_size: Tensor,
    accuracy: float = ACCURACY,
    *,
    samples: int,
    terms: int,
    roundoff: float = UNIT,
) -> GramOverlap:
    """γ_ov, its error, σ_min and σ_max, and where they are to be trusted.

    Args:
        gram: K = J_S·J_Sᵀ in float64, `[..., mk, mk]`.
        cross: C = J_eval·J_Sᵀ, `[..., N·k, mk]`, its rows in any order. Fastest as the transpose of a contiguous tensor.
        train_sizes: s, for each row of J_S the scale of its rounding errors, at least its norm: `[..., mk]`.
        eval_size: the same of all of J_eval: `[...]`.
        accuracy: how far rounding may move a result, relatively, for a lane to be trusted. 0 trusts none.
        samples: N.
        terms: at least the number of roundings on the way to an entry of `gram` (the length of its sums, and a few).
        roundoff: of the precision that the rows themselves were computed in; for `error` only.

    """
    whitening = whiten(gram, train_sizes, terms=terms)
    rows = cross.shape[-2]
    restricted = restrict(whitening.inverse, cross) if rows >= gram.shape[-1] else None
    return conclude(
        gram, whitening, restricted, eval_size, accuracy, samples=samples, eval_rows=rows, roundoff=roundoff
    )


def whiten(gram: Tensor, sizes: Tensor, *, terms: int) -> Whitening:
    """The Cholesky factor of K, inverted, with the bound of what rounding did."""
    rows = gram.shape[-1]
    factor, info = torch.linalg.cholesky_ex(gram)
    identity = torch.eye(rows, dtype=gram.dtype, device=gram.device)
    inverse = torch.linalg.solve_triangular(factor, identity.expand_as(gram), upper=False)
    scaled = inverse * sizes.unsqueeze(-2)
    spread = scaled.abs().sum(-1)
    # K: terms; Cholesky: rows + 1; Y, whose residual is at most (rows + 1)·u·|L|·|Y|: as many; two for these sums themselves.
    shift = 0.5 * UNIT * (terms + 2 * rows + 4) * spread.square().sum(-1)
    regular = (info == 0) & shift.isfinite() & (sizes.amin(-1) > SMALLEST_ROW)
    condition = torch.linalg.vector_norm(scaled.flatten(-2), dim=-1)
    return Whitening(_or_identity(inverse, regular), shift, condition, regular, factor)


def restrict(inverse: Tensor, cross: Tensor) -> Tensor:
    """BᵀB for B = C·Yᵀ: `[..., mk, mk]`. Those of the parts of an evaluation set add up to that of the set."""
    whitened = inverse @ cross.mT
    return whitened @ whitened.mT


def conclude(
    gram: Tensor,
    whitening: Whitening,
    restricted: Tensor | None,
    eval_size: Tensor,
    accuracy: float = ACCURACY,
    *,
    samples: int,
    eval_rows: int,
    roundoff: float = UNIT,
) -> GramOverlap:
    """What `by_cholesky` returns, from its parts; `restricted` is None where there are fewer rows than dimensions."""
    rows = gram.shape[-1]
    own = _eigenvalues(gram, whitening.regular)
    # 4·mk·u·‖K‖: what a backward-stable eigensolver leaves; LAPACK's own figures are far below.
    relative = whitening.shift + _square_root_error(4 * rows * own[..., -1], own[..., 0])
    trusted = whitening.regular & (relative <= accuracy)
    sigma_min, sigma_max = own[..., 0].sqrt(), own[..., -1].sqrt()
    if restricted is None:
        zeros = torch.zeros_like(sigma_min)
        return GramOverlap(zeros, zeros, sigma_min, sigma_max, trusted)
    finite = restricted.flatten(-2).sum(-1).isfinite()
    squares = _eigenvalues(restricted, finite)
    relative = whitening.shift + _square_root_error((eval_rows + 4 * rows) * squares.sum(-1), squares[..., 0])
    gamma = squares[..., 0].sqrt() / math.sqrt(samples)
    error = roundoff / math.sqrt(samples) * eval_size * whitening.condition + relative * gamma
    return GramOverlap(gamma, error, sigma_min, sigma_max, trusted & finite & (relative <= accuracy))


def _eigenvalues(matrix: Tensor, usable: Tensor) -> Tensor:
    """All eigenvalues, increasing; those of the identity where a matrix is not usable (LAPACK would raise)."""
    return torch.linalg.eigvalsh(_or_identity(matrix, usable))


def _or_identity(matrix: Tensor, usable: Tensor) -> Tensor:
    if bool(usable.all()):  # nearly always: saves a copy
        return matrix
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    return torch.where(usable[..., None, None], matrix, identity)


def _square_root_error(units: Tensor, smallest: Tensor) -> Tensor:
    """Of √λ, relatively, where λ errs by so many u; infinite or NaN unless λ > 0."""
    return torch.where(smallest > 0, 0.5 * UNIT * units / smallest, torch.inf)
