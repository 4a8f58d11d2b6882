"""Unit directions, of which a given share lies in the top eigenspace of a Gaussian policy's Fisher matrix, and the law of that
share for a uniform direction.
"""

from dataclasses import dataclass
from typing import TypeVar

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import free_of_unit, rotation, symmetric, unit_vector
from boundcheck.problem import Problem
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.sizes import SEEDS, require_sizes
from boundcheck.strategies.spectra import ROOT_KINDS, RootKind, falling_roots

NUDGE = 2.0**-20
"""How far from an edge "at the edge" is."""


@dataclass(frozen=True)
class Direction(Problem):
    """A unit direction g and a Gaussian policy N(f(θ), I) with f = J·D + ½·B[D, D] and F = JᵀJ = V·diag(μ²)·Vᵀ.

    Leaves: roots `[q]` (μ >= 0, decreasing, q <= n), free `[n, n]` (V is its Cayley transform), aim `[n - 1]` (g is its inverse
    stereographic projection), eta (the step's length), epsilon, bend `[q, n, n]` (B is its symmetric part). Structure: top, the
    rank d of the projector onto the first columns of V, d <= q and d < n; spectrum, the kind of the roots.
    """

    roots: Tensor
    free: Tensor
    aim: Tensor
    eta: Tensor
    epsilon: Tensor
    bend: Tensor
    top: int
    spectrum: str

    def admissible(self) -> Tensor:
        falling = torch.cat([self.roots[:, :-1] - self.roots[:, 1:], self.roots[:, -1:]], -1)
        return (falling >= 0).all(-1) & (self.eta > 0)

    @property
    def dim(self) -> int:
        """n."""
        return self.free.shape[-1]

    @property
    def jacobian(self) -> Tensor:
        """J = diag(μ)·(V's first q columns)ᵀ."""
        q = self.roots.shape[-1]
        return self.roots.unsqueeze(-1) * rotation(self.free)[..., :q].mT

    @property
    def fisher(self) -> Tensor:
        """F = JᵀJ."""
        return self.jacobian.mT @ self.jacobian

    @property
    def largest(self) -> Tensor:
        """λ_1."""
        return self.roots[..., 0].square()

    @property
    def least_of_top(self) -> Tensor:
        """λ_d."""
        return self.roots[..., self.top - 1].square()

    @property
    def next_one(self) -> Tensor:
        """λ_{d+1}: 0 where J has no more rows."""
        return self.roots[..., self.top].square() if self.top < self.roots.shape[-1] else torch.zeros_like(self.largest)

    @property
    def direction(self) -> Tensor:
        """g = (2x, ‖x‖² - 1)/(‖x‖² + 1), of length 1 whatever x is."""
        return unit_vector(self.aim)

    @property
    def top_share(self) -> Tensor:
        """‖P·g‖²."""
        return (rotation(self.free)[..., : self.top].mT @ self.direction).square().sum(-1)

    @property
    def curvature(self) -> Tensor:
        """B `[q, n, n]`, symmetric in its last two indices."""
        return symmetric(self.bend)

    def drops(self, steps: Tensor) -> Tensor:
        """Δu of each update, rows of `[k, n]`: ½·‖f‖², the divergence of N(f, I) from N(0, I)."""
        curved = ((steps @ self.curvature) * steps).sum(-1).mT
        return 0.5 * (steps @ self.jacobian.mT + 0.5 * curved).square().sum(-1)

    def drop(self, step: Tensor) -> Tensor:
        """Δu of one update `[n]`."""
        return self.drops(step.unsqueeze(-2)).squeeze(-1)


@dataclass(frozen=True)
class DirectionRecipe:
    """The structure of a batch of Directions: n, the number q of outputs, the rank d of the projector, the kind of spectrum."""

    dim: int
    outputs: int
    top: int
    spectrum: RootKind = "flat"
    seed: int = 0

    @property
    def label(self) -> str:
        """Kind and sizes."""
        return f"{self.spectrum} n={self.dim} q={self.outputs} d={self.top}"

    def build(self, lanes: int, first: int = 0) -> Direction:
        """Lanes first, …, first + lanes - 1."""
        return self._direction(LaneStream(self.seed, lanes, first))

    def _direction(self, stream: LaneStream) -> Direction:
        n, q, d = self.dim, self.outputs, self.top
        roots, free = falling_roots(stream, q, d, self.spectrum), stream.normal(n, n)
        epsilon, eta = stream.uniform(low=0.01, high=0.99), stream.log_uniform(1e-3, 3.0)
        round_one = torch.where(stream.uniform() < 0.3, 1.0, 0.0)[:, None, None, None]
        noise, along = stream.normal(q, n, n), stream.normal(q)[..., None, None]
        bend = torch.where(round_one > 0, along * torch.eye(n, dtype=torch.float64) + 0.01 * noise, noise)
        bend = bend * (stream.choice(0.0, 1.0, 1.0) * stream.log_uniform(1e-4, 3.0))[:, None, None, None]
        turned = (rotation(free).mT @ stream.unit(n)[..., None]).squeeze(-1)
        inside, outside = turned[:, :d], turned[:, d:]
        drawn = inside.square().sum(-1)
        edge = (1 + epsilon) * d / n * (1 - NUDGE)
        pick = stream.uniform()
        share = torch.where(pick < 0.5, drawn, torch.where(pick < 0.75, edge, 1 - 1e-4 * stream.uniform(low=0.1)))
        share = share.clamp(max=1 - 1e-5)[:, None]
        weakest = (torch.arange(d) == d - 1).double()
        inside = torch.where((stream.uniform() < 0.3)[:, None], weakest, inside / inside.norm(dim=-1, keepdim=True))
        mixed = torch.cat(
            [share.sqrt() * inside, (1 - share).sqrt() * outside / outside.norm(dim=-1, keepdim=True)], -1
        )
        g = (rotation(free) @ mixed[..., None]).squeeze(-1)
        g = torch.where(g[:, -1:] > 0, -g, g)
        return Direction(roots, free, free_of_unit(g), eta, epsilon, bend, d, self.spectrum)


