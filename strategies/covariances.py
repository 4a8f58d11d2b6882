"""Covariances and pairs of them, built from free parameters: log-eigenvalues, and a square matrix whose Cayley transform
is the rotation. Whatever numbers stand there, the result is symmetric positive definite and the eigenvectors orthonormal.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import rotation
from boundcheck.problem import Problem
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.spectra import KINDS, SpectrumKind, log_eigenvalues

SCALES = (0.1, 10.0)
"""Between what a lane's largest eigenvalue lies."""

OVERLAPS = (1.0, 0.0, 0.5, 0.9)


@dataclass(frozen=True)
class Covariances(Problem):
    """Covariance matrices Σ = Q·diag(λ)·Qᵀ.

    Leaves, without the lane axis: log_eigenvalues `[d]` (log λ, in any order), free `[d, d]` (Q is the Cayley transform of
    its skew part). The quantities below are computed from them, in one instance or in batches.
    """

    log_eigenvalues: Tensor
    free: Tensor

    @property
    def dim(self) -> int:
        """d."""
        return self.log_eigenvalues.shape[-1]

    @property
    def eigenvalues(self) -> Tensor:
        """λ `[..., d]`, as ordered in the leaf."""
        return torch.exp(self.log_eigenvalues)

    @property
    def eigenvectors(self) -> Tensor:
        """Q `[..., d, d]`, an eigenvector a column."""
        return rotation(self.free)

    @property
    def root(self) -> Tensor:
        """Q·diag(√λ) `[..., d, d]`: Σ is root·rootᵀ, and root·z has covariance Σ for standard normal z."""
        return self.eigenvectors * torch.exp(0.5 * self.log_eigenvalues).unsqueeze(-2)

    @property
    def matrix(self) -> Tensor:
        """Σ `[..., d, d]`."""
        return self.root @ self.root.mT

    @property
    def trace(self) -> Tensor:
        """Tr Σ."""
        return self.eigenvalues.sum(-1)

    @property
    def norm(self) -> Tensor:
        """‖Σ‖, the largest eigenvalue."""
        return self.eigenvalues.amax(-1)

    @property
    def condition(self) -> Tensor:
        """The largest eigenvalue over the smallest."""
        return torch.exp(self.log_eigenvalues.amax(-1) - self.log_eigenvalues.amin(-1))

    @property
    def effective_dimension(self) -> Tensor:
        """Tr(Σ)²/Tr(Σ²), between 1 and d."""
        return self.trace.square() / self.eigenvalues.square().sum(-1)

    @property
    def intrinsic_dimension(self) -> Tensor:
        """Tr(Σ)/‖Σ‖, between 1 and the effective dimension."""
        return self.trace / self.norm


