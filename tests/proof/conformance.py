"""What every kind of enclosing number has to do: called by the tests of `Balls` and of `Intervals`."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import pytest

from boundcheck.proof.arithmetic import COMPARISONS, FUNCTIONS, Arithmetic
from tests.proof import oracle
from tests.proof.oracle import HARD, SQUARE, assert_encloses, flat, spans

Kind = Arithmetic[Any]


def encloses_a_function(kind: Kind, name: str, x: float, bits: int) -> None:
    """Of one double: contained, and tight relative to itself (the waves: to 1, but for small arguments of sin)."""
    value = oracle.at(name, x)
    unit = Fraction(1) if name == "cos" or (name == "sin" and abs(x) > 0.5) else None
    assert_encloses(kind, kind.function(name, kind.number(x)), value, bits=bits, unit=unit)


def encloses_a_function_of_a_ball(kind: Kind, name: str, mid: float, rad: float) -> None:
    """Of a ball inside the function's domain: at both ends, in the middle and at a point between."""
    image = kind.function(name, kind.ball(mid, rad))
    start = oracle.STARTS.get(name, -math.inf)
    for part in (Fraction(-1), Fraction(0), Fraction(1, 3), Fraction(1)):
        point = Fraction(mid) + part * Fraction(rad)
        if point >= start:
            assert_encloses(kind, image, oracle.at(name, point))


def keeps_what_is_unknown(kind: Kind) -> None:
    """Nothing decides an unknown number, and no bounded function makes it known."""
    one, zero, infinite = kind.number(1.0), kind.number(0.0), kind.number(math.inf)
    undefined = [
        kind.unknown,
        kind.number(math.nan),
        kind.ball(0.0, math.inf),
        kind.div(one, zero),
        kind.div(zero, zero),
        kind.sub(infinite, infinite),
        kind.mul(zero, infinite),
        kind.div(infinite, infinite),
        kind.div(one, kind.ball(0.0, 1.0)),
        kind.function("sqrt", kind.number(-1.0)),
        kind.function("log", zero),
        kind.function("log", kind.ball(0.0, 1.0)),
        kind.function("log1p", kind.number(-1.0)),
        kind.real_power(kind.number(-1.0), Fraction(1, 3)),
        kind.real_power(zero, Fraction(-1, 2)),
        kind.whole_power(zero, -1),
        kind.whole_power(kind.unknown, 2),
        kind.maximum(kind.unknown, one),
        kind.minimum(one, kind.unknown),
        kind.hull(kind.unknown, one),
        kind.total([one, kind.unknown]),
        kind.mul(kind.unknown, zero),
    ]
    for x in undefined:
        assert spans(kind, x)
        for operator in COMPARISONS:
            assert kind.compare(operator, x, zero) is None
            assert kind.compare(operator, one, x) is None
            assert kind.compare(operator, x, x) is None
    for name in FUNCTIONS:
        image = kind.function(name, kind.unknown)
        assert all(kind.compare(operator, image, kind.number(2.0)) is None for operator in COMPARISONS), name


def handles_infinities(kind: Kind) -> None:
    """Sums, products, functions and comparisons of ±inf that are defined."""
    infinite, lowest, two = kind.number(math.inf), kind.number(-math.inf), kind.number(2.0)

    def is_exactly(x: Any, value: float) -> bool:
        return kind.endpoints(x) == (value, value)

    assert is_exactly(kind.add(infinite, two), math.inf)
    assert is_exactly(kind.sub(two, infinite), -math.inf)
    assert is_exactly(kind.mul(lowest, kind.number(-2.0)), math.inf)
    assert is_exactly(kind.div(two, infinite), 0)
    assert is_exactly(kind.div(infinite, two), math.inf)
    assert is_exactly(kind.whole_power(lowest, 2), math.inf)
    assert is_exactly(kind.whole_power(lowest, 3), -math.inf)
    assert is_exactly(kind.whole_power(infinite, -1), 0)
    assert is_exactly(kind.whole_power(kind.add(lowest, kind.ball(0.0, 1.0)), 2), math.inf)
    assert is_exactly(kind.real_power(infinite, Fraction(1, 3)), math.inf)
    assert is_exactly(kind.maximum(infinite, two), math.inf)
    assert is_exactly(kind.minimum(infinite, two), 2)
    limits = {
        "abs": (math.inf, math.inf), "neg": (math.inf, -math.inf), "sqrt": (None, math.inf), "exp": (0, math.inf),
        "expm1": (-1, math.inf), "log": (None, math.inf), "log1p": (None, math.inf), "tanh": (-1, 1), "sigmoid": (0, 1),
        "softplus": (0, math.inf), "erf": (-1, 1),
    }  # fmt: skip
    for name, (below, above) in limits.items():
        assert below is None or is_exactly(kind.function(name, lowest), below), name
        assert is_exactly(kind.function(name, infinite), above), name
    lower, upper = kind.endpoints(kind.function("atan", infinite))
    assert 1.57 < lower <= upper < 1.58
    assert spans(kind, kind.function("sin", infinite))
    assert kind.compare("gt", infinite, two) is True
    assert kind.compare("lt", infinite, two) is False
    assert kind.compare("eq", infinite, infinite) is True
    assert kind.compare("eq", infinite, two) is False
    assert spans(kind, kind.add(kind.hull(lowest, two), infinite))


