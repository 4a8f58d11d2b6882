"""A neural network as a softmax policy, followed along the gradient flow of a fine-tuning loss.

Its outputs are logits; the skill's prompts are the evaluation points, and Assumption 1 holds by definition: the reference
distribution is the policy at θ_0. Source: Springer et al., The Geometry of Alignment Collapse, Sections 3 and 6.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import ClassVar, Self, cast

import torch
from torch import Tensor
from torch.func import jvp

from boundcheck.dynamics.fine_tuning import Setup
from boundcheck.dynamics.flow_at import flow_at
from boundcheck.geometry import tilting

STEPS = 32
"""Of the integrator."""

ROUGH_STEPS = 8
"""Of the one that is differentiated through."""


def gradient(p: Setup, theta: Tensor) -> Tensor:
    """∇L of the loss L(θ) = ½·‖α·F_S(θ) - y_S‖²: `[n]`."""
    return p.alpha * p.pullback(theta, p.residual(theta))


def mean_divergence(start: Tensor, change: Tensor) -> Tensor:
    """Mean over prompts of KL(softmax(z) ‖ softmax(z + w)) for logits z and changes w `[..., N, k]`."""
    return tilting.divergence(torch.softmax(start, dim=-1), change).mean(-1)


def mean_variance(start: Tensor, change: Tensor) -> Tensor:
    """Mean over prompts of the variance of w under softmax(z), that is |w|_*²."""
    p = torch.softmax(start, dim=-1)
    centred = change - (p * change).sum(-1, keepdim=True)
    return (p * centred.square()).sum(-1).mean(-1)


def spread(change: Tensor) -> Tensor:
    """R, the largest difference between the changes of two responses to one prompt: `[...]`."""
    return tilting.spread(change).amax(-1)


@dataclass(frozen=True)
class PolicyFlow(Setup):
    """A Setup whose outputs on the evaluation points are the logits of a skill, and how far its gradient flow has come.

    Leaves, beside those of a Setup: time `[]` (t); displacement `[n]`, within displacement_radius `[]` of D(t) = θ(t) - θ_0.
    """

    time: Tensor
    displacement: Tensor
    displacement_radius: Tensor

    derived: ClassVar[tuple[str, ...]] = ("displacement", "displacement_radius")
    radius_of: ClassVar[Mapping[str, str]] = {"displacement": "displacement_radius"}

    def admissible(self) -> Tensor:
        """t comes after 0."""
        return super().admissible() & (self.time > 0)

    def settled(self) -> Self:
        """The same policies, with the flow followed again."""
        return self.followed(STEPS)

    def approached(self) -> Self:
        """The same policies, with the flow followed in a few steps of the classical Runge-Kutta method, differentiably."""
        tau, moved = (self.time / ROUGH_STEPS)[..., None], torch.zeros_like(self.theta0)
        for _ in range(ROUGH_STEPS):
            first = self._downhill(moved)
            second = self._downhill(moved + tau / 2 * first)
            third = self._downhill(moved + tau / 2 * second)
            fourth = self._downhill(moved + tau * third)
            moved = moved + tau / 6 * (first + 2 * second + 2 * third + fourth)
        return replace(self, displacement=moved, displacement_radius=torch.zeros_like(self.time))

    def _downhill(self, moved: Tensor) -> Tensor:
        theta = self.theta0 + moved
        return -self.alpha[..., None] * self.pullback(theta, self.residual(theta))

    def followed(self, steps: int) -> Self:
        """The same policies, with the flow followed in so many steps (a power of two): the radius shrinks as their cube."""
        setup = Setup(**{f.name: getattr(self, f.name) for f in fields(Setup)})
        return cast("Self", policy_flow(setup, self.time, steps=steps))

    def logits(self, theta: Tensor) -> Tensor:
        """The logits of the skill's prompts: `[N, k]`."""
        return self.family.outputs(theta, self.frozen, self.x_eval)

    @cached_property
    def start(self) -> Tensor:
        """The logits of the aligned model: `[N, k]`."""
        return self.logits(self.theta0)

    @cached_property
    def change(self) -> Tensor:
        """How the logits have changed at time t: `[N, k]`."""
        return self.logits(self.theta0 + self.displacement) - self.start

    @property
    def drop(self) -> Tensor:
        """Δu at time t."""
        return mean_divergence(self.start, self.change)

    @cached_property
    def rates(self) -> tuple[Tensor, Tensor, Tensor]:
        """First, second and third derivative of the logits along the flow, at time 0: `[N, k]` each."""
        return self.rates_at(self.theta0)

    def rates_at(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same where the flow passes θ."""

        def velocity(theta: Tensor) -> Tensor:
            return -gradient(self, theta)

        def along(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
            return lambda theta: jvp(function, (theta,), (velocity(theta),))[1]

        first = along(self.logits)
        second = along(first)
        return first(theta), second(theta), along(second)(theta)


def policy_flow(setup: Setup, time: Tensor, *, steps: int = STEPS) -> PolicyFlow:
    """Follow the gradient flow of a batch's least-squares loss for the times `[lanes]`, with proved radii (see `flow_at`)."""
    followed = flow_at(setup, gradient, setup.theta0, time, steps=steps)
    values = {f.name: getattr(setup, f.name) for f in fields(Setup)}
    return PolicyFlow(
        **values,
        time=time,
        displacement=followed.displacement,
        displacement_radius=followed.displacement_radius,
    )
