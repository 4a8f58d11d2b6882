"""What the results of The Geometry of Alignment Collapse share."""

import torch
from torch import Tensor

from boundcheck.claim import Source, premise


def alignment_collapse(label: str, equation: str = "") -> Source:
    """A place in the paper."""
    return Source("Springer et al., The Geometry of Alignment Collapse", label, equation)


def positive(name: str, value: Tensor, established: bool = True) -> None:
    """The premise `value > 0` (a margin of 0 would count as holding)."""
    premise(name, torch.where(value > 0, value, -torch.ones_like(value)), established=established)
