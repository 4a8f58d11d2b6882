"""The probabilists' Hermite polynomials He_k, orthogonal under N(0, 1): coefficients, values, and moments of normal numbers."""

import math
from functools import cache

import torch
from torch import Tensor


@cache
def coefficients(degree: int) -> tuple[int, ...]:
    """Those of He_degree, constant first: He_{k+1} = x·He_k - k·He_{k-1}."""
    if degree == 0:
        return (1,)
    before = (*coefficients(degree - 2), 0, 0) if degree > 1 else (0, 0)
    shifted = (0, *coefficients(degree - 1))
    return tuple(a - (degree - 1) * b for a, b in zip(shifted, before, strict=True))


def values(x: Tensor, degree: int) -> list[Tensor]:
    """He_0(x), …, He_degree(x), entry by entry, by the same recursion."""
    table = [torch.ones_like(x), x]
    while len(table) <= degree:
        table.append(x * table[-1] - float(len(table) - 1) * table[-2])
    return table[: degree + 1]


def orthonormal(x: Tensor, degree: int) -> Tensor:
    """He_degree(x)/√degree!, entry by entry."""
    return values(x, degree)[-1] / x.new_tensor(float(math.factorial(degree))).sqrt()


def normal_moment(power: int) -> int:
    """E z^power of a standard normal z: (power - 1)!! for an even one, else 0."""
    return math.prod(range(1, power, 2)) if power % 2 == 0 else 0


@cache
def hermite_kurtosis(degree: int) -> int:
    """E[h⁴] for the orthonormal Hermite polynomial of this degree, of a standard normal number: 1, 3, 15, 93, 639, …"""
    square = _product(coefficients(degree), coefficients(degree))
    fourth = _product(square, square)
    return sum(c * normal_moment(power) for power, c in enumerate(fourth)) // math.factorial(degree) ** 2


def _product(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    result = [0] * (len(left) + len(right) - 1)
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            result[i + j] += a * b
    return tuple(result)
