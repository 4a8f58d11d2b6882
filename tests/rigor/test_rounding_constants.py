"""Radii against exact rational numbers, at operands where roundings go the wrong way: no constant is too small, none too large.

A bound is held from both sides: it contains the exact worst case, computed in fractions, and exceeds it by no more than the
rounding of one operation and a few units of underflow.
"""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor import Enclosure
from boundcheck.rigor.arithmetic import absolute, add, addcmul, div, mul, neg, reciprocal, rsub, square, sub
from boundcheck.rigor.enclosure import (
    UNDERFLOW,
    UNIT_ROUNDOFF,
    frobenius_upper,
    gamma,
    literal,
    literal_radius,
    rounding,
    widen,
)
from boundcheck.rigor.registry import aten, lookup

U = Fraction(1, 2**53)
UNIT = Fraction(1, 2**1074)
SLACK = 1 + Fraction(1, 2**40)
INF, NAN = math.inf, math.nan

Ball = tuple[float, float]


def ball(*balls: Ball) -> Enclosure:
    mids, rads = zip(*balls, strict=True)
    return Enclosure(torch.tensor(mids, dtype=torch.float64), torch.tensor(rads, dtype=torch.float64))


def only(value: Tensor) -> Fraction:
    return Fraction(float(value))


def corners(x: Ball) -> tuple[Fraction, Fraction]:
    return Fraction(x[0]) - Fraction(x[1]), Fraction(x[0]) + Fraction(x[1])


def held_tightly(
    rule: Callable[..., Enclosure], exact: Callable[..., Fraction], *operands: Ball, units: int = 0
) -> tuple[float, float]:
    """The result's radius holds the exact worst case, and little more. (The operations are monotone in each operand.)"""
    result = rule(*(ball(operand) for operand in operands))
    mid, rad = only(result.mid), only(result.rad)
    worst = max(abs(exact(*point) - mid) for point in itertools.product(*map(corners, operands)))
    assert worst <= rad, operands
    centre = exact(*(Fraction(operand[0]) for operand in operands))
    spread = max(abs(exact(*point) - centre) for point in itertools.product(*map(corners, operands)))
    assert rad <= SLACK * (spread + U * abs(mid)) + units * UNIT, operands
    return float(mid), float(rad)


# ----------------------------------------------------------------------------------------------- the number type itself


def test_the_units_are_those_of_double() -> None:
    double = torch.finfo(torch.float64)
    assert double.eps == 2 * UNIT_ROUNDOFF
    assert double.tiny * double.eps == UNDERFLOW
    assert UNDERFLOW > 0 == UNDERFLOW / 2


def test_widening_outweighs_256_roundings_that_all_go_down() -> None:
    factor = only(widen(torch.ones(1, dtype=torch.float64)))
    assert factor == 1 + Fraction(1, 2**44)
    lowered = (1 - U) ** 257  # 256 operations and the multiplication by the factor
    assert lowered * factor >= 1
    assert lowered * (1 + Fraction(1, 2**45)) < 1


@pytest.mark.parametrize("terms", [1, 2**9, 2**20])
def test_widening_for_a_sum_outweighs_twice_the_roundings_of_its_additions(terms: int) -> None:
    factor = only(widen(torch.ones(1, dtype=torch.float64), terms))
    assert factor == 1 + Fraction(1, 2**44) + terms * Fraction(1, 2**52)


def test_widening_for_a_sum_restores_what_every_addition_lost() -> None:
    terms = torch.full((2**20,), 2.0**-53, dtype=torch.float64)
    terms[0] = 1.0
    total = terms.cumsum(0)[-1:]  # one after the other: each addition is a tie that goes down
    assert float(total) == 1.0
    assert only(widen(total, len(terms))) >= 1 + (len(terms) - 1) * U


def test_gamma_is_its_formula_to_one_rounding() -> None:
    for terms in (1, 2, 3, 10, 1000, 2**20, 2**40):
        exact = terms * U / (1 - terms * U)
        assert abs(Fraction(gamma(terms)) - exact) <= U * exact


