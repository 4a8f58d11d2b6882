"""Activation functions and their derivatives (of which torch's own double derivatives are made, too)."""

from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from boundcheck.rigor.formulas.numbers import fraction, pi, root
from boundcheck.rigor.registry import aten, decomposes

# ------------------------------------------------------------------------------------------------------------- smooth


@decomposes(aten.gelu.default)
def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    """x·Φ(x); by `erfc`, which keeps its relative accuracy far below 0. Or x·σ(2·√(2/π)·(x + 0.044715·x³))."""
    if approximate == "tanh":
        return x * torch.sigmoid(_tanh_argument(x))
    return x * torch.erfc(-x / root(2, x)) / 2


@decomposes(aten.gelu_backward.default)
def gelu_backward(gradient: Tensor, x: Tensor, *, approximate: str = "none") -> Tensor:
    """gradient·(Φ(x) + x·φ(x))."""
    if approximate == "tanh":
        value = torch.sigmoid(_tanh_argument(x))
        slope = (8 / pi(x)).sqrt() * (1 + fraction(Fraction(134145, 10**6), x * x))
        return gradient * (value + x * value * (1 - value) * slope)
    density = (-x * x / 2).exp() / (2 * pi(x)).sqrt()
    return gradient * (torch.erfc(-x / root(2, x)) / 2 + x * density)


def _tanh_argument(x: Tensor) -> Tensor:
    return (8 / pi(x)).sqrt() * (x + fraction(Fraction(44715, 10**6), x * x * x))


@decomposes(aten.silu.default)
def silu(x: Tensor) -> Tensor:
    """x·σ(x)."""
    return x * torch.sigmoid(x)


@decomposes(aten.silu_backward.default)
def silu_backward(gradient: Tensor, x: Tensor) -> Tensor:
    """gradient·(σ(x) + x·σ'(x))."""
    value = torch.sigmoid(x)
    return gradient * (value + x * value * torch.sigmoid(-x))


@decomposes(aten.mish.default)
def mish(x: Tensor) -> Tensor:
    """x·tanh(softplus(x))."""
    return x * torch.nn.functional.softplus(x).tanh()


@decomposes(aten.mish_backward.default)
def mish_backward(gradient: Tensor, x: Tensor) -> Tensor:
    """gradient·(tanh(s) + x·σ(x)·(1 - tanh²(s))), s = softplus(x)."""
    value = torch.nn.functional.softplus(x).tanh()
    return gradient * (value + x * torch.sigmoid(x) * (1 - value * value))


@decomposes(aten.softplus_backward.default)
def softplus_backward(gradient: Tensor, x: Tensor, beta: float, threshold: float) -> Tensor:
    """gradient·σ(beta·x), without torch's threshold."""
    return gradient * torch.sigmoid(x if beta == 1 else beta * x)


@decomposes(aten.log_sigmoid_forward.default)
def log_sigmoid(x: Tensor) -> tuple[Tensor, Tensor]:
    """log σ(x) = -softplus(-x), and a buffer that nothing here needs."""
    return -torch.nn.functional.softplus(-x), torch.zeros_like(x)


@decomposes(aten.log_sigmoid_backward.default)
def log_sigmoid_backward(gradient: Tensor, x: Tensor, buffer: Tensor) -> Tensor:
    """gradient·σ(-x)."""
    return gradient * torch.sigmoid(-x)


@decomposes(aten.logit_backward.default)
def logit_backward(gradient: Tensor, x: Tensor, eps: float | None = None) -> Tensor:
    """gradient / (x·(1 - x)); 0 where x was brought into [eps, 1 - eps]."""
    inner = gradient / (x * (1 - x))
    return inner if eps is None else torch.where((x >= eps) & (x <= 1 - eps), inner, 0.0)


@decomposes(aten.glu.default)
def glu(x: Tensor, dim: int = -1) -> Tensor:
    """The first half times σ of the second."""
    first, second = x.chunk(2, dim)
    return first * torch.sigmoid(second)


@decomposes(aten.glu_backward.default)
def glu_backward(gradient: Tensor, x: Tensor, dim: int) -> Tensor:
    """The derivative of `glu`."""
    first, second = x.chunk(2, dim)
    gate = torch.sigmoid(second)
    return torch.cat([gradient * gate, gradient * first * gate * (1 - gate)], dim)


@decomposes(aten.glu_jvp.default)
def glu_jvp(value: Tensor, x: Tensor, dx: Tensor, dim: int) -> Tensor:
    """The derivative of `glu` along dx."""
    gate = torch.sigmoid(x.chunk(2, dim)[1])
    first, second = dx.chunk(2, dim)
    return first * gate + value * (1 - gate) * second


