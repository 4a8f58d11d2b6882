"""Elementwise functions."""

from typing import Any

import torch
from torch import Tensor

from boundcheck.rigor.formulas.numbers import number, pi, root
from boundcheck.rigor.registry import aten, decomposes

# ------------------------------------------------------------------------------------------ exponentials and logarithms


@decomposes(aten.log2.default)
def log2(x: Tensor) -> Tensor:
    """log x / log 2."""
    return x.log() / number(2, x).log()


@decomposes(aten.log10.default)
def log10(x: Tensor) -> Tensor:
    """log x / log 10."""
    return x.log() / number(10, x).log()


@decomposes(aten.exp2.default)
def exp2(x: Tensor) -> Tensor:
    """exp(x·log 2)."""
    return (x * number(2, x).log()).exp()


@decomposes(aten.pow.Scalar)
def scalar_power(base: float, exponent: Tensor) -> Tensor:
    """exp(exponent·log base), for a positive base."""
    if base <= 0:
        return NotImplemented
    return (exponent * number(base, exponent).log()).exp()


@decomposes(aten.sinh.default)
def sinh(x: Tensor) -> Tensor:
    """(eˣ - e⁻ˣ)/2, accurate near 0."""
    return (x.expm1() - (-x).expm1()) / 2


@decomposes(aten.cosh.default)
def cosh(x: Tensor) -> Tensor:
    """(eˣ + e⁻ˣ)/2."""
    return (x.exp() + (-x).exp()) / 2


@decomposes(aten.asinh.default)
def asinh(x: Tensor) -> Tensor:
    """sign(x)·log(|x| + √(1 + x²)), accurate near 0."""
    size = x.abs()
    value = (size + x * x / (1 + (1 + x * x).sqrt())).log1p()
    return torch.where(x < 0, -value, value)


@decomposes(aten.acosh.default)
def acosh(x: Tensor) -> Tensor:
    """log(x + √(x² - 1)), accurate near 1."""
    above = x - 1
    return (above + (above * (x + 1)).sqrt()).log1p()


@decomposes(aten.atanh.default)
def atanh(x: Tensor) -> Tensor:
    """(log(1 + x) - log(1 - x))/2."""
    return (x.log1p() - (-x).log1p()) / 2


@decomposes(aten.logaddexp.default)
def logaddexp(x: Tensor, y: Tensor) -> Tensor:
    """log(eˣ + eʸ)."""
    return torch.maximum(x, y) + (-(x - y).abs()).exp().log1p()


@decomposes(aten.xlogy.Tensor, aten.xlogy.Scalar_Other)
def xlogy(x: Tensor, y: Any) -> Tensor:
    """x·log y, and 0 where x is."""
    return torch.where(x == 0, 0.0, x * torch.as_tensor(y, dtype=x.dtype, device=x.device).log())


@decomposes(aten.special_xlog1py.default)
def xlog1py(x: Tensor, y: Tensor) -> Tensor:
    """x·log(1 + y), and 0 where x is."""
    return torch.where(x == 0, 0.0, x * y.log1p())


@decomposes(aten.special_entr.default)
def entr(x: Tensor) -> Tensor:
    """-x·log x; 0 at 0, -∞ below it."""
    return torch.where(x > 0, -x * x.log(), torch.where(x == 0, torch.zeros_like(x), -torch.inf))