@dataclass(frozen=True)
class CovariancePairs(Problem):
    """Pairs Σ_1 = Q_1·diag(λ_1)·Q_1ᵀ and Σ_2 = Q_1·T·diag(λ_2)·(Q_1·T)ᵀ: T turns the eigenvectors of one into the other's.

    Leaves, without the lane axis: log_first, log_second `[d]`, free `[d, d]` (Q_1 is its Cayley transform), free_turn
    `[d, d]` (T is its; zeros make the eigenvectors of both the same).
    """

    log_first: Tensor
    log_second: Tensor
    free: Tensor
    free_turn: Tensor

    @property
    def first(self) -> Covariances:
        """Σ_1."""
        return Covariances(self.log_first, self.free)

    @property
    def turn(self) -> Tensor:
        """T `[..., d, d]`: its entries are the inner products of the eigenvectors of Σ_1 with those of Σ_2."""
        return rotation(self.free_turn)

    @property
    def second_eigenvalues(self) -> Tensor:
        """λ_2 `[..., d]`."""
        return torch.exp(self.log_second)

    @property
    def second_root(self) -> Tensor:
        """Q_1·T·diag(√λ_2): Σ_2 is second_root·second_rootᵀ."""
        return self.first.eigenvectors @ (self.turn * torch.exp(0.5 * self.log_second).unsqueeze(-2))

    @property
    def second_matrix(self) -> Tensor:
        """Σ_2 `[..., d, d]`."""
        return self.second_root @ self.second_root.mT

    @property
    def mixed(self) -> Tensor:
        """A `[..., d, d]` with the eigenvalues of Σ_1^½·Σ_2·Σ_1^½ (it is that matrix in the eigenbasis of Σ_1)."""
        half = torch.exp(0.5 * self.log_first).unsqueeze(-1) * self.turn
        half = half * torch.exp(0.5 * self.log_second).unsqueeze(-2)
        return half @ half.mT

    @property
    def product_trace(self) -> Tensor:
        """Tr(Σ_1·Σ_2), from the squared inner products of the eigenvectors: no Q_1 is needed."""
        weights = self.turn.square() @ self.second_eigenvalues.unsqueeze(-1)
        return (torch.exp(self.log_first) * weights.squeeze(-1)).sum(-1)

    @property
    def mixed_effective_dimension(self) -> Tensor:
        """Tr(A)²/Tr(A²) of `mixed`."""
        return self.product_trace.square() / self.mixed.square().sum((-1, -2))

    @property
    def cosine(self) -> Tensor:
        """Tr(Σ_1·Σ_2)/(‖Σ_1‖_F·‖Σ_2‖_F): 1 for proportional matrices, near 0 where each is small on the other."""
        sizes = torch.exp(2 * self.log_first).sum(-1) * torch.exp(2 * self.log_second).sum(-1)
        return self.product_trace / torch.sqrt(sizes)

    @property
    def alignment(self) -> Tensor:
        """Tr(T)/d: 1 where all eigenvectors are shared, falling as T turns them."""
        return torch.diagonal(self.turn, dim1=-2, dim2=-1).sum(-1) / self.free_turn.shape[-1]


@dataclass(frozen=True)
class CovarianceRecipe:
    """The structure of a batch of Covariances; `build` fills in the numbers, lane by lane.

    Attributes:
        dim: d. kind: of the spectrum (see `spectra.log_eigenvalues`). max_condition: no lane's condition number is larger,
            and those of the kind "conditioned" have it exactly (up to rounding). turned: rotate; else Σ is diagonal.
        seed: of the lanes.

    """

    dim: int
    kind: SpectrumKind = "isotropic"
    max_condition: float = 100.0
    turned: bool = True
    seed: int = 0

    @property
    def label(self) -> str:
        """Kind and size."""
        return f"{self.kind} d={self.dim}"

    def build(self, lanes: int, first: int = 0) -> Covariances:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        logs = _log_eigenvalues(stream, self.kind, self.dim, self.max_condition)
        return Covariances(logs, stream.normal(self.dim, self.dim) * float(self.turned))


@dataclass(frozen=True)
class CovariancePairRecipe:
    """The structure of a batch of CovariancePairs.

    Attributes:
        dim: d. first, second: kinds of the two spectra. overlap: 1 shares all eigenvectors; every angle between them grows
            as it falls to 0. opposed: pair the largest eigenvalue of one with the smallest of the other.
        max_condition: of either matrix. seed: of the lanes.

    """

    dim: int
    first: SpectrumKind = "isotropic"
    second: SpectrumKind = "isotropic"
    overlap: float = 1.0
    opposed: bool = False
    max_condition: float = 100.0
    seed: int = 0

    @property
    def label(self) -> str:
        """Kinds, size and overlap."""
        return f"{self.first}/{self.second} d={self.dim} overlap={self.overlap:g}"

    def build(self, lanes: int, first: int = 0) -> CovariancePairs:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        log_first = _log_eigenvalues(stream, self.first, self.dim, self.max_condition)
        log_second = _log_eigenvalues(stream, self.second, self.dim, self.max_condition)
        free, turn = stream.normal(self.dim, self.dim), stream.normal(self.dim, self.dim)
        log_second = log_second.flip(-1) if self.opposed else log_second
        return CovariancePairs(log_first, log_second, free, turn * (1.0 - self.overlap))


