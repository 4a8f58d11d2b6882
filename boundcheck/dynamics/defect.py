"""How far a piecewise cubic path p is from the exact gradient flow θ' = -∇L(θ) with the same start: the proof.

*Amplification.* d = ‖p - θ‖ obeys d' <= ‖p' + ∇L(p)‖ + μ·d, where -μ bounds from below the eigenvalues of the mean of
∇²L = α²·JᵀJ + α·Σ r_i·∇²f_i between p and θ: those of the first term are not below 0, and the second has norm at most
αβ‖r‖ <= αβ(‖r(p)‖ + αS·d). So, as in `certificate`, a D that is at least `(∫‖p' + ∇L(p)‖ + jumps)·exp(αβ·∫(‖r(p)‖ + αS·D))`
bounds d, with S = ‖J(θ_0)‖ + β·(length of p + 2D). A β that holds only on the ball of radius ρ_0 around θ_0 is enough where
length of p + 2D <= ρ_0; elsewhere nothing is known.

*Defect.* A segment is p(x) = θ_0 + c_0 + c_1·x + c_2·x² + c_3·x³ for x in [-1/2, 1/2], its coefficients as they are stored, and
takes the time τ. With E(x) = p'(x) + τ·∇L(p(x)), ∫‖E‖ dx is at most the mean of ‖E‖ at both ends plus sup‖E''‖/12. Both ends
are enclosed as points, E'' with x an interval, and so is r. E'' comes from derivatives of Jᵀr with respect to θ and r, and of
J·p'; r itself is never differentiated, so that an activation may be computed piecewise. Where segments meet, p may jump by
the rounding of the coefficients (relative to the way from θ_0, not to θ_0): the distances of both ends from the stored points
are enclosed too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.func import jvp

from boundcheck.dynamics.bounds import UP, Point, bound, norm
from boundcheck.dynamics.fine_tuning import Setup
from boundcheck.dynamics.running import lanes_of
from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor import Enclosure, Traced, trace

ROWS = 4096
"""Segments that are enclosed at once."""


@dataclass(frozen=True)
class Segments:
    """Cubics, each of some lane: where they begin and end, seen from θ_0, and τ times the velocity there."""

    lane: Tensor
    time: Tensor
    begin: Tensor
    velocity0: Tensor
    end: Tensor
    velocity1: Tensor

    def pick(self, rows: Tensor, lanes: Tensor) -> "Segments":
        """Some of them, numbered by the lanes of a larger batch."""
        part = Segments(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})
        return Segments(lanes[part.lane], *(getattr(part, f.name) for f in fields(self)[1:]))

    @property
    def coefficients(self) -> list[Tensor]:
        """c_0, …, c_3."""
        p, q, v, w = self.begin, self.end, self.velocity0, self.velocity1
        return [(p + q) / 2 + (v - w) / 8, 1.5 * (q - p) - (v + w) / 4, (w - v) / 2, (v + w) - 2 * (q - p)]

    def point(self, x: Tensor) -> Tensor:
        """p(x) - θ_0."""
        return _derivatives(x, *self.coefficients)[0]

    def velocity(self, x: Tensor) -> Tensor:
        """p'(x)."""
        return _derivatives(x, *self.coefficients)[1]