def test_gamma_is_reached_by_additions_that_all_go_down() -> None:
    """Sequential sums reach nearly (n - 1)·u·Σ|terms|: with a smaller gamma they would not be held."""
    terms = [1.0, *[2.0**-53] * 4095]
    error = sum(map(Fraction, terms)) - 1
    assert error <= Fraction(gamma(len(terms))) * sum(map(Fraction, terms))
    assert error > Fraction(gamma(len(terms) - 2)) * sum(map(Fraction, terms))


@pytest.mark.parametrize("ulps", [1.0, 4.0])
def test_the_radius_of_roundings_is_relative_plus_underflow(ulps: float) -> None:
    values = [0.0, -5e-324, 3.0, -1e300, 2.0**-1022]
    radius = rounding(torch.tensor(values, dtype=torch.float64), ulps)
    for value, rad in zip(values, radius, strict=True):
        exact = int(ulps) * (abs(Fraction(value)) * U + UNIT)
        assert abs(only(rad) - exact) <= max(U * exact, UNIT / 2)
    assert torch.equal(rounding(torch.ones(1)), rounding(torch.ones(1), 1.0))


ENDS: list[Ball] = [
    (1.0, 2.0**-60), (1.0, 2.0**-54), (-1.0, 2.0**-54), (1.0, 1.0), (0.1, 1.0), (-0.3, 0.1), (5e-324, 5e-324), (0.0, 1e-300),
    (1e300, 3e299), (-7.0, 1e-3), (2.5, 7.0),
]  # fmt: skip


@pytest.mark.parametrize("x", ENDS)
def test_ends_lie_outside_by_less_than_two_ulps(x: Ball) -> None:
    low, high = corners(x)
    enclosure = ball(x)
    size = abs(Fraction(x[0])) + Fraction(x[1])
    assert low - 4 * U * size - UNIT <= only(enclosure.lower) <= low
    assert high <= only(enclosure.upper) <= high + 4 * U * size + UNIT
    assert size <= only(enclosure.magnitude) <= SLACK * size


def test_an_exact_number_has_itself_as_ends_and_a_radius_in_double() -> None:
    for value in (torch.tensor([1, -2]), torch.tensor([0.5], dtype=torch.float32)):
        x = Enclosure.exactly(value)
        assert x.rad.dtype == torch.float64
        assert not x.rad.any()
        assert torch.equal(x.lower, value.double())
        assert torch.equal(x.upper, value.double())


def test_the_frobenius_bound_outweighs_squares_that_underflow() -> None:
    below = math.nextafter(2.0**-537.5, 0.0)  # its square is a hair below half the least double
    values = torch.full((2, 3, 5), below, dtype=torch.float64)
    assert below * below == 0.0
    bound = frobenius_upper(values)
    assert bound.shape == (2, 1, 1)
    for each in bound.flatten():
        assert only(each) ** 2 >= 15 * Fraction(below) ** 2


def test_the_frobenius_bound_allows_for_any_order_of_summation_and_no_more() -> None:
    for rows, columns in ((1, 1), (3, 5), (400, 500)):
        entries = rows * columns
        values = torch.zeros(2, rows, columns, dtype=torch.float64)
        values[:, 0, 0] = 1.0
        for each in frobenius_upper(values).flatten():
            assert 1 + (entries + 200) * U <= only(each) <= 1 + Fraction(1, 2**43) + 4 * entries * U
        for each in frobenius_upper(torch.zeros_like(values)).flatten():
            assert 0.99 <= float(each) / (math.sqrt(entries) * 2.0**-537) <= 1.01


# ------------------------------------------------------------------------------------------- roundings that go the wrong way

TICK = 2.0**-52


def test_a_sum_that_loses_half_an_ulp() -> None:
    assert held_tightly(add, lambda x, y: x + y, (1.0, 0.0), (2.0**-53, 0.0))[0] == 1.0
    assert held_tightly(sub, lambda x, y: x - y, (1.0, 0.0), (-(2.0**-53), 0.0))[0] == 1.0


def test_a_sum_of_radii_that_loses_half_an_ulp() -> None:
    held_tightly(add, lambda x, y: x + y, (0.0, 1.0), (0.0, 2.0**-53))
    held_tightly(add, lambda x, y: x + y, (0.0, 1.0 + 2 * TICK), (0.0, 2.0**-53))


