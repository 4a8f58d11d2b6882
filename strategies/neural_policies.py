"""Networks as softmax policies: displaced at random, or followed along a gradient flow."""

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.dynamics import Setup
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
    """A Setup of a network with several outputs, followed along the gradient flow of its loss for a time near 1/‖∇²L‖ or less.

    Where `aligned`, its labels are such that the gradient has no first-order effect on the skill (J·v = 0 up to roundings), as
    far as there are more labels than the skill has directions.
    """

    aligned: bool = True

    def build(self, lanes: int, first: int = 0) -> PolicyFlow:
        """Lanes first, …, first + lanes - 1. Batches are followed once."""
        return _followed(self, lanes, first, str(torch.get_default_device()))


@lru_cache(maxsize=16)
def _followed(recipe: PolicyFlowRecipe, lanes: int, first: int, device: str) -> PolicyFlow:  # noqa: ARG001
    """`device` is where torch puts new tensors; it is here to be part of the cache's key."""
    setup = SetupRecipe.build(recipe, lanes, first)
    stream = LaneStream(recipe.seed + 2**32, lanes, first)
    residual = setup.residual(setup.theta0)
    if recipe.aligned:
        residual = _without_first_order(setup, residual)
    setup = _with_residual(setup, residual, stream.log_uniform(0.1, 3.0))
    scale = setup.alpha.square() * setup.sigma_max.square()
    return policy_flow(setup, stream.log_uniform(1e-2, 0.5) / scale.clamp(min=1e-6))


def _without_first_order(setup: Setup, residual: Tensor) -> Tensor:
    """The part of a residual r `[lanes, mk]` with J·J_Sᵀ·r = 0, for the centred logits on the skill's prompts."""
    logits = setup.family.jacobian(setup.theta0, setup.frozen, setup.x_eval)
    p = torch.softmax(setup.family.outputs(setup.theta0, setup.frozen, setup.x_eval), dim=-1)
    centred = (logits - (p[..., None] * logits).sum(-2, keepdim=True)).flatten(-3, -2)
    effect = centred @ setup.jacobian.mT  # of a residual on the skill: [lanes, Nk, mk]
    values, vectors = torch.linalg.eigh(effect.mT @ effect)
    silent = (values < 1e-9 * values[..., -1:]).to(residual.dtype)[..., None, :] * vectors
    return (silent @ (silent.mT @ residual[..., None])).squeeze(-1)


def _with_residual(setup: Setup, residual: Tensor, size: Tensor) -> Setup:
    """The same setups with labels whose residual has this direction, and this norm in units of α."""
    length = torch.linalg.vector_norm(residual, dim=-1).clamp(min=1e-300)
    scaled = residual * (setup.alpha * size / length)[:, None]
    start = setup.alpha[:, None, None] * setup.family.outputs(setup.theta0, setup.frozen, setup.x_train)
    return replace(setup, y_train=start - scaled.unflatten(-1, setup.y_train.shape[-2:]))


def policy_flows() -> st.SearchStrategy[PolicyFlowRecipe]:
    """Networks as softmax policies that follow the gradient flow of a least-squares loss on one or two samples."""

    @st.composite
    def draw(draw: st.DrawFn) -> PolicyFlowRecipe:
        family = draw(softmax_networks())
        return PolicyFlowRecipe(
            family=family,
            samples=draw(st.integers(2, 3)) if 3 * family.outputs_count <= family.parameters else 1,
            points=1,
            aligned=draw(st.sampled_from([True, True, False])),
            seed=draw(st.integers(0, 2**31 - 1)),
        )

    return draw()
