"""Intervals of two ends, on mpmath's whole-number arithmetic: the second implementation, with other formulas than `balls`.

A number is a pair of mpmath's raw numbers, the lower and the upper end. Of mpmath only +, -, ·, / and √ are used, which round
to the right side; the functions are those of `elementary`, the spectra those of `inertia` (which counts in Arb), the rest of
linear algebra is that of `dense`. The precision is the instance's own: nothing global is set for long.

Every number has at most `bits` bits. That is needed: mpmath's sum of two numbers of very different size may round to the wrong
side if one of them has more bits than are asked for.

`unknown` is [-inf, inf]. It survives every function, bounded ones too, as it may stand for something undefined.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from fractions import Fraction
from math import inf, isfinite, isnan

from flint import arb, arb_mat, ctx, fmpq, fmpq_mat
from mpmath.libmp import (
    finf,
    fninf,
    from_float,
    from_man_exp,
    from_rational,
    fzero,
    mpf_cmp,
    mpf_neg,
    mpf_sign,
    round_ceiling,
    round_floor,
    to_rational,
)
from mpmath.libmp.libmpi import mpi_add, mpi_div, mpi_mul, mpi_pos, mpi_sub

from boundcheck.proof import dense, elementary, inertia, rough
from boundcheck.proof.arithmetic import Arithmetic, Endpoint, Truth
from boundcheck.proof.elementary import UNKNOWN
from boundcheck.proof.series import Interval

_ZERO: Interval = (fzero, fzero)
_GUARD = 64
_LARGEST_EXPONENT = 1 << 16
_LONGEST = 1 << 20
"""No end is written out to more binary digits before or after the point than this."""


class Intervals(Arithmetic[Interval]):
    """Intervals whose ends have a given number of bits."""

    bits: int
    unknown = UNKNOWN

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.name = f"intervals of {bits} bits on mpmath"

    def working(self) -> AbstractContextManager[object]:
        """Nothing to set: there for the sake of `Balls.working`."""
        return nullcontext()

    # ------------------------------------------------------------------------------------------------ making, reading

    def number(self, value: Fraction | float) -> Interval:
        if isinstance(value, Fraction):
            parts = value.numerator, value.denominator, self.bits
            return from_rational(*parts, round_floor), from_rational(*parts, round_ceiling)
        if isnan(value):
            return UNKNOWN
        return from_float(value, self.bits, round_floor), from_float(value, self.bits, round_ceiling)

    def ball(self, mid: float, rad: float) -> Interval:
        if not (isfinite(mid) and isfinite(rad)):
            return self.number(mid) if rad == 0 else UNKNOWN
        return mpi_add(self.number(mid), self.hull(self.number(-rad), self.number(rad)), self.bits)

    def endpoints(self, x: Interval) -> tuple[Endpoint, Endpoint]:
        return _at_most(x[0]), -_at_most(mpf_neg(x[1]))

    # ------------------------------------------------------------------------------------------------- scalars

    def add(self, x: Interval, y: Interval) -> Interval:
        return mpi_add(x, y, self.bits)

    def sub(self, x: Interval, y: Interval) -> Interval:
        return mpi_sub(x, y, self.bits)

    def mul(self, x: Interval, y: Interval) -> Interval:
        if (_reaches_infinity(x) and _contains_zero(y)) or (_reaches_infinity(y) and _contains_zero(x)):
            return UNKNOWN
        return mpi_mul(x, y, self.bits)

    def div(self, x: Interval, y: Interval) -> Interval:
        if _contains_zero(y) or (_reaches_infinity(x) and _reaches_infinity(y)):
            return UNKNOWN
        return mpi_div(x, y, self.bits)

    def whole_power(self, x: Interval, exponent: int) -> Interval:
        if exponent < 0:
            return self.div(self.number(1.0), self.whole_power(x, -exponent))
        return elementary.whole_power(x, exponent, self.bits)

    def real_power(self, x: Interval, exponent: Fraction) -> Interval:
        if exponent < 0:
            return self.div(self.number(1.0), self.real_power(x, -exponent))
        if mpf_sign(x[0]) < 0:
            return UNKNOWN
        if exponent.denominator == 2:
            return self.whole_power(self.function("sqrt", x), exponent.numerator)
        return elementary.real_power(x, exponent.numerator, exponent.denominator, self.bits)

    def function(self, name: str, x: Interval) -> Interval:
        return elementary.apply(name, x, self.bits)

    def maximum(self, x: Interval, y: Interval) -> Interval:
        return UNKNOWN if UNKNOWN in (x, y) else (_larger(x[0], y[0]), _larger(x[1], y[1]))

    def minimum(self, x: Interval, y: Interval) -> Interval:
        return UNKNOWN if UNKNOWN in (x, y) else (_smaller(x[0], y[0]), _smaller(x[1], y[1]))

    def hull(self, x: Interval, y: Interval) -> Interval:
        return _smaller(x[0], y[0]), _larger(x[1], y[1])

    def compare(self, operator: str, x: Interval, y: Interval) -> Truth:
        if UNKNOWN in (x, y):
            return None
        below, above = mpf_cmp(x[1], y[0]), mpf_cmp(x[0], y[1])
        holds, fails = _COMPARISONS[operator](below, above)
        return True if holds else False if fails else None

    # ------------------------------------------------------------------------------------------------- many at once

    def matmul(
        self, a: Sequence[Interval], b: Sequence[Interval], rows: int, inner: int, columns: int
    ) -> list[Interval]:
        right = [b[column::columns] for column in range(columns)]
        return [self._product(row, column) for row in dense.as_rows(a, rows, inner) for column in right]

    def _product(self, x: Sequence[Interval], y: Sequence[Interval]) -> Interval:
        """The inner product; a factor that is exactly 0 saves a step, unless the other one reaches infinity."""
        total = _ZERO
        for p, q in zip(x, y, strict=True):
            if (p != _ZERO or _reaches_infinity(q)) and (q != _ZERO or _reaches_infinity(p)):
                total = mpi_add(total, self.mul(p, q), self.bits)
        return total

    # ------------------------------------------------------------------------------------------------- heavy steps

    def singular_values(self, a: Sequence[Interval], rows: int, columns: int) -> list[Interval]:
        if any(map(_reaches_infinity, a)):
            return [UNKNOWN] * min(rows, columns)
        if min(rows, columns) == 1:
            return [dense.norm(self, a)]
        with ctx.workprec(self.bits):
            return [self._from_bracket(*pair) for pair in inertia.singular_values(self._balls(a, rows, columns))]

    def eigenvalues(self, a: Sequence[Interval], size: int) -> list[Interval]:
        a = [a[max(i, j) * size + min(i, j)] for i in range(size) for j in range(size)]
        if any(map(_reaches_infinity, a)):
            return [UNKNOWN] * size
        if size == 1:
            return a
        with ctx.workprec(self.bits):
            return [self._from_bracket(*pair) for pair in inertia.eigenvalues(self._balls(a, size, size))]

    def _balls(self, a: Sequence[Interval], rows: int, columns: int) -> arb_mat:
        with ctx.workprec(2 * self.bits):
            return arb_mat(rows, columns, [_exactly(x[0]).union(_exactly(x[1])) for x in a])

    def _from_bracket(self, lower: arb, upper: arb) -> Interval:
        ends = [[int(part) for part in end.man_exp()] for end in (lower, upper)]
        return from_man_exp(*ends[0], self.bits, round_floor), from_man_exp(*ends[1], self.bits, round_ceiling)

    def orthonormal_basis(
        self, a: Sequence[Interval], rows: int, columns: int
    ) -> tuple[list[Interval], list[Interval]]:
        middles = self._middles(a, rows, columns)
        turn = None if middles is None else rough.orthonormaliser(middles)
        if turn is None:
            basis, triangle = dense.gram_schmidt(self, dense.as_rows(a, rows, columns), columns)
            return dense.flat(basis), dense.flat(triangle)
        # A·T = Q·R' has the same Q as A, whose R is R'·T⁻¹.
        turned = self.matmul(a, self._numbers(turn), rows, columns, columns)
        basis, triangle = dense.gram_schmidt(self, dense.as_rows(turned, rows, columns), columns)
        back = self.solve(self._numbers(turn), dense.flat(dense.identity(self, columns)), columns, columns)
        product = self.matmul(dense.flat(triangle), back, columns, columns, columns)
        return dense.flat(basis), [x if i % columns >= i // columns else _ZERO for i, x in enumerate(product)]

    def solve(self, a: Sequence[Interval], b: Sequence[Interval], size: int, columns: int) -> list[Interval]:
        if any(map(_reaches_infinity, a)):
            return [UNKNOWN] * (size * columns)
        middles = self._middles(a, size, size)
        inverse = None if middles is None else rough.inverse(middles)
        if inverse is not None:
            # If this matrix is singular then so is its product with A, and elimination says so.
            left = self._numbers(inverse)
            a, b = self.matmul(left, a, size, size, size), self.matmul(left, b, size, size, columns)
        found = dense.solution(self, dense.as_rows(a, size, size), dense.as_rows(b, size, columns), columns)
        return dense.flat(found)

    def _middles(self, a: Sequence[Interval], rows: int, columns: int) -> rough.Floats | None:
        """None also where all entries are single numbers: then nothing is gained, and what is exact stays so."""
        if all(x[0] == x[1] for x in a) or any(map(_reaches_infinity, a)):
            return None
        return rough.as_floats(map(_middle, a), rows, columns)

    def _numbers(self, a: rough.Floats) -> list[Interval]:
        return [self.number(float(x)) for x in a.ravel()]

    def determinant(self, a: Sequence[Interval], size: int) -> Interval:
        return UNKNOWN if any(map(_reaches_infinity, a)) else dense.determinant(self, dense.as_rows(a, size, size))

    def matrix_exponential(self, a: Sequence[Interval], size: int) -> list[Interval]:
        if any(map(_reaches_infinity, a)):
            return [UNKNOWN] * len(a)
        wide = Intervals(self.bits + _GUARD)
        return [mpi_pos(x, self.bits) for x in dense.exponential(wide, a, size, wide.bits)]

    def rank(self, a: Sequence[Interval], rows: int, columns: int) -> Interval:
        if any(x[0] != x[1] or _reaches_infinity(x) or abs(x[0][2]) > _LARGEST_EXPONENT for x in a):
            certain = dense.eliminate(self, dense.as_rows(a, rows, columns), columns).certain
            return from_man_exp(certain, 0), from_man_exp(min(rows, columns), 0)
        exact = [fmpq(*to_rational(x[0])) for x in a]
        return self.number(float(fmpq_mat(rows, columns, exact).rank()))


# ----------------------------------------------------------------------------------------------------- parts of the above


def _reaches_infinity(x: Interval) -> bool:
    return x[0] == fninf or x[1] == finf


def _contains_zero(x: Interval) -> bool:
    return mpf_sign(x[0]) <= 0 <= mpf_sign(x[1])


def _middle(x: Interval) -> Fraction:
    """About, of finite ends: where they are far from 1 it may be another number."""
    return (Fraction(_at_most(x[0])) + Fraction(_at_most(x[1]))) / 2


def _larger(x: Interval, y: Interval) -> Interval:
    return x if mpf_cmp(x, y) >= 0 else y


def _smaller(x: Interval, y: Interval) -> Interval:
    return x if mpf_cmp(x, y) <= 0 else y


def _exactly(x: Interval) -> arb:
    sign, man, exponent, _ = x
    return arb((-int(man) if sign else int(man), exponent))


def _at_most(x: Interval) -> Endpoint:
    """A bound below one raw number that can be written out."""
    if x in (finf, fninf):
        return inf if x == finf else -inf
    sign, man, exponent, _ = x
    whole = -int(man) if sign else int(man)
    if exponent > _LONGEST:
        return Fraction(1 << _LONGEST) if whole > 0 else -inf
    if exponent >= 0:
        return Fraction(whole << exponent)
    dropped = max(-exponent - _LONGEST, 0)
    return Fraction(whole >> min(dropped, whole.bit_length() + 1), 1 << min(-exponent, _LONGEST))


_COMPARISONS: dict[str, Callable[[int, int], tuple[bool, bool]]] = {
    "gt": lambda below, above: (above > 0, below <= 0),
    "ge": lambda below, above: (above >= 0, below < 0),
    "lt": lambda below, above: (below < 0, above >= 0),
    "le": lambda below, above: (below <= 0, above > 0),
    "eq": lambda below, above: (below == above == 0, below < 0 or above > 0),
    "ne": lambda below, above: (below < 0 or above > 0, below == above == 0),
}
"""Whether it holds and whether it fails, from the signs of (x's upper end - y's lower end) and (x's lower - y's upper)."""
