"""Gradient flow θ' = -∇L(θ) of any smooth loss, at a given time, in batches, with a proved radius.

The flow is followed by the classical Runge-Kutta method in a fixed number of equal steps; between them the path p is the cubic
through both ends with the velocities there. How far p is from the exact flow is proved, whatever the method did:

*Defect.* A segment is p(x) = θ_0 + c_0 + c_1·x + c_2·x² + c_3·x³ for x in [-1/2, 1/2] and takes the time τ. With
E(x) = p'(x) + τ·∇L(p(x)), let k(x, s) >= 0 be the kernel that turns -E'' into what E is beside the line through its ends:
∫k(x, s) dx = 1/8 - s²/2. With E''(s) = E''(0) + ∫_0^s E''', ∫‖E‖ dx is at most the mean of ‖E‖ at both ends plus ‖E''(0)‖/12
plus sup‖E'''‖/64. Both ends and E''(0) are enclosed as points, E''' = τ·(∇L∘p)''' with x an interval: had E'' been enclosed so,
p''' and τ·(∇L∘p)'' would not cancel. Where segments meet, p may jump by the rounding of its coefficients.

*Amplification.* d = ‖p - θ‖ obeys d' <= ‖p' + ∇L(p)‖ + μ·d for as long as both stay where -∇²L has no eigenvalue above μ; a
Lipschitz constant ℓ of ∇L is such a μ. So after a segment d <= (d before it + its defect and jumps)·exp(μτ) (Grönwall).

*Ball.* ℓ is only given on the ball of radius R around θ_0. If sup‖p - θ_0‖ + d < R up to some time, the exact flow cannot have
left the ball by then: at the first time on its boundary its distance would be at most sup‖p - θ_0‖ + d. Where this fails,
nothing is known from there on.

For a quadratic loss `quadratic_flow` is exact and traceable.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.func import jvp, vmap

from boundcheck.dynamics.bounds import UP, bound, norm
from boundcheck.dynamics.defect import ROWS, Segments, _derivatives
from boundcheck.errors import BoundcheckError, UnknownOperatorError
from boundcheck.problem import Problem
from boundcheck.rigor import Enclosure, Traced, trace

P = TypeVar("P", bound=Problem)
Gradient = Callable[[P, Tensor], Tensor]
"""∇L of one instance (a Problem without lane axis) at θ `[n]`, in traceable torch, three times differentiable."""

MOST_STEPS = 2**14


@dataclass(frozen=True)
class FlowAt:
    """A flow followed to time t, seen from where it starts.

    Attributes:
        path: θ(t·j/steps) - θ_0 for j = 0, …, steps: `[lanes, steps + 1, n]`.
        radius: the exact points are within this Euclidean distance of those of `path`: `[lanes, steps + 1]`, +∞ where nothing is
            known.
        reason: for each lane why its last radius is +∞ ("" where it is finite).

    """

    path: Tensor
    radius: Tensor
    reason: tuple[str, ...]

    @property
    def displacement(self) -> Tensor:
        """θ(t) - θ_0 `[lanes, n]`."""
        return self.path[:, -1]

    @property
    def displacement_radius(self) -> Tensor:
        """How far the exact one may be from it: `[lanes]`."""
        return self.radius[:, -1]

    @property
    def established(self) -> Tensor:
        """Where anything is known of it: bool `[lanes]`."""
        return self.displacement_radius.isfinite()


def flow_at(
    problem: P,
    gradient: Gradient[P],
    start: Tensor,
    time: Tensor,
    *,
    lipschitz: Tensor,
    ball: Tensor | None = None,
    expansion: Tensor | None = None,
    steps: int = 64,
) -> FlowAt:
    """Follow θ' = -∇L(θ) from θ_0 for the time t in every lane, and prove how far that may be off.

    Args:
        problem: what ∇L depends on, a batch of lanes; its leaves are taken as exact.
        gradient: ∇L(p, θ) of one instance. Nothing else is assumed of L.
        start: θ_0 `[lanes, n]`.
        time: t `[lanes]`, 0 or more.
        lipschitz: an upper bound on the Lipschitz constant of ∇L on the ball, `[lanes]`.
        ball: radius R of the ball around θ_0 where that holds, `[lanes]`; all of space if not given.
        expansion: an upper bound on the eigenvalues of -∇²L on the ball (0 for a convex loss), `[lanes]`: where it is known, the
            radius grows with it instead of with the Lipschitz constant.
        steps: of the method, a power of two, so that t/steps is exact. The radius shrinks as its cube.

    Raises:
        BoundcheckError: for a negative time, another number of steps, or shapes that do not fit.

    Time: about one gradient a step, and some ten for its proof, for all lanes at once.

    """
    _check(problem, start, time, steps, lipschitz=lipschitz, ball=ball, expansion=expansion)
    ball = torch.full_like(time, torch.inf) if ball is None else ball
    rate = lipschitz if expansion is None else torch.minimum(lipschitz, expansion)
    segments = _followed(problem, gradient, start, time / steps, steps)
    path = torch.stack([segments[0].begin, *(part.end for part in segments)], dim=1)
    count = len(time)
    try:
        defect, reach = _enclosed(problem, gradient, start, segments)
    except UnknownOperatorError as error:
        unknown = torch.full_like(path[..., 0], torch.inf)
        unknown[:, 0] = 0
        return FlowAt(path, unknown, (f"the gradient uses {error.operator}, which has no error rule",) * count)
    growth = torch.exp(rate.clamp(min=0) * (time / steps) * UP) * UP
    distance, radii, inside = torch.zeros_like(time), [torch.zeros_like(time)], torch.ones_like(time, dtype=torch.bool)
    for off, far in zip(defect.unflatten(0, (steps, -1)), reach.unflatten(0, (steps, -1)), strict=True):
        distance = bound((distance + off) * growth * UP)
        inside = inside & ((far + distance) * UP < ball)
        radii.append(torch.where(inside, distance, torch.inf))
    still = time == 0
    radius = torch.where(still[:, None], 0.0, torch.stack(radii, dim=1))
    valid = (lipschitz >= 0) & lipschitz.isfinite() & ~ball.isnan() & ~rate.isnan()
    radius[:, 1:] = torch.where((valid | still)[:, None], radius[:, 1:], torch.inf)
    return FlowAt(path, radius, _reasons(path, radius, valid, inside, distance))


def _reasons(path: Tensor, radius: Tensor, valid: Tensor, inside: Tensor, distance: Tensor) -> tuple[str, ...]:
    finite = path.isfinite().flatten(1).all(1)
    found = []
    for lane in range(len(path)):
        if bool(radius[lane, -1].isfinite()):
            found.append("")
        elif not bool(valid[lane]):
            found.append(
                "the Lipschitz constant, the expansion or the radius of the ball is not a number that bounds anything"
            )
        elif not bool(finite[lane]):
            found.append("the flow could not be followed: it is not finite")
        elif not bool(distance[lane].isfinite()):
            found.append("the defect could not be bounded, or grows without bound: take more steps or a shorter time")
        else:
            assert not bool(inside[lane])
            found.append("the flow may leave the ball where the Lipschitz constant holds")
    return tuple(found)


def _check(problem: Problem, start: Tensor, time: Tensor, steps: int, **constants: Tensor | None) -> None:
    lanes = problem.lanes
    if start.dim() != 2 or start.shape[0] != lanes or start.dtype != torch.float64:
        raise BoundcheckError(f"start of shape {list(start.shape)}, {start.dtype}", expected=f"[{lanes}, n] in float64")
    for name, value in {"time": time, **constants}.items():
        if value is not None and (value.shape != (lanes,) or value.dtype != torch.float64):
            raise BoundcheckError(
                f"{name} of shape {list(value.shape)}, {value.dtype}", expected=f"[{lanes}] in float64"
            )
    if not bool(((time >= 0) & time.isfinite()).all()):
        raise BoundcheckError("a time that is negative or not finite", expected="times of 0 or more")
    if not (1 <= steps <= MOST_STEPS and steps & (steps - 1) == 0):
        raise BoundcheckError(f"steps={steps}", expected=f"a power of two up to {MOST_STEPS}, so that t/steps is exact")


def _batched(problem: P, gradient: Gradient[P]) -> Callable[..., Tensor]:
    """∇L of a batch `[rows, n]`, given the leaves row by row."""
    names = list(problem.leaves())

    def one(theta: Tensor, *leaves: Tensor) -> Tensor:
        return gradient(problem.with_leaves(dict(zip(names, leaves, strict=True))), theta)

    return vmap(one)


def _followed(problem: P, gradient: Gradient[P], start: Tensor, time: Tensor, steps: int) -> list[Segments]:
    field, leaves = _batched(problem, gradient), list(problem.leaves().values())
    lanes, tau = torch.arange(len(time), device=time.device), time[:, None]

    def downhill(moved: Tensor) -> Tensor:
        return -field(start + moved, *leaves).detach()

    here, segments = torch.zeros_like(start), []
    first = downhill(here)
    for _ in range(steps):
        second = downhill(here + tau / 2 * first)
        third = downhill(here + tau / 2 * second)
        fourth = downhill(here + tau * third)
        end = here + tau / 6 * (first + 2 * second + 2 * third + fourth)
        last = downhill(end)
        segments.append(Segments(lanes, time, here, tau * first, end, tau * last))
        here, first = end, last
    return segments


def _enclosed(problem: P, gradient: Gradient[P], start: Tensor, segments: list[Segments]) -> tuple[Tensor, Tensor]:
    """Of each segment, step by step: its defect with the jumps at its ends, and at least sup‖p - θ_0‖ on it."""
    joined = Segments(
        *(torch.cat([getattr(part, name) for part in segments]) for name in Segments.__dataclass_fields__)
    )
    count = len(joined.lane)
    rows = min(ROWS, count)
    traced: list[Traced] | None = None
    found = []
    for first in range(0, count, rows):
        chosen = torch.arange(first, first + rows, device=start.device).clamp(max=count - 1)
        part = Segments(*(getattr(joined, name)[chosen] for name in Segments.__dataclass_fields__))
        fixed = [start[part.lane], *(leaf[part.lane] for leaf in problem.leaves().values())]
        traced = traced or _traced(_batched(problem, gradient), part, fixed)
        found.append(torch.stack(_bounds(traced, part, fixed))[:, : count - first])
    defect, reach = torch.cat(found, dim=-1)
    return defect, reach


def _traced(field: Callable[..., Tensor], part: Segments, fixed: list[Tensor]) -> list[Traced]:
    """[p(x) - θ_0, E(x)], E''(x) and E'''(x) as functions of x, the coefficients, τ, θ_0 and the leaves."""

    def derivatives(leaves: tuple[Tensor, ...]) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
        """The second and the third of ∇L along a path, given its point and its own derivatives there."""

        def first(p: Tensor, v: Tensor) -> Tensor:
            derivative: Any = jvp(lambda point: field(point, *leaves), (p,), (v,))[1]
            return derivative

        def second(p: Tensor, v: Tensor, w: Tensor) -> Tensor:
            derivative: Any = jvp(first, (p, v), (v, w))[1]
            return derivative

        def third(p: Tensor, v: Tensor, w: Tensor, j: Tensor) -> Tensor:
            derivative: Any = jvp(second, (p, v, w), (v, w, j))[1]
            return derivative

        return second, third

    def at_an_end(x: Tensor, *values: Tensor) -> list[Tensor]:
        p, v, _, _ = _derivatives(x, *values[:4])
        return [p, v + values[4][..., None] * field(values[5] + p, *values[6:])]

    def at_the_centre(x: Tensor, *values: Tensor) -> list[Tensor]:
        p, v, w, j = _derivatives(x, *values[:4])
        second, _ = derivatives(values[6:])
        return [j + values[4][..., None] * second(values[5] + p, v, w)]

    def over_all(x: Tensor, *values: Tensor) -> list[Tensor]:
        p, v, w, j = _derivatives(x, *values[:4])
        _, third = derivatives(values[6:])
        return [values[4][..., None] * third(values[5] + p, v, w, j)]

    inputs = [part.time, *part.coefficients, part.time, *fixed]
    return [trace(function, inputs) for function in (at_an_end, at_the_centre, over_all)]


def _bounds(traced: list[Traced], part: Segments, fixed: list[Tensor]) -> list[Tensor]:
    at_an_end, at_the_centre, over_all = traced
    given = [Enclosure.exactly(value) for value in (*part.coefficients, part.time, *fixed)]
    half = torch.full_like(part.time, 0.5)
    zero = torch.zeros_like(half)
    ends, jumps = zero, zero
    for x, stored in ((-half, part.begin), (half, part.end)):
        p, off = at_an_end.enclose(Enclosure.exactly(x), *given)
        jumps = jumps + norm((p.mid - stored).abs() * UP + p.rad)
        ends = ends + norm(off.magnitude) / 2
    (second,) = at_the_centre.enclose(Enclosure.exactly(zero), *given)
    (third,) = over_all.enclose(Enclosure(zero, half), *given)
    reach = sum((norm(c) / 2**k for k, c in enumerate(part.coefficients)), start=zero) * UP
    defect = (ends + norm(second.magnitude) / 12 + norm(third.magnitude) / 64 + jumps) * UP
    return [bound(defect), bound(reach)]
