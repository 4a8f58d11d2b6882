"""ReLU neurons: pairs of weight vectors at any distance and angle, and layers on a finite sample near their kinks."""

from dataclasses import dataclass
from typing import Literal

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.problem import Problem
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.sizes import SEEDS, require_sizes

Turn = Literal["any", "across", "shrunk", "flipped"]


@dataclass(frozen=True)
class NeuronPair(Problem):
    """One neuron a·relu(w·x) with other weights v. Leaves: head `[]` (a), weights, moved `[d]` (w, v)."""

    head: Tensor
    weights: Tensor
    moved: Tensor

    def admissible(self) -> Tensor:
        return (self.weights != 0).any(-1) & (self.moved != 0).any(-1) & (self.head != 0)


@dataclass(frozen=True)
class NeuronPairRecipe:
    """The structure of a batch of NeuronPairs.

    Attributes:
        dim: d. seed: of the lanes.
        turn: any: v - w of any direction. across: v - w at a right angle to w. shrunk: v short, nearly at a right angle to w.
            flipped: v short and nearly opposite to w.

    Distances ‖v - w‖ are from 10⁻⁸ to 10 times ‖w‖ where the turn leaves that open.
    """

    dim: int
    turn: Turn = "any"
    seed: int = 0

    @property
    def label(self) -> str:
        """Turn and size."""
        return f"{self.turn} d={self.dim}"

    def build(self, lanes: int, first: int = 0) -> NeuronPair:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        unit, other = stream.unit(self.dim), stream.unit(self.dim)
        across = other - (other * unit).sum(-1, keepdim=True) * unit
        distance, short = stream.log_uniform(1e-8, 10.0)[:, None], stream.log_uniform(1e-6, 1e-1)[:, None]
        moved = {
            "any": unit + distance * other,
            "across": unit + distance * across,
            "shrunk": short * (short * unit + across),
            "flipped": short * (short * across - unit),
        }[self.turn]
        length = stream.log_uniform(1e-2, 1e2)[:, None]
        return NeuronPair(head=stream.normal(), weights=length * unit, moved=length * moved)


@dataclass(frozen=True)
class LayerPair(Problem):
    """A layer Σ_j a_j·relu(w_j·x) on N inputs, and other weights for it.

    Leaves: head `[h]` (a), weights, moved `[h, d]` (w_j, v_j), inputs `[N, d]` (x_i).
    """

    head: Tensor
    weights: Tensor
    moved: Tensor
    inputs: Tensor


@dataclass(frozen=True)
class LayerPairRecipe:
    """The structure of a batch of LayerPairs.

    Attributes:
        width, dim, points: h, d, N. seed: of the lanes.
        straight: move the one weight vector that is nearest to a kink straight across it, by a thousandth or more too far.

    """

    width: int
    dim: int
    points: int
    straight: bool = True
    seed: int = 0

    @property
    def label(self) -> str:
        """Sizes, and how weights move."""
        return f"{'straight' if self.straight else 'any'} h={self.width} d={self.dim} N={self.points}"

    def build(self, lanes: int, first: int = 0) -> LayerPair:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        weights, inputs = stream.normal(self.width, self.dim), stream.normal(self.points, self.dim)
        size = stream.log_uniform(1e-3, 10.0)[:, None, None]
        step = size * stream.normal(self.width, self.dim)
        if self.straight:
            step = straight_across(weights, inputs) * (1 + stream.log_uniform(1e-3, 10.0)[:, None, None])
        return LayerPair(head=stream.normal(self.width), weights=weights, moved=weights + step, inputs=inputs)


def straight_across(weights: Tensor, inputs: Tensor) -> Tensor:
    """The shortest step `[lanes, h, d]` that takes one w_j to a hyperplane w_j·x_i = 0."""
    signed = (weights @ inputs.mT) / torch.linalg.vector_norm(inputs, dim=-1)[:, None, :]
    nearest = signed.abs().flatten(1).argmin(-1)
    chosen = torch.nn.functional.one_hot(nearest, signed[0].numel()).unflatten(-1, signed.shape[1:]) * signed
    return -chosen @ (inputs / torch.linalg.vector_norm(inputs, dim=-1, keepdim=True))


def neuron_pairs(*, max_dim: int = 5) -> st.SearchStrategy[NeuronPairRecipe]:
    """One ReLU neuron and other weights for it.

    Args:
        max_dim: largest d, at least 2: in one dimension weights only change sign.

    """
    require_sizes(max_dim=max_dim)
    turns = st.sampled_from(["any", "across", "shrunk", "flipped"])
    return st.builds(NeuronPairRecipe, dim=st.integers(2, max_dim), turn=turns, seed=SEEDS)


def layer_pairs(*, max_width: int = 4, max_dim: int = 4, max_points: int = 5) -> st.SearchStrategy[LayerPairRecipe]:
    """A ReLU layer on a finite sample, and other weights for it.

    Args:
        max_width: largest h. max_dim: largest d. max_points: largest N.

    """
    require_sizes(least=1, max_width=max_width, max_dim=max_dim, max_points=max_points)
    return st.builds(
        LayerPairRecipe,
        width=st.integers(1, max_width),
        dim=st.integers(1, max_dim),
        points=st.integers(1, max_points),
        straight=st.sampled_from([True, True, False]),
        seed=SEEDS,
    )
