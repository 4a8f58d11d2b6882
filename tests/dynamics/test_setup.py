"""A Setup's leaves have to fit its family: a stored one may say anything."""

from dataclasses import replace

import pytest
import torch

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import Linear, TwoLayer
from boundcheck.problem import Problem
from boundcheck.strategies.fine_tunings import SetupRecipe


@pytest.mark.parametrize("leaf", ["theta0", "x_train", "y_train", "x_eval"])
def test_a_leaf_of_another_size(leaf: str) -> None:
    good = SetupRecipe(Linear(3), 2, 5).build(4)
    wrong = torch.zeros(*getattr(good, leaf).shape[:-1], 7, dtype=torch.float64)
    with pytest.raises(BoundcheckError, match=f"the leaf {leaf} is of shape"):
        good.with_leaves(good.leaves() | {leaf: wrong})


def test_a_frozen_parameter_that_is_missing() -> None:
    good = SetupRecipe(TwoLayer(2, 3), 2, 5).build(4)
    with pytest.raises(BoundcheckError, match="the leaf head is missing"):
        replace(good, frozen={})


def test_a_family_of_absurd_size_in_a_stored_instance() -> None:
    stored = SetupRecipe(Linear(3), 2, 5).build(1).to_json()
    stored["structure"]["family"]["outputs_"] = 60_000
    with pytest.raises(BoundcheckError, match="the leaf"):
        Problem.from_json(stored)
