"""Verified spectra in floating point: LAPACK's answer is a hint, its residual is the proof.

Singular values: with A = U·diag(s)·Vᵀ + E and U, V nearly orthonormal, Ostrowski's theorem bounds what the defects of U and
V do to s (a factor within [1 - d, 1 + d]) and Weyl's what E does (an absolute ‖E‖). Nothing is assumed of LAPACK.
"""

import torch
from torch import Tensor

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor.arithmetic import mul, sub
from boundcheck.rigor.enclosure import Enclosure, frobenius_upper, widen
from boundcheck.rigor.reductions import matmul
from boundcheck.rigor.registry import aten, rule

LINALG_ERROR: type[RuntimeError] = torch.linalg.LinAlgError  # type: ignore[attr-defined]


def _sane(x: Enclosure) -> tuple[Tensor, Tensor, Tensor]:
    """The matrices, each that is not finite replaced by zeros (LAPACK raises on NaN); which are finite; which also known.

    A matrix of finite values and infinite radii is a number of which nothing is known, not an invalid one.
    """
    finite = x.mid.isfinite().all(-1).all(-1)
    known = finite & x.rad.isfinite().all(-1).all(-1)
    return torch.where(finite[..., None, None], x.mid, 0.0), finite, known


def orthonormality_defect(q: Tensor) -> Tensor:
    """An upper bound on ‖QᵀQ - I‖ in the Frobenius norm, `[..., 1, 1]`."""
    exact = Enclosure.exactly(q)
    identity = torch.eye(q.shape[-1], dtype=q.dtype, device=q.device).expand(*q.shape[:-2], -1, -1)
    defect = sub(matmul(Enclosure.exactly(q.mT), exact), Enclosure.exactly(identity))
    return frobenius_upper(defect.magnitude)


def singular_values(x: Enclosure) -> Enclosure:
    """All min(m, n) singular values, decreasing, of each matrix."""
    matrix, finite, good = _sane(x)
    u, s, vh = _svd(matrix)
    product = matmul(mul(Enclosure.exactly(u), Enclosure.exactly(s.unsqueeze(-2))), Enclosure.exactly(vh))
    residual = sub(Enclosure(matrix, torch.where(good[..., None, None], x.rad, 0.0)), product)
    error = frobenius_upper(residual.magnitude)[..., 0]
    # ‖XᵀX - I‖ <= d keeps the singular values of X within [1 - d, 1 + d]; two factors, U and V.
    left, right = orthonormality_defect(u)[..., 0], orthonormality_defect(vh.mT)[..., 0]
    rad = widen(error + s * (left + right + left * right))
    rad = torch.where(good[..., None] & (left < 0.5) & (right < 0.5), rad, torch.inf)
    return Enclosure(torch.where(finite[..., None], s, torch.nan), rad)


def _svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    try:
        u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    except LINALG_ERROR:
        return _svd_one_by_one(matrix)
    return u, s, vh