def test_a_product_that_loses_half_an_ulp() -> None:
    held_tightly(mul, lambda x, y: x * y, (1 + 2.0**-26, 0.0), (1 + 2.0**-27, 0.0), units=2)
    held_tightly(square, lambda x: x * x, (1 + 2.0**-26 + 2.0**-27, 0.0), units=2)


@pytest.mark.parametrize("size", [1 + TICK, 1 + 3 * TICK, 1.1, 1.3, 1.7, 0.1, 1 / 3])
def test_products_and_quotients_of_radii_that_round_down(size: float) -> None:
    for other in (1 + TICK, 1.7, 0.3, 3.0):
        held_tightly(mul, lambda x, y: x * y, (0.0, size), (0.0, other), units=2)
        held_tightly(mul, lambda x, y: x * y, (4.0, 0.0), (1.0, size), units=2)
        held_tightly(mul, lambda x, y: x * y, (0.0, size), (other, 0.0), units=2)
        held_tightly(div, lambda x, y: x / y, (0.0, size), (other, 0.0), units=3)
    held_tightly(square, lambda x: x * x, (0.0, size), units=2)


def test_a_quotient_that_loses_half_an_ulp() -> None:
    rng = np.random.default_rng(3)
    ticks = rng.integers(1, 2**28, (2000, 2))
    x = torch.from_numpy(1 + ticks.max(1) * TICK)
    y = torch.from_numpy(1 + ticks.min(1) * TICK)
    result = div(Enclosure.exactly(x), Enclosure.exactly(y))
    share = []
    for a, b, mid, rad in zip(x.tolist(), y.tolist(), result.mid.tolist(), result.rad.tolist(), strict=True):
        error = abs(Fraction(a) / Fraction(b) - Fraction(mid))
        assert error <= Fraction(rad)
        share.append(float(error / Fraction(rad)))
    assert max(share) > 0.99


# ----------------------------------------------------------------------------------------------------------- every magnitude


def _operands(count: int, seed: int) -> list[Ball]:
    rng = np.random.default_rng(seed)
    mids = np.ldexp(rng.integers(-(2**12), 2**12, count) + 0.5, rng.integers(-20, 20, count))
    radii = np.abs(mids) * rng.choice([0.0, 2.0**-53, 1e-9, 0.3, 0.99], count)
    return list(zip(mids.tolist(), radii.tolist(), strict=True))


@pytest.mark.parametrize(
    ("rule", "exact", "units"),
    [
        (add, lambda x, y: x + y, 0),
        (sub, lambda x, y: x - y, 0),
        (rsub, lambda x, y: y - x, 0),
        (mul, lambda x, y: x * y, 2),
        (div, lambda x, y: x / y, 3),
    ],
)
def test_radii_of_ordinary_operands_are_tight(rule: Any, exact: Any, units: int) -> None:
    for x, y in zip(_operands(80, 1), _operands(80, 2), strict=True):
        held_tightly(rule, exact, x, y, units=units)


def test_radii_of_one_operand_are_tight() -> None:
    for x in _operands(80, 4):
        held_tightly(neg, lambda x: -x, x)
        held_tightly(reciprocal, lambda x: 1 / x, x, units=3)
        held_tightly(square, lambda x: x * x, x, units=2)
        result = absolute(ball(x))
        assert (only(result.mid), only(result.rad)) == (abs(Fraction(x[0])), Fraction(x[1]))
        assert only(neg(ball(x)).rad) == Fraction(x[1])


