"""Each part of the proof is needed: wrong neighbours of it are caught by exact descents; and what it refuses to say."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.dynamics import FineTuning, Setup, bounds, certificate, descend
from boundcheck.dynamics.bounds import Bounds
from boundcheck.dynamics.certificate import Drift, drift_of, limit_from
from boundcheck.dynamics.running import checkpoints, run, two_sum
from boundcheck.errors import UnknownOperatorError
from boundcheck.geometry import Family, Linear, Quadratic, TwoLayer
from tests.dynamics.oracle import DIGITS, Naive, Point, distance, nearest_interpolant, replaced, setup, tame


@pytest.fixture(scope="module")
def slow() -> tuple[Setup, list[list[Point]]]:
    """Curved lanes with well-conditioned Jacobians, and their exact descents."""
    given = tame(setup(Quadratic(3), 40, 2, seed=8, step=(0.2, 0.5), residual=0.05), 5, a=0.04)
    with mpmath.workdps(DIGITS):
        return given, [Naive.of(given, lane).descent(1500, 1e-22) for lane in range(5)]


def misses(tuned: FineTuning, exact: list[list[Point]]) -> set[str]:
    """The leaves whose ball does not hold what it should, in some lane."""
    found = set()
    with mpmath.workdps(DIGITS):
        for lane, path in enumerate(exact):
            assert path, "the oracle came to an end"
            known = {name: mpmath.mpf(float(getattr(tuned, f"{name}_radius")[lane])) for name in ("tuned", "path")}
            if distance(path[-1], tuned.tuned[lane].tolist()) > known["tuned"]:
                found.add("tuned")
            for step, iterate in zip(tuned.path_steps[lane].tolist(), tuned.path[lane].tolist(), strict=True):
                if distance(path[int(step)], iterate) > known["path"]:
                    found.add("path")
            reached = max(distance(p, path[0]) for p in path)
            farthest = distance(tuned.farthest[lane].tolist(), path[0])
            if abs(reached - farthest) > mpmath.mpf(float(tuned.farthest_radius[lane])):
                found.add("farthest")
            length = sum(distance(p, q) for p, q in zip(path[1:], path[:-1], strict=True))
            if abs(length - mpmath.mpf(float(tuned.path_length[lane]))) > mpmath.mpf(float(tuned.length_radius[lane])):
                found.add("length")
    return found


Part = Callable[..., Any]


def no_drift(original: Part) -> Part:
    return lambda *args: Drift(0 * args[1].steps, original(*args).moves)


def no_rest(original: Part) -> Part:
    def mutant(bounds: Bounds, theta: Tensor, *more: Tensor) -> Any:
        found = original(bounds, theta, *more)
        return replace(found, reach=0 * found.reach, length=0 * found.length)

    return mutant


def no_outside(original: Part) -> Part:
    return lambda bounds, theta, end, s, tail, factor: original(bounds, theta, end, s, tail, 0 * factor)


def a_tenth_of_the_outside(original: Part) -> Part:
    return lambda bounds, theta, end, s, tail, factor: original(bounds, theta, end, s, tail, factor / 30)


MUTANTS: list[tuple[str, Part, int, str]] = [
    ("drift_of", no_drift, 256, "path"),
    ("limit_from", no_rest, 8, "farthest"),
    ("limit_from", no_rest, 8, "length"),
    ("_predicted", no_outside, 8, "tuned"),
    ("_predicted", a_tenth_of_the_outside, 1, "tuned"),
]


@pytest.mark.parametrize("steps", [1, 8, 256])
def test_the_radii_hold_exact_descents(slow: tuple[Setup, list[list[Point]]], steps: int) -> None:
    given, exact = slow
    tuned = descend(given, max_steps=steps, tolerance=1e-13)
    assert bool(tuned.tuned_radius.isfinite().all())
    assert misses(tuned, exact) == set()


@pytest.mark.parametrize(("name", "mutant", "steps", "leaf"), MUTANTS)
def test_a_weaker_proof_is_caught(
    slow: tuple[Setup, list[list[Point]]],
    name: str,
    mutant: Callable[[Part], Part],
    steps: int,
    leaf: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given, exact = slow
    monkeypatch.setattr(certificate, name, mutant(getattr(certificate, name)))
    assert leaf in misses(descend(given, max_steps=steps, tolerance=1e-13), exact)


def test_a_limit_without_the_drift_of_its_path_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of short steps of a linear model, along whose null space roundings add up."""
    drawn = setup(Linear(3), 40, 1, seed=6, step=(0.001, 0.003))

    def missed() -> int:
        tuned = descend(drawn, max_steps=4096, tolerance=0.0)
        with mpmath.workdps(DIGITS):
            off = [distance(nearest_interpolant(drawn, lane), tuned.tuned[lane].tolist()) for lane in range(40)]
        return sum(error > mpmath.mpf(float(radius)) for error, radius in zip(off, tuned.tuned_radius, strict=True))

    assert missed() == 0
    monkeypatch.setattr(certificate, "drift_of", no_drift(certificate.drift_of))
    assert missed() > 0


