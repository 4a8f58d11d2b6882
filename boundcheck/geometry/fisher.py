"""The Fisher information of a policy, of any torch module or function f(params, x).

A policy turns a network's outputs z at a prompt x into a distribution. With C_x the covariance of its scores with respect to z,
F = E_x J_xᵀ·C_x·J_x. Every C_x here is SᵀS for a square S that is known in closed form, so F = AᵀA for the rows
A = √weight·S_x·J_x, one for each prompt and class. All that the instability condition asks of F is in A (see `eigenspaces`).

Numerics: everything after the network's own passes is float64.

Source: Alignment Collapse, Section 3.2.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import jvp, vjp, vmap

from boundcheck.errors import BoundcheckError
from boundcheck.geometry.eigenspaces import FisherSpectrum, spectrum_from_gram, spectrum_from_rows
from boundcheck.geometry.jacobian import jacobians
from boundcheck.geometry.leading_spectrum import LeadingSpectrum, leading_spectrum
from boundcheck.geometry.linearised import Linearised, linearise
from boundcheck.geometry.model import Function, Model, Params, check_samples, model_of, require_finite
from boundcheck.geometry.policies import Policy
from boundcheck.geometry.score_rows import score_rows

DEFAULT_CHUNK = 256
"""Prompts a pass, at most."""

FORMED = 2**22
"""Numbers that the rows A may have before the Gram matrix is taken instead (32 MiB): beyond it they are slower."""

NODES = 8
"""Of the quadrature along a step: the error is of order 16 in its length."""


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
    _model: Model
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
        triangle = score_rows(self._model, self.x, self._chunk, self._scored).gram_triangle()
        return triangle.triu() + triangle.triu(1).mT

    def apply(self, vector: Tensor) -> Tensor:
        """F·v `[n]`, by one forward and one backward derivative: nothing larger than the network's own passes."""
        return self.back(self.along(vector))

    def along(self, vector: Tensor) -> Tensor:
        """A·v `[N·k]`: its norm is ‖F^{1/2}v‖."""
        return self._scored(self.output_derivative(vector)).flatten()

    def back(self, scores: Tensor) -> Tensor:
        """Aᵀ·y `[n]` for y `[N·k]`."""
        return self._pulled(scores, (self._pull(x) for x in self._batches()))

    def linearised(self) -> Linearised:
        """A at θ* for many products, of b vectors at once: what a pass through the network finds is found here and kept.

        `along`, `back` and `row_space` take and give columns, `[n, b]` and `[N·k, b]`. For networks of linear layers the first
        cost is k backward passes (and N·k signals a unit are kept), for others one forward and one backward derivative.
        """
        return linearise(self)

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
        require_finite(after, "the output")
        return self._mean(self.policy.divergence(self.outputs, after - self.outputs))

    def divergence_after(self, step: Tensor) -> Tensor:
        """Δu = E_x KL(π_θ* ‖ π_{θ*+D}) for a short step D `[n]` of a smooth model, with the accuracy of `output_change`."""
        return self._mean(self.policy.divergence(self.outputs, self.output_change(step)))

    def output_norm(self, change: Tensor) -> Tensor:
        """|w|_* = √(E_x Var w) of a change of outputs w `[N, k]`, so that |J·v|_* = ‖F^{1/2}v‖."""
        return self._mean(self.policy.variance_of(self.outputs, change)).sqrt()

    def spectrum(self, *, form: bool | None = None) -> FisherSpectrum:
        """The eigenvalues of F, and its eigenvectors as far as they are asked for.

        Args:
            form: whether to form the rows A (`[N·k, n]`, more accurate) or only their Gram matrix; if not given, the former
                where A has at most 2²² numbers.

        """
        if form is None:
            form = self.rows * self.parameters <= FORMED
        return spectrum_from_rows(self) if form else spectrum_from_gram(self)

    def leading(self, d: int, *, check: bool = True) -> LeadingSpectrum:
        """The d largest eigenvalues and the next, by Lanczos' method, each with a bound; much faster than all of them.

        `LeadingSpectrum` says which way was taken and why, whether all larger eigenvalues are known to be among those found,
        and how; `eigenspace(d)` of it is that of `spectrum()`.

        Args:
            d: from 1 to min(N·k, n).
            check: whether to make sure that no eigenvalue is missing, where that takes the Gram matrix and a Cholesky factor.

        Raises:
            BoundcheckError: for another d, or where nothing converges.

        """
        return leading_spectrum(self, d, check=check)

    def largest(self, *, check: bool = True) -> tuple[float, float]:
        """λ_1 = ‖F‖ and how far it may be from there: a bound as in `LeadingSpectrum`, large where nothing was checked."""
        found = self.leading(1, check=check)
        return float(found.eigenvalues[0]), float(found.errors[0])

    @property
    def _step(self) -> int:
        return self._chunk or DEFAULT_CHUNK

    def _batches(self) -> tuple[Tensor, ...]:
        return self.x.split(self._step)

    def _evaluate(self, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Each sample passed through the model alone, as for its Jacobian."""
        return vmap(lambda sample: self._model.call(params, sample[None])[0])(x)

    def _derivative(self, params: dict[str, Tensor], vector: Tensor) -> Tensor:
        def along(x: Tensor) -> Callable[[dict[str, Tensor]], Tensor]:
            return lambda tangents: jvp(lambda p: self._evaluate(p, x), (params,), (tangents,))[1]

        return self._moved(vector, (along(x) for x in self._batches()))

    def _moved(self, vector: Tensor, forward: Iterable[Callable[[dict[str, Tensor]], Tensor]]) -> Tensor:
        """J_x·v `[N, k]` by derivatives batch by batch."""
        unit, size = _unit(vector)
        tangents = self._split(unit)
        return _finite(size * torch.cat([move(tangents) for move in forward]).detach().double(), "J·v")

    def _pull(self, x: Tensor) -> Callable[[Tensor], dict[str, Tensor]]:
        """Cotangents of the outputs at a batch to those of the parameters."""
        outputs, pull = vjp(lambda p: self._evaluate(p, x), self._model.params)[:2]
        return lambda part: pull(part.to(outputs.dtype))[0]

    def _pulled(self, scores: Tensor, backward: Iterable[Callable[[Tensor], dict[str, Tensor]]]) -> Tensor:
        """Aᵀ·y `[n]` by derivatives batch by batch."""
        weighted = self.weights.sqrt()[:, None] * scores.reshape(self.outputs.shape)
        cotangents, size = _unit(self.policy.transposed(self.outputs, weighted))
        total = self.outputs.new_zeros(self.parameters)
        for pull, part in zip(backward, cotangents.split(self._step), strict=True):
            total += size * self._flat(pull(part))
        return _finite(total, "F·v")

    def _scored(self, change: Tensor) -> Tensor:
        """√weight·S·w for w `[..., N, k]`."""
        return self.weights.sqrt()[:, None] * self.policy.score(self.outputs, change)

    def _score_blocks(self) -> Iterator[Tensor]:
        first = 0
        for jacobian in jacobians(self._model, self.x, self._chunk):
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
    model = model_of(module_or_fn, params)
    check_samples(x, "x", chunk)
    chosen = _probabilities(weights, x)
    outline = Fisher(policy, x, chosen, chosen, model, isinstance(params, Tensor), chunk)
    outputs = torch.cat([outline._evaluate(model.params, part).detach().double() for part in outline._batches()])
    if bool(outputs.isinf().any()):
        policy.require_support(outputs)  # says more than that something is not finite
    require_finite(outputs, "the output")
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
    if not (bool(values.sum().isfinite()) or bool(values.isfinite().all())):  # one pass settles nearly every case
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
