"""Gradient descent in batches. How far its iterates can be from the exact ones is proved in `certificate`."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from boundcheck.dynamics.fine_tuning import Setup
from boundcheck.geometry.narrow import lanes_last

CHECK_EVERY = 32
DIVERGED = 1e3


@dataclass
class Run:
    """What descents have done, a row a lane.

    Attributes:
        theta: the last iterate `[n]`. carry: what rounding has cut off it so far, where that is `compensated` (else 0).
        steps: taken so far. length, residual_sum: sums of ‖θ_{t+1} - θ_t‖ and of ‖r_t‖ over them; residual_top: the largest
            of the latter.
        farthest, far_distance: the iterate farthest from θ_0, and how far.
        path: iterates at the checkpoints `[C, n]`; one that the lane did not reach is replaced by the last one in `shown`.
        residual: ‖r‖ when last looked at.

    """

    theta: Tensor
    carry: Tensor
    compensated: Tensor
    steps: Tensor
    length: Tensor
    residual_sum: Tensor
    residual_top: Tensor
    farthest: Tensor
    far_distance: Tensor
    path: Tensor
    residual: Tensor

    @staticmethod
    def at_start(setup: Setup, checkpoints: int, compensated: bool) -> "Run":
        """Before the first step."""
        residual = torch.linalg.vector_norm(setup.residual(setup.theta0), dim=-1)
        zero = torch.zeros_like(residual)
        return Run(
            theta=setup.theta0.clone(),
            carry=torch.zeros_like(setup.theta0),
            compensated=torch.full_like(residual, compensated, dtype=torch.bool),
            steps=zero,
            length=zero.clone(),
            residual_sum=zero.clone(),
            residual_top=zero.clone(),
            farthest=setup.theta0.clone(),
            far_distance=zero.clone(),
            path=setup.theta0[:, None, :].repeat(1, checkpoints, 1),
            residual=residual,
        )

    def put(self, lanes: Tensor, part: "_Moving", steps: int) -> None:
        """Write what lanes have done in so many steps: all but `path`."""
        for f in fields(part):
            value = getattr(part, f.name)
            if value is not None and f.name != "leading":
                getattr(self, f.name)[lanes] = value
        self.farthest[lanes] = torch.where(part.leading[:, None], part.theta, part.farthest)
        self.steps[lanes] = float(steps)

    def shown(self, marks: list[int]) -> tuple[Tensor, Tensor]:
        """The iterates at the checkpoints and their step numbers; a checkpoint that was not reached shows the last one."""
        planned = torch.tensor(marks, dtype=torch.float64, device=self.theta.device)
        beyond = planned > self.steps[:, None]
        path = torch.where(beyond[..., None], self.theta[:, None, :], self.path)
        return path, torch.where(beyond, self.steps[:, None], planned)


@dataclass(frozen=True)
class _Moving:
    """What a Run says of the lanes that still descend, without what all of them share.

    Attributes:
        carry: None where nothing is compensated.
        leading: whether θ itself is the iterate farthest from θ_0; `farthest` is it elsewhere, and out of date here: most lanes
            get farther with every step, and copying them each time would cost as much as the step.

    """

    theta: Tensor
    carry: Tensor | None
    length: Tensor
    residual_sum: Tensor
    residual_top: Tensor
    leading: Tensor
    farthest: Tensor
    far_distance: Tensor
    residual: Tensor

    @staticmethod
    def of(state: Run, lay: Callable[[Tensor], Tensor], *, compensated: bool) -> "_Moving":
        """All lanes before their first step."""
        given = {f.name: getattr(state, f.name) for f in fields(_Moving) if f.name != "leading"}
        given |= {"theta": lay(state.theta), "carry": lay(state.carry) if compensated else None}
        return _Moving(**given | {"farthest": given["theta"]}, leading=torch.ones_like(state.compensated))

    def pick(self, lanes: Tensor, lay: Callable[[Tensor], Tensor]) -> "_Moving":
        """Some lanes, laid out anew."""
        given = {f.name: lay(getattr(self, f.name)[lanes]) for f in fields(self) if f.name != "carry"}
        return _Moving(**given, carry=None if self.carry is None else lay(self.carry[lanes]))


@dataclass(frozen=True)
class _Ground:
    """What stays the same while they do: both passes, ηα `[lanes, 1]` and θ_0."""

    passes: Callable[[Tensor], tuple[Tensor, Tensor]]
    rate: Tensor
    theta0: Tensor

    @staticmethod
    def of(setup: Setup, lay: Callable[[Tensor], Tensor]) -> "_Ground":
        """Of a whole batch."""
        setup = setup.with_leaves({name: lay(tensor) for name, tensor in setup.leaves().items()})
        return _Ground(setup.passes(), (setup.eta * setup.alpha)[..., None], setup.theta0)


def checkpoints(max_steps: int) -> list[int]:
    """The powers of two up to `max_steps`."""
    return [2**j for j in range(max_steps.bit_length()) if 2**j <= max_steps]


def run(setup: Setup, marks: list[int], tolerance: Tensor, max_steps: int, *, compensated: bool = False) -> Run:
    """Descend until ‖r‖ <= tolerance·‖r_0‖ (a tolerance a lane; where it is 1 or more there is nothing to do).

    `compensated` keeps what the rounding of θ - step cuts off and hands it to the next step.
    """
    state = Run.at_start(setup, len(marks), compensated)
    goal, lost_above = tolerance * state.residual, DIVERGED * state.residual
    alive = torch.nonzero((state.residual > goal) & state.residual.isfinite()).squeeze(-1)
    narrow = setup.family.lanes_last(setup.x_train.shape[-2])
    lay = lanes_last if narrow else Tensor.contiguous
    # Torch's bookkeeping for derivatives is a fifth of a narrow step. Other families may take derivatives in theirs.
    with torch.inference_mode() if narrow else nullcontext():
        moving = _Moving.of(state, lay, compensated=compensated).pick(alive, lay)
        ground = _Ground.of(lanes_of(setup, alive), lay)
        step = 0
        while step < max_steps and len(alive):
            before, ahead = moving, min(step + CHECK_EVERY, max_steps)
            for now in range(step + 1, ahead + 1):
                moving = _advanced(ground, moving)
                if now in marks:
                    state.path[alive, marks.index(now)] = moving.theta
            moving = replace(moving, residual=length(ground.passes(moving.theta)[0]))
            lost = ~(moving.residual <= lost_above[alive]) | ~moving.theta.isfinite().all(-1)
            reached = ~lost & (moving.residual <= goal[alive])
            if bool((lost | reached).any()):
                state.put(alive[lost], before.pick(lost, lay), step)  # back to where all was well
                state.put(alive[reached], moving.pick(reached, lay), ahead)
                staying = torch.nonzero(~(lost | reached)).squeeze(-1)
                alive, moving = alive[staying], moving.pick(staying, lay)
                ground = _Ground.of(lanes_of(setup, alive), lay)
            step = ahead
        state.put(alive, moving, step)
    return state


def lanes_of(setup: Setup, lanes: Tensor) -> Setup:
    """Some lanes of a batch."""
    return setup.with_leaves({name: tensor[lanes] for name, tensor in setup.leaves().items()})


def _advanced(ground: _Ground, at: _Moving) -> _Moving:
    """One step further."""
    residual, pulled = ground.passes(at.theta)
    move, size = ground.rate * pulled, length(residual)
    if at.carry is None:
        theta, carry = at.theta - move, None
    else:
        theta, carry = two_sum(at.theta, at.carry - move)
    distance = _length_of(theta - ground.theta0)
    farther = distance > at.far_distance
    left_behind = at.leading & ~farther
    farthest = torch.where(left_behind[:, None], at.theta, at.farthest) if bool(left_behind.any()) else at.farthest
    return _Moving(
        theta=theta,
        carry=carry,
        length=at.length + _length_of(move),
        residual_sum=at.residual_sum + size,
        residual_top=torch.maximum(at.residual_top, size),
        leading=farther,
        farthest=farthest,
        far_distance=torch.where(farther, distance, at.far_distance),
        residual=at.residual,
    )


def length(vectors: Tensor) -> Tensor:
    """Euclidean norms along the last axis, as quick where the lanes are innermost in memory (torch's own is not)."""
    return vectors.square().sum(-1).sqrt_()


def _length_of(spent: Tensor) -> Tensor:
    """The same, squared in place, of vectors that nobody needs any more."""
    return spent.square_().sum(-1).sqrt_()


def two_sum(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """x + y rounded, and what the rounding cut off, exactly (Knuth)."""
    total = x + y
    back = total - x
    return total, (x - (total - back)) + (y - back)
