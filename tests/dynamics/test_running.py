"""What a run keeps of its iterates, beside a loop that keeps all of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.dynamics import Setup
from boundcheck.dynamics.running import CHECK_EVERY, Run, checkpoints, run
from boundcheck.geometry import Family, Linear, Quadratic, TwoLayer
from tests.dynamics.oracle import setup

FAMILIES: list[Family] = [
    Linear(4, 2),
    Quadratic(3),
    TwoLayer(3, 4, 2),
    TwoLayer(2, 3, 1, "softplus"),
    TwoLayer(30, 40),
]
ROOM = 1e-9
"""Relative: thousands of roundings, and two ways to sum them."""


def iterates(given: Setup, steps: int) -> tuple[Tensor, Tensor]:
    """θ_0, …, θ_steps and their residuals, step by step with the family's own formulas."""
    theta = given.theta0
    path, residuals = [theta], [given.residual(theta)]
    for _ in range(steps):
        theta = theta - (given.eta * given.alpha)[:, None] * given.pullback(theta, residuals[-1])
        path.append(theta)
        residuals.append(given.residual(theta))
    return torch.stack(path), torch.stack(residuals)


def check(given: Setup, done: Run, steps: int) -> None:
    """All that the run says of its lanes."""
    path, residuals = iterates(given, steps)
    sizes = residuals.norm(dim=-1)
    for lane, taken in enumerate(done.steps.long().tolist()):
        own, size = path[: taken + 1, lane], sizes[:taken, lane]
        far = (own - own[0]).norm(dim=-1)
        close = pytest.approx
        scale = float(own.norm(dim=-1).max())
        assert float((done.theta[lane] - own[-1]).norm()) <= ROOM * scale
        assert float(done.length[lane]) == close(float(own.diff(dim=0).norm(dim=-1).sum()), rel=ROOM, abs=ROOM * scale)
        assert float(done.residual_sum[lane]) == close(float(size.sum()), rel=ROOM)
        assert float(done.residual_top[lane]) == close(float(size.max()) if taken else 0.0, rel=ROOM)
        assert float(done.far_distance[lane]) == close(float(far.max()), rel=ROOM, abs=ROOM * scale)
        reach = float((done.farthest[lane] - own[0]).norm())
        assert reach == close(float(far.max()), rel=ROOM, abs=ROOM * scale)
        assert float((own - done.farthest[lane]).norm(dim=-1).min()) <= ROOM * scale, "it is one of the iterates"


@given(
    family=st.sampled_from(FAMILIES),
    seed=st.integers(0, 10**6),
    lanes=st.sampled_from([1, 2, 7]),
    steps=st.sampled_from([1, CHECK_EVERY - 1, CHECK_EVERY, 3 * CHECK_EVERY + 5]),
    compensated=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_a_run_says_of_its_iterates_what_is_true(
    family: Family, seed: int, lanes: int, steps: int, compensated: bool
) -> None:
    drawn = setup(family, lanes, 2, seed=seed, step=(0.05, 0.5), residual=0.02)
    done = run(drawn, checkpoints(steps), torch.full_like(drawn.eta, 1e-4), steps, compensated=compensated)
    check(drawn, done, steps)


@pytest.mark.parametrize("family", [Linear(5), TwoLayer(4, 6)])
def test_lanes_that_overshoot_keep_the_iterate_that_was_farthest(family: Family) -> None:
    """With h near 2 the distance from θ_0 rises and falls with every step."""
    drawn = setup(family, 6, 1, seed=4, step=(1.8, 1.95), residual=0.01)
    done = run(drawn, checkpoints(50), torch.zeros_like(drawn.eta), 50)
    path, _ = iterates(drawn, 50)
    turned = (path - path[0]).norm(dim=-1).diff(dim=0) < 0
    assert bool(turned.any(0).all())
    check(drawn, done, 50)


def test_lanes_leave_and_diverge_without_touching_the_others() -> None:
    drawn = setup(TwoLayer(3, 4), 9, 1, seed=2, step=(0.3, 0.6), residual=0.02)
    eta = drawn.eta.clone()
    eta[2], eta[5] = 1e3 * eta[2], torch.inf
    theirs = torch.tensor([1e-12, 1e-2, 1e-12, 1.0, 1e-6, 1e-12, 2.0, 1e-3, 1e-9], dtype=torch.float64)
    given = drawn.with_leaves(drawn.leaves() | {"eta": eta})
    marks = checkpoints(200)
    done = run(given, marks, theirs, 200)
    check(given.with_leaves({k: v[[0, 1, 3, 4, 6, 7, 8]] for k, v in given.leaves().items()}), _picked(done), 200)
    assert done.steps[3] == done.steps[6] == 0
    assert bool(done.theta.isfinite().all())
    shown, taken = done.shown(marks)
    assert bool(shown.isfinite().all())
    path, _ = iterates(drawn, 200)
    for lane in (0, 1, 4, 7, 8):
        for point, number in zip(shown[lane], taken[lane].long().tolist(), strict=True):
            assert float((point - path[number, lane]).norm()) <= ROOM


@dataclass(frozen=True)
class Tilted(TwoLayer):
    """A net of one's own made from one of ours: its first parameter also moves the outputs directly."""

    def outputs(self, theta: Tensor, frozen: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return super().outputs(theta, frozen, x) + theta[..., None, :1]

    def jacobian(self, theta: Tensor, frozen: Mapping[str, Tensor], x: Tensor) -> Tensor:
        rows = super().jacobian(theta, frozen, x)
        return torch.cat([rows[..., :1] + 1, rows[..., 1:]], dim=-1)

    def pullback(self, theta: Tensor, frozen: Mapping[str, Tensor], x: Tensor, cotangent: Tensor) -> Tensor:
        pulled = super().pullback(theta, frozen, x, cotangent)
        return torch.cat([pulled[..., :1] + cotangent.sum((-2, -1))[..., None], pulled[..., 1:]], dim=-1)


@dataclass(frozen=True)
class TiltedFurther(Tilted):
    """Nothing new."""


@pytest.mark.parametrize("kind", [Tilted, TiltedFurther])
@pytest.mark.parametrize("width", [4, 400])
def test_a_family_that_changes_the_outputs_of_another_descends_by_its_own(kind: type[Tilted], width: int) -> None:
    drawn = setup(kind(3, width), 5, 1, seed=3, step=(0.3, 0.6), residual=0.02)
    done = run(drawn, checkpoints(70), torch.full_like(drawn.eta, 1e-6), 70)
    check(drawn, done, 70)


@pytest.mark.parametrize("family", [Linear(4), Quadratic(3), TwoLayer(3, 4), TwoLayer(30, 40)])
def test_a_descent_runs_where_the_caller_has_switched_derivatives_off(family: Family) -> None:
    drawn = setup(family, 3, 1, seed=6, step=(0.3, 0.6), residual=0.02)
    with torch.inference_mode():
        done = run(drawn, checkpoints(40), torch.full_like(drawn.eta, 1e-6), 40)
    check(drawn, done, 40)


def _picked(done: Run) -> Run:
    kept = [0, 1, 3, 4, 6, 7, 8]
    return Run(**{name: value[kept] for name, value in vars(done).items()})
