"""Pairs of covariances that do not commute, in dimensions too large to write down, with samples of their Gram matrices.

A block is n copies of a plane: Σ_1 is diag(λ, λ') in each, and Σ_2 is diag(μ, μ') turned by an angle. With G_1 and G_2 `[m,
n]` standard normal, X restricted to the block is (√λ·G_1, √λ'·G_2), and (G_1; G_2) stacked is L·Q with Q of orthonormal rows
and L `[2m, 2m]` lower triangular (see `sampled_blocks`): so X' = (√λ·L_1, √λ'·L_2), L_1 and L_2 its upper and lower half,
stands for X whatever n is, and Σ_2 mixes their columns pairwise.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem
from boundcheck.strategies.blocks import levels, sizes_of
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.sampled_blocks import NUDGE, TRIALS, bartlett
from boundcheck.strategies.sizes import SEEDS, require_choices, require_finite, require_sizes


@dataclass(frozen=True)
class SampledTurned(Problem):
    """Planes of the two covariances, n copies of each, and T samples of m rows.

    Leaves, without the lane axis: first `[p, 2]` (λ, λ' > 0), second `[p, 2]` (μ, μ' >= 0), turn `[p]` (the tangent of half the
    angle), sizes `[p]` (n, whole), samples `[]` (m, whole), factors `[T, p, 2m, 2m]` (L of each block; random samples).
    """

    first: Tensor
    second: Tensor
    turn: Tensor
    sizes: Tensor
    samples: Tensor
    factors: Tensor

    sampled: ClassVar[tuple[str, ...]] = ("factors",)

    def __post_init__(self) -> None:
        """A stored instance may say anything."""
        names = ("first", "second", "turn", "sizes", "samples", "factors")
        found = tuple(tuple(getattr(self, name).shape) for name in names)
        lanes, planes = found[0][:-2], found[0][-2:-1]
        trials, rows = found[-1][-4:-3] or (1,), found[-1][-1:]
        plane = (*lanes, *planes)
        wanted = ((*plane, 2), (*plane, 2), plane, plane, lanes, (*lanes, *trials, *planes, *rows, *rows))
        if found != wanted or planes[0] < 1 or rows[0] < 2 or rows[0] % 2:
            raise BoundcheckError(
                f"turned planes with {', '.join(names)} of shapes {list(found)}",
                expected="[..., p, 2] twice, [..., p] twice, [...] and [..., T, p, 2m, 2m]",
            )

    def admissible(self) -> Tensor:
        whole = (self.sizes == self.sizes.round()).all(-1) & (self.sizes >= 1).all(-1)
        positive = (self.first > 0).flatten(1).all(-1) & (self.second >= 0).flatten(1).all(-1)
        return whole & positive & (self.samples == self.factors.shape[-1] // 2)

    @property
    def second_root(self) -> Tensor:
        """`[p, 2, 2]`, a root of Σ_2 in each plane: Σ_2 = rootᵀ·root."""
        t = self.turn
        scale = 1 / (1 + t.square())
        cosine, sine = (1 - t.square()) * scale, 2 * t * scale
        rotation = torch.stack([torch.stack([cosine, sine], -1), torch.stack([-sine, cosine], -1)], -2)
        return torch.sqrt(self.second).unsqueeze(-1) * rotation

    @property
    def mixed(self) -> Tensor:
        """`[p, 2, 2]`, a root of A = Σ_1^½·Σ_2·Σ_1^½ in each plane: A = rootᵀ·root."""
        return self.second_root * torch.sqrt(self.first).unsqueeze(-2)

    @property
    def trace(self) -> Tensor:
        """Tr Σ_1."""
        return (self.sizes * self.first.sum(-1)).sum(-1)

    @property
    def intrinsic_dimension(self) -> Tensor:
        """r(Σ_1)."""
        return self.trace / self.first.flatten(-2).amax(-1)

    @property
    def product_trace(self) -> Tensor:
        """Tr(Σ_1·Σ_2) = Tr A."""
        return (self.sizes * self.mixed.square().sum((-1, -2))).sum(-1)

    @property
    def mixed_square(self) -> Tensor:
        """Tr A²."""
        A = self.mixed.mT @ self.mixed
        return (self.sizes * A.square().sum((-1, -2))).sum(-1)

    @property
    def rows(self) -> Tensor:
        """`[T, m, p·2·2m]`, a matrix X' for each sample with X'·X'ᵀ = X·Xᵀ."""
        m = self.factors.shape[-1] // 2
        halves = torch.stack([self.factors[..., :m, :], self.factors[..., m:, :]], -3)  # [T, p, 2, m, 2m]
        scaled = torch.sqrt(self.first)[..., None, None] * halves
        return scaled.movedim(-2, -4).flatten(-3)

    @property
    def kernel_root(self) -> Tensor:
        """A matrix W with X'·Wᵀ·W·X'ᵀ = X·Σ_2·Xᵀ: `[p·2·2m, p·2·2m]`."""
        columns = self.factors.shape[-1]
        identity = torch.eye(columns, dtype=self.first.dtype, device=self.first.device)
        return torch.block_diag(*[torch.kron(plane, identity) for plane in self.second_root.unbind(0)])


