"""Verified spectra, bases and solutions in floating point: LAPACK's answer is a hint, its residual is the proof.

Singular values: with A = U·diag(s)·Vᵀ + E and U, V nearly orthonormal, Ostrowski's theorem bounds what the defects of U and
V do to s (a factor within [1 - d, 1 + d]) and Weyl's what E does (an absolute ‖E‖). Vectors: a residual ρ and a distance δ to
the rest of the spectrum keep a computed eigenvector within about ρ/δ of an exact one (Davis and Kahan); a symmetric matrix
[[0, A], [Aᵀ, 0]] makes the same of a pair of singular vectors. Nothing is assumed of LAPACK.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor.enclosure import UNDERFLOW, UNIT_ROUNDOFF, Enclosure, frobenius_upper, gamma, settled, widen
from boundcheck.rigor.registry import aten, rule

LINALG_ERROR: type[RuntimeError] = torch.linalg.LinAlgError  # type: ignore[attr-defined]


def sane(x: Enclosure) -> tuple[Tensor, Tensor, Tensor]:
    """The matrices, each that is not finite replaced by zeros (LAPACK raises on NaN); which are finite; which also known.

    A matrix of finite values and infinite radii is a number of which nothing is known, not an invalid one.
    """
    if settled(x.mid):
        finite = torch.ones(x.mid.shape[:-2], dtype=torch.bool, device=x.mid.device)
        known = finite if x.exact or settled(x.rad) else x.rad.isfinite().all(-1).all(-1)
        return x.mid, finite, known
    finite = x.mid.isfinite().all(-1).all(-1)
    known = finite & x.rad.isfinite().all(-1).all(-1)
    return torch.where(finite[..., None, None], x.mid, 0.0), finite, known


def known_part(matrix: Tensor, rad: Tensor | None, good: Tensor) -> Enclosure:
    """The matrices with their radii, those of the others set to 0."""
    if rad is None or bool(good.all()):
        return Enclosure(matrix, rad)
    return Enclosure(matrix, torch.where(good[..., None, None], rad, 0.0))


def transposed(x: Enclosure) -> Enclosure:
    """The matrices with rows and columns exchanged."""
    return Enclosure(x.mid.mT, None if x.exact else x.rad.mT)


def identity_like(matrix: Tensor) -> Tensor:
    """The identity for each of a batch of square matrices."""
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device).expand(
        *matrix.shape[:-2], *(2 * matrix.shape[-1:])
    )


def column_major(matrix: Tensor) -> Tensor:
    """The same numbers as LAPACK lays them out in memory, so that views in a trace find them there."""
    return matrix.mT.contiguous().mT if matrix.dim() > 1 else matrix.contiguous()


def orthonormality_defect(q: Tensor) -> Tensor:
    """An upper bound on ‖QᵀQ - I‖ in the Frobenius norm, `[..., 1, 1]`."""
    product = q.mT @ q
    product.diagonal(dim1=-2, dim2=-1).sub_(1.0)  # its rounding is relative to what is left: `widen` covers it
    return widen(frobenius_upper(product) + product_error(q.mT, q))


def product_error(a: Tensor, b: Tensor) -> Tensor:
    """An upper bound on ‖fl(A·B) - A·B‖ in the Frobenius norm, `[..., 1, 1]`, for sums in any order.

    Entry by entry the error is at most γ·|A|·|B|, a sum of k products of a column by a row: its norm is at most γ times the sum
    of the products of their lengths. That costs no third product of matrices, and like |A|·|B| it does not depend on how
    columns of A and rows of B are scaled against each other.
    """
    k = a.shape[-1]
    size = spread_of(a, b)
    return widen(gamma(k) * size + k * (a.shape[-2] * b.shape[-1]) ** 0.5 * UNDERFLOW, k)


def spread_of(a: Tensor, b: Tensor) -> Tensor:
    """An upper bound on the Frobenius norm of |A|·|B|, `[..., 1, 1]`."""
    columns, rows = _column_norms(a), _column_norms(b.mT)
    return widen((columns * rows).sum(-1), a.shape[-1])[..., None, None]


def _one_by_one(function: Callable[[Tensor], Any], matrix: Tensor, *shapes: tuple[int, ...]) -> list[Tensor]:
    """One stubborn matrix must not take the batch with it: where LAPACK gives up, zeros (which the residual exposes)."""
    flat = matrix.reshape(-1, *matrix.shape[-2:])
    parts = [flat.new_zeros(len(flat), *shape) for shape in shapes]
    for index, one in enumerate(flat):
        try:
            for part, value in zip(parts, function(one), strict=True):
                part[index] = value
        except LINALG_ERROR:
            continue
    return [part.reshape(*matrix.shape[:-2], *part.shape[1:]) for part in parts]


def _vectors(defect: Tensor, residual: Tensor, distance: Tensor, good: Tensor) -> Tensor:
    """How far each column may be, as a whole, from an exact one of length 1 (of one of its two signs).

    Args:
        defect: upper bounds on how far the squared length of each computed column is from 1.
        residual: upper bounds on ‖B·v - λ·v‖ of each.
        distance: lower bounds on how far λ is from the rest of the spectrum.
        good: which matrices of the batch are known.

    """
    across = torch.where(distance > 0, residual / distance, torch.inf)
    # v = c·w + p with ‖p‖ <= across: ‖v - w‖ <= ‖p‖ + |c - 1|, and c lies between √(‖v‖² - ‖p‖²) and ‖v‖.
    away = widen(across + across * across + defect)
    return torch.where(good[..., None] & (across < 0.5) & (defect < 0.5), away, torch.inf)


# ------------------------------------------------------------------------------------------------------ singular values


@dataclass(frozen=True)
class _Decomposition:
    """A = U·diag(s)·Vᵀ + E: verified singular values, LAPACK's vectors, and upper bounds on three norms, `[..., 1]`."""

    values: Enclosure
    u: Tensor
    vh: Tensor
    error: Tensor  # ‖E‖
    left: Tensor  # ‖UᵀU - I‖
    right: Tensor  # ‖VᵀV - I‖
    good: Tensor


