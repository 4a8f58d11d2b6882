"""Spectra too long to write down: a covariance is a few eigenvalues, each of which occurs any number of times.

Two covariances that share their eigenvectors, in dimensions up to 10¹⁵, are a handful of numbers.
"""

import math
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import hermite_kurtosis
from boundcheck.problem import Problem
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.sizes import SEEDS, is_number, require_digits, require_sizes

LARGEST_BLOCK = 1e15
DEEPEST = 1e-10
"""Eigenvalues lie between this and 1."""

MOSTLY = 0.75
SINGLE = 0.3
"""Share of the blocks that are one dimension alone."""

DEGREES = "1234"


@dataclass(frozen=True)
class Blocks(Problem):
    """Covariances Σ_1 and Σ_2 with common eigenvectors: q blocks, block l of n_l dimensions with eigenvalues λ_l and μ_l; and
    m samples.

    Leaves, without the lane axis: first `[q]` (λ > 0), second `[q]` (μ >= 0), sizes `[q]` (n, whole numbers), samples `[]`
    (m, whole). Structure: degrees, a digit for each block. Degree 1: the coordinates themselves, of a normal vector. Degree
    k: features, n_l orthonormal Hermite polynomials of degree k, each of a coordinate of its own; λ_l and μ_l are then the
    eigenvalues of the second moments of the features, under the source and under the target (equal where the degree is even,
    else the features would have a mean).
    """

    first: Tensor
    second: Tensor
    sizes: Tensor
    samples: Tensor
    degrees: str

    def __post_init__(self) -> None:
        """A stored instance may say anything."""
        shapes = [tuple(leaf.shape) for leaf in (self.first, self.second, self.sizes)]
        if len(set(shapes)) > 1 or not shapes[0] or tuple(self.samples.shape) != shapes[0][:-1]:
            raise BoundcheckError(
                f"blocks with first, second, sizes and samples of shapes {[*shapes, tuple(self.samples.shape)]}",
                expected="[..., q] for the first three and [...] for samples",
            )
        known = isinstance(self.degrees, str) and set(self.degrees) <= set(DEGREES)
        if not known or len(self.degrees) != self.first.shape[-1]:
            raise BoundcheckError(
                f"degrees={self.degrees!r} for {self.first.shape[-1]} blocks", expected="a digit from 1 to 4 for each"
            )

    def admissible(self) -> Tensor:
        whole = (self.sizes == self.sizes.round()).all(-1) & (self.samples == self.samples.round())
        positive = (self.first > 0).all(-1) & (self.second >= 0).all(-1) & (self.sizes >= 1).all(-1)
        return whole & positive & (self.samples >= 1) & self._possible()

    def _possible(self) -> Tensor:
        """Where there is a target with these second moments: of even degree features, only if it is the source's law there.

        Of odd degree their means vanish under every centred normal law, and their second moments take every positive value.
        """
        even = torch.tensor([int(degree) % 2 == 0 for degree in self.degrees], device=self.first.device)
        return ((self.second == self.first) | ~even).all(-1)

    @property
    def spread(self) -> Tensor:
        """Var(h²) of a block's features: 2 for coordinates `[q]`."""
        return self.first.new_tensor([float(hermite_kurtosis(int(degree)) - 1) for degree in self.degrees])

    @property
    def trace(self) -> Tensor:
        """Tr Σ_1."""
        return (self.sizes * self.first).sum(-1)

    @property
    def norm(self) -> Tensor:
        """‖Σ_1‖."""
        return self.first.amax(-1)

    @property
    def effective_dimension(self) -> Tensor:
        """d_eff(Σ_1) = Tr(Σ_1)²/Tr(Σ_1²)."""
        return self.trace.square() / (self.sizes * self.first.square()).sum(-1)

    @property
    def intrinsic_dimension(self) -> Tensor:
        """r(Σ_1) = Tr(Σ_1)/‖Σ_1‖."""
        return self.trace / self.norm

    @property
    def product_trace(self) -> Tensor:
        """Tr(Σ_1·Σ_2)."""
        return (self.sizes * self.first * self.second).sum(-1)

    @property
    def mixed_square(self) -> Tensor:
        """Tr A² of A = Σ_1^½·Σ_2·Σ_1^½."""
        return (self.sizes * (self.first * self.second).square()).sum(-1)

    @property
    def mixed_effective_dimension(self) -> Tensor:
        """d_eff(A) of A = Σ_1^½·Σ_2·Σ_1^½."""
        return self.product_trace.square() / self.mixed_square

    @property
    def mixed_intrinsic_dimension(self) -> Tensor:
        """r(A) = Tr(A)/‖A‖."""
        return self.product_trace / (self.first * self.second).amax(-1)


