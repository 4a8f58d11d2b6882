"""Error rules of elementwise functions, by their slope or at both ends.

The accuracy assumed of each of torch's functions (in units of 2^-53, relative) is in `ULPS`; the tests hold it against exact
arithmetic.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from boundcheck.rigor.arithmetic import div, mul, reciprocal, rsub, square
from boundcheck.rigor.decisions import compare, where
from boundcheck.rigor.enclosure import Enclosure, rounding, widen
from boundcheck.rigor.registry import aten, infinite, pair, rule

SMALLEST_NORMAL = 2.0**-1022

ULPS = {
    "tanh": 4.0,
    "exp": 4.0,
    "expm1": 4.0,
    "log": 4.0,
    "log1p": 4.0,
    "sin": 4.0,
    "cos": 4.0,
    "atan": 4.0,
    "erf": 8.0,
    "pow": 4.0,
    "sigmoid": 8.0,
    "sqrt": 2.0,  # MKL's vector routine does not round correctly: 1 % of its roots are off by up to 1.1 units
}


def _lipschitz(function: Callable[[Tensor], Tensor], x: Enclosure, constant: float, ulps: float) -> Enclosure:
    mid = function(x.mid)
    return Enclosure(mid, widen(constant * x.rad + rounding(mid, ulps)))


def _monotone(function: Callable[[Tensor], Tensor], x: Enclosure, ulps: float) -> Enclosure:
    mid, low, high = function(x.mid), function(x.mid - x.rad), function(x.mid + x.rad)
    spread = torch.maximum((mid - low).abs(), (high - mid).abs()) * (1 + 2.0**-20)
    size = torch.maximum(torch.maximum(low.abs(), high.abs()), mid.abs())
    rad = torch.where(x.rad == 0, 0.0, spread) + rounding(size, 2 * ulps)
    return Enclosure(mid, widen(rad))


@rule(aten.tanh.default)
def tanh(x: Enclosure) -> Enclosure:
    """tanh, of slope at most 1."""
    return _lipschitz(torch.tanh, x, 1.0, ULPS["tanh"])


@rule(aten.sigmoid.default)
def sigmoid(x: Enclosure) -> Enclosure:
    """The logistic function, of slope at most 1/4. (torch's is 0 already where its exact value becomes subnormal.)"""
    value = _lipschitz(torch.sigmoid, x, 0.25, ULPS["sigmoid"])
    return Enclosure(value.mid, value.rad + 2 * SMALLEST_NORMAL)


def _stable_softplus(t: Tensor) -> Tensor:
    return t.clamp(min=0) + torch.log1p(torch.exp(-t.abs()))


@rule(aten.softplus.default)
def softplus(x: Enclosure, beta: float = 1, threshold: float = 20) -> Enclosure:
    """log(1 + exp(beta·x)) / beta, by our own formula: torch's is the identity above its threshold."""
    inner = mul(x, beta)
    return div(_lipschitz(_stable_softplus, inner, 1.0, 16.0), beta)


@rule(aten.erf.default)
def erf(x: Enclosure) -> Enclosure:
    """The error function, of slope at most 2/sqrt(pi) < 1.13."""
    return _lipschitz(torch.erf, x, 1.13, ULPS["erf"])


@rule(aten.sin.default)
def sin(x: Enclosure) -> Enclosure:
    """sin, of slope at most 1."""
    return _lipschitz(torch.sin, x, 1.0, ULPS["sin"])


@rule(aten.cos.default)
def cos(x: Enclosure) -> Enclosure:
    """cos, of slope at most 1."""
    return _lipschitz(torch.cos, x, 1.0, ULPS["cos"])


@rule(aten.atan.default)
def atan(x: Enclosure) -> Enclosure:
    """arctan, of slope at most 1."""
    return _lipschitz(torch.atan, x, 1.0, ULPS["atan"])


@rule(aten.exp.default)
def exp(x: Enclosure) -> Enclosure:
    """exp: |e^(m+r) - e^m| <= e^m·expm1(r), where a computed e^m below 2^-1022 has lost its relative accuracy."""
    mid = x.mid.exp()
    spread = (mid + SMALLEST_NORMAL) * torch.expm1(x.rad) * (1 + 2.0**-40)
    return Enclosure(mid, widen(spread + rounding(mid, ULPS["exp"])))


@rule(aten.expm1.default)
def expm1(x: Enclosure) -> Enclosure:
    """exp(x) - 1."""
    mid = torch.expm1(x.mid)
    spread = (x.mid.exp() + SMALLEST_NORMAL) * torch.expm1(x.rad) * (1 + 2.0**-40)
    return Enclosure(mid, widen(spread + rounding(mid, ULPS["expm1"])))


@rule(aten.log.default)
def log(x: Enclosure) -> Enclosure:
    """The natural logarithm; nothing is known where x may be <= 0."""
    mid = x.mid.log()
    spread = -torch.log1p(-(x.rad / x.mid) * (1 + 2.0**-50))
    return Enclosure(
        mid, widen(torch.where(x.mid > x.rad, spread * (1 + 2.0**-40), torch.inf) + rounding(mid, ULPS["log"]))
    )


@rule(aten.log1p.default)
def log1p(x: Enclosure) -> Enclosure:
    """log(1 + x)."""
    shifted = 1 + x.mid
    mid = torch.log1p(x.mid)
    spread = -torch.log1p(-(x.rad / shifted) * (1 + 2.0**-50))
    rad = torch.where(shifted > x.rad, spread * (1 + 2.0**-40), torch.inf)
    return Enclosure(mid, widen(rad + rounding(mid, ULPS["log1p"])))


@rule(aten.tanh_backward.default)
def tanh_backward(gradient: Enclosure, output: Enclosure) -> Enclosure:
    """gradient·(1 - output²)."""
    return mul(gradient, rsub(square(output), 1.0))


@rule(aten.sigmoid_backward.default)
def sigmoid_backward(gradient: Enclosure, output: Enclosure) -> Enclosure:
    """gradient·output·(1 - output)."""
    return mul(gradient, mul(output, rsub(output, 1.0)))


@rule(aten.relu.default)
def relu(x: Enclosure) -> Enclosure:
    """max(x, 0), of slope at most 1; exactly 0 where x is certainly not above it (its derivative is decided by that)."""
    return Enclosure(x.mid.clamp(min=0), torch.where(x.mid + x.rad <= 0, 0.0, x.rad))


@rule(aten.threshold_backward.default)
def threshold_backward(gradient: Enclosure, x: Enclosure, threshold: float) -> Enclosure:
    """The gradient where x is above the threshold, 0 elsewhere."""
    zero = Enclosure.exactly(torch.zeros_like(gradient.mid))
    return where(compare(torch.gt, x, threshold), gradient, zero)


@rule(aten.maximum.default, aten.max.other)
def maximum(x: Any, y: Any) -> Enclosure:
    """The larger of two."""
    x, y = pair(x, y)
    return Enclosure(torch.maximum(x.mid, y.mid), torch.maximum(x.rad, y.rad))


@rule(aten.minimum.default, aten.min.other)
def minimum(x: Any, y: Any) -> Enclosure:
    """The smaller of two."""
    x, y = pair(x, y)
    return Enclosure(torch.minimum(x.mid, y.mid), torch.maximum(x.rad, y.rad))


@rule(aten.clamp.default, aten.clamp_min.default)
def clamp(x: Enclosure, low: float | None = None, high: float | None = None) -> Enclosure:
    """x brought into [low, high]; of slope at most 1, exactly."""
    return Enclosure(torch.clamp(x.mid, low, high), x.rad.clone())


@rule(aten.pow.Tensor_Scalar)
def power(x: Enclosure, exponent: float) -> Enclosure:
    """x to a fixed power: whole powers by products, others at both ends of a positive x."""
    if exponent == 0.5:
        return sqrt(x)
    result = _whole_power(x, int(exponent)) if float(exponent).is_integer() else _real_power(x, exponent)
    if exponent > 0 and bool(result.mid.isinf().any()):
        return Enclosure(result.mid, torch.where(infinite(x), 0.0, result.rad))
    return result


def _whole_power(x: Enclosure, exponent: int) -> Enclosure:
    whole = abs(exponent)
    result = Enclosure.exactly(torch.ones_like(x.mid)) if whole == 0 else x
    for digit in bin(whole)[3:]:
        result = square(result)
        if digit == "1":
            result = mul(result, x)
    mid = x.mid.pow(whole)
    result = Enclosure(mid, widen(result.rad + (mid - result.mid).abs()))
    return reciprocal(result) if exponent < 0 else result


def _real_power(x: Enclosure, exponent: float) -> Enclosure:
    # The ends mid ± rad are rounded, by one ulp of each: |exponent| ulps of the power.
    return _monotone(lambda t: torch.where(t > 0, t, torch.nan).pow(exponent), x, ULPS["pow"] + abs(exponent))


@rule(aten.sqrt.default)
def sqrt(x: Enclosure) -> Enclosure:
    """The square root, of the part of x that is not negative."""
    mid = x.mid.clamp(min=0).sqrt()
    low = (x.mid - x.rad).clamp(min=0).sqrt()
    away = x.rad / (mid + low)
    near_zero = (x.mid.clamp(min=0) + x.rad).sqrt()
    rad = torch.where(x.rad == 0, 0.0, torch.minimum(torch.nan_to_num(away, nan=torch.inf), near_zero))
    mid = torch.where(x.mid + x.rad < 0, torch.nan, mid)
    return Enclosure(mid, widen(rad + rounding(mid, ULPS["sqrt"])))


@rule(aten.rsqrt.default)
def rsqrt(x: Enclosure) -> Enclosure:
    """1 / sqrt(x)."""
    return reciprocal(sqrt(x))