@dataclass(frozen=True)
class TurnedRecipe:
    """The structure of a batch of SampledTurned: planes, m, and what d_eff(A)/m and r(Σ_1)/m are at least in most lanes."""

    planes: int
    samples: int
    effective: float
    intrinsic: float
    trials: int = TRIALS
    seed: int = 0

    @property
    def label(self) -> str:
        """Sizes."""
        return f"m={self.samples}, {self.planes} turned planes"

    def build(self, lanes: int, first: int = 0) -> SampledTurned:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        p, m = self.planes, self.samples
        values, seen = levels(stream, 2 * p).unflatten(-1, (p, 2)), levels(stream, 2 * p).unflatten(-1, (p, 2))
        seen = torch.where(stream.uniform(p, 2) < 0.25, 0.0, seen)
        turn = torch.where(stream.uniform(p) < 0.25, 0.0, stream.uniform(p, low=-1.0, high=1.0))
        counts = torch.full((lanes,), float(m), dtype=torch.float64)
        bare = SampledTurned(values, seen, turn, sizes_of(stream, p), counts, torch.zeros(lanes, 1, p, 2, 2))
        target = m * stream.choice(1 + NUDGE, 1 + NUDGE, 2.0, 8.0)
        mixed = torch.nan_to_num(bare.product_trace.square() / bare.mixed_square, nan=torch.inf)
        missing = torch.maximum(self.effective * target / mixed, self.intrinsic * target / bare.intrinsic_dimension)
        sizes = (bare.sizes * missing[:, None]).ceil().clamp(1, 2.0**53)
        factors = bartlett(stream, sizes, 2 * m, self.trials)
        return bare.with_leaves(bare.leaves() | {"sizes": sizes, "factors": factors})


def sampled_turned(
    *, effective: float, intrinsic: float, max_planes: int = 2, samples: tuple[int, ...] = (1, 2, 3)
) -> st.SearchStrategy[TurnedRecipe]:
    """Pairs of covariances that do not commute, each with 32 samples of m rows from the law of their Gram matrices.

    Args:
        effective, intrinsic: what d_eff(A)/m, A = Σ_1^½·Σ_2·Σ_1^½, and r(Σ_1)/m are at least in most lanes.
        max_planes: most distinct planes. samples: which m may occur.

    """
    require_sizes(least=1, max_planes=max_planes)
    require_choices(samples=samples)
    require_finite(effective=effective, intrinsic=intrinsic)
    return st.builds(
        TurnedRecipe,
        planes=st.integers(1, max_planes),
        samples=st.sampled_from(samples),
        effective=st.just(effective),
        intrinsic=st.just(intrinsic),
        seed=SEEDS,
    )