def test_factors_given_by_the_operator() -> None:
    x, y, z = (2.5, 1e-3), (1.25, 0.5), (-0.75, 0.25)
    three = Fraction(3)
    cases: list[tuple[Callable[..., Enclosure], Callable[..., Fraction]]] = [
        (lambda a, b: add(a, b, alpha=3), lambda a, b: a + three * b),
        (lambda a, b: sub(a, b, alpha=3), lambda a, b: a - three * b),
        (lambda a, b: rsub(a, b, alpha=3), lambda a, b: b - three * a),
        (lambda a, b: add(a, b, alpha=2), lambda a, b: a + 2 * b),
        (lambda a, b: add(a, b, alpha=0), lambda a, b: a),
        (lambda a, b: add(a, b, alpha=-1), lambda a, b: a - b),
    ]
    for rule, exact in cases:
        result = rule(ball(x), ball(y))
        mid, rad = only(result.mid), only(result.rad)
        worst = max(abs(exact(*point) - mid) for point in itertools.product(corners(x), corners(y)))
        assert worst <= rad <= SLACK * (worst + 8 * U * (abs(mid) + 16))
    for value in (1, 3):
        result = addcmul(ball(x), ball(y), ball(z), **({"value": value} if value != 1 else {}))
        mid, rad = only(result.mid), only(result.rad)
        points = itertools.product(corners(x), corners(y), corners(z))
        worst = max(abs(a + value * b * c - mid) for a, b, c in points)
        assert worst <= rad <= SLACK * (worst + 8 * U * (abs(mid) + 16))


# ------------------------------------------------------------------------------------------------------------ underflow


def _grid(size: int, operands: int) -> list[Tensor]:
    axes = torch.arange(size, dtype=torch.int64)
    return [axis.flatten() for axis in torch.meshgrid(*[axes] * operands, indexing="ij")]


def test_products_whose_every_part_underflows() -> None:
    """x = (a ± r)·2^-539, y = (b ± s)·2^-539: each part of the radius is a few sixteenths of the least double."""
    a, r, b, s = _grid(9, 4)
    scale = 2.0**-539
    result = mul(Enclosure(a.double() * scale, r.double() * scale), Enclosure(b.double() * scale, s.double() * scale))
    sixteenths = 16 * result.mid.mul(2.0**537).mul(2.0**537).round().to(torch.int64)
    radius = 16 * result.rad.mul(2.0**537).mul(2.0**537).round().to(torch.int64)
    assert bool(((a + r) * (b + s) <= sixteenths + radius).all())
    assert bool(((a - r) * (b + s) >= sixteenths - radius).all())
    assert bool(((a + r) * (b - s) >= sixteenths - radius).all())
    assert bool((radius <= a * s + r * (b + s) + 16 * 4).all())


def test_a_product_of_lost_parts_needs_both_units() -> None:
    x, y = (2.0**-537, 2.0**-538), (2.0**-538, 2.0**-538)
    result = mul(ball(x), ball(y))
    assert float(result.mid) == 0.0
    assert Fraction(3, 2) * UNIT <= only(result.rad) == 2 * UNIT


def test_squares_whose_every_part_underflows() -> None:
    a, r = _grid(90, 2)
    scale = 2.0**-541  # x² in 256ths of the least double
    result = square(Enclosure(a.double() * scale, r.double() * scale))
    mid = 256 * result.mid.mul(2.0**537).mul(2.0**537).round().to(torch.int64)
    radius = 256 * result.rad.mul(2.0**537).mul(2.0**537).round().to(torch.int64)
    assert bool(((a + r) ** 2 <= mid + radius).all())
    assert bool(((a - r) ** 2 >= mid - radius).all())
    assert bool((radius <= 2 * a * r + r * r + 256 * 4).all())
    assert bool(((a + r) ** 2 > mid + radius - 256).any())  # one unit less would not do


def test_quotients_of_the_least_numbers() -> None:
    """x = (a ± r)·2^-1074, y = b ± s with s < b."""
    a, r, b, s = (axis for axis in _grid(9, 4))
    usable = s < b
    a, r, b, s = a[usable], r[usable], b[usable], s[usable]
    result = div(Enclosure(a.double() * UNDERFLOW, r.double() * UNDERFLOW), Enclosure(b.double(), s.double()))
    mid = result.mid.mul(2.0**537).mul(2.0**537).round().to(torch.int64)
    rad = result.rad.mul(2.0**537).mul(2.0**537).round().to(torch.int64)
    assert bool((a + r <= (mid + rad) * (b - s)).all())
    assert bool((a - r >= (mid - rad) * (b - s)).all())
    assert bool((a - r >= (mid - rad) * (b + s)).all())
    # (r + (a/b + 1)·s) / (b - s), and the roundings of its parts
    assert bool((rad * (b - s) * b <= (r * b + (a + 2 * b) * s) + 5 * (b - s) * b).all())


