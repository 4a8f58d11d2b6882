"""Tilts are what they are named after, and nearly reach both sides of the bounds on their divergence."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings

from boundcheck.geometry import exponential_remainder
from boundcheck.strategies import tilts
from boundcheck.strategies.tilts import TiltRecipe

LANES = 64


@given(recipe=tilts())
@settings(max_examples=40)
def test_tilts_are_of_the_spread_they_promise(recipe: TiltRecipe) -> None:
    problem = recipe.build(LANES)
    assert (problem.spread >= 0.9e-2).all()
    assert (problem.spread <= 20.1).all()
    assert torch.allclose(problem.probabilities.sum(-1), torch.ones(LANES, dtype=torch.float64))
    if recipe.kind in ("rare_low", "rare_high"):
        assert (problem.probabilities[:, 0] <= 1.01e-3).all()
        assert (problem.tilt[:, 0] < 0).all() == (recipe.kind == "rare_low")


@pytest.mark.parametrize(("kind", "sign"), [("rare_low", -1), ("rare_high", 1)])
@pytest.mark.parametrize("classes", [2, 8])
def test_both_sides_of_the_sandwich_are_nearly_reached(kind: Any, sign: int, classes: int) -> None:
    problem = TiltRecipe(classes, kind, 1).build(256)
    u = sign * problem.spread
    ratio = problem.divergence / (exponential_remainder(u) * problem.variance)
    nearest_one = ratio.min() if sign < 0 else ratio.max()
    assert abs(float(nearest_one) - 1) < 1e-4