def _log_eigenvalues(stream: LaneStream, kind: SpectrumKind, dim: int, max_condition: float) -> Tensor:
    logs = log_eigenvalues(stream, kind, dim, max_condition=max_condition)
    return logs + stream.uniform(low=math.log(SCALES[0]), high=math.log(SCALES[1]))[:, None]


def covariances(
    dim: int | None = None,
    *,
    kinds: Sequence[SpectrumKind] = KINDS,
    max_dim: int = 6,
    max_condition: float = 100.0,
) -> st.SearchStrategy[CovarianceRecipe]:
    """Covariance matrices: isotropic, spiked, power-law, of a given condition number, or of any spectrum; rotated or diagonal.

    Args:
        dim: d; drawn from 1 to `max_dim` where it is None.
        kinds: which spectra may occur.
        max_dim: largest d drawn.
        max_condition: largest condition number; the kind "conditioned" has exactly this one.

    Raises:
        BoundcheckError: for a dimension below 1, a kind that does not exist, or a condition number below 1 or infinite.

    """
    return st.builds(
        CovarianceRecipe,
        dim=_dimensions(dim, max_dim),
        kind=st.sampled_from(_known(kinds)),
        max_condition=st.just(_condition(max_condition)),
        turned=st.booleans(),
        seed=st.integers(0, 2**31 - 1),
    )


def covariance_pairs(
    dim: int | None = None,
    *,
    kinds: Sequence[SpectrumKind] = KINDS,
    max_dim: int = 6,
    max_condition: float = 100.0,
    overlaps: Sequence[float] = OVERLAPS,
) -> st.SearchStrategy[CovariancePairRecipe]:
    """Two covariance matrices whose eigenvectors overlap as chosen.

    Args:
        dim: d; drawn from 1 to `max_dim` where it is None.
        kinds: which spectra may occur, for either matrix.
        max_dim: largest d drawn.
        max_condition: largest condition number of either matrix.
        overlaps: which overlaps may occur, each in [0, 1]: 1 shares all eigenvectors. The first is what examples shrink to.

    Raises:
        BoundcheckError: as `covariances` does, and for an overlap outside [0, 1].

    """
    if not overlaps or not all(0 <= overlap <= 1 for overlap in overlaps):
        raise BoundcheckError(f"overlaps={tuple(overlaps)}", expected="at least one number, each in [0, 1]")
    return st.builds(
        CovariancePairRecipe,
        dim=_dimensions(dim, max_dim),
        first=st.sampled_from(_known(kinds)),
        second=st.sampled_from(_known(kinds)),
        overlap=st.sampled_from(tuple(overlaps)),
        opposed=st.booleans(),
        max_condition=st.just(_condition(max_condition)),
        seed=st.integers(0, 2**31 - 1),
    )


def _dimensions(dim: int | None, max_dim: int) -> st.SearchStrategy[int]:
    for name, value in (("dim", dim), ("max_dim", max_dim)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise BoundcheckError(f"{name}={value!r}", expected="a whole number >= 1")
    return st.integers(1, max_dim) if dim is None else st.just(dim)


def _known(kinds: Sequence[SpectrumKind]) -> tuple[SpectrumKind, ...]:
    known = tuple(kinds) if not isinstance(kinds, str) else ()
    if not known or not set(known) <= set(KINDS):
        raise BoundcheckError(f"kinds={kinds!r}", expected=f"at least one of {', '.join(KINDS)}, in a tuple")
    return known


def _condition(max_condition: float) -> float:
    if not (isinstance(max_condition, int | float) and 1 <= max_condition < math.inf):
        raise BoundcheckError(f"max_condition={max_condition!r}", expected="a finite number >= 1")
    return float(max_condition)
