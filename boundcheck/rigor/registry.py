"""The table of error rules: one for each ATen operator that a claim may use.

A rule takes the arguments of its operator, tensors as `Enclosure`s, and returns enclosures.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor.enclosure import Enclosure

aten = torch.ops.aten
Rule = Callable[..., Any]
_RULES: dict[Any, Rule] = {}


def rule(*operators: Any) -> Callable[[Rule], Rule]:
    """Register an error rule for ATen operators (overloads such as `torch.ops.aten.add.Tensor`)."""

    def register(function: Rule) -> Rule:
        for operator in operators:
            _RULES[operator] = function
        return function

    return register


def lookup(operator: Any) -> Rule:
    """The rule of an operator. Raises UnknownOperatorError, naming it, where there is none."""
    try:
        return _RULES[operator]
    except KeyError:
        raise UnknownOperatorError(str(operator)) from None


def vocabulary() -> list[str]:
    """The operators that have a rule."""
    return sorted(str(operator) for operator in _RULES)


def enclosed(value: Any, like: Enclosure) -> Enclosure:
    """A Python number or a tensor as an exact enclosure."""
    if isinstance(value, Enclosure):
        return value
    if isinstance(value, Tensor):
        return Enclosure.exactly(value)
    return Enclosure.exactly(torch.tensor(float(value), dtype=torch.float64, device=like.mid.device))


def pair(x: Any, y: Any) -> tuple[Enclosure, Enclosure]:
    """Both operands as enclosures; one of them may be a Python number."""
    like = x if isinstance(x, Enclosure) else y
    return enclosed(x, like), enclosed(y, like)


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
    """Truth values as the numbers 0 and 1."""
    return Enclosure(x.mid.to(torch.int64), x.rad) if x.mid.dtype == torch.bool else x
