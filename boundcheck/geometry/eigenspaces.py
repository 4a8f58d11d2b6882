"""Eigenvalues and leading eigenspaces of a Fisher information, from its rows A or from their Gram matrix.

F = AᵀA, and with A = U·Σ·Vᵀ the top-d eigenspace of F is spanned by the first d columns of V, ‖F^{1/2}Pv‖ = ‖U_dᵀAv‖ and ‖Pv‖ =
‖Σ_d⁻¹U_dᵀAv‖. Neither way forms F, of n × n numbers.

Numerics: λ_j = σ_j² from the singular values of A are accurate to about u·√(λ_1·λ_j); from the Gram matrix A·Aᵀ, which needs no
row of length n for linear layers, to about u·λ_1. An eigenspace exists only where λ_d > λ_{d+1}: where rounding hides that, what
depends on it is NaN.

Source: Alignment Collapse, Definition 3.4.
"""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.geometry.layers import NETWORK_ROUNDINGS

if TYPE_CHECKING:
    from boundcheck.geometry.fisher import Fisher


@dataclass(frozen=True)
class FisherSpectrum:
    """Eigenvalues of F, decreasing.

    Attributes:
        fisher: what it is the spectrum of.
        eigenvalues: the first min(N·k, n) of them; all others are 0.
        errors: size of the rounding error of each: an estimate, not a proved bound.
        rank: how many are above it.

    """

    fisher: "Fisher" = field(repr=False)
    eigenvalues: Tensor
    errors: Tensor
    rank: int
    _left: Tensor = field(repr=False)
    _right: Tensor | None = field(repr=False)

    def eigenspace(self, d: int) -> "Eigenspace":
        """The span of the d leading eigenvectors (Definition 3.4).

        Raises:
            BoundcheckError: for a d outside of 1..rank, unless d = n: the whole space needs no eigenvectors.

        """
        n = self.fisher.parameters
        if d != n and not 1 <= d <= self.rank:
            raise BoundcheckError(
                f"d={d} for a Fisher information of rank {self.rank}",
                expected=f"{f'a dimension from 1 to {self.rank}, or ' if self.rank else ''}n = {n}",
                remedy="beyond the rank the leading eigenvectors are arbitrary; give fewer dimensions or more prompts",
            )
        return Eigenspace(self, d)

    def _tail(self, d: int) -> tuple[float, float]:
        """Σ_{j>d} λ_j and its error."""
        return float(self.eigenvalues[d:].sum()), float(self.errors[d:].sum())

    def _along(self, vector: Tensor) -> Tensor:
        """A·v `[N·k]`."""
        return self.fisher.along(vector)

    def _back(self, scores: Tensor) -> Tensor:
        """Aᵀ·y for y `[N·k, b]`: `[n, b]`."""
        return torch.stack([self.fisher.back(one) for one in scores.unbind(1)], dim=1)

    def _at(self, j: int) -> tuple[float, float]:
        """λ_j and its error, counted from 1."""
        if j > len(self.eigenvalues):
            return 0.0, 0.0
        return float(self.eigenvalues[j - 1]), float(self.errors[j - 1])


