"""How fast gradient descent contracts while the Jacobian stays within a relative distance `e` of where it started.

With `a = β_S·R/s²` and `h = η·α²·S²` (s, S the extreme singular values of the Jacobian, R = ‖r‖/α), every e in [0, 1/2] with
`A(e) = 2(1-e)² - h(1+e)⁴ > 0` and `a·P(e) <= e`, `P(e) = 2(1+e)/A(e)`, gives for the descent from there on:

* each step has ‖r₊‖² <= ‖r‖² - A·η·α²·‖Jᵀr‖², so the residual shrinks by exp(-A·η·α²·s²/2) a step;
* the whole remaining path is at most `P·R/s` long.

Why: on the ball of radius P·R/s every Jacobian is J + E with ‖Eᵀu‖ <= e·s·‖u‖ <= e·‖Jᵀu‖; the mean Jacobian G of a step obeys the
same, ⟨Gᵀr, Jᵀr⟩ >= (1-e)²‖w‖² and ‖G·Jᵀr‖ <= (1+e)²·S·‖w‖ with w the gradient at the centre, and each step is at most
P/(α·s)·(‖r‖ - ‖r₊‖), which telescopes.

Gradient flow is the case h = 0: the residual obeys (‖r‖²)' = -2α²‖J(θ)ᵀr‖² and shrinks by exp(-A·α²·s²/2) in a unit of time.
"""

import torch
from torch import Tensor


def rate(e: Tensor, h: Tensor) -> Tensor:
    """A(e): twice the decay rate of the residual in units of η·α²·s²."""
    return 2 * (1 - e).square() - h * (1 + e).pow(4)


def path_factor(e: Tensor, h: Tensor) -> Tensor:
    """P(e): the length of the path in units of R/s."""
    return 2 * (1 + e) / rate(e, h)


def slack(a: Tensor, h: Tensor) -> Tensor:
    """A hint at a witness e: just above the smallest solution of a·P(e) = e, where the iteration finds it.

    Close to the largest admissible a it may stop short, and where no e exists the result means nothing. So whoever uses it
    states `a·P(e) <= e` and `A(e) > 0` as premises, which are verified there.
    """
    e = torch.zeros_like(a)
    for _ in range(60):  # increasing from 0, so it stops below the smallest solution, where there is one
        e = torch.nan_to_num((a * path_factor(e, h)).clamp(0, 0.5), nan=0.5)
    return (e * (1 + 2.0**-20)).clamp(2.0**-60, 0.5)