def test_a_quotient_that_vanished_beside_a_divisor_that_may_be_tiny() -> None:
    x, y = (5e-324, 0.0), (4.0, 4.0 - 2.0**-50)  # x/y is 2^-1076 at the middle and 2^-1024 at the lower end
    result = div(ball(x), ball(y))
    assert float(result.mid) == 0.0
    assert only(result.rad) >= Fraction(x[0]) * 2**50
    assert only(div(ball((0.0, 0.0)), ball((1.0, 0.0))).rad) <= 3 * UNIT


# ------------------------------------------------------------------------------------------------ infinities and zeros

SPECIAL: list[Ball] = [
    (INF, 0.0), (-INF, 0.0), (INF, INF), (-INF, INF), (NAN, INF), (3.0, 0.0), (-2.0, 0.5), (0.0, 0.0), (0.5, 0.5), (0.25, 0.5),
    (1e308, 1e300), (-1e308, 0.0), (1.0, INF), (1e-300, 0.0),
]  # fmt: skip


def possible(x: Ball) -> set[float]:
    """What an enclosure allows, in words: signs and infinities. The empty radius of an infinity makes it exact."""
    mid, rad = x
    if rad == 0:
        return {mid}
    if math.isinf(rad) or math.isnan(mid):
        return {-INF, -1.0, 0.0, 1.0, INF, NAN}
    return {mid - rad, mid, mid + rad} | ({0.0} if abs(mid) <= rad else set())


@pytest.mark.parametrize(
    ("rule", "float_rule"),
    [
        (add, lambda a, b: a + b),
        (sub, lambda a, b: a - b),
        (mul, lambda a, b: a * b),
        (div, lambda a, b: a / b if b else NAN),
    ],
)
def test_an_infinity_is_exact_exactly_where_every_possible_value_is_that_infinity(rule: Any, float_rule: Any) -> None:
    pairs = list(itertools.product(SPECIAL, repeat=2))
    together = rule(ball(*(x for x, _ in pairs)), ball(*(y for _, y in pairs)))
    for lane, (x, y) in enumerate(pairs):
        alone = rule(ball(x), ball(y))
        mid, rad = float(alone.mid), float(alone.rad)
        assert rad == float(together.rad[lane]), (x, y)
        assert rad >= 0
        if math.isnan(mid):
            assert math.isinf(rad)
        if math.isinf(mid):
            given = math.isinf(x[0]) or math.isinf(y[0])  # a number that overflowed is not an infinity
            certain = given and {float_rule(a, b) for a in possible(x) for b in possible(y)} == {mid}
            assert rad == (0.0 if certain else INF), (x, y)


def test_an_infinity_that_has_a_radius_is_not_an_exact_one() -> None:
    for vague in ((INF, 1.0), (INF, INF)):
        for result in (add(ball(vague), ball((INF, 0.0))), add(ball((INF, 0.0)), ball(vague))):
            assert (float(result.mid), float(result.rad)) == (INF, INF)


def test_nothing_is_known_of_a_quotient_by_what_may_be_0() -> None:
    for divisor in ((1.0, 1.0), (-1.0, 1.0), (0.0, 0.0), (0.5, 2.0), (1.0, INF)):
        assert float(div(ball((1.0, 0.0)), ball(divisor)).rad) == INF
    assert math.isfinite(float(div(ball((1.0, 0.0)), ball((1.0, math.nextafter(1.0, 0.0)))).rad))


# ------------------------------------------------------------------------------------------ whole numbers and truth values


def whole(value: int, dtype: torch.dtype = torch.int32) -> Enclosure:
    return Enclosure.exactly(torch.tensor([value], dtype=dtype))


