"""The Fisher information of a policy, of any torch module or function f(params, x), and the alignment instability condition.

A policy turns a network's outputs z at a prompt x into a distribution. With C_x the covariance of its scores with respect to z,
F = E_x J_xᵀ·C_x·J_x. Every C_x here is SᵀS for a square S that is known in closed form, so F = AᵀA for the rows
A = √weight·S_x·J_x, one for each prompt and class. All that the instability condition asks of F is in A: with A = U·Σ·Vᵀ the
top-d eigenspace of F is spanned by the first d columns of V, ‖F^{1/2}Pv‖ = ‖U_dᵀAv‖ and ‖Pv‖ = ‖Σ_d⁻¹U_dᵀAv‖.

Numerics: where A fits into memory λ_j = σ_j² come from its singular values, accurate to about u·√(λ_1·λ_j); from the Gram matrix
A·Aᵀ, which needs no row of length n for linear layers, they are accurate to about u·λ_1. Neither forms F, of n × n numbers.
Everything after the network's own passes is float64. An eigenspace exists only where λ_d > λ_{d+1}: where rounding hides that,
what depends on it is NaN.

Source: Alignment Collapse, Section 3.2 (F), Definitions 3.4 (the subspace) and 5.1 (the condition).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import grad, jvp, vjp, vmap

from boundcheck.errors import BoundcheckError
from boundcheck.geometry.jacobian import (
    DEFAULT_CHUNK,
    NETWORK_ROUNDINGS,
    Function,
    Params,
    _check,
    _jacobians,
    _Model,
    _model,
    _require_finite,
    _rows,
)
from boundcheck.geometry.layers import NotSeparableError

Loss = Callable[..., Tensor]
"""A scalar of the parameters, in the form in which they were given."""

FORMED = 2**22
"""Numbers that the rows A may have before the Gram matrix is taken instead (32 MiB): beyond it they are slower."""

SERIES = 0.25
"""Below this |u|, exp(u) - 1 - u is summed as a series: subtracting would cost digits."""

TERMS = 14
"""Of that series; the next one is below 2⁻⁶⁰ of the first."""

LARGEST_EXPONENT = 600.0
"""A divergence above this is taken as a logarithm of a sum of exponentials; below it no exponential overflows."""

NODES = 8
"""Of the quadrature along a step: the error is of order 16 in its length."""


# ------------------------------------------------------------------------------------------------------------- policies


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


# --------------------------------------------------------------------------------------------------------------- Fisher


@dataclass(frozen=True)
class Fisher:
    """F at θ*, as a matrix, as an operator or through its rows A. Vectors are flat, in the parameters' order.

    Attributes:
        policy: how outputs become a distribution.
        x: prompts `[N, ...]`.
        weights: their probabilities `[N]`, of sum 1.
        outputs: the network's `[N, k]`, in float64.

    """

    policy: Policy
    x: Tensor
    weights: Tensor
    outputs: Tensor
    _model: _Model
    _bare: bool
    _chunk: int | None

    @property
    def params(self) -> Params:
        """θ*, in the form in which it was given (by name for a module)."""
        return self._model.params["params"] if self._bare else self._model.params

    @property
    def parameters(self) -> int:
        """n."""
        return self._model.size

    @property
    def rows(self) -> int:
        """N·k, the rows of A."""
        return self.outputs.numel()

    def matrix(self) -> Tensor:
        """F itself, `[n, n]`: for models with few parameters."""
        total = self.outputs.new_zeros(self.parameters, self.parameters)
        for block in self._score_blocks():
            total += block.mT @ block
        return total

    def scores(self) -> Tensor:
        """A with F = AᵀA: `[N·k, n]`, prompt by prompt."""
        return torch.cat(list(self._score_blocks()))

    def gram(self) -> Tensor:
        """A·Aᵀ `[N·k, N·k]`; rows of length n are formed only for parameters outside of linear layers."""
        try:
            rows = _rows(self._model, self.x, self._chunk)
            products = rows.products(rows)
        except NotSeparableError:
            rows = _rows(replace(self._model, layers={}), self.x, self._chunk)
            products = rows.products(rows)
        samples, k = self.outputs.shape
        products = self._scored(products.reshape(samples * k, samples, k)).flatten(-2)
        return self._scored(products.mT.reshape(samples * k, samples, k)).flatten(-2)

    def apply(self, vector: Tensor) -> Tensor:
        """F·v `[n]`, by one forward and one backward derivative: nothing larger than the network's own passes."""
        return self.back(self.along(vector))

    def along(self, vector: Tensor) -> Tensor:
        """A·v `[N·k]`: its norm is ‖F^{1/2}v‖."""
        return self._scored(self.output_derivative(vector)).flatten()

    def back(self, scores: Tensor) -> Tensor:
        """Aᵀ·y `[n]` for y `[N·k]`."""
        weighted = self.weights.sqrt()[:, None] * scores.reshape(self.outputs.shape)
        cotangents, size = _unit(self.policy.transposed(self.outputs, weighted))
        total = self.outputs.new_zeros(self.parameters)
        for x, part in zip(self._batches(), cotangents.split(self._step), strict=True):
            outputs, pull = vjp(lambda p, x=x: self._evaluate(p, x), self._model.params)[:2]
            total += size * self._flat(pull(part.to(outputs.dtype))[0])
        return _finite(total, "F·v")

    def output_derivative(self, vector: Tensor) -> Tensor:
        """J_x·v at every prompt: `[N, k]`."""
        return self._derivative(self._model.params, vector)

    def output_change(self, step: Tensor) -> Tensor:
        """f(θ* + D) - f(θ*) `[N, k]` of a smooth model, to almost as many digits as J·D, however short D `[n]` is.

        The integral of J(θ* + s·D)·D by Gauss's rule of 8 nodes. It is meant for short steps; for one so long that the outputs
        change by more than 1e-4 of themselves, the difference of both is as good (see `divergence`).
        """
        at, share = np.polynomial.legendre.leggauss(NODES)
        tangents = self._split(step)
        total = torch.zeros_like(self.outputs)
        for s, w in zip((at + 1) / 2, share / 2, strict=True):
            shifted = {name: value + float(s) * tangents[name] for name, value in self._model.params.items()}
            total += float(w) * self._derivative(shifted, step)
        return total

    def divergence(self, tuned: Params) -> Tensor:
        """Δu = E_x KL(π_θ* ‖ π_tuned), from the outputs at both.

        The outputs' own roundings are all that is lost: relative to what changes, about u·|z|/|w|. For a short step from θ* use
        `divergence_after`.
        """
        named = {"params": tuned} if isinstance(tuned, Tensor) else dict(tuned)
        if named.keys() != self._model.params.keys():
            raise BoundcheckError(
                f"tuned has {', '.join(sorted(named)) or 'nothing'}", expected=f"{', '.join(self._model.params)}"
            )
        after = torch.cat([self._evaluate(named, x).detach().double() for x in self._batches()])
        _require_finite(after, "the output")
        return self._mean(self.policy.divergence(self.outputs, after - self.outputs))

    def divergence_after(self, step: Tensor) -> Tensor:
        """Δu = E_x KL(π_θ* ‖ π_{θ*+D}) for a short step D `[n]` of a smooth model, with the accuracy of `output_change`."""
        return self._mean(self.policy.divergence(self.outputs, self.output_change(step)))

    def output_norm(self, change: Tensor) -> Tensor:
        """|w|_* = √(E_x Var w) of a change of outputs w `[N, k]`, so that |J·v|_* = ‖F^{1/2}v‖."""
        return self._mean(self.policy.variance_of(self.outputs, change)).sqrt()

    def spectrum(self, *, form: bool | None = None) -> "FisherSpectrum":
        """The eigenvalues of F, and its eigenvectors as far as they are asked for.

        Args:
            form: whether to form the rows A (`[N·k, n]`, more accurate) or only their Gram matrix; if not given, the former
                where A has at most 2²² numbers.

        """
        if form is None:
            form = self.rows * self.parameters <= FORMED
        return _from_rows(self) if form else _from_gram(self)

    @property
    def _step(self) -> int:
        return self._chunk or DEFAULT_CHUNK

    def _batches(self) -> tuple[Tensor, ...]:
        return self.x.split(self._step)

    def _evaluate(self, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Each sample passed through the model alone, as for its Jacobian."""
        return vmap(lambda sample: self._model.call(params, sample[None])[0])(x)

    def _derivative(self, params: dict[str, Tensor], vector: Tensor) -> Tensor:
        unit, size = _unit(vector)
        tangents = self._split(unit)
        parts = [jvp(lambda p, x=x: self._evaluate(p, x), (params,), (tangents,))[1] for x in self._batches()]
        return _finite(size * torch.cat(parts).detach().double(), "J·v")

    def _scored(self, change: Tensor) -> Tensor:
        """√weight·S·w for w `[..., N, k]`."""
        return self.weights.sqrt()[:, None] * self.policy.score(self.outputs, change)

    def _score_blocks(self) -> Iterator[Tensor]:
        first = 0
        for jacobian in _jacobians(self._model.call, self._model.params, self.x, self._chunk):
            here = slice(first, first + len(jacobian))
            first = here.stop
            scored = self.policy.score(self.outputs[here, None], jacobian.double().mT).mT
            yield (self.weights[here].sqrt()[:, None, None] * scored).flatten(0, 1)

    def _split(self, vector: Tensor) -> dict[str, Tensor]:
        if vector.shape != (self.parameters,):
            raise BoundcheckError(f"a vector of shape {list(vector.shape)}", expected=f"[{self.parameters}]")
        return split_like(self._model.params, vector)

    def _flat(self, named: Mapping[str, Tensor]) -> Tensor:
        return flattened({name: named[name] for name in self._model.params})

    def _mean(self, values: Tensor) -> Tensor:
        return (self.weights * values).sum()


def fisher_information(
    module_or_fn: nn.Module | Function,
    x: Tensor,
    policy: Policy,
    *,
    params: Params | None = None,
    weights: Tensor | None = None,
    chunk: int | None = None,
) -> Fisher:
    """The Fisher information F = E_x J_xᵀ·C_x·J_x of the policy whose outputs are f(θ*, x).

    Args:
        module_or_fn: a module that maps a batch `[N, ...]` to `[N, k]` (or `[N]`, for k = 1), or such a function f(params, x).
        x: prompts `[N, ...]`.
        policy: `Softmax()`, `Bernoulli()` or `Gaussian(variance)`.
        params: θ*; for a function a tensor or a mapping of tensors, for a module a mapping by parameter name, or None for all its
            parameters that require gradients. Vectors of length n follow the mapping's order.
        weights: probabilities of the prompts `[N]`, up to a factor; all the same if not given.
        chunk: prompts a pass.

    Raises:
        BoundcheckError: for no prompt, for numbers that are not finite, for weights that are no distribution, or for a
            policy that gives some response the probability 0.

    """
    model = _model(module_or_fn, params)
    _check(x, "x", chunk)
    chosen = _probabilities(weights, x)
    outline = Fisher(policy, x, chosen, chosen, model, isinstance(params, Tensor), chunk)
    outputs = torch.cat([outline._evaluate(model.params, part).detach().double() for part in outline._batches()])
    if bool(outputs.isinf().any()):
        policy.require_support(outputs)  # says more than that something is not finite
    _require_finite(outputs, "the output")
    policy.require_support(outputs)
    return replace(outline, outputs=outputs)


def _probabilities(weights: Tensor | None, x: Tensor) -> Tensor:
    if weights is None:
        weights = torch.ones(len(x))
    if weights.shape != (len(x),):
        raise BoundcheckError(f"weights of shape {list(weights.shape)}", expected=f"[{len(x)}], one a prompt")
    weights = weights.detach().to(x.device, torch.float64)
    total = float(weights.sum())
    if not (bool((weights >= 0).all()) and 0 < total < math.inf):
        raise BoundcheckError(
            f"weights of sum {total}, {int((weights < 0).sum())} of them negative", expected="a distribution"
        )
    return weights / total


def _finite(values: Tensor, what: str) -> Tensor:
    if not bool(values.isfinite().all()):
        raise BoundcheckError(
            f"{what} is not finite", expected="finite numbers", remedy="rescale the outputs or the vector"
        )
    return values


def _unit(vector: Tensor) -> tuple[Tensor, float]:
    """v/s and s, its largest entry: what a network in narrow floats is given must not underflow."""
    size = float(vector.abs().max()) if vector.numel() else 0.0
    return (vector.double() / size, size) if 0 < size < math.inf else (vector.double(), 1.0)


def flattened(named: Mapping[str, Tensor]) -> Tensor:
    """All entries in the mapping's order, in float64."""
    return torch.cat([value.detach().double().flatten() for value in named.values()])


def split_like(named: Mapping[str, Tensor], vector: Tensor) -> dict[str, Tensor]:
    """The reverse of `flattened`, in shapes and dtypes of `named`."""
    parts = vector.split([value.numel() for value in named.values()])
    return {name: part.reshape(value.shape).to(value) for (name, value), part in zip(named.items(), parts, strict=True)}


# --------------------------------------------------------------------------------------------------------------- spectrum


@dataclass(frozen=True)
class FisherSpectrum:
    """Eigenvalues of F, decreasing.

    Attributes:
        fisher: what it is the spectrum of.
        eigenvalues: the first min(N·k, n) of them; all others are 0.
        errors: size of the rounding error of each: an estimate, not a proved bound.
        rank: how many are above it.

    """

    fisher: Fisher
    eigenvalues: Tensor
    errors: Tensor
    rank: int
    _left: Tensor
    _right: Tensor | None

    def eigenspace(self, d: int) -> "Eigenspace":
        """The span of the d leading eigenvectors (Definition 3.4).

        Raises:
            BoundcheckError: for a d outside of 1..rank, unless d = n: the whole space needs no eigenvectors.

        """
        n = self.fisher.parameters
        if d != n and not 1 <= d <= self.rank:
            raise BoundcheckError(
                f"d={d} for a Fisher information of rank {self.rank}",
                expected=f"{f'a dimension from 1 to {self.rank}, or ' if self.rank else ''}n = {n}",
                remedy="beyond the rank the leading eigenvectors are arbitrary; give fewer dimensions or more prompts",
            )
        return Eigenspace(self, d)

    def _at(self, j: int) -> tuple[float, float]:
        """λ_j and its error, counted from 1."""
        if j > len(self.eigenvalues):
            return 0.0, 0.0
        return float(self.eigenvalues[j - 1]), float(self.errors[j - 1])


@dataclass(frozen=True)
class Eigenspace:
    """The span of the d leading eigenvectors of F; P projects onto it. What it says is NaN where it is not `separated`."""

    spectrum: FisherSpectrum
    d: int

    @property
    def whole(self) -> bool:
        """Whether it is all of space."""
        return self.d == self.spectrum.fisher.parameters

    @property
    def smallest(self) -> float:
        """λ_d."""
        return self.spectrum._at(self.d)[0]

    @property
    def tail(self) -> float:
        """Σ_{j>d} λ_j."""
        return float(self.spectrum.eigenvalues[self.d :].sum())

    @property
    def gap(self) -> float:
        """λ_d - λ_{d+1}; +∞ for all of space."""
        return math.inf if self.whole else self.smallest - self.spectrum._at(self.d + 1)[0]

    @property
    def gap_error(self) -> float:
        """Size of the rounding error in `gap`, an estimate."""
        return 0.0 if self.whole else self.spectrum._at(self.d)[1] + self.spectrum._at(self.d + 1)[1]

    @property
    def separated(self) -> bool:
        """Whether λ_d > λ_{d+1} beyond rounding. Otherwise no space of d dimensions is the leading one."""
        return self.gap > self.gap_error

    def basis(self) -> Tensor:
        """An orthonormal basis as columns, `[n, d]`."""
        identity = torch.eye(self.d, dtype=torch.float64, device=self.spectrum._left.device)
        if self.whole:
            return identity
        columns = torch.stack([self._lifted(e) for e in identity], dim=1)
        return torch.linalg.qr(columns).Q if self.separated else columns

    def project(self, vector: Tensor) -> Tensor:
        """P·v `[n]`."""
        return vector.double() if self.whole else self._lifted(self._coordinates(vector))

    def length(self, vector: Tensor) -> float:
        """‖P·v‖."""
        return float(torch.linalg.vector_norm(vector.double() if self.whole else self._coordinates(vector)))

    def weighted(self, vector: Tensor) -> Tensor:
        """F^{1/2}·P·v `[n]`."""
        return self._lifted(self._roots * self._coordinates(vector))

    def weighted_length(self, vector: Tensor) -> float:
        """‖F^{1/2}·P·v‖."""
        return float(torch.linalg.vector_norm(self._roots * self._coordinates(vector)))

    @property
    def _count(self) -> int:
        """Eigenvectors that matter: where the space is everything, those of eigenvalues that are not 0."""
        return self.spectrum.rank if self.whole else self.d

    @property
    def _roots(self) -> Tensor:
        return self.spectrum.eigenvalues[: self._count].sqrt()

    @property
    def _left(self) -> Tensor:
        return self.spectrum._left[:, : self._count]

    def _coordinates(self, vector: Tensor) -> Tensor:
        """Vᵀ·v = Σ⁻¹·Uᵀ·A·v."""
        if not self.separated:
            return torch.full_like(self._roots, math.nan)
        if self.spectrum._right is not None:
            return self.spectrum._right[: self._count] @ vector.double()
        return self._left.mT @ self.spectrum.fisher.along(vector) / self._roots

    def _lifted(self, coordinates: Tensor) -> Tensor:
        """V·y = Aᵀ·U·Σ⁻¹·y."""
        if not self.separated:
            return coordinates.new_full((self.spectrum.fisher.parameters,), math.nan)
        if self.spectrum._right is not None:
            return coordinates @ self.spectrum._right[: self._count]
        return self.spectrum.fisher.back(self._left @ (coordinates / self._roots))


def _from_rows(fisher: Fisher) -> FisherSpectrum:
    rows = fisher.scores()
    left, sigmas, right = torch.linalg.svd(rows, full_matrices=False)
    off = _noise(fisher) * float(torch.linalg.matrix_norm(rows))
    rank = int((sigmas > off).sum())
    return FisherSpectrum(fisher, sigmas.square(), (2 * sigmas + off) * off, rank, left, right)


def _from_gram(fisher: Fisher) -> FisherSpectrum:
    gram = fisher.gram()
    values, vectors = torch.linalg.eigh((gram + gram.mT) / 2)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    off = 2 * _noise(fisher) * float(gram.trace())
    count = min(fisher.rows, fisher.parameters)
    values = values[:count]
    return FisherSpectrum(fisher, values, torch.full_like(values, off), int((values > off).sum()), vectors, None)


def _noise(fisher: Fisher) -> float:
    """Of the network in its own precision and of the factorisation in float64, relative to the size of A."""
    return NETWORK_ROUNDINGS * fisher._model.roundoff + max(fisher.rows, fisher.parameters) * 2.0**-53


# ------------------------------------------------------------------------------------------------------ the instability


def curvature_coupling(loss: Loss, params: Params) -> tuple[Tensor, Tensor]:
    """g = ∇L and a = ∇g·g at θ*, flat `[n]` in float64: the flow of L starts with velocity -g and acceleration a.

    Forward over reverse mode, so that the Hessian is never formed. (Where a fused attention kernel knows no forward mode, run
    under `torch.nn.attention.sdpa_kernel(SDPBackend.MATH)`.)

    Args:
        loss: a scalar of the parameters.
        params: a tensor or a mapping of tensors; vectors follow its order.

    Raises:
        BoundcheckError: for a loss that is no scalar, or derivatives that are not finite.

    """
    named, given = _named(loss, params)
    value = given(named)
    if not isinstance(value, Tensor) or value.numel() != 1:
        shape = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise BoundcheckError(f"a loss of shape {shape}", expected="a scalar")
    gradient_of = grad(lambda p: given(p).reshape(()))
    gradient = cast("dict[str, Tensor]", gradient_of(named))
    bent = cast("dict[str, Tensor]", jvp(gradient_of, (named,), (gradient,))[1])
    order = list(named)
    flat = [flattened({name: part[name] for name in order}) for part in (gradient, bent)]
    return _finite(flat[0], "the gradient of the loss"), _finite(flat[1], "∇g·g")


def _named(loss: Loss, params: Params) -> tuple[dict[str, Tensor], Callable[[Mapping[str, Tensor]], Tensor]]:
    if isinstance(params, Tensor):
        return {"params": params.detach()}, lambda p: loss(p["params"])
    return {name: value.detach() for name, value in params.items()}, lambda p: loss(dict(p))


@dataclass(frozen=True)
class InstabilityCondition:
    """What Definition 5.1 asks of θ*: it holds with (d, λ, γ, ε) for every λ, γ up to and every ε from those below.

    Attributes:
        d: dimension of the sensitive subspace.
        smallest: λ_d.
        coupling: γ = ‖F^{1/2}·P·∇g·g‖, NaN where the subspace is not `separated`.
        overlap: ‖P·g‖, NaN likewise.
        tail: Σ_{j>d} λ_j.
        gap: λ_d - λ_{d+1}.
        gap_error: size of the rounding error in it.
        separated: whether the gap is above that, so that there is such a subspace.
        largest: λ_1.
        rank: of F.
        gradient: ‖g‖.
        acceleration: ‖∇g·g‖.
        output_acceleration: |q|_*, see `output_acceleration`.

    """

    d: int
    smallest: float
    coupling: float
    overlap: float
    tail: float
    gap: float
    gap_error: float
    separated: bool
    largest: float
    rank: int
    gradient: float
    acceleration: float
    output_acceleration: float

    @property
    def epsilon(self) -> float:
        """The least ε of the definition, which bounds both the overlap and the tail."""
        return math.nan if math.isnan(self.overlap) else max(self.overlap, self.tail)


def instability_condition(
    module_or_fn: nn.Module | Function,
    x: Tensor,
    policy: Policy,
    loss: Loss,
    *,
    d: int,
    params: Params | None = None,
    weights: Tensor | None = None,
    chunk: int | None = None,
    form: bool | None = None,
) -> InstabilityCondition:
    """The numbers of the alignment instability condition, of anyone's model.

    Args:
        module_or_fn: as in `fisher_information`, as are `x`, `policy`, `params`, `weights` and `chunk`.
        x: prompts of the skill.
        policy: what the outputs mean.
        loss: the fine-tuning loss, a scalar of the parameters in the form in which `params` gives them (by name for a module).
        d: dimension of the sensitive subspace, from 1 to the rank of F, or n.
        params: θ*.
        weights: of the prompts.
        chunk: prompts a pass.
        form: as in `Fisher.spectrum`.

    Raises:
        BoundcheckError: as in `fisher_information`, `FisherSpectrum.eigenspace` and `curvature_coupling`.

    Source: Alignment Collapse, Definition 5.1.

    """
    here = fisher_information(module_or_fn, x, policy, params=params, weights=weights, chunk=chunk)
    spectrum = here.spectrum(form=form)
    space = spectrum.eigenspace(d)
    gradient, bent = curvature_coupling(loss, here.params)
    q = second_derivative(here, gradient, bent)
    return InstabilityCondition(
        d=d,
        smallest=space.smallest,
        coupling=space.weighted_length(bent),
        overlap=space.length(gradient),
        tail=space.tail,
        gap=space.gap,
        gap_error=space.gap_error,
        separated=space.separated,
        largest=spectrum._at(1)[0],
        rank=spectrum.rank,
        gradient=float(torch.linalg.vector_norm(gradient)),
        acceleration=float(torch.linalg.vector_norm(bent)),
        output_acceleration=float(here.output_norm(q)),
    )


def output_acceleration(fisher: Fisher, loss: Loss) -> Tensor:
    """q = J·a + H[g, g] `[N, k]`: how the outputs accelerate at the start of the gradient flow of a loss.

    H is the second derivative of the outputs. Not the parameters' acceleration a = ∇g·g moves the policy but this, and where g
    lies in the kernel of F, Δu(θ(t)) = t⁴/8·|q|_*² + O(t⁵).
    """
    gradient, bent = curvature_coupling(loss, fisher.params)
    return second_derivative(fisher, gradient, bent)


def second_derivative(fisher: Fisher, gradient: Tensor, acceleration: Tensor) -> Tensor:
    """d²/dt² of the outputs along θ* - t·g + t²/2·a, at t = 0: `[N, k]`, by two nested forward derivatives."""
    params = fisher._model.params
    velocity, bend = fisher._split(-gradient), fisher._split(acceleration)
    zero = fisher.outputs.new_zeros(())

    def at(t: Tensor, x: Tensor) -> Tensor:
        moved = {
            name: value + t.to(value.dtype) * (velocity[name] + t.to(value.dtype) / 2 * bend[name])
            for name, value in params.items()
        }
        return fisher._evaluate(moved, x)

    def rate(t: Tensor, x: Tensor) -> Tensor:
        return cast("Tensor", jvp(lambda s: at(s, x), (t,), (torch.ones_like(t),))[1])

    parts = [jvp(lambda t, x=x: rate(t, x), (zero,), (torch.ones_like(zero),))[1] for x in fisher._batches()]
    return _finite(torch.cat(parts).detach().double(), "the acceleration of the outputs")
