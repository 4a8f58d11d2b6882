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
nothing is known from there on. Without such an ℓ, -∇²L is enclosed in a box around each segment that holds all points within
ρ of it, ρ being a few times what d seems to be; a d that turns out below ρ has justified itself in the same way.

For a quadratic loss `quadratic_flow` is exact and traceable.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.func import jacfwd, jvp, vmap

from boundcheck.dynamics.bounds import TINY, UP, bound, norm
from boundcheck.dynamics.defect import ROWS, Segments, _derivatives
from boundcheck.errors import BoundcheckError, UnknownOperatorError
from boundcheck.problem import Problem
from boundcheck.rigor import Enclosure, Traced, trace
from boundcheck.rigor.arithmetic import add

P = TypeVar("P", bound=Problem)
Gradient = Callable[[P, Tensor], Tensor]
"""∇L of one instance (a Problem without lane axis) at θ `[n]`, in traceable torch, three times differentiable."""

MOST_STEPS = 2**14

FIELDS = [f.name for f in fields(Segments)]

SHORTEST = 2.0**-900
"""Of times that are not 0: below it t/steps might not be exact."""

ROOM = 4.0
"""How much wider than the radius seems to be the tube is where ∇²L is enclosed: some room for what that adds to the radius."""


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
    lipschitz: Tensor | None = None,
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
        lipschitz: an upper bound on the Lipschitz constant of ∇L on the ball, `[lanes]`. If not given, ∇²L is enclosed around the
            path, segment by segment: n more derivatives each.
        ball: radius R of the ball around θ_0 where the constants hold, `[lanes]`; all of space if not given.
        expansion: an upper bound on the eigenvalues of -∇²L on the ball (0 for a convex loss), `[lanes]`: where it is known, the
            radius grows with it instead of with the Lipschitz constant.
        steps: of the method, a power of two, so that t/steps is exact. The radius shrinks as its cube.

    Raises:
        BoundcheckError: for a negative time, another number of steps, or shapes that do not fit.

    Time: some ten gradients a step, for all lanes at once, and a second or so for tracing.

    """
    _check(problem, start, time, steps, lipschitz=lipschitz, ball=ball, expansion=expansion)
    segments = _followed(problem, gradient, start, time / steps, steps)
    path = torch.stack([segments[0].begin, *(part.end for part in segments)], dim=1)
    joined = Segments(*(torch.cat([getattr(part, name) for part in segments]) for name in FIELDS))
    try:
        defect, reach = (part.unflatten(0, (steps, -1)) for part in _enclosed(problem, gradient, start, joined))
        rate, tube = _rates(problem, gradient, start, joined, defect, reach, lipschitz, expansion)
    except UnknownOperatorError as error:
        radius = torch.where(time[:, None] == 0, 0.0, torch.full_like(path[..., 0], torch.inf))
        radius[:, 0] = 0
        return FlowAt(path, radius, (f"the gradient uses {error.operator}, which has no error rule",) * len(time))
    distance = _grown(defect, rate, joined)
    inside = _so_far((reach + distance) * UP < (torch.inf if ball is None else ball))
    certain = _so_far((distance < tube) & rate.isfinite())
    radius = torch.where((time == 0) | (inside & certain), distance.where(time != 0, 0.0), torch.inf)
    failures = {
        "the flow could not be followed: it is not finite": path.isfinite().flatten(1).all(1),
        "the Lipschitz constant, the expansion or the radius of the ball is no number that bounds anything": _bounding(
            time, lipschitz, ball, expansion
        ),
        "the defect could not be bounded, or grows without bound: take more steps or a shorter time": distance[
            -1
        ].isfinite(),
        "∇²L could not be bounded well enough around the path: take more steps or give its Lipschitz constant": certain[
            -1
        ],
        "the flow may leave the ball where the Lipschitz constant holds": inside[-1],
    }
    return FlowAt(path, torch.cat([torch.zeros_like(radius[:1]), radius]).mT, _reasons(radius[-1], failures))


def _reasons(radius: Tensor, failures: dict[str, Tensor]) -> tuple[str, ...]:
    """The first failure of each lane of infinite radius."""
    found = [""] * len(radius)
    for lane in torch.nonzero(~radius.isfinite()).flatten().tolist():
        found[lane] = next(text for text, fine in failures.items() if not bool(fine[lane]))
    return tuple(found)


def _bounding(time: Tensor, lipschitz: Tensor | None, ball: Tensor | None, expansion: Tensor | None) -> Tensor:
    fine = torch.ones_like(time, dtype=torch.bool)
    if lipschitz is not None:
        fine = fine & (lipschitz >= 0) & lipschitz.isfinite()
    return fine & ~(time if ball is None else ball).isnan() & ~(time if expansion is None else expansion).isnan()


def _so_far(good: Tensor) -> Tensor:
    """Whether all was well up to each step."""
    return good.long().cumprod(0).bool()


def _grown(defect: Tensor, rate: Tensor, joined: Segments) -> Tensor:
    """d after each step, `[steps, lanes]`, by Grönwall; of nothing known, +∞."""
    time = joined.time.unflatten(0, (len(defect), -1))
    growth = torch.exp(rate.clamp(min=0) * time * UP) * UP
    distance, found = torch.zeros_like(defect[0]), []
    for off, factor in zip(defect, growth, strict=True):
        distance = bound((distance + off) * factor * UP)
        found.append(distance)
    return torch.stack(found)


def _rates(
    problem: P,
    gradient: Gradient[P],
    start: Tensor,
    joined: Segments,
    defect: Tensor,
    reach: Tensor,
    lipschitz: Tensor | None,
    expansion: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """μ on each segment, and how far around the path it holds: `[steps, lanes]` each. An unknown μ is +∞ or NaN."""
    most = torch.full_like(defect, torch.inf) if expansion is None else expansion.expand_as(defect)
    if lipschitz is not None:
        known = torch.where((lipschitz >= 0) & lipschitz.isfinite(), lipschitz, torch.nan).expand_as(defect)
        return torch.minimum(known, most), torch.full_like(defect, torch.inf)
    bend = _Bend(problem, gradient, start, joined)
    guess = _grown(defect, torch.minimum(bend.within(torch.zeros_like(defect)), most), joined)
    tube = ROOM * guess + 2.0**-40 * reach + TINY
    return torch.minimum(bend.within(tube), most), tube


class _Bend:
    """An upper bound on the eigenvalues of -∇²L on boxes around segments."""

    def __init__(self, problem: P, gradient: Gradient[P], start: Tensor, joined: Segments) -> None:
        self.chunks = list(_chunks(problem, start, joined))
        one = _one(problem, gradient)
        hessian = vmap(jacfwd(one))
        _, part, fixed = self.chunks[0]
        self.traced = trace(lambda theta, *leaves: [hessian(theta, *leaves)], [part.begin, *fixed[1:]])

    def within(self, tube: Tensor) -> Tensor:
        """Around each segment, no farther from it than `tube` `[steps, lanes]`."""
        found = []
        for (count, part, fixed), radius in zip(
            self.chunks, tube.flatten().split(len(self.chunks[0][1].lane)), strict=True
        ):
            padded = torch.cat([radius, radius[-1:].expand(len(part.lane) - count)])
            c = part.coefficients
            width = (c[1].abs() / 2 + c[2].abs() / 4 + c[3].abs() / 8 + padded[:, None]) * UP + TINY
            centre = add(Enclosure.exactly(fixed[0]), Enclosure.exactly(c[0]))
            box = Enclosure(centre.mid, (centre.rad + width) * UP)
            (matrix,) = self.traced.enclose(box, *map(Enclosure.exactly, fixed[1:]))
            found.append(_expansion(matrix)[:count])
        return torch.cat(found).reshape(tube.shape)


def _expansion(hessian: Enclosure) -> Tensor:
    """At least the largest eigenvalue of -H: by Gershgorin's discs or by the Frobenius norm."""
    sizes = hessian.magnitude
    diagonal = sizes.diagonal(dim1=-2, dim2=-1)
    discs = -hessian.lower.diagonal(dim1=-2, dim2=-1) + (sizes.sum(-1) - diagonal) + sizes.sum(-1) * 2.0**-30
    return torch.minimum(bound(discs.amax(-1)), norm(sizes.flatten(-2)))