def singular_values(x: Enclosure) -> Enclosure:
    """All min(m, n) singular values, decreasing, of each matrix."""
    return _decomposed(x).values


def _decomposed(x: Enclosure) -> _Decomposition:
    matrix, finite, good = sane(x)
    u, s, vh = _svd(matrix)
    error = frobenius_upper(matrix - u * s.unsqueeze(-2) @ vh) + _rescaling_error(u, s, vh)
    if not x.exact:
        error = error + frobenius_upper(known_part(matrix, x.rad, good).rad)
    error = widen(error)[..., 0]
    # ‖XᵀX - I‖ <= d keeps the singular values of X within [1 - d, 1 + d]; two factors, U and V.
    left, right = orthonormality_defect(u)[..., 0], orthonormality_defect(vh.mT)[..., 0]
    rad = widen(error + s * (left + right + left * right))
    rad = torch.where(good[..., None] & (left < 0.5) & (right < 0.5), rad, torch.inf)
    values = Enclosure(s if bool(finite.all()) else torch.where(finite[..., None], s, torch.nan), rad)
    return _Decomposition(values, u, vh, error, left, right, good)


def _rescaling_error(u: Tensor, s: Tensor, vh: Tensor) -> Tensor:
    """An upper bound on ‖fl(fl(U·diag(s))·W) - U·diag(s)·W‖, `[..., 1, 1]`: each entry of the first factor is rounded once,
    which is one more rounding in each term of the product (and an underflow, multiplied by what is in W)."""
    k = s.shape[-1]
    size = (_column_norms(u) * s.abs() * _column_norms(vh.mT)).sum(-1)[..., None, None]
    lost = frobenius_upper(vh) * (k * u.shape[-2]) ** 0.5 * UNDERFLOW
    return widen(gamma(k + 2) * size + lost + k * (u.shape[-2] * vh.shape[-1]) ** 0.5 * UNDERFLOW, k)


