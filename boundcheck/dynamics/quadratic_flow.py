"""Gradient flow of a quadratic loss in closed form.

For L(θ* + D) = L(θ*) + g_0ᵀD + ½·DᵀHD the flow D' = -(g_0 + H·D) from D(0) = 0 is D(t) = -∫_0^t exp(-Hs)·g_0 ds, the last column
of exp([[-H·t, -g_0·t], [0, 0]]); it exists at all times, whatever H is (0, singular, indefinite). Written in traceable torch, so
that a claim may ask for it.

That column is linear in g_0, so it is taken of g_0/c with c = 1 + Σ|g_0·t|: else a large gradient would make the exponential
square more often than H asks for, and each squaring doubles the rounding error.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from boundcheck.geometry import matrix_exponential


@dataclass(frozen=True)
class QuadraticMotion:
    """Where the flow of a quadratic loss is at time t, and how it moves there: `[..., n]` each.

    Attributes:
        displacement: D = θ(t) - θ*.
        velocity: D' = -g, minus the gradient at θ(t).
        acceleration: D'' = H·g, the curvature coupling ∇g·g.
        jerk: D''' = -H²·g.

    """

    displacement: Tensor
    velocity: Tensor
    acceleration: Tensor
    jerk: Tensor


def quadratic_flow(hessian: Tensor, gradient: Tensor, time: Tensor) -> Tensor:
    """D(t) = -∫_0^t exp(-Hs)·g_0 ds, exactly 0 at t = 0.

    Args:
        hessian: H `[..., n, n]`, symmetric if it is a Hessian (the formula does not need it).
        gradient: g_0 `[..., n]`.
        time: t `[...]`; negative times follow the flow backwards. Leading axes are broadcast, so that `[n, n]`, `[n]` and `[T]`
            give the same flow at T times.

    Returns:
        `[..., n]`; not finite where an input is not, or where an indefinite H makes D overflow.

    """
    bent, pushed = hessian * time[..., None, None], gradient * time[..., None]
    scale = 1 + pushed.abs().sum(-1, keepdim=True)
    column = (pushed / scale)[..., None]
    batch = torch.broadcast_shapes(bent.shape[:-2], column.shape[:-2])
    n = gradient.shape[-1]
    top = torch.cat([bent.expand(*batch, n, n), column.expand(*batch, n, 1)], dim=-1)
    generator = torch.cat([-top, torch.zeros_like(top[..., :1, :])], dim=-2)
    return scale * matrix_exponential(generator)[..., :n, n]


def quadratic_motion(hessian: Tensor, gradient: Tensor, time: Tensor) -> QuadraticMotion:
    """D(t) and its first three derivatives, for the arguments of `quadratic_flow`."""
    displacement = quadratic_flow(hessian, gradient, time)
    velocity = -(gradient + _apply(hessian, displacement))
    acceleration = -_apply(hessian, velocity)
    return QuadraticMotion(displacement, velocity, acceleration, -_apply(hessian, acceleration))


def _apply(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector[..., None]).squeeze(-1)
