"""Condition (11) as a function of the output scale, against bisection, a scan of scales and numpy."""

from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.claim import Claim, Sides
from boundcheck.geometry import Linear, Quadratic, TwoLayer
from boundcheck.strategies.scaled_setups import RescaledRecipe, RescaledSetup
from boundcheck.theorems.local_edits.output_scale import (
    from_threshold_on,
    holds_from_edit_on,
    holds_from_threshold_on,
    least_scale,
    residual_stays_small,
    residual_stays_small_as_printed,
)
from tests.strategies.instances import one_instance

RECIPE = RescaledRecipe(Quadratic(3, 1), samples=2, points=8, placement="inside", seed=2)


def state(claim: Claim, p: RescaledSetup, **changed: float) -> tuple[Sides, dict[str, float]]:
    constants = {name: torch.tensor(float(exact.value), dtype=torch.float64) for name, exact in claim.constants.items()}
    constants |= {name: torch.tensor(value, dtype=torch.float64) for name, value in changed.items()}
    statement, premises = claim.state(p, constants)
    assert isinstance(statement, Sides)
    return statement, {premise.name: float(premise.margin) for premise in premises}


def right_side_of_11(p: RescaledSetup) -> float:
    """By numpy, from the definitions."""
    J = p.jacobian.numpy()
    values = np.linalg.svd(J, compute_uv=False)
    s, S = values[-1], values[0]
    basis = np.linalg.svd(J, full_matrices=False)[2]
    K = p.jacobian_eval.numpy().T @ p.jacobian_eval.numpy()
    g = np.sqrt(np.linalg.eigvalsh(basis @ K @ basis.T)[0])
    L = np.sqrt(np.linalg.eigvalsh(K)[-1])
    beta_s, beta = float(p.beta_train), float(p.beta_eval)
    return float(min(g * s**4 / (L * beta_s * S**2), g * s**4 / (beta * S**3)) / 16)


@pytest.mark.parametrize("lane", range(8))
def test_sides_of_the_printed_form(lane: int) -> None:
    p = one_instance(RECIPE.build(1, first=lane), 0)
    sides, premises = state(residual_stays_small_as_printed, p, c=1 / 16)
    limit = right_side_of_11(p)
    F = p.family.outputs(p.theta0, p.frozen, p.x_train).numpy().ravel()
    y = p.y_train.numpy().ravel()
    assert float(sides.larger) == pytest.approx(limit, rel=1e-8)
    assert float(sides.smaller) == pytest.approx(np.linalg.norm(F - y / float(p.other)), rel=1e-9)
    margin = limit - np.linalg.norm(F - y / float(p.alpha))
    assert premises["(11) at the first scale"] == pytest.approx(margin, rel=1e-6, abs=1e-9 * limit)


def test_the_printed_form_falls_only_where_the_outputs_are_large() -> None:
    fallen = 0
    for lane in range(60):
        p = one_instance(RECIPE.build(1, first=lane), 0)
        sides, premises = state(residual_stays_small_as_printed, p, c=1 / 16)
        if min(premises.values()) >= 0 and float(sides.smaller) > float(sides.larger) * (1 + 1e-9):
            fallen += 1
            assert float(torch.linalg.vector_norm(p.start)) > float(sides.larger)
            assert state(residual_stays_small, p)[1]["|F| <= C"] < 0
    assert fallen > 3


@settings(max_examples=40, deadline=None)
@given(lane=st.integers(0, 400))
def test_the_threshold_is_where_the_residual_crosses(lane: int) -> None:
    """Found by bisection in the scale, in 60 digits."""
    p = one_instance(RECIPE.build(1, first=lane), 0)
    sides, premises = state(holds_from_threshold_on, p)
    if premises["|F| < C"] < 0:
        return
    limit = float(p.ceiling(1 / 16))
    threshold = float(least_scale(p, p.ceiling(1 / 16)))
    with mpmath.workdps(60):
        F, y = (mpmath.matrix([mpmath.mpf(v) for v in vector.tolist()]) for vector in (p.start, p.labels))

        def residual(log_scale: Any) -> Any:
            return mpmath.norm(F - y / mpmath.exp(log_scale))

        low, high = mpmath.mpf(-200), mpmath.mpf(200)
        assert residual(high) <= limit < residual(low)
        for _ in range(180):
            middle = (low + high) / 2
            low, high = (low, middle) if residual(middle) <= limit else (middle, high)
        assert threshold == pytest.approx(float(mpmath.exp(high)), rel=1e-6)
    assert float(sides.smaller) <= float(sides.larger) * (1 + 1e-9)


@pytest.mark.parametrize("lane", range(6))
def test_moving_labels(lane: int) -> None:
    p = one_instance(RECIPE.build(1, first=lane), 0)
    e = p.y_train.numpy().ravel() - float(p.alpha) * p.start.numpy()
    threshold = np.linalg.norm(e) / right_side_of_11(p)
    for factor, holds in [(0.5, False), (0.999, False), (1.001, True), (1000.0, True)]:
        at = p.with_leaves(p.leaves() | {"other": torch.tensor(factor * threshold, dtype=torch.float64)})
        sides, _ = state(holds_from_edit_on, at)
        residual = np.linalg.norm(e) / (factor * threshold)
        assert bool(residual <= right_side_of_11(p)) is holds
        assert float(sides.smaller) < float(sides.larger), "true on both sides of the threshold"
        mutant, _ = state(holds_from_edit_on, at, share=2.0)
        assert (float(mutant.smaller) > float(mutant.larger)) is (1 < factor < 2)


@settings(max_examples=100, deadline=None)
@given(*(st.floats(1e-3, 1e3) for _ in range(4)))
def test_one_inequality_says_both_directions(limit: float, residual: float, scale: float, threshold: float) -> None:
    numbers = [torch.tensor(v, dtype=torch.float64) for v in (limit, residual, scale, threshold)]
    sides = from_threshold_on(*numbers)
    product = (limit - residual) * (scale - threshold)
    size = limit * threshold + residual * scale + limit * scale
    assert float(sides.larger - sides.smaller) == pytest.approx(product, abs=1e-12 * size)


def test_without_curvature_or_outputs_nothing_is_said_or_all_holds() -> None:
    """β = 0 makes C infinite: vacuous. F = 0: the threshold is ‖y‖/C."""
    flat = RescaledRecipe(Linear(3, 1), samples=2, points=8, seed=2).build(1)
    assert state(residual_stays_small, one_instance(flat, 0))[1]["beta > 0"] < 0
    p = one_instance(RECIPE.build(1), 0)
    zero = p.with_leaves(p.leaves() | {"theta0": torch.zeros_like(p.theta0)})
    limit = zero.ceiling(1 / 16)
    expected = float(torch.linalg.vector_norm(p.labels)) / float(limit)
    assert float(least_scale(zero, limit)) == pytest.approx(expected, rel=1e-12)


def test_rank_deficient_models_meet_no_premise() -> None:
    """One hidden unit and two outputs."""
    p = one_instance(RescaledRecipe(TwoLayer(3, 1, 2, "tanh"), samples=1, points=4, seed=2).build(1), 0)
    assert float(p.sigma_min) < 1e-12 * float(p.sigma_max)
    assert float(p.ceiling(1 / 16)) < 1e-40
