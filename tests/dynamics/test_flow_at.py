"""The flow at a time against closed forms, an integrator of order 8, and wrong integrators."""

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import mpmath
import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor
from torch.func import vmap

from boundcheck.dynamics import flow_at, quadratic_flow
from boundcheck.dynamics.defect import Segments
from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem


@dataclass(frozen=True)
class Losses(Problem):
    """Leaves: hessian `[n, n]`, slope `[n]`."""

    hessian: Tensor
    slope: Tensor


LANES = 5
module = importlib.import_module("boundcheck.dynamics.flow_at")  # the package shows the function of that name


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def losses(n: int = 3, lanes: int = LANES) -> Losses:
    free = random(lanes, n, n)
    return Losses((free + free.mT) / 2, random(lanes, n, seed=1))


def full(value: float, lanes: int = LANES) -> Tensor:
    return torch.full((lanes,), value, dtype=torch.float64)


def quadratic(p: Losses, theta: Tensor) -> Tensor:
    return p.slope + p.hessian @ theta


def waves(p: Losses, theta: Tensor) -> Tensor:
    """Of the loss Σ_i s_i·sin(θ_i) + θᵀHθ/2, differentiated by torch."""

    def loss(point: Tensor) -> Tensor:
        return (p.slope * torch.sin(point)).sum() + 0.5 * point @ (p.hessian @ point)

    gradient: Tensor = torch.func.grad(loss)(theta)
    return gradient


def quartic(p: Losses, theta: Tensor) -> Tensor:
    """Of Σ θ_i⁴/4: θ_i(t) = θ_i/√(1 + 2·t·θ_i²)."""
    return theta.pow(3)


def largest(p: Losses) -> Tensor:
    return torch.linalg.matrix_norm(p.hessian, 2) * (1 + 1e-12)


def integrated(
    p: Losses, gradient: Callable[[Losses, Tensor], Tensor], start: Tensor, time: Tensor, lane: int
) -> np.ndarray:
    one = Losses(p.hessian[lane], p.slope[lane])

    def rhs(_: float, moved: np.ndarray) -> np.ndarray:
        return -gradient(one, start[lane] + torch.from_numpy(moved)).numpy()

    zero = np.zeros(start.shape[1])
    return solve_ivp(rhs, (0, float(time[lane])), zero, method="DOP853", rtol=1e-13, atol=1e-15).y[:, -1]


def test_a_quadratic_flow_is_the_closed_form() -> None:
    p, start, time = losses(), random(LANES, 3, seed=2), torch.tensor([0.0, 1e-6, 0.1, 0.5, 1.0]).double()
    found = flow_at(p, quadratic, start, time, lipschitz=largest(p))
    assert found.path.shape == (LANES, 65, 3)
    for j in (0, 1, 32, 64):
        exact = quadratic_flow(p.hessian, quadratic_batch(p, start), time * j / 64)
        off = (found.path[:, j] - exact).norm(dim=-1)
        assert bool((off <= found.radius[:, j] + 1e-15 * time).all())
    assert found.reason == ("",) * LANES
    assert bool(found.established.all())
    assert bool((found.displacement_radius <= 5e-5 * time).all())
    assert float(found.displacement_radius[0]) == 0.0
    assert float(found.displacement_radius[1]) <= 1e-19


def quadratic_batch(p: Losses, theta: Tensor) -> Tensor:
    return p.slope + (p.hessian @ theta[..., None]).squeeze(-1)


