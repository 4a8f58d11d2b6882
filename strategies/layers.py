"""Linear layers of whole numbers, whose activations and error signals share a subspace: ranks of theirs are exact."""

from dataclasses import dataclass
from typing import Literal

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.problem import Problem
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.sizes import SEEDS, require_sizes


@dataclass(frozen=True)
class LinearLayer(Problem):
    """A layer W = U·Kᵀ on N inputs v_i, with error signals δ_i = U·α_i: activations and errors lie in the span of U.

    Leaves, whole numbers (others are rounded to the nearest): basis `[d, r]` (U), rows `[d, r]` (K), inputs `[N, d]` (v), errors
    `[N, r]` (α).
    """

    basis: Tensor
    rows: Tensor
    inputs: Tensor
    errors: Tensor

    def admissible(self) -> Tensor:
        whole = torch.ones(self.lanes, dtype=torch.bool, device=self.basis.device)
        for leaf in self.leaves().values():
            whole = whole & (leaf == leaf.round()).flatten(1).all(-1)
        return whole

    @property
    def rank(self) -> int:
        """r."""
        return self.basis.shape[-1]

    @property
    def width(self) -> int:
        """d."""
        return self.basis.shape[-2]

    @property
    def inside(self) -> Tensor:
        """Kᵀ·v_i as rows `[N, r]`, exact: where these and U have rank r, so have the activations."""
        return nearest(nearest(self.inputs) @ nearest(self.rows), 9 * self.width)

    @property
    def activations(self) -> Tensor:
        """W·v_i as rows `[N, d]`."""
        return self.inside @ nearest(self.basis).mT

    @property
    def products(self) -> Tensor:
        """G_i = δ_i·v_iᵀ `[N, d, d]`, as computed."""
        signals = nearest(self.errors) @ nearest(self.basis).mT
        return signals.unsqueeze(-1) * nearest(self.inputs).unsqueeze(-2)


def nearest(numbers: Tensor, largest: int = 3) -> Tensor:
    """The nearest whole number, without any error, of what is at most `largest` in size (else that, with its sign).

    It counts how many halves a number has passed. Sums and products of whole numbers come out of floats with a radius; from here
    without one. Rounding and integers have no rules where a claim is proved, comparing and counting have.
    """
    halves = torch.arange(1, 2 * largest, 2, dtype=numbers.dtype, device=numbers.device) / 2
    size = (numbers.abs().unsqueeze(-1) >= halves).sum(-1).to(numbers.dtype)
    return torch.where(numbers < 0, -size, size)


@dataclass(frozen=True)
class LinearLayerRecipe:
    """The structure of a batch of LinearLayers.

    Attributes:
        width, rank, inputs: d, r, N. seed: of the lanes.
        kind: coordinates: U spans r of the coordinates. copies: each row of U is one of r rows, up to its sign. any: neither.

    """

    width: int
    rank: int
    inputs: int
    kind: Literal["coordinates", "copies", "any"] = "coordinates"
    seed: int = 0

    @property
    def label(self) -> str:
        """Kind and sizes."""
        return f"{self.kind} d={self.width} r={self.rank} N={self.inputs}"

    def build(self, lanes: int, first: int = 0) -> LinearLayer:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        d, r, N = self.width, self.rank, self.inputs
        basis = _independent(stream, d, r)
        if self.kind == "coordinates":
            basis[:, r:] = 0.0
        if self.kind == "copies":
            signs = torch.where(_small(stream, d - r, 1) < 0, -1.0, 1.0)
            basis[:, r:] = signs * basis[:, torch.arange(d - r) % r]
        return LinearLayer(basis, _independent(stream, d, r), _small(stream, N, d), _small(stream, N, r))


def _independent(stream: LaneStream, rows: int, columns: int) -> Tensor:
    """Small whole numbers, the first rows with a dominant diagonal (for up to 3 columns), so that the columns are independent."""
    matrix, diagonal = _small(stream, rows, columns), torch.eye(columns, dtype=torch.float64)
    matrix[:, :columns] = (matrix[:, :columns] * (1 - diagonal)).clamp(-1, 1) + 3 * diagonal
    return matrix


def _small(stream: LaneStream, *shape: int) -> Tensor:
    """-2, -1, 0, 1 or 2."""
    return torch.floor(stream.uniform(*shape, low=-2.0, high=3.0))


def linear_layers(*, max_width: int = 4) -> st.SearchStrategy[LinearLayerRecipe]:
    """Layers of small whole numbers whose activations and errors share a subspace of dimension r < d.

    Args:
        max_width: largest d.

    """
    require_sizes(max_width=max_width)

    @st.composite
    def draw(draw: st.DrawFn) -> LinearLayerRecipe:
        width = draw(st.integers(2, max_width))
        rank = draw(st.integers(1, width - 1))
        return LinearLayerRecipe(
            width=width,
            rank=rank,
            inputs=draw(st.one_of(st.just(rank * width + 2), st.integers(rank, rank * width + 2))),
            kind=draw(st.sampled_from(["coordinates", "copies", "coordinates", "copies", "coordinates", "any"])),
            seed=draw(SEEDS),
        )

    return draw()
