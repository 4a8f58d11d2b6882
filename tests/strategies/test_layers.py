"""Layers are of their kind, and whole numbers are counted without error."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from boundcheck.strategies.layers import LinearLayerRecipe, nearest

LANES = 64


@given(value=st.integers(-40, 40), offset=st.floats(-0.49, 0.49))
def test_nearest_counts_to_the_nearest_whole_number(value: int, offset: float) -> None:
    assert float(nearest(torch.tensor(value + offset).double(), 40)) == value


def test_nearest_stops_at_the_largest() -> None:
    assert nearest(torch.tensor([-1e9, 1e9, 0.0]).double(), 5).tolist() == [-5, 5, 0]


@pytest.mark.parametrize("kind", ["coordinates", "copies", "any"])
def test_layers_of_a_kind(kind: Any) -> None:
    problem = LinearLayerRecipe(4, 2, 10, kind, 3).build(LANES)
    if kind == "coordinates":
        assert (problem.basis[:, 2:] == 0).all()
    if kind == "copies":
        assert torch.equal(problem.basis[:, 2:].abs(), problem.basis[:, :2].abs())
    assert all(tensor.abs().max() <= 3 for tensor in problem.leaves().values())