@pytest.mark.parametrize("steps", [1, 8, 64])
def test_the_quartic_loss_has_a_closed_form_in_many_digits(steps: int) -> None:
    p, start, time = losses(), random(LANES, 3, seed=3).clamp(-2, 2), full(0.5)
    found = flow_at(p, quartic, start, time, lipschitz=full(60.0), ball=full(1.0), expansion=full(0.0), steps=steps)
    known = 0
    with mpmath.workdps(40):
        for lane in range(LANES):
            exact = [mpmath.mpf(v) / mpmath.sqrt(1 + mpmath.mpf(v) ** 2) - mpmath.mpf(v) for v in start[lane].tolist()]
            moved = found.displacement[lane].tolist()
            off = mpmath.sqrt(sum((a - mpmath.mpf(b)) ** 2 for a, b in zip(exact, moved, strict=True)))
            assert off <= mpmath.mpf(float(found.displacement_radius[lane]))
            known += math.isfinite(float(found.displacement_radius[lane]))
    assert known >= (0 if steps == 1 else 3)
    left = [reason for reason in found.reason if reason]
    assert all("may leave the ball" in reason for reason in left)


@pytest.mark.parametrize("gradient", [quadratic, waves], ids=["quadratic", "waves"])
def test_the_radius_holds_what_another_method_finds(gradient: Callable[[Losses, Tensor], Tensor]) -> None:
    p, start, time = losses(), random(LANES, 3, seed=4), full(0.7)
    constant = largest(p) + p.slope.abs().amax(-1)
    found = flow_at(p, gradient, start, time, lipschitz=constant)
    coarse = flow_at(p, gradient, start, time, lipschitz=constant, steps=16)
    for lane in range(LANES):
        exact = integrated(p, gradient, start, time, lane)
        for one in (found, coarse):
            assert (
                np.linalg.norm(exact - one.displacement[lane].numpy()) <= float(one.displacement_radius[lane]) + 1e-12
            )
    assert bool((found.displacement_radius < 1e-3).all())
    assert bool((found.displacement_radius < coarse.displacement_radius / 30).all()), (
        "the radius shrinks as the cube of a step"
    )


def test_short_flows_are_known_to_many_digits() -> None:
    """At short times the acceleration is seen: t²·a/2 is far above the radius."""
    p, start = losses(), random(LANES, 3, seed=5)
    time = full(1e-3)
    found = flow_at(p, waves, start, time, lipschitz=full(20.0), steps=16)
    one = [Losses(p.hessian[lane], p.slope[lane]) for lane in range(LANES)]
    g = torch.stack([waves(one[lane], start[lane]) for lane in range(LANES)])
    a = torch.stack([torch.func.jvp(lambda th, q=one[i]: waves(q, th), (start[i],), (g[i],))[1] for i in range(LANES)])
    curve = (found.displacement + 1e-3 * g).norm(dim=-1)
    torch.testing.assert_close(curve, 0.5e-6 * a.norm(dim=-1), rtol=0.02, atol=0)
    assert bool((found.displacement_radius < 1e-9 * found.displacement.norm(dim=-1)).all())


@pytest.mark.parametrize("gradient", [quadratic, waves, quartic], ids=["quadratic", "waves", "quartic"])
def test_without_a_constant_the_curvature_is_enclosed_around_the_path(
    gradient: Callable[[Losses, Tensor], Tensor],
) -> None:
    p, start, time = losses(), random(LANES, 3, seed=11).clamp(-2, 2), full(0.5)
    found = flow_at(p, gradient, start, time)
    assert found.reason == ("",) * LANES
    for lane in range(LANES):
        exact = integrated(p, gradient, start, time, lane)
        off = np.linalg.norm(exact - found.displacement[lane].numpy())
        assert off <= float(found.displacement_radius[lane]) + 1e-12
    assert bool((found.displacement_radius < 1e-4).all())
    if gradient is quadratic:
        given = flow_at(p, gradient, start, time, lipschitz=torch.linalg.matrix_norm(p.hessian) * (1 + 1e-12))
        assert bool((found.displacement_radius <= given.displacement_radius * (1 + 1e-6)).all())
    if gradient is quartic:  # convex: an enclosure of ∇²L that knows it is diagonal adds nothing
        given = flow_at(p, gradient, start, time, lipschitz=full(99.0), expansion=full(0.0))
        torch.testing.assert_close(found.displacement_radius, given.displacement_radius, rtol=1e-3, atol=0)