def _svd_one_by_one(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One stubborn matrix must not take the batch with it: where LAPACK gives up, zeros (which the residual exposes)."""
    flat = matrix.reshape(-1, *matrix.shape[-2:])
    rank = min(matrix.shape[-2:])
    u = flat.new_zeros(len(flat), matrix.shape[-2], rank)
    s = flat.new_zeros(len(flat), rank)
    vh = flat.new_zeros(len(flat), rank, matrix.shape[-1])
    for index, one in enumerate(flat):
        try:
            u[index], s[index], vh[index] = torch.linalg.svd(one, full_matrices=False)
        except LINALG_ERROR:
            continue
    batch = matrix.shape[:-2]
    return u.reshape(*batch, *u.shape[1:]), s.reshape(*batch, rank), vh.reshape(*batch, *vh.shape[1:])


@rule(aten._linalg_svd.default)
def svd(
    x: Enclosure, full_matrices: bool = False, compute_uv: bool = True, *, driver: str | None = None
) -> list[Enclosure]:
    """Singular values only: a claim that uses singular vectors gets no enclosure for them."""
    s = singular_values(x)
    unknown = Enclosure(x.mid.new_full((1,), torch.nan), x.mid.new_full((1,), torch.inf))
    return [unknown, s, unknown]


rule(aten.linalg_svdvals.default)(singular_values)


@rule(aten.linalg_qr.default)
def qr(x: Enclosure, mode: str = "reduced") -> list[Enclosure]:
    """Q encloses *some* orthonormal basis of the column space (so use it only where the choice of basis is indifferent).

    Every vector of the exact column space lies within ε/σ_min of the span of the computed Q, ε = ‖X - Q·R‖ plus the
    radius of X; then an exact orthonormal basis exists within √2·ε/σ_min + ‖QᵀQ - I‖ of Q. Nothing is known of a basis
    where σ_min may be 0 or where there are more columns than rows.
    """
    if mode != "reduced":
        raise UnknownOperatorError(f"aten.linalg_qr with mode={mode!r}")
    matrix, finite, good = _sane(x)
    q, r = torch.linalg.qr(matrix)
    unknown = Enclosure(r, torch.full_like(r, torch.inf))
    if matrix.shape[-1] > matrix.shape[-2]:
        return [Enclosure(q, torch.full_like(q, torch.inf)), unknown]
    product = matmul(Enclosure.exactly(q), Enclosure.exactly(r))
    residual = sub(Enclosure(matrix, torch.where(good[..., None, None], x.rad, 0.0)), product)
    error = frobenius_upper(residual.magnitude)
    least = singular_values(x).lower[..., -1:, None]
    angle = torch.where(least > 0, error / least, torch.inf)
    defect = orthonormality_defect(q)
    rad = widen(1.4142135623730954 * angle + defect)
    rad = torch.where(good[..., None, None] & (angle < 0.5) & (defect < 0.5), rad, torch.inf)
    return [Enclosure(torch.where(finite[..., None, None], q, torch.nan), rad.expand_as(q).clone()), unknown]


@rule(aten._linalg_eigh.default)
def eigh(x: Enclosure, uplo: str = "L", compute_v: bool = True) -> list[Enclosure]:
    """Eigenvalues of a symmetric matrix, ascending; no enclosure for eigenvectors."""
    matrix, finite, good = _sane(x)
    symmetric = (
        torch.tril(matrix) + torch.tril(matrix, -1).mT if uplo == "L" else torch.triu(matrix) + torch.triu(matrix, 1).mT
    )
    values, vectors = torch.linalg.eigh(symmetric)
    product = matmul(
        mul(Enclosure.exactly(vectors), Enclosure.exactly(values.unsqueeze(-2))), Enclosure.exactly(vectors.mT)
    )
    rad_in = torch.maximum(x.rad, x.rad.mT)
    residual = sub(Enclosure(symmetric, torch.where(good[..., None, None], rad_in, 0.0)), product)
    defect = orthonormality_defect(vectors)[..., 0]
    rad = widen(frobenius_upper(residual.magnitude)[..., 0] + values.abs() * (2 * defect + defect * defect))
    rad = torch.where(good[..., None] & (defect < 0.5), rad, torch.inf)
    unknown = Enclosure(x.mid.new_full((1,), torch.nan), x.mid.new_full((1,), torch.inf))
    return [Enclosure(torch.where(finite[..., None], values, torch.nan), rad), unknown]


@rule(aten._linalg_solve_ex.default)
def solve(a: Enclosure, b: Enclosure, *, left: bool = True, check_errors: bool = False) -> list[Enclosure]:
    """A⁻¹·B: with an approximate inverse C, |X - X̂| <= |C(B - A·X̂)|∞ / (1 - ‖I - C·A‖∞)."""
    if not left:
        raise UnknownOperatorError("aten._linalg_solve_ex with left=False")
    vector = b.mid.dim() == a.mid.dim() - 1
    right = Enclosure(b.mid.unsqueeze(-1), b.rad.unsqueeze(-1)) if vector else b
    matrix, finite, good = _sane(a)
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device).expand_as(matrix)
    inverse = torch.linalg.inv_ex(torch.where(finite[..., None, None], matrix, identity))[0]
    approximate = Enclosure.exactly(inverse)
    guess = inverse @ right.mid
    defect = sub(Enclosure.exactly(identity), matmul(approximate, Enclosure(matrix, a.rad)))
    contraction = widen(defect.magnitude.sum(-1).amax(-1), matrix.shape[-1])[..., None, None]
    residual = matmul(approximate, sub(right, matmul(Enclosure(matrix, a.rad), Enclosure.exactly(guess))))
    rad = widen(residual.magnitude.amax(-2, keepdim=True) / (1 - contraction))
    rad = torch.where(good[..., None, None] & (contraction < 0.5), rad, torch.inf).expand_as(guess).clone()
    x = Enclosure(guess.squeeze(-1), rad.squeeze(-1)) if vector else Enclosure(guess, rad)
    info = Enclosure.exactly(torch.zeros(matrix.shape[:-2], dtype=torch.int32))
    lu = Enclosure(matrix, torch.full_like(matrix, torch.inf))
    return [x, lu, info, info]


@rule(aten._linalg_check_errors.default)
def check_errors(info: Enclosure, name: str, *, is_matrix: bool) -> None:
    """LAPACK's own error codes: the residual proofs above do not need them."""
