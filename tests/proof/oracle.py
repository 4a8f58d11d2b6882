"""What the enclosures are compared with: mpmath at many digits, fractions, and loops; and matrices that are hard in some way."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
from hypothesis import strategies as st

from boundcheck.proof.arithmetic import Arithmetic

Matrix = list[list[float]]
DIGITS = 60
KINDS_OF_UNKNOWN = [math.nan, math.inf, -math.inf]

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "abs": abs,
    "neg": lambda x: -x,
    "sqrt": mpmath.sqrt,
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "atan": mpmath.atan,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "erf": mpmath.erf,
}
"""By their definitions, in mpmath."""

STARTS: dict[str, float] = {"sqrt": 0.0, "log": 2.0**-1074, "log1p": math.nextafter(-1.0, 0.0)}
"""The least double of a function's domain, where that is not everything."""


def arguments(name: str, largest: float = 700.0) -> st.SearchStrategy[float]:
    """Doubles of all sizes at which the function called `name` is defined."""
    least = STARTS.get(name, -largest)
    return st.floats(least, largest) | st.floats(max(least, -1.0), 1.0) | st.floats(max(least, -1e-12), 1e-12)


def at(name: str, x: float | Fraction) -> Fraction:
    """The function's value at x, right to more than `DIGITS` digits."""
    with mpmath.workdps(800 if abs(Fraction(x)) < 1e-3 else 150):
        exact = mpmath.mpf(Fraction(x).numerator) / Fraction(x).denominator
        return fraction(FUNCTIONS[name](exact))


def fraction(x: Any) -> Fraction:
    """An mpmath number, exactly."""
    x = mpmath.mpf(x)
    sign, man, exponent, _ = x._mpf_
    return Fraction(int(man)) * Fraction(2) ** int(exponent) * (-1 if sign else 1)


def assert_encloses(
    arithmetic: Arithmetic[Any], number: Any, value: Fraction, *, bits: int | None = None, unit: Fraction | None = None
) -> None:
    """`value` (right to `DIGITS` digits, relative to itself or to `unit`) lies in the enclosure, and that is at most 2^-bits wide
    relative to the same."""
    lower, upper = arithmetic.endpoints(number)
    scale = abs(value) if unit is None else max(unit, abs(value))
    error = scale / 10**DIGITS
    if isinstance(lower, Fraction):
        assert lower - error <= value, mpmath.mpf(lower.numerator) / lower.denominator
    if isinstance(upper, Fraction):
        assert value <= upper + error, mpmath.mpf(upper.numerator) / upper.denominator
    assert lower != math.inf
    assert upper != -math.inf
    if bits is not None:
        assert isinstance(lower, Fraction)
        assert isinstance(upper, Fraction)
        assert upper - lower <= scale / 2**bits


def spans(arithmetic: Arithmetic[Any], number: Any) -> bool:
    """Whether nothing at all is said of the number."""
    return arithmetic.endpoints(number) == (-math.inf, math.inf)


def meet(x: tuple[Any, Any], y: tuple[Any, Any]) -> bool:
    """Whether two enclosures have a number in common."""
    return bool(x[0] <= y[1] and y[0] <= x[1])


def flat(arithmetic: Arithmetic[Any], rows: Matrix) -> list[Any]:
    """A matrix as the kind of number wants it."""
    return [arithmetic.number(float(x)) for row in rows for x in row]


def singular_values(rows: Matrix, digits: int = 700) -> list[Fraction]:
    """Decreasing, by mpmath."""
    with mpmath.workdps(digits):
        matrix = mpmath.matrix(rows)
        matrix = matrix if matrix.rows >= matrix.cols else matrix.T
        return sorted((fraction(x) for x in mpmath.svd_r(matrix, compute_uv=False)), reverse=True)


def eigenvalues(rows: Matrix, digits: int = 700) -> list[Fraction]:
    """Ascending, by mpmath, of the symmetric matrix with this lower triangle."""
    with mpmath.workdps(digits):
        matrix = mpmath.matrix([[rows[max(i, j)][min(i, j)] for j in range(len(rows))] for i in range(len(rows))])
        return sorted(fraction(x) for x in mpmath.eigsy(matrix, eigvals_only=True))


def _drawn(seed: int, rows: int, columns: int) -> Any:
    return np.random.default_rng(seed).normal(size=(rows, columns))


def _hilbert(size: int) -> Any:
    return np.array([[1 / (i + j + 1) for j in range(size)] for i in range(size)])


_HARD: dict[str, Any] = {
    "integers": [[1, 2], [3, 4]],
    "one row": [[3, 4]],
    "one entry": [[-7]],
    "zeros": np.zeros((3, 2)),
    "square zeros": np.zeros((3, 3)),
    "identity": np.eye(4),
    "all ones": np.ones((4, 3)),
    "a swap": [[0, 1], [1, 0]],
    "opposite eigenvalues": [[0, 2, 0], [2, 0, 0], [0, 0, 2]],
    "wide": _drawn(0, 3, 9),
    "square": _drawn(1, 6, 6),
    "repeated values": np.kron(np.eye(3), _drawn(2, 2, 2)),
    "nearly repeated": np.eye(4) + 1e-14 * _drawn(3, 4, 4),
    "rank 2 of 4, of integers": np.array([[1, 2], [3, 4], [5, 6], [7, 9]]) @ np.array([[1, 0, 2, -1], [0, 1, 1, 3]]),
    "nearly of rank 2": _drawn(4, 5, 2) @ _drawn(5, 2, 5),
    "Hilbert's": _hilbert(8),
    "graded columns": _drawn(6, 5, 5) * 10.0 ** np.linspace(-200, 200, 5),
    "graded rows": _drawn(7, 4, 4) * 10.0 ** np.linspace(200, -200, 4)[:, None],
    "wildly scaled": 10.0 ** np.random.default_rng(8).uniform(-150, 150, size=(4, 4)),
    "a tiny column": [[1, 1e-300], [1, 0], [0, 1e-300]],
    "nilpotent": [[0, 1, 0], [0, 0, 1], [0, 0, 0]],
}
HARD: dict[str, Matrix] = {name: np.asarray(rows, dtype=float).tolist() for name, rows in _HARD.items()}
SQUARE = {name: rows for name, rows in HARD.items() if len(rows) == len(rows[0])}


def products(rows: Sequence[Sequence[Fraction]], other: Sequence[Sequence[Fraction]]) -> list[list[Fraction]]:
    """A matrix product by its definition."""
    inner, columns = len(other), len(other[0]) if other else 0
    return [[sum((row[k] * other[k][j] for k in range(inner)), Fraction(0)) for j in range(columns)] for row in rows]


def small_matrices(rows: int, columns: int) -> st.SearchStrategy[Matrix]:
    """Of whole numbers and halves: often singular, often with equal values."""
    entry = st.integers(-6, 6).map(lambda x: x / 2)
    return st.lists(st.lists(entry, min_size=columns, max_size=columns), min_size=rows, max_size=rows)
