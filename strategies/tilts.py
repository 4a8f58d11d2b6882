"""A finite distribution and one tilted from it, as one-sided as the bounds on their divergence are sharp for."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.geometry import divergence, spread
from boundcheck.problem import Problem
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.sizes import SEEDS, require_sizes

SKEWEST = (1 - 1 / math.sqrt(3)) / 2
"""The mass of the rarer of two outcomes with the largest third cumulant."""


@dataclass(frozen=True)
class Tilt(Problem):
    """A distribution p and another, q ∝ p·exp(w). Leaves: log_weights `[Y]` (p is their softmax), tilt `[Y]` (w)."""

    log_weights: Tensor
    tilt: Tensor

    @property
    def probabilities(self) -> Tensor:
        """p."""
        return torch.softmax(self.log_weights, -1)

    @property
    def spread(self) -> Tensor:
        """R = max w - min w."""
        return spread(self.tilt)

    @property
    def variance(self) -> Tensor:
        """Var_p(w)."""
        p = self.probabilities
        return (p * (self.tilt - (p * self.tilt).sum(-1, keepdim=True)).square()).sum(-1)

    @property
    def divergence(self) -> Tensor:
        """KL(p‖q)."""
        return divergence(self.probabilities, self.tilt)


TiltKind = Literal["two_point", "rare_low", "rare_high", "skewed", "near_duplicates", "any"]
TILT_KINDS: tuple[TiltKind, ...] = get_args(TiltKind)
RAREST = 1e-7


@dataclass(frozen=True)
class TiltRecipe:
    """The structure of a batch of Tilts.

    Attributes:
        classes: Y. seed: of the lanes.
        kind: two_point: w takes two values, at odds of any size. rare_low, rare_high: one outcome of probability down to 1e-7 has
            the smallest or the largest w, all others the other. skewed: two values at the odds of the largest third cumulant.
            near_duplicates: two values up to a few parts in 10⁶. any: independent numbers.

    """

    classes: int
    kind: TiltKind = "two_point"
    seed: int = 0

    @property
    def label(self) -> str:
        """Kind and size."""
        return f"{self.kind} Y={self.classes}"

    def build(self, lanes: int, first: int = 0) -> Tilt:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        logs, marks = _outcomes(stream, self.classes, self.kind)
        return Tilt(logs, marks * stream.log_uniform(1e-2, 20.0)[:, None])


def _outcomes(stream: LaneStream, classes: int, kind: TiltKind) -> tuple[Tensor, Tensor]:
    """Log-weights and a tilt of spread about 1 of one kind, both `[lanes, classes]`."""
    noise, weights = stream.normal(classes), stream.normal(classes)
    sign = stream.choice(-1.0, 1.0)[:, None]
    rare = torch.exp(stream.uniform(low=math.log(RAREST), high=math.log(0.5)))[:, None]
    first = (torch.arange(classes) == 0).double().expand(stream.lanes, classes)
    if kind == "any":
        return 2 * weights, noise / spread(noise)[:, None]
    if kind == "skewed":
        rare = SKEWEST * torch.exp(0.05 * weights[:, :1])
    if kind in ("rare_low", "rare_high"):
        sign = torch.full_like(sign, -1.0 if kind == "rare_low" else 1.0)
        rare = RAREST * torch.exp(-(math.log(RAREST) - math.log(1e-3)) * stream.uniform()[:, None])
    rest = (1 - rare) / (classes - 1)
    logs = torch.where(first > 0, torch.log(rare), torch.log(rest))
    jitter = 1e-6 * noise if kind == "near_duplicates" else torch.zeros_like(noise)
    return logs, sign * first + jitter


def tilts(*, max_classes: int = 8) -> st.SearchStrategy[TiltRecipe]:
    """Distributions with full support and a tilt of each: of a spread from 0.01 to 20, and as one-sided as can be.

    Args:
        max_classes: largest number of outcomes.

    Raises:
        BoundcheckError: for fewer than 2 outcomes.

    """
    require_sizes(max_classes=max_classes)
    return st.builds(TiltRecipe, classes=st.integers(2, max_classes), kind=st.sampled_from(TILT_KINDS), seed=SEEDS)
