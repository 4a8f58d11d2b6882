"""Gradient descent in batches, run to its limit, with a certified distance to the exact limit."""

import torch
from torch import Tensor

from boundcheck.dynamics.bounds import Bounds, Point
from boundcheck.dynamics.certificate import certified
from boundcheck.dynamics.fine_tuning import FineTuning, Setup
from boundcheck.dynamics.running import checkpoints, run
from boundcheck.errors import BoundcheckError


def descend(setup: Setup, *, tolerance: float = 1e-9, max_steps: int = 8192) -> FineTuning:
    """Run θ ← θ - η·α·J_Sᵀ·r_S from θ_0 in every lane until ‖r‖ <= tolerance·‖r_0‖, and prove how far that is from the limit.

    Args:
        setup: the batch `[lanes]`.
        tolerance: relative residual at which a lane stops.
        max_steps: a lane that has not stopped by then keeps its last iterate. Its radii are finite all the same where the
            rest of the path can be bounded; elsewhere, as for a lane that diverges, they are infinite (inconclusive, not wrong).

    Memory: about `lanes·n·(checkpoints + 8)` doubles. Time: one forward and one backward pass of all running lanes a step.

    """
    marks = checkpoints(max_steps)
    return certified(Bounds.of(setup), run(setup, marks, torch.full_like(setup.eta, tolerance), max_steps), marks)


def limit(setup: Setup, *, accuracy: float = 1e-12, max_steps: int = 2**15) -> FineTuning:
    """The limit of every lane's descent within `accuracy` (an absolute distance in θ), as the leaf `tuned`.

    Runs just far enough for the limit to be predicted that well, with compensated sums.

    Args:
        setup: the batch `[lanes]`.
        accuracy: what every `tuned_radius` of the result is at most.
        max_steps: how far to go at most; a small net takes about 0.1 ms a step.

    Raises:
        BoundcheckError: where a lane's limit cannot be enclosed so closely, saying which lane and why.

    """
    if not (accuracy > 0 and max_steps > 0):
        raise BoundcheckError(f"accuracy={accuracy}, max_steps={max_steps}", expected="positive numbers")
    bounds, marks = Bounds.of(setup), checkpoints(max_steps)
    start = bounds.at(setup.theta0)
    _refuse(_unmet(setup, start), accuracy)
    s, beta = start.smallest, start.beta
    near = torch.minimum(torch.sqrt(accuracy * s.pow(3) / (16 * beta)), s.square() / (32 * beta))  # R, see *Prediction*
    goal = near * setup.alpha / start.residual
    found = certified(bounds, run(setup, marks, goal, max_steps, compensated=True), marks)
    _refuse(_missed(found, start, goal, accuracy, max_steps), accuracy)
    return found


Reason = tuple[Tensor, str, str]
"""The lanes it applies to, why, and what to do about it."""


def _unmet(setup: Setup, start: Point) -> list[Reason]:
    """What rules out a radius before the first step."""
    h = setup.eta * (setup.alpha * start.largest).square()
    estimated = torch.full_like(h, not setup.established, dtype=torch.bool)
    return [
        (estimated, "the smoothness of its family is only an estimate", "take a family in closed form"),
        (~setup.finite(), "it holds NaN or an infinity", "drop the lane"),
        (~(start.smallest > 0), "J_S may lack full row rank at θ_0", "take fewer samples, or others"),
        (~(h < 2), "its steps are too long (η·α²·σ_max² may be 2 or more)", "make η smaller"),
    ]


def _missed(found: FineTuning, start: Point, goal: Tensor, accuracy: float, max_steps: int) -> list[Reason]:
    """What a radius that is too large was missing."""
    wide = ~(found.tuned_radius <= accuracy)
    residual = torch.linalg.vector_norm(found.residual(found.path[:, -1]), dim=-1)
    far = wide & ~(residual <= torch.maximum(2 * goal, goal.new_tensor(2.0**-40)) * start.residual)
    best = float(found.tuned_radius.max())
    return [
        (
            far,
            f"its residual is still too large after {max_steps} steps",
            "allow more, make η larger, or move the labels",
        ),
        (
            wide & found.tuned_radius.isinf(),
            "neither its roundings nor its rest could be bounded",
            "move the labels nearer",
        ),
        (wide, f"its roundings add up to {best:.1e}", f"ask for {2 * best:.1e}"),
    ]


def _refuse(reasons: list[Reason], accuracy: float) -> None:
    for lanes, why, remedy in reasons:
        if bool(lanes.any()):
            raise BoundcheckError(
                f"the limit of lane {int(torch.nonzero(lanes)[0])} is out of reach: {why}",
                expected=f"to enclose it within {accuracy:g}",
                remedy=remedy,
            )
