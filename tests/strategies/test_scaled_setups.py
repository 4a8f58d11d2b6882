"""Setups with a second scale and in other units: what is reached, and that lanes and models are what they should be."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.geometry import GeneralQuadratic, Linear, Quadratic, TwoLayer
from boundcheck.problem import Problem
from boundcheck.strategies import rescaled_setups, tunings_in_other_units
from boundcheck.strategies.fine_tunings import EDGE, SetupRecipe
from boundcheck.strategies.scaled_setups import RescaledRecipe, in_other_units

STRATEGIES = [rescaled_setups(), tunings_in_other_units(max_samples=1, max_points=4)]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_lanes_do_not_depend_on_their_batch(strategy: Any) -> None:
    @given(recipe=strategy, lane=st.integers(0, 7))
    @settings(max_examples=8, deadline=None)
    def check(recipe: Any, lane: int) -> None:
        batch, alone = recipe.build(8), recipe.build(1, first=lane)
        for name in ("theta0", "x_train", "x_eval", "alpha"):
            torch.testing.assert_close(batch.leaves()[name][lane], alone.leaves()[name][0], rtol=1e-6, atol=1e-12)

    check()


@settings(max_examples=15, deadline=None)
@given(rescaled_setups())
def test_every_instance_is_finite_admissible_and_survives_json(recipe: RescaledRecipe) -> None:
    problem = recipe.build(4)
    assert bool(problem.finite().all())
    assert bool(problem.admissible().all())
    again = Problem.from_json(problem.to_json())
    assert all(torch.equal(a, b) for a, b in zip(problem.leaves().values(), again.leaves().values(), strict=True))


@pytest.mark.parametrize("family", [Quadratic(3, 1), GeneralQuadratic(2, 1), TwoLayer(3, 4, 1, "tanh")], ids=str)
def test_outputs_below_and_above_the_ceiling_are_reached(family: Any) -> None:
    problem = RescaledRecipe(family, samples=2, points=8, placement="inside", seed=2).build(256)
    ratio = torch.linalg.vector_norm(problem.start, dim=-1) / problem.ceiling(EDGE)
    assert int((ratio < 1).sum()) > 40
    assert int((ratio > 1).sum()) > 40
    assert int(((ratio - 1).abs() < 0.01).sum()) > 5, "the edge itself"


@pytest.mark.parametrize(
    ("placement", "low", "high"), [("inside", 0, 1), ("edge", 1 - 2e-6, 1 + 2e-6), ("outside", 1, 17)]
)
def test_labels_lie_where_the_placement_says(placement: Any, low: float, high: float) -> None:
    problem = RescaledRecipe(Quadratic(3, 1), samples=2, points=8, placement=placement, seed=2).build(128)
    part = problem.residual_norm / problem.ceiling(EDGE)
    near = part[torch.linalg.vector_norm(problem.start, dim=-1) < 100 * problem.ceiling(EDGE)]
    assert len(near) > 50
    assert float(near.min()) > low * (1 - 1e-9)
    assert float(near.max()) < high * (1 + 1e-9)


def test_the_other_scale_is_near_far_and_below() -> None:
    problem = RescaledRecipe(Quadratic(2, 1), samples=1, points=4, seed=3).build(256)
    factor = problem.other / problem.alpha
    assert float(factor.min()) < 1e-2
    assert float(factor.max()) > 1e2
    assert int(((factor - 1).abs() < 1e-5).sum()) > 20


@settings(max_examples=20, deadline=None)
@given(
    inputs=st.integers(1, 5),
    outputs=st.integers(1, 2),
    samples=st.integers(1, 3),
    scale=st.sampled_from([1.0, 2.0, 64.0, 2.0**-30, 2.0**40]),
)
def test_other_units_leave_the_model_and_the_step_size_as_they_are(
    inputs: int, outputs: int, samples: int, scale: float
) -> None:
    """Powers of two: every bit of the outputs stays."""
    old = SetupRecipe(Linear(inputs, outputs), samples, 4, seed=1).build(3)
    new = in_other_units(old, torch.full((3,), scale, dtype=torch.float64))
    assert torch.equal(old.residual(old.theta0), new.residual(new.theta0))
    torch.testing.assert_close(new.jacobian, old.jacobian * scale, rtol=0, atol=0)
    torch.testing.assert_close(new.step_size, old.step_size, rtol=1e-12, atol=0)
    torch.testing.assert_close(new.rho0, old.rho0 / scale, rtol=0, atol=0)


def test_descents_in_other_units_spill_the_same() -> None:
    """One step in other units is the old step, divided by the scale."""
    old = SetupRecipe(Linear(3, 1), 2, 4, seed=1).build(4)
    new = in_other_units(old, torch.full((4,), 32.0, dtype=torch.float64))
    steps = [p.eta[:, None] * p.pullback(p.theta0, p.residual(p.theta0)) for p in (old, new)]
    torch.testing.assert_close(steps[1] * 32, steps[0], rtol=1e-12, atol=0)
