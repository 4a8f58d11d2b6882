"""Exact rational numbers, FLINT's: for claims that are algebraic on the instance at hand.

A number is an `fmpq`, or one of Python's floats inf, -inf and NaN (`unknown`); no other float occurs. There are no
enclosures: what is not a rational number is not to be had here, and `NotSupportedError` says so.
"""

import operator
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import factorial, inf, isfinite, isnan, nan
from typing import Any, TypeAlias

from flint import fmpq, fmpq_mat, fmpz

from boundcheck.proof import dense
from boundcheck.proof.arithmetic import Arithmetic, Endpoint, NotSupportedError, Truth

Exact: TypeAlias = Any
"""An `fmpq`, or one of inf, -inf and NaN: a union that a type checker could only follow with a test at each step."""

_KIND = "rational numbers"
_LONGEST = 200_000
"""Bits of a numerator or a denominator: longer ones take too long."""
_LARGEST_POLYNOMIAL = 8
"""Degree up to which a characteristic polynomial's roots are looked for."""

_ZERO, _ONE, _HALF = fmpq(0), fmpq(1), fmpq(1, 2)


class Rationals(Arithmetic[Exact]):
    """Exact rational numbers. Nothing is undecided but what is undefined."""

    name = "exact rational numbers"
    unknown: Exact = nan

    # ------------------------------------------------------------------------------------------------ making, reading

    def number(self, value: Fraction | float) -> Exact:
        return fmpq(*value.as_integer_ratio()) if isfinite(value) else float(value)

    def ball(self, mid: float, rad: float) -> Exact:
        if rad == 0:
            return self.number(mid)
        if isfinite(rad):
            raise NotSupportedError("a number with a radius", _KIND)
        return nan

    def endpoints(self, x: Exact) -> tuple[Endpoint, Endpoint]:
        if isinstance(x, float):
            return (-inf, inf) if isnan(x) else (x, x)
        value = Fraction(int(x.p), int(x.q))
        return value, value

    # ------------------------------------------------------------------------------------------------- scalars

    def add(self, x: Exact, y: Exact) -> Exact:
        return _short(x + y) if _are_finite(x, y) else _shadow(x) + _shadow(y)

    def sub(self, x: Exact, y: Exact) -> Exact:
        return _short(x - y) if _are_finite(x, y) else _shadow(x) - _shadow(y)

    def mul(self, x: Exact, y: Exact) -> Exact:
        return _short(x * y) if _are_finite(x, y) else _sign(x) * _sign(y)

    def div(self, x: Exact, y: Exact) -> Exact:
        if y == _ZERO:
            return nan
        if _are_finite(x, y):
            return _short(x / y)
        if isinstance(y, float):
            return nan if isinstance(x, float) or isnan(y) else _ZERO
        return x * _sign(y)

    def whole_power(self, x: Exact, exponent: int) -> Exact:
        if exponent < 0:
            return self.div(_ONE, self.whole_power(x, -exponent))
        if isinstance(x, float):
            return x**exponent if exponent else _ONE
        if x.height_bits() * exponent > _LONGEST:
            raise NotSupportedError("numbers this long", _KIND)
        return x**exponent

    def real_power(self, x: Exact, exponent: Fraction) -> Exact:
        if exponent < 0:
            return self.div(_ONE, self.real_power(x, -exponent))
        if isinstance(x, float):
            return inf if x == inf else nan
        return nan if x < _ZERO else self.whole_power(_root(x, exponent.denominator), exponent.numerator)

    def function(self, name: str, x: Exact) -> Exact:
        if isinstance(x, float) and isnan(x):
            return nan
        if name in _SIMPLE:
            return _SIMPLE[name](x)
        if name == "sqrt":
            return self.real_power(x, Fraction(1, 2))
        if name in _POLES and self.compare("le", x, _POLES[name]):
            return nan
        for argument, value in _VALUES[name]:
            if x == argument:
                return value
        raise NotSupportedError(f"{name} of {x}", _KIND)

    def maximum(self, x: Exact, y: Exact) -> Exact:
        return nan if _is_nan(x, y) else x if self.compare("ge", x, y) else y

    def minimum(self, x: Exact, y: Exact) -> Exact:
        return nan if _is_nan(x, y) else x if self.compare("le", x, y) else y

    def hull(self, x: Exact, y: Exact) -> Exact:
        if _is_nan(x, y) or x == y:
            return nan if _is_nan(x, y) else x
        raise NotSupportedError("a number that may be one of two", _KIND)

    def compare(self, operator: str, x: Exact, y: Exact) -> Truth:
        if _are_finite(x, y):
            return _COMPARISONS[operator](x, y)
        return None if _is_nan(x, y) else _COMPARISONS[operator](_shadow(x), _shadow(y))

    # ------------------------------------------------------------------------------------------------- many at once

    def matmul(self, a: Sequence[Exact], b: Sequence[Exact], rows: int, inner: int, columns: int) -> list[Exact]:
        if not _are_finite(*a, *b):
            return super().matmul(a, b, rows, inner, columns)
        product = fmpq_mat(rows, inner, list(a)) * fmpq_mat(inner, columns, list(b))
        return [_short(x) for x in product.entries()]

    # ------------------------------------------------------------------------------------------------- heavy steps

    def singular_values(self, a: Sequence[Exact], rows: int, columns: int) -> list[Exact]:
        count = min(rows, columns)
        if not _are_finite(*a):
            return [nan] * count
        matrix = fmpq_mat(rows, columns, list(a))
        turned = matrix.transpose()
        squares = _rational_eigenvalues(turned * matrix if columns < rows else matrix * turned)
        return [_root(square, 2) for square in reversed(squares)]

    def eigenvalues(self, a: Sequence[Exact], size: int) -> list[Exact]:
        lower = [a[max(i, j) * size + min(i, j)] for i in range(size) for j in range(size)]
        return _rational_eigenvalues(fmpq_mat(size, size, lower)) if _are_finite(*lower) else [nan] * size

    def orthonormal_basis(self, a: Sequence[Exact], rows: int, columns: int) -> tuple[list[Exact], list[Exact]]:
        basis, triangle = dense.gram_schmidt(self, dense.as_rows(a, rows, columns), columns)
        return dense.flat(basis), dense.flat(triangle)

    def solve(self, a: Sequence[Exact], b: Sequence[Exact], size: int, columns: int) -> list[Exact]:
        if not _are_finite(*a, *b):
            return [nan] * (size * columns)
        try:
            solution = fmpq_mat(size, size, list(a)).solve(fmpq_mat(size, columns, list(b)))
        except ZeroDivisionError:
            return [nan] * (size * columns)
        return [_short(x) for x in solution.entries()]

    def determinant(self, a: Sequence[Exact], size: int) -> Exact:
        return _short(fmpq_mat(size, size, list(a)).det()) if _are_finite(*a) else nan

    def matrix_exponential(self, a: Sequence[Exact], size: int) -> list[Exact]:
        """The finite sum Σ Aᵏ/k! of a nilpotent A."""
        if not _are_finite(*a):
            return [nan] * (size * size)
        matrix = fmpq_mat(size, size, list(a))
        power = total = fmpq_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])
        for k in range(1, size + 1):
            power = power * matrix
            total = total + power * fmpq(1, factorial(k))
        if any(x != _ZERO for x in power.entries()):
            raise NotSupportedError("the exponential of a matrix that is not nilpotent", _KIND)
        return [_short(x) for x in total.entries()]

    def rank(self, a: Sequence[Exact], rows: int, columns: int) -> Exact:
        if min(rows, columns) == 0:
            return _ZERO
        return fmpq(fmpq_mat(rows, columns, list(a)).rank()) if _are_finite(*a) else nan


