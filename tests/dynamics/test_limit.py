"""`limit` against 60-digit descents: the true error is within the radius, and the radius within what was asked."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import mpmath
import pytest
import torch
from torch import Tensor

from boundcheck.dynamics import Setup, flow_limit, limit
from boundcheck.errors import BoundcheckError
from boundcheck.geometry import Family, GeneralQuadratic, Linear, Quadratic, TwoLayer
from tests.dynamics.oracle import DIGITS, Naive, distance, nearest_interpolant, replaced, setup, tame

NETS: list[tuple[Family, int]] = [
    (TwoLayer(3, 4), 2),
    (TwoLayer(3, 4, 1, "softplus"), 2),
    (TwoLayer(2, 5, 2), 1),
    (Quadratic(4), 2),
    (GeneralQuadratic(3), 1),
]


def net(family: Family, samples: int, lanes: int) -> Setup:
    """Lanes that meet the premises, with numbers of order 1."""
    return tame(setup(family, 60, samples, seed=1, step=(0.05, 0.3), residual=0.01), lanes)


@pytest.mark.parametrize(("family", "samples"), NETS, ids=str)
def test_limits_are_within_a_millionth_of_a_millionth(family: Family, samples: int) -> None:
    given = net(family, samples, 3)
    found = limit(given)
    assert bool((found.tuned_radius <= 1e-12).all())
    with mpmath.workdps(DIGITS):
        for lane in range(given.lanes):
            exact = Naive.of(given, lane).descent(4000, 1e-20)
            off = distance(exact[-1], found.tuned[lane].tolist())
            assert off <= mpmath.mpf(float(found.tuned_radius[lane]))
            assert off + 1e-19 >= mpmath.mpf(float(found.tuned_radius[lane])) / 10**4, "not absurdly wide"


def test_one_lane_and_many_agree() -> None:
    given = net(TwoLayer(3, 4), 2, 4)
    together = limit(given)
    for lane in range(4):
        alone = limit(given.lane(lane))
        apart = float((alone.tuned[0] - together.tuned[lane]).norm())
        assert apart <= float(alone.tuned_radius[0] + together.tuned_radius[lane])


def test_a_linear_limit_needs_no_step_however_ill_conditioned() -> None:
    given = setup(Linear(4), 8, 3, seed=2, step=(0.5, 1.0))
    found = limit(given, accuracy=1e-9)
    assert float(found.path_steps.max()) == 0
    assert float((given.sigma_max / given.sigma_min).max()) > 10
    with mpmath.workdps(DIGITS):
        for lane in range(8):
            off = distance(nearest_interpolant(given, lane), found.tuned[lane].tolist())
            assert off <= mpmath.mpf(float(found.tuned_radius[lane])) <= mpmath.mpf(10) ** -9


def test_less_accuracy_takes_fewer_steps() -> None:
    given = net(TwoLayer(3, 4), 2, 2)
    loose, tight = limit(given, accuracy=1e-6), limit(given)
    assert bool((loose.tuned_radius <= 1e-6).all())
    assert bool((loose.path_steps.amax(-1) < tight.path_steps.amax(-1)).all())
    assert bool(((loose.tuned - tight.tuned).norm(dim=-1) <= loose.tuned_radius + tight.tuned_radius).all())


@dataclass(frozen=True)
class Estimated(Family):
    """f = θ·x, whose constants nobody has proved."""

    inputs: int
    closed_form: ClassVar[bool] = False

    @property
    def parameters(self) -> int:
        return self.inputs

    @property
    def features(self) -> int:
        return self.inputs

    def outputs(self, theta: Tensor, frozen: Any, x: Tensor) -> Tensor:
        return x @ theta.unsqueeze(-1)


def spoiled(why: str) -> tuple[Setup, dict[str, Any]]:
    given = net(TwoLayer(3, 4), 2, 2)
    x, y = given.x_train.clone(), given.y_train.clone()
    x[1, 1] = x[1, 0]
    y[1] *= math.nan
    long_steps = setup(Quadratic(2), 20, 1, step=(1.9, 1.95), residual=3.0).lane(0)
    cases: list[tuple[Setup, dict[str, Any]]] = [
        (setup(Estimated(3), 2, 1), {}),
        (replaced(given, y_train=y), {}),
        (replaced(given, x_train=x), {}),
        (replaced(given, eta=given.eta * torch.tensor([1.0, 100.0])), {}),
        (given, {"max_steps": 32}),
        (long_steps, {}),
        (given, {"accuracy": 1e-16}),
    ]
    return dict(zip(REASONS, cases, strict=True))[why]


REASONS = [
    "the smoothness of its family is only an estimate",
    "it holds NaN or an infinity",
    "J_S may lack full row rank",
    "its steps are too long",
    "its residual is still too large after 32 steps",
    "neither its roundings nor its rest could be bounded",
    "its roundings add up to",
]


@pytest.mark.parametrize("why", REASONS)
def test_what_is_out_of_reach_is_refused_with_the_reason(why: str) -> None:
    given, options = spoiled(why)
    with pytest.raises(
        BoundcheckError, match=rf"the limit of lane \d is out of reach: {why}.*; expected to enclose it"
    ):
        limit(given, **options)


@pytest.mark.parametrize("options", [{"accuracy": 0.0}, {"accuracy": math.nan}, {"max_steps": 0}])
def test_accuracy_and_budget_must_be_positive(options: dict[str, Any]) -> None:
    given = setup(Linear(2), 1, 1)
    with pytest.raises(BoundcheckError, match="expected positive numbers"):
        limit(given, **options)
    with pytest.raises(BoundcheckError, match="expected a positive number"):
        flow_limit(given, accuracy=-1.0)
