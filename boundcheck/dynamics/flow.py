"""Gradient flow θ' = -∇L(θ) of the same loss: its limit as t → ∞, in batches, with a certified radius.

The flow is followed numerically (Runge-Kutta, steps chosen lane by lane) only until its limit can be predicted; `defect` proves
how far that path is from the exact one, and `certificate` where the exact one ends. A linear model needs no step at all: its
limit is that of every gradient descent that converges.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Self, cast

import torch
from torch import Tensor

from boundcheck.dynamics.bounds import UP, Bounds, Point, norm
from boundcheck.dynamics.certificate import limit_from
from boundcheck.dynamics.defect import Segments, distance_to_flow
from boundcheck.dynamics.fine_tuning import Displaced, Setup
from boundcheck.dynamics.leaps import leap_flow
from boundcheck.dynamics.running import lanes_of
from boundcheck.errors import BoundcheckError
from boundcheck.rigor.enclosure import UNIT_ROUNDOFF

FIRST_STEP = 2.0**-6
"""In units of 1/(α²·σ_max²), as all steps."""

LONGEST_STEP = 1.5
"""Beyond 2.7 the method is unstable."""

SHARE = 1 / 24
"""Of the accuracy, for the estimated defect of a step relative to its length: enclosures of it are several times wider."""

PROBE = 12**-0.5
"""Where on [-1/2, 1/2] the defect of a cubic is largest."""


@dataclass(frozen=True)
class FlowLimit(Displaced):
    """A Setup together with the limit of its gradient flow from θ_0 (the step size η plays no role).

    Leaves:
        tuned `[n]`: within `tuned_radius` of the limit (+inf where nothing is known of it).
    """

    tuned: Tensor
    tuned_radius: Tensor

    derived: ClassVar[tuple[str, ...]] = ("tuned", "tuned_radius")
    radius_of: ClassVar[Mapping[str, str]] = {"tuned": "tuned_radius"}

    def settled(self) -> Self:
        """The same setups, followed again."""
        return cast("Self", flow_limit(Setup(**{f.name: getattr(self, f.name) for f in fields(Setup)})))

    def approached(self) -> Self:
        """The same setups followed in leaps, differentiably; see `leaps`."""
        tuned = leap_flow(Setup(**{f.name: getattr(self, f.name) for f in fields(Setup)}))
        return replace(self, tuned=tuned, tuned_radius=torch.zeros_like(self.alpha))


def flow_limit(setup: Setup, *, accuracy: float = 1e-6, max_steps: int = 2048) -> FlowLimit:
    """Follow θ' = -∇L(θ) from θ_0 in every lane until its limit can be predicted, and prove how well.

    Args:
        setup: the batch `[lanes]`.
        accuracy: how large `tuned_radius` may be, relative to the distance from θ_0. It is aimed at, not promised: the radius
            says what was reached.
        max_steps: of the numerical method. A lane that has not come near enough by then is predicted from where it is.

    Raises:
        BoundcheckError: for an accuracy that is not positive.

    Time: some hundred steps a lane (times the square of the condition number where that is large), 0.1 ms each with its proof.

    """
    if not accuracy > 0:
        raise BoundcheckError(f"accuracy={accuracy}", expected="a positive number")
    bounds = Bounds.of(setup)
    start = bounds.at(setup.theta0)
    moved, segments = _follow(setup, start, accuracy, max_steps)
    theta = setup.theta0 + moved
    rounded = torch.where((moved == 0).all(-1), 0.0, UNIT_ROUNDOFF * norm(theta) * UP)
    distance = (distance_to_flow(setup, start, segments) + rounded) * UP
    limit = limit_from(bounds, theta, distance, torch.zeros_like(setup.eta))
    values = {f.name: getattr(setup, f.name) for f in fields(Setup)}
    return FlowLimit(**values, tuned=limit.centre, tuned_radius=limit.radius)


def _goal(setup: Setup, start: Point, accuracy: float) -> Tensor:
    """The ‖r‖ from which the limit can be predicted: q and a (see `certificate`) are small."""
    s, beta, least = start.smallest, start.beta, start.residual / (setup.alpha * start.largest)
    near = torch.minimum(torch.sqrt(accuracy * least * s.pow(3) / (16 * beta)), s.square() / (32 * beta))
    return torch.nan_to_num(near, nan=torch.inf) * setup.alpha


def _follow(setup: Setup, start: Point, accuracy: float, max_steps: int) -> tuple[Tensor, list[Segments]]:
    """The last points, seen from θ_0, and all accepted steps."""
    goal = _goal(setup, start, accuracy)
    unit = 1 / (setup.alpha * start.largest).square()
    moved, time = torch.zeros_like(setup.theta0), FIRST_STEP * unit
    alive = torch.nonzero((start.residual > goal) & start.residual.isfinite() & unit.isfinite()).squeeze(-1)
    here, segments = lanes_of(setup, alive), list[Segments]()
    for _ in range(max_steps):
        if not len(alive):
            break
        step, off = _runge_kutta(here, moved[alive], time[alive])
        size = torch.linalg.vector_norm(step.velocity0, dim=-1)
        ratio = torch.nan_to_num(off / (SHARE * accuracy * size), nan=torch.inf)
        good = ratio <= 1
        rows = torch.nonzero(good).squeeze(-1)
        segments.append(step.pick(rows, alive))
        moved[alive[rows]] = step.end[rows]
        factor = torch.clamp(0.9 * ratio.clamp(min=1e-9) ** (-1 / 3), 0.2, 3.0)
        time[alive] = torch.minimum(time[alive] * factor, LONGEST_STEP * unit[alive])
        near = torch.linalg.vector_norm(here.residual(here.theta0 + moved[alive]), dim=-1) <= goal[alive]
        if bool((near & good).any()):
            alive = alive[~(near & good)]
            here = lanes_of(setup, alive)
    return moved, segments


def _downhill(setup: Setup, moved: Tensor) -> Tensor:
    """-∇L(θ_0 + moved)."""
    theta = setup.theta0 + moved
    return -setup.alpha[..., None] * setup.pullback(theta, setup.residual(theta))


def _runge_kutta(setup: Setup, moved: Tensor, time: Tensor) -> tuple[Segments, Tensor]:
    """One step of the classical method as a segment, and roughly what its defect will be."""
    t = time[:, None]
    k1 = _downhill(setup, moved)
    k2 = _downhill(setup, moved + t / 2 * k1)
    k3 = _downhill(setup, moved + t / 2 * k2)
    k4 = _downhill(setup, moved + t * k3)
    end = moved + t / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    step = Segments(torch.arange(len(time), device=time.device), time, moved, t * k1, end, t * _downhill(setup, end))
    x = torch.full_like(time, PROBE)
    off = torch.linalg.vector_norm(step.velocity(x) - t * _downhill(setup, step.point(x)), dim=-1)
    return step, 5 * off