# ----------------------------------------------------------------------------------------------------- parts of the above


def _are_finite(*numbers: Exact) -> bool:
    return not any(isinstance(x, float) for x in numbers)


def _is_nan(x: Exact, y: Exact) -> bool:
    return (isinstance(x, float) and isnan(x)) or (isinstance(y, float) and isnan(y))


def _shadow(x: Exact) -> float:
    """A float that stands for x beside an infinity or NaN, in sums and comparisons."""
    return x if isinstance(x, float) else 0.0


def _sign(x: Exact) -> float:
    """The same in products."""
    return x if isinstance(x, float) else float((x > _ZERO) - (x < _ZERO))


def _short(x: fmpq) -> fmpq:
    if x.height_bits() > _LONGEST:
        raise NotSupportedError("numbers this long", _KIND)
    return x


def _root(x: fmpq, degree: int) -> fmpq:
    """The root of a perfect power x >= 0."""
    numerator, denominator = (fmpz(part).root(degree) for part in (x.p, x.q))
    if numerator**degree != x.p or denominator**degree != x.q:
        raise NotSupportedError(f"a root of {x}", _KIND)
    return fmpq(numerator, denominator)


def _rational_eigenvalues(a: fmpq_mat) -> list[Exact]:
    """Ascending, of a symmetric matrix: the diagonal, or the roots of the characteristic polynomial if all are rational."""
    size = a.nrows()
    if all(a[i, j] == _ZERO for i in range(size) for j in range(size) if i != j):
        return sorted(a[i, i] for i in range(size))
    roots = [root for root, times in a.charpoly().roots() for _ in range(times)] if size <= _LARGEST_POLYNOMIAL else []
    if len(roots) < size:
        raise NotSupportedError("eigenvalues that are not rational", _KIND)
    return sorted(roots)


_SIMPLE: dict[str, Callable[[Exact], Exact]] = {"neg": operator.neg, "abs": abs}

_POLES: dict[str, Exact] = {"log": _ZERO, "log1p": -_ONE}
"""Where a function is undefined, there and below."""

_VALUES: dict[str, list[tuple[Exact, Exact]]] = {
    "exp": [(_ZERO, _ONE), (-inf, _ZERO), (inf, inf)],
    "expm1": [(_ZERO, _ZERO), (-inf, -_ONE), (inf, inf)],
    "log": [(_ONE, _ZERO), (inf, inf)],
    "log1p": [(_ZERO, _ZERO), (inf, inf)],
    "sin": [(_ZERO, _ZERO), (-inf, nan), (inf, nan)],
    "cos": [(_ZERO, _ONE), (-inf, nan), (inf, nan)],
    "atan": [(_ZERO, _ZERO)],
    "tanh": [(_ZERO, _ZERO), (-inf, -_ONE), (inf, _ONE)],
    "sigmoid": [(_ZERO, _HALF), (-inf, _ZERO), (inf, _ONE)],
    "softplus": [(-inf, _ZERO), (inf, inf)],
    "erf": [(_ZERO, _ZERO), (-inf, -_ONE), (inf, _ONE)],
}
"""Everywhere that these functions are rational."""

_COMPARISONS: dict[str, Callable[[Exact, Exact], bool]] = {
    name: getattr(operator, name) for name in ("gt", "ge", "lt", "le", "eq", "ne")
}