@decomposes(aten.logit.default)
def logit(x: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), of x brought into [eps, 1 - eps]."""
    inside = x if eps is None else x.clamp(eps, 1 - eps)
    return inside.log() - (-inside).log1p()


@decomposes(aten.special_ndtr.default)
def ndtr(x: Tensor) -> Tensor:
    """Φ(x), the normal distribution."""
    return torch.erfc(-x / root(2, x)) / 2


@decomposes(aten.special_log_ndtr.default)
def log_ndtr(x: Tensor) -> Tensor:
    """log Φ(x)."""
    tail = torch.erfc(x.abs() / root(2, x)) / 2
    return torch.where(x > 0, (-tail).log1p(), tail.log())


# ------------------------------------------------------------------------------------------------------ trigonometry


@decomposes(aten.tan.default)
def tan(x: Tensor) -> Tensor:
    """sin x / cos x."""
    return x.sin() / x.cos()


@decomposes(aten.asin.default)
def asin(x: Tensor) -> Tensor:
    """2·arctan(x / (1 + √(1 - x²)))."""
    return 2 * (x / (1 + ((1 - x) * (1 + x)).sqrt())).atan()


@decomposes(aten.acos.default)
def acos(x: Tensor) -> Tensor:
    """2·arctan √((1 - x)/(1 + x)), and π minus that of -x below 0."""
    above = 2 * ((1 - x) / (1 + x)).sqrt().atan()
    below = pi(x) - 2 * ((1 + x) / (1 - x)).sqrt().atan()
    return torch.where(x > 0, above, below)


@decomposes(aten.atan2.default)
def atan2(y: Tensor, x: Tensor) -> Tensor:
    """The angle of (x, y)."""
    half_turn = pi(x)
    steep = torch.where(y > 0, half_turn, -half_turn) / 2 - (x / y).atan()
    flat = (y / x).atan()
    behind = flat + torch.where(y < 0, -half_turn, half_turn)
    return torch.where(y.abs() > x.abs(), steep, torch.where(x > 0, flat, behind))


@decomposes(aten.sinc.default)
def sinc(x: Tensor) -> Tensor:
    """sin(πx)/(πx), and 1 at 0."""
    angle = pi(x) * x
    return torch.where(x == 0, 1.0, angle.sin() / angle)


@decomposes(aten.deg2rad.default)
def deg2rad(x: Tensor) -> Tensor:
    """x·π/180."""
    return x * pi(x) / 180


@decomposes(aten.rad2deg.default)
def rad2deg(x: Tensor) -> Tensor:
    """x·180/π."""
    return x * 180 / pi(x)


@decomposes(aten.hypot.default)
def hypot(x: Tensor, y: Tensor) -> Tensor:
    """√(x² + y²)."""
    return torch.linalg.vector_norm(torch.stack(torch.broadcast_tensors(x, y)), dim=0)


# ------------------------------------------------------------------------------------------------- pieces and choices


@decomposes(aten.sign.default, aten.sgn.default)
def sign(x: Tensor) -> Any:
    """1, 0 or -1."""
    if x.is_complex():
        return NotImplemented
    return torch.where(x > 0, 1.0, torch.where(x < 0, -1.0, torch.zeros_like(x))).to(x.dtype)


@decomposes(aten.signbit.default)
def signbit(x: Tensor) -> Tensor:
    """x < 0 (a real number has no -0)."""
    return x < 0


@decomposes(aten.copysign.Tensor)
def copysign(x: Tensor, y: Tensor) -> Tensor:
    """|x| with the sign of y."""
    return torch.where(y < 0, -x.abs(), x.abs())


@decomposes(aten.heaviside.default)
def heaviside(x: Tensor, values: Tensor) -> Tensor:
    """0 below 0, 1 above it, `values` at it."""
    return torch.where(x == 0, values, torch.where(x < 0, torch.zeros_like(x), 1.0))


@decomposes(aten.frac.default)
def frac(x: Tensor) -> Tensor:
    """x - trunc(x)."""
    return x - x.trunc()


@decomposes(aten.div.Tensor_mode, aten.div.Scalar_mode)
def whole_quotient(x: Tensor, y: Any, *, rounding_mode: str | None = None) -> Any:
    """x / y, cut to a whole number downwards (`floor`) or towards 0 (`trunc`)."""
    if rounding_mode is None:
        return x / y
    if not _any_float(x, y):
        return NotImplemented
    return (x / y).floor() if rounding_mode == "floor" else (x / y).trunc()


def _any_float(x: Tensor, y: Any) -> bool:
    return x.is_floating_point() or (y.is_floating_point() if isinstance(y, Tensor) else isinstance(y, float))


@decomposes(aten.floor_divide.default, aten.floor_divide.Scalar)
def floor_divide(x: Tensor, y: Any) -> Tensor:
    """⌊x / y⌋."""
    return torch.div(x, y, rounding_mode="floor")


@decomposes(aten.remainder.Tensor, aten.remainder.Scalar)
def remainder(x: Tensor, y: Any) -> Any:
    """x - y·⌊x/y⌋."""
    return x - y * (x / y).floor() if _any_float(x, y) else NotImplemented


@decomposes(aten.fmod.Tensor, aten.fmod.Scalar)
def fmod(x: Tensor, y: Any) -> Any:
    """x - y·trunc(x/y)."""
    return x - y * (x / y).trunc() if _any_float(x, y) else NotImplemented


@decomposes(aten.clamp_max.default, aten.clamp_max.Tensor)
def clamp_max(x: Tensor, high: Any) -> Tensor:
    """The smaller of x and `high`."""
    return torch.minimum(x, high) if isinstance(high, Tensor) else x.clamp(None, high)


@decomposes(aten.clamp_min.Tensor)
def clamp_min(x: Tensor, low: Tensor) -> Tensor:
    """The larger of x and `low`."""
    return torch.maximum(x, low)


@decomposes(aten.clamp.Tensor)
def clamp(x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """x brought into [low, high]."""
    raised = x if low is None else torch.maximum(x, low)
    return raised if high is None else torch.minimum(raised, high)


@decomposes(aten.fmax.default)
def fmax(x: Tensor, y: Tensor) -> Tensor:
    """The larger of two (no real number is NaN)."""
    return torch.maximum(x, y)


@decomposes(aten.fmin.default)
def fmin(x: Tensor, y: Tensor) -> Tensor:
    """The smaller of two."""
    return torch.minimum(x, y)


@decomposes(aten.lerp.Scalar, aten.lerp.Tensor)
def lerp(x: Tensor, y: Tensor, weight: Any) -> Tensor:
    """x + weight·(y - x)."""
    return x + weight * (y - x)


@decomposes(aten.addcdiv.default)
def addcdiv(x: Tensor, y: Tensor, z: Tensor, *, value: float = 1) -> Tensor:
    """x + value·y/z."""
    return x + (y if value == 1 else value * y) / z


@decomposes(aten.masked_fill.Scalar, aten.masked_fill.Tensor)
def masked_fill(x: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`value` where the mask is true, else x."""
    return torch.where(mask, value, x)


@decomposes(aten.logical_xor.default, aten.bitwise_xor.Tensor)
def either_but_not_both(x: Tensor, y: Tensor) -> Tensor:
    """One of two truth values, not both."""
    if x.dtype != torch.bool or y.dtype != torch.bool:
        return NotImplemented
    return (x | y) & ~(x & y)
