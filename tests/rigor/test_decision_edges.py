"""Where a truth value is decided, to the last bit, and that no decision is lost that could be made."""

import itertools
import math
import operator

import pytest
import torch

from boundcheck.rigor import Enclosure
from tests.rigor.oracle import NO, UNSURE, YES, apply, ball, truth

INF, NAN = math.inf, math.nan
COMPARISONS = ("gt", "ge", "lt", "le", "eq", "ne")


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize(("x", "y"), [((1.0, 0.25), (2.0, 0.5)), ((2.0, 0.5), (1.0, 0.25)), ((-1.0, 0.0), (1.0, 1.5))])
def test_numbers_whose_enclosures_are_apart_are_compared(
    name: str, x: tuple[float, float], y: tuple[float, float]
) -> None:
    result = apply(f"aten.{name}.Tensor", ball([x[0]], [x[1]]), ball([y[0]], [y[1]]))
    assert (bool(result.mid), float(result.rad)) == (getattr(operator, name)(x[0], y[0]), 0.0)
    assert result.rad.dtype == torch.float64


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("widths", [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (1.0, 2.0**-53), (0.75, 0.75)])
def test_numbers_whose_enclosures_touch_are_not(name: str, widths: tuple[float, float]) -> None:
    result = apply(f"aten.{name}.Tensor", ball([1.0], [widths[0]]), ball([2.0], [widths[1]]))
    assert float(result.rad) == INF


def test_a_value_beside_itself_is_equal_unless_it_is_no_number() -> None:
    x = ball([1.0, NAN, INF, NAN, INF], [0.5, 0.0, 0.0, INF, INF])
    for name, exact in (("eq", [True, False, True]), ("ne", [False, True, False])):
        result = apply(f"aten.{name}.Tensor", x, x)
        assert result.mid[:3].tolist() == exact
        assert result.rad.tolist() == [0.0, 0.0, 0.0, INF, INF]
        assert result.rad.dtype == torch.float64


def test_what_is_nan_or_infinite_is_known_of_numbers_and_of_what_was_given_so() -> None:
    x = ball([1.0, 1.0, NAN, INF, NAN, INF, -INF], [0.0, 0.5, 0.0, 0.0, INF, INF, 0.5])
    for name, exact in (
        ("isnan", [False, False, True, False]),
        ("isinf", [False, False, False, True]),
    ):
        result = apply(f"aten.{name}.default", x)
        assert result.mid[:4].tolist() == exact
        assert result.rad.tolist() == [0.0, 0.0, 0.0, 0.0, INF, INF, INF]
        assert result.rad.dtype == torch.float64


@pytest.mark.parametrize("name", ["logical_and.default", "logical_or.default"])
def test_two_truth_values_are_decided_where_both_are(name: str) -> None:
    for x, y in itertools.product((YES, NO, UNSURE), repeat=2):
        result = apply(f"aten.{name}", truth(x), truth(y))
        assert float(result.rad) == (INF if UNSURE in (x, y) else 0.0)


@pytest.mark.parametrize("name", ["all", "any"])
def test_truths_together(name: str) -> None:
    function = {"all": all, "any": any}[name]
    for values in itertools.product((YES, NO, UNSURE), repeat=4):
        x = truth(*values)
        square = Enclosure(x.mid.reshape(2, 2), x.rad.reshape(2, 2))
        result = apply(f"aten.{name}.default", square)
        assert result.mid.shape == result.rad.shape == ()
        if UNSURE in values:
            assert float(result.rad) == INF
        else:
            assert (bool(result.mid), float(result.rad)) == (function(value is YES for value in values), 0.0)
            assert apply(f"aten.{name}.dim", square, 0, True).mid.shape == (1, 2)


@pytest.mark.parametrize("name", ["all", "any"])
def test_one_truth_value_alone_is_copied(name: str) -> None:
    for state in (YES, NO, UNSURE):
        x = Enclosure(truth(state).mid[0].clone(), truth(state).rad[0].clone())
        result = apply(f"aten.{name}.default", x)
        assert (bool(result.mid), float(result.rad)) == (bool(x.mid), float(x.rad))
        result.mid.fill_(not bool(x.mid))
        result.rad.fill_(7.0)
        assert float(x.rad) != 7.0
        assert bool(result.mid) != bool(x.mid)


def test_the_opposite_shares_no_radius() -> None:
    x = truth(YES, NO)
    apply("aten.logical_not.default", x).rad.fill_(7.0)
    assert x.rad.tolist() == [0.0, 0.0]


def test_a_choice_between_truths_is_known_where_both_are_and_agree() -> None:
    for a, b in itertools.product((YES, NO, UNSURE), repeat=2):
        result = apply("aten.where.self", truth(UNSURE), truth(a), truth(b))
        assert float(result.rad) == (0.0 if a is b and a is not UNSURE else INF)
        for condition, chosen in ((YES, truth(a)), (NO, truth(b))):
            beside = apply("aten.where.self", truth(condition, UNSURE), truth(a, YES), truth(b, NO))
            assert float(beside.rad[0]) == float(chosen.rad)
            assert bool(beside.mid[0]) == bool(chosen.mid)


def test_a_choice_that_is_decided_keeps_its_branch_beside_one_that_is_not() -> None:
    condition = truth(YES, NO, UNSURE)
    x, y = ball([1.0, 1.0, 1.0], [0.25, 0.25, 0.25]), ball([5.0, 5.0, 5.0], [0.5, 0.5, 0.5])
    result = apply("aten.where.self", condition, x, y)
    assert result.mid.tolist() == pytest.approx([1.0, 5.0, 3.125], rel=1e-12)
    assert result.rad.tolist() == pytest.approx([0.25, 0.5, 2.375], rel=1e-12)
    assert bool((result.rad[:2] >= torch.tensor([0.25, 0.5])).all())
    assert float(result.lower[2]) <= 0.75
    assert float(result.upper[2]) >= 5.5


@pytest.mark.parametrize("looks", [True, False])
def test_an_open_choice_holds_both_branches_whichever_floats_would_take(looks: bool) -> None:
    open_ = Enclosure(torch.tensor([looks]), torch.tensor([INF], dtype=torch.float64))
    for a, b in itertools.product((YES, NO, UNSURE), repeat=2):
        result = apply("aten.where.self", open_, truth(a), truth(b))
        assert float(result.rad) == (0.0 if a is b and a is not UNSURE else INF)
    for left, right in ((1.0, 5.0), (5.0, 1.0)):
        hull = apply("aten.where.self", open_, ball([left], [0.25]), ball([right], [0.25]))
        assert (float(hull.mid), float(hull.rad)) == pytest.approx((3.0, 2.25), rel=1e-12)
        whole = apply("aten.where.self", open_, *(Enclosure.exactly(torch.tensor([int(x)])) for x in (left, right)))
        assert int(whole.mid) == (left if looks else right)
        assert 4.0 <= float(whole.rad) <= 4.0 * (1 + 1e-12)
