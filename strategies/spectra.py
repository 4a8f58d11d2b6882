"""Eigenvalues of covariances by kind, and rotations built from free parameters."""

from typing import Literal, get_args

import torch
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.strategies.lanes import LaneStream

SpectrumKind = Literal["isotropic", "spiked", "power_law", "conditioned", "any"]
KINDS: tuple[SpectrumKind, ...] = get_args(SpectrumKind)


def eigenvalues(stream: LaneStream, kind: SpectrumKind, dim: int, *, max_condition: float = 100.0) -> Tensor:
    """Positive eigenvalues, decreasing, the largest 1: `[lanes, dim]`.

    Kinds:
        isotropic: all equal. spiked: one or two large ones over a flat floor. power_law: i^-s, s in [0.5, 3].
        conditioned: log-spaced down to the condition number. any: independent, of any order of magnitude allowed.

    Every kind keeps the condition number at most `max_condition` (>= 1).
    """
    if max_condition < 1:
        raise BoundcheckError(f"max_condition={max_condition}", expected="a number >= 1")
    floor = 1.0 / max_condition
    index = torch.arange(dim, dtype=torch.float64)
    if kind == "isotropic":
        values = torch.ones(stream.lanes, dim, dtype=torch.float64)
    elif kind == "spiked":
        spikes = 1 + (stream.uniform() * 2).long()
        base = stream.log_uniform(max(floor, 1e-12), 1.0)[:, None]
        values = torch.where(index < spikes[:, None], torch.ones_like(base), base)
    elif kind == "power_law":
        values = (index + 1) ** -stream.uniform(low=0.5, high=3.0)[:, None]
    elif kind == "conditioned":
        values = floor ** (index / max(dim - 1, 1)).expand(stream.lanes, dim)
    elif kind == "any":
        values = floor ** stream.uniform(dim)
    else:
        raise BoundcheckError(f"the spectrum kind {kind!r}", expected=f"one of {', '.join(KINDS)}")
    values = values.sort(dim=-1, descending=True).values
    return (values / values[:, :1]).clamp(min=floor)


def rotation(free: Tensor) -> Tensor:
    """The Cayley transform of a free square matrix M: (I - S)·(I + S)⁻¹ with S = (M - Mᵀ)/2, orthogonal by construction."""
    skew = 0.5 * (free - free.mT)
    identity = torch.eye(free.shape[-1], dtype=free.dtype, device=free.device)
    return torch.linalg.solve(identity + skew, identity - skew)


def shaped_inputs(noise: Tensor, values: Tensor, turn: Tensor) -> Tensor:
    """Rows z·diag(√λ)·Qᵀ, of covariance Q·diag(λ)·Qᵀ for standard normal z `[lanes, rows, dim]`."""
    return (noise * values.sqrt()[:, None, :]) @ turn.mT
