"""Which numbers a climb may give a leaf, as far as its random instances show: strategies draw sizes, times and whole numbers.

A leaf whose entries are whole in every random instance is left as it is (zeros included: a recipe that leaves something out
keeps it out). One whose entries all have the same sign keeps it, and is climbed by factors. One that stays within [0, 1], and
comes near 1, is kept there. What else a claim needs of its numbers is for its premises to say, or for `Problem.admissible`.
"""

from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from boundcheck.problem import Problem

NEAR_ONE = 0.9
"""A leaf of positive numbers that are at most 1 and somewhere this large looks like one of shares or probabilities."""

ENOUGH = 64
"""So many random instances at least are looked at."""


class Range(Enum):
    """What is known of a leaf's numbers."""

    ANY = "any"
    WHOLE = "whole"
    ONE_SIGN = "one sign"
    SHARE = "share"


@dataclass(frozen=True)
class Ranges:
    """A range for each leaf."""

    of_leaf: dict[str, Range]

    @staticmethod
    def seen(problem: Problem) -> "Ranges":
        """What these instances show."""
        return Ranges({name: _range(leaf) for name, leaf in problem.leaves().items()})

    def moved(self, name: str, leaf: Tensor, size: Tensor, factor: Tensor, change: Tensor) -> Tensor:
        """The leaf after a change in units of its size, and times a factor."""
        kind = self.of_leaf[name]
        if kind is Range.WHOLE:
            return leaf
        if kind is Range.ANY:
            return factor * (leaf + size * change)
        grown = factor * leaf * change.exp()
        return grown.clamp(max=1.0) if kind is Range.SHARE else grown


def _range(leaf: Tensor) -> Range:
    numbers = leaf[leaf.isfinite()]
    if bool((numbers == numbers.round()).all()):
        return Range.WHOLE
    if bool((numbers < 0).any()):
        return Range.ANY if bool((numbers > 0).any()) else Range.ONE_SIGN
    top = float(torch.max(numbers))
    return Range.SHARE if NEAR_ONE <= top <= 1 else Range.ONE_SIGN
