"""How far a traced function's floats can be from its exact values, over a whole box of inputs at once.

An `Enclosure` bounds the rounding of one evaluation. A `Magnitude` bounds that of every evaluation in a box: it holds a range
of the exact value and the largest error of the computed one, and each rule says what an operator makes of both (a priori
running error analysis). A loop of thousands of evaluations then needs one replay instead of thousands.

The rounding model is the one of the other rules: relative errors of `UNIT_ROUNDOFF` or of so many `ULPS`, sums and products of
matrices in any order, underflow. Ranges are kept by sign only as far as activation functions profit from it; a product is
bounded by its size. An operator without a rule raises UnknownOperatorError.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor.enclosure import UNDERFLOW, UNIT_ROUNDOFF, gamma, widen
from boundcheck.rigor.functions import SMALLEST_NORMAL, ULPS
from boundcheck.rigor.registry import aten
from boundcheck.rigor.shapes import MOVES
from boundcheck.rigor.tracing import Traced

LARGEST = 2.0**1023

_RULES: dict[Any, Callable[..., Any]] = {}


@dataclass(frozen=True)
class Magnitude:
    """`low <= exact value <= high` and `|computed - exact| <= error`, entry by entry, wherever in the box the inputs are.

    `away` is known of products of matrices only, for whom their sign matters: where it is positive the exact value is at least
    that, where it is negative at most that.
    """

    low: Tensor
    high: Tensor
    error: Tensor
    away: Tensor | None = None

    @staticmethod
    def exactly(value: Tensor) -> "Magnitude":
        """Numbers as stored, the same everywhere in the box."""
        value = value.to(torch.float64)
        return Magnitude(value, value, torch.zeros_like(value))

    @staticmethod
    def within(centre: Tensor, radius: Tensor) -> "Magnitude":
        """Stored numbers, at most `radius` from `centre`, entry by entry."""
        radius = radius.expand_as(centre)
        return _ranged(centre - radius, centre + radius, torch.zeros_like(centre))

    @property
    def size(self) -> Tensor:
        """At least |exact value|."""
        return torch.maximum(-self.low, self.high)

    @property
    def computed(self) -> Tensor:
        """At least |computed value|."""
        return widen(self.size + self.error)


def magnitudes(traced: Traced, *inputs: Magnitude) -> list[Magnitude]:
    """Ranges and largest rounding errors of what a traced function returns, for all inputs in a box.

    Raises:
        UnknownOperatorError: where the graph uses an operator without a rule.

    """
    return list(_Replay(traced.graph).run(*inputs))


class _Replay(Interpreter):
    """The graph, node by node, in magnitudes."""

    def __init__(self, module: GraphModule) -> None:
        super().__init__(module)
        self.extra_traceback = False  # the operator's name says enough

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        if getattr(target, "__name__", "") == "getitem":
            return args[0][args[1]]
        if target not in _RULES:
            raise UnknownOperatorError(str(target))
        return _RULES[target](*args, **kwargs)

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        return Magnitude.exactly(getattr(self.module, str(target)))


def _rule(*operators: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        _RULES.update(dict.fromkeys(operators, function))
        return function

    return register


def _ranged(low: Tensor, high: Tensor, error: Tensor, operations: int = 0) -> Magnitude:
    """Ends rounded outward (each is off by a few relative roundings and an underflow), the error rounded up.

    Nothing is known of a computed value that may overflow.
    """
    slack = 2.0**-44 + operations * 2.0**-52
    low = torch.nan_to_num(low - low.abs() * slack - UNDERFLOW, nan=-torch.inf, neginf=-torch.inf)
    high = torch.nan_to_num(high + high.abs() * slack + UNDERFLOW, nan=torch.inf, posinf=torch.inf)
    error = widen(error, operations)
    return Magnitude(low, high, torch.where(torch.maximum(-low, high) + error < LARGEST, error, torch.inf))


def _sized(size: Tensor, error: Tensor, operations: int = 0) -> Magnitude:
    return _ranged(-size, size, error, operations)


def _pair(x: Any, y: Any) -> tuple[Magnitude, Magnitude]:
    like = (x if isinstance(x, Magnitude) else y).low
    both = [v if isinstance(v, Magnitude) else Magnitude.exactly(like.new_tensor(v)) for v in (x, y)]
    return both[0], both[1]


# ------------------------------------------------------------------------------------------------------------- arithmetic


@_rule(aten.add.Tensor, aten.add.Scalar)
def add(x: Any, y: Any, *, alpha: float = 1) -> Magnitude:
    """x + alpha·y."""
    x, y = _pair(x, y)
    if alpha != 1:
        y = mul(y, alpha)
    low, high, error = x.low + y.low, x.high + y.high, x.error + y.error
    return _ranged(low, high, error + UNIT_ROUNDOFF * (torch.maximum(-low, high) + error))


@_rule(aten.neg.default)
def neg(x: Magnitude) -> Magnitude:
    """-x, exactly."""
    return Magnitude(-x.high, -x.low, x.error)


@_rule(aten.sub.Tensor, aten.sub.Scalar)
def sub(x: Any, y: Any, *, alpha: float = 1) -> Magnitude:
    """x - alpha·y."""
    x, y = _pair(x, y)
    return add(x, neg(y), alpha=alpha)


@_rule(aten.rsub.Tensor, aten.rsub.Scalar)
def rsub(x: Any, y: Any, alpha: float = 1) -> Magnitude:
    """y - alpha·x."""
    return sub(y, x, alpha=alpha)


@_rule(aten.mul.Tensor, aten.mul.Scalar)
def mul(x: Any, y: Any) -> Magnitude:
    """x·y, bounded by its size."""
    x, y = _pair(x, y)
    error = x.size * y.error + x.error * y.computed + UNIT_ROUNDOFF * x.computed * y.computed
    return _sized(x.size * y.size, error + 4 * UNDERFLOW)


@_rule(aten.div.Tensor)
def div(x: Any, y: Any) -> Magnitude:
    """x / y; nothing is known where y may be 0."""
    x, y = _pair(x, y)
    exact, computed = absolute(y).low, absolute(y).low - y.error
    size = x.size / exact
    # Twice the roundoff: by a number, CUDA kernels multiply with its rounded reciprocal (which may be subnormal).
    error = (x.error + size * y.error) / computed + 2.5 * UNIT_ROUNDOFF * (x.computed / computed) + 4 * UNDERFLOW
    error = error + x.computed * UNDERFLOW
    known = computed > 2.0**-1000
    return _sized(torch.where(known, size, torch.inf), torch.where(known, error, torch.inf), 16)


@_rule(aten.sqrt.default)
def root(x: Magnitude) -> Magnitude:
    """√x; nothing is known where x may come near 0."""
    least = x.low - x.error
    error = x.error / least.clamp(min=0).sqrt() + 2 * UNIT_ROUNDOFF * x.computed.sqrt()
    return _ranged(x.low.clamp(min=0).sqrt(), x.high.sqrt(), torch.where(least > 2.0**-900, error, torch.inf), 16)


@_rule(aten.abs.default)
def absolute(x: Magnitude) -> Magnitude:
    """|x|, exactly."""
    return Magnitude(torch.maximum(x.low, -x.high).clamp(min=0), x.size, x.error)


@_rule(aten.clamp.default, aten.clamp_min.default)
def clamp(x: Magnitude, low: float | None = None, high: float | None = None) -> Magnitude:
    """x brought into [low, high]; of slope at most 1, exactly."""
    return Magnitude(x.low.clamp(low, high), x.high.clamp(low, high), x.error)


@_rule(aten.pow.Tensor_Scalar)
def power(x: Magnitude, exponent: float) -> Magnitude:
    """x to a whole power, 1 or more."""
    if not float(exponent).is_integer() or exponent < 1:
        raise UnknownOperatorError(f"aten.pow with exponent {exponent}")
    error = exponent * x.error * x.computed.pow(exponent - 1) + ULPS["pow"] * UNIT_ROUNDOFF * x.computed.pow(exponent)
    least = absolute(x).low.pow(exponent) if exponent % 2 == 0 else -x.size.pow(exponent)
    return _ranged(least, x.size.pow(exponent), error + 8 * UNDERFLOW, int(exponent) * 16)


# --------------------------------------------------------------------------------------------------------- sums, products


@_rule(aten.sum.default, aten.sum.dim_IntList)
def total(x: Magnitude, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Magnitude:
    """The sum over axes, in any order."""
    over = tuple(range(x.low.dim())) if dim is None or dim == [] else dim
    size = x.size.sum(over, keepdim=keepdim)
    n = x.size.numel() // max(1, size.numel())
    return _sized(size, (x.error + gamma(n) * x.computed).sum(over, keepdim=keepdim), n)


@_rule(aten.bmm.default, aten.mm.default, aten.matmul.default, aten.mv.default, aten.dot.default)
def matmul(x: Magnitude, y: Magnitude) -> Magnitude:
    """X·Y, each entry summed in any order."""
    k = x.low.shape[-1]
    error = x.computed @ (y.error + gamma(k) * y.computed + UNDERFLOW)
    if bool((x.error > 0).any()):
        error = error + x.error @ y.computed
    product = _sized(x.size @ y.size, error + 2 * k * UNDERFLOW, 2 * k)
    return replace(product, away=_away(x, y))


def _away(x: Magnitude, y: Magnitude) -> Tensor:
    """How far from 0 the entries of X·Y are at least, with their sign; 0 where that is not known."""
    (p, p_off), (q, q_off) = _centred(x), _centred(y)
    product = p @ q
    off = p.abs() @ q_off + p_off @ (q.abs() + q_off) + 4 * gamma(p.shape[-1]) * (x.size @ y.size)
    least = product.abs() - widen(off, 4 * p.shape[-1]) - 8 * p.shape[-1] * UNDERFLOW
    return torch.where(least > 0, product.sign() * least * (1 - 2.0**-50), 0.0)


def _centred(x: Magnitude) -> tuple[Tensor, Tensor]:
    centre = x.low / 2 + x.high / 2
    off = torch.maximum(x.high - centre, centre - x.low)
    return centre, widen(off) + torch.where(off > 0, UNDERFLOW, 0.0)


# -------------------------------------------------------------------------------------------------------------- functions


def _increasing(function: Callable[[Tensor], Tensor], slope: float, ulps: float) -> Callable[[Magnitude], Magnitude]:
    """The rule of an increasing function of bounded slope."""

    def apply(x: Magnitude) -> Magnitude:
        low, high = function(x.low), function(x.high)
        size = torch.maximum(low.abs(), high.abs())
        return _ranged(low, high, slope * x.error + ulps * (UNIT_ROUNDOFF * size + UNDERFLOW), 16)

    return apply


_rule(aten.tanh.default)(_increasing(torch.tanh, 1.0, ULPS["tanh"]))
_rule(aten.atan.default)(_increasing(torch.atan, 1.0, ULPS["atan"]))
_rule(aten.erf.default)(_increasing(torch.erf, 1.13, ULPS["erf"]))


def _wave(x: Magnitude) -> Magnitude:
    one = torch.ones_like(x.low)
    return _sized(one, x.error + ULPS["sin"] * UNIT_ROUNDOFF)


_rule(aten.sin.default, aten.cos.default)(_wave)


@_rule(aten.exp.default)
def exp(x: Magnitude) -> Magnitude:
    """exp: |e^(x + d) - e^x| <= e^x·expm1(|d|); below 2^-1022 nothing of it is accurate."""
    high = x.high.exp() + SMALLEST_NORMAL
    error = high * (torch.expm1(x.error) + ULPS["exp"] * UNIT_ROUNDOFF) + SMALLEST_NORMAL
    return _ranged(torch.zeros_like(high), high, error, 16)


@_rule(aten.log1p.default)
def log1p(x: Magnitude) -> Magnitude:
    """log(1 + x): of slope at most 1/(1 + the least x, exact or computed)."""
    least = 1 + (x.low - x.error)
    low, high = torch.log1p(x.low), torch.log1p(x.high)
    size = torch.maximum(low.abs(), high.abs())
    error = x.error / (least * (1 - 2.0**-40)) + ULPS["log1p"] * (UNIT_ROUNDOFF * size + UNDERFLOW)
    return _ranged(low, high, torch.where(least > 2.0**-40, error, torch.inf), 16)


@_rule(aten.gt.Scalar)
def positive(x: Magnitude, bound: float) -> Magnitude:
    """Whether x > 0, as 0 or 1: off by 1 where the computed x may lie on the other side."""
    if bound != 0:
        raise UnknownOperatorError(f"aten.gt with {bound}")
    away = torch.zeros_like(x.low) if x.away is None else x.away
    low, high = torch.where(away > 0, away, x.low), torch.where(away < 0, away, x.high)
    known = (low > x.error) | (-high >= x.error)
    one = torch.ones_like(x.low)
    return Magnitude(one * (low > 0), one * (high > 0), torch.where(known, 0.0, one))


@_rule(aten.ones_like.default)
def ones(x: Magnitude, **_: Any) -> Magnitude:
    """1 for each entry."""
    return Magnitude.exactly(torch.ones_like(x.low))


@_rule(aten._to_copy.default)
def cast(x: Magnitude, *, dtype: Any = None, **_: Any) -> Magnitude:
    """A truth value as a double."""
    if dtype is not torch.float64:
        raise UnknownOperatorError(f"aten._to_copy to {dtype}")
    return x


# ------------------------------------------------------------------------------------------------------------------ moves


def _moved(operator: Any) -> Callable[..., Any]:
    def apply(*args: Any, **kwargs: Any) -> Any:
        def part(name: str) -> Any:
            def get(value: Any) -> Any:
                if isinstance(value, Magnitude):
                    return getattr(value, name)
                return [get(item) for item in value] if isinstance(value, list | tuple) else value

            return operator(*get(args), **kwargs)

        low, high, error = part("low"), part("high"), part("error")
        if isinstance(low, Tensor):
            whole = isinstance(args[0], Magnitude) and args[0].away is not None
            return Magnitude(low, high, error, part("away") if whole else None)
        return [Magnitude(*parts) for parts in zip(low, high, error, strict=True)]

    return apply


for _move in MOVES:
    _packet, _overload = _move.split(".")
    if hasattr(aten, _packet) and _overload in getattr(aten, _packet).overloads():
        _operator = getattr(getattr(aten, _packet), _overload)
        _rule(_operator)(_moved(_operator))
