"""Policies whose Fisher matrix at the aligned model is a Gram matrix JᵀJ exactly.

A policy turns outputs f `[q]`, 0 at the aligned model, into distributions over responses. All of these are *whitened*: at f =
0 the variance of the log-likelihood ratio along a change w of the outputs is ‖w‖², so that F = JᵀJ for the Jacobian J of the
outputs, and E Var(log-ratio) = ‖f‖² for outputs f.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.geometry.tilting import exponential_remainder, spread
from boundcheck.problem import Part


@dataclass(frozen=True)
class WhitenedPolicy(Part, ABC):
    """A whitened policy with `outputs` outputs. `prompt` are its own free numbers, of the shape `prompt_shape`."""

    outputs: int

    def __post_init__(self) -> None:
        """At least one output."""
        if self.outputs < 1:
            raise BoundcheckError(f"{type(self).__name__}(outputs={self.outputs})", expected="a whole number >= 1")

    @property
    def prompt_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the free numbers that the policy has besides its outputs."""
        return {}

    def support(self, prompt: Mapping[str, Tensor]) -> Tensor | None:
        """A margin that is above 0 where every prompt and response has a probability above 0; None where that is always so."""
        return None

    @abstractmethod
    def divergence(self, outputs: Tensor, prompt: Mapping[str, Tensor]) -> Tensor:
        """E_x KL(π* ‖ π) of the policy with these outputs `[q]` from the one with outputs 0."""

    @abstractmethod
    def lower_factor(self, outputs: Tensor, prompt: Mapping[str, Tensor]) -> Tensor:
        """ψ(-R), R the largest spread over the responses to one prompt of the logits; KL >= ψ(-R)·‖f‖²."""

    @abstractmethod
    def upper_factor(self, outputs: Tensor, prompt: Mapping[str, Tensor]) -> Tensor:
        """ψ(R); KL <= ψ(R)·‖f‖²."""


@dataclass(frozen=True)
class GaussianPolicy(WhitenedPolicy):
    """Responses N(f, I): KL = ½‖f‖², without any remainder."""

    def divergence(self, outputs: Tensor, prompt: Mapping[str, Tensor]) -> Tensor:
        return 0.5 * outputs.square().sum(-1)

    def lower_factor(self, outputs: Tensor, prompt: Mapping[str, Tensor]) -> Tensor:
        return torch.full_like(outputs[..., 0], 0.5)

    def upper_factor(self, outputs: Tensor, prompt: Mapping[str, Tensor]) -> Tensor:
        return torch.full_like(outputs[..., 0], 0.5)


@dataclass(frozen=True)
class _CategoricalPolicy(WhitenedPolicy, ABC):
    @abstractmethod
    def spread(self, outputs: Tensor, prompt: Mapping[str, Tensor]) -> Tensor:
        """R, the largest difference between the logits of two responses to one prompt."""

    def lower_factor(self, outputs: Tensor, prompt: Mapping[str, Tensor]) -> Tensor:
        return exponential_remainder(-self.spread(outputs, prompt))

    def upper_factor(self, outputs: Tensor, prompt: Mapping[str, Tensor]) -> Tensor:
        return exponential_remainder(self.spread(outputs, prompt))


@cache
def _signs(outputs: int) -> tuple[tuple[int, ...], ...]:
    """Rows: 2^j classes; columns: `outputs` non-constant columns of the Hadamard matrix of that order, 2^j > outputs."""
    classes = 1 << outputs.bit_length()
    return tuple(
        tuple(1 - 2 * ((row & column).bit_count() % 2) for column in range(1, outputs + 1)) for row in range(classes)
    )


@dataclass(frozen=True)
class HadamardPolicy(_CategoricalPolicy):
    """One prompt, 2^j > q responses, all equally likely at f = 0; logits f·(columns of ±1 orthogonal to each other and to 1).

    Full support whatever f is. Logits have mean 0, so KL = log mean e^z.
    """

    def logits(self, outputs: Tensor) -> Tensor:
        """z of each response, of mean 0: `[..., 2^j]`."""
        return outputs @ outputs.new_tensor(_signs(self.outputs)).mT

    def divergence(self, outputs: Tensor, prompt: Mapping[str, Tensor]) -> Tensor:
        logits = self.logits(outputs)
        return torch.log1p((torch.expm1(logits) - logits).mean(-1))

    def spread(self, outputs: Tensor, prompt: Mapping[str, Tensor]) -> Tensor:
        return spread(self.logits(outputs))


@dataclass(frozen=True)
class BernoulliPolicy(_CategoricalPolicy):
    """q prompts of weights p_k = r_k²/Σr², a yes-or-no response each, both equally likely at f = 0; logit 2·f_k/√p_k.

    The free numbers r (`prompt["weights"]`, `[q]`, none of them 0) make p_k a rational square.
    """

    @property
    def prompt_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weights": (self.outputs,)}

    def support(self, prompt: Mapping[str, Tensor]) -> Tensor:
        return prompt["weights"].abs().amin(-1)

    def half_logits(self, outputs: Tensor, prompt: Mapping[str, Tensor]) -> Tensor:
        """f_k/√p_k, half the logit of prompt k: `[..., q]`."""
        weights = prompt["weights"]
        weights = torch.where(weights == 0, torch.ones_like(weights), weights)  # `support` says that there is one
        return outputs * weights.square().sum(-1, keepdim=True).sqrt() / weights.abs()

    def divergence(self, outputs: Tensor, prompt: Mapping[str, Tensor]) -> Tensor:
        # log cosh(h) = log(1 + 2·sinh²(h/2)) loses nothing at small h.
        half = self.half_logits(outputs, prompt)
        squares = prompt["weights"].square()
        kl = torch.log1p(2.0 * torch.sinh(0.5 * half).square())
        return (squares * kl).sum(-1) / squares.sum(-1)

    def spread(self, outputs: Tensor, prompt: Mapping[str, Tensor]) -> Tensor:
        return 2.0 * self.half_logits(outputs, prompt).abs().amax(-1)
