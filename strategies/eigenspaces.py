"""Pairs of symmetric matrices with known eigenvectors, as near to each other as the angle between their eigenspaces allows."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.geometry import rotation
from boundcheck.problem import Problem
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.sizes import SEEDS, require_sizes


@dataclass(frozen=True)
class SpectralPair(Problem):
    """Symmetric A = V·diag(a)·Vᵀ and B = W·diag(b)·Wᵀ with W = V·T. Leaves: first, second `[n]` (a, b: decreasing), free, turn
    `[n, n]` (V and T are their Cayley transforms). Structure: top, the rank k of the projectors onto the first columns."""

    first: Tensor
    second: Tensor
    free: Tensor
    turn: Tensor
    top: int

    def admissible(self) -> Tensor:
        return ((self.first[:, :-1] >= self.first[:, 1:]) & (self.second[:, :-1] >= self.second[:, 1:])).all(-1)

    @property
    def bases(self) -> tuple[Tensor, Tensor]:
        """V and W, an eigenvector a column."""
        V = rotation(self.free)
        return V, V @ rotation(self.turn)

    @property
    def difference(self) -> Tensor:
        """B - A."""
        V, W = self.bases
        return (W * self.second.unsqueeze(-2)) @ W.mT - (V * self.first.unsqueeze(-2)) @ V.mT

    @property
    def rotated(self) -> Tensor:
        """P_B - P_A."""
        V, W = self.bases
        top, other = V[..., : self.top], W[..., : self.top]
        return other @ other.mT - top @ top.mT

    @property
    def gap(self) -> Tensor:
        """a_k - a_{k+1}."""
        return self.first[..., self.top - 1] - self.first[..., self.top]


@dataclass(frozen=True)
class SpectralPairRecipe:
    """The structure of a batch of SpectralPairs.

    Attributes:
        dim, top: n, k. seed: of the lanes.
        kind: plane: the k-th and the next eigenvector turn in their plane, up to half a right angle, and b is what brings B
            nearest to A. swap: they change places, and both values of b lie next to the middle of the gap. any: all turn.

    """

    dim: int
    top: int
    kind: Literal["plane", "swap", "any"] = "plane"
    seed: int = 0

    @property
    def label(self) -> str:
        """Kind and sizes."""
        return f"{self.kind} n={self.dim} k={self.top}"

    def build(self, lanes: int, first: int = 0) -> SpectralPair:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        n, k = self.dim, self.top
        a = stream.normal(n).sort(-1, descending=True).values
        gap = stream.log_uniform(0.1, 2.0)[:, None]
        index = torch.arange(n)
        a = torch.where(index < k, a - a[:, k - 1 : k] + gap, a - a[:, k : k + 1])
        free, noise = stream.normal(n, n), stream.normal(n, n)
        small = stream.log_uniform(1e-6, 1e-2)[:, None]
        b, turn = a.clone(), torch.zeros_like(free)
        if self.kind == "any":
            amount = stream.log_uniform(1e-4, 3.0)
            b = (a + amount[:, None] * stream.normal(n)).sort(-1, descending=True).values
            return SpectralPair(a, b, free, noise * amount[:, None, None], k)
        angle = math.pi / 4 * torch.where(stream.uniform() < 0.5, stream.uniform(), 1 - small[:, 0])
        if self.kind == "swap":
            angle = torch.full_like(angle, math.pi / 2)
        middle, half = gap[:, 0] / 2, gap[:, 0] / 2 * (torch.cos(2 * angle).clamp(min=0) + small[:, 0])
        b[:, k - 1], b[:, k] = middle + half, middle - half
        slope = torch.tan(angle / 2)  # the Cayley transform of [[0, -t], [t, 0]] turns by 2·arctan t
        turn[:, k - 1, k], turn[:, k, k - 1] = slope, -slope
        return SpectralPair(a, b.sort(-1, descending=True).values, free, turn, k)


def spectral_pairs(*, max_dim: int = 5) -> st.SearchStrategy[SpectralPairRecipe]:
    """Two symmetric matrices with known eigenvectors: near each other, and as near as their projectors allow.

    Args:
        max_dim: largest n.

    """
    require_sizes(max_dim=max_dim)

    @st.composite
    def draw(draw: st.DrawFn) -> SpectralPairRecipe:
        dim = draw(st.integers(2, max_dim))
        kind: Literal["plane", "swap", "any"] = draw(st.sampled_from(["plane", "swap", "any"]))
        return SpectralPairRecipe(dim, draw(st.integers(1, dim - 1)), kind, draw(SEEDS))

    return draw()