def test_whole_numbers_are_exact_up_to_half_their_range_and_unknown_beyond() -> None:
    half = torch.iinfo(torch.int32).max // 2
    for x, y in ((half, 0), (0, -half), (half - 7, 7), (-half + 9, -9), (2, 3)):
        result = add(whole(x), whole(y))
        assert (int(result.mid), float(result.rad)) == (x + y, 0.0)
    for x, y in ((half, 1), (-half, -1), (1, half), (half, half), (2 * half + 1, 2 * half + 1)):
        assert float(add(whole(x), whole(y)).rad) == INF
    for x, y in ((half, 1), (-1, half), (46340 // 2, 46340), (-3, -5)):
        result = mul(whole(x), whole(y))
        assert (int(result.mid), float(result.rad)) == (x * y, 0.0)
    for x, y in ((half + 1, 1), (-half - 1, 1), (1, -half - 1), (2**16, 2**16)):
        assert float(mul(whole(x), whole(y)).rad) == INF
        assert add(whole(x), whole(y)).rad.dtype == torch.float64


def test_quotients_of_whole_numbers_are_computed_in_double() -> None:
    for rule, operands in ((div, (whole(1), whole(3))), (div, (whole(1), 3)), (reciprocal, (whole(3),))):
        result = rule(*operands)
        assert (result.mid.dtype, float(result.mid)) == (torch.float64, 1 / 3)
        assert abs(Fraction(1, 3) - only(result.mid)) <= only(result.rad) <= SLACK * U


@pytest.mark.parametrize("name", ["remainder", "fmod"])
def test_remainders_of_whole_numbers(name: str) -> None:
    exact = {
        "remainder": lambda a, b: a - b * math.floor(Fraction(a, b)),
        "fmod": lambda a, b: a - b * int(Fraction(a, b)),
    }
    for a, b in itertools.product((-7, -1, 0, 5, 6), (-3, -1, 2, 3)):
        for rule in (lookup(getattr(getattr(aten, name), overload)) for overload in ("Tensor", "Scalar")):
            for result in (rule(whole(a), whole(b)), rule(whole(a), b)):
                assert (int(result.mid), float(result.rad)) == (exact[name](a, b), 0.0)
                assert (result.mid.dtype, result.rad.dtype) == (torch.int32, torch.float64)


@pytest.mark.parametrize(("mode", "exact"), [("floor", math.floor), ("trunc", int)])
def test_quotients_of_whole_numbers(mode: str, exact: Callable[[Fraction], int]) -> None:
    for rule in (lookup(aten.div.Tensor_mode), lookup(aten.div.Scalar_mode)):
        for a, b in itertools.product((-7, -1, 0, 5, 6), (-3, -1, 2, 3)):
            result = rule(whole(a), whole(b), rounding_mode=mode)
            assert (int(result.mid), float(result.rad)) == (exact(Fraction(a, b)), 0.0)
        unsure = Enclosure(torch.tensor([6]), torch.tensor([1.0], dtype=torch.float64))
        for x, y in ((whole(6), whole(0)), (unsure, whole(2)), (whole(6), unsure), (unsure, unsure)):
            assert float(rule(x, y, rounding_mode=mode).rad) == INF
        for x, y in ((ball((6.0, 0.0)), whole(2)), (whole(6), ball((2.0, 0.0))), (ball((6.0, 0.0)), ball((2.0, 0.0)))):
            with pytest.raises(UnknownOperatorError):
                rule(x, y, rounding_mode=mode)


@pytest.mark.parametrize(("left", "right"), list(itertools.product([False, True], repeat=2)))
def test_truth_values_are_joined_among_themselves_and_counted_beside_numbers(left: bool, right: bool) -> None:
    x, y = Enclosure.exactly(torch.tensor([left])), Enclosure.exactly(torch.tensor([right]))
    either, both = add(x, y), mul(x, y)
    assert (either.mid.dtype, bool(either.mid)) == (torch.bool, left or right)
    assert (both.mid.dtype, bool(both.mid)) == (torch.bool, left and right)
    number = ball((2.5, 0.0))
    assert float(add(x, number).mid) == left + 2.5
    assert float(add(number, x).mid) == left + 2.5
    assert float(mul(x, number).mid) == left * 2.5
    assert float(mul(number, x).mid) == left * 2.5
    assert int(sub(x, y).mid) == left - right


def test_an_undecided_truth_value_beside_a_number_is_0_or_1() -> None:
    undecided = Enclosure(torch.tensor([True]), torch.tensor([INF], dtype=torch.float64))
    for result in (add(undecided, ball((2.5, 0.0))), add(ball((2.5, 0.0)), undecided)):
        assert 1.0 <= float(result.rad) < 1.001
    for result in (mul(undecided, ball((2.5, 0.0))), mul(ball((2.5, 0.0)), undecided)):
        assert 2.5 <= float(result.rad) < 2.501


def test_no_result_shares_its_radius_with_an_operand() -> None:
    x = ball((1.0, 0.5))
    for result in (neg(x), absolute(x)):
        result.rad.fill_(7.0)
    assert x.rad.tolist() == [0.5]


@pytest.mark.parametrize("value", [0.0, -0.0, math.inf, -math.inf, math.nan])
def test_a_literal_that_is_0_or_no_number_is_meant_as_it_is(value: float) -> None:
    assert literal_radius(value) == 0.0


@pytest.mark.parametrize("sign", [1, -1])
def test_a_literal_of_few_digits_is_meant_as_it_is(sign: int) -> None:
    for bits, exact in ((1, True), (20, True), (41, True), (42, True), (43, False), (53, False)):
        value = sign * (2.0 ** (bits - 1) + 1 if bits > 1 else 1.0) / 2.0**60  # an odd number of so many bits, scaled
        assert literal_radius(value) == (0.0 if exact else abs(value) * 2.0**-53), bits


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_whole_literal_is_meant_as_it_is_however_long(sign: float) -> None:
    for value in (3.0, 2.0**52 + 1, 2.0**53 - 1, 1e300):
        assert literal_radius(sign * value) == 0.0


def test_the_radius_of_a_literal_reaches_the_number_that_was_meant() -> None:
    for text in ("0.1", "-0.1", "0.3", "1e-5", "2.718281828459045"):
        value = float(text)
        assert literal_radius(value) == abs(value) * 2.0**-53
        assert abs(Fraction(value) - Fraction(text)) <= Fraction(literal_radius(value))


def test_a_tensor_of_literals_has_the_radius_of_each() -> None:
    values = [
        0.0,
        0.1,
        -0.1,
        3.0,
        2.0**52 + 1,
        (2.0**41 + 1) / 2.0**60,
        (2.0**42 + 1) / 2.0**60,
        -(2.0**42 + 1) / 2.0**60,
        1e300,
    ]
    found = literal(torch.tensor(values, dtype=torch.float64))
    assert found.mid.tolist() == values
    assert found.rad.tolist() == [literal_radius(value) for value in values]
    endless = literal(torch.tensor([INF, -INF, NAN], dtype=torch.float64))
    assert endless.rad.tolist() == [0, 0, 0]
    whole = literal(torch.tensor([1, 2**53 + 1]))
    assert whole.rad.tolist() == [0, 0]
    assert whole.mid.dtype == torch.int64
    assert whole.mid.tolist() == [1, 2**53 + 1]
    assert literal(torch.tensor([0.1])).mid.dtype == torch.float64


def whole_sum(x: int, y: int, dtype: torch.dtype) -> Enclosure:
    parts = [Enclosure.exactly(torch.tensor([value], dtype=dtype)) for value in (x, y)]
    return add(*parts)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.int64])