def test_a_curvature_that_explodes_around_the_path_is_said() -> None:
    """θ' = θ² from 1 is infinite at time 1."""
    p, start = losses(1), torch.ones(LANES, 1).double()
    time = torch.tensor([0.0, 0.5, 0.9, 0.99, 1.5]).double()
    found = flow_at(p, lambda q, theta: -theta.square(), start, time)
    assert found.established.tolist() == [True, True, True, False, False]
    off = (found.displacement[:3, 0] - (1 / (1 - time[:3]) - 1)).abs()
    assert bool((off <= found.displacement_radius[:3]).all())
    assert all(reason for reason in found.reason[3:])
    assert bool(found.radius[4, 1:20].isfinite().all())


def test_a_convex_loss_does_not_amplify() -> None:
    p = losses()
    steep = Losses(p.hessian @ p.hessian.mT + torch.eye(3).double(), p.slope)
    start, time, constant = (
        random(LANES, 3, seed=6),
        full(2.0),
        1.01 * largest(Losses(p.hessian @ p.hessian, p.slope)) + 1,
    )
    rough = flow_at(steep, quadratic, start, time, lipschitz=constant, steps=256)
    fine = flow_at(steep, quadratic, start, time, lipschitz=constant, expansion=full(0.0), steps=256)
    assert torch.equal(rough.path, fine.path)
    assert bool((fine.displacement_radius < rough.displacement_radius / 2).all())
    exact = quadratic_flow(steep.hessian, quadratic_batch(steep, start), time)
    assert bool(((fine.displacement - exact).norm(dim=-1) <= fine.displacement_radius).all())


def test_whoever_may_leave_the_ball_is_not_known_from_there_on() -> None:
    p, start, time = losses(), random(LANES, 3, seed=7), full(1.0)
    free = flow_at(p, quadratic, start, time, lipschitz=largest(p))
    farthest = free.path.norm(dim=-1).amax(-1)
    tight = flow_at(p, quadratic, start, time, lipschitz=largest(p), ball=farthest / 2)
    assert bool(tight.displacement_radius.isinf().all())
    assert all(reason == "the flow may leave the ball where the Lipschitz constant holds" for reason in tight.reason)
    inside = free.path.norm(dim=-1).cummax(-1).values < farthest[:, None] / 2 * 0.9
    assert bool(tight.radius[inside].isfinite().all())
    wide = flow_at(p, quadratic, start, time, lipschitz=largest(p), ball=1.1 * farthest)
    assert bool(wide.established.all())