@dataclass(frozen=True)
class Eigenspace:
    """The span of the d leading eigenvectors of F; P projects onto it. What it says is NaN where it is not `separated`."""

    spectrum: FisherSpectrum
    d: int

    @property
    def whole(self) -> bool:
        """Whether it is all of space."""
        return self.d == self.spectrum.fisher.parameters

    @property
    def smallest(self) -> float:
        """λ_d."""
        return self.spectrum._at(self.d)[0]

    @property
    def tail(self) -> float:
        """Σ_{j>d} λ_j."""
        return self.spectrum._tail(self.d)[0]

    @property
    def tail_error(self) -> float:
        """Size of the rounding error in `tail`, an estimate."""
        return self.spectrum._tail(self.d)[1]

    @property
    def gap(self) -> float:
        """λ_d - λ_{d+1}; +∞ for all of space."""
        return math.inf if self.whole else self.smallest - self.spectrum._at(self.d + 1)[0]

    @property
    def gap_error(self) -> float:
        """Size of the rounding error in `gap`, an estimate."""
        return 0.0 if self.whole else self.spectrum._at(self.d)[1] + self.spectrum._at(self.d + 1)[1]

    @property
    def separated(self) -> bool:
        """Whether λ_d > λ_{d+1} beyond rounding. Otherwise no space of d dimensions is the leading one."""
        return self.gap > self.gap_error

    def basis(self) -> Tensor:
        """An orthonormal basis as columns, `[n, d]`."""
        identity = torch.eye(self.d, dtype=torch.float64, device=self.spectrum._left.device)
        if self.whole:
            return identity
        columns = self._lifted(identity)
        return torch.linalg.qr(columns).Q if self.separated else columns

    def project(self, vector: Tensor) -> Tensor:
        """P·v `[n]`."""
        return vector.double() if self.whole else self._lifted(self._coordinates(vector))

    def length(self, vector: Tensor) -> float:
        """‖P·v‖."""
        return float(torch.linalg.vector_norm(vector.double() if self.whole else self._coordinates(vector)))

    def weighted(self, vector: Tensor) -> Tensor:
        """F^{1/2}·P·v `[n]`."""
        return self._lifted(self._roots * self._coordinates(vector))

    def weighted_length(self, vector: Tensor) -> float:
        """‖F^{1/2}·P·v‖."""
        return float(torch.linalg.vector_norm(self._roots * self._coordinates(vector)))

    @property
    def _count(self) -> int:
        """Eigenvectors that matter: where the space is everything, those of eigenvalues that are not 0."""
        return self.spectrum.rank if self.whole else self.d

    @property
    def _roots(self) -> Tensor:
        return self.spectrum.eigenvalues[: self._count].sqrt()

    @property
    def _left(self) -> Tensor:
        return self.spectrum._left[:, : self._count]

    def _coordinates(self, vector: Tensor) -> Tensor:
        """Vᵀ·v = Σ⁻¹·Uᵀ·A·v."""
        if not self.separated:
            return torch.full_like(self._roots, math.nan)
        if self.spectrum._right is not None:
            return self.spectrum._right[: self._count] @ vector.double()
        return self._left.mT @ self.spectrum._along(vector) / self._roots

    def _lifted(self, coordinates: Tensor) -> Tensor:
        """V·y = Aᵀ·U·Σ⁻¹·y, for one y or for columns."""
        if not self.separated:
            return coordinates.new_full((self.spectrum.fisher.parameters, *coordinates.shape[1:]), math.nan)
        if self.spectrum._right is not None:
            return self.spectrum._right[: self._count].mT @ coordinates
        columns = self._left @ (coordinates.reshape(self._count, -1) / self._roots[:, None])
        return self.spectrum._back(columns).reshape(-1, *coordinates.shape[1:])


def spectrum_from_rows(fisher: "Fisher") -> FisherSpectrum:
    """By the singular values of A, `[N·k, n]`."""
    rows = fisher.scores()
    left, sigmas, right = torch.linalg.svd(rows, full_matrices=False)
    off = noise(fisher) * float(torch.linalg.matrix_norm(rows))
    rank = int((sigmas > off).sum())
    return FisherSpectrum(fisher, sigmas.square(), (2 * sigmas + off) * off, rank, left, right)


def spectrum_from_gram(fisher: "Fisher") -> FisherSpectrum:
    """By the eigenvalues of A·Aᵀ, `[N·k, N·k]`."""
    gram = fisher.gram()
    values, vectors = torch.linalg.eigh((gram + gram.mT) / 2)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    off = 2 * noise(fisher) * float(gram.trace())
    count = min(fisher.rows, fisher.parameters)
    values = values[:count]
    return FisherSpectrum(fisher, values, torch.full_like(values, off), int((values > off).sum()), vectors, None)


def noise(fisher: "Fisher") -> float:
    """Roundings of the network in its own precision and of the factorisation in float64, relative to the size of A."""
    return NETWORK_ROUNDINGS * fisher._model.roundoff + max(fisher.rows, fisher.parameters) * 2.0**-53