def test_whole_numbers_add_exactly_as_long_as_they_cannot_wrap_around(dtype: torch.dtype) -> None:
    quarter, least = torch.iinfo(dtype).max // 4, torch.iinfo(dtype).min
    for x, y in ((3, -5), (quarter, 0), (0, -quarter), (quarter, -quarter)):
        found = whole_sum(x, y, dtype)
        assert found.rad.dtype == torch.float64
        assert found.rad.tolist() == [0.0]
        assert found.mid.tolist() == [x + y]
    for x, y in ((least, 0), (0, least), (2 * quarter, quarter)):
        assert whole_sum(x, y, dtype).rad.tolist() == [INF], (x, y)


def test_unsigned_numbers_may_wrap_at_once() -> None:
    assert whole_sum(0, 0, torch.uint8).rad.tolist() == [0.0]
    assert whole_sum(1, 0, torch.uint8).rad.tolist() == [INF]
    assert whole_sum(0, 1, torch.uint8).rad.tolist() == [INF]


def test_a_whole_number_just_above_half_the_range_is_unknown() -> None:
    assert whole_sum(63, 0, torch.int8).rad.tolist() == [0.0]
    assert whole_sum(32, 31, torch.int8).rad.tolist() == [0.0]
    assert whole_sum(64, 0, torch.int8).rad.tolist() == [INF]
    assert whole_sum(32, 32, torch.int8).rad.tolist() == [INF]
    assert whole_sum(-128, 0, torch.int8).rad.tolist() == [INF]
    assert whole_sum(0, -128, torch.int8).rad.tolist() == [INF]