def _svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    def lapack(one: Tensor) -> Any:
        return torch.linalg.svd(one, full_matrices=False)

    rows, columns = matrix.shape[-2:]
    rank = min(rows, columns)
    try:
        u, s, vh = lapack(matrix)
    except LINALG_ERROR:
        u, s, vh = _one_by_one(lapack, matrix, (rows, rank), (rank,), (rank, columns))
    return u, s, vh


@rule(aten._linalg_svd.default)
def svd(
    x: Enclosure, full_matrices: bool = False, compute_uv: bool = True, *, driver: str | None = None
) -> list[Enclosure]:
    """U, s and Vᵀ; of the vectors of a simple singular value > 0, *some* exact pair (the sign is LAPACK's).

    Nothing is known of the vectors of a multiple singular value, nor of those that complete U and V to a basis.
    """
    found = _decomposed(x)
    values, u, vh = found.values, found.u, found.vh
    rows, columns = x.mid.shape[-2:]
    if not compute_uv or (full_matrices and rows != columns):
        sizes = [(rows, rows), (columns, columns)] if full_matrices else [(rows, len(u.mT)), (len(vh), columns)]
        left, right = (x.mid.new_full((*x.mid.shape[:-2], *size), torch.nan) for size in sizes)
        unknown = [Enclosure(part, torch.full_like(part, torch.inf)) for part in (left, right)]
        return [unknown[0], values, unknown[1]]
    away = _singular_vectors(found)
    left_rad, right_rad = away[..., None, :].expand_as(u).clone(), away[..., None].expand_as(vh).clone()
    return [Enclosure(u, left_rad), values, Enclosure(vh, right_rad)]


def _singular_vectors(found: _Decomposition) -> Tensor:
    """How far each pair may be from an exact one; [[0, A], [Aᵀ, 0]] has the eigenvalues ±s, and 0.

    A·v - s·u = E·v + U·diag(s)·(VᵀV - I)·e, and likewise below: of the pair (u, v)/√2 each half is at most the larger of both.
    """
    s = torch.nan_to_num(found.values.mid)
    defect = torch.maximum(found.left, found.right)
    most = s.abs().amax(-1, keepdim=True) if s.shape[-1] else s
    residual = widen((found.error + most * defect) * (1 + defect))  # ‖v‖ and ‖U‖ are at most √(1 + d)
    distance = torch.minimum(_to_the_others(s, found.values.rad), s)
    return widen(2**0.5 * _vectors(defect, residual, distance, found.good) + 2.0**-51)


def _column_norms(sizes: Tensor) -> Tensor:
    """Upper bounds on the lengths of the columns of a matrix whose entries are at most `sizes`."""
    rows = sizes.shape[-2]
    return widen(torch.linalg.vector_norm(sizes, dim=-2) + rows**0.5 * 2.0**-537, rows)


def _to_the_others(values: Tensor, rad: Tensor) -> Tensor:
    """Lower bounds on how far each computed value is from the exact others."""
    apart = (values.unsqueeze(-1) - values.unsqueeze(-2)).abs() * (1 - 2.0**-50) - rad.unsqueeze(-2)
    itself = torch.eye(values.shape[-1], dtype=torch.bool, device=values.device)
    return torch.where(itself, torch.inf, apart).amin(-1) if values.shape[-1] else values


rule(aten.linalg_svdvals.default)(singular_values)


# ------------------------------------------------------------------------------------------------------------- bases


