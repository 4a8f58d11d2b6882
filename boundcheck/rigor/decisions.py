"""Error rules of comparisons and choices: a truth value that the enclosures leave open has an infinite radius."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor.enclosure import Enclosure, widen
from boundcheck.rigor.registry import aten, counted, enclosed, infinite, pair, rule


def compare(function: Callable[[Tensor, Tensor], Tensor], x: Any, y: Any) -> Enclosure:
    """A comparison; its radius is infinite where the enclosures do not decide it."""
    x, y = pair(x, y)
    if x is y:  # x == x: how torch spells "not NaN"
        return _about_the_float(function(x.mid, y.mid), x)
    x, y = counted(x), counted(y)
    if x.exact and y.exact:
        return Enclosure.exactly(function(x.mid, y.mid))
    slack = widen(x.rad if y.exact else y.rad if x.exact else x.rad + y.rad)
    apart = (x.mid - y.mid).abs_() > slack
    if bool(apart.all()):
        return Enclosure.exactly(function(x.mid, y.mid))
    exact = (x.rad == 0) & (y.rad == 0)
    beside_infinity = x.mid.isfinite() & infinite(y)  # |x| != inf: the other half of torch's isfinite
    decided = apart | exact | beside_infinity
    if bool(decided.all()):
        return Enclosure.exactly(function(x.mid, y.mid))
    return Enclosure(function(x.mid, y.mid), torch.where(decided, 0.0, torch.inf).to(torch.float64))


def _about_the_float(truth: Tensor, x: Enclosure) -> Enclosure:
    """A truth about computed values that are NaN or infinite: it says nothing of an exact value that is not known."""
    if x.exact:
        return Enclosure.exactly(truth)
    return Enclosure(truth, torch.where(~x.mid.isfinite() & (x.rad > 0), torch.inf, 0.0).to(torch.float64))


for _name, _function in {
    "gt": torch.gt,
    "ge": torch.ge,
    "lt": torch.lt,
    "le": torch.le,
    "eq": torch.eq,
    "ne": torch.ne,
}.items():
    for _overload in ("Tensor", "Scalar"):
        rule(getattr(getattr(aten, _name), _overload))(lambda x, y, _f=_function: compare(_f, x, y))


def _truths(name: str, *operands: Enclosure) -> None:
    for operand in operands:
        if operand.mid.dtype != torch.bool:
            raise UnknownOperatorError(f"aten.{name} on {operand.mid.dtype}")


@rule(aten.logical_and.default, aten.bitwise_and.Tensor)
def logical_and(x: Enclosure, y: Enclosure) -> Enclosure:
    """Both; undecided where either is."""
    _truths("logical_and", x, y)
    return Enclosure(torch.logical_and(x.mid, y.mid), None if x.exact and y.exact else x.rad + y.rad)


@rule(aten.logical_or.default, aten.bitwise_or.Tensor)
def logical_or(x: Enclosure, y: Enclosure) -> Enclosure:
    """Either; undecided where one of them is."""
    _truths("logical_or", x, y)
    return Enclosure(torch.logical_or(x.mid, y.mid), None if x.exact and y.exact else x.rad + y.rad)


@rule(aten.all.dim, aten.all.dims, aten.all.default)
def every(x: Enclosure, dim: Any = None, keepdim: bool = False) -> Enclosure:
    """All of them (of numbers: whether none is 0); undecided where one is."""
    return _over(torch.all, _true(x), dim, keepdim)


@rule(aten.any.dim, aten.any.dims, aten.any.default)
def some(x: Enclosure, dim: Any = None, keepdim: bool = False) -> Enclosure:
    """Any of them (of numbers: whether one is not 0); undecided where one is."""
    return _over(torch.any, _true(x), dim, keepdim)


def _over(function: Callable[..., Tensor], x: Enclosure, dim: Any, keepdim: bool) -> Enclosure:
    over = tuple(range(x.mid.dim())) if dim is None else dim
    if not x.mid.dim():
        return Enclosure(x.mid.clone(), None if x.exact else x.rad.clone())
    return Enclosure(function(x.mid, over, keepdim), None if x.exact else x.rad.sum(over, keepdim))


def _true(x: Enclosure) -> Enclosure:
    return x if x.mid.dtype == torch.bool else compare(torch.ne, x, 0)


@rule(aten.isnan.default)
def isnan(x: Enclosure) -> Enclosure:
    """Whether a value is NaN; undecided where an unknown value was computed as one."""
    return _about_the_float(x.mid.isnan(), x)


@rule(aten.isinf.default)
def isinf(x: Enclosure) -> Enclosure:
    """Whether a value is infinite; undecided where an unknown value overflowed."""
    return _about_the_float(x.mid.isinf(), x)


@rule(aten.logical_not.default, aten.bitwise_not.default)
def logical_not(x: Enclosure) -> Enclosure:
    """The opposite truth value."""
    _truths("logical_not", x)
    return Enclosure(torch.logical_not(x.mid), None if x.exact else x.rad.clone())


@rule(aten.where.self)
def where(condition: Any, x: Any, y: Any) -> Enclosure:
    """x where the condition is true, else y; the hull of both where it is undecided."""
    x, y = pair(x, y)
    condition = enclosed(condition, x)
    mid = torch.where(condition.mid, x.mid, y.mid)
    if condition.exact and x.exact and y.exact:
        return Enclosure.exactly(mid)
    rad = torch.where(condition.mid, _short(x), _short(y))
    if condition.exact or not bool(condition.rad.any()):
        return Enclosure(mid, rad)
    undecided = condition.rad > 0
    if mid.dtype == torch.bool:
        agreed = (x.mid == y.mid) & (x.rad + y.rad == 0)
        return Enclosure(mid, torch.where(undecided & ~agreed, torch.inf, rad))
    if mid.is_floating_point():
        low, high = torch.minimum(x.lower, y.lower), torch.maximum(x.upper, y.upper)
        centre = low / 2 + high / 2
        mid = torch.where(undecided & centre.isfinite(), centre, mid)
    hull = torch.maximum((x.mid - mid).abs() + x.rad, (y.mid - mid).abs() + y.rad)
    return Enclosure(mid, torch.where(undecided, widen(hull), rad))


def _short(x: Enclosure) -> Tensor:
    """The radii, a single 0 for those of what is exact."""
    return x.mid.new_zeros((), dtype=torch.float64) if x.exact else x.rad
