"""Midpoint-radius numbers over float64 tensors.

An `Enclosure` says: the exact value lies within `rad` of `mid`, entry by entry. Radii are float64 too; every rule rounds
them up by `widen`, whose factor covers the handful of roundings made while computing a radius. An infinite radius means
that nothing is known; NaN never appears in a radius.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite

import torch
from torch import Tensor

UNIT_ROUNDOFF = 2.0**-53
"""Largest relative error of one correctly rounded float64 operation."""

UNDERFLOW = 2.0**-1074
"""Largest absolute error that underflow adds to one float64 operation."""

LITERAL_BITS = 42
"""A double with at most so many significant bits is taken to be exactly what was meant."""

WIDENING = 1.0 + 2.0**-44
"""Covers the roundings of a radius formula with up to 2^8 operations."""


@dataclass(frozen=True)
class Enclosure:
    """`mid - rad <= exact value <= mid + rad`, entry by entry.

    Attributes:
        mid: values as float64 computes them (a truth value or an index where the operator yields one).
        radius: non-negative radii of the same shape, +inf where nothing is known; or None, where every entry is known to be
            exactly what is stored: rules then need no pass over zeros.

    """

    mid: Tensor
    radius: Tensor | None

    @staticmethod
    def exactly(value: Tensor) -> "Enclosure":
        """The numbers as stored."""
        return Enclosure(value, None)

    @property
    def exact(self) -> bool:
        """Whether every entry is exactly what is stored, by how it came about (a radius may still be 0 without)."""
        return self.radius is None

    @cached_property
    def rad(self) -> Tensor:
        """The radii, written out. Those of what is exact are for reading only: see `written_out`."""
        return torch.zeros_like(self.mid, dtype=torch.float64) if self.radius is None else self.radius

    def written_out(self) -> "Enclosure":
        """The same with a radius in memory, which views of it share, for graphs that overwrite entries in place."""
        return replace(self, radius=self.rad) if self.radius is None else self

    @property
    def lower(self) -> Tensor:
        """A number below the exact value."""
        if self.radius is None:
            return self.mid.to(torch.float64)
        difference = self.mid - self.rad
        return torch.where(self.rad == 0, self.mid, torch.nextafter(difference, difference.new_full((), -torch.inf)))

    @property
    def upper(self) -> Tensor:
        """A number above the exact value."""
        if self.radius is None:
            return self.mid.to(torch.float64)
        total = self.mid + self.rad
        return torch.where(self.rad == 0, self.mid, torch.nextafter(total, total.new_full((), torch.inf)))

    @property
    def magnitude(self) -> Tensor:
        """A number above the absolute value of the exact value."""
        return widen(self.mid.abs() + self.rad)


def literal_radius(value: float) -> float:
    """How far the number that is meant by a double written in a claim may lie from it.

    0.1 and 1/3 are no doubles: what is meant lies within half a last digit. A double of few digits is meant as it is.
    """
    if value == 0 or not isfinite(value):
        return 0.0
    digits = (abs(value.as_integer_ratio()[0])).bit_length()
    return 0.0 if digits <= LITERAL_BITS or value.is_integer() else abs(value) * UNIT_ROUNDOFF


def literal(value: Tensor) -> "Enclosure":
    """A tensor of numbers written in a claim, each with its `literal_radius`."""
    if not value.is_floating_point():
        return Enclosure.exactly(value)
    value = value.to(torch.float64)
    mantissa = torch.frexp(value)[0] * 2.0**LITERAL_BITS
    meant = (mantissa == mantissa.round()) | (value == value.round()) | ~value.isfinite()
    if bool(meant.all()):
        return Enclosure.exactly(value)
    return Enclosure(value, torch.where(meant, 0.0, value.abs() * UNIT_ROUNDOFF))


def widen(radius: Tensor, operations: int = 0) -> Tensor:
    """Round a computed radius up, for a formula that sums `operations` terms; NaN becomes +inf."""
    factor = WIDENING + operations * 2.0**-52
    return (radius * factor).nan_to_num_(nan=torch.inf, posinf=torch.inf)


def settled(values: Tensor) -> bool:
    """Whether every entry is finite, by one sum: an infinity or a NaN among them would show in it.

    A sum that overflows says no as well: an answer for the caller to look closer, never one that is too good.
    """
    return isfinite(float(values.sum()))


def rounding(value: Tensor, ulps: float = 1.0) -> Tensor:
    """The radius of `ulps` roundings of a computed value, underflow included."""
    return value.abs() * (ulps * UNIT_ROUNDOFF) + ulps * UNDERFLOW


def gamma(terms: int) -> float:
    """Relative error of a sum (or inner product) of so many terms in any order: n·u / (1 - n·u)."""
    return terms * UNIT_ROUNDOFF / (1.0 - terms * UNIT_ROUNDOFF)


def frobenius_upper(values: Tensor) -> Tensor:
    """An upper bound on the Frobenius norm over the last two axes, both axes kept."""
    entries = values.shape[-1] * values.shape[-2]
    squares = torch.linalg.vector_norm(values, dim=(-2, -1), keepdim=True)
    return widen(squares + (entries**0.5) * 2.0**-537, entries)
