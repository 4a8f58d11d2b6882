"""The table of error rules: one for each ATen operator that a claim may use.

A rule takes the arguments of its operator, tensors as `Enclosure`s, and returns enclosures.
"""

import dataclasses
import functools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor.enclosure import UNIT_ROUNDOFF, Enclosure, literal_radius, settled

aten = torch.ops.aten
Rule = Callable[..., Any]
_RULES: dict[Any, Rule] = {}

DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {}
"""Operators that a trace writes out in others, each as a function of tensors (filled by `boundcheck.rigor.decompositions`)."""


def rule(*operators: Any, honest: bool = False) -> Callable[[Rule], Rule]:
    """Register an error rule for ATen operators (overloads such as `torch.ops.aten.add.Tensor`).

    Args:
        operators: overloads that the function is the rule of.
        honest: whether the function itself sees to it that nothing is said of a value that overflowed.

    """

    def register(function: Rule) -> Rule:
        for operator in operators:
            _RULES[operator] = _aligned(function, honest)
        return function

    return register


def _aligned(function: Rule, honest: bool) -> Rule:
    """A rule whose results are laid out alike in memory, values and radii, and know nothing of what overflowed."""

    def finish(x: Enclosure) -> Enclosure:
        return x if x.exact else aligned(x if honest else _honest(x))

    @functools.wraps(function)
    def apply(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if isinstance(result, Enclosure):
            return finish(result)
        return [finish(part) for part in result] if isinstance(result, list) else result

    return apply


def _honest(x: Enclosure) -> Enclosure:
    """A radius around what is not finite is infinite, or 0 where exactly that was given."""
    if not x.mid.is_floating_point() or settled(x.mid):
        return x
    lost = ~x.mid.isfinite() & (x.rad > 0) & x.rad.isfinite()
    return dataclasses.replace(x, radius=torch.where(lost, torch.inf, x.rad)) if bool(lost.any()) else x


def aligned(x: Enclosure) -> Enclosure:
    """A trace's views and writes in place must do the same to values and radii."""
    if x.mid.stride() == x.rad.stride():
        return x
    rad = torch.empty_like(x.mid, dtype=torch.float64)
    if rad.stride() == x.mid.stride():
        return dataclasses.replace(x, radius=rad.copy_(x.rad))
    return dataclasses.replace(x, mid=x.mid.contiguous(), radius=x.rad.contiguous())


def decomposes(*operators: Any) -> Callable[[Rule], Rule]:
    """Register how ATen operators are written out, as a function of tensors with their signature."""

    def register(function: Rule) -> Rule:
        for operator in operators:
            DECOMPOSITIONS[operator] = function
        return function

    return register


def lookup(operator: Any) -> Rule:
    """The rule of an operator. Raises UnknownOperatorError, naming it, where there is none."""
    try:
        return _RULES[operator]
    except KeyError:
        raise UnknownOperatorError(str(operator)) from None


def ruled() -> list[str]:
    """The operators that have a rule."""
    return sorted(map(str, _RULES))


def vocabulary() -> list[str]:
    """The operators that a claim may use: they have a rule, or are written out in operators that have one."""
    return sorted({*map(str, _RULES), *map(str, DECOMPOSITIONS)})


def meant(value: float) -> Fraction:
    """The number that a double in torch's own formulas stands for: a fraction with a denominator up to 200,000 where it is the
    double nearest to one (2/3 in the derivative of a variance), else the double itself."""
    exact = Fraction(value)
    short = exact.limit_denominator(2 * 10**5)
    return short if float(short) == value else exact


def enclosed(value: Any, like: Enclosure) -> Enclosure:
    """A Python number or a tensor as an exact enclosure (a whole number beyond 2^53 may need a radius)."""
    if isinstance(value, Enclosure):
        return value
    if isinstance(value, Tensor):
        return Enclosure.exactly(value)
    if isinstance(value, int) and not like.mid.is_floating_point():  # positions stay whole numbers
        dtype = torch.int64 if like.mid.dtype == torch.bool and not isinstance(value, bool) else like.mid.dtype
        return Enclosure.exactly(torch.tensor(value, dtype=dtype, device=like.mid.device))
    mid = torch.tensor(float(value), dtype=torch.float64, device=like.mid.device)
    if isinstance(value, int):
        return Enclosure.exactly(mid) if int(float(value)) == value else Enclosure(mid, 2 * UNIT_ROUNDOFF * mid.abs())
    radius = literal_radius(float(value))
    return Enclosure(mid, torch.full_like(mid, radius)) if radius else Enclosure.exactly(mid)


def pair(x: Any, y: Any) -> tuple[Enclosure, Enclosure]:
    """Both operands as enclosures; one of them may be a Python number. A whole number beside a double becomes one."""
    like = x if isinstance(x, Enclosure) else y
    x, y = enclosed(x, like), enclosed(y, like)
    if x.mid.is_floating_point() != y.mid.is_floating_point():
        x, y = doubled(x), doubled(y)
    return x, y


def doubled(x: Enclosure) -> Enclosure:
    """Whole numbers as doubles: rounded beyond 2^53."""
    if x.mid.is_floating_point() or x.mid.dtype == torch.bool:
        return x
    mid = x.mid.to(torch.float64)
    if x.exact and within(x.mid, 2**53):
        return Enclosure.exactly(mid)
    return Enclosure(mid, x.rad + torch.where(mid.abs() >= 2.0**53, 2 * UNIT_ROUNDOFF * mid.abs(), 0.0))


def in_double(value: Tensor) -> Tensor:
    """A tensor whose rounding the rules know: float64 for any floating type (the numbers stay as they are)."""
    return value.to(torch.float64) if value.dtype.is_floating_point else value


def infinite(x: Enclosure) -> Tensor:
    """Where x is exactly an infinity (a ball of infinite radius, say), and not a number that overflowed."""
    return x.mid.isinf() & (x.rad == 0)


def nonzero(x: Enclosure) -> Tensor:
    """Where x is certainly not 0."""
    return x.mid.abs() > x.rad


def counted(x: Enclosure) -> Enclosure:
    """Truth values as the numbers 0 and 1; an undecided one is within 1 of either."""
    if x.mid.dtype != torch.bool:
        return x
    return Enclosure(x.mid.to(torch.int64), None if x.exact else x.rad.clamp(max=1.0))


def numbers(x: Enclosure, y: Enclosure) -> tuple[Enclosure, Enclosure]:
    """Truth values as numbers too: of the kind that the other one is."""
    x, y = counted(x), counted(y)
    return (doubled(x), doubled(y)) if x.mid.is_floating_point() != y.mid.is_floating_point() else (x, y)


def within(whole: Tensor, limit: float) -> bool:
    """Whether every one of these whole numbers is at most so large, with its sign or without."""
    if not whole.numel():
        return True
    least, most = whole.aminmax()
    return -limit <= int(least) and int(most) <= limit
