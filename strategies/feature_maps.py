"""Polynomial features of Gaussian inputs: a covariance for the inputs, and the degrees of the features."""

from dataclasses import dataclass
from typing import Literal

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.geometry.gaussian_moments import Moments
from boundcheck.problem import Problem
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.sizes import SEEDS, require_sizes

Size = Literal["any", "near", "small", "singular"]


@dataclass(frozen=True)
class FeatureMoments(Problem):
    """Hermite features of degrees 1 to p, evaluated under N(0, Σ), Σ = A·Aᵀ. Leaf: root `[d, d]` (A). Structure: degree (p)."""

    root: Tensor
    degree: int

    @property
    def dim(self) -> int:
        """d."""
        return self.root.shape[-1]

    @property
    def covariance(self) -> Tensor:
        """Σ."""
        return self.root @ self.root.mT

    @property
    def moments(self) -> Moments:
        """The moments of one instance's inputs."""
        return Moments(self.covariance)


@dataclass(frozen=True)
class FeatureMomentsRecipe:
    """The structure of a batch of FeatureMoments.

    Attributes:
        dim, degree: d, p. seed: of the lanes.
        kind: any: entries of A of any size. near: A near the identity, where features of different degrees hardly mix.
            small: A near 0. singular: A of rank 1.

    """

    dim: int
    degree: int
    kind: Size = "any"
    seed: int = 0

    @property
    def label(self) -> str:
        """Kind and sizes."""
        return f"{self.kind} d={self.dim} p={self.degree}"

    def build(self, lanes: int, first: int = 0) -> FeatureMoments:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        noise = stream.normal(self.dim, self.dim)
        size = stream.log_uniform(1e-3, 1.0)[:, None, None]
        root = {
            "any": noise * 3 * size,
            "near": torch.eye(self.dim, dtype=torch.float64) + size * noise,
            "small": noise * size.square(),
            "singular": noise[..., :1] * (torch.arange(self.dim) == 0),
        }[self.kind]
        return FeatureMoments(root=root, degree=self.degree)


def feature_moments(
    *, degrees: tuple[int, ...] = (1, 2, 3, 4), max_dim: int = 2
) -> st.SearchStrategy[FeatureMomentsRecipe]:
    """Hermite features up to a degree, and the covariance of the inputs they are evaluated on.

    Args:
        degrees: p is one of these. max_dim: largest d.

    """
    require_sizes(least=1, max_dim=max_dim)
    for degree in degrees:
        require_sizes(least=1, degree=degree)
    return st.builds(
        FeatureMomentsRecipe,
        dim=st.integers(1, max_dim),
        degree=st.sampled_from(degrees),
        kind=st.sampled_from(["any", "near", "small", "singular"]),
        seed=SEEDS,
    )
