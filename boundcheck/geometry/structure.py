"""Matrices and vectors with a structure, as rational functions of free numbers: no premise about them is off by a rounding."""

import torch
from torch import Tensor


def rotation(free: Tensor) -> Tensor:
    """The Cayley transform (I - S)·(I + S)⁻¹ of S = (M - Mᵀ)/2: orthogonal for any M `[..., n, n]`, the identity for M = 0."""
    skew = 0.5 * (free - free.mT)
    identity = torch.eye(free.shape[-1], dtype=free.dtype, device=free.device)
    return torch.linalg.solve_ex(identity + skew, identity - skew).result


def unit_vector(free: Tensor) -> Tensor:
    """The unit vector (2x, ‖x‖² - 1)/(‖x‖² + 1) of a free x `[..., k - 1]`: `[..., k]`. All but (0, …, 0, 1) are reached."""
    square = free.square().sum(-1, keepdim=True)
    return torch.cat([2.0 * free, square - 1.0], dim=-1) / (square + 1.0)


def free_of_unit(unit: Tensor) -> Tensor:
    """The x `[..., k - 1]` whose `unit_vector` is a unit vector `[..., k]` other than (0, …, 0, 1), up to rounding."""
    return unit[..., :-1] / (1.0 - unit[..., -1:])


def symmetric(free: Tensor) -> Tensor:
    """The symmetric part (M + Mᵀ)/2 of `[..., n, n]`."""
    return 0.5 * (free + free.mT)
