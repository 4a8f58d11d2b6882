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
from boundcheck.rigor.arithmetic import mul, sub
from boundcheck.rigor.enclosure import Enclosure, frobenius_upper, widen
from boundcheck.rigor.reductions import matmul
from boundcheck.rigor.registry import aten, rule

LINALG_ERROR: type[RuntimeError] = torch.linalg.LinAlgError  # type: ignore[attr-defined]


def sane(x: Enclosure) -> tuple[Tensor, Tensor, Tensor]:
    """The matrices, each that is not finite replaced by zeros (LAPACK raises on NaN); which are finite; which also known.

    A matrix of finite values and infinite radii is a number of which nothing is known, not an invalid one.
    """
    finite = x.mid.isfinite().all(-1).all(-1)
    known = finite & x.rad.isfinite().all(-1).all(-1)
    return torch.where(finite[..., None, None], x.mid, 0.0), finite, known


def known_part(matrix: Tensor, rad: Tensor, good: Tensor) -> Enclosure:
    """The matrices with their radii, those of the others set to 0."""
    return Enclosure(matrix, torch.where(good[..., None, None], rad, 0.0))


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
    defect = sub(matmul(Enclosure.exactly(q.mT), Enclosure.exactly(q)), Enclosure.exactly(identity_like(q.mT @ q)))
    return frobenius_upper(defect.magnitude)


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


def _vectors(vectors: Tensor, residual: Tensor, distance: Tensor, good: Tensor) -> Tensor:
    """How far each column of `vectors` may be, as a whole, from an exact one of length 1 (of one of its two signs).

    Args:
        vectors: computed, of length about 1, as columns.
        residual: upper bounds on ‖B·v - λ·v‖ of each.
        distance: lower bounds on how far λ is from the rest of the spectrum.
        good: which matrices of the batch are known.

    """
    squares = matmul(Enclosure.exactly(vectors.mT), Enclosure.exactly(vectors))
    length = sub(Enclosure(squares.mid.diagonal(dim1=-2, dim2=-1), squares.rad.diagonal(dim1=-2, dim2=-1)), 1.0)
    across = torch.where(distance > 0, residual / distance, torch.inf)
    # v = c·w + p with ‖p‖ <= across: ‖v - w‖ <= ‖p‖ + |c - 1|, and c lies between √(‖v‖² - ‖p‖²) and ‖v‖.
    away = widen(across + across * across + length.magnitude)
    return torch.where(good[..., None] & (across < 0.5) & (length.magnitude < 0.5), away, torch.inf)


# ------------------------------------------------------------------------------------------------------ singular values


def singular_values(x: Enclosure) -> Enclosure:
    """All min(m, n) singular values, decreasing, of each matrix."""
    return _decomposed(x)[0]


def _decomposed(x: Enclosure) -> tuple[Enclosure, Tensor, Tensor]:
    """Verified singular values, and LAPACK's singular vectors."""
    matrix, finite, good = sane(x)
    u, s, vh = _svd(matrix)
    product = matmul(mul(Enclosure.exactly(u), Enclosure.exactly(s.unsqueeze(-2))), Enclosure.exactly(vh))
    error = frobenius_upper(sub(known_part(matrix, x.rad, good), product).magnitude)[..., 0]
    # ‖XᵀX - I‖ <= d keeps the singular values of X within [1 - d, 1 + d]; two factors, U and V.
    left, right = orthonormality_defect(u)[..., 0], orthonormality_defect(vh.mT)[..., 0]
    rad = widen(error + s * (left + right + left * right))
    rad = torch.where(good[..., None] & (left < 0.5) & (right < 0.5), rad, torch.inf)
    return Enclosure(torch.where(finite[..., None], s, torch.nan), rad), u, vh


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
    values, u, vh = _decomposed(x)
    rows, columns = x.mid.shape[-2:]
    if not compute_uv or (full_matrices and rows != columns):
        sizes = [(rows, rows), (columns, columns)] if full_matrices else [(rows, len(u.mT)), (len(vh), columns)]
        left, right = (x.mid.new_full((*x.mid.shape[:-2], *size), torch.nan) for size in sizes)
        unknown = [Enclosure(part, torch.full_like(part, torch.inf)) for part in (left, right)]
        return [unknown[0], values, unknown[1]]
    matrix, _, good = sane(x)
    away = _singular_vectors(known_part(matrix, x.rad, good), u, values, vh, good)
    left_rad, right_rad = away[..., None, :].expand_as(u).clone(), away[..., None].expand_as(vh).clone()
    return [Enclosure(u, left_rad), values, Enclosure(vh, right_rad)]