def survives_towers_of_powers(kind: Kind) -> None:
    """Numbers whose very exponents are long: no time, no memory, and no wrong sign."""
    huge = tiny = kind.number(1e300)
    for _ in range(4):
        huge = kind.function("exp", huge)
        tiny = kind.function("exp", kind.function("neg", huge))
        for x in (huge, tiny, kind.function("neg", huge), kind.div(kind.number(1.0), tiny)):
            lower, upper = kind.endpoints(x)
            assert lower <= upper
            for name in FUNCTIONS:
                lower, upper = kind.endpoints(kind.function(name, x))
                assert lower <= upper, name
            for power in (2, 3, -1):
                assert kind.endpoints(kind.whole_power(x, power))[0] <= kind.endpoints(kind.whole_power(x, power))[1]
        for entries in ([huge, tiny, tiny, huge], [tiny, kind.number(1.0), kind.number(1.0), kind.number(2.0)]):
            found = [*kind.singular_values(entries, 2, 2), *kind.eigenvalues(entries, 2), kind.rank(entries, 2, 2)]
            found += [*kind.solve(entries, entries[:2], 2, 1), kind.determinant(entries, 2)]
            assert all(lower <= upper for lower, upper in map(kind.endpoints, found))


def keeps_exact_numbers_exact(kind: Kind) -> None:
    """Dyadic numbers in, a dyadic number out: no radius."""
    number = kind.number
    third = [number(float(x)) for x in (1, 2, 3, 4, 5, 6)]
    exact = {
        Fraction(7, 4): kind.add(number(1.5), number(0.25)),
        Fraction(3, 8): kind.mul(number(1.5), number(0.25)),
        Fraction(81, 16): kind.whole_power(number(-1.5), 4),
        Fraction(3, 2): kind.function("sqrt", number(2.25)),
        Fraction(8): kind.real_power(number(4.0), Fraction(3, 2)),
        Fraction(21): kind.total(third),
        Fraction(1): kind.function("exp", number(0.0)),
        Fraction(1, 2): kind.function("sigmoid", number(0.0)),
        Fraction(5): kind.singular_values([number(3.0), number(4.0)], 1, 2)[0],
    }
    for value, found in exact.items():
        assert kind.endpoints(found) == (value, value), value
    assert [kind.endpoints(x)[0] for x in kind.matmul(third, third, 3, 2, 3)] == [9, 12, 15, 19, 26, 33, 29, 40, 51]
    assert all(lower == upper for lower, upper in map(kind.endpoints, kind.matmul(third, third, 3, 2, 3)))
    for name in ("expm1", "log1p", "sin", "atan", "tanh", "erf", "sqrt", "abs", "neg"):
        assert kind.endpoints(kind.function(name, number(0.0))) == (0, 0), name


