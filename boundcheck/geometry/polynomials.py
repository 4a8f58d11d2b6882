"""Models that are linear in fixed polynomial features of the input: monomials or orthonormal Hermite polynomials."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import hermite
from boundcheck.geometry.family import Family, Frozen

KINDS = ("monomial", "hermite")
MOST_DEGREES = 4

Index = tuple[int, ...]


@dataclass(frozen=True)
class Polynomial(Family):
    """f(θ, x) = ⟨θ, φ(x)⟩ with a feature for each multi-index α of degree 1 to `degree`: both smoothness constants are 0.

    monomial: φ_α = Πx_i^α_i; `centred` takes off its mean under N(0, I), Π(α_i - 1)!! where all α_i are even, else 0.
    hermite: φ_α = Π He_α_i(x_i)/√α_i!, orthonormal under N(0, I), of mean 0; where not `centred` the constant 1 comes first.
    """

    inputs: int
    degree: int
    kind: str = "monomial"
    centred: bool = True

    closed_form: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BoundcheckError(f"kind={self.kind!r}", expected=" or ".join(f'"{kind}"' for kind in KINDS))
        if not (self.inputs >= 1 and 1 <= self.degree <= MOST_DEGREES):
            raise BoundcheckError(
                f"inputs={self.inputs}, degree={self.degree}",
                expected=f"inputs >= 1, a degree from 1 to {MOST_DEGREES}",
            )

    @property
    def multi_indices(self) -> list[Index]:
        """One for each feature, by degree: (1, 0), (0, 1), (2, 0), (1, 1), (0, 2), …"""
        lowest = 0 if self.kind == "hermite" and not self.centred else 1
        found = []
        for degree in range(lowest, self.degree + 1):
            for places in itertools.combinations_with_replacement(range(self.inputs), degree):
                found.append(tuple(places.count(i) for i in range(self.inputs)))
        return found

    @property
    def parameters(self) -> int:
        lowest = 0 if self.kind == "hermite" and not self.centred else 1
        return math.comb(self.inputs + self.degree, self.degree) - lowest

    @property
    def features(self) -> int:
        return self.inputs

    def features_of(self, x: Tensor) -> Tensor:
        """φ(x) for each row of x `[..., rows, inputs]`: `[..., rows, n]`."""
        tables = hermite.values(x, self.degree) if self.kind == "hermite" else _powers(x, self.degree)
        return torch.stack([self._feature(tables, x, alpha) for alpha in self.multi_indices], dim=-1)

    def _feature(self, tables: Sequence[Tensor], x: Tensor, alpha: Index) -> Tensor:
        factors = [tables[power][..., i] for i, power in enumerate(alpha) if power]
        product = reduce(torch.mul, factors) if factors else torch.ones_like(x[..., 0])
        if self.kind == "hermite":
            size = math.prod(math.factorial(power) for power in alpha)
            return product if size == 1 else product / x.new_tensor(float(size)).sqrt()
        mean = math.prod(hermite.normal_moment(power) for power in alpha)
        return product - float(mean) if self.centred and mean else product

    def outputs(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        return self.features_of(x) @ theta[..., None]

    def jacobian(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        return self.features_of(x)[..., None, :]

    def pullback(self, theta: Tensor, frozen: Frozen, x: Tensor, cotangent: Tensor) -> Tensor:
        return (cotangent.mT @ self.features_of(x)).squeeze(-2)

    def smoothness(self, theta: Tensor, frozen: Frozen, x: Tensor, radius: Tensor | None = None) -> Tensor:
        return torch.zeros_like(theta[..., 0])

    mean_smoothness = smoothness


def _powers(x: Tensor, degree: int) -> list[Tensor]:
    """x⁰, …, x^degree, entry by entry."""
    table = [torch.ones_like(x), x]
    while len(table) <= degree:
        table.append(table[-1] * x)
    return table
