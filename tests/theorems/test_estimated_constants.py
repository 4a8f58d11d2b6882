"""A family whose smoothness is only sampled can refute a premise, never establish one."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

import boundcheck.theorems.local_edits  # noqa: F401 - registers the claims
from boundcheck.claim import registered_claims
from boundcheck.geometry import Family, TwoLayer
from boundcheck.geometry.family import Frozen
from boundcheck.search import Evaluator
from boundcheck.strategies.fine_tunings import FineTuningRecipe
from boundcheck.verdict import Status


@dataclass(frozen=True)
class Sine(Family):
    """f = Σ_j sin(w_j·x): as a user would write it, with no derivative and no constant."""

    inputs: int
    width: int

    @property
    def parameters(self) -> int:
        return self.inputs * self.width

    @property
    def features(self) -> int:
        return self.inputs

    def outputs(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        weights = theta.unflatten(-1, (self.width, self.inputs))
        return torch.sin(x @ weights.mT).sum(-1, keepdim=True)


RECIPE = FineTuningRecipe(Sine(3, 2), samples=2, points=5, seed=4, descent_steps=512)


@pytest.mark.parametrize("key", ["LE-6i:U", "LE-6ii:adaptive", "LE-6iii:printed-lower", "LE-7:U", "LE-8:proved"])
def test_no_premise_with_an_estimate_is_verified(key: str) -> None:
    judgement = Evaluator(registered_claims()[key])(RECIPE.build(16))
    assert judgement.count(Status.HOLDS) == judgement.count(Status.VIOLATED_UNCERTIFIED) == 0
    assert judgement.count(Status.INVALID) == 0
    assert judgement.count(Status.PREMISE_UNVERIFIED) > 0


def test_the_estimate_is_a_lower_bound_of_the_proved_constant() -> None:
    family = TwoLayer(3, 4, 1, "tanh")
    theta = torch.linspace(-1, 1, family.parameters, dtype=torch.float64)
    frozen = {"head": torch.ones(1, 4, dtype=torch.float64)}
    x = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert 0 < float(family._sampled(theta, frozen, x, per_row=False)) <= float(family.smoothness(theta, frozen, x))
    assert 0 < float(family._sampled(theta, frozen, x, per_row=True)) <= float(family.mean_smoothness(theta, frozen, x))