@rule(aten.linalg_qr.default)
def qr(x: Enclosure, mode: str = "reduced") -> list[Enclosure]:
    """Q and R of the Gram-Schmidt factorisation, with LAPACK's signs on the diagonal of R.

    Let X be about R⁻¹ and M = A·X, so that MᵀM = I + F with a small F. Its Cholesky factor is I + T with ‖T‖ <= t (see
    `near_identity`); then Q = M·(I + T)⁻¹ and R = (I + T)·X⁻¹. Where F is not small, Q may still enclose *some* orthonormal basis
    of the column space (so use it only where the choice is indifferent). Nothing is known of a basis where A may be
    rank-deficient, or where there are more columns than rows.
    """
    if mode != "reduced":
        raise UnknownOperatorError(f"aten.linalg_qr with mode={mode!r}")
    matrix, finite, good = sane(x)
    q, r = torch.linalg.qr(matrix)
    given = known_part(matrix, x.radius, good)
    if matrix.shape[-1] > matrix.shape[-2]:
        q_rad, r_rad = torch.full_like(q, torch.inf), torch.full_like(r, torch.inf)
    else:
        q_rad, r_rad = _gram_schmidt(given, q, r)
        open_ = q_rad.isinf().any(-1).any(-1) & good
        if bool(open_.any()):  # of those alone: each takes singular values
            rest = Enclosure(matrix[open_], None if given.exact else given.rad[open_])
            q_rad[open_] = torch.minimum(q_rad[open_], _some_basis(rest, q[open_], r[open_]))
    keep = good[..., None, None]
    q_rad, r_rad = torch.where(keep, q_rad, torch.inf), torch.where(keep, r_rad, torch.inf)
    return [Enclosure(torch.where(finite[..., None, None], q, torch.nan), q_rad), Enclosure(r, r_rad)]


def near_identity(defect: Tensor) -> Tensor:
    """An upper bound on ‖T‖ where (I + T)ᵀ(I + T) = I + F, T is triangular and ‖F‖ <= defect; infinite unless that is small.

    T + Tᵀ = F - TᵀT, and the triangle of a symmetric matrix (half its diagonal) has at most 1/√2 of its Frobenius norm:
    t <= (f + t²)/√2, and t grows continuously with F from 0, so it stays below the smaller root.
    """
    bound = 2**0.5 * defect / (1 + (1 - 2 * defect).clamp(min=0).sqrt())
    return torch.where(defect < 0.25, widen(bound), torch.inf)


