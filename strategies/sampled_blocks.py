"""Samples of features whose spectra are too long to write down (see `blocks`), drawn from the law of what a claim looks at.

m standard normal rows of length n have G·Gᵀ = L·Lᵀ with L lower triangular, its entries independent: standard normal below the
diagonal, and the roots of χ²(n), χ²(n - 1), … on it (Bartlett). So m²/2 numbers do for a Gram matrix, whatever n is. A block's
features may share a gate: they are h(z)·w_1, …, h(z)·w_n with one more coordinate z, h the orthonormal Hermite polynomial of
degree g, hence polynomials of degree g + 1, centred and orthonormal. Such a block's Gram matrix is (h·hᵀ) ⊙ L·Lᵀ.

Each instance holds many independent samples of m rows. How often a bound fails among them speaks for or against a probability.
"""

from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.geometry.hermite import hermite_kurtosis, orthonormal
from boundcheck.strategies.blocks import Blocks, spectra
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.sizes import SEEDS, require_choices, require_digits, require_finite, require_sizes

TRIALS = 32
ROW_TRIALS = 48
GATES = "0123"
NUDGE = 2.0**-20
"""How far above an edge "at the edge" is: an edge hit exactly is decided by rounding."""


@dataclass(frozen=True)
class GatedBlocks(Blocks):
    """Blocks whose features may share a gate. Structure besides: gates, a digit for each block, the degree of h (0: no gate)."""

    gates: str

    def __post_init__(self) -> None:
        Blocks.__post_init__(self)
        known = isinstance(self.gates, str) and set(self.gates) <= set(GATES)
        if not known or len(self.gates) != len(self.degrees) or set(self.degrees) != {"1"}:
            raise BoundcheckError(
                f"gates={self.gates!r}, degrees={self.degrees!r}",
                expected="a digit from 0 to 3, and degree 1, for each",
            )

    @property
    def spread(self) -> Tensor:
        """Var of a feature's square, 3·E h⁴ - 1 `[q]`. The features of a gated block are not independent."""
        return self.first.new_tensor([float(3 * hermite_kurtosis(int(gate)) - 1) for gate in self.gates])

    def relative_variance(self, values: Tensor) -> Tensor:
        """Var(Σ values·(squares of the features))/(its mean)², for one value a block `[q]`."""
        kurtosis = values.new_tensor([float(hermite_kurtosis(int(gate))) for gate in self.gates])
        n = self.sizes
        variance = (values.square() * (kurtosis * (n.square() + 2 * n) - n.square())).sum(-1)
        return variance / (n * values).sum(-1).square()

    def gated(self, z: Tensor) -> Tensor:
        """h(z) for gates z `[..., q]`."""
        return torch.stack([orthonormal(z[..., block], int(gate)) for block, gate in enumerate(self.gates)], dim=-1)


@dataclass(frozen=True)
class SampledGrams(GatedBlocks):
    """GatedBlocks and T samples of m rows, each as the rows of a matrix with the same Gram matrices.

    Leaves besides: z `[T, m, q]` (normal), factors `[T, q, m, m]` (L of each block).
    """

    z: Tensor
    factors: Tensor

    sampled: ClassVar[tuple[str, ...]] = ("z", "factors")

    def __post_init__(self) -> None:
        GatedBlocks.__post_init__(self)
        T, m, q = require_sample(self.z, self.gates)
        if tuple(self.factors.shape[-4:]) != (T, q, m, m):
            raise BoundcheckError(
                f"factors of shape {tuple(self.factors.shape)}", expected=f"[..., {T}, {q}, {m}, {m}]"
            )

    def admissible(self) -> Tensor:
        return Blocks.admissible(self) & (self.samples == self.z.shape[-2])

    @property
    def rows(self) -> Tensor:
        """`[..., T, m, q·m]`, a matrix X' for each sample with X'·X'ᵀ = X·Xᵀ."""
        scaled = self.gated(self.z) * torch.sqrt(self.first)
        return (scaled.transpose(-1, -2).unsqueeze(-1) * self.factors).transpose(-3, -2).flatten(-2)

    @property
    def kernel_root(self) -> Tensor:
        """A matrix W with X'·Wᵀ·W·X'ᵀ = X·Σ_2·Xᵀ: `[..., q·m, q·m]`, diagonal."""
        return torch.diag_embed(torch.sqrt(self.second).repeat_interleave(self.factors.shape[-1], dim=-1))