# ---------------------------------------------------------------------------------------------------------- with kinks


@decomposes(aten.elu.default)
def elu(x: Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Tensor:
    """scale·x above 0, scale·alpha·(exp(input_scale·x) - 1) below."""
    below = scale * (alpha * (input_scale * x).expm1())
    return torch.where(x > 0, scale * x, below)


@decomposes(aten.elu_backward.default)
def elu_backward(
    gradient: Tensor, alpha: float, scale: float, input_scale: float, is_result: bool, x_or_result: Tensor
) -> Tensor:
    """The derivative of `elu`."""
    if is_result:
        below = gradient * input_scale * (x_or_result + scale * (alpha * torch.ones_like(x_or_result)))
    else:
        below = gradient * input_scale * (scale * (alpha * (input_scale * x_or_result).exp()))
    return torch.where(x_or_result <= 0, below, gradient * scale)


@decomposes(aten.celu.default)
def celu(x: Tensor, alpha: float = 1) -> Tensor:
    """x above 0, alpha·(exp(x/alpha) - 1) below."""
    return torch.where(x > 0, x, alpha * (x / alpha).expm1())


@decomposes(aten.leaky_relu.default)
def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x above 0, negative_slope·x below."""
    return torch.where(x > 0, x, x * negative_slope)


@decomposes(aten.leaky_relu_backward.default)
def leaky_relu_backward(gradient: Tensor, x: Tensor, negative_slope: float, self_is_result: bool) -> Tensor:
    """The derivative of `leaky_relu`."""
    return torch.where(x > 0, gradient, gradient * negative_slope)


@decomposes(aten._prelu_kernel.default)
def prelu(x: Tensor, weight: Tensor) -> Tensor:
    """x above 0, weight·x below."""
    return torch.where(x > 0, x, weight * x)


@decomposes(aten._prelu_kernel_backward.default)
def prelu_backward(gradient: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The derivatives of `prelu`."""
    return torch.where(x > 0, gradient, weight * gradient), torch.where(x > 0, 0.0, x * gradient)


@decomposes(aten.hardtanh.default)
def hardtanh(x: Tensor, low: float = -1, high: float = 1) -> Tensor:
    """x brought into [low, high]."""
    return x.clamp(low, high)


@decomposes(aten.hardtanh_backward.default)
def hardtanh_backward(gradient: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    """The gradient inside, 0 outside."""
    return torch.where((x <= low) | (x >= high), 0.0, gradient)


@decomposes(aten.hardsigmoid.default)
def hardsigmoid(x: Tensor) -> Tensor:
    """(x + 3)/6 brought into [0, 1]."""
    return (x + 3).clamp(0, 6) / 6


@decomposes(aten.hardsigmoid_backward.default)
def hardsigmoid_backward(gradient: Tensor, x: Tensor) -> Tensor:
    """A sixth of the gradient inside, 0 outside."""
    return torch.where((x > -3) & (x < 3), gradient / 6, 0.0)


@decomposes(aten.hardswish.default)
def hardswish(x: Tensor) -> Tensor:
    """x·hardsigmoid(x)."""
    return x * (x + 3).clamp(0, 6) / 6


@decomposes(aten.hardswish_backward.default)
def hardswish_backward(gradient: Tensor, x: Tensor) -> Tensor:
    """The derivative of `hardswish`."""
    return torch.where(x <= -3, 0.0, torch.where(x < 3, gradient * (2 * x + 3) / 6, gradient))


@decomposes(aten.hardshrink.default)
def hardshrink(x: Tensor, width: float = 0.5) -> Tensor:
    """0 within `width` of 0, else x."""
    return torch.where(x.abs() <= width, 0.0, x)


@decomposes(aten.hardshrink_backward.default)
def hardshrink_backward(gradient: Tensor, x: Tensor, width: float) -> Tensor:
    """The derivative of `hardshrink`."""
    return torch.where(x.abs() <= width, 0.0, gradient)


@decomposes(aten.softshrink.default)
def softshrink(x: Tensor, width: float = 0.5) -> Tensor:
    """x moved by `width` towards 0, but not beyond it."""
    return x - x.clamp(-width, width)


@decomposes(aten.softshrink_backward.default)
def softshrink_backward(gradient: Tensor, x: Tensor, width: float) -> Tensor:
    """The derivative of `softshrink`."""
    return torch.where(x.abs() <= width, 0.0, gradient)


@decomposes(aten.threshold.default)
def threshold(x: Tensor, above: float, value: float) -> Any:
    """x above the threshold, `value` elsewhere."""
    return torch.where(x <= above, value, x)