def _gram_schmidt(matrix: Enclosure, q: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    inverse = torch.linalg.solve_triangular(r, identity_like(r), upper=True)
    m = matrix.mid @ inverse
    off = product_error(matrix.mid, inverse)  # ‖A·X - m‖, A's own radius included
    if not matrix.exact:
        off = widen(off + spread_of(matrix.rad, inverse))
    size = frobenius_upper(m)
    t = near_identity(widen(orthonormality_defect(m) + off * (2 * size + off)))
    product = r @ inverse
    product.diagonal(dim1=-2, dim2=-1).sub_(1.0)
    g = widen(frobenius_upper(product) + product_error(r, inverse))
    rows = widen(_column_norms(m.mT)[..., None] + off)
    q_rad = widen((q - m).abs() + off + rows * (t / (1 - t)) + 2.0**-53 * q.abs())
    # R = (I + T)·(I + G)⁻¹·(computed R), where (computed R)·X = I + G.
    factor = torch.where((t < 0.5) & (g < 0.5), (t + g) / (1 - g), torch.inf)
    r_rad = torch.triu(widen(factor * _column_norms(r)[..., None, :] + torch.zeros_like(r)))
    known = (t < 0.5) & q_rad.isfinite().all(-1, True).all(-2, True)
    return torch.where(known, q_rad, torch.inf), torch.where(known & (g < 0.5), r_rad, torch.inf)


def _some_basis(matrix: Enclosure, q: Tensor, r: Tensor) -> Tensor:
    """Every vector of the exact column space lies within ε/σ_min of the span of Q, ε = ‖A - Q·R‖; then an exact orthonormal
    basis exists within √2·ε/σ_min + ‖QᵀQ - I‖ of Q."""
    error = frobenius_upper(matrix.mid - q @ r) + product_error(q, r)
    error = widen(error if matrix.exact else error + frobenius_upper(matrix.rad))
    least = singular_values(matrix).lower[..., -1:, None]
    angle = torch.where(least > 0, error / least, torch.inf)
    defect = orthonormality_defect(q)
    rad = torch.where((angle < 0.5) & (defect < 0.5), widen(1.4142135623730954 * angle + defect), torch.inf)
    return rad.expand_as(q)


# --------------------------------------------------------------------------------------------------------- eigenvalues


@rule(aten._linalg_eigh.default)
def eigh(x: Enclosure, uplo: str = "L", compute_v: bool = True) -> list[Enclosure]:
    """Eigenvalues of a symmetric matrix, ascending; of the vector of a simple one, *some* exact one (the sign is LAPACK's)."""
    matrix, finite, good = sane(x)
    half = torch.tril if uplo == "L" else torch.triu
    strict = -1 if uplo == "L" else 1
    symmetric = half(matrix) + half(matrix, strict).mT
    values, vectors = _eigh(symmetric)
    error = frobenius_upper(symmetric - vectors * values.unsqueeze(-2) @ vectors.mT)
    error = error + _rescaling_error(vectors, values, vectors.mT)
    if not x.exact:
        spread = torch.nan_to_num(x.rad)
        error = error + frobenius_upper(known_part(matrix, half(spread) + half(spread, strict).mT, good).rad)
    error = widen(error)[..., 0]
    defect = orthonormality_defect(vectors)[..., 0]
    rad = widen(error + values.abs() * (2 * defect + defect * defect))
    rad = torch.where(good[..., None] & (defect < 0.5), rad, torch.inf)
    result = Enclosure(torch.where(finite[..., None], values, torch.nan), rad)
    if not compute_v:
        return [result, Enclosure(vectors, torch.full_like(vectors, torch.inf))]
    # A·v - λ·v = E·v + V·diag(λ)·(VᵀV - I)·e, and ‖v‖ and ‖V‖ are at most √(1 + d).
    most = values.abs().amax(-1, keepdim=True) if values.shape[-1] else values
    residual = widen((error + most * defect) * (1 + defect))
    away = _vectors(defect, residual, _to_the_others(values, rad), good)
    return [result, Enclosure(vectors, away[..., None, :].expand_as(vectors).clone())]


def _eigh(symmetric: Tensor) -> tuple[Tensor, Tensor]:
    size = symmetric.shape[-1]
    try:
        values, vectors = torch.linalg.eigh(symmetric)
    except LINALG_ERROR:
        values, vectors = _one_by_one(torch.linalg.eigh, symmetric, (size,), (size, size))
    return values, vectors


# ------------------------------------------------------------------------------------------------------------ solutions


@rule(aten._linalg_solve_ex.default)
def solve(a: Enclosure, b: Enclosure, *, left: bool = True, check_errors: bool = False) -> list[Enclosure]:
    """A⁻¹·B: with an approximate inverse C, |X - X̂| <= |C(B - A·X̂)|∞ / (1 - ‖I - C·A‖∞)."""
    if not left:
        turned = [transposed(part) for part in (a, b)]
        x, *rest = solve(*turned)
        return [Enclosure(x.mid.mT, x.rad.mT), *rest]
    vector = b.mid.dim() == 1 or (b.mid.dim() == a.mid.dim() - 1 and b.mid.shape == a.mid.shape[:-1])
    right = Enclosure(b.mid.unsqueeze(-1), None if b.exact else b.rad.unsqueeze(-1)) if vector else b
    matrix, finite, good = sane(a)
    identity = identity_like(matrix)
    inverse = torch.linalg.inv_ex(torch.where(finite[..., None, None], matrix, identity))[0]
    guess = inverse @ right.mid
    n = matrix.shape[-1]
    size_a, size_c, size_x = matrix.abs(), inverse.abs(), guess.abs()
    spread = (size_a * gamma(n)).add_(UNDERFLOW)  # what |C| or |X| is multiplied by: rounding, and A's own radius
    spread = spread if a.exact else spread + torch.where(good[..., None, None], a.rad, 0.0)
    contraction = largest_row_sum(
        widen((identity - inverse @ matrix).abs().sum(-1) + (size_c @ spread.sum(-1, keepdim=True))[..., 0], 4 * n)
    )
    product = matrix @ guess
    rest = right.mid - product
    own = spread @ size_x + 2 * n * UNDERFLOW + UNIT_ROUNDOFF * rest.abs()
    own = own if right.exact else own + right.rad
    missing = widen((inverse @ rest).abs() + size_c @ widen(own + gamma(n) * rest.abs() + UNDERFLOW, 4 * n), 4 * n)
    size = missing.amax(-2, keepdim=True) if guess.shape[-2] else missing
    size = widen(size + 4 * n * UNDERFLOW)
    rad = torch.where(contraction < 0.5, widen(size / (1 - contraction)), torch.inf)
    rad = torch.where(good[..., None, None], rad, torch.inf).expand_as(guess).clone()
    parts = [part.squeeze(-1) if vector else part for part in (guess, rad)]
    x = Enclosure(*map(column_major, parts))
    info = Enclosure.exactly(torch.zeros(matrix.shape[:-2], dtype=torch.int32, device=matrix.device))
    pivots = Enclosure.exactly(torch.zeros(matrix.shape[:-1], dtype=torch.int32, device=matrix.device))
    return [x, factored(a), pivots, info]


@dataclass(frozen=True)
class Factored(Enclosure):
    """The factors L and U of a matrix: nothing is known of them, but what is solved with them is solved with the matrix."""

    of: Enclosure


def factored(a: Enclosure) -> Factored:
    """In place of factors that torch hands on to a derivative."""
    mid = column_major(a.mid.clone())
    return Factored(mid, torch.full_like(mid, torch.inf), a)


@rule(aten.linalg_lu_factor_ex.default)
def lu_factor(a: Enclosure, *, pivot: bool = True, check_errors: bool = False) -> list[Enclosure]:
    """Factors for `lu_solve` alone."""
    _, pivots, info = torch.linalg.lu_factor_ex(sane(a)[0], pivot=pivot)
    return [factored(a), Enclosure.exactly(pivots), Enclosure.exactly(info)]


@rule(aten.linalg_lu_solve.default)
def lu_solve(lu: Enclosure, pivots: Enclosure, b: Enclosure, *, left: bool = True, adjoint: bool = False) -> Enclosure:
    """A⁻¹·B, where the factors are known to be those of A."""
    if not isinstance(lu, Factored):
        raise UnknownOperatorError("aten.linalg_lu_solve.default with factors that were computed with")
    a = transposed(lu.of) if adjoint else lu.of
    return solve(a, b, left=left)[0]


def largest_row(x: Enclosure) -> Tensor:
    """An upper bound on the largest sum of absolute values along a row, `[..., 1, 1]`; 0 for an empty matrix."""
    return largest_row_sum(widen((x.mid.abs() if x.exact else x.magnitude).sum(-1), x.mid.shape[-1]))


def largest_row_sum(sums: Tensor) -> Tensor:
    """The largest of the sums along rows, `[..., 1, 1]`; 0 for an empty matrix."""
    largest = sums.amax(-1) if sums.shape[-1] else sums.sum(-1)
    return largest[..., None, None]


@rule(aten._linalg_check_errors.default)
def check_errors(info: Enclosure, name: str, *, is_matrix: bool) -> None:
    """LAPACK's own error codes: the residual proofs above do not need them."""