def _singular_vectors(matrix: Enclosure, u: Tensor, values: Enclosure, vh: Tensor, good: Tensor) -> Tensor:
    """How far each pair may be from an exact one; [[0, A], [Aᵀ, 0]] has the eigenvalues ±s, and 0."""
    s = torch.nan_to_num(values.mid)
    row, exact = Enclosure.exactly(s.unsqueeze(-2)), Enclosure.exactly
    turned = Enclosure(matrix.mid.mT, matrix.rad.mT)
    above = sub(matmul(matrix, exact(vh.mT)), mul(exact(u), row)).magnitude
    below = sub(matmul(turned, exact(u)), mul(exact(vh.mT), row)).magnitude
    residual = _column_norms(torch.cat([above, below], -2)) / 2**0.5
    distance = torch.minimum(_to_the_others(s, values.rad), s)
    pairs = torch.cat([u, vh.mT], -2) / 2**0.5
    return widen(2**0.5 * _vectors(pairs, widen(residual), distance, good) + 2.0**-51)


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
    given = known_part(matrix, x.rad, good)
    if matrix.shape[-1] > matrix.shape[-2]:
        q_rad, r_rad = torch.full_like(q, torch.inf), torch.full_like(r, torch.inf)
    else:
        q_rad, r_rad = _gram_schmidt(given, q, r)
        if bool((q_rad.isinf().any(-1).any(-1) & good).any()):
            q_rad = torch.minimum(q_rad, _some_basis(given, q, r))
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
    identity = Enclosure.exactly(identity_like(r))
    inverse = torch.linalg.solve_triangular(r, identity.mid, upper=True)
    m = matmul(matrix, Enclosure.exactly(inverse))
    gram = matmul(Enclosure(m.mid.mT, m.rad.mT), m)
    t = near_identity(frobenius_upper(sub(gram, identity).magnitude))
    g = frobenius_upper(sub(matmul(Enclosure.exactly(r), Enclosure.exactly(inverse)), identity).magnitude)
    rows = _column_norms(m.magnitude.mT)[..., None]
    q_rad = widen((q - m.mid).abs() + m.rad + rows * (t / (1 - t)) + 2.0**-53 * q.abs())
    # R = (I + T)·(I + G)⁻¹·(computed R), where (computed R)·X = I + G.
    factor = torch.where((t < 0.5) & (g < 0.5), (t + g) / (1 - g), torch.inf)
    r_rad = torch.triu(widen(factor * _column_norms(r.abs())[..., None, :] + torch.zeros_like(r)))
    known = (t < 0.5) & q_rad.isfinite().all(-1, True).all(-2, True)
    return torch.where(known, q_rad, torch.inf), torch.where(known & (g < 0.5), r_rad, torch.inf)


def _some_basis(matrix: Enclosure, q: Tensor, r: Tensor) -> Tensor:
    """Every vector of the exact column space lies within ε/σ_min of the span of Q, ε = ‖A - Q·R‖; then an exact orthonormal
    basis exists within √2·ε/σ_min + ‖QᵀQ - I‖ of Q."""
    product = matmul(Enclosure.exactly(q), Enclosure.exactly(r))
    error = frobenius_upper(sub(matrix, product).magnitude)
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
    symmetric, rad_in = (half(part) + half(part, strict).mT for part in (matrix, torch.nan_to_num(x.rad)))
    values, vectors = _eigh(symmetric)
    given = known_part(symmetric, rad_in, good)
    scaled = mul(Enclosure.exactly(vectors), Enclosure.exactly(values.unsqueeze(-2)))
    residual = sub(given, matmul(scaled, Enclosure.exactly(vectors.mT)))
    defect = orthonormality_defect(vectors)[..., 0]
    rad = widen(frobenius_upper(residual.magnitude)[..., 0] + values.abs() * (2 * defect + defect * defect))
    rad = torch.where(good[..., None] & (defect < 0.5), rad, torch.inf)
    result = Enclosure(torch.where(finite[..., None], values, torch.nan), rad)
    if not compute_v:
        return [result, Enclosure(vectors, torch.full_like(vectors, torch.inf))]
    off = _column_norms(sub(matmul(given, Enclosure.exactly(vectors)), scaled).magnitude)
    away = _vectors(vectors, off, _to_the_others(values, rad), good)
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
        turned = [Enclosure(part.mid.mT, part.rad.mT) for part in (a, b)]
        x, *rest = solve(*turned)
        return [Enclosure(x.mid.mT, x.rad.mT), *rest]
    vector = b.mid.dim() == 1 or (b.mid.dim() == a.mid.dim() - 1 and b.mid.shape == a.mid.shape[:-1])
    right = Enclosure(b.mid.unsqueeze(-1), b.rad.unsqueeze(-1)) if vector else b
    matrix, finite, good = sane(a)
    identity = identity_like(matrix)
    inverse = torch.linalg.inv_ex(torch.where(finite[..., None, None], matrix, identity))[0]
    approximate = Enclosure.exactly(inverse)
    guess = inverse @ right.mid
    defect = sub(Enclosure.exactly(identity), matmul(approximate, Enclosure(matrix, a.rad)))
    contraction = largest_row(defect)
    residual = matmul(approximate, sub(right, matmul(Enclosure(matrix, a.rad), Enclosure.exactly(guess))))
    size = residual.magnitude.amax(-2, keepdim=True) if guess.shape[-2] else residual.magnitude
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
    a = Enclosure(lu.of.mid.mT, lu.of.rad.mT) if adjoint else lu.of
    return solve(a, b, left=left)[0]


def largest_row(x: Enclosure) -> Tensor:
    """An upper bound on the largest sum of absolute values along a row, `[..., 1, 1]`; 0 for an empty matrix."""
    sums = widen(x.magnitude.sum(-1), x.mid.shape[-1])
    largest = sums.amax(-1) if sums.shape[-1] else sums.sum(-1)
    return largest[..., None, None]


@rule(aten._linalg_check_errors.default)
def check_errors(info: Enclosure, name: str, *, is_matrix: bool) -> None:
    """LAPACK's own error codes: the residual proofs above do not need them."""
