"""Error rules of elementwise functions, against mpmath."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.rigor import Enclosure
from tests.rigor.oracle import (
    SEED,
    WEIGHTS,
    Case,
    apply,
    ball,
    check,
    does_not_know_what_is_unknown,
    expm1_exact,
    holds_at_every_magnitude,
    holds_whatever_is_drawn,
    huge,
    is_sharp,
    log1p_exact,
    logistic,
    midpoints,
    points,
    positive,
    radii,
    softplus_exact,
    transcendental,
)


def to_the(exponent: float) -> Callable[[Fraction], Any]:
    def oracle(x: Fraction) -> Any:
        if float(exponent).is_integer() and exponent >= 0:
            return x ** int(exponent)
        if x == 0 or (x < 0 and not float(exponent).is_integer()):
            return None
        return transcendental(lambda t: t ** mpmath.mpf(exponent))(x)

    return oracle


def root(x: Fraction) -> Any:
    return transcendental(mpmath.sqrt)(x) if x >= 0 else None


def erfc_exact(t: Any) -> Any:
    """Above 40 any number below every double will do."""
    return mpmath.ldexp(1, -2000) if t > 40 else mpmath.erfc(max(t, -60))


def half_even(x: Fraction) -> Fraction:
    return Fraction(round(x))


POSITIVE = (0.3, 2.0, 17.0)
BETWEEN = (-2.4, -0.3, 0.7, 3.1)

CASES = [
    Case("aten.relu.default", lambda x: max(x, 0)),
    Case("aten.clamp.default", lambda x: min(max(x, Fraction(-1.5)), Fraction(0.75)), (-1.5, 0.75), near=(-1.5, 0.75)),
    Case("aten.clamp.default", lambda x: min(x, Fraction(2)), (None, 2.0), near=(2.0,)),
    Case("aten.clamp_min.default", lambda x: max(x, Fraction(1, 4)), (0.25,), near=(0.25,)),
    Case("aten.sqrt.default", root, near=(5e-324, 1e-300), sharp=POSITIVE),
    Case("aten.rsqrt.default", positive(transcendental(lambda t: 1 / mpmath.sqrt(t))), sharp=POSITIVE),
    Case("aten.tanh.default", transcendental(mpmath.tanh), near=(19.0, 20.0)),
    Case("aten.sigmoid.default", transcendental(logistic), near=(-709.8, -715.0, -744.0, -746.0, 37.0)),
    Case("aten.softplus.default", transcendental(softplus_exact), near=(20.0, -37.0, -720.0, -745.0)),
    Case("aten.softplus.default", transcendental(lambda t: softplus_exact(3 * t) / 3), (3.0,), near=(7.0, -240.0)),
    Case("aten.erf.default", transcendental(mpmath.erf), near=(5.9, 6.0)),
    Case("aten.erfc.default", transcendental(erfc_exact), near=(-5.9, 6.0, 26.0, 26.6, 27.3)),
    Case("aten.sin.default", transcendental(mpmath.sin), near=(math.pi, 1e5, 1e22)),
    Case("aten.cos.default", transcendental(mpmath.cos), near=(math.pi / 2, 1e5, 1e22)),
    Case("aten.atan.default", transcendental(mpmath.atan), near=(1e16,)),
    Case("aten.exp.default", huge(mpmath.exp), near=(-700.0, -708.4, -720.0, -745.0, -800.0, 709.7)),
    Case("aten.expm1.default", huge(expm1_exact), near=(-37.0, -735.0, 709.7, 1e-10)),
    Case("aten.log.default", positive(transcendental(mpmath.log)), near=(1.0, 5e-324, 1e-310), sharp=POSITIVE),
    Case("aten.log1p.default", log1p_exact, near=(-1.0, -1 + 1e-10, 1e-10), sharp=(-0.3, 0.7, 3.1)),
    Case("aten.floor.default", lambda x: Fraction(math.floor(x)), near=(3.0, -2.0), sharp=BETWEEN),
    Case("aten.ceil.default", lambda x: Fraction(math.ceil(x)), near=(3.0, -2.0), sharp=BETWEEN),
    Case("aten.trunc.default", lambda x: Fraction(math.trunc(x)), near=(3.0, -2.0), sharp=BETWEEN),
    Case("aten.round.default", half_even, near=(2.5, -3.5), sharp=BETWEEN),
    *(
        Case("aten.pow.Tensor_Scalar", to_the(e), (e,), near=(1.5, 1e-154, 1.0), sharp=(0.3, 2.0, 7.0))
        for e in (0, 1, 2, 3, 7, -1, -2, 0.5, -0.5, 1.5, 0.25, 33.5, 100.5, -41.25, 1 / 3)
    ),
    Case("aten.maximum.default", max, arity=2),
    Case("aten.minimum.default", min, arity=2),
    Case("aten.max.other", max, arity=2),
    Case("aten.min.other", min, arity=2),
    Case("aten.tanh_backward.default", lambda g, o: g * (1 - o * o), arity=2),
    Case("aten.sigmoid_backward.default", lambda g, o: g * o * (1 - o), arity=2),
    Case(
        "aten.threshold_backward.default", lambda g, x: g if x > Fraction(0.5) else 0 * g, (0.5,), arity=2, near=(0.5,)
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_enclosures_hold_the_exact_value_at_every_magnitude(case: Case) -> None:
    holds_at_every_magnitude(case, 400 if case.arity == 1 else 700)


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_enclosures_hold_the_exact_value_of_whatever_hypothesis_tries(case: Case, data: st.DataObject) -> None:
    holds_whatever_is_drawn(case, data)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_exact_arguments_give_sharp_enclosures(case: Case) -> None:
    is_sharp(case)


@pytest.mark.parametrize("case", [case for case in CASES if case.tail != (0,)], ids=str)
def test_an_unknown_argument_gives_an_unknown_result_never_nan(case: Case) -> None:
    does_not_know_what_is_unknown(case)


def test_nothing_at_all_is_known_of_a_function_of_what_is_unknown() -> None:
    unknown = ball([0.0, 1.0, -3.0], math.inf)
    for case in CASES:
        if case.tail != (0,):
            assert bool(case(*(unknown for _ in range(case.arity))).rad.isinf().all()), case


def test_nothing_is_known_of_a_logarithm_whose_argument_may_be_0() -> None:
    straddling = ball([1e-3, 0.0, -1.0], [1e-2, 1e-9, 2.0])
    for name in ("aten.rsqrt.default", "aten.log.default"):
        assert bool(apply(name, straddling).rad.isinf().all())


def test_an_exact_infinity_is_told_from_a_number_that_overflowed() -> None:
    inf = ball([math.inf])
    for kept in (
        apply("aten.pow.Tensor_Scalar", inf, 2),
        apply("aten.pow.Tensor_Scalar", inf, 1.5),
        apply("aten.minimum.default", inf, inf),
        apply("aten.maximum.default", inf, ball([3.0], [1.0])),
    ):
        assert kept.mid.tolist() == [math.inf]
        assert kept.rad.tolist() == [0.0]
    assert apply("aten.exp.default", ball([1e4])).rad.tolist() == [math.inf]


def test_the_larger_of_two_that_are_apart_is_as_sharp_as_it_was() -> None:
    rectified = apply("aten.maximum.default", ball([-3.0, 3.0, 0.1], [1.0, 1.0, 1.0]), ball([0.0, 0.0, 0.0]))
    assert rectified.mid.tolist() == [0.0, 3.0, 0.1]
    assert rectified.rad.tolist() == [0.0, 1.0, 1.0]
    clamped = apply("aten.clamp.default", ball([-3.0, 0.25, 9.0], [1.0, 0.5, 1.0]), 0.0, 1.0)
    assert clamped.mid.tolist() == [0.0, 0.25, 1.0]
    assert clamped.rad.tolist() == [0.0, 0.5, 0.0]


def test_a_power_holds_for_the_double_and_for_the_fraction_that_is_meant() -> None:
    result = apply("aten.pow.Tensor_Scalar", ball([1e-300, 0.7, 1e300]), 1 / 3)
    for lane in range(3):
        x = Fraction(float([1e-300, 0.7, 1e300][lane]))
        for exponent in (mpmath.mpf(1) / 3, mpmath.mpf(1 / 3)):
            with mpmath.workprec(2400):
                exact = transcendental(lambda t: t)(x) ** exponent
            check("pow", result, lane, exact, str(exponent))


POWERS: list[Callable[[np.random.Generator, int], np.ndarray]] = [
    lambda rng, n: np.abs(midpoints(rng, n)),
    lambda rng, n: np.exp(rng.uniform(-20, 20, n)),
    lambda rng, n: np.asarray(3 * rng.standard_normal(n)),
]


@pytest.mark.parametrize("kind", ["whole", "any"])
@pytest.mark.parametrize("base", range(len(POWERS)))
def test_powers_of_tensors_hold_the_exact_value(kind: str, base: int) -> None:
    rng = np.random.default_rng([SEED, base])
    count = 500
    x = POWERS[base](rng, count)
    whole = rng.integers(-9, 10, count).astype(float)
    y = whole if kind == "whole" else np.where(rng.random(count) < 0.3, whole / 2, 5 * rng.standard_normal(count))
    first, second = ball(x, radii(rng, x)), ball(y, np.zeros(count) if kind == "whole" else 1e-3 * radii(rng, y))
    result = apply("aten.pow.Tensor_Tensor", first, second)
    assert int(result.rad.isfinite().sum()) > count // 5
    for lane in torch.nonzero(result.rad.isfinite()).flatten().tolist():
        for v in WEIGHTS:
            for w in WEIGHTS[:3]:
                p = points(float(first.mid[lane]), float(first.rad[lane]), v)
                q = points(float(second.mid[lane]), float(second.rad[lane]), w)
                if q.denominator == 1 and (p != 0 or q >= 0):
                    exact: Any = transcendental(lambda t, n=int(q): t**n)(p)
                elif p > 0:
                    exact = transcendental(lambda t, e: t**e)(p, q)
                else:
                    exact = Fraction(0) if p == 0 and q > 0 else None
                check("pow", result, lane, exact, f"{p} {q}")


def test_powers_of_tensors_are_sharp() -> None:
    result = apply("aten.pow.Tensor_Tensor", ball([0.3, 2.0, -7.0, 0.0]), ball([1.5, -2.0, 3.0, 2.5]))
    assert bool((result.rad <= 1e-14 * result.mid.abs()).all())
    assert result.mid.tolist()[2:] == [-343.0, 0.0]
    unknown = apply("aten.pow.Tensor_Tensor", ball([-1.0, 0.0, 1.0], [0.0, 0.1, 2.0]), ball([0.5, -1.0, 0.5]))
    assert bool(unknown.rad.isinf().all())


def test_a_step_within_an_enclosure_is_within_the_result() -> None:
    result = apply("aten.floor.default", ball([2.5, 2.0, 2.0, 1e300], [0.4, 1e-9, 0.0, 0.0]))
    assert result.mid.tolist() == [2.0, 2.0, 2.0, 1e300]
    assert result.rad.tolist()[::2] == [0.0, 0.0]
    assert result.lower[1] <= 1.0
    assert result.rad[3] == 0.0
    assert isinstance(result, Enclosure)
