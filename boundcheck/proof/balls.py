"""Arb balls, through python-flint: a midpoint of any precision and a radius of 30 bits.

The precision of FLINT is global. So that a number costs no more than FLINT's own call, no operation here sets it: **every
operation must be called within `with balls.working():`**. Outside of it the results are still enclosures, only at
whatever precision holds there.

Conventions. The canonical `unknown` is Arb's NaN: it survives every operation, so that a quantity which may be undefined
is never decided again by a bounded function of it. The ball [0 ± inf], which FLINT returns when a radius overflows, is a
real or infinite number of which nothing else is known; both have the endpoints (-inf, inf).
"""

import operator
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from math import inf, isinf, isnan
from typing import cast

from flint import arb, arb_mat, ctx, fmpq

from boundcheck.proof import spectra
from boundcheck.proof.arithmetic import Arithmetic, Endpoint, Truth
from boundcheck.proof.orthonormal import orthonormal_basis
from boundcheck.proof.spectra import zero_to

_ZERO, _ONE = arb(0), arb(1)
_NARROW = arb(2) ** -20
_TIGHT_BITS = 20
_LONGEST = 1 << 20
"""No endpoint is written out to more binary digits before or after the point than this."""

Function = Callable[[arb], arb]


class Balls(Arithmetic[arb]):
    """Arb balls at a given number of bits. Call everything within `working()`."""

    bits: int

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.name = f"Arb balls at {bits} bits"
        self.unknown = arb.nan()

    def working(self) -> AbstractContextManager[object]:
        """Sets FLINT's precision to this instance's, and restores what was there before at the end."""
        return cast(AbstractContextManager[object], ctx.workprec(self.bits))

    # ------------------------------------------------------------------------------------------------ making, reading

    def number(self, value: Fraction | float) -> arb:
        return arb(fmpq(value.numerator, value.denominator)) if isinstance(value, Fraction) else arb(value)

    def ball(self, mid: float, rad: float) -> arb:
        return self.unknown if isnan(mid) or isnan(rad) or isinf(rad) else arb(mid, rad) if rad else arb(mid)

    def endpoints(self, x: arb) -> tuple[Endpoint, Endpoint]:
        return _at_most(x.lower()), -_at_most(-x.upper())

    # ------------------------------------------------------------------------------------------------- scalars

    def add(self, x: arb, y: arb) -> arb:
        return x + y

    def sub(self, x: arb, y: arb) -> arb:
        return x - y

    def mul(self, x: arb, y: arb) -> arb:
        return x * y

    def div(self, x: arb, y: arb) -> arb:
        return x / y

    def whole_power(self, x: arb, exponent: int) -> arb:
        if exponent < 0:
            return _ONE / self.whole_power(x, -exponent)
        if x.is_exact() or x.rel_accuracy_bits() > _TIGHT_BITS:
            return _power(x, exponent)
        even = exponent % 2 == 0 and exponent > 0
        if even and not x.is_finite():
            return abs(x) if x > _ZERO or x < _ZERO else x
        return _between_ends(lambda y: _power(y, exponent), _abs(x) if even else x)

    def real_power(self, x: arb, exponent: Fraction) -> arb:
        if exponent < 0:
            return _ONE / self.real_power(x, -exponent)
        if not x >= _ZERO:
            return self.unknown
        if exponent.denominator == 2:
            return self.whole_power(_sqrt(x), exponent.numerator)
        power = arb(fmpq(exponent.numerator, exponent.denominator))
        return _increasing_from_zero(lambda y: y**power if y.is_finite() and not y.is_zero() else y)(x)

    def function(self, name: str, x: arb) -> arb:
        return _FUNCTIONS[name](x)

    def maximum(self, x: arb, y: arb) -> arb:
        return x if x >= y else y if y >= x else x.max(y)

    def minimum(self, x: arb, y: arb) -> arb:
        return x if x <= y else y if y <= x else x.min(y)

    def hull(self, x: arb, y: arb) -> arb:
        return x.union(y)

    def is_number(self, x: arb) -> bool:
        return x.is_finite() or super().is_number(x)

    def compare(self, operator: str, x: arb, y: arb) -> Truth:
        holds, fails = _COMPARISONS[operator]
        return True if holds(x, y) else False if fails(x, y) else None

    # ------------------------------------------------------------------------------------------------- many at once

    def total(self, terms: Sequence[arb]) -> arb:
        return sum(terms, _ZERO)

    def matmul(self, a: Sequence[arb], b: Sequence[arb], rows: int, inner: int, columns: int) -> list[arb]:
        return (arb_mat(rows, inner, list(a)) * arb_mat(inner, columns, list(b))).entries()

    # ------------------------------------------------------------------------------------------------- heavy steps

    def singular_values(self, a: Sequence[arb], rows: int, columns: int) -> list[arb]:
        return spectra.singular_values(arb_mat(rows, columns, list(a)))

    def eigenvalues(self, a: Sequence[arb], size: int) -> list[arb]:
        return spectra.eigenvalues(arb_mat(size, size, list(a)))

    def orthonormal_basis(self, a: Sequence[arb], rows: int, columns: int) -> tuple[list[arb], list[arb]]:
        basis, triangle = orthonormal_basis(self, arb_mat(rows, columns, list(a)))
        return [+x for x in basis.entries()], [+x for x in triangle.entries()]

    def solve(self, a: Sequence[arb], b: Sequence[arb], size: int, columns: int) -> list[arb]:
        try:
            if _are_finite(a):
                return arb_mat(size, size, list(a)).solve(arb_mat(size, columns, list(b))).entries()
        except ZeroDivisionError:
            pass
        return [self.unknown] * (size * columns)

    def determinant(self, a: Sequence[arb], size: int) -> arb:
        return arb_mat(size, size, list(a)).det() if _are_finite(a) else self.unknown

    def matrix_exponential(self, a: Sequence[arb], size: int) -> list[arb]:
        return arb_mat(size, size, list(a)).exp().entries() if _are_finite(a) else [self.unknown] * len(a)

    def rank(self, a: Sequence[arb], rows: int, columns: int) -> arb:
        lower, upper = spectra.rank(arb_mat(rows, columns, list(a)))
        return arb(lower) + zero_to(arb(upper - lower))