@pytest.mark.parametrize("operation", [neg, absolute])
def test_signs_of_whole_numbers_change_exactly_as_long_as_they_cannot_wrap_around(
    operation: Callable[..., Enclosure],
) -> None:
    def radius(value: int) -> list[float]:
        found = operation(Enclosure.exactly(torch.tensor([value], dtype=torch.int8)))
        assert found.rad.dtype == torch.float64
        return found.rad.tolist()

    doubled = operation is neg  # counted twice, to be on the safe side
    most = 31 if doubled else 63
    for value in (0, 5, -5, most, -most):
        assert radius(value) == [0.0]
    for value in (most + 1, -most - 1, 127, -127, -128):
        assert radius(value) == [INF]


def test_products_of_whole_numbers_are_exact_as_long_as_they_cannot_wrap_around() -> None:
    def product(x: int, y: int) -> Enclosure:
        return mul(*(Enclosure.exactly(torch.tensor([value], dtype=torch.int8)) for value in (x, y)))

    for x, y in ((7, 9), (-7, 9), (63, 1), (1, -63), (0, -128), (-128, 0)):
        found = product(x, y)
        assert found.mid.tolist() == [x * y]
        assert found.rad.tolist() == [0.0]
    for x, y in ((8, 8), (-8, 8), (64, 1), (1, 64), (-128, 1), (1, -128), (-128, -128)):
        assert product(x, y).rad.tolist() == [INF], (x, y)


@pytest.mark.parametrize("turned", [False, True])
def test_an_exact_0_times_a_number_is_exactly_0_and_nothing_else_is(turned: bool) -> None:
    def radius(x: Ball, y: Ball) -> float:
        found = mul(ball(y), ball(x)) if turned else mul(ball(x), ball(y))
        return float(found.rad[0])

    assert radius((0.0, 0.0), (5.0, 1.0)) == 0.0
    assert radius((0.0, 0.0), (0.0, 0.0)) == 0.0
    assert radius((0.0, 0.0), (5.0, INF)) == INF
    assert radius((0.0, 1.0), (5.0, 0.0)) >= 5.0
    assert radius((1.0, 0.0), (0.0, 0.5)) >= 0.5
    assert radius((-1.0, 0.0), (0.0, 0.5)) >= 0.5
    assert radius((1e-200, 0.0), (1e-200, 0.0)) > 0.0
    both = mul(ball((0.0, 0.0), (2.0, 0.25)), ball((5.0, 1.0), (4.0, 0.0)))  # an exact 0 in one entry touches no other
    assert both.rad[0] == 0.0
    assert both.rad[1] >= 1.0


def test_division_with_remainder_is_for_whole_numbers_alone() -> None:
    divide = lookup(aten.remainder.Tensor)
    whole, real = Enclosure.exactly(torch.tensor([7])), ball((2.0, 0.0))
    for x, y in ((whole, real), (real, whole), (real, real)):
        with pytest.raises(UnknownOperatorError):
            divide(x, y)
    assert divide(whole, Enclosure.exactly(torch.tensor([2]))).rad.tolist() == [0.0]
    assert divide(whole, Enclosure.exactly(torch.tensor([0]))).rad.tolist() == [INF]
