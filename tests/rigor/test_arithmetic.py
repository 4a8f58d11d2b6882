"""Error rules of arithmetic, against exact rationals."""

import math
import operator
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.rigor import Enclosure
from tests.rigor.oracle import (
    NO,
    UNSURE,
    YES,
    Case,
    apply,
    ball,
    does_not_know_what_is_unknown,
    holds_at_every_magnitude,
    holds_whatever_is_drawn,
    is_sharp,
    quotient,
    truth,
)

CASES = [
    Case("aten.neg.default", operator.neg),
    Case("aten.abs.default", abs),
    Case("aten.reciprocal.default", lambda x: quotient(Fraction(1), x)),
    Case("aten.add.Scalar", lambda x: x + Fraction(0.1), (0.1,), near=(-0.1,)),
    Case("aten.sub.Scalar", lambda x: x - Fraction(0.1), (0.1,), near=(0.1,)),
    Case("aten.rsub.Scalar", lambda x: 1 - x, (1.0,), near=(1.0,)),
    Case("aten.rsub.Scalar", lambda x: 3 - Fraction(0.7) * x, (3.0, 0.7), near=(30 / 7,)),
    Case("aten.div.Tensor", quotient, arity=2),
    Case("aten.add.Tensor", operator.add, arity=2),
    Case("aten.sub.Tensor", operator.sub, arity=2),
    Case("aten.rsub.Tensor", lambda x, y: y - x, arity=2),
    Case("aten.mul.Tensor", operator.mul, arity=2),
    Case("aten.addcmul.default", lambda x, y, z: x + y * z, arity=3),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_enclosures_hold_the_exact_value_at_every_magnitude(case: Case) -> None:
    holds_at_every_magnitude(case, 400 if case.arity == 1 else 700)


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_enclosures_hold_the_exact_value_of_whatever_hypothesis_tries(case: Case, data: st.DataObject) -> None:
    holds_whatever_is_drawn(case, data)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_exact_arguments_give_sharp_enclosures(case: Case) -> None:
    is_sharp(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_unknown_argument_gives_an_unknown_result_never_nan(case: Case) -> None:
    does_not_know_what_is_unknown(case)


def test_products_and_quotients_by_a_number_as_rules() -> None:
    x = ball([1e-120, 3.0, -7.0], [0.0, 1e-9, 2.0])
    for name, number in (("aten.mul.Scalar", 1e-200), ("aten.mul.Scalar", -0.7), ("aten.div.Scalar", 3.0)):
        result = apply(name, x, number)
        for lane in range(3):
            for weight in (Fraction(-1), Fraction(0), Fraction(1)):
                point = Fraction(float(x.mid[lane])) + weight * Fraction(float(x.rad[lane]))
                exact = point * Fraction(number) if "mul" in name else point / Fraction(number)
                assert abs(exact - Fraction(float(result.mid[lane]))) <= Fraction(float(result.rad[lane]))


def test_nothing_is_known_of_a_quotient_whose_divisor_may_be_0() -> None:
    straddling = ball([1e-3, 0.0, -1.0], [1e-2, 1e-9, 2.0])
    assert bool(apply("aten.reciprocal.default", straddling).rad.isinf().all())
    assert bool(apply("aten.div.Tensor", ball([1.0, 2.0, 0.0]), straddling).rad.isinf().all())


def test_an_exact_infinity_is_told_from_a_number_that_overflowed() -> None:
    inf, small = ball([math.inf]), ball([3.0], [1e-3])
    for kept in (
        apply("aten.add.Tensor", inf, small),
        apply("aten.sub.Tensor", inf, small),
        apply("aten.mul.Tensor", small, inf),
        apply("aten.div.Tensor", inf, small),
    ):
        assert kept.mid.tolist() == [math.inf]
        assert kept.rad.tolist() == [0.0]
    near_zero = ball([1e-3], [1e-2])
    for lost in (
        apply("aten.mul.Tensor", inf, near_zero),
        apply("aten.div.Tensor", inf, near_zero),
        apply("aten.sub.Tensor", inf, inf),
        apply("aten.mul.Tensor", ball([1e200]), ball([1e200])),
        apply("aten.reciprocal.default", ball([0.0], [1e-300])),
        apply("aten.add.Tensor", inf, ball([1.0], [math.inf])),
    ):
        assert lost.rad.tolist() == [math.inf]


def whole(*values: int) -> Enclosure:
    return Enclosure.exactly(torch.tensor(values))


def test_whole_numbers_stay_whole_and_exact() -> None:
    places = whole(0, 3, -5)
    for result, exact in (
        (apply("aten.add.Tensor", places, 1), [1, 4, -4]),
        (apply("aten.sub.Tensor", places, whole(1, 1, 1)), [-1, 2, -6]),
        (apply("aten.mul.Tensor", places, 7), [0, 21, -35]),
        (apply("aten.rsub.Scalar", places, 2), [2, -1, 7]),
        (apply("aten.remainder.Scalar", places, 3), [0, 0, 1]),
        (apply("aten.div.Tensor_mode", places, 2, rounding_mode="floor"), [0, 1, -3]),
    ):
        assert result.mid.dtype == torch.int64
        assert result.mid.tolist() == exact
        assert result.rad.tolist() == [0.0, 0.0, 0.0]


def test_a_whole_number_that_may_have_wrapped_around_is_unknown() -> None:
    large = whole(2**62, 2**40)
    assert apply("aten.mul.Tensor", large, 4).rad.tolist() == [math.inf, 0.0]
    assert apply("aten.add.Tensor", large, large).rad.tolist() == [math.inf, 0.0]


def test_a_number_too_large_for_a_double_has_a_radius() -> None:
    result = apply("aten.add.Tensor", ball([0.0]), 2**60 + 1)
    assert abs(Fraction(float(result.mid[0])) - (2**60 + 1)) <= Fraction(float(result.rad[0]))


def test_truth_values_are_counted() -> None:
    masked = apply("aten.mul.Tensor", truth(YES, NO, UNSURE), ball([2.0, 3.0, 5.0]))
    assert masked.mid[:2].tolist() == [2.0, 0.0]
    assert masked.rad[0] < 1e-14
    assert masked.lower[2] <= 0.0 < 5.0 <= masked.upper[2]
    third = apply("aten.div.Tensor", Enclosure.exactly(torch.tensor(1)), Enclosure.exactly(torch.tensor(3)))
    assert float(third.mid) == 1 / 3
    either = apply("aten.add.Tensor", truth(YES, NO), truth(NO, NO))
    assert either.mid.tolist() == [True, False]
    counted = apply("aten.sub.Tensor", ball([1.0, 1.0]), truth(YES, UNSURE))
    assert counted.mid[0] == 0.0
    assert counted.lower[1] <= 0.0 < 1.0 <= counted.upper[1]
