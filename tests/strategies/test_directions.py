"""Directions are of length one, and reach the edge, the top eigenspace and anything; roots are of their kind."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from boundcheck.strategies import directions
from boundcheck.strategies.directions import DirectionRecipe
from tests.strategies.instances import one_instance

LANES = 64


@pytest.mark.parametrize("spectrum", ["flat", "steps", "decaying", "any"])
def test_roots_are_of_their_kind(spectrum: Any) -> None:
    roots = DirectionRecipe(5, 5, 2, spectrum, 1).build(LANES).roots
    assert (roots > 0).all()
    distinct = [len(set(row.tolist())) for row in roots]
    assert max(distinct) == {"flat": 1, "steps": 2}.get(spectrum, 5)
    if spectrum != "flat":
        ratios = roots[:, -1] / roots[:, 0]
        assert ratios.min() < 0.02, "steep spectra are reached"
        assert ratios.max() > 0.95, "and flat ones"


def test_directions_reach_the_edge_the_top_and_anything() -> None:
    problem = DirectionRecipe(8, 8, 2, "any", 2).build(LANES)
    shares = np.array([float(one_instance(problem, lane).top_share) for lane in range(LANES)])
    edges = (1 + problem.epsilon.numpy()) * 2 / 8
    assert ((shares > 1 - 2e-4).sum()) > 4
    assert ((np.abs(shares / edges - (1 - 2.0**-20)) < 1e-9).sum()) > 4
    assert (shares < 0.2).sum() > 4
    assert (problem.bend.abs().amax((-1, -2, -3)) == 0).sum() > 4


@given(recipe=directions(max_dim=5))
@settings(max_examples=20)
def test_directions_have_length_one(recipe: DirectionRecipe) -> None:
    problem = recipe.build(8)
    for lane in range(8):
        assert float(one_instance(problem, lane).direction.norm()) == pytest.approx(1, abs=1e-12)
