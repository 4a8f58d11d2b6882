"""A descent in leaps is near the real one, and so are its derivatives."""

from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import Tensor

from boundcheck.dynamics import FlowLimit, Setup, descend, flow_limit
from boundcheck.dynamics.leaps import leap
from boundcheck.geometry import Family, GeneralQuadratic, Linear, Quadratic, TwoLayer
from tests.dynamics.oracle import setup, tame

CHECKPOINTS = 11
STEPS = 2 ** (CHECKPOINTS - 1)
MODELS: list[tuple[Family, int]] = [
    (Linear(4), 2),
    (Quadratic(3), 2),
    (GeneralQuadratic(3), 2),
    (GeneralQuadratic(3, 2), 1),
    (TwoLayer(3, 4), 2),
]


def given(family: Family, samples: int, lanes: int = 4) -> Setup:
    return tame(setup(family, 60, samples, seed=3, step=(0.03, 0.06), residual=0.01), lanes)


def norm(vector: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vector, dim=-1)


@pytest.mark.parametrize(("family", "samples"), MODELS, ids=str)
def test_leaps_end_where_the_descent_ends(family: Family, samples: int) -> None:
    start = given(family, samples)
    real, leaped = descend(start, max_steps=STEPS, tolerance=0.0), leap(start, CHECKPOINTS)
    moved = norm(real.tuned - start.theta0)
    assert bool((norm(leaped.tuned - real.tuned) <= 1e-3 * moved).all())
    assert bool((norm(leaped.path - real.path) <= 1e-3 * moved[:, None]).all())
    assert bool(((leaped.path_length - real.path_length).abs() <= 0.05 * real.path_length).all())
    assert torch.equal(leaped.path_steps, real.path_steps)
    assert bool(((leaped.slack - real.slack).abs() <= 1e-6 * real.slack + 1e-12).all())
    far = norm(real.farthest - start.theta0)
    assert bool(((norm(leaped.farthest - start.theta0) - far).abs() <= 1e-2 * far).all())


def test_a_linear_descent_is_leaped_exactly() -> None:
    start = given(Linear(4), 2)
    real, leaped = descend(start, max_steps=STEPS, tolerance=0.0), leap(start, CHECKPOINTS)
    assert bool((norm(leaped.path - real.path) <= 1e-12 * norm(real.tuned)[:, None]).all())


@pytest.mark.parametrize("leaf", ["y_train", "theta0", "eta", "x_train"])
def test_derivatives_of_the_limit_are_those_of_the_real_one(leaf: str) -> None:
    """Beside differences of real descents: the limit depends on the path too (η moves it only through the curvature)."""
    start = given(GeneralQuadratic(3), 2, lanes=1)
    values = {f.name: getattr(start, f.name) for f in fields(Setup)}
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(values[leaf].shape, dtype=torch.float64, generator=generator) * values[leaf].abs().max()

    def limit(t: float, run: Any) -> Tensor:
        moved = Setup(**(values | {leaf: values[leaf] + t * direction}))
        end: Tensor = run(moved).tuned - moved.theta0
        return end

    def real(moved: Setup) -> Any:
        return descend(moved, max_steps=4 * STEPS, tolerance=1e-13)

    t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    moved = Setup(**(values | {leaf: values[leaf] + t * direction}))
    end = (leap(moved, CHECKPOINTS).tuned - moved.theta0)[0]
    slope = torch.stack([torch.autograd.grad(entry, t, retain_graph=True)[0] for entry in end])
    step = 1e-4
    difference = (limit(step, real) - limit(-step, real))[0] / (2 * step)
    scale = float(norm(difference)) if leaf != "eta" else float(norm(limit(0.0, real)))
    assert float(norm(slope - difference)) <= 1e-2 * scale


def test_singular_values_may_cross() -> None:
    """Equal eigenvalues of JJᵀ have no separate derivatives; leaps do not ask for them."""
    start = given(Linear(2), 2, lanes=1)
    x = torch.eye(2, dtype=torch.float64)[None].clone().requires_grad_()
    values = {f.name: getattr(start, f.name) for f in fields(Setup)} | {"x_train": x}
    leap(Setup(**values), CHECKPOINTS).tuned.sum().backward()
    assert x.grad is not None
    assert bool(x.grad.isfinite().all())


@pytest.mark.parametrize(("family", "samples"), MODELS, ids=str)
def test_leaps_of_a_flow_end_where_it_ends(family: Family, samples: int) -> None:
    real = flow_limit(given(family, samples))
    leaped = real.approached()
    moved = norm(real.tuned - real.theta0)
    assert bool((norm(leaped.tuned - real.tuned) <= 1e-3 * moved).all())
    assert bool((leaped.tuned_radius == 0).all())


def test_derivatives_of_a_flows_limit_are_those_of_the_real_one() -> None:
    start = given(GeneralQuadratic(3), 2, lanes=1)
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(start.y_train.shape, dtype=torch.float64, generator=generator)

    def at(t: Any) -> FlowLimit:
        return flow_limit(start.with_leaves(start.leaves() | {"y_train": start.y_train + t * direction}))

    step = 1e-3 * float(start.residual(start.theta0).norm())
    difference = (at(step).tuned - at(-step).tuned)[0] / (2 * step)
    t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    here = at(0.0)
    moved = here.with_leaves(here.leaves() | {"y_train": start.y_train + t * direction}).approached().tuned[0]
    slope = torch.stack([torch.autograd.grad(entry, t, retain_graph=True)[0] for entry in moved])
    assert float(norm(slope - difference)) <= 1e-2 * float(norm(difference))
