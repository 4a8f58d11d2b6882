"""Error rules of addition, multiplication and division."""

from typing import Any

import torch

from boundcheck.rigor.decisions import logical_and
from boundcheck.rigor.enclosure import UNDERFLOW, UNIT_ROUNDOFF, Enclosure, rounding, widen
from boundcheck.rigor.registry import aten, counted, infinite, nonzero, pair, rule


@rule(aten.add.Tensor, aten.add.Scalar)
def add(x: Any, y: Any, *, alpha: float = 1) -> Enclosure:
    """x + alpha·y."""
    x, y = pair(x, y)
    if alpha != 1:
        y = mul(y, alpha)
    mid = x.mid + y.mid
    rad = widen(x.rad + y.rad + mid.abs() * UNIT_ROUNDOFF)
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
    return add(x, Enclosure(-y.mid, y.rad), alpha=alpha)


@rule(aten.rsub.Tensor, aten.rsub.Scalar)
def rsub(x: Any, y: Any, alpha: float = 1) -> Enclosure:
    """y - alpha·x."""
    return sub(y, x, alpha=alpha)


# A radius is never shared by two results: a trace may overwrite one of them in place.


@rule(aten.neg.default)
def neg(x: Enclosure) -> Enclosure:
    """-x, exactly."""
    return Enclosure(-x.mid, x.rad.clone())


@rule(aten.abs.default)
def absolute(x: Enclosure) -> Enclosure:
    """|x|, exactly."""
    return Enclosure(x.mid.abs(), x.rad.clone())


@rule(aten.mul.Tensor, aten.mul.Scalar)
def mul(x: Any, y: Any) -> Enclosure:
    """x·y (of two truth values: both)."""
    x, y = pair(x, y)
    if x.mid.dtype == torch.bool and y.mid.dtype == torch.bool:
        return logical_and(x, y)
    x, y = counted(x), counted(y)
    mid = x.mid * y.mid
    # Four products may underflow, by 2^-1075 each: the value, two of the radius, and its rounding.
    rad = widen(x.mid.abs() * y.rad + x.rad * (y.mid.abs() + y.rad) + rounding(mid) + UNDERFLOW)
    if bool(mid.isinf().any()):
        certain = infinite(x) & (infinite(y) | nonzero(y)) | infinite(y) & nonzero(x)
        rad = torch.where(mid.isinf() & certain, 0.0, rad)
    return Enclosure(mid, rad)


@rule(aten.div.Tensor, aten.div.Scalar)
def div(x: Any, y: Any) -> Enclosure:
    """x / y; nothing is known where y may be 0."""
    x, y = pair(x, y)
    mid = x.mid.to(torch.float64) / y.mid
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