def _derivatives(x: Tensor, c0: Tensor, c1: Tensor, c2: Tensor, c3: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x = x[..., None]
    return c0 + x * (c1 + x * (c2 + x * c3)), c1 + x * (2 * c2 + 3 * x * c3), 2 * c2 + 6 * x * c3, 6 * c3


def distance_to_flow(setup: Setup, start: Point, segments: Sequence[Segments]) -> Tensor:
    """D for the end of each lane's path; 0 where there is no segment, +∞ where nothing is known."""
    zero = torch.zeros_like(setup.alpha)
    joined = _join(segments)
    if joined is None:
        return zero
    unknown = torch.where(zero.index_add(0, joined.lane, joined.time) == 0, 0.0, torch.inf)
    if not setup.established:
        return unknown
    try:
        defect, residual, length = _enclosed(setup, joined)
    except UnknownOperatorError:
        return unknown

    def total(values: Tensor) -> Tensor:
        return zero.index_add(0, joined.lane, values) * UP

    defects, residuals, path, time = total(defect), total(residual), total(length), total(joined.time)

    def attempt(D: Tensor) -> Tensor:
        S = start.largest + start.beta * (path + 2 * D)
        return defects * torch.exp(setup.alpha * start.beta * (residuals + time * setup.alpha * S * D) * UP) * UP

    D = 2 * attempt(zero)
    proved = attempt(D)
    known = (proved <= D) & (setup.family.everywhere | ((path + 2 * D) * UP <= setup.rho0))
    return torch.where(time == 0, 0.0, bound(torch.where(known, proved, torch.inf)))


def _join(segments: Sequence[Segments]) -> Segments | None:
    if not sum(len(part.lane) for part in segments):
        return None
    return Segments(*(torch.cat([getattr(part, f.name) for part in segments]) for f in fields(Segments)))


def _enclosed(setup: Setup, segments: Segments) -> tuple[Tensor, Tensor, Tensor]:
    """Of each segment: ∫‖p' + ∇L(p)‖ dt with the jumps at its ends, ∫‖r(p)‖ dt, and its length."""
    count = len(segments.lane)
    rows = min(ROWS, count)
    traced: tuple[Traced, Traced] | None = None
    found = []
    for first in range(0, count, rows):
        chosen = torch.arange(first, first + rows, device=segments.lane.device).clamp(max=count - 1)
        part = segments.pick(chosen, torch.arange(setup.lanes, device=chosen.device))
        here = lanes_of(setup, part.lane)
        traced = traced or _traced(here, part)
        found.append(torch.stack(_bounds(*traced, here, part))[:, : count - first])
    defect, residual, length = torch.cat(found, dim=-1)
    return defect, residual, length


def _traced(setup: Setup, part: Segments) -> tuple[Traced, Traced]:
    """[p(x) - θ_0, E(x)] and [p'(x), r(p(x)), E''(x)] as functions of x, the coefficients, τ and the leaves of `setup`."""
    names = list(setup.leaves())

    def given(leaves: tuple[Tensor, ...]) -> "_Model":
        return _Model(setup.with_leaves(dict(zip(names, leaves, strict=True))))

    def at_an_end(x: Tensor, *values: Tensor) -> list[Tensor]:
        model, (p, v, _, _) = given(values[5:]), _derivatives(x, *values[:4])
        theta = model.setup.theta0 + p
        return [p, v + values[4][..., None] * model.gradient(theta, model.setup.residual(theta))]

    def over_all(x: Tensor, *values: Tensor) -> list[Tensor]:
        model, (p, v, w, j) = given(values[5:]), _derivatives(x, *values[:4])
        theta = model.setup.theta0 + p
        r = model.setup.residual(theta)
        return [v, r, j + values[4][..., None] * model.second(theta, v, w, r)]

    inputs = [part.time, *part.coefficients, part.time, *setup.leaves().values()]
    return trace(at_an_end, inputs), trace(over_all, inputs)


@dataclass(frozen=True)
class _Model:
    """Derivatives of ∇L along a path, without differentiating r."""

    setup: Setup

    def gradient(self, p: Tensor, r: Tensor) -> Tensor:
        """α·J(p)ᵀ·r."""
        return self.setup.alpha[..., None] * self.setup.pullback(p, r)

    def rate(self, p: Tensor, v: Tensor) -> Tensor:
        """α·J(p)·v: how fast r changes."""
        jacobian = self.setup.family.jacobian(p, self.setup.frozen, self.setup.x_train).flatten(-3, -2)
        return self.setup.alpha[..., None] * (jacobian @ v[..., None]).squeeze(-1)

    def second(self, p: Tensor, v: Tensor, w: Tensor, r: Tensor) -> Tensor:
        """The second derivative of ∇L along a path with velocity v and acceleration w."""

        def first(p: Tensor, v: Tensor, r: Tensor, r1: Tensor) -> Tensor:
            derivative: Tensor = jvp(self.gradient, (p, r), (v, r1))[1]
            return derivative

        rates: Any = jvp(self.rate, (p, v), (v, w))
        derivative: Tensor = jvp(first, (p, v, r, rates[0]), (v, w, *rates))[1]
        return derivative


def _bounds(at_an_end: Traced, over_all: Traced, setup: Setup, part: Segments) -> list[Tensor]:
    fixed = [Enclosure.exactly(value) for value in (*part.coefficients, part.time, *setup.leaves().values())]
    half = torch.full_like(part.time, 0.5)
    ends, jumps = torch.zeros_like(half), torch.zeros_like(half)
    for x, stored in ((-half, part.begin), (half, part.end)):
        p, off = at_an_end.enclose(Enclosure.exactly(x), *fixed)
        jumps = jumps + norm((p.mid - stored).abs() * UP + p.rad)
        ends = ends + norm(off.magnitude) / 2
    velocity, residual, second = over_all.enclose(Enclosure(torch.zeros_like(half), half), *fixed)
    defect = (ends + norm(second.magnitude) / 12 + jumps) * UP
    return [bound(defect), bound(norm(residual.magnitude) * part.time * UP), norm(velocity.magnitude)]
