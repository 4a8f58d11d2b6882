"""A claim at one structure as a height over its free numbers: log(smaller) - log(larger), in plain differentiable floats."""

from dataclasses import dataclass

import torch
from torch import Tensor

from boundcheck.claim import Claim
from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem
from boundcheck.search.hunting.ranges import Ranges
from boundcheck.search.instance import OneInstance, check_leaves, readable_errors

LEAST = 1e-300
"""Stands for a side that is not positive."""

TINY = 1e-12
"""A margin of at most this size in the median lane is an equality that holds by construction."""

ROOMY = 1e6
"""A margin that is larger (+inf, say) counts as this: nothing pulls at it."""


@dataclass(frozen=True)
class Terms:
    """Both sides `[lanes]` and the margins of the premises `[premises, lanes]`."""

    smaller: Tensor
    larger: Tensor
    margins: Tensor

    @property
    def height(self) -> Tensor:
        """The logarithm of the tightness ratio."""
        return torch.log(self.smaller.clamp(min=LEAST)) - torch.log(self.larger.clamp(min=LEAST))


def require_free(claim: Claim, problem: Problem) -> None:
    """Refuse instances that hold random samples: one that is chosen after a look at them proves nothing about a probability."""
    if problem.sampled:
        raise BoundcheckError(
            f"{claim.key} is judged by random samples ({', '.join(problem.sampled)})",
            expected="a claim whose numbers are all free",
            remedy="draw more instances instead: one that is chosen after a look at its samples proves nothing",
        )


class Landscape:
    """The claim as a function of changes to a batch's free leaves, each in units of the leaf's size in its lane.

    A leaf also has a factor, whose logarithm is one more change: worst cases often are limits in which a number goes to 0 or
    grows without bound, and there a change of fixed size is too large or too small.

    The heights may be computed in float32 (`numbers`), for a claim that can: they only propose. What `at` returns, and what is
    judged, is float64 in any case.

    Attributes:
        problem: the batch at change 0. sizes: what a change of 1 is, per leaf. scale: what margins are measured in.

    """

    def __init__(
        self,
        claim: Claim,
        problem: Problem,
        ranges: Ranges | None = None,
        *,
        differentiable: bool = True,
        numbers: torch.dtype = torch.float64,
    ) -> None:
        check_leaves(problem)
        require_free(claim, problem)
        self._differentiable = differentiable
        self._claim = claim
        self._ranges = ranges or Ranges.seen(problem)
        self.problem = problem
        self._names = [name for name in problem.leaves() if name not in problem.derived]
        if not self._names:
            raise BoundcheckError(f"{claim.key} has no free numbers", expected="a problem with leaves of its own")
        leaves = problem.leaves()
        self._start = [leaves[name].detach().clone() for name in self._names]
        self.sizes = [_size(leaf) for leaf in self._start]
        try:
            self._state_in(numbers)
        except (
            BoundcheckError,
            RuntimeError,
        ):  # a claim with float64 numbers of its own, beside which float32 cannot stand
            if numbers is torch.float64:
                raise
            self._state_in(torch.float64)

    def _state_in(self, numbers: torch.dtype) -> None:
        """Make ready to evaluate the claim in these numbers."""
        self._numbers = numbers
        self._one = OneInstance(self._claim, self.problem, numbers=numbers)
        self._constants = [
            self._start[0].new_tensor(float(exact.value), dtype=numbers) for exact in self._claim.constants.values()
        ]
        in_dims = (*(0 for _ in self.problem.leaves()), *(None for _ in self._constants))
        self._lanes = torch.vmap(self._one, in_dims=in_dims)
        with torch.no_grad():
            self.scale = _scale(self.terms(self.still()).margins)

    def still(self) -> list[Tensor]:
        """No change: one tensor for each leaf, and the logarithms of their factors `[lanes, leaves]`."""
        lanes = self._start[0].new_zeros(self.problem.lanes, len(self._start))
        return [*(torch.zeros_like(leaf) for leaf in self._start), lanes]

    def at(self, changes: list[Tensor]) -> Problem:
        """The batch after these changes; what follows from its free numbers is **not** computed anew."""
        *changes, logarithms = changes
        factors = logarithms.exp().unbind(-1)
        moved = [
            self._ranges.moved(name, leaf, size, over_lanes(factor, leaf), change)
            for name, factor, leaf, size, change in zip(
                self._names, factors, self._start, self.sizes, changes, strict=True
            )
        ]
        return self.problem.with_leaves(self.problem.leaves() | dict(zip(self._names, moved, strict=True)))

    def terms(self, changes: list[Tensor]) -> Terms:
        """Sides and margins after these changes; derived leaves by `Problem.approached`, or `settled` if without derivatives.

        Raises:
            BoundcheckError: for an identity, which has no ratio.

        """
        moved = self.at(changes)
        here = moved.approached() if self._differentiable else moved.settled()
        leaves = [leaf.to(self._numbers) for leaf in here.leaves().values()]
        with readable_errors(self._claim):
            smaller, larger, *margins = (side.double() for side in self._lanes(*leaves, *self._constants))
        if self._one.identity:
            raise BoundcheckError(
                f"{self._claim.key} is an identity", expected="an inequality: an identity has no ratio to climb"
            )
        stacked = torch.stack(margins) if margins else smaller.new_zeros(0, len(smaller))
        return Terms(smaller, larger, stacked.clamp(max=ROOMY))

    def missing(self, terms: Terms, room: float) -> Tensor:
        """By how much the premises are missed, or hold with less than `room`, all together: `[lanes]`."""
        return torch.relu(room - terms.margins / self.scale).sum(0)


def repeated(alone: Problem, times: int) -> Problem:
    """One lane so many times."""
    return alone.with_leaves(
        {name: leaf.repeat(times, *(1 for _ in leaf.shape[1:])) for name, leaf in alone.leaves().items()}
    )


def _size(leaf: Tensor) -> Tensor:
    """The largest entry of a leaf in each lane, 1 where all are 0."""
    if leaf.numel() == 0:
        return torch.ones_like(leaf)
    size = leaf.abs().flatten(1).amax(1) if leaf.dim() > 1 else leaf.abs()
    return over_lanes(torch.where((size > 0) & size.isfinite(), size, torch.ones_like(size)), leaf)


def _scale(margins: Tensor) -> Tensor:
    """The size of a margin: its own at the start, or that of the median lane if that is larger (some start at the edge)."""
    if margins.numel() == 0:
        return margins
    sizes = margins.abs().nan_to_num(nan=1.0, posinf=1.0)
    usual = sizes.median(dim=1, keepdim=True).values
    usual = torch.where(usual > TINY, usual, 1.0)  # one that is 0 by construction has no size
    return torch.maximum(sizes, usual)


def over_lanes(lanes: Tensor, leaf: Tensor) -> Tensor:
    """A number a lane, shaped to meet the leaf."""
    return lanes.reshape(-1, *(1 for _ in leaf.shape[1:]))
