"""Theorem 1: edits against a loop, the limit of linear descents in closed form, and what a change of units does."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.claim import Claim, Sides
from boundcheck.dynamics import FineTuning, descend
from boundcheck.geometry import Linear, Quadratic, TwoLayer
from boundcheck.strategies.fine_tunings import FineTuningRecipe, SetupRecipe
from boundcheck.strategies.scaled_setups import in_other_units
from boundcheck.theorems.local_edits.theorem_1 import (
    mean_edit,
    spill_ge_mean_edit,
    spill_ge_mean_edit_adaptive,
    spill_ge_mean_edit_without_units,
)
from tests.strategies.instances import one_instance


def sides(claim: Claim, p: FineTuning) -> tuple[float, float]:
    constants = {name: torch.tensor(float(exact.value), dtype=torch.float64) for name, exact in claim.constants.items()}
    statement, _ = claim.state(p, constants)
    assert isinstance(statement, Sides)
    return float(statement.smaller), float(statement.larger)


@pytest.mark.parametrize("family", [Linear(4, 2), Quadratic(3, 1), TwoLayer(3, 4, 1, "softplus")], ids=str)
def test_edits_are_residuals_in_the_limit(family: Linear | Quadratic | TwoLayer) -> None:
    problem = FineTuningRecipe(family, samples=2, points=6, seed=13).build(12)
    for lane in range(12):
        p = one_instance(problem, lane)
        rows = [
            family.outputs(p.tuned, p.frozen, x[None]) - family.outputs(p.theta0, p.frozen, x[None]) for x in p.x_train
        ]
        loop = np.mean([float((row**2).sum()) for row in rows])
        assert float(mean_edit(p)) == pytest.approx(loop, rel=1e-10)
        if float(p.tuned_radius) < 1e-9 * float(p.step_norm):
            assert float(mean_edit(p)) == pytest.approx(float(p.residual_norm) ** 2 / 2, rel=1e-5)


@settings(max_examples=10, deadline=None)
@given(inputs=st.integers(2, 5), lane=st.integers(0, 100))
def test_linear_descents_against_the_minimum_norm_solution(inputs: int, lane: int) -> None:
    p = one_instance(FineTuningRecipe(Linear(inputs, 1), samples=2, points=6, seed=14).build(1, first=lane), 0)
    if not float(p.tuned_radius) < 1e-9 * float(p.step_norm):
        return
    X, E = p.x_train.numpy(), p.x_eval.numpy()
    wanted = p.y_train.numpy().ravel() / float(p.alpha) - X @ p.theta0.numpy()
    D = np.linalg.pinv(X) @ wanted
    basis = np.linalg.svd(X, full_matrices=False)[2]
    g2 = np.linalg.eigvalsh(basis @ (E.T @ E / len(E)) @ basis.T)[0]
    S2 = np.linalg.norm(X, 2) ** 2
    spill = 0.5 * np.mean((E @ D) ** 2)
    edit = np.mean((X @ D) ** 2)
    assert sides(spill_ge_mean_edit, p) == pytest.approx((g2 * 2 / S2 * edit / 3, spill), rel=1e-5)
    assert sides(spill_ge_mean_edit_without_units, p) == pytest.approx((g2 * edit / 256, spill), rel=1e-5)


@pytest.mark.parametrize("scale", [2.0, 64.0, 2.0**-20])
def test_units_change_the_literal_form_alone(scale: float) -> None:
    old = SetupRecipe(Linear(3, 1), 2, 5, seed=4).build(4)
    here, there = descend(old), descend(in_other_units(old, torch.full((4,), scale, dtype=torch.float64)))
    for lane in range(4):
        p, q = one_instance(here, lane), one_instance(there, lane)
        for claim in (spill_ge_mean_edit, spill_ge_mean_edit_adaptive):
            assert sides(claim, q) == pytest.approx(sides(claim, p), rel=1e-6)
        smaller, larger = sides(spill_ge_mean_edit_without_units, p)
        assert sides(spill_ge_mean_edit_without_units, q) == pytest.approx((smaller * scale**2, larger), rel=1e-6)