def test_nothing_is_assumed_of_the_integrator(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that follows a slightly wrong field ends elsewhere, within a radius that knows."""
    p, start, time = losses(), random(LANES, 3, seed=8), full(0.5)
    exact = quadratic_flow(p.hessian, quadratic_batch(p, start), time)
    followed = module._followed

    def astray(problem: Losses, gradient: Callable[[Losses, Tensor], Tensor], *rest: object) -> object:
        return followed(problem, lambda q, theta: 1.001 * gradient(q, theta), *rest)

    def missed() -> Tensor:
        found = flow_at(p, quadratic, start, time, lipschitz=largest(p))
        assert bool(found.established.all())
        return (found.displacement - exact).norm(dim=-1) > found.displacement_radius

    monkeypatch.setattr(module, "_followed", astray)
    assert not bool(missed().any())
    bounds = module._bounds
    monkeypatch.setattr(module, "_bounds", lambda *args: [0 * bounds(*args)[0], bounds(*args)[1]])
    assert bool(missed().all())


@pytest.mark.parametrize("gradient", [quadratic, waves, quartic], ids=["quadratic", "waves", "quartic"])
def test_the_defect_of_a_segment_is_at_most_its_bound(gradient: Callable[[Losses, Tensor], Tensor]) -> None:
    p, start, steps = losses(), random(LANES, 3, seed=10), 16
    segments = module._followed(p, gradient, start, full(0.5 / steps), steps)
    joined = Segments(*(torch.cat([getattr(part, name) for part in segments]) for name in module.FIELDS))
    defects, reaches = (part.unflatten(0, (steps, LANES)) for part in module._enclosed(p, gradient, start, joined))
    field, shares = vmap(module._one(p, gradient)), []
    for part, defect, reach in zip(segments, defects, reaches, strict=True):
        sampled, far = [], []
        for i in range(40):
            x = full((i + 0.5) / 40 - 0.5)
            point = part.point(x)
            sampled.append(
                (part.velocity(x) + part.time[:, None] * field(start + point, p.hessian, p.slope)).norm(dim=-1)
            )
            far.append(point.norm(dim=-1))
        mean = torch.stack(sampled).mean(0)
        assert bool((mean <= defect).all())
        shares.append(mean / defect)
        assert bool((torch.stack(far).amax(0) <= reach).all())
    assert float(torch.stack(shares).median()) > 0.2


def test_lanes_do_not_see_each_other() -> None:
    p, start, time = losses(), random(LANES, 3, seed=9), full(0.3)
    poisoned = Losses(p.hessian.clone(), p.slope.clone())
    poisoned.slope[2] = math.nan
    together = flow_at(poisoned, quadratic, start, time, lipschitz=full(9.0), steps=8)
    assert together.reason[2] == "the flow could not be followed: it is not finite"
    assert math.isinf(float(together.displacement_radius[2]))
    alone = flow_at(p, quadratic, start, time, lipschitz=full(9.0), steps=8)
    for lane in (0, 1, 3, 4):
        torch.testing.assert_close(together.path[lane], alone.path[lane], rtol=1e-14, atol=1e-15)
        torch.testing.assert_close(together.radius[lane], alone.radius[lane])


def test_constants_that_bound_nothing_prove_nothing() -> None:
    p, start, time = losses(), random(LANES, 3), full(0.3)
    for bad in (math.nan, math.inf, -1.0):
        found = flow_at(p, quadratic, start, time, lipschitz=full(bad), steps=2)
        assert bool(found.displacement_radius.isinf().all())
        assert all("that bounds anything" in reason for reason in found.reason)
    assert bool(
        flow_at(p, quadratic, start, time, lipschitz=full(9.0), ball=full(math.nan), steps=2)
        .radius[:, 1:]
        .isinf()
        .all()
    )
    huge = flow_at(p, quadratic, start, time, lipschitz=full(1e6), steps=2)
    assert all("grows without bound" in reason for reason in huge.reason)
    still = flow_at(p, quadratic, start, 0 * time, lipschitz=full(math.nan), steps=2)
    assert bool((still.radius == 0).all())


def test_a_gradient_without_error_rules_proves_nothing() -> None:
    p, start, time = losses(), random(LANES, 3), full(0.3)
    found = flow_at(p, lambda q, theta: torch.special.bessel_j0(theta), start, time, lipschitz=full(1.0), steps=2)
    assert bool(found.displacement_radius.isinf().all())
    assert bool((found.radius[:, 0] == 0).all())
    assert all("no error rule" in reason for reason in found.reason)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": -full(1.0)}, "negative"),
        ({"time": full(math.nan)}, "negative or not finite"),
        ({"time": full(1.0, 3)}, r"time of shape \[3\]"),
        ({"steps": 3}, "steps=3; expected a power of two"),
        ({"steps": 0}, "steps=0"),
        ({"start": random(3, 3)}, r"start of shape \[3, 3\]"),
        ({"start": random(LANES, 3).float()}, "float64"),
        ({"lipschitz": full(1.0).float()}, "lipschitz of shape"),
    ],
)
def test_what_is_wrong_is_told(change: dict[str, object], message: str) -> None:
    given = {"start": random(LANES, 3), "time": full(1.0), "lipschitz": full(1.0)} | change
    with pytest.raises(BoundcheckError, match=message):
        flow_at(losses(), quadratic, **given)  # type: ignore[arg-type]
