"""Arb balls: functions against mpmath, wide balls against points inside, heavy steps against fractions and mpmath."""

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.proof.arithmetic import FUNCTIONS
from boundcheck.proof.balls import Balls
from tests.proof import conformance, oracle

BITS = 128
TIGHT = BITS - 16


@pytest.fixture(name="balls")
def at_work() -> Iterator[Balls]:
    balls = Balls(BITS)
    with balls.working():
        yield balls


def test_the_precision_is_set_and_restored() -> None:
    before = ctx.prec
    with Balls(200).working():
        assert ctx.prec == 200
        with Balls(300).working():
            assert ctx.prec == 300
        assert ctx.prec == 200
    assert ctx.prec == before


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=60)
@given(data=st.data())
def test_functions_of_a_double(name: str, data: st.DataObject) -> None:
    balls = Balls(BITS)
    with balls.working():
        conformance.encloses_a_function(balls, name, data.draw(oracle.arguments(name)), TIGHT)


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=40)
@given(data=st.data())
def test_functions_of_a_ball(name: str, data: st.DataObject) -> None:
    balls = Balls(BITS)
    mid = data.draw(oracle.arguments(name, 100.0))
    rad = data.draw(st.floats(0, 50) | st.floats(0, 1e-9))
    with balls.working():
        conformance.encloses_a_function_of_a_ball(balls, name, mid, rad)


def test_large_arguments(balls: Balls) -> None:
    for name in ("tanh", "sigmoid", "erf", "atan", "softplus"):
        for x in (1e300, -1e300):
            lower, upper = balls.endpoints(balls.function(name, balls.number(x)))
            assert lower <= upper
            assert lower > -1.58 or name == "softplus"
    assert balls.endpoints(balls.function("exp", balls.number(-1e300)))[0] >= 0
    assert balls.endpoints(balls.function("exp", balls.number(1e9)))[1] == math.inf
    assert balls.endpoints(balls.function("neg", balls.function("exp", balls.number(1e7))))[0] == -math.inf


def test_unknown(balls: Balls) -> None:
    conformance.keeps_what_is_unknown(balls)


def test_infinities(balls: Balls) -> None:
    conformance.handles_infinities(balls)


def test_towers(balls: Balls) -> None:
    conformance.survives_towers_of_powers(balls)


def test_exact_numbers(balls: Balls) -> None:
    conformance.keeps_exact_numbers_exact(balls)


def test_ranges(balls: Balls) -> None:
    conformance.stays_in_range(balls)


def test_odd_matrices(balls: Balls) -> None:
    conformance.survives_odd_matrices(balls)


def test_a_radius_that_overflowed_decides_nothing(balls: Balls) -> None:
    everything = arb(0, math.inf)
    assert oracle.spans(balls, everything)
    for found in (balls.whole_power(everything, 2), balls.function("abs", everything)):
        assert oracle.spans(balls, found)
    assert balls.compare("gt", everything, balls.number(-1.0)) is None


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_comparisons_are_decided_only_if_they_are(a: float, r: float, b: float, s: float) -> None:
    balls = Balls(BITS)
    with balls.working():
        x, y = balls.ball(a, r), balls.ball(b, s)
        if Fraction(a) + Fraction(r) >= Fraction(b) - Fraction(s):
            assert balls.compare("lt", x, y) is not True
            assert balls.compare("ge", x, y) is not False
        if Fraction(a) - Fraction(r) <= Fraction(b) + Fraction(s):
            assert balls.compare("gt", x, y) is not True
            assert balls.compare("le", x, y) is not False
        assert (balls.compare("eq", x, y) is True) == (r == s == 0 and a == b)
        assert (balls.compare("ne", x, y) is False) == (r == s == 0 and a == b)


@settings(max_examples=60)
@given(st.floats(-9, 9), st.floats(0, 9), st.integers(-5, 7), st.fractions(-1, 1))
def test_whole_powers(mid: float, rad: float, exponent: int, part: Fraction) -> None:
    balls = Balls(BITS)
    point = Fraction(mid) + part * Fraction(rad)
    with balls.working():
        if point or exponent >= 0:
            oracle.assert_encloses(balls, balls.whole_power(balls.ball(mid, rad), exponent), point**exponent)


@settings(max_examples=60)
@given(oracle.small_matrices(4, 4), oracle.small_matrices(4, 2))
def test_systems(rows: oracle.Matrix, right: oracle.Matrix) -> None:
    balls = Balls(BITS)
    with balls.working():
        conformance.solves(balls, rows, right, TIGHT - 8)


@pytest.mark.parametrize("name", ["integers", "square", "nilpotent", "square zeros", "Hilbert's"])
def test_exponentials(balls: Balls, name: str) -> None:
    conformance.encloses_an_exponential(balls, oracle.SQUARE[name], TIGHT)


@pytest.mark.parametrize("name", ["integers", "square", "Hilbert's", "nearly repeated", "a tiny column"])
def test_factorisations(balls: Balls, name: str) -> None:
    conformance.factorises(balls, oracle.HARD[name], BITS - 24)


def test_a_factorisation_of_many_columns_loses_no_bits(balls: Balls) -> None:
    entries = [balls.number(float(x)) for x in np.random.default_rng(0).normal(size=24 * 24)]
    basis, triangle = balls.orthonormal_basis(entries, 24, 24)
    assert min(x.rel_one_accuracy_bits() for x in [*basis, *triangle]) > BITS - 12
    conformance.factorises_a_ball(balls, "square", 1e-9, 1e-5)


def test_columns_of_all_sizes_are_factorised(balls: Balls) -> None:
    rows = oracle.HARD["graded columns"]
    basis, _ = balls.orthonormal_basis(oracle.flat(balls, rows), 5, 5)
    assert min(x.rel_one_accuracy_bits() for x in basis) > BITS - 24


def test_a_dependent_column_makes_the_rest_of_a_basis_unknown(balls: Balls) -> None:
    basis, triangle = balls.orthonormal_basis([balls.number(x) for x in (1.0, 2.0, 2.0, 4.0)], 2, 2)
    assert [oracle.spans(balls, x) for x in basis] == [False, True, False, True]
    assert [oracle.spans(balls, x) for x in triangle] == [False, False, False, True]


def test_ranks(balls: Balls) -> None:
    for name, rank in (("rank 2 of 4, of integers", 2), ("nearly of rank 2", 5), ("zeros", 0), ("graded columns", 5)):
        rows = oracle.HARD[name]
        assert balls.endpoints(balls.rank(oracle.flat(balls, rows), len(rows), len(rows[0]))) == (rank, rank)
    blurred = [balls.ball(x, 1e-9) for x in (1.0, 2.0, 2.0, 4.0)]
    lower, upper = balls.endpoints(balls.rank(blurred, 2, 2))
    assert lower == 1
    assert 2 <= upper < 2.001


def test_a_wrong_enclosure_is_caught(balls: Balls) -> None:
    def moved(x: arb) -> arb:
        return x + arb(2) ** -64

    conformance.is_tight_and_right_in(
        balls, balls.function("exp", balls.number(1.0)), oracle.at("exp", 1.0), TIGHT, moved
    )
    value = oracle.singular_values(oracle.HARD["square"])[-1]
    found = balls.singular_values(oracle.flat(balls, oracle.HARD["square"]), 6, 6)[-1]
    conformance.is_tight_and_right_in(balls, found, value, TIGHT, moved)