@dataclass(frozen=True)
class TurnedDirection(Direction):
    """A Direction with an orthonormal frame of its own to average over, and two vectors to measure with.

    Leaves besides: turn `[n, n]` (the frame is its Cayley transform), probes `[2, n]`.
    """

    turn: Tensor
    probes: Tensor

    @property
    def frame(self) -> Tensor:
        """An orthonormal basis, a vector a row."""
        return rotation(self.turn).mT


@dataclass(frozen=True)
class TurnedDirectionRecipe(DirectionRecipe):
    """The structure of a batch of TurnedDirections."""

    def build(self, lanes: int, first: int = 0) -> TurnedDirection:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        bare, n = self._direction(stream), self.dim
        leaves = {name: getattr(bare, name) for name in bare.leaves()}
        return TurnedDirection(
            **leaves, top=self.top, spectrum=self.spectrum, turn=stream.normal(n, n), probes=stream.normal(2, n)
        )


def directions(*, min_dim: int = 2, max_dim: int = 16) -> st.SearchStrategy[DirectionRecipe]:
    """Unit directions and Gaussian policies: at random, with ‖Pg‖² at the edge (1 + ε)·d/n, and inside the top subspace.

    Args:
        min_dim, max_dim: smallest and largest n, which is one of 2, 3, 4, 5, 8, 12, 16.

    """
    return _directions(DirectionRecipe, min_dim, max_dim)


def turned_directions(*, max_dim: int = 5) -> st.SearchStrategy[TurnedDirectionRecipe]:
    """Directions with a frame to average over. Args: max_dim: largest n (averages take 2n² points)."""
    return _directions(TurnedDirectionRecipe, 2, max_dim)


DIMENSIONS = (2, 3, 4, 5, 8, 12, 16)
_D = TypeVar("_D", bound=DirectionRecipe)


def _directions(kind: type[_D], min_dim: int, max_dim: int) -> st.SearchStrategy[_D]:
    require_sizes(min_dim=min_dim, max_dim=max_dim)
    dims = [n for n in DIMENSIONS if min_dim <= n <= max_dim]
    if not dims:
        raise BoundcheckError(f"min_dim={min_dim}, max_dim={max_dim}", expected=f"one of {DIMENSIONS} between them")

    @st.composite
    def draw(draw: st.DrawFn) -> _D:
        dim = draw(st.sampled_from(dims))
        outputs = draw(st.one_of(st.integers(1, dim), st.just(dim)))
        return kind(
            dim=dim,
            outputs=outputs,
            top=draw(st.one_of(st.just(1), st.integers(1, min(outputs, dim - 1)))),
            spectrum=draw(st.sampled_from(ROOT_KINDS)),
            seed=draw(SEEDS),
        )

    return draw()


@dataclass(frozen=True)
class ProjectedLength(Problem):
    """‖P·g‖² of a uniform unit vector: Beta(d/2, (n - d)/2), for even d and n - d.

    Leaf: epsilon. Structure: top_half = d/2, rest_half = (n - d)/2.
    """

    epsilon: Tensor
    top_half: int
    rest_half: int

    def __post_init__(self) -> None:
        """Both halves have to be there: a projector of rank 0 or n leaves nothing to chance."""
        require_sizes(least=1, top_half=self.top_half, rest_half=self.rest_half)

    @property
    def top(self) -> int:
        """d."""
        return 2 * self.top_half

    @property
    def dim(self) -> int:
        """n."""
        return 2 * (self.top_half + self.rest_half)


@dataclass(frozen=True)
class ProjectedLengthRecipe:
    """The structure of a batch of ProjectedLengths: d/2 and (n - d)/2."""

    top_half: int
    rest_half: int
    seed: int = 0

    @property
    def label(self) -> str:
        """d and n."""
        return f"d={2 * self.top_half} n={2 * (self.top_half + self.rest_half)}"

    def build(self, lanes: int, first: int = 0) -> ProjectedLength:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        near_one = 1 - 0.02 * stream.uniform(low=1e-6)
        epsilon = torch.where(stream.uniform() < 0.4, near_one, stream.uniform(low=1e-3))
        return ProjectedLength(epsilon, self.top_half, self.rest_half)


def projected_lengths(*, max_top: int = 200, max_dim: int = 2000) -> st.SearchStrategy[ProjectedLengthRecipe]:
    """Ranks and dimensions for which the law of ‖P·g‖² is a finite sum: both d and n - d even.

    Args:
        max_top: largest d. max_dim: largest n.

    """
    require_sizes(max_top=max_top, max_dim=max_dim)
    if max_dim <= max_top:
        raise BoundcheckError(f"max_dim={max_dim}, max_top={max_top}", expected="max_dim > max_top")

    @st.composite
    def draw(draw: st.DrawFn) -> ProjectedLengthRecipe:
        top = draw(st.one_of(st.integers(3, max(3, max_top // 2)), st.integers(max(1, max_top // 4), max_top // 2)))
        most = max(1, max_dim // 2 - top)
        rest = draw(st.one_of(st.just(most), st.integers(1, most)))
        return ProjectedLengthRecipe(top, rest, draw(SEEDS))

    return draw()
