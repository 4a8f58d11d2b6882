"""Error rules of elementwise functions, by their slope or at both ends.

The accuracy assumed of each of torch's functions is in `ULPS`; `tests/rigor/test_accuracy.py` holds it against Arb.
Functions that are not here (gelu, log2, asin, …) are written out in those that are: see `boundcheck.rigor.formulas`.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from boundcheck.rigor.arithmetic import div, mul, reciprocal, rsub, square
from boundcheck.rigor.decisions import compare, where
from boundcheck.rigor.enclosure import UNDERFLOW, Enclosure, rounding, settled, widen
from boundcheck.rigor.registry import aten, counted, infinite, meant, pair, rule

SMALLEST_NORMAL = 2.0**-1022

ULPS = {
    "tanh": 4.0,
    "exp": 4.0,
    "expm1": 4.0,
    "log": 4.0,
    "log1p": 4.0,
    "sin": 6.0,
    "cos": 6.0,
    "atan": 6.0,
    "erf": 8.0,
    "erfc": 12.0,
    "pow": 6.0,
    "sigmoid": 8.0,
    "softplus": 16.0,
    "sqrt": 2.0,
}
"""Largest error assumed of torch's function, in units of 2^-53 of its result (one last digit is one to two of them).

Worst of 480,000 arguments each (torch 2.13, MKL, an AMD EPYC; AVX-512, AVX2 and no vectors; tensors of 1 to 60,000 entries, with
and without gaps) against Arb at 220 bits, subnormal results to 2^-1074:

========  =======  =======  ==============================
function  assumed  found    at
========  =======  =======  ==============================
tanh      4        1.23     -0.0636
exp       4        1.01     0.00211
expm1     4        1.49     1.1e-16
log       4        1.22     0.99902
log1p     4        1.37     1.793
sin       6        1.00     5.9e11
cos       6        1.00     6.4e5
atan      6        1.09     2.607
erf       8        1.26     6.8e-6
erfc      12       1.50     -5.5e-7
pow       6        1.98     1.0007 to the 3rd
sigmoid   8        2.25     -36.97
softplus  16       2.00     -708.7 (`stable_softplus`)
sqrt      2        1.03     1.00002
========  =======  =======  ==============================

On GPUs: the CUDA C++ Programming Guide (Mathematical Functions, double precision) gives, in last digits from the correctly
rounded result, 0 for sqrt and division, 1 for exp, expm1, log, log1p and tanh, 2 for sin, cos, atan, pow and erf, 5 for erfc:
"generated from extensive but not exhaustive tests". With the half digit of that rounding, n of them are at most 2n + 1 units:
3, 5 and 11. sigmoid and softplus, made of these, err by at most 5 and 7.

