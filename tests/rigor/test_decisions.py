"""Decisions: a truth that an enclosure leaves open is undecided, and one that it decides holds at every point."""

import math
import operator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor import Enclosure
from tests.rigor.oracle import (
    DECISIONS,
    NO,
    SEED,
    UNSURE,
    WEIGHTS,
    YES,
    apply,
    ball,
    check,
    midpoints,
    points,
    radii,
    truth,
)


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decided_comparison_is_true_of_every_point(name: str) -> None:
    rng = np.random.default_rng(SEED)
    lanes = 300
    left = midpoints(rng, lanes)
    right = np.where(
        rng.random(lanes) < 0.6, left + rng.integers(-3, 4, lanes) * np.spacing(left), midpoints(rng, lanes)
    )
    scalar = name.endswith("Scalar")
    if scalar:
        right = np.full(lanes, 0.5)
        left = np.where(rng.random(lanes) < 0.7, 0.5 + rng.integers(-3, 4, lanes) * 2.0**-53, left)
    x, y = ball(left, radii(rng, left)), ball(right, np.zeros(lanes) if scalar else radii(rng, right))
    result = apply(name, x, 0.5 if scalar else y)
    decided = result.rad == 0
    assert int(decided.sum()) > lanes // 5
    for lane in torch.nonzero(decided).flatten().tolist():
        for v in WEIGHTS:
            for w in WEIGHTS[:3]:
                p = points(float(x.mid[lane]), float(x.rad[lane]), v)
                q = points(float(y.mid[lane]), float(y.rad[lane]), w)
                assert DECISIONS[name](p, q) == bool(result.mid[lane])


def test_a_value_that_is_not_known_decides_no_comparison() -> None:
    unknown = Enclosure(
        torch.tensor([math.nan, math.inf, -math.inf], dtype=torch.float64), torch.full((3,), math.inf).double()
    )
    for name in DECISIONS:
        other: Any = 0.5 if name.endswith("Scalar") else ball([0.5, math.inf, 0.0])
        assert bool(apply(name, unknown, other).rad.isinf().all()), name
        if name.endswith("Tensor"):
            assert bool(apply(name, other, unknown).rad.isinf().all()), name
            assert bool(apply(name, unknown, unknown).rad.isinf().all()), name
    for name in ("aten.isnan.default", "aten.isinf.default"):
        assert bool(apply(name, unknown).rad.isinf().all())


def test_infinities_and_nan_that_were_given_are_decided() -> None:
    given_so = ball([math.nan, math.inf, 1.0])
    assert apply("aten.isnan.default", given_so).mid.tolist() == [True, False, False]
    assert apply("aten.isinf.default", given_so).mid.tolist() == [False, True, False]
    finite = apply("aten.ne.Scalar", apply("aten.abs.default", ball([math.inf, 5.0], 0.0)), math.inf)
    assert finite.mid.tolist() == [False, True]
    assert finite.rad.tolist() == [0.0, 0.0]
    assert apply("aten.lt.Scalar", ball([5.0], [math.inf]), math.inf).rad.tolist() == [0.0]


def test_a_decision_does_not_depend_on_the_other_lanes() -> None:
    x = ball([1.0, math.nan, 2.0, 3.0], [0.1, math.inf, 0.0, 2.0])
    y = ball([math.inf, 0.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.5])
    for name in DECISIONS:
        if name.endswith("Tensor"):
            together = apply(name, x, y)
            for lane in range(4):
                alone = apply(
                    name,
                    Enclosure(x.mid[lane : lane + 1], x.rad[lane : lane + 1]),
                    Enclosure(y.mid[lane : lane + 1], y.rad[lane : lane + 1]),
                )
                assert alone.rad.tolist() == together.rad[lane : lane + 1].tolist(), name


def test_logic_is_undecided_where_an_operand_is() -> None:
    every = [YES, NO, UNSURE]
    x, y = truth(*(a for a in every for _ in every)), truth(*(b for _ in every for b in every))
    for names, function in (
        (("aten.logical_and.default", "aten.bitwise_and.Tensor", "aten.mul.Tensor"), operator.and_),
        (("aten.logical_or.default", "aten.bitwise_or.Tensor"), operator.or_),
    ):
        for name in names:
            result = apply(name, x, y)
            for lane in range(9):
                if result.rad[lane] == 0:
                    for a in [True, False] if x.rad[lane] else [bool(x.mid[lane])]:
                        for b in [True, False] if y.rad[lane] else [bool(y.mid[lane])]:
                            assert bool(result.mid[lane]) == function(a, b)
            assert bool((result.rad == 0)[[0, 1, 3, 4]].all())
    for name in ("aten.logical_not.default", "aten.bitwise_not.default"):
        result = apply(name, truth(*every))
        assert result.mid[:2].tolist() == [False, True]
        assert result.rad.tolist() == [0.0, 0.0, math.inf]
    rows = Enclosure(x.mid.reshape(3, 3), x.rad.reshape(3, 3))
    for name, function_of in (("aten.all", all), ("aten.any", any)):
        result = apply(f"{name}.dim", rows, 1)
        assert result.mid[:2].tolist() == [function_of([True] * 3), function_of([False] * 3)]
        assert result.rad.tolist() == [0.0, 0.0, math.inf]
        assert float(apply(f"{name}.default", rows).rad) == math.inf
        assert float(apply(f"{name}.default", truth(YES, NO)).rad) == 0.0


