"""The limit of gradient flow against closed forms and an independent integrator."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from boundcheck.dynamics import FlowLimit, Setup, defect, flow, flow_limit, limit
from boundcheck.dynamics.bounds import Bounds
from boundcheck.dynamics.defect import Segments
from boundcheck.geometry import Family, GeneralQuadratic, Linear, Quadratic, TwoLayer
from boundcheck.problem import Problem
from tests.dynamics.oracle import DIGITS, distance, nearest_interpolant, replaced, setup, tame
from tests.dynamics.test_certificate import Wave

CURVED: list[tuple[Family, int]] = [
    (Quadratic(3, 2), 1),
    (GeneralQuadratic(3), 2),
    (TwoLayer(3, 4), 2),
    (TwoLayer(3, 4, 1, "softplus"), 2),
]


def net(family: Family, samples: int, lanes: int) -> Setup:
    """Lanes whose premises hold near their limit."""
    return tame(setup(family, 60, samples, seed=2, residual=0.1), lanes, kappa=4.0, a=0.5)


def integrated(given: Setup, lane: int) -> np.ndarray:
    """A method of order 8, run until the residual is gone."""
    one = given.lane(lane)

    def rhs(_: float, theta: np.ndarray) -> np.ndarray:
        point = torch.from_numpy(theta)[None]
        return (-one.alpha[:, None] * one.pullback(point, one.residual(point)))[0].numpy()

    theta, rate = given.theta0[lane].numpy(), 1 / float(one.alpha * one.sigma_min) ** 2
    for _ in range(20):
        theta = solve_ivp(rhs, (0, 10 * rate), theta, method="DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
        if float(one.residual(torch.from_numpy(theta)[None]).norm()) < 1e-11:
            return theta
    raise AssertionError("the integrator came to no end")


@pytest.mark.parametrize(("family", "samples"), CURVED, ids=str)
def test_the_radius_holds_what_another_method_finds(family: Family, samples: int) -> None:
    given = net(family, samples, 2)
    found = flow_limit(given)
    for lane in range(2):
        error = float(np.linalg.norm(integrated(given, lane) - found.tuned[lane].numpy()))
        assert error <= float(found.tuned_radius[lane]) + 1e-10
    assert bool((found.tuned_radius <= 3e-6 * found.step_norm).all())


def test_one_sample_of_a_round_quadratic_flows_along_a_ray() -> None:
    """f = a·θ + c·‖θ‖²/2: all gradients point to -a/c, so that any descent and the flow stop where the ray meets the label."""
    given = setup(Quadratic(3), 6, 1, seed=7, residual=0.2)
    identity = torch.eye(3, dtype=torch.float64).expand(6, -1, -1).clone()
    given = replaced(given, **{"frozen.root": identity})
    eta = 0.2 / (given.alpha * given.sigma_max).square()
    start = given.family.outputs(given.theta0, given.frozen, given.x_train)
    given = replaced(given, eta=eta, y_train=given.alpha[:, None, None] * (start + 0.05 * given.y_train))
    flowed = flow_limit(given)
    known = torch.nonzero(flowed.tuned_radius.isfinite()).flatten().tolist()
    assert len(known) >= 4
    descent = limit(given.with_leaves({name: leaf[known] for name, leaf in given.leaves().items()}), accuracy=1e-10)
    with mpmath.workdps(DIGITS):
        for row, lane in enumerate(known):
            *a, c = (mpmath.mpf(v) for v in given.x_train[lane, 0].tolist())
            label = mpmath.mpf(float(given.y_train[lane])) / mpmath.mpf(float(given.alpha[lane]))
            ray = [mpmath.mpf(t) + v / c for t, v in zip(given.theta0[lane].tolist(), a, strict=True)]
            scale = mpmath.sqrt((2 * label / c + mpmath.fdot(a, a) / c**2) / mpmath.fdot(ray, ray))
            exact = [scale * u - v / c for u, v in zip(ray, a, strict=True)]
            for found, at in ((flowed, lane), (descent, row)):
                off = distance(exact, found.tuned[at].tolist())
                assert off <= mpmath.mpf(float(found.tuned_radius[at]))
            assert float(flowed.tuned_radius[lane]) <= 3e-6 * float(flowed.step_norm[lane])


def test_a_linear_model_flows_where_it_descends_whatever_its_step_size() -> None:
    given = setup(Linear(4), 8, 3, seed=2)
    found = flow_limit(replaced(given, eta=1e9 * given.eta))
    with mpmath.workdps(DIGITS):
        for lane in range(8):
            off = distance(nearest_interpolant(given, lane), found.tuned[lane].tolist())
            assert off <= mpmath.mpf(float(found.tuned_radius[lane])) < 1e-9


def test_long_and_short_steps_agree() -> None:
    given = net(TwoLayer(3, 4), 2, 2)
    fine, coarse = flow_limit(given, accuracy=1e-6), flow_limit(given, accuracy=1e-3)
    assert bool((fine.tuned_radius < coarse.tuned_radius).all())
    assert bool(((fine.tuned - coarse.tuned).norm(dim=-1) <= fine.tuned_radius + coarse.tuned_radius).all())


def test_descents_with_short_steps_come_near_the_flow() -> None:
    given = net(Quadratic(3, 2), 1, 3)
    short = replaced(given, eta=0.02 / (given.alpha * given.sigma_max).square())
    descent, flowed = limit(short, accuracy=1e-10), flow_limit(short, accuracy=1e-5)
    apart = (descent.tuned - flowed.tuned).norm(dim=-1)
    assert bool((apart < 0.01 * flowed.step_norm).all())
    assert bool((apart > flowed.tuned_radius + descent.tuned_radius).any()), "they are not the same"


def test_nothing_is_assumed_of_the_integrator(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that follows a slightly wrong field ends elsewhere, within a radius that knows; a proof without defects does not."""
    given = net(Quadratic(3, 2), 1, 3)
    exact = torch.from_numpy(np.stack([integrated(given, lane) for lane in range(3)]))
    downhill, bounds = flow._downhill, defect._bounds

    def astray(here: Setup, moved: Tensor) -> Tensor:
        field = downhill(here, moved)
        return field + 1e-3 * field.roll(1, -1)

    def missed() -> list[bool]:
        found = flow_limit(given, accuracy=1e-4)
        assert bool(found.tuned_radius.isfinite().all())
        return ((found.tuned - exact).norm(dim=-1) > found.tuned_radius + 1e-10).tolist()

    def without(*args: Any) -> list[Tensor]:
        off, residual, length = bounds(*args)
        return [0 * off, residual, length]

    monkeypatch.setattr(flow, "_downhill", astray)
    assert not any(missed())
    monkeypatch.setattr(defect, "_bounds", without)
    assert all(missed())


