"""How a network's outputs become a distribution over responses: softmax, independent yes-or-no answers, a normal response.

With C the covariance of the scores with respect to the outputs, the Fisher information is E JᵀCJ. Every C here is SᵀS for a
square S that is known in closed form.
Numerics: divergences keep their digits however small or large the change of the outputs is.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from boundcheck.errors import BoundcheckError

SERIES = 0.25
"""Below this |u|, exp(u) - 1 - u is summed as a series: subtracting would cost digits."""

TERMS = 14
"""Of that series; the next one is below 2⁻⁶⁰ of the first."""

LARGEST_EXPONENT = 600.0
"""A divergence above this is taken as a logarithm of a sum of exponentials; below it no exponential overflows."""


class Policy(ABC):
    """How outputs z `[..., k]` become a distribution. `score` and `transposed` apply S and Sᵀ, where C = SᵀS."""

    @abstractmethod
    def score(self, outputs: Tensor, change: Tensor) -> Tensor:
        """S·w for a change w of the outputs: `[..., k]`."""

    @abstractmethod
    def transposed(self, outputs: Tensor, scores: Tensor) -> Tensor:
        """Sᵀ·y: `[..., k]`."""

    @abstractmethod
    def divergence(self, outputs: Tensor, change: Tensor) -> Tensor:
        """KL(π_z ‖ π_{z+w}) `[...]`, to a few roundings however small w is."""

    @abstractmethod
    def require_support(self, outputs: Tensor) -> None:
        """Raise BoundcheckError where outputs `[N, k]` give some response the probability 0."""

    def variance_of(self, outputs: Tensor, change: Tensor) -> Tensor:
        """wᵀ·C·w, the variance of what w does to the log-probabilities: `[...]`."""
        return self.score(outputs, change).square().sum(-1)


@dataclass(frozen=True)
class Softmax(Policy):
    """One of k classes, with logits z. C = diag(p) - p·pᵀ."""

    def score(self, outputs: Tensor, change: Tensor) -> Tensor:
        p = outputs.softmax(-1)
        return p.sqrt() * _centred(p, change)

    def transposed(self, outputs: Tensor, scores: Tensor) -> Tensor:
        p = outputs.softmax(-1)
        weighted = p.sqrt() * scores
        return weighted - p * weighted.sum(-1, keepdim=True)

    def divergence(self, outputs: Tensor, change: Tensor) -> Tensor:
        return _log_mean_exp(outputs.log_softmax(-1), change)

    def require_support(self, outputs: Tensor) -> None:
        if outputs.shape[-1] < 2:
            raise BoundcheckError("a softmax of one output", expected="two classes or more", remedy="use Bernoulli()")
        _require_support(outputs.softmax(-1) > 0)


@dataclass(frozen=True)
class Bernoulli(Policy):
    """k independent yes-or-no answers, with logits z. C = diag(p·(1-p))."""

    def score(self, outputs: Tensor, change: Tensor) -> Tensor:
        return (torch.sigmoid(outputs) * torch.sigmoid(-outputs)).sqrt() * change

    def transposed(self, outputs: Tensor, scores: Tensor) -> Tensor:
        return self.score(outputs, scores)

    def divergence(self, outputs: Tensor, change: Tensor) -> Tensor:
        pair = torch.stack([outputs, torch.zeros_like(outputs)], dim=-1).log_softmax(-1)
        return _log_mean_exp(pair, torch.stack([change, torch.zeros_like(change)], dim=-1)).sum(-1)

    def require_support(self, outputs: Tensor) -> None:
        _require_support((torch.sigmoid(outputs) > 0) & (torch.sigmoid(-outputs) > 0))


@dataclass(frozen=True)
class Gaussian(Policy):
    """A normal response around z, of the same variance σ² in every coordinate. C = I/σ²."""

    variance: float = 1.0

    def __post_init__(self) -> None:
        """A variance that is none is refused."""
        if not 0 < self.variance < math.inf:
            raise BoundcheckError(f"a Gaussian policy of variance {self.variance}", expected="a positive number")

    def score(self, outputs: Tensor, change: Tensor) -> Tensor:
        return change / math.sqrt(self.variance)

    def transposed(self, outputs: Tensor, scores: Tensor) -> Tensor:
        return self.score(outputs, scores)

    def divergence(self, outputs: Tensor, change: Tensor) -> Tensor:
        return change.square().sum(-1) / (2 * self.variance)

    def require_support(self, outputs: Tensor) -> None:
        """Every finite mean has it."""


def _require_support(positive: Tensor) -> None:
    if bool(positive.all()):
        return
    sample, place = (~positive).nonzero()[0].tolist()
    raise BoundcheckError(
        f"the policy gives a response of output {place} the probability 0 at sample {sample}",
        expected="full support: the Fisher information and KL divergences of other policies are not what the paper means",
        remedy="leave out classes that are masked, or logits beyond the range of exp",
    )


def _centred(p: Tensor, w: Tensor) -> Tensor:
    """w - E_p w, seen from the likeliest class first: a shift common to all classes costs no digits."""
    likeliest = p.argmax(-1, keepdim=True)
    shape = torch.broadcast_shapes(w.shape, p.shape)
    v = w - w.expand(shape).gather(-1, likeliest.expand(*shape[:-1], 1))
    return v - (p * v).sum(-1, keepdim=True)


def _log_mean_exp(log_p: Tensor, w: Tensor) -> Tensor:
    """log E_p exp(w - E_p w), which is the divergence: no sum in it has terms of both signs."""
    p = log_p.exp()
    u = _centred(p, w)
    small = u.abs() < SERIES
    v = torch.where(small, u, 0.0)
    series = torch.zeros_like(v)
    for k in range(TERMS + 1, 1, -1):
        series = (1 + series) * v / k
    near = p * series * v  # exp(v) - 1 - v = v²/2·(1 + v/3·(1 + v/4·(…)))
    exponent = log_p + u
    above = exponent.clamp(max=LARGEST_EXPONENT).exp() - p * (1 + u)
    far = torch.where(u < 1, p * (torch.expm1(u.clamp(max=1.0)) - u), above)
    excess = torch.where(small, near, far).sum(-1)
    return torch.where(exponent.amax(-1) < LARGEST_EXPONENT, torch.log1p(excess), exponent.logsumexp(-1))
