"""Moments of N(0, Σ) and products of Hermite polynomials under it, as polynomials in the entries of Σ.

Exponents and integer coefficients are Python numbers; only Σ is a tensor, so that every moment is an exact polynomial in it.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

import torch
from torch import Tensor

from boundcheck.geometry.hermite import coefficients

Exponents = tuple[int, ...]
Polynomial = Mapping[Exponents, int]


def exponents_of_degree(dim: int, degree: int) -> list[Exponents]:
    """The multi-indices of `dim` whole numbers with the given sum, in falling lexicographic order."""
    ranges = itertools.product(range(degree, -1, -1), repeat=dim)
    return [exponents for exponents in ranges if sum(exponents) == degree]


@cache
def hermite_product(exponents: Exponents) -> Polynomial:
    """He_α(x) = Π_i He_{α_i}(x_i) as coefficients by exponents."""
    factors = [[(power, c) for power, c in enumerate(coefficients(degree)) if c] for degree in exponents]
    terms = itertools.product(*factors)
    return MappingProxyType({tuple(p for p, _ in term): math.prod(c for _, c in term) for term in terms})


def multiplied(left: Polynomial, right: Polynomial) -> Polynomial:
    """The product of two polynomials."""
    result: dict[Exponents, int] = {}
    for (a, x), (b, y) in itertools.product(left.items(), right.items()):
        total = tuple(i + j for i, j in zip(a, b, strict=True))
        result[total] = result.get(total, 0) + x * y
    return MappingProxyType({exponents: c for exponents, c in result.items() if c})


class Moments:
    """E[x^α] for x ~ N(0, Σ), by Isserlis' recursion E[x_i·M] = Σ_j Σ_ij·E[∂M/∂x_j]; each is computed once.

    Args:
        covariance: Σ `[n, n]`.

    """

    def __init__(self, covariance: Tensor) -> None:
        self._covariance = covariance
        self._known: dict[Exponents, Tensor] = {}

    def __call__(self, exponents: Exponents) -> Tensor:
        """E[x^α], a scalar."""
        if exponents not in self._known:
            self._known[exponents] = self._computed(exponents)
        return self._known[exponents]

    def _computed(self, exponents: Exponents) -> Tensor:
        if not any(exponents):
            return torch.ones_like(self._covariance[0, 0])
        i = next(place for place, power in enumerate(exponents) if power)
        rest = _lowered(exponents, i)
        total = torch.zeros_like(self._covariance[0, 0])
        for j, power in enumerate(rest):
            if power:
                total = total + power * self._covariance[i, j] * self(_lowered(rest, j))
        return total

    def means(self, polynomials: Sequence[Polynomial]) -> Tensor:
        """E[q(x)] of polynomials with integer coefficients: `[len(polynomials)]`."""
        needed = sorted({exponents for polynomial in polynomials for exponents in polynomial})
        rows = [[float(polynomial.get(exponents, 0)) for exponents in needed] for polynomial in polynomials]
        values = torch.stack([self(exponents) for exponents in needed])
        return (self._covariance.new_tensor(rows) * values).sum(-1)


def _lowered(exponents: Exponents, place: int) -> Exponents:
    return (*exponents[:place], exponents[place] - 1, *exponents[place + 1 :])


def hermite_block_square(moments: Moments, dim: int, rows: int, columns: int) -> Tensor:
    """‖E[φ_k·φ_lᵀ]‖_F² for the orthonormal Hermite features φ_k, φ_l of degrees k = `rows` and l = `columns`: a scalar.

    φ_α = He_α/√α!, so an entry's square is E[He_α·He_β]²/(α!·β!): no root is taken.
    """
    pairs = list(itertools.product(exponents_of_degree(dim, rows), exponents_of_degree(dim, columns)))
    entries = moments.means([multiplied(hermite_product(a), hermite_product(b)) for a, b in pairs])
    unit = math.factorial(rows) * math.factorial(columns)  # k! is a multiple of every α! of degree k
    weights = [float(unit // math.prod(math.factorial(power) for power in (*a, *b))) for a, b in pairs]
    return (entries.new_tensor(weights) * entries.square()).sum() / unit
