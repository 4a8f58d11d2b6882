"""Makes a counterexample readable: zeros, small whole numbers and few bits in place of random digits, while it still breaks.

Candidates are tried as the lanes of one batch: a change to all entries of a leaf, to halves of them, to quarters, down to one
entry each; the simplest that still breaks is taken, and so on. Derived leaves are computed anew for each.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from boundcheck.problem import Problem

P = TypeVar("P", bound=Problem)
Breaks = Callable[[P], Tensor]
"""Which lanes of a batch break the claim: bool `[lanes]`."""

CHUNK = 256
"""Candidates tried at once."""


@dataclass
class _Budget:
    """How many candidates may still be tried."""

    left: int


def simplify(problem: P, breaks: Breaks[P], *, candidates: int = 6_000) -> P:
    """The simplest instance found.

    Args:
        problem: a batch of one instance that breaks the claim.
        breaks: tells which lanes of a batch do.
        candidates: how many may be tried.

    """
    budget = _Budget(candidates)
    improved = True
    while improved and budget.left > 0:
        improved = False
        for change in _CHANGES:
            for name in _free(problem):
                simpler = _simplified_leaf(problem, name, change, breaks, budget)
                if simpler is not None:
                    problem, improved = simpler, True
    return problem


def complexity(problem: Problem) -> int:
    """How much there is to read: the bits of every free number, signs and scales included."""
    return sum(int(_bits(problem.leaves()[name]).sum()) for name in _free(problem))


def _free(problem: Problem) -> list[str]:
    return [name for name in problem.leaves() if name not in problem.derived]


def _bits(values: Tensor) -> Tensor:
    """0 for 0 and an infinity, else the length of the mantissa, plus how far the scale is from 1."""
    mantissa, exponent = torch.frexp(torch.where(values.isfinite(), values, 0.0))
    whole = (mantissa.abs() * 2.0**53).to(torch.int64)
    trailing = torch.log2((whole & -whole).clamp(min=1).double())
    cost = 54 - trailing + (exponent - 1).abs().clamp(max=64) + (values < 0)
    return torch.where(whole == 0, 0.0, cost)


def _simplified_leaf(
    problem: P, name: str, change: Callable[[Tensor], Tensor], breaks: Breaks[P], budget: _Budget
) -> P | None:
    """The problem with as many entries of one leaf changed as it allows, or None where it allows none."""
    best: P | None = None
    while budget.left > 0:
        before = (best or problem).leaves()[name]
        changed = change(before)
        simpler = torch.nonzero(_bits(changed).flatten() < _bits(before).flatten()).squeeze(-1)
        taken = _first_that_breaks(best or problem, name, changed, simpler, breaks, budget)
        if taken is None:
            return best
        best = taken
    return best


def _first_that_breaks(
    problem: P, name: str, changed: Tensor, entries: Tensor, breaks: Breaks[P], budget: _Budget
) -> P | None:
    before = problem.leaves()[name]
    for subsets in _in_chunks(_subsets(entries), CHUNK):
        subsets = subsets[: budget.left]
        budget.left -= len(subsets)
        if not subsets:
            return None
        candidates = before.repeat(len(subsets), *(1 for _ in before.shape[1:]))
        flat = candidates.view(len(subsets), -1)
        for row, subset in enumerate(subsets):
            flat[row, subset] = changed.flatten()[subset]
        leaves = {
            key: leaf.repeat(len(subsets), *(1 for _ in leaf.shape[1:])) for key, leaf in problem.leaves().items()
        }
        batch = problem.with_leaves(leaves | {name: candidates}).settled()
        rows = torch.nonzero(breaks(batch).cpu() & batch.admissible().cpu()).squeeze(-1)
        if len(rows):  # subsets come largest first
            return batch.lane(int(rows[0]))
    return None


def _subsets(entries: Tensor) -> Iterator[Tensor]:
    """All entries, halves, quarters, …, single ones."""
    size = len(entries)
    while size >= 1:
        yield from entries.split(size)
        size = size // 2


def _in_chunks(items: Iterator[Tensor], size: int) -> Iterator[list[Tensor]]:
    chunk: list[Tensor] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _to_bits(bits: int) -> Callable[[Tensor], Tensor]:
    def change(values: Tensor) -> Tensor:
        mantissa, exponent = torch.frexp(values)
        return torch.where(values.isfinite(), torch.ldexp((mantissa * 2.0**bits).round() / 2.0**bits, exponent), values)

    return change


_CHANGES: tuple[Callable[[Tensor], Tensor], ...] = (
    torch.zeros_like,
    torch.abs,
    torch.sign,
    torch.round,
    _to_bits(1),
    _to_bits(3),
    _to_bits(8),
    _to_bits(16),
    _to_bits(32),
)
"""From the boldest change to the mildest."""
