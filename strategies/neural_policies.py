"""Networks as softmax policies: displaced at random, or followed along a gradient flow."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from hypothesis import strategies as st

from boundcheck.dynamics.policy_flow import PolicyFlow, policy_flow
from boundcheck.geometry import TwoLayer
from boundcheck.strategies.fine_tunings import DisplacedRecipe, SetupRecipe, displacements
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.models import Families


def softmax_networks(*, max_inputs: int = 3, max_width: int = 4, max_responses: int = 3) -> Families:
    """Two-layer networks with a logit for each of at least two responses."""
    return st.builds(
        TwoLayer,
        inputs=st.integers(1, max_inputs),
        width=st.integers(2, max_width),
        outputs_=st.integers(2, max_responses),
        activation=st.sampled_from(["tanh", "softplus"]),
    ).filter(lambda family: family.outputs_count <= family.parameters)


def displaced_policies() -> st.SearchStrategy[DisplacedRecipe]:
    """Networks as softmax policies, with a second parameter vector anywhere."""
    return displacements(family=softmax_networks(), max_samples=1, max_points=3)


@dataclass(frozen=True)
class PolicyFlowRecipe(SetupRecipe):
    """A Setup of a network with several outputs, followed along the gradient flow of its loss for a time near 1/‖∇²L‖ or less."""

    def build(self, lanes: int, first: int = 0) -> PolicyFlow:
        """Lanes first, …, first + lanes - 1. Batches are followed once."""
        return _followed(self, lanes, first, str(torch.get_default_device()))


@lru_cache(maxsize=16)
def _followed(recipe: PolicyFlowRecipe, lanes: int, first: int, device: str) -> PolicyFlow:  # noqa: ARG001
    """`device` is where torch puts new tensors; it is here to be part of the cache's key."""
    setup = SetupRecipe.build(recipe, lanes, first)
    stream = LaneStream(recipe.seed + 2**32, lanes, first)
    scale = setup.alpha.square() * setup.sigma_max.square()
    return policy_flow(setup, stream.log_uniform(1e-2, 0.5) / scale.clamp(min=1e-6))


def policy_flows() -> st.SearchStrategy[PolicyFlowRecipe]:
    """Networks as softmax policies that follow the gradient flow of a least-squares loss on one or two samples."""

    @st.composite
    def draw(draw: st.DrawFn) -> PolicyFlowRecipe:
        family = draw(softmax_networks())
        return PolicyFlowRecipe(
            family=family,
            samples=draw(st.integers(1, 2)) if 2 * family.outputs_count <= family.parameters else 1,
            points=draw(st.integers(2, 3)),
            seed=draw(st.integers(0, 2**31 - 1)),
        )

    return draw()