@dataclass(frozen=True)
class SampledRows(GatedBlocks):
    """GatedBlocks and T samples of m rows, of which only the lengths are known.

    Leaves besides: z `[T, m, q]` (normal), lengths `[T, m, q]` (χ² with n degrees of freedom).
    """

    z: Tensor
    lengths: Tensor

    sampled: ClassVar[tuple[str, ...]] = ("z", "lengths")

    def __post_init__(self) -> None:
        GatedBlocks.__post_init__(self)
        sample = require_sample(self.z, self.gates)
        if tuple(self.lengths.shape[-3:]) != sample:
            raise BoundcheckError(f"lengths of shape {tuple(self.lengths.shape)}", expected=f"[..., {sample}]")

    def admissible(self) -> Tensor:
        return Blocks.admissible(self) & (self.samples == self.z.shape[-2])

    def energy(self, values: Tensor) -> Tensor:
        """φᵀ·diag(values)·φ of each row, for one value a block `[q]`: `[T, m]`."""
        return (self.first * values * self.gated(self.z).square() * self.lengths).sum(-1)


def require_sample(z: Tensor, gates: str) -> tuple[int, int, int]:
    """T, m and q of a sample's gates; refuses another shape."""
    if z.dim() < 3 or z.shape[-1] != len(gates):
        raise BoundcheckError(f"z of shape {tuple(z.shape)}", expected=f"[..., T, m, {len(gates)}]")
    return z.shape[-3], z.shape[-2], z.shape[-1]


@dataclass(frozen=True)
class SampledRecipe:
    """The structure of a batch of sampled blocks.

    Attributes:
        gates: a digit for each block. samples: m.
        effective, intrinsic, mixed: in most lanes the sizes are such that d_eff of Σ_1 and of A = Σ_1^½·Σ_2·Σ_1^½, r(Σ_1) and
            r(A) are at least so many times m, and one of them not much more.
        trials: T. seed: of the lanes.

    """

    gates: str
    samples: int
    effective: float
    intrinsic: float
    mixed: float = 0.0
    trials: int = TRIALS
    seed: int = 0

    @property
    def label(self) -> str:
        """Sizes and gates."""
        return f"m={self.samples}, {len(self.gates)} blocks" + (
            f" gated {self.gates}" if set(self.gates) != {"0"} else ""
        )

    def _spectra(self, stream: LaneStream) -> GatedBlocks:
        bare = spectra(stream, "1" * len(self.gates))
        open_ = torch.tensor([gate == "0" for gate in self.gates])
        quiet = torch.where(open_, 1.0, stream.log_uniform(1e-6, 1.0)[:, None])  # else the gates alone decide
        bare = bare.with_leaves(bare.leaves() | {"first": bare.first * quiet})
        target = self.samples * stream.choice(1 + NUDGE, 1 + NUDGE, 2.0, 8.0)
        missing = torch.maximum(
            self.effective * target / torch.minimum(bare.effective_dimension, _or(bare.mixed_effective_dimension)),
            self.intrinsic * target / bare.intrinsic_dimension,
        )
        missing = torch.maximum(missing, self.mixed * target / _or(bare.mixed_intrinsic_dimension))
        sizes = torch.where((stream.uniform() < 0.9)[:, None], (bare.sizes * missing[:, None]).ceil(), bare.sizes)
        leaves = bare.leaves() | {"sizes": sizes.clamp(1, 2.0**53), "samples": torch.full_like(missing, self.samples)}
        return GatedBlocks(**leaves, degrees=bare.degrees, gates=self.gates)


def _or(value: Tensor) -> Tensor:
    return torch.nan_to_num(value, nan=torch.inf)


@dataclass(frozen=True)
class SampledGramsRecipe(SampledRecipe):
    """The structure of a batch of SampledGrams."""

    def build(self, lanes: int, first: int = 0) -> SampledGrams:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        return sampled_from(self._spectra(stream), stream, self.samples, self.trials)