@dataclass(frozen=True)
class BlocksRecipe:
    """The structure of a batch of Blocks.

    Attributes:
        degrees: a digit for each block (see `Blocks.degrees`).
        share: in most lanes there are at most so many samples for each effective dimension, and not much fewer.
        mixed: the effective dimension is the smaller of d_eff(Σ_1) and d_eff(A); else it is d_eff(Σ_1).
        tailed: in this share of the lanes a few dimensions stand over a long flat tail.
        seed: of the lanes.

    """

    degrees: str
    share: float = 1.0
    mixed: bool = True
    tailed: float = 0.5
    seed: int = 0

    @property
    def label(self) -> str:
        """The blocks' degrees."""
        return f"{len(self.degrees)} blocks" + ("" if set(self.degrees) == {"1"} else f" of degrees {self.degrees}")

    def build(self, lanes: int, first: int = 0) -> Blocks:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        bare = spectra(stream, self.degrees, tailed=self.tailed)
        room = bare.effective_dimension
        if self.mixed:
            room = torch.minimum(room, torch.nan_to_num(bare.mixed_effective_dimension, nan=1.0))
        part = torch.where(
            stream.uniform() < MOSTLY, self.share * stream.log_uniform(0.25, 1.0), stream.log_uniform(1e-4, 1.0)
        )
        return bare.with_leaves(bare.leaves() | {"samples": (room * part).floor().clamp(min=1)})


def spectra(stream: LaneStream, degrees: str, *, tailed: float = 0.5) -> Blocks:
    """Both spectra, and one sample. In this share of the lanes the first block is a few dimensions, the last a long flat tail."""
    q = len(degrees)
    headed = (stream.uniform() < tailed)[:, None]
    sizes = torch.where(headed, _head_and_tail(stream, q), sizes_of(stream, q))
    values = levels(stream, q)
    of_the_trace = headed | (stream.uniform() < 0.5)[:, None]
    first = torch.where(of_the_trace, torch.where(headed, values.sort(-1).values, values) / sizes, values)
    unseen = (stream.uniform() < 0.5)[:, None] & (stream.uniform(q) < 0.5)
    opposed = (stream.uniform() < 0.5)[:, None]  # the target sees least what the source shows most
    drawn = levels(stream, q)
    matched = drawn.sort(-1).values.gather(-1, first.argsort(-1, descending=True).argsort(-1))
    even = torch.tensor([int(degree) % 2 == 0 for degree in degrees])
    second = torch.where(even, first, torch.where(unseen, 0.0, torch.where(opposed, matched, drawn)))
    return Blocks(first, second, sizes, torch.ones(stream.lanes, dtype=torch.float64), degrees)


def levels(stream: LaneStream, q: int) -> Tensor:
    """Numbers from 1 down, spread over as many decades as the lane happens to have."""
    depth = stream.uniform()[:, None] * -math.log(DEEPEST)
    return torch.exp(-depth * stream.uniform(q))


def sizes_of(stream: LaneStream, q: int) -> Tensor:
    """Sizes of the blocks: single dimensions, and any order of magnitude up to the lane's own."""
    top = torch.maximum(stream.uniform(), stream.uniform())[:, None] * math.log(LARGEST_BLOCK)
    logs = torch.maximum(stream.uniform(q), stream.uniform(q)) * top
    return torch.where(stream.uniform(q) < SINGLE, 1.0, torch.exp(logs).floor()).clamp(min=1)


def _head_and_tail(stream: LaneStream, q: int) -> Tensor:
    """Sizes that grow from block to block, the first of a few dimensions."""
    logs = (stream.uniform(q) * math.log(LARGEST_BLOCK)).sort(-1).values
    few = stream.choice(1.0, 1.0, 2.0, 8.0)[:, None]
    return torch.cat([few, torch.exp(logs[:, 1:]).floor().clamp(min=1)], dim=-1)


def blocks(
    *, max_blocks: int = 4, degrees: str = "1", share: float = 1.0, mixed: bool = True, tailed: float = 0.5
) -> st.SearchStrategy[BlocksRecipe]:
    """Pairs of covariances with common eigenvectors, in up to 10¹⁵ dimensions, and samples up to the effective dimensions.

    A few large eigenvalues over a long flat tail, low rank plus noise, blocks of any size: every ratio occurs.

    Args:
        max_blocks: most distinct pairs of eigenvalues.
        degrees: which degrees features may have, as digits ("1": coordinates of a normal vector; else one block at least has a
            higher degree).
        share: samples for each effective dimension, in most lanes between a quarter of this and this.
        mixed: whether d_eff(A), A = Σ_1^½·Σ_2·Σ_1^½, limits them too.
        tailed: share of the lanes with a few dimensions over a long flat tail.

    """
    require_sizes(least=1, max_blocks=max_blocks)
    require_digits(DEGREES, degrees=degrees)
    if not is_number(share) or not 0 < share <= 1:
        raise BoundcheckError(f"share={share!r}", expected="a number in (0, 1]")
    counts = [min(2, max_blocks), *range(min(2, max_blocks), max_blocks + 1), 1]
    digits = st.sampled_from(counts).flatmap(lambda n: st.text(degrees, min_size=n, max_size=n))
    if degrees != "1":
        digits = digits.filter(lambda drawn: set(drawn) != {"1"})
    return st.builds(
        BlocksRecipe, degrees=digits, share=st.just(share), mixed=st.just(mixed), tailed=st.just(tailed), seed=SEEDS
    )