sigmoid has 2·2^-1022 beside that: torch's is 0 already where its exact value becomes subnormal. MKL's vector square root does not
round correctly. torch's own softplus errs by 5.8e5 units above its threshold, and its gelu loses all digits below -8: both have
formulas of their own.
"""


def _lipschitz(function: Callable[[Tensor], Tensor], x: Enclosure, constant: float, ulps: float) -> Enclosure:
    mid = function(x.mid)
    own = rounding(mid, ulps)
    return Enclosure(mid, widen(own if x.exact else own.add_(x.rad, alpha=constant)))


def _monotone(function: Callable[[Tensor], Tensor], x: Enclosure, ulps: float) -> Enclosure:
    """By the values at both ends, which are rounded away from the middle."""
    if x.exact:
        mid = function(x.mid)
        return Enclosure(mid, widen(rounding(mid, 2 * ulps)))
    mid, low, high = function(x.mid), function(x.lower), function(x.upper)
    spread = torch.maximum((mid - low).abs(), (high - mid).abs())
    size = torch.maximum(torch.maximum(low.abs(), high.abs()), mid.abs())
    rad = widen(torch.where(x.rad == 0, 0.0, spread) + rounding(size, 2 * ulps))
    return Enclosure(mid, torch.where(x.rad.isinf(), torch.inf, rad))  # what is unknown may be undefined


@rule(aten.tanh.default)
def tanh(x: Enclosure) -> Enclosure:
    """tanh, of slope at most 1."""
    return _lipschitz(torch.tanh, x, 1.0, ULPS["tanh"])


@rule(aten.sigmoid.default)
def sigmoid(x: Enclosure) -> Enclosure:
    """The logistic function, of slope at most 1/4. (torch's is 0 already where its exact value becomes subnormal.)"""
    value = _lipschitz(torch.sigmoid, x, 0.25, ULPS["sigmoid"])
    return Enclosure(value.mid, value.rad + 2 * SMALLEST_NORMAL)


def stable_softplus(t: Tensor) -> Tensor:
    """log(1 + exp(t)) to a few last digits, for every t."""
    return t.clamp(min=0) + torch.log1p(torch.exp(-t.abs()))


@rule(aten.softplus.default)
def softplus(x: Enclosure, beta: float = 1, threshold: float = 20) -> Enclosure:
    """log(1 + exp(beta·x)) / beta, by our own formula: torch's is the identity above its threshold."""
    inner = mul(x, beta)
    value = _lipschitz(stable_softplus, inner, 1.0, ULPS["softplus"])
    return value if beta == 1 else div(value, beta)


@rule(aten.erf.default)
def erf(x: Enclosure) -> Enclosure:
    """The error function, of slope at most 2/sqrt(pi) < 1.13."""
    return _lipschitz(torch.erf, x, 1.13, ULPS["erf"])


@rule(aten.erfc.default)
def erfc(x: Enclosure) -> Enclosure:
    """1 - erf(x), decreasing; relative accuracy even where it is tiny."""
    return _monotone(torch.erfc, x, ULPS["erfc"])


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
    if x.exact:
        return Enclosure(mid, widen(rounding(mid, ULPS["exp"])))
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
    if x.exact:
        return Enclosure.exactly(x.mid.clamp(min=0))
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
    if x.exact and y.exact:
        return Enclosure.exactly(torch.maximum(x.mid, y.mid))
    return Enclosure(torch.maximum(x.mid, y.mid), _radius_of_chosen(compare(torch.ge, x, y), x, y))


@rule(aten.minimum.default, aten.min.other)
def minimum(x: Any, y: Any) -> Enclosure:
    """The smaller of two."""
    x, y = pair(x, y)
    if x.exact and y.exact:
        return Enclosure.exactly(torch.minimum(x.mid, y.mid))
    return Enclosure(torch.minimum(x.mid, y.mid), _radius_of_chosen(compare(torch.le, x, y), x, y))


def _radius_of_chosen(first: Enclosure, x: Enclosure, y: Enclosure) -> Tensor:
    chosen = torch.where(first.mid, x.rad, y.rad)
    return torch.where(first.rad > 0, torch.maximum(x.rad, y.rad), chosen)


@rule(aten.clamp.default, aten.clamp_min.default)
def clamp(x: Enclosure, low: float | None = None, high: float | None = None) -> Enclosure:
    """x brought into [low, high]; exact where it is certainly outside."""
    if not x.mid.is_floating_point():
        return Enclosure(torch.clamp(x.mid, low, high), None if x.exact else x.rad.clone())
    result = Enclosure(x.mid.clone(), None if x.exact else x.rad.clone())
    result = result if low is None else maximum(result, low)
    return result if high is None else minimum(result, high)


def _stepped(function: Callable[[Tensor], Tensor]) -> Callable[[Enclosure], Enclosure]:
    """A function of whole steps, computed exactly: exact unless a step lies within the enclosure."""

    def apply(x: Enclosure) -> Enclosure:
        mid = function(x.mid)
        rad = torch.maximum(function(x.upper) - mid, mid - function(x.lower))
        return Enclosure(mid, widen(torch.where(mid.isfinite(), rad, x.rad)))

    return apply


for _operator in (aten.floor.default, aten.ceil.default, aten.trunc.default, aten.round.default):
    rule(_operator)(_stepped(_operator))


@rule(aten.pow.Tensor_Scalar)
def power(x: Enclosure, exponent: float) -> Enclosure:
    """x to a fixed power: whole powers by products, others at both ends of a positive x.

    The result holds for the exponent as a double and for the fraction that it stands for (`meant`): 1/3, say.
    """
    if exponent == 0.5:
        return sqrt(x)
    result = _whole_power(x, int(exponent)) if float(exponent).is_integer() else _real_power(x, exponent)
    if exponent > 0 and not settled(result.mid) and bool(result.mid.isinf().any()):
        return Enclosure(result.mid, torch.where(infinite(x), 0.0, result.rad))
    return result


def _whole_power(x: Enclosure, exponent: int) -> Enclosure:
    whole = abs(exponent)
    if whole < 2:
        result = Enclosure.exactly(torch.ones_like(x.mid)) if whole == 0 else x
        result = Enclosure(result.mid.clone(), None if result.exact else result.rad.clone())
    else:
        result = x
        for digit in bin(whole)[3:]:
            result = square(result)
            if digit == "1":
                result = mul(result, x)
    return reciprocal(result) if exponent < 0 else result


def _real_power(x: Enclosure, exponent: float) -> Enclosure:
    result = _monotone(lambda t: torch.where(t > 0, t, torch.nan).pow(exponent), x, ULPS["pow"])
    if meant(exponent) == Fraction(exponent):
        return result
    # The fraction meant is within 2^-53·|exponent| of the double: |d x^c| <= x^c·|log x|·|dc| = x^c·|log x^c|·2^-53.
    size, least = result.magnitude, result.lower.clamp(min=UNDERFLOW)
    rad = result.rad + size * (size.log().abs() + least.log().abs()) * 2.0**-52
    return Enclosure(result.mid, widen(rad))


@rule(aten.pow.Tensor_Tensor)
def power_of(x: Any, y: Any) -> Enclosure:
    """x^y: of a positive x, or of any x to an exact whole power."""
    x, y = pair(x, y)
    x, y = (Enclosure(t.mid.double(), t.rad) for t in (counted(x), counted(y)))
    general = exp(mul(y, log(x)))
    whole = _to_a_whole_power(x, y)
    exactly_zero = (x.mid == 0) & (x.rad == 0) & (y.mid > y.rad)
    mid = torch.where(whole.rad <= general.rad, whole.mid, general.mid)
    rad = torch.minimum(whole.rad, general.rad)
    return Enclosure(torch.where(exactly_zero, 0.0, mid), torch.where(exactly_zero, 0.0, rad))


def _to_a_whole_power(x: Enclosure, y: Enclosure) -> Enclosure:
    """By the mean value theorem, |x^n - m^n| <= |n|·|t|^(n-1)·rad with t as far from (n < 0: as near to) 0 as may be."""
    mid = torch.pow(x.mid, y.mid)
    furthest, nearest = x.magnitude, ((x.mid.abs() - x.rad) * (1 - 2.0**-50)).clamp(min=0)
    power = torch.pow(torch.where(y.mid < 0, nearest, furthest), y.mid - 1)
    slope = y.mid.abs() * (power + SMALLEST_NORMAL) * (1 + 2.0**-40)
    spread = torch.where((x.rad == 0) | (y.mid == 0), 0.0, slope * x.rad)
    known = (y.rad == 0) & (y.mid == y.mid.round()) & ((y.mid >= 0) | (x.mid.abs() > x.rad))
    rad = widen(spread + rounding(mid, ULPS["pow"]))
    return Enclosure(mid, torch.where(known & mid.isfinite(), rad, torch.inf))


@rule(aten.sqrt.default)
def sqrt(x: Enclosure) -> Enclosure:
    """The square root, of the part of x that is not negative."""
    mid = x.mid.clamp(min=0).sqrt()
    if x.exact:
        mid = torch.where(x.mid < 0, torch.nan, mid)
        return Enclosure(mid, widen(rounding(mid, ULPS["sqrt"])))
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
