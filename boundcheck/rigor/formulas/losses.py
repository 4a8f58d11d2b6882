"""Loss functions, and the derivatives of which torch writes 1/n as a rounded double."""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from boundcheck.rigor.registry import aten, decomposes

MEAN, SUM = 1, 2


def _reduced(loss: Tensor, reduction: int) -> Tensor:
    return loss.mean() if reduction == MEAN else loss.sum() if reduction == SUM else loss


def _shared(gradient: Tensor, x: Tensor, reduction: int) -> Tensor:
    return gradient / x.numel() if reduction == MEAN else gradient


@decomposes(aten.mse_loss.default)
def squared(x: Tensor, target: Tensor, reduction: int = MEAN) -> Tensor:
    """(x - target)²."""
    return _reduced((x - target).square(), reduction)


@decomposes(aten.mse_loss_backward.default)
def squared_backward(gradient: Tensor, x: Tensor, target: Tensor, reduction: int) -> Tensor:
    """2·(x - target)·gradient."""
    return 2 * (x - target) * _shared(gradient, x, reduction)


@decomposes(aten.smooth_l1_loss.default)
def smooth_absolute(x: Tensor, target: Tensor, reduction: int = MEAN, beta: float = 1) -> Tensor:
    """|x - target| - beta/2; below beta, (x - target)²/(2·beta)."""
    size = (x - target).abs()
    if beta == 0:
        return _reduced(size, reduction)
    return _reduced(torch.where(size < beta, size * size / beta / 2, size - 0.5 * beta), reduction)


@decomposes(aten.smooth_l1_loss_backward.default)
def smooth_absolute_backward(gradient: Tensor, x: Tensor, target: Tensor, reduction: int, beta: float) -> Tensor:
    """The derivative of `smooth_absolute`."""
    away = x - target
    slope = torch.sign(away) if beta == 0 else (away / beta).clamp(-1, 1)
    return slope * _shared(gradient, x, reduction)


@decomposes(aten.huber_loss.default)
def huber(x: Tensor, target: Tensor, reduction: int = MEAN, delta: float = 1) -> Tensor:
    """(x - target)²/2; beyond delta, delta·(|x - target| - delta/2)."""
    size = (x - target).abs()
    return _reduced(torch.where(size < delta, size * size / 2, delta * (size - 0.5 * delta)), reduction)


@decomposes(aten.huber_loss_backward.default)
def huber_backward(gradient: Tensor, x: Tensor, target: Tensor, reduction: int, delta: float) -> Tensor:
    """The derivative of `huber`."""
    return (x - target).clamp(-delta, delta) * _shared(gradient, x, reduction)


@decomposes(aten.soft_margin_loss.default)
def soft_margin(x: Tensor, target: Tensor, reduction: int = MEAN) -> Tensor:
    """log(1 + exp(-target·x))."""
    return _reduced(-logsigmoid(target * x), reduction)


@decomposes(aten.soft_margin_loss_backward.default)
def soft_margin_backward(gradient: Tensor, x: Tensor, target: Tensor, reduction: int = MEAN) -> Tensor:
    """The derivative of `soft_margin`."""
    return -target * torch.sigmoid(-target * x) * _shared(gradient, x, reduction)


@decomposes(aten.binary_cross_entropy.default)
def cross_entropy(x: Tensor, target: Tensor, weight: Tensor | None = None, reduction: int = MEAN) -> Tensor:
    """-target·log x - (1 - target)·log(1 - x), each logarithm at least -100."""
    loss = (target - 1) * (-x).log1p().clamp(min=-100) - target * x.log().clamp(min=-100)
    return _reduced(loss if weight is None else loss * weight, reduction)


@decomposes(aten.binary_cross_entropy_backward.default)
def cross_entropy_backward(
    gradient: Tensor, x: Tensor, target: Tensor, weight: Tensor | None = None, reduction: int = MEAN
) -> Tensor:
    """(x - target)/(x·(1 - x)), the denominator at least 10⁻¹²."""
    result = _shared(gradient, x, reduction) * (x - target) / (x * (1 - x)).clamp(min=1e-12)
    return result if weight is None else result * weight


@decomposes(aten.binary_cross_entropy_with_logits.default)
def cross_entropy_with_logits(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: int = MEAN,
) -> Tensor:
    """(1 - target)·x - w·log σ(x), w = 1 + (pos_weight - 1)·target."""
    positive = logsigmoid(x) if pos_weight is None else ((pos_weight - 1) * target + 1) * logsigmoid(x)
    loss = (1 - target) * x - positive
    return _reduced(loss if weight is None else loss * weight, reduction)
