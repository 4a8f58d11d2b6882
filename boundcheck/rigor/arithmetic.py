"""Error rules of addition, multiplication and division."""

from typing import Any

import torch
from torch import Tensor

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor.decisions import logical_and, logical_or
from boundcheck.rigor.enclosure import UNDERFLOW, UNIT_ROUNDOFF, Enclosure, rounding, widen
from boundcheck.rigor.registry import Rule, aten, counted, doubled, infinite, nonzero, pair, rule


def _own(mid: Tensor, rounded: Tensor, size: Tensor) -> Tensor:
    """The radius that an operation adds: `rounded` to a double, 0 to a whole number, unless one of this size may wrap around."""
    if mid.is_floating_point():
        return rounded
    signed = mid.dtype != torch.bool and torch.iinfo(mid.dtype).min < 0
    limit = float(torch.iinfo(mid.dtype).max // 2) if signed else 0.0  # below 0 an unsigned number wraps at once
    return torch.where(size > limit, torch.inf, 0.0).to(torch.float64)


@rule(aten.add.Tensor, aten.add.Scalar)
def add(x: Any, y: Any, *, alpha: float = 1) -> Enclosure:
    """x + alpha·y (of two truth values: either)."""
    x, y = pair(x, y)
    if x.mid.dtype == torch.bool and y.mid.dtype == torch.bool:
        return logical_or(x, y)
    x, y = counted(x), counted(y)
    if alpha != 1:
        y = mul(y, alpha)
    mid = x.mid + y.mid
    rad = widen(x.rad + y.rad + _own(mid, mid.abs() * UNIT_ROUNDOFF, x.mid.double().abs() + y.mid.double().abs()))
    if bool(mid.isinf().any()):  # an exact infinity stays one beside a number; an overflow is unknown
        known = (infinite(x) | x.rad.isfinite() & x.mid.isfinite()) & (
            infinite(y) | y.rad.isfinite() & y.mid.isfinite()
        )
        rad = torch.where(mid.isinf() & known & (infinite(x) | infinite(y)), 0.0, rad)
    return Enclosure(mid, rad)


@rule(aten.sub.Tensor, aten.sub.Scalar)
def sub(x: Any, y: Any, *, alpha: float = 1) -> Enclosure:
    """x - alpha·y."""
    x, y = pair(x, y)
    x, y = counted(x), counted(y)
    return add(x, Enclosure(-y.mid, y.rad), alpha=alpha)


@rule(aten.rsub.Tensor, aten.rsub.Scalar)
def rsub(x: Any, y: Any, alpha: float = 1) -> Enclosure:
    """y - alpha·x."""
    return sub(y, x, alpha=alpha)


# A radius is never shared by two results: a trace may overwrite one of them in place.


@rule(aten.neg.default)
def neg(x: Enclosure) -> Enclosure:
    """-x, exactly (a whole number may wrap around)."""
    return Enclosure(-x.mid, x.rad + _own(x.mid, torch.zeros_like(x.rad), 2 * x.mid.double().abs()))


@rule(aten.abs.default)
def absolute(x: Enclosure) -> Enclosure:
    """|x|, exactly (the least whole number has none)."""
    return Enclosure(x.mid.abs(), x.rad + _own(x.mid, torch.zeros_like(x.rad), x.mid.double().abs()))


@rule(aten.mul.Tensor, aten.mul.Scalar)
def mul(x: Any, y: Any) -> Enclosure:
    """x·y (of two truth values: both)."""
    x, y = pair(x, y)
    if x.mid.dtype == torch.bool and y.mid.dtype == torch.bool:
        return logical_and(x, y)
    x, y = counted(x), counted(y)
    mid = x.mid * y.mid
    # Four products may underflow, by 2^-1075 each: the value, two of the radius, and its rounding.
    own = _own(mid, rounding(mid) + UNDERFLOW, x.mid.double().abs() * y.mid.double().abs())
    rad = widen(x.mid.abs() * y.rad + x.rad * (y.mid.abs() + y.rad) + own)
    if bool((mid == 0).any()):  # an exact 0 times a number is one
        zero = (x.mid == 0) & (x.rad == 0) & y.rad.isfinite() | (y.mid == 0) & (y.rad == 0) & x.rad.isfinite()
        rad = torch.where((mid == 0) & zero, 0.0, rad)
    if bool(mid.isinf().any()):
        certain = infinite(x) & (infinite(y) | nonzero(y)) | infinite(y) & nonzero(x)
        rad = torch.where(mid.isinf() & certain, 0.0, rad)
    return Enclosure(mid, rad)


@rule(aten.div.Tensor, aten.div.Scalar)
def div(x: Any, y: Any) -> Enclosure:
    """x / y; nothing is known where y may be 0."""
    x, y = (doubled(counted(operand)) for operand in pair(x, y))
    mid = x.mid / y.mid
    least = y.mid.abs() - y.rad
    # |x/y| <= |mid| + underflow; the ratios are taken first, since the product |mid|·rad may vanish where they do not.
    rad = x.rad / least + (mid.abs() + UNDERFLOW) * (y.rad / least)
    rad = widen(torch.where(least > 0, rad + rounding(mid) + 2 * UNDERFLOW, torch.inf))
    if bool(mid.isinf().any()):
        rad = torch.where(mid.isinf() & infinite(x) & y.mid.isfinite() & (least > 0), 0.0, rad)
    return Enclosure(mid, rad)


@rule(aten.reciprocal.default)
def reciprocal(x: Enclosure) -> Enclosure:
    """1 / x."""
    return div(1.0, x)


@rule(aten.addcmul.default)
def addcmul(x: Enclosure, y: Enclosure, z: Enclosure, *, value: float = 1) -> Enclosure:
    """x + value·y·z."""
    return add(x, mul(y, z), alpha=value)


def square(x: Enclosure) -> Enclosure:
    """x², never below 0."""
    mid = x.mid * x.mid
    return Enclosure(mid, widen(2 * x.mid.abs() * x.rad + x.rad * x.rad + rounding(mid) + UNDERFLOW))


def _of_whole_numbers(operator: Any) -> Rule:
    """Division with a remainder, exact for whole numbers (of others a trace writes it out)."""

    def apply(x: Any, y: Any, **kwargs: Any) -> Enclosure:
        x, y = pair(x, y)
        if x.mid.is_floating_point() or y.mid.is_floating_point():
            raise UnknownOperatorError(str(operator))
        possible = y.mid != 0
        mid = operator(x.mid, torch.where(possible, y.mid, 1), **kwargs)
        return Enclosure(mid, torch.where(possible & (x.rad + y.rad == 0), 0.0, torch.inf).to(torch.float64))

    return apply


for _overload in ("Tensor", "Scalar"):
    rule(getattr(aten.remainder, _overload))(_of_whole_numbers(aten.remainder.Tensor))
    rule(getattr(aten.fmod, _overload))(_of_whole_numbers(aten.fmod.Tensor))
    rule(getattr(aten.div, f"{_overload}_mode"))(_of_whole_numbers(aten.div.Tensor_mode))
