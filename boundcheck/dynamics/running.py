"""Gradient descent in batches. How far its iterates can be from the exact ones is proved in `certificate`."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from boundcheck.dynamics.fine_tuning import Setup

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

    def pick(self, lanes: Tensor) -> "Run":
        """A copy of some lanes."""
        return Run(**{f.name: getattr(self, f.name)[lanes] for f in fields(self)})

    def put(self, lanes: Tensor, part: "Run", rows: Tensor) -> None:
        """Overwrite lanes by rows of another run."""
        for f in fields(self):
            getattr(self, f.name)[lanes] = getattr(part, f.name)[rows]

    def shown(self, marks: list[int]) -> tuple[Tensor, Tensor]:
        """The iterates at the checkpoints and their step numbers; a checkpoint that was not reached shows the last one."""
        planned = torch.tensor(marks, dtype=torch.float64, device=self.theta.device)
        beyond = planned > self.steps[:, None]
        path = torch.where(beyond[..., None], self.theta[:, None, :], self.path)
        return path, torch.where(beyond, self.steps[:, None], planned)


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
    part, live = state.pick(alive), lanes_of(setup, alive)
    step = 0
    while step < max_steps and len(alive):
        before = part.pick(torch.arange(len(alive), device=alive.device))
        for _ in range(min(CHECK_EVERY, max_steps - step)):
            _advance(live, part, compensated)
            step += 1
            if step in marks:
                part.path[:, marks.index(step)] = part.theta
        part.residual = torch.linalg.vector_norm(live.residual(part.theta), dim=-1)
        lost = ~(part.residual <= lost_above[alive]) | ~part.theta.isfinite().all(-1)
        rows = torch.nonzero(lost).squeeze(-1)
        part.put(rows, before, rows)  # back to where all was well
        leaving = lost | (part.residual <= goal[alive])
        rows = torch.nonzero(leaving).squeeze(-1)
        state.put(alive[rows], part, rows)
        if len(rows):
            staying = torch.nonzero(~leaving).squeeze(-1)
            alive, part, live = alive[staying], part.pick(staying), lanes_of(live, staying)
    state.put(alive, part, torch.arange(len(alive), device=alive.device))
    return state


def lanes_of(setup: Setup, lanes: Tensor) -> Setup:
    """Some lanes of a batch."""
    return setup.with_leaves({name: tensor[lanes] for name, tensor in setup.leaves().items()})


def step(setup: Setup, theta: Tensor) -> tuple[Tensor, Tensor]:
    """η·α·J_Sᵀ·r_S and r_S at θ."""
    residual = setup.residual(theta)
    return (setup.eta * setup.alpha)[..., None] * setup.pullback(theta, residual), residual


def _advance(setup: Setup, state: Run, compensated: bool) -> None:
    move, residual = step(setup, state.theta)
    size = torch.linalg.vector_norm(residual, dim=-1)
    state.residual_sum = state.residual_sum + size
    state.residual_top = torch.maximum(state.residual_top, size)
    state.length = state.length + torch.linalg.vector_norm(move, dim=-1)
    if compensated:
        state.theta, state.carry = two_sum(state.theta, state.carry - move)
    else:
        state.theta = state.theta - move
    state.steps = state.steps + 1
    distance = torch.linalg.vector_norm(state.theta - setup.theta0, dim=-1)
    farther = distance > state.far_distance
    state.far_distance = torch.where(farther, distance, state.far_distance)
    state.farthest = torch.where(farther[:, None], state.theta, state.farthest)


def two_sum(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """x + y rounded, and what the rounding cut off, exactly (Knuth)."""
    total = x + y
    back = total - x
    return total, (x - (total - back)) + (y - back)
