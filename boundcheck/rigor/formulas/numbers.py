"""Irrational constants as computed tensors, and the constants that torch's own derivatives write as doubles."""

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from boundcheck.rigor.registry import aten, decomposes, meant


def number(value: float, like: Tensor) -> Tensor:
    """A number as a tensor, so that functions of it are traced."""
    return torch.full((), float(value), dtype=torch.float64, device=like.device)


def root(value: float, like: Tensor) -> Tensor:
    """√value."""
    return number(value, like).sqrt()


def pi(like: Tensor) -> Tensor:
    """π = 4·arctan(1)."""
    return 4 * number(1, like).atan()


def fraction(value: Fraction, x: Tensor) -> Tensor:
    """value·x."""
    scaled = x if value.numerator == 1 else x * float(value.numerator)
    return scaled if value.denominator == 1 else scaled / float(value.denominator)


def _inverse_root(n: int) -> Callable[[Tensor], Tensor]:
    return lambda like: 1 / root(n, like)


def _inverse_fourth_root(n: int) -> Callable[[Tensor], Tensor]:
    return lambda like: 1 / root(n, like).sqrt()


IRRATIONAL: Mapping[float, Callable[[Tensor], Tensor]] = {
    math.pi: pi,
    2 / math.sqrt(math.pi): lambda like: 2 / pi(like).sqrt(),
    math.sqrt(2 * math.pi): lambda like: (2 * pi(like)).sqrt(),
    0.3989422804014327: lambda like: 1 / (2 * pi(like)).sqrt(),
    0.7978845608028654: lambda like: (2 / pi(like)).sqrt(),
    math.log(2): lambda like: number(2, like).log(),
    2.3025850929940455: lambda like: number(10, like).log(),  # C++'s literal; the nearest double is one digit above it
    math.log(10): lambda like: number(10, like).log(),
    **{1 / math.sqrt(n): _inverse_root(n) for n in range(2, 2049)},
    # Attention multiplies queries and keys by the root of 1/√n each.
    **{math.sqrt(1 / math.sqrt(n)): _inverse_fourth_root(n) for n in range(2, 2049)},
}
"""What the doubles that torch's C++ formulas contain stand for."""


def _times(x: Tensor, value: float, of: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """x·value or x/value for the number meant; left as it is where that is the double itself."""
    constant = IRRATIONAL.get(abs(value))
    if constant is not None and not _short(value):
        result = of(x, constant(x))
        return result if value > 0 else -result
    if math.isfinite(value) and meant(value) != Fraction(value):
        return fraction(meant(value) if of is torch.mul else 1 / meant(value), x)
    return NotImplemented


def _short(value: float) -> bool:
    """Whether a double has so few digits that it is itself what is meant (1/√4, say)."""
    return Fraction(value).numerator.bit_length() <= 16


@decomposes(aten.mul.Scalar)
def mul(x: Tensor, y: float) -> Any:
    """x·y. A user's own number comes as `mul.Tensor`; this overload is how torch's derivatives multiply by a constant."""
    return _times(x, y, torch.mul)


@decomposes(aten.div.Scalar)
def div(x: Tensor, y: float) -> Any:
    """x / y, likewise."""
    return _times(x, y, torch.div)