def test_the_defect_of_a_segment_is_at_most_its_bound() -> None:
    given = net(TwoLayer(3, 4, 1, "softplus"), 2, 3)
    start = Bounds.of(given).at(given.theta0)
    _, parts = flow._follow(given, start, 1e-3, 64)
    segments = defect._join(parts)
    assert segments is not None
    bound = defect._enclosed(given, segments)[0]
    here = given.with_leaves({name: leaf[segments.lane] for name, leaf in given.leaves().items()})

    def off(x: float) -> Tensor:
        at = torch.full_like(segments.time, x)
        theta = here.theta0 + segments.point(at)
        gradient = here.alpha[:, None] * here.pullback(theta, here.residual(theta))
        return (segments.velocity(at) + segments.time[:, None] * gradient).norm(dim=-1)

    mean = torch.stack([off((i + 0.5) / 200 - 0.5) for i in range(200)]).mean(0)
    assert bool((mean <= bound).all())
    assert float((mean / bound).max()) > 0.05


def test_segments_meet_where_they_should() -> None:
    rows = [torch.randn(4, 3, dtype=torch.float64) for _ in range(4)]
    time = torch.ones(4, dtype=torch.float64)
    one = Segments(torch.arange(4), time, *rows)
    for x, position, velocity in ((-0.5, rows[0], rows[1]), (0.5, rows[2], rows[3])):
        assert torch.allclose(one.point(x * time), position, atol=1e-14)
        assert torch.allclose(one.velocity(x * time), velocity, atol=1e-14)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: replaced(s, x_train=s.x_train[:, :1].expand(-1, 2, -1).clone()),
        lambda s: replaced(s, y_train=s.y_train * math.nan),
        lambda s: replaced(s, alpha=s.alpha * math.inf),
        lambda s: replaced(s, y_train=s.y_train + 1e3),
    ],
    ids=["rank", "nan", "inf", "out of reach"],
)
def test_what_is_not_known_has_an_infinite_radius(spoil: Callable[[Setup], Setup]) -> None:
    found = flow_limit(spoil(net(TwoLayer(3, 4), 2, 3)), max_steps=64)
    assert bool(found.tuned_radius.isinf().all())


def test_an_estimated_constant_proves_nothing() -> None:
    given = setup(Wave(3), 2, 1, residual=0.01)
    assert bool(flow_limit(given, max_steps=64).tuned_radius.isinf().all())


def test_the_limit_is_a_problem_of_its_own() -> None:
    given = net(Quadratic(3, 2), 1, 2)
    found = flow_limit(given)
    again = Problem.from_json(found.to_json())
    assert isinstance(again, FlowLimit)
    assert torch.equal(again.tuned, found.tuned)
    assert found.radius_of == {"tuned": "tuned_radius"}
    moved = replace(found, tuned=found.tuned + 1)
    assert torch.allclose(moved.settled().tuned, found.tuned, atol=1e-9)
