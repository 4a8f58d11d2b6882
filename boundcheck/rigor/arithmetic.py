"""Error rules of addition, multiplication and division."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor.decisions import logical_and, logical_or
from boundcheck.rigor.enclosure import UNDERFLOW, UNIT_ROUNDOFF, WIDENING, Enclosure, settled, widen
from boundcheck.rigor.registry import Rule, aten, counted, doubled, infinite, nonzero, numbers, pair, rule


def _whole(mid: Tensor, rad: Tensor | None, *sizes: Tensor | float) -> Enclosure:
    """Whole numbers, of which nothing is known where they may have wrapped around: where one of these sizes is too large."""
    signed = mid.dtype != torch.bool and torch.iinfo(mid.dtype).min < 0
    limit = float(torch.iinfo(mid.dtype).max // 2) if signed else 0.0  # below 0 an unsigned number wraps at once
    size = sum(sizes)
    assert isinstance(size, Tensor)
    if float(size.amax() if size.numel() else 0.0) > limit:
        rad = torch.where(size > limit, torch.inf, 0.0 if rad is None else rad).to(torch.float64).expand_as(mid).clone()
    return Enclosure(mid, rad)


def _sum_of_radii(x: Enclosure, y: Enclosure) -> Tensor | None:
    """The radius of a sum but for its rounding; None of what is exact."""
    if x.exact and y.exact:
        return None
    return x.rad + y.rad


def _finished(rad: Tensor) -> bool:
    """Round a radius up where it stands. Whether it is finite everywhere; if not, NaN has become +inf."""
    rad.mul_(WIDENING)
    if settled(rad):
        return True
    rad.nan_to_num_(nan=torch.inf, posinf=torch.inf)
    return False


@rule(aten.add.Tensor, aten.add.Scalar, honest=True)
def add(x: Any, y: Any, *, alpha: float = 1) -> Enclosure:
    """x + alpha·y (of two truth values: either)."""
    x, y = pair(x, y)
    if x.mid.dtype == torch.bool and y.mid.dtype == torch.bool:
        return logical_or(x, y)
    x, y = numbers(x, y)
    return _added(x, y if alpha == 1 else mul(y, alpha), torch.add)


@rule(aten.sub.Tensor, aten.sub.Scalar, honest=True)
def sub(x: Any, y: Any, *, alpha: float = 1) -> Enclosure:
    """x - alpha·y."""
    x, y = pair(x, y)
    x, y = numbers(x, y)
    return _added(x, y if alpha == 1 else mul(y, alpha), torch.sub)


def _added(x: Enclosure, y: Enclosure, operator: Callable[[Tensor, Tensor], Tensor]) -> Enclosure:
    """The sum or the difference."""
    mid = operator(x.mid, y.mid)
    if not mid.is_floating_point():
        return _whole(mid, _sum_of_radii(x, y), x.mid.double().abs(), y.mid.double().abs())
    rad = mid.abs().mul_(UNIT_ROUNDOFF)
    for operand in (x, y):
        if not operand.exact:
            rad += operand.rad
    if not _finished(rad):  # an exact infinity stays one beside a number; an overflow is unknown
        known = (infinite(x) | x.rad.isfinite() & x.mid.isfinite()) & (
            infinite(y) | y.rad.isfinite() & y.mid.isfinite()
        )
        rad = torch.where(mid.isinf() & known & (infinite(x) | infinite(y)), 0.0, rad)
    return Enclosure(mid, rad)


@rule(aten.rsub.Tensor, aten.rsub.Scalar, honest=True)
def rsub(x: Any, y: Any, alpha: float = 1) -> Enclosure:
    """y - alpha·x."""
    return sub(y, x, alpha=alpha)


# A radius is never shared by two results: a trace may overwrite one of them in place.


@rule(aten.neg.default, honest=True)
def neg(x: Enclosure) -> Enclosure:
    """-x, exactly (a whole number may wrap around)."""
    rad = None if x.exact else x.rad.clone()
    return Enclosure(-x.mid, rad) if x.mid.is_floating_point() else _whole(-x.mid, rad, 2 * x.mid.double().abs())


@rule(aten.abs.default, honest=True)
def absolute(x: Enclosure) -> Enclosure:
    """|x|, exactly (the least whole number has none)."""
    rad = None if x.exact else x.rad.clone()
    return Enclosure(x.mid.abs(), rad) if x.mid.is_floating_point() else _whole(x.mid.abs(), rad, x.mid.double().abs())


@rule(aten.mul.Tensor, aten.mul.Scalar, honest=True)
def mul(x: Any, y: Any) -> Enclosure:
    """x·y (of two truth values: both)."""
    x, y = pair(x, y)
    if x.mid.dtype == torch.bool and y.mid.dtype == torch.bool:
        return logical_and(x, y)
    x, y = numbers(x, y)
    mid = x.mid * y.mid
    if not mid.is_floating_point():
        rad = None if x.exact and y.exact else widen(x.mid.abs() * y.rad + x.rad * (y.mid.abs() + y.rad))
        return _whole(mid, rad, x.mid.double().abs() * y.mid.double().abs())
    rad = _rounded_product(mid, x, y)
    if not y.exact:
        rad.addcmul_(x.mid.abs(), y.rad)
    if not x.exact:
        rad.addcmul_(x.rad, y.mid.abs() if y.exact else y.mid.abs().add_(y.rad))
    if not _finished(rad):
        certain = infinite(x) & (infinite(y) | nonzero(y)) | infinite(y) & nonzero(x)
        rad = torch.where(mid.isinf() & certain, 0.0, rad)
    return Enclosure(mid, rad)


def _rounded_product(mid: Tensor, *factors: Enclosure) -> Tensor:
    """The rounding of a product: relative, and by underflow unless a factor is exactly 0.

    Four products may underflow, by 2^-1075 each: the value, two of the radius, and its rounding. A factor that is not exactly
    0 is at least 2^-1074 in size, or has such a radius.
    """
    rad = mid.abs().mul_(UNIT_ROUNDOFF)
    if int(torch.count_nonzero(mid)) == mid.numel():
        return rad.add_(2 * UNDERFLOW)
    sizes = [x.mid.abs() if x.exact else x.mid.abs().add_(x.rad) for x in factors]
    least = sizes[0] if len(sizes) == 1 else torch.minimum(*sizes)
    return rad.add_(least.clamp_(max=UNDERFLOW), alpha=2)


@rule(aten.div.Tensor, aten.div.Scalar, honest=True)
def div(x: Any, y: Any) -> Enclosure:
    """x / y; nothing is known where y may be 0."""
    x, y = (doubled(counted(operand)) for operand in pair(x, y))
    mid = x.mid / y.mid
    size = mid.abs()
    rad = size * UNIT_ROUNDOFF + 3 * UNDERFLOW
    least = y.mid.abs() if y.exact else y.mid.abs().sub_(y.rad)
    # |x/y| <= |mid| + underflow; the ratios are taken first, since the product |mid|·rad may vanish where they do not.
    if not y.exact:
        rad.addcmul_(size.add_(UNDERFLOW), y.rad / least)
    if not x.exact:
        rad += x.rad / least
    known = least > 0
    if not bool(known.all()):
        rad = torch.where(known, rad, torch.inf)
    if not _finished(rad):
        rad = torch.where(mid.isinf() & infinite(x) & y.mid.isfinite() & known, 0.0, rad)
    return Enclosure(mid, rad)


@rule(aten.reciprocal.default, honest=True)
def reciprocal(x: Enclosure) -> Enclosure:
    """1 / x."""
    return div(1.0, x)


@rule(aten.addcmul.default, honest=True)
def addcmul(x: Enclosure, y: Enclosure, z: Enclosure, *, value: float = 1) -> Enclosure:
    """x + value·y·z."""
    return add(x, mul(y, z), alpha=value)


def square(x: Enclosure) -> Enclosure:
    """x², never below 0."""
    mid = x.mid * x.mid
    rad = _rounded_product(mid, x)
    if not x.exact:
        rad.addcmul_(x.rad, x.mid.abs().mul_(2).add_(x.rad))
    _finished(rad)
    return Enclosure(mid, rad)


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
