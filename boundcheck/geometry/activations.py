"""Activation functions with their derivative, and how large value, slope and bend can become."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from boundcheck.errors import BoundcheckError

TANH_CURVATURE = math.nextafter(4 / (3 * math.sqrt(3)), 1.0)
"""At least sup|tanh''| = 4/(3·√3), rounded up: a larger Lipschitz constant is the safe direction."""

SIGMOID_CURVATURE = math.nextafter(1 / (6 * math.sqrt(3)), 1.0)
"""At least sup|σ''| = 1/(6·√3), rounded up: σ(t) = (1 + tanh(t/2))/2."""

SOFTPLUS_CURVATURE = 0.25
"""sup|softplus''|, exactly."""


@dataclass(frozen=True)
class Activation:
    """φ, applied to each entry.

    Attributes:
        value, slope: φ and φ'.
        at_zero, limit: at least |φ(0)| and sup|φ| (+inf where there is none).
        steepest, sharpest: at least sup|φ'| and sup|φ''|, away from kinks.
        kinked: whether φ' jumps at 0.
        together: φ and φ' from what they have in common, to the same bits as `value` and `slope`; None where that is nothing.

    """

    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    at_zero: float
    limit: float
    steepest: float
    sharpest: float
    kinked: bool = False
    together: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None

    def both(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """φ(t) and φ'(t)."""
        return self.together(t) if self.together is not None else (self.value(t), self.slope(t))


def softplus(t: Tensor) -> Tensor:
    """log(1 + eᵗ) by the formula that is accurate everywhere (torch's float64 one is not above its threshold)."""
    return t.clamp(min=0) + torch.log1p(torch.exp(-t.abs()))


def sigmoid(t: Tensor) -> Tensor:
    """1/(1 + e⁻ᵗ), the same bits whatever the batch (torch's own differ)."""
    return 0.5 + 0.5 * torch.tanh(0.5 * t)


def _tanh_slope(t: Tensor) -> Tensor:
    return 1 - torch.tanh(t).square()


def _tanh_both(t: Tensor) -> tuple[Tensor, Tensor]:
    value = torch.tanh(t)
    return value, 1 - value.square()


def _sigmoid_slope(t: Tensor) -> Tensor:
    return 0.25 * (1 - torch.tanh(0.5 * t).square())


def _sigmoid_both(t: Tensor) -> tuple[Tensor, Tensor]:
    odd = torch.tanh(0.5 * t)
    return 0.5 + 0.5 * odd, 0.25 * (1 - odd.square())


def _relu(t: Tensor) -> Tensor:
    return t.clamp(min=0)


def _relu_slope(t: Tensor) -> Tensor:
    return (t > 0).to(t.dtype)


ACTIVATIONS = {
    "tanh": Activation(torch.tanh, _tanh_slope, 0.0, 1.0, 1.0, TANH_CURVATURE, together=_tanh_both),
    "softplus": Activation(softplus, sigmoid, math.nextafter(math.log(2), 1.0), math.inf, 1.0, SOFTPLUS_CURVATURE),
    "sigmoid": Activation(sigmoid, _sigmoid_slope, 0.5, 1.0, 0.25, SIGMOID_CURVATURE, together=_sigmoid_both),
    "relu": Activation(_relu, _relu_slope, 0.0, math.inf, 1.0, 0.0, kinked=True),
}
SMOOTH = tuple(name for name, activation in ACTIVATIONS.items() if not activation.kinked)


def require_activation(name: str, known: tuple[str, ...]) -> None:
    """Raises BoundcheckError for an activation that is not among the known ones."""
    if name not in known:
        raise BoundcheckError(f"activation={name!r}", expected=" or ".join(f'"{other}"' for other in known))
