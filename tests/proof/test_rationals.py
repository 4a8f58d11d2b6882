"""Exact rationals: against Python's fractions, and a clear refusal of everything that is not rational."""

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.proof.arithmetic import COMPARISONS, FUNCTIONS, NotSupportedError
from boundcheck.proof.rationals import Exact, Rationals
from tests.proof import conformance, oracle
from tests.proof.oracle import HARD, flat

EXACT = Rationals()


def _value(x: Exact) -> Fraction | float:
    lower, upper = EXACT.endpoints(x)
    assert lower == upper
    return lower


def _values(numbers: list[Exact]) -> list[Fraction | float]:
    return [_value(x) for x in numbers]


@given(st.fractions(), st.fractions())
def test_scalar_operations(p: Fraction, q: Fraction) -> None:
    x, y = EXACT.number(p), EXACT.number(q)
    assert _value(EXACT.add(x, y)) == p + q
    assert _value(EXACT.sub(x, y)) == p - q
    assert _value(EXACT.mul(x, y)) == p * q
    assert not q or _value(EXACT.div(x, y)) == p / q
    assert _value(EXACT.maximum(x, y)) == max(p, q)
    assert _value(EXACT.minimum(x, y)) == min(p, q)
    assert _value(EXACT.whole_power(x, 5)) == p**5
    assert not p or _value(EXACT.whole_power(x, -3)) == p**-3
    assert _value(EXACT.function("abs", x)) == abs(p)
    assert _value(EXACT.function("neg", x)) == -p
    assert _value(EXACT.function("sqrt", EXACT.mul(x, x))) == abs(p)
    assert _value(EXACT.hull(x, x)) == p
    for operator, holds in {"gt": p > q, "ge": p >= q, "lt": p < q, "le": p <= q, "eq": p == q, "ne": p != q}.items():
        assert EXACT.compare(operator, x, y) is holds


@given(st.floats(allow_nan=False))
def test_a_double_is_read_exactly(x: float) -> None:
    assert _value(EXACT.number(x)) == (Fraction(x) if math.isfinite(x) else x)


def test_unknown() -> None:
    one, zero, infinite = EXACT.number(1.0), EXACT.number(0.0), EXACT.number(math.inf)
    undefined = [
        EXACT.unknown,
        EXACT.number(math.nan),
        EXACT.ball(0.0, math.inf),
        EXACT.div(one, zero),
        EXACT.sub(infinite, infinite),
        EXACT.mul(zero, infinite),
        EXACT.div(infinite, infinite),
        EXACT.div(EXACT.unknown, infinite),
        EXACT.div(one, EXACT.unknown),
        EXACT.function("log", zero),
        EXACT.function("log1p", EXACT.number(-1.0)),
        EXACT.function("sqrt", EXACT.number(-1.0)),
        EXACT.function("sin", infinite),
        EXACT.real_power(EXACT.number(-1.0), Fraction(1, 3)),
        EXACT.maximum(EXACT.unknown, one),
        EXACT.hull(one, EXACT.unknown),
        *(EXACT.function(name, EXACT.unknown) for name in FUNCTIONS),
    ]
    for x in undefined:
        assert oracle.spans(EXACT, x)
        assert all(EXACT.compare(operator, x, y) is None for operator in COMPARISONS for y in (zero, x, infinite))


def test_infinities() -> None:
    infinite, lowest, two = EXACT.number(math.inf), EXACT.number(-math.inf), EXACT.number(2.0)
    assert _value(EXACT.add(infinite, two)) == math.inf
    assert _value(EXACT.mul(lowest, EXACT.number(-0.5))) == math.inf
    assert _value(EXACT.div(two, lowest)) == 0
    assert _value(EXACT.div(lowest, EXACT.number(-2.0))) == math.inf
    assert _value(EXACT.whole_power(lowest, 3)) == -math.inf
    assert _value(EXACT.function("exp", lowest)) == 0
    assert _value(EXACT.function("tanh", infinite)) == 1
    assert _value(EXACT.maximum(two, infinite)) == math.inf
    assert EXACT.compare("lt", two, infinite) is True
    assert EXACT.compare("eq", infinite, infinite) is True


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"abs", "neg"}))
def test_what_is_not_rational_is_refused(name: str) -> None:
    with pytest.raises(NotSupportedError, match="rational numbers"):
        EXACT.function(name, EXACT.number(0.75 if name != "sqrt" else 2.0))