# ----------------------------------------------------------------------------------------------------- parts of the above


def _are_finite(a: Sequence[arb]) -> bool:
    """FLINT takes 1/inf for 0, which makes a solution of a system that has none."""
    return all(x.is_finite() for x in a)


def _at_most(x: arb) -> Endpoint:
    """A bound below an exact number that can be written out: -inf for NaN."""
    if not x.is_finite():
        return inf if x == arb.pos_inf() else -inf
    mantissa, exponent = (int(part) for part in x.man_exp())
    if exponent > _LONGEST:
        return Fraction(1 << _LONGEST) if mantissa > 0 else -inf
    if exponent >= 0:
        return Fraction(mantissa << exponent)
    dropped = max(-exponent - _LONGEST, 0)
    return Fraction(mantissa >> min(dropped, mantissa.bit_length() + 1), 1 << min(-exponent, _LONGEST))


def _power(x: arb, exponent: int) -> arb:
    """FLINT's own power gives up at a midpoint of 0 and at infinities."""
    if x.is_finite() and not x.mid().is_zero():
        return x**exponent
    power = _ONE
    for digit in f"{exponent:b}":
        power = power * power * x if digit == "1" else power * power
    return power


def _between_ends(function: Function, x: arb) -> arb:
    if x.is_nan():
        return x
    lower, upper = function(x.lower()), function(x.upper())
    return zero_to(upper) if lower.is_zero() else lower.union(upper)


def _increasing(function: Function) -> Function:
    """At both ends where the ball is wide: many of FLINT's formulas leave the function's range there."""

    def evaluate(x: arb) -> arb:
        return function(x) if x.is_exact() or x.rad() < _NARROW else _between_ends(function, x)

    return evaluate


def _increasing_from_zero(function: Function) -> Function:
    """The same for functions that bend ever more toward the left end of their domain."""

    def evaluate(x: arb) -> arb:
        return function(x) if x.is_exact() or x.rel_accuracy_bits() > _TIGHT_BITS else _between_ends(function, x)

    return evaluate


def _abs(x: arb) -> arb:
    if x.is_exact() or x >= _ZERO or x <= _ZERO:
        return abs(x)
    return x if x.is_nan() else zero_to(x.abs_upper())


def _sqrt(x: arb) -> arb:
    if x.is_exact() or x > _ZERO or x < _ZERO or x.is_nan():
        return _positive_sqrt(x)
    return zero_to(x.upper().sqrt())


def _sigmoid(x: arb) -> arb:
    if x < _ZERO:
        grown = x.exp()
        return grown / (_ONE + grown)
    return _ONE / (_ONE + (-x).exp())


def _softplus(x: arb) -> arb:
    return x + (-x).exp().log1p() if x > _ONE else x.exp().log1p()


def _erf(x: arb) -> arb:
    return x.erf() if x.is_finite() or x.is_nan() else x.sgn()


def _wave(function: Function) -> Function:
    return lambda x: function(x) if x.is_finite() else arb.nan()


_positive_sqrt = _increasing_from_zero(arb.sqrt)

_FUNCTIONS: dict[str, Function] = {
    "abs": _abs,
    "neg": operator.neg,
    "sqrt": _sqrt,
    "exp": _increasing(arb.exp),
    "expm1": _increasing(arb.expm1),
    "log": _increasing_from_zero(arb.log),
    "log1p": _increasing_from_zero(arb.log1p),
    "sin": _wave(arb.sin),
    "cos": _wave(arb.cos),
    "atan": _increasing(arb.atan),
    "tanh": _increasing(arb.tanh),
    "sigmoid": _increasing(_sigmoid),
    "softplus": _increasing(_softplus),
    "erf": _increasing(_erf),
}

_COMPARISONS: dict[str, tuple[Callable[[arb, arb], bool], Callable[[arb, arb], bool]]] = {
    "gt": (operator.gt, operator.le),
    "ge": (operator.ge, operator.lt),
    "lt": (operator.lt, operator.ge),
    "le": (operator.le, operator.gt),
    "eq": (operator.eq, operator.ne),
    "ne": (operator.ne, operator.eq),
}
"""Both tests are False wherever an enclosure leaves them open, NaN included."""