def test_the_prediction_is_quadratically_nearer_than_the_iterate(slow: tuple[Setup, list[list[Point]]]) -> None:
    given, _ = slow
    here, marks = Bounds.of(given), checkpoints(64)
    found = []
    for steps in (1, 64):
        end = run(given, marks, torch.zeros_like(given.eta), steps)
        limit = limit_from(here, end.theta, torch.zeros_like(given.eta), given.eta)
        found.append((limit.reach, limit.radius))
    (far, far_radius), (near, near_radius) = found
    shrunk = near / far
    assert bool((shrunk < 0.1).all())
    assert bool((near_radius < 3 * shrunk.square() * far_radius + 1e-13).all())


# -------------------------------------------------------------------------------------------------------- what is refused


@dataclass(frozen=True)
class Wave(Family):
    """f = sin(θ·x), with a constant that is only estimated."""

    inputs: int

    @property
    def parameters(self) -> int:
        return self.inputs

    @property
    def features(self) -> int:
        return self.inputs

    def outputs(self, theta: Tensor, frozen: Any, x: Tensor) -> Tensor:
        return torch.sin((x @ theta.unsqueeze(-1)).squeeze(-1)).unsqueeze(-1)


@dataclass(frozen=True)
class ClosedWave(Wave):
    """The same with β = √Σ‖x_i‖⁴, which is proved."""

    closed_form = True

    def smoothness(self, theta: Tensor, frozen: Any, x: Tensor, radius: Tensor | None = None) -> Tensor:
        return x.square().sum(-1).square().sum(-1).sqrt()

    mean_smoothness = smoothness


def test_an_estimated_constant_proves_nothing() -> None:
    given = setup(Wave(3), 4, 1, step=(0.5, 1.0), residual=0.01)
    tuned = descend(given, max_steps=64)
    for name in ("tuned_radius", "path_radius", "farthest_radius", "length_radius"):
        assert bool(getattr(tuned, name).isinf().all()), name
    closed = descend(replace(given, family=ClosedWave(3)), max_steps=64)
    assert bool(closed.tuned_radius.isfinite().any())
    assert torch.equal(closed.path, tuned.path)


def test_a_step_through_an_unknown_operator_has_infinite_radii(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any) -> Any:
        raise UnknownOperatorError("aten.sinc")

    given = setup(ClosedWave(3), 4, 1, step=(0.5, 1.0), residual=0.01)
    monkeypatch.setattr(bounds, "magnitudes", unknown)
    assert bool(descend(given, max_steps=64).tuned_radius.isinf().all())


@given(seed=st.integers(0, 2**31), family=st.sampled_from([Linear(3), Quadratic(2), TwoLayer(2, 2)]))
@settings(max_examples=6, deadline=None)
def test_no_radius_is_nan_or_negative_whatever_the_sizes(seed: int, family: Family) -> None:
    drawn = setup(family, 8, 1, seed=seed, spread=60.0)
    tuned = descend(drawn, max_steps=32)
    for name in ("tuned_radius", "path_radius", "farthest_radius", "length_radius"):
        assert bool((getattr(tuned, name) >= 0).all()), name


def test_a_path_that_is_too_long_for_its_curvature_bound_is_unknown() -> None:
    """Steps of h = 1.9 on a curved model: over the whole ball, ηα²S² may exceed 2."""
    given = setup(Quadratic(2), 6, 1, step=(1.9, 1.95), residual=3.0)
    tuned = descend(given, max_steps=64)
    assert bool(tuned.path_radius.isinf().any())


def test_equal_labels_without_full_rank_are_never_certified() -> None:
    given = setup(Linear(3), 2, 2, step=(0.5, 0.9))
    x = given.x_train[:, :1].expand(-1, 2, -1).clone()
    eta = 0.5 / (given.alpha * torch.linalg.matrix_norm(x, ord=2)).square()
    tuned = descend(replaced(given, x_train=x, eta=eta), max_steps=512)
    assert bool(tuned.tuned_radius.isinf().all())
    assert bool(tuned.path_radius.isfinite().all()), "the iterates themselves are known"


# ----------------------------------------------------------------------------------------------------------- compensation


@given(
    x=st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=8),
    y=st.lists(st.floats(-1e300, 1e300), min_size=8, max_size=8),
)
def test_two_sum_loses_nothing(x: list[float], y: list[float]) -> None:
    a, b = torch.tensor(x, dtype=torch.float64), torch.tensor(y[: len(x)], dtype=torch.float64)
    total, lost = two_sum(a, b)
    with mpmath.workdps(700):
        for p, q, s, e in zip(a.tolist(), b.tolist(), total.tolist(), lost.tolist(), strict=True):
            assert mpmath.mpf(p) + mpmath.mpf(q) == mpmath.mpf(s) + mpmath.mpf(e)


@pytest.mark.parametrize("family", [Linear(3), Quadratic(2), TwoLayer(2, 3)], ids=str)
def test_compensated_descents_are_within_their_smaller_drift(family: Family) -> None:
    drawn = setup(family, 5, 1, seed=4, step=(0.01, 0.02), residual=0.1)
    here, marks = Bounds.of(drawn), checkpoints(300)
    start, never = here.at(drawn.theta0), torch.zeros_like(drawn.eta)
    plain = drift_of(here, run(drawn, marks, never, 300), start)
    kept = run(drawn, marks, never, 300, compensated=True)
    small = drift_of(here, kept, start)
    assert bool((small.distance < 0.6 * plain.distance).all())
    with mpmath.workdps(DIGITS):
        for lane in range(5):
            exact = Naive.of(drawn, lane).iterates(300)[-1]
            assert distance(exact, kept.theta[lane].tolist()) <= mpmath.mpf(float(small.distance[lane]))