def test_bitwise_operators_on_integers_have_no_rule() -> None:
    integers = Enclosure.exactly(torch.tensor([5, 2]))
    for name in ("aten.bitwise_and.Tensor", "aten.bitwise_or.Tensor"):
        with pytest.raises(UnknownOperatorError, match="int64"):
            apply(name, integers, integers)
    with pytest.raises(UnknownOperatorError, match="int64"):
        apply("aten.bitwise_not.default", integers)


def test_where_encloses_both_branches_exactly_where_the_condition_is_undecided() -> None:
    rng = np.random.default_rng(SEED)
    lanes = 200
    c, a, b = (midpoints(rng, lanes) for _ in range(3))
    condition, x, y = ball(c, radii(rng, c)), ball(a, radii(rng, a)), ball(b, radii(rng, b))
    chosen = apply("aten.gt.Scalar", condition, 0.25)
    result = apply("aten.where.self", chosen, x, y)
    for lane in range(lanes):
        for w in WEIGHTS[:3]:
            at = points(float(condition.mid[lane]), float(condition.rad[lane]), w)
            for v in WEIGHTS[:3]:
                p = points(float(x.mid[lane]), float(x.rad[lane]), v)
                q = points(float(y.mid[lane]), float(y.rad[lane]), v)
                check("where", result, lane, p if at > Fraction(1, 4) else q, f"lane {lane}")
    decided = apply("aten.where.self", truth(YES, NO), ball([1.0, 1.0]), ball([2.0, 2.0]))
    assert decided.mid.tolist() == [1.0, 2.0]
    assert decided.rad.tolist() == [0.0, 0.0]
    unknown = apply("aten.where.self", truth(UNSURE), ball([1.0]), ball([math.nan]))
    assert unknown.rad.tolist() == [math.inf]


def test_a_choice_left_open_is_the_hull_of_both_no_more() -> None:
    slope = apply("aten.where.self", truth(UNSURE, UNSURE), ball([1.0, 2.0], [0.0, 0.5]), ball([0.0, 7.0], [0.0, 1.0]))
    assert slope.mid.tolist() == pytest.approx([0.5, 4.75])
    assert slope.rad.tolist() == pytest.approx([0.5, 3.25], rel=1e-9)
    assert bool((slope.lower <= torch.tensor([0.0, 1.5])).all())
    assert bool((slope.upper >= torch.tensor([1.0, 8.0])).all())


def test_a_choice_between_truths_or_whole_numbers() -> None:
    unsure = truth(YES, UNSURE, UNSURE)
    truths = apply("aten.where.self", unsure, truth(YES, YES, NO), truth(NO, YES, YES))
    assert truths.rad.tolist() == [0.0, 0.0, math.inf]
    numbers = apply(
        "aten.where.self",
        unsure,
        Enclosure.exactly(torch.tensor([1, 2, 3])),
        Enclosure.exactly(torch.tensor([7, 2, 9])),
    )
    assert numbers.mid.dtype == torch.int64
    assert numbers.rad[:2].tolist() == [0.0, 0.0]
    assert numbers.lower[2] <= 3 < 9 <= numbers.upper[2]


def test_logic_over_several_axes_and_of_numbers() -> None:
    cube = Enclosure(
        torch.tensor([[[True, True]], [[True, False]]]), torch.tensor([[[0.0, 0.0]], [[0.0, 0.0]]]).double()
    )
    assert apply("aten.all.dims", cube, [1, 2]).mid.tolist() == [True, False]
    assert apply("aten.any.dims", cube, [0, 2], True).mid.tolist() == [[[True]]]
    numbers = ball([[1.0, 0.0], [2.0, 3.0], [1.0, 0.1]], [[0.0, 0.0], [0.5, 0.5], [0.0, 0.2]])
    result = apply("aten.all.dim", numbers, 1)
    assert result.mid[:2].tolist() == [False, True]
    assert result.rad.tolist() == [0.0, 0.0, math.inf]


def test_whole_numbers_and_truth_values_compare_exactly() -> None:
    places = Enclosure.exactly(torch.arange(4))
    assert apply("aten.eq.Scalar", places, 2).mid.tolist() == [False, False, True, False]
    assert bool((apply("aten.lt.Tensor", places, Enclosure.exactly(torch.tensor(2))).rad == 0).all())
    assert apply("aten.eq.Tensor", truth(YES, NO, UNSURE), truth(YES, YES, NO)).rad.tolist() == [0.0, 0.0, math.inf]
