"""Right singular vectors to any precision, **as a hint only**: nothing here is proved, `spectra` proves what comes of it.

A float64 decomposition is refined by one-sided Jacobi rotations (Demmel and Veselić, Jacobi's method is more accurate than
QR, 1992): they converge quadratically, keep small singular values' relative accuracy and do not mind clusters.
"""

from collections.abc import Iterator
from operator import mul

import numpy as np
from flint import arb, arb_mat, ctx

_ZERO, _ONE = arb(0), arb(1)
_SWEEPS = 30
_MOST_ORTHONORMALISATIONS = 8

Column = list[arb]


def right_vectors(a: arb_mat, start: arb_mat | None) -> arb_mat:
    """Exact numbers V `[columns, columns]`, nearly orthogonal, such that the columns of A·V are nearly orthogonal and decrease
    in length. A `[rows, columns]`, rows >= columns >= 1, is exact and finite; `start` is an earlier hint."""
    vectors = _first_vectors(a) if start is None else start
    for _ in range(_SWEEPS):
        vectors = orthonormalised(vectors)
        pairs = sorted(zip(_columns(a * vectors), _columns(vectors), strict=True), key=_length, reverse=True)
        worst = _sweep(pairs)
        vectors = arb_mat([list(row) for row in zip(*(v for _, v in pairs), strict=True)]).mid()
        if worst < arb(2) ** -(ctx.prec // 2):
            break
    return orthonormalised(vectors)


def orthonormalised(vectors: arb_mat) -> arb_mat:
    """Newton and Schulz's iteration V(3I - VᵀV)/2, until the defect is at the last bits."""
    thrice = 3 * _identity(vectors.ncols())
    for _ in range(_MOST_ORTHONORMALISATIONS):
        gram = (vectors.transpose() * vectors).mid()
        defect = max((abs(x) for x in (gram - thrice / 3).entries()), default=_ZERO)
        if defect < arb(2) ** (8 - ctx.prec):
            break
        vectors = (vectors * (thrice - gram) / 2).mid()
    return vectors


def _sweep(pairs: list[tuple[Column, Column]]) -> arb:
    """Rotates each pair of columns once, in place; returns the largest cosine met. Columns that are nothing but rounding are
    left alone, as they never come to rest."""
    worst = _ZERO
    noise = arb(2) ** (16 - 2 * ctx.prec) * _length(pairs[0])
    for i, j in _meetings(len(pairs)):
        (left, left_vector), (right, right_vector) = pairs[i], pairs[j]
        alpha, beta, gamma = (_dot(x, y).mid() for x, y in ((left, left), (right, right), (left, right)))
        if min(alpha, beta) <= noise or gamma.is_zero():
            continue
        cosine = abs(gamma) / (alpha * beta).sqrt()
        worst = max(worst, cosine)
        if cosine > arb(2) ** (4 - ctx.prec):
            turn = _rotation(alpha, beta, gamma)
            moved, moved_vector = _turned(left, right, *turn), _turned(left_vector, right_vector, *turn)
            pairs[i], pairs[j] = (moved[0], moved_vector[0]), (moved[1], moved_vector[1])
    return worst


def _meetings(count: int) -> Iterator[tuple[int, int]]:
    return ((i, j) for i in range(count) for j in range(i + 1, count))


def _rotation(alpha: arb, beta: arb, gamma: arb) -> tuple[arb, arb]:
    """Cosine and sine of the angle that makes columns of squared lengths alpha, beta and product gamma orthogonal."""
    zeta = ((beta - alpha) / (2 * gamma)).mid()
    size = abs(zeta) + (_ONE + zeta * zeta).sqrt()
    tangent = _ONE / (size if zeta >= _ZERO else -size)
    cosine = (_ONE / (_ONE + tangent * tangent).sqrt()).mid()
    return cosine, (cosine * tangent).mid()


def _turned(x: Column, y: Column, cosine: arb, sine: arb) -> tuple[Column, Column]:
    return (
        [(cosine * p - sine * q).mid() for p, q in zip(x, y, strict=True)],
        [(sine * p + cosine * q).mid() for p, q in zip(x, y, strict=True)],
    )


def _first_vectors(a: arb_mat) -> arb_mat:
    """From LAPACK, scaled so that nothing overflows. The identity where it fails, and where the columns are orthogonal as they
    are: then what is exact stays exact."""
    gram = a.transpose() * a
    if all(gram[i, j].is_zero() for i, j in _meetings(a.ncols())):
        return _identity(a.ncols())
    largest = max(abs(x) for x in a.entries())
    scaled = np.array([float((x / largest).mid()) for x in a.entries()]).reshape(a.nrows(), a.ncols())
    try:
        vectors = np.linalg.svd(scaled, full_matrices=False)[2].T
    except np.linalg.LinAlgError:
        return _identity(a.ncols())
    return arb_mat(vectors.tolist()) if np.isfinite(vectors).all() else _identity(a.ncols())


def _identity(size: int) -> arb_mat:
    return arb_mat(size, size, 1)


def _columns(a: arb_mat) -> list[Column]:
    return [list(column) for column in zip(*a.mid().tolist(), strict=True)]


def _dot(x: Column, y: Column) -> arb:
    return sum(map(mul, x, y), _ZERO)


def _length(pair: tuple[Column, Column]) -> arb:
    return _dot(pair[0], pair[0]).mid()