def stays_in_range(kind: Kind) -> None:
    """Wide balls: even powers, absolute values and roots are not below 0, bounded functions stay near their range."""
    for mid, rad in ((0.0, 1.0), (0.1, 0.3), (-0.3, 0.3000001), (1e-9, 1.0), (1.0, 1.0)):
        ball = kind.ball(mid, rad)
        for found, power in (
            (kind.whole_power(ball, 2), 2),
            (kind.whole_power(ball, 6), 6),
            (kind.function("abs", ball), 1),
        ):
            assert kind.endpoints(found)[0] >= 0
            assert kind.endpoints(found)[1] >= (abs(Fraction(mid)) + Fraction(rad)) ** power
        assert kind.endpoints(kind.function("sqrt", ball))[0] >= 0
    for mid in (-1e3, 0.0, 1e3, 1e9):
        for name in ("tanh", "sigmoid", "erf", "sin", "cos"):
            lower, upper = kind.endpoints(kind.function(name, kind.ball(mid, 1e6)))
            assert -1.001 < lower <= upper < 1.001, (name, mid)


def survives_odd_matrices(kind: Kind) -> None:
    """Sizes of zero, and entries that are not finite."""
    none: list[Any] = []
    assert kind.singular_values(none, 0, 3) == kind.singular_values(none, 3, 0) == none
    assert kind.eigenvalues(none, 0) == kind.solve(none, none, 0, 2) == kind.matrix_exponential(none, 0) == none
    assert [kind.endpoints(x) for x in kind.matmul(none, none, 2, 0, 2)] == [(0, 0)] * 4
    assert kind.matmul(none, none, 0, 3, 0) == none
    assert kind.endpoints(kind.determinant(none, 0)) == (1, 1)
    assert kind.endpoints(kind.rank(none, 0, 3)) == (0, 0)
    assert kind.endpoints(kind.total(none)) == (0, 0)
    assert kind.orthonormal_basis(none, 3, 0) == (none, none)
    assert kind.orthonormal_basis(none, 0, 0) == (none, none)
    for odd in oracle.KINDS_OF_UNKNOWN:
        entries = [kind.number(x) for x in (odd, 1.0, 1.0, 3.0)]
        assert all(spans(kind, x) for x in kind.singular_values(entries, 2, 2))
        assert all(spans(kind, x) for x in kind.singular_values(entries, 4, 1)) or odd != odd
        assert all(spans(kind, x) for x in kind.eigenvalues(entries, 2))
        assert all(spans(kind, x) for x in kind.solve(entries, entries[1:3], 2, 1))
        assert all(spans(kind, x) for x in kind.matrix_exponential(entries, 2))
        assert not math.isfinite(kind.endpoints(kind.determinant(entries, 2))[1])
        assert all(spans(kind, x) for x in kind.orthonormal_basis(entries, 2, 2)[0])
        assert kind.endpoints(kind.rank(entries, 2, 2))[1] >= 2


def encloses_singular_values(kind: Kind, name: str, bits: int) -> None:
    """Contained, tight relative to each value, not below 0, and in order."""
    rows = HARD[name]
    found = kind.singular_values(flat(kind, rows), len(rows), len(rows[0]))
    expected = oracle.singular_values(rows)
    for x, value in zip(found, expected, strict=True):
        if value < expected[0] / 10**500:
            assert kind.endpoints(x)[0] == 0
            assert kind.endpoints(x)[1] <= expected[0] / 2**bits
        else:
            assert_encloses(kind, x, value, bits=bits)


def encloses_eigenvalues(kind: Kind, name: str, bits: int) -> None:
    """The same for the symmetric matrix with this lower triangle, whose upper one is not looked at."""
    rows = SQUARE[name]
    entries = [kind.number(x) if j <= i else kind.unknown for i, row in enumerate(rows) for j, x in enumerate(row)]
    expected = oracle.eigenvalues(rows)
    largest = max(map(abs, expected))
    for x, value in zip(kind.eigenvalues(entries, len(rows)), expected, strict=True):
        if abs(value) < largest / 10**500:
            assert_encloses(kind, x, Fraction(0), bits=bits, unit=largest)
        else:
            assert_encloses(kind, x, value, bits=bits)


def is_tight_and_right_in(kind: Kind, number: Any, value: Fraction, bits: int, wrong: Callable[[Any], Any]) -> None:
    """The check itself has teeth: an enclosure moved by 2^-(bits/2) is refused, and so is one that says nothing."""
    assert_encloses(kind, number, value, bits=bits)
    with pytest.raises(AssertionError):
        assert_encloses(kind, wrong(number), value)
    with pytest.raises(AssertionError):
        assert_encloses(kind, kind.unknown, value, bits=bits)