def _check(problem: Problem, start: Tensor, time: Tensor, steps: int, **constants: Tensor | None) -> None:
    lanes = problem.lanes
    if start.dim() != 2 or start.shape[0] != lanes or start.dtype != torch.float64:
        raise BoundcheckError(f"start of shape {list(start.shape)}, {start.dtype}", expected=f"[{lanes}, n] in float64")
    for name, value in {"time": time, **constants}.items():
        if value is not None and (value.shape != (lanes,) or value.dtype != torch.float64):
            raise BoundcheckError(
                f"{name} of shape {list(value.shape)}, {value.dtype}", expected=f"[{lanes}] in float64"
            )
    if not bool(((time == 0) | (time >= SHORTEST) & time.isfinite()).all()):
        raise BoundcheckError("a time that is negative or not finite", expected=f"0, or a time from {SHORTEST:.0e} on")
    if not (1 <= steps <= MOST_STEPS and steps & (steps - 1) == 0):
        raise BoundcheckError(f"steps={steps}", expected=f"a power of two up to {MOST_STEPS}, so that t/steps is exact")


def _one(problem: P, gradient: Gradient[P]) -> Callable[..., Tensor]:
    """∇L of one instance at θ `[n]`, given its leaves one by one."""
    names = list(problem.leaves())

    def one(theta: Tensor, *leaves: Tensor) -> Tensor:
        return gradient(problem.with_leaves(dict(zip(names, leaves, strict=True))), theta)

    return one


def _followed(problem: P, gradient: Gradient[P], start: Tensor, time: Tensor, steps: int) -> list[Segments]:
    field, leaves = vmap(_one(problem, gradient)), list(problem.leaves().values())
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


def _chunks(problem: Problem, start: Tensor, joined: Segments) -> Iterator[tuple[int, Segments, list[Tensor]]]:
    """Segments, so many at once, with θ_0 and the leaves of each; the last ones padded. How many count comes first."""
    count = len(joined.lane)
    rows = min(ROWS, count)
    for first in range(0, count, rows):
        chosen = torch.arange(first, first + rows, device=start.device).clamp(max=count - 1)
        part = Segments(*(getattr(joined, name)[chosen] for name in FIELDS))
        yield (
            min(rows, count - first),
            part,
            [start[part.lane], *(leaf[part.lane] for leaf in problem.leaves().values())],
        )


def _enclosed(problem: P, gradient: Gradient[P], start: Tensor, joined: Segments) -> tuple[Tensor, Tensor]:
    """Of each segment: its defect with the jumps at its ends, and at least sup‖p - θ_0‖ on it."""
    traced: list[Traced] | None = None
    found = []
    for count, part, fixed in _chunks(problem, start, joined):
        traced = traced or _traced(vmap(_one(problem, gradient)), part, fixed)
        found.append(torch.stack(_bounds(traced, part, fixed))[:, :count])
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