def test_functions_where_they_are_rational() -> None:
    zero = EXACT.number(0.0)
    for name, value in {
        "exp": 1,
        "cos": 1,
        "sigmoid": Fraction(1, 2),
        "tanh": 0,
        "erf": 0,
        "sin": 0,
        "expm1": 0,
    }.items():
        assert _value(EXACT.function(name, zero)) == value
    assert _value(EXACT.function("log", EXACT.number(1.0))) == 0


def test_refusals() -> None:
    one, two = EXACT.number(1.0), EXACT.number(2.0)
    refused: list[Callable[[], object]] = [
        lambda: EXACT.ball(1.0, 0.5),
        lambda: EXACT.hull(one, two),
        lambda: EXACT.function("softplus", EXACT.number(0.0)),
        lambda: EXACT.real_power(two, Fraction(1, 2)),
        lambda: EXACT.whole_power(EXACT.number(Fraction(1, 3)), 10**6),
        lambda: EXACT.mul(EXACT.whole_power(two, 150_000), EXACT.whole_power(two, 150_000)),
        lambda: EXACT.singular_values([one, one, two, one], 2, 2),
        lambda: EXACT.eigenvalues([one, one, one, two], 2),
        lambda: EXACT.matrix_exponential([one], 1),
        lambda: EXACT.orthonormal_basis([one, one], 2, 1),
    ]
    for attempt in refused:
        with pytest.raises(NotSupportedError):
            attempt()


def test_spectra_that_are_rational() -> None:
    def numbers(*entries: float) -> list[Exact]:
        return [EXACT.number(float(x)) for x in entries]

    assert _values(EXACT.singular_values(numbers(3, 4), 1, 2)) == [5]
    assert _values(EXACT.singular_values(numbers(0, -2, 0.5, 0), 2, 2)) == [2, Fraction(1, 2)]
    assert _values(EXACT.singular_values(numbers(1, 2, 2, 4), 2, 2)) == [5, 0]
    assert _values(EXACT.singular_values(flat(EXACT, HARD["zeros"]), 3, 2)) == [0, 0]
    assert _values(EXACT.eigenvalues(numbers(2, math.nan, 1, 2), 2)) == [1, 3]
    assert _values(EXACT.eigenvalues(flat(EXACT, HARD["opposite eigenvalues"]), 3)) == [-2, 2, 2]
    assert _values(EXACT.eigenvalues(numbers(*[1] * 9), 3)) == [0, 0, 3]
    assert _values(EXACT.matrix_exponential(flat(EXACT, HARD["nilpotent"]), 3)) == [1, 1, 0.5, 0, 1, 1, 0, 0, 1]
    basis, triangle = EXACT.orthonormal_basis(numbers(3, 1, 4, 2), 2, 2)
    assert _values(basis) == [Fraction(3, 5), Fraction(-4, 5), Fraction(4, 5), Fraction(3, 5)]
    assert _values(triangle) == [5, Fraction(11, 5), 0, Fraction(2, 5)]


@settings(max_examples=60)
@given(oracle.small_matrices(4, 4), oracle.small_matrices(4, 2))
def test_systems(rows: oracle.Matrix, right: oracle.Matrix) -> None:
    conformance.solves(EXACT, rows, right, 10_000)


@given(oracle.small_matrices(2, 3), oracle.small_matrices(3, 2))
def test_products(rows: oracle.Matrix, other: oracle.Matrix) -> None:
    expected = oracle.products([list(map(Fraction, row)) for row in rows], [list(map(Fraction, row)) for row in other])
    found = EXACT.matmul(flat(EXACT, rows), flat(EXACT, other), 2, 3, 2)
    assert _values(found) == [x for row in expected for x in row]
    assert oracle.spans(EXACT, EXACT.matmul([math.nan, *flat(EXACT, rows)[1:]], flat(EXACT, other), 2, 3, 2)[0])


def test_ranks() -> None:
    for name, rank in (("rank 2 of 4, of integers", 2), ("nearly of rank 2", 5), ("zeros", 0), ("graded columns", 5)):
        rows = HARD[name]
        assert _value(EXACT.rank(flat(EXACT, rows), len(rows), len(rows[0]))) == rank


def test_odd_matrices() -> None:
    conformance.survives_odd_matrices(EXACT)


def test_a_wrong_number_is_caught() -> None:
    third = EXACT.div(EXACT.number(1.0), EXACT.number(3.0))
    nudge = EXACT.number(Fraction(1, 10**50))
    conformance.is_tight_and_right_in(EXACT, third, Fraction(1, 3), 10_000, lambda x: EXACT.add(x, nudge))