def bartlett(stream: LaneStream, sizes: Tensor, rows: int, trials: int) -> Tensor:
    """L of `trials` samples of `rows` standard normal rows of each length in sizes `[lanes, q]`: `[lanes, T, q, rows, rows]`."""
    lanes, q = sizes.shape
    freedom = (sizes[:, :, None] - torch.arange(rows, dtype=torch.float64)).clamp(min=0)
    diagonal = stream.chi_square(freedom[:, None].expand(lanes, trials, q, rows)).sqrt()
    below = torch.tril(stream.normal(trials, q, rows, rows), -1) * (freedom > 0)[:, None, :, None, :]
    return below + torch.diag_embed(diagonal)


def sampled_from(p: GatedBlocks, stream: LaneStream, samples: int, trials: int) -> SampledGrams:
    """These spectra with T = `trials` samples of m = `samples` rows each."""
    T, m, q = trials, samples, len(p.gates)
    z = stream.normal(T, m, q)
    factors = bartlett(stream, p.sizes, m, T)
    leaves = p.leaves() | {
        "samples": torch.full_like(p.samples, m),
        "z": z,
        "factors": factors,
    }
    return SampledGrams(**leaves, degrees=p.degrees, gates=p.gates)


@dataclass(frozen=True)
class SampledRowsRecipe(SampledRecipe):
    """The structure of a batch of SampledRows."""

    trials: int = ROW_TRIALS

    def build(self, lanes: int, first: int = 0) -> SampledRows:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        bare = self._spectra(stream)
        T, m, q = self.trials, self.samples, len(self.gates)
        z = stream.normal(T, m, q)
        lengths = stream.chi_square(bare.sizes[:, None, None, :].expand(lanes, T, m, q))
        return SampledRows(**bare.leaves(), degrees=bare.degrees, gates=self.gates, z=z, lengths=lengths)


_S = TypeVar("_S", bound=SampledRecipe)


def sampled_grams(
    *,
    effective: float = 0.0,
    intrinsic: float = 0.0,
    mixed: float = 0.0,
    max_blocks: int = 3,
    samples: tuple[int, ...] = (1, 2, 4, 6),
    gates: str = "0",
) -> st.SearchStrategy[SampledGramsRecipe]:
    """Spectra as in `blocks`, each with 32 samples of m rows from the law of their Gram matrices.

    Args:
        effective, intrinsic, mixed: what d_eff/m of Σ_1 and of A = Σ_1^½·Σ_2·Σ_1^½, r(Σ_1)/m and r(A)/m are at least in most
            lanes.
        max_blocks: most distinct pairs of eigenvalues.
        samples: which m may occur. gates: which degrees of gates may, as digits ("0": none, plain normal coordinates).

    """
    return _sampled(SampledGramsRecipe, (effective, intrinsic, mixed), max_blocks, samples, gates)


def sampled_rows(
    *,
    effective: float = 0.0,
    intrinsic: float = 0.0,
    mixed: float = 0.0,
    max_blocks: int = 3,
    samples: tuple[int, ...] = (8, 16, 32),
    gates: str = GATES,
) -> st.SearchStrategy[SampledRowsRecipe]:
    """The same, with only the lengths of the rows: for many of them. Args: as for `sampled_grams`."""
    return _sampled(SampledRowsRecipe, (effective, intrinsic, mixed), max_blocks, samples, gates)


def _sampled(
    kind: type[_S], least: tuple[float, float, float], max_blocks: int, samples: tuple[int, ...], gates: str
) -> st.SearchStrategy[_S]:
    require_sizes(least=1, max_blocks=max_blocks)
    require_digits(GATES, gates=gates)
    require_choices(samples=samples)
    require_finite(effective=least[0], intrinsic=least[1], mixed=least[2])
    drawn = st.text(gates, min_size=1, max_size=max_blocks)
    if kind is SampledGramsRecipe and "0" in gates:  # one block without a gate: else nothing concentrates
        drawn = st.text(gates, max_size=max_blocks - 1).map(lambda others: others + "0")
    return st.builds(
        kind,
        gates=drawn,
        samples=st.sampled_from(samples),
        effective=st.just(least[0]),
        intrinsic=st.just(least[1]),
        mixed=st.just(least[2]),
        seed=SEEDS,
    )