def solves(kind: Kind, rows: oracle.Matrix, right: oracle.Matrix, bits: int) -> None:
    """A·X = B, det A and the rank, against fractions."""
    size, columns = len(rows), len(right[0])
    a, b = flat(kind, rows), flat(kind, right)
    exact = _inverse([[Fraction(x) for x in row] for row in rows])
    found = kind.solve(a, b, size, columns)
    if exact is None:
        assert all(spans(kind, x) for x in found)
        assert_encloses(kind, kind.determinant(a, size), Fraction(0), bits=bits, unit=Fraction(1))
        assert kind.endpoints(kind.rank(a, size, size))[1] < size
        return
    expected = oracle.products(exact[0], [[Fraction(x) for x in row] for row in right])
    for x, value in zip(found, (value for row in expected for value in row), strict=True):
        assert_encloses(kind, x, value, bits=bits, unit=Fraction(1))
    assert_encloses(kind, kind.determinant(a, size), exact[1], bits=bits)
    assert kind.endpoints(kind.rank(a, size, size)) == (size, size)


def _inverse(rows: list[list[Fraction]]) -> tuple[list[list[Fraction]], Fraction] | None:
    size, determinant = len(rows), Fraction(1)
    work = [row + [Fraction(int(i == j)) for j in range(size)] for i, row in enumerate(rows)]
    for step in range(size):
        pivot = next((i for i in range(step, size) if work[i][step]), None)
        if pivot is None:
            return None
        determinant *= work[pivot][step] * (-1 if pivot != step else 1)
        work[step], work[pivot] = work[pivot], work[step]
        work[step] = [x / work[step][step] for x in work[step]]
        for i in range(size):
            if i != step:
                work[i] = [x - work[i][step] * y for x, y in zip(work[i], work[step], strict=True)]
    return [row[size:] for row in work], determinant


def encloses_an_exponential(kind: Kind, rows: oracle.Matrix, bits: int) -> None:
    """Against mpmath's."""
    size = len(rows)
    found = kind.matrix_exponential(flat(kind, rows), size)
    with mpmath.workdps(120):
        expected = mpmath.expm(mpmath.matrix(rows), method="taylor")
        values = [oracle.fraction(expected[i, j]) for i in range(size) for j in range(size)]
    for x, value in zip(found, values, strict=True):
        assert_encloses(kind, x, value, bits=bits, unit=max(map(abs, values)))


def factorises_a_ball(kind: Kind, name: str, rad: float, width: float) -> None:
    """Every member: the midpoints' factors lie inside, and the enclosure grows no faster than it has to."""
    rows = HARD[name]
    height, columns = len(rows), len(rows[0])
    blurred = kind.orthonormal_basis([kind.ball(x, rad) for row in rows for x in row], height, columns)
    exact = kind.orthonormal_basis(flat(kind, rows), height, columns)
    for x, y in zip([*blurred[0], *blurred[1]], [*exact[0], *exact[1]], strict=True):
        lower, upper = kind.endpoints(x)
        assert oracle.meet((lower, upper), kind.endpoints(y))
        assert upper - lower <= width


def factorises(kind: Kind, rows: oracle.Matrix, bits: int) -> None:
    """Q and R of the positive diagonal, against mpmath's up to signs, and Q·R = A."""
    height, width = len(rows), len(rows[0])
    basis, triangle = kind.orthonormal_basis(flat(kind, rows), height, width)
    with mpmath.workdps(120):
        q, r = mpmath.qr(mpmath.matrix(rows), mode="skinny")
        signs = [mpmath.sign(r[j, j]) for j in range(width)]
        expected = [oracle.fraction(q[i, j] * signs[j]) for i in range(height) for j in range(width)]
        other = [
            oracle.fraction(r[i, j] * signs[i]) if j >= i else Fraction(0) for i in range(width) for j in range(width)
        ]
    for x, value in zip([*basis, *triangle], [*expected, *other], strict=True):
        assert_encloses(kind, x, value, bits=bits, unit=max(Fraction(1), abs(value)))
    for x, entry in zip(
        kind.matmul(basis, triangle, height, width, width), (x for row in rows for x in row), strict=True
    ):
        assert_encloses(kind, x, Fraction(entry))
