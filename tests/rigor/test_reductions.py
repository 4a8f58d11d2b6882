"""Sums, extremes, norms and products of matrices, against exact rationals."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor import Enclosure
from tests.rigor.oracle import (
    NO,
    SEED,
    UNSURE,
    WEIGHTS,
    YES,
    apply,
    assert_holds,
    ball,
    exact_matrices,
    matrices,
    norm_exact,
    product_exact,
    quotient,
    truth,
)


@pytest.mark.parametrize("columns", [1, 2, 5, 9])
def test_reductions_along_an_axis_hold_the_exact_value(columns: int) -> None:
    x = matrices(columns, 42, 3, columns) if columns > 1 else ball(matrices(1, 42, 3, 2).mid[..., :1], 1e-160)
    for weight in WEIGHTS:
        rows = [row for matrix in exact_matrices(x, weight) for row in matrix]
        assert_holds("sum", apply("aten.sum.dim_IntList", x, [-1]), [sum(row, Fraction(0)) for row in rows])
        means = [quotient(sum(row, Fraction(0)), Fraction(columns)) for row in rows]
        assert_holds("mean", apply("aten.mean.dim", x, [-1]), means)
        running = [sum(row[: j + 1], Fraction(0)) for row in rows for j in range(columns)]
        assert_holds("cumsum", apply("aten.cumsum.default", x, -1), running)
        assert_holds("amax", apply("aten.amax.default", x, [-1]), [max(row) for row in rows])
        assert_holds("amin", apply("aten.amin.default", x, [-1]), [min(row) for row in rows])
        for order in (0, 1, 1.5, 2, 3, 7.25, math.inf, -math.inf):
            norms = apply("aten.linalg_vector_norm.default", x, order, [-1])
            assert_holds(f"norm {order}", norms, [norm_exact(row, order) for row in rows])


def test_reductions_of_everything_hold_the_exact_value() -> None:
    batch = matrices(5, 30, 2, 3)
    for lane in range(30):
        x = Enclosure(batch.mid[lane], batch.rad[lane])
        for weight in WEIGHTS[:3]:
            flat = [v for row in exact_matrices(Enclosure(x.mid[None], x.rad[None]), weight)[0] for v in row]
            assert_holds("sum", apply("aten.sum.default", x), [sum(flat, Fraction(0))])
            assert_holds("mean", apply("aten.mean.default", x), [quotient(sum(flat, Fraction(0)), Fraction(6))])
            assert_holds("max", apply("aten.max.default", x), [max(flat)])
            assert_holds("min", apply("aten.min.default", x), [min(flat)])
            assert_holds("norm", apply("aten.linalg_vector_norm.default", x), [norm_exact(flat, 2)])


def test_the_norm_of_a_tiny_ball_around_0_is_not_lost_to_underflow() -> None:
    norm = apply("aten.linalg_vector_norm.default", ball(torch.zeros(2, 3), 1e-170), 2, [-1])
    assert bool((norm.rad >= 1.7e-170).all())
    beside = apply("aten.linalg_vector_norm.default", ball([[0.0, 0.0], [1.0, 1.0]], 0.0), 2, [-1])
    assert beside.rad[0] == 0
    assert 0 < beside.rad[1] < 1e-14


@pytest.mark.parametrize(("rows", "inner", "columns"), [(1, 1, 1), (2, 3, 2), (3, 7, 1), (1, 17, 2)])
def test_products_of_matrices_hold_the_exact_value(rows: int, inner: int, columns: int) -> None:
    count = 21
    wide = 3 if inner == 1 else inner
    a, b, c = (
        matrices(1, count, rows, wide),
        matrices(2, count, wide, max(columns, 2)),
        matrices(3, count, rows, max(columns, 2)),
    )
    for weight in WEIGHTS:
        left, right, start = (exact_matrices(x, weight) for x in (a, b, c))
        exact = [product_exact(x, y) for x, y in zip(left, right, strict=True)]
        flat = [v for matrix in exact for row in matrix for v in row]
        assert_holds("bmm", apply("aten.bmm.default", a, b), flat)
        assert_holds("matmul", apply("aten.matmul.default", a, b), flat)
        sums = [
            2 * s - Fraction(0.3) * v
            for matrix, first in zip(exact, start, strict=True)
            for row, first_row in zip(matrix, first, strict=True)
            for v, s in zip(row, first_row, strict=True)
        ]
        assert_holds("baddbmm", apply("aten.baddbmm.default", c, a, b, beta=2, alpha=-0.3), sums)
        for lane in range(0, count, 4):
            one = [Enclosure(x.mid[lane], x.rad[lane]) for x in (c, a, b)]
            lone = [v for row in exact[lane] for v in row]
            assert_holds("mm", apply("aten.mm.default", one[1], one[2]), lone)
            plus = [s + v for s, v in zip((s for row in start[lane] for s in row), lone, strict=True)]
            assert_holds("addmm", apply("aten.addmm.default", *one), plus)
            vector = Enclosure(one[2].mid[:, 0], one[2].rad[:, 0])
            assert_holds("mv", apply("aten.mv.default", one[1], vector), [row[0] for row in exact[lane]])
            first = Enclosure(one[1].mid[0], one[1].rad[0])
            assert_holds("dot", apply("aten.dot.default", first, vector), [exact[lane][0][0]])


def test_products_of_huge_and_subnormal_factors_keep_their_rounding() -> None:
    huge_row = [1.1e300, -1.3e300, 1.7e299, 1.9e300]
    tiny_column = [3.3e-310, 1.7e-311, -2.9e-310, 4.1e-312]
    exact = sum((Fraction(x) * Fraction(y) for x, y in zip(huge_row, tiny_column, strict=True)), Fraction(0))
    a, b = ball(huge_row), ball(tiny_column)
    assert_holds("dot", apply("aten.dot.default", a, b), [exact])
    assert_holds("mm", apply("aten.mm.default", ball([huge_row]), ball([[y] for y in tiny_column])), [exact])


def test_sharp_reductions_and_products() -> None:
    x = ball(np.random.default_rng(SEED).standard_normal((4, 6)))
    square = ball(np.random.default_rng(SEED).standard_normal((6, 6)))
    results = {
        "sum": apply("aten.sum.default", x),
        "mean": apply("aten.mean.dim", x, [1]),
        "cumsum": apply("aten.cumsum.default", x, 1),
        "norm": apply("aten.linalg_vector_norm.default", x, 2, [1]),
        "mm": apply("aten.mm.default", x, square),
    }
    for name, result in results.items():
        assert bool((result.rad <= 1e-13).all()), name
    for name in ("aten.max.default", "aten.min.default", "aten.amax.default", "aten.amin.default"):
        assert bool((apply(name, x).rad == 0).all())


@pytest.mark.parametrize("order", [0.5, -1, -2, 1e9, math.nan])
def test_other_norms_have_no_rule(order: float) -> None:
    with pytest.raises(UnknownOperatorError, match="ord="):
        apply("aten.linalg_vector_norm.default", ball([1.0]), order)


def test_norms_without_axes_and_of_one_number() -> None:
    for order in (0, 1, 2, 3, math.inf, -math.inf):
        whole = apply("aten.linalg_vector_norm.default", ball([[3.0, -4.0], [12.0, 0.0]], 1e-9), order)
        values = [Fraction(3), Fraction(4), Fraction(12), Fraction(0)]
        if order != 0:
            assert_holds(f"norm {order}", whole, [norm_exact(values, order)])
        assert apply("aten.linalg_vector_norm.default", ball(-2.0), order).mid.shape == ()
        kept = apply("aten.linalg_vector_norm.default", ball([[3.0, -4.0]]), order, [0, 1], True)
        assert kept.mid.shape == (1, 1)
    largest = apply("aten.linalg_vector_norm.default", ball([3.0, -4.0]), math.inf)
    assert float(largest.rad) == 0.0


def test_norms_of_every_magnitude_are_sharp() -> None:
    for scale in (1e-300, 1e-5, 1.0, 1e300):
        norm = apply("aten.linalg_vector_norm.default", ball([3 * scale, 4 * scale]), 3)
        assert 0 < float(norm.rad) < 1e-13 * scale


def test_truth_values_are_counted() -> None:
    sure = truth(YES, NO, YES)
    assert float(apply("aten.sum.default", sure).mid) == 2.0
    assert float(apply("aten.sum.default", sure).rad) < 1e-14
    unsure = apply("aten.sum.default", truth(YES, UNSURE, NO))
    assert float(unsure.lower) <= 1.0 < 2.0 <= float(unsure.upper)


def test_whole_numbers_add_up_exactly() -> None:
    numbers = Enclosure.exactly(torch.arange(5))
    for result in (apply("aten.sum.default", numbers), apply("aten.cumsum.default", numbers, 0)):
        assert result.mid.dtype == torch.int64
        assert bool((result.rad == 0).all())
    assert apply("aten.sum.default", numbers, dtype=torch.float64).mid.dtype == torch.float64


def test_extremes_are_as_sharp_as_their_ends() -> None:
    x = ball([[1.0, 5.0, 2.0], [1.0, 5.0, 4.9]], [[9.0, 0.0, 0.0], [0.1, 0.0, 0.5]])
    largest = apply("aten.amax.default", x, [1])
    assert largest.upper.tolist() == pytest.approx([10.0, 5.4])
    assert largest.lower.tolist() == pytest.approx([0.0, 4.6])
    far = apply("aten.amax.default", ball([1.0, 5.0], [3.0, 0.0]), [0])
    assert float(far.rad) == 0.0
    least = apply("aten.amin.default", ball([1.0, 5.0], [0.0, 3.0]), [0])
    assert float(least.rad) == 0.0


# ---------------------------------------------------------------------------------------------------------- order


def ordered(x: Enclosure, weight: Fraction) -> list[list[Fraction]]:
    return [row for matrix in exact_matrices(x, weight) for row in matrix]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("columns", [1, 2, 5, 9])
def test_sorted_entries_hold_the_exact_ones_and_known_places_are_right(columns: int, descending: bool) -> None:
    x = matrices(columns, 42, 3, max(columns, 2))
    x = Enclosure(x.mid[..., :columns], x.rad[..., :columns])
    values, places = apply("aten.sort.default", x, -1, descending)
    for weight in WEIGHTS:
        rows = ordered(x, weight)
        assert_holds("sort", values, [v for row in rows for v in sorted(row, reverse=descending)])
        for row, where, rad in zip(
            rows, places.mid.reshape(-1, columns).tolist(), places.rad.reshape(-1, columns).tolist(), strict=True
        ):
            in_order = sorted(row, reverse=descending)
            for rank, (index, radius) in enumerate(zip(where, rad, strict=True)):
                if radius == 0:
                    assert row[index] == in_order[rank]


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_a_known_place_of_an_extreme_is_right_at_every_point(name: str) -> None:
    x = matrices(3, 60, 3, 5)
    for keepdim in (False, True):
        result = apply(f"aten.{name}.default", x, -1, keepdim)
        known = 0
        for weight in WEIGHTS:
            for row, index, radius in zip(
                ordered(x, weight), result.mid.flatten().tolist(), result.rad.flatten().tolist(), strict=True
            ):
                if radius == 0:
                    known += 1
                    assert row[index] == (max(row) if name == "argmax" else min(row))
        assert known > 100
    whole = apply(f"aten.{name}.default", ball([[1.0, 7.0], [9.0, 0.0]]))
    assert (int(whole.mid), float(whole.rad)) == ((2, 0.0) if name == "argmax" else (3, 0.0))
    assert apply(f"aten.{name}.default", ball([[1.0, 7.0]]), None, True).mid.shape == (1, 1)


def test_places_of_ties_unknown_and_invalid_entries() -> None:
    tied = ball(
        [[1.0, 1.0], [1.0, 2.0], [1.0, 2.0], [1.0, math.nan]], [[0.0, 0.0], [0.0, 1.0], [math.inf, 0.0], [0.0, 0.0]]
    )
    assert apply("aten.argmax.default", tied, 1).rad.tolist() == [0.0, math.inf, math.inf, math.inf]
    values, places = apply("aten.sort.default", tied, 1)
    assert places.rad[0].tolist() == [0.0, 0.0]
    assert bool(places.rad[1:].isinf().all())
    assert bool(values.rad[2:].isinf().all())
    assert values.rad[0].tolist() == [0.0, 0.0]


def test_unknown_places_are_unknown_in_their_own_lane_alone() -> None:
    x = ball([[1.0, 2.0, 3.0], [1.0, 1.1, 9.0]], [[0.0, 0.0, 0.0], [0.2, 0.2, 0.2]])
    places = apply("aten.sort.default", x, 1)[1]
    assert places.rad.tolist() == [[0.0, 0.0, 0.0], [math.inf, math.inf, 0.0]]
    assert apply("aten.argmax.default", x, 1).rad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("shape", [(0,), (3, 0), ()])
def test_sorting_nothing_or_one_number(shape: tuple[int, ...]) -> None:
    values, places = apply("aten.sort.default", ball(torch.zeros(shape)))
    assert values.mid.shape == values.rad.shape == places.mid.shape == shape
    stable = apply("aten.sort.stable", ball([2.0, 1.0]), stable=True, descending=True)
    assert stable[0].mid.tolist() == [2.0, 1.0]
