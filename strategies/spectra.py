"""Eigenvalues by kind: of covariances, and square roots of those of Fisher matrices."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.strategies.lanes import LaneStream

SpectrumKind = Literal[
    "isotropic", "spiked", "power_law", "conditioned", "any", "wishart", "low_rank", "blocks", "tail"
]
KINDS: tuple[SpectrumKind, ...] = get_args(SpectrumKind)

RootKind = Literal["flat", "steps", "decaying", "any"]
ROOT_KINDS: tuple[RootKind, ...] = get_args(RootKind)


def log_eigenvalues(stream: LaneStream, kind: SpectrumKind, dim: int, *, max_condition: float = 100.0) -> Tensor:
    """Logarithms of positive eigenvalues, decreasing, the largest 0: `[lanes, dim]`.

    Kinds:
        isotropic: all equal. spiked: one or two large ones over a flat floor. power_law: i^-s, s in [0.5, 3] as far as
        the condition number allows. conditioned: log-spaced down to the condition number. any: independent, of any
        order of magnitude allowed. wishart: of a sample covariance of one, two or four times as many draws as dimensions.
        low_rank: any number of uneven signals over noise that is flat up to a tenth. blocks: at most three levels, of any
        multiplicities. tail: one to three uneven large ones over a flat tail, of any ratio that is allowed.

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
    elif kind == "wishart":
        logs = _wishart(stream, dim)
    elif kind == "low_rank":
        logs = _low_rank(stream, index, depth)
    elif kind == "blocks":
        logs = _blocks(stream, index, depth)
    elif kind == "tail":
        logs = _tail(stream, index, depth)
    else:
        raise BoundcheckError(f"the spectrum kind {kind!r}", expected=f"one of {', '.join(KINDS)}")
    logs = logs.sort(dim=-1, descending=True).values
    return (logs - logs[:, :1]).clamp(min=-depth)


def _wishart(stream: LaneStream, dim: int) -> Tensor:
    """By singular values: a product of matrices has other last bits in other batches."""
    most = 4 * dim
    rows = stream.choice(1.0, 2.0, 4.0) * dim
    kept = torch.arange(most, dtype=torch.float64) < rows[:, None]
    sample = stream.normal(most, dim) * kept[..., None]
    return 2 * torch.log(torch.linalg.svdvals(sample).clamp(min=1e-300))


def _low_rank(stream: LaneStream, index: Tensor, depth: float) -> Tensor:
    dim = len(index)
    rank = 1 + (stream.uniform() * max(dim - 1, 1)).long()[:, None]
    noise = -depth * stream.uniform(low=0.5)[:, None]
    signals = noise / 2 * stream.uniform(dim)
    return torch.where(index < rank, signals, noise - 0.1 * stream.uniform(dim))


def _blocks(stream: LaneStream, index: Tensor, depth: float) -> Tensor:
    cuts = (stream.uniform(2) * len(index)).floor().sort(-1).values
    falls = stream.uniform(2) * -depth / 2
    return (index >= cuts[:, :1]) * falls[:, :1] + (index >= cuts[:, 1:]) * falls[:, 1:]


def _tail(stream: LaneStream, index: Tensor, depth: float) -> Tensor:
    count = 1 + (stream.uniform() * 3).long()[:, None]
    floor = -depth * stream.uniform()[:, None]
    heads = floor / 2 * stream.uniform(len(index))
    return torch.where(index < count, torch.where(index == 0, 0.0, heads), floor)


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
