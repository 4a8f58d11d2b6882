"""Intervals: the same as for balls, and that all kinds of number agree."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath.libmp import from_man_exp

from boundcheck.proof.arithmetic import COMPARISONS, FUNCTIONS, Arithmetic, NotSupportedError
from boundcheck.proof.balls import Balls
from boundcheck.proof.intervals import Intervals
from boundcheck.proof.rationals import Rationals
from tests.proof import conformance, oracle

BITS = 160
TIGHT = BITS - 16
INTERVALS = Intervals(BITS)


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=60)
@given(data=st.data())
def test_functions_of_a_double(name: str, data: st.DataObject) -> None:
    conformance.encloses_a_function(INTERVALS, name, data.draw(oracle.arguments(name)), TIGHT)


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=40)
@given(data=st.data())
def test_functions_of_a_ball(name: str, data: st.DataObject) -> None:
    mid = data.draw(oracle.arguments(name, 100.0))
    rad = data.draw(st.floats(0, 50) | st.floats(0, 1e-9))
    conformance.encloses_a_function_of_a_ball(INTERVALS, name, mid, rad)


@pytest.mark.parametrize("x", [1e15, -1e15, 1e300, -1e300, 5e-324, -5e-324, 710.0, -745.0, 11.999, 1e-40])
def test_functions_at_large_and_small_arguments(x: float) -> None:
    for name in ("sin", "cos", "atan", "tanh", "sigmoid", "softplus", "erf"):
        found: tuple[Any, Any] = INTERVALS.endpoints(INTERVALS.function(name, INTERVALS.number(x)))
        lower, upper = found
        with Balls(BITS).working():
            expected = Balls(BITS).endpoints(Balls(BITS).function(name, Balls(BITS).number(x)))
        assert oracle.meet(found, expected), name
        scale: Any = Fraction(1) if name in ("sin", "cos") and abs(x) > 1 else max(abs(upper), Fraction(1, 2**1200))
        assert upper - lower <= scale / 2**TIGHT, name


def test_unknown() -> None:
    conformance.keeps_what_is_unknown(INTERVALS)


def test_no_function_of_unknown_is_known() -> None:
    assert all(oracle.spans(INTERVALS, INTERVALS.function(name, INTERVALS.unknown)) for name in FUNCTIONS)


def test_infinities() -> None:
    conformance.handles_infinities(INTERVALS)


def test_towers() -> None:
    conformance.survives_towers_of_powers(INTERVALS)


def test_exact_numbers() -> None:
    conformance.keeps_exact_numbers_exact(INTERVALS)


def test_ranges() -> None:
    conformance.stays_in_range(INTERVALS)


def test_odd_matrices() -> None:
    conformance.survives_odd_matrices(INTERVALS)


@settings(max_examples=100)
@given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.floats(-1e9, 1e9), st.floats(0, 1e9), st.fractions(-1, 1))
def test_scalar_operations(a: float, r: float, b: float, s: float, part: Fraction) -> None:
    x, y = INTERVALS.ball(a, r), INTERVALS.ball(b, s)
    p, q = Fraction(a) + part * Fraction(r), Fraction(b) - part * Fraction(s)
    exact = {"add": p + q, "sub": p - q, "mul": p * q, "maximum": max(p, q), "minimum": min(p, q)}
    exact |= {"div": p / q} if q else {}
    for name, value in exact.items():
        oracle.assert_encloses(INTERVALS, getattr(INTERVALS, name)(x, y), value)
    for inside in (p, q):
        oracle.assert_encloses(INTERVALS, INTERVALS.hull(x, y), inside)
    for operator, holds in {"gt": p > q, "ge": p >= q, "lt": p < q, "le": p <= q, "eq": p == q, "ne": p != q}.items():
        assert INTERVALS.compare(operator, x, y) in (None, holds)


@settings(max_examples=60)
@given(st.floats(-9, 9), st.floats(0, 9), st.integers(-5, 7), st.fractions(-1, 1))
def test_whole_powers(mid: float, rad: float, exponent: int, part: Fraction) -> None:
    point = Fraction(mid) + part * Fraction(rad)
    if point or exponent >= 0:
        oracle.assert_encloses(INTERVALS, INTERVALS.whole_power(INTERVALS.ball(mid, rad), exponent), point**exponent)


@settings(max_examples=60)
@given(st.fractions(0, 50, max_denominator=64), st.integers(1, 7), st.integers(2, 5))
def test_real_powers(root: Fraction, above: int, below: int) -> None:
    """Of perfect powers, in all kinds."""
    exponent = Fraction(above, below)
    base = root**exponent.denominator
    value = root**exponent.numerator
    assert Rationals().endpoints(Rationals().real_power(Rationals().number(base), exponent)) == (value, value)
    oracle.assert_encloses(INTERVALS, INTERVALS.real_power(INTERVALS.number(base), exponent), value, bits=BITS - 24)
    with Balls(BITS).working():
        balls = Balls(BITS)
        oracle.assert_encloses(balls, balls.real_power(balls.number(base), exponent), value, bits=BITS - 24)


@settings(max_examples=40)
@given(oracle.small_matrices(4, 4), oracle.small_matrices(4, 2))
def test_systems(rows: oracle.Matrix, right: oracle.Matrix) -> None:
    conformance.solves(INTERVALS, rows, right, TIGHT - 8)


@pytest.mark.parametrize("name", ["integers", "square", "nilpotent", "square zeros", "Hilbert's"])
def test_exponentials(name: str) -> None:
    conformance.encloses_an_exponential(INTERVALS, oracle.SQUARE[name], TIGHT)


@pytest.mark.parametrize("name", ["integers", "square", "Hilbert's", "nearly repeated"])
def test_factorisations(name: str) -> None:
    conformance.factorises(INTERVALS, oracle.HARD[name], 40)


def test_factorisations_of_blurred_matrices() -> None:
    conformance.factorises_a_ball(INTERVALS, "square", 1e-9, 1e-5)
    blurred = [INTERVALS.ball(x, 1.0) for x in (1.0, 2.0, 2.0, 4.0)]
    assert oracle.spans(INTERVALS, INTERVALS.orthonormal_basis(blurred, 2, 2)[0][1])


@pytest.mark.parametrize("name", ["integers", "one row", "zeros", "square", "Hilbert's", "rank 2 of 4, of integers"])
def test_singular_values(name: str) -> None:
    conformance.encloses_singular_values(INTERVALS, name, BITS - 32)


@pytest.mark.parametrize("name", ["integers", "one entry", "square zeros", "square", "a swap", "all ones"])
def test_eigenvalues(name: str) -> None:
    if name in oracle.SQUARE:
        conformance.encloses_eigenvalues(INTERVALS, name, BITS - 32)


def test_a_blurred_system_is_solved_for_all_its_members() -> None:
    rows, right = oracle.HARD["square"], [[1.0], [2.0], [0.0], [0.0], [-1.0], [3.0]]
    blurred = [INTERVALS.ball(x, 1e-6) for row in rows for x in row]
    found = INTERVALS.solve(blurred, oracle.flat(INTERVALS, right), 6, 1)
    for factor in (-1e-6, 0.0, 1e-6):
        moved = [[x + factor for x in row] for row in rows]
        exact = INTERVALS.solve(oracle.flat(INTERVALS, moved), oracle.flat(INTERVALS, right), 6, 1)
        assert all(
            oracle.meet(INTERVALS.endpoints(x), INTERVALS.endpoints(y)) for x, y in zip(found, exact, strict=True)
        )
    assert all(x[1] - x[0] < 7e-3 for x in map(INTERVALS.endpoints, found))


def test_ranks() -> None:
    for name, rank in (("rank 2 of 4, of integers", 2), ("nearly of rank 2", 5), ("zeros", 0), ("graded columns", 5)):
        rows = oracle.HARD[name]
        found = INTERVALS.rank(oracle.flat(INTERVALS, rows), len(rows), len(rows[0]))
        assert INTERVALS.endpoints(found) == (rank, rank)
    blurred = [INTERVALS.ball(x, 1e-9) for x in (1.0, 2.0, 2.0, 4.0)]
    assert INTERVALS.endpoints(INTERVALS.rank(blurred, 2, 2)) == (1, 2)


def _outcomes(kind: Arithmetic[Any], rows: oracle.Matrix) -> list[tuple[str, Any]]:
    a, size = oracle.flat(kind, rows), len(rows)
    steps: dict[str, Callable[[], list[Any]]] = {
        "singular": lambda: kind.singular_values(a, size, size),
        "eigen": lambda: kind.eigenvalues(a, size),
        "basis": lambda: [x for part in kind.orthonormal_basis(a, size, size) for x in part],
        "solve": lambda: kind.solve(a, a[:size], size, 1),
        "determinant": lambda: [kind.determinant(a, size)],
        "exponential": lambda: kind.matrix_exponential(a, size),
        "rank": lambda: [kind.rank(a, size, size)],
        "product": lambda: kind.matmul(a, a, size, size, size),
    }
    found: list[tuple[str, Any]] = []
    for name, step in steps.items():
        try:
            found += [(name, kind.endpoints(x)) for x in step()]
        except NotSupportedError:
            found += [(name, (-math.inf, math.inf))] * _LENGTHS[name](size)
    return found


_LENGTHS: dict[str, Any] = {
    "singular": int, "eigen": int, "basis": lambda n: 2 * n * n, "solve": int, "determinant": lambda n: 1,
    "exponential": lambda n: n * n, "rank": lambda n: 1, "product": lambda n: n * n,
}  # fmt: skip


@settings(max_examples=60)
@given(st.integers(1, 4).flatmap(lambda n: oracle.small_matrices(n, n)))
def test_all_kinds_agree(rows: oracle.Matrix) -> None:
    with Balls(128).working():
        first = _outcomes(Balls(128), rows)
    for other in (_outcomes(INTERVALS, rows), _outcomes(Rationals(), rows)):
        for (name, x), (_, y) in zip(first, other, strict=True):
            assert oracle.meet(x, y), (name, x, y)


Step = Callable[[Arithmetic[Any], Any, Any], Any]
_STEPS: list[Step] = [
    *(
        lambda kind, x, y, name=name: getattr(kind, name)(x, y)
        for name in ("add", "sub", "mul", "div", "maximum", "hull")
    ),
    *(lambda kind, x, y, name=name: kind.function(name, x) for name in FUNCTIONS),
    *(lambda kind, x, y, n=n: kind.whole_power(x, n) for n in (-2, -1, 0, 2, 3)),
    *(lambda kind, x, y, p=p: kind.real_power(x, p) for p in (Fraction(1, 2), Fraction(-3, 2), Fraction(1, 3))),
]
_LEAVES = st.floats(-4, 4) | st.integers(-3, 3).map(float) | st.floats()


@settings(max_examples=300)
@given(
    st.lists(st.tuples(_LEAVES, st.just(0.0) | st.floats(0, 2)), min_size=2, max_size=2),
    st.lists(st.tuples(st.sampled_from(_STEPS), st.integers(0, 9), st.integers(0, 9)), max_size=7),
)
def test_chains_of_operations_agree(leaves: list[tuple[float, float]], steps: list[tuple[Step, int, int]]) -> None:
    """Step by step the balls and the intervals have a number in common, and decide no comparison differently."""
    balls = Balls(128)
    with balls.working():
        values = [(balls.ball(*leaf), INTERVALS.ball(*leaf)) for leaf in leaves]
        for step, i, j in steps:
            x, y = values[i % len(values)], values[j % len(values)]
            found = step(balls, x[0], y[0]), step(INTERVALS, x[1], y[1])
            assert oracle.meet(balls.endpoints(found[0]), INTERVALS.endpoints(found[1]))
            for operator in COMPARISONS:
                truths = {balls.compare(operator, x[0], y[0]), INTERVALS.compare(operator, x[1], y[1])}
                assert not {True, False} <= truths
            values.append(found)


def test_a_wrong_enclosure_is_caught() -> None:
    nudge = from_man_exp(1, -80), from_man_exp(1, -80)
    for name in ("exp", "log1p", "erf", "atan", "sin"):
        found = INTERVALS.function(name, INTERVALS.number(0.75))

        def moved(x: Any) -> Any:
            return INTERVALS.add(x, nudge)

        conformance.is_tight_and_right_in(INTERVALS, found, oracle.at(name, 0.75), TIGHT, moved)
