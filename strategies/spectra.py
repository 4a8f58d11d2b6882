"""Eigenvalues by kind: of covariances, and square roots of those of Fisher matrices."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.strategies.lanes import LaneStream

SpectrumKind = Literal["isotropic", "spiked", "power_law", "conditioned", "any"]
KINDS: tuple[SpectrumKind, ...] = get_args(SpectrumKind)

RootKind = Literal["flat", "steps", "decaying", "any"]
ROOT_KINDS: tuple[RootKind, ...] = get_args(RootKind)


def log_eigenvalues(stream: LaneStream, kind: SpectrumKind, dim: int, *, max_condition: float = 100.0) -> Tensor:
    """Logarithms of positive eigenvalues, decreasing, the largest 0: `[lanes, dim]`.

    Kinds:
        isotropic: all equal. spiked: one or two large ones over a flat floor. power_law: i^-s, s in [0.5, 3] as far as
        the condition number allows. conditioned: log-spaced down to the condition number. any: independent, of any
        order of magnitude allowed.

    Every kind keeps the condition number at most `max_condition` (>= 1).

    Raises:
        BoundcheckError: for a condition number below 1 or a kind that does not exist.

    """
    if not max_condition >= 1:
        raise BoundcheckError(f"max_condition={max_condition}", expected="a number >= 1")
    # Logarithms throughout: torch's powers differ in the last bit with a lane's place in its batch, exp and log do not.
    depth = math.log(max_condition)
    index = torch.arange(dim, dtype=torch.float64)
    if kind == "isotropic":
        logs = torch.zeros(stream.lanes, dim, dtype=torch.float64)
    elif kind == "spiked":
        spikes = 1 + (stream.uniform() * 2).long()
        base = -depth * stream.uniform()[:, None]
        logs = torch.where(index < spikes[:, None], torch.zeros_like(base), base)
    elif kind == "power_law":
        steepest = min(3.0, depth / math.log(max(dim, 2)))
        logs = -torch.log(index + 1) * stream.uniform(low=min(0.5, steepest), high=steepest)[:, None]
    elif kind == "conditioned":
        logs = (-depth * index / max(dim - 1, 1)).repeat(stream.lanes, 1)
    elif kind == "any":
        logs = -depth * stream.uniform(dim)
    else:
        raise BoundcheckError(f"the spectrum kind {kind!r}", expected=f"one of {', '.join(KINDS)}")
    logs = logs.sort(dim=-1, descending=True).values
    return logs - logs[:, :1]


def eigenvalues(stream: LaneStream, kind: SpectrumKind, dim: int, *, max_condition: float = 100.0) -> Tensor:
    """Positive eigenvalues, decreasing, the largest 1: `[lanes, dim]`; see `log_eigenvalues`."""
    return torch.exp(log_eigenvalues(stream, kind, dim, max_condition=max_condition))


def shaped_inputs(noise: Tensor, values: Tensor, turn: Tensor) -> Tensor:
    """Rows z·diag(√λ)·Qᵀ, of covariance Q·diag(λ)·Qᵀ for standard normal z `[lanes, rows, dim]`."""
    return (noise * values.sqrt()[:, None, :]) @ turn.mT


def falling_roots(stream: LaneStream, count: int, top: int, kind: RootKind) -> Tensor:
    """Positive numbers, decreasing, `[lanes, count]`: all equal; equal among the first `top` and among the rest; falling
    geometrically; or of any size. In a third of the lanes all are within a tenth of each other, whatever the kind."""
    size, ratio = stream.log_uniform(0.1, 3.0)[:, None], stream.log_uniform(1e-3, 1.0)[:, None]
    ratio = torch.where(stream.uniform()[:, None] < 1 / 3, 1 - 0.1 * ratio, ratio)
    index = torch.arange(count, dtype=torch.float64).expand(stream.lanes, count)
    drawn = stream.uniform(count)
    if kind == "flat":
        return size + 0 * index
    if kind == "steps":
        return torch.where(index < top, size, size * ratio)
    logs = index / max(count - 1, 1) if kind == "decaying" else drawn.sort(-1).values
    return size * torch.exp(logs * torch.log(ratio))
