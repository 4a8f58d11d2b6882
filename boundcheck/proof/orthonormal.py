"""Gram-Schmidt in balls, without the loss of bits that comes with every column."""

from flint import arb, arb_mat, ctx

from boundcheck.proof import dense
from boundcheck.proof.arithmetic import Arithmetic

_ZERO = arb(0)
_GUARD = 32
_SPARE = 10


def orthonormal_basis(arithmetic: Arithmetic[arb], a: arb_mat) -> tuple[arb_mat, arb_mat]:
    """Q `[rows, columns]` and R `[columns, columns]` with A = Q·R for every A in `a`, and a positive diagonal of R; NaN from the
    first column on that is not shown to be independent of those before it. rows >= columns.

    Where the plain process loses too many bits it is done on A·T = Q·R', with an upper triangular T of exact numbers and a
    positive diagonal, found from the midpoints, that makes A·T nearly orthonormal: then R = R'·T⁻¹.
    """
    bits = ctx.prec
    if not a.nrows() * a.ncols():
        return a, arb_mat(a.ncols(), a.ncols(), [_ZERO] * a.ncols() ** 2)
    basis, triangle = _gram_schmidt(arithmetic, a)
    if all(x.rel_one_accuracy_bits() >= bits - _SPARE for x in basis.entries()):
        return basis, triangle
    with ctx.workprec(bits + _GUARD + 4 * a.ncols()):
        turn = _orthonormalising(arithmetic, a.mid())
        if turn is None:
            return basis, triangle
        basis, triangle = _gram_schmidt(arithmetic, a * turn)
        return basis, _upper_half(triangle * turn.inv())


def _orthonormalising(arithmetic: Arithmetic[arb], a: arb_mat) -> arb_mat | None:
    """T, if the columns are independent as far as this precision tells."""
    try:
        turn = _upper_half(_gram_schmidt(arithmetic, a)[1].mid().inv().mid())
        turn.inv()
    except ZeroDivisionError:
        return None
    return turn if all(turn[j, j] > _ZERO and turn[j, j].is_finite() for j in range(turn.ncols())) else None


def _gram_schmidt(arithmetic: Arithmetic[arb], a: arb_mat) -> tuple[arb_mat, arb_mat]:
    basis, triangle = dense.gram_schmidt(arithmetic, a.tolist(), a.ncols())
    return arb_mat(basis), arb_mat(triangle)


def _upper_half(a: arb_mat) -> arb_mat:
    """Without what rounding left below the diagonal."""
    return arb_mat([[x if j >= i else _ZERO for j, x in enumerate(row)] for i, row in enumerate(a.tolist())])
