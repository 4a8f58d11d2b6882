"""Networks whose constants of smoothness hold in a ball: both layers trained, ReLU, self-attention.

The constants come from `jets`: the bend of f(·, x_i) bounds ‖J_i(θ') - J_i(θ'')‖/‖θ' - θ''‖ for each row x_i. Stacked, these add
up as squares: β_S² = Σ bend_i², and β² is their mean.

A ReLU meets no kink in the ball where ρ < min |w_j·x_i|/‖x_i‖ (a row that is 0 has none): there no unit switches, and f(·, x_i)
is linear in the first layer, bilinear in both.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from boundcheck.geometry.activations import ACTIVATIONS, Activation, require_activation
from boundcheck.geometry.family import Family, Frozen, Passes, TwoLayer
from boundcheck.geometry.jets import Jet

LITERAL = 1 + 2.0**-40
"""Covers what the rounding of a model's own literals (1/√width, 1/tokens) may add to a bend."""


def first_layer_kinks(weights: Tensor, x: Tensor) -> Tensor:
    """The least |w_j·x_i|/‖x_i‖ for weights `[..., units, d]` and rows `[..., rows, d]`: `[...]`, +inf where every row is 0."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    some = length > 0
    distance = (x @ weights.mT).abs() / torch.where(some, length, torch.ones_like(length))
    return torch.where(some, distance, torch.inf).amin((-2, -1))


@dataclass(frozen=True)
class Local(Family):
    """A family whose constants hold in a finite ball that meets no kink: give `_bend`."""

    closed_form: ClassVar[bool] = True
    everywhere: ClassVar[bool] = False

    @abstractmethod
    def _bend(self, theta: Tensor, x: Tensor, radius: Tensor) -> Tensor:
        """At least ‖D²f(·, x_i)‖ on the ball, for a finite `radius` `[..., 1]`: `[..., rows]`."""

    def smoothness(self, theta: Tensor, frozen: Frozen, x: Tensor, radius: Tensor | None = None) -> Tensor:
        return self._on_ball(theta, frozen, x, radius, mean=False)

    def mean_smoothness(self, theta: Tensor, frozen: Frozen, x: Tensor, radius: Tensor | None = None) -> Tensor:
        return self._on_ball(theta, frozen, x, radius, mean=True)

    def _on_ball(self, theta: Tensor, frozen: Frozen, x: Tensor, radius: Tensor | None, *, mean: bool) -> Tensor:
        if radius is None:
            return torch.full_like(theta[..., 0], torch.inf)
        inside = (radius < self.kink_distance(theta, frozen, x)) & (radius < torch.inf)
        finite = torch.where(radius < torch.inf, radius, torch.zeros_like(radius))  # 0·inf is NaN
        squares = self._bend(theta, x, finite[..., None]).square()
        total = (squares.mean(-1) if mean else squares.sum(-1)).sqrt() * LITERAL
        return torch.where(inside, total, torch.inf)


@dataclass(frozen=True)
class ReluLayer(TwoLayer):
    """f(W, x) = a·max(W·x, 0)/√width with the first layer trained: linear in W until a unit switches, so both constants are 0."""

    activation: str = "relu"

    everywhere: ClassVar[bool] = False
    known: ClassVar[tuple[str, ...]] = ("relu",)

    def kink_distance(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        return first_layer_kinks(theta.unflatten(-1, (self.width, self.inputs)), x)

    def smoothness(self, theta: Tensor, frozen: Frozen, x: Tensor, radius: Tensor | None = None) -> Tensor:
        flat = torch.zeros_like(theta[..., 0])
        if radius is None:
            return flat + torch.inf
        return torch.where(radius < self.kink_distance(theta, frozen, x), flat, torch.inf)

    mean_smoothness = smoothness


@dataclass(frozen=True)
class BothLayers(Local):
    """f(θ, x) = a·φ(W·x)/√width with θ = (W, a): both layers trained."""

    inputs: int
    width: int
    outputs_: int = 1
    activation: str = "tanh"

    def __post_init__(self) -> None:
        require_activation(self.activation, tuple(ACTIVATIONS))

    @property
    def parameters(self) -> int:
        return self.width * (self.inputs + self.outputs_)

    @property
    def features(self) -> int:
        return self.inputs

    @property
    def outputs_count(self) -> int:
        return self.outputs_

    @property
    def _phi(self) -> Activation:
        return ACTIVATIONS[self.activation]

    @property
    def _scale(self) -> float:
        return self.width**-0.5

    def _split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        first = self.width * self.inputs
        weights = theta[..., :first].unflatten(-1, (self.width, self.inputs))
        return weights, theta[..., first:].unflatten(-1, (self.outputs_, self.width))

    def outputs(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        weights, head = self._split(theta)
        return (self._phi.value(x @ weights.mT) @ head.mT) * self._scale

    def jacobian(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        weights, head = self._split(theta)
        hidden = x @ weights.mT
        signal = self._phi.slope(hidden)[..., :, None, :] * head[..., None, :, :]
        first = (signal[..., None] * x[..., :, None, None, :]).flatten(-2)
        identity = torch.eye(self.outputs_, dtype=x.dtype, device=x.device)
        second = (identity[:, :, None] * self._phi.value(hidden)[..., :, None, None, :]).flatten(-2)
        return torch.cat([first, second], dim=-1) * self._scale

    def pullback(self, theta: Tensor, frozen: Frozen, x: Tensor, cotangent: Tensor) -> Tensor:
        weights, head = self._split(theta)
        return self._pulled(*self._phi.both(x @ weights.mT), head, x, cotangent)

    def _pulled(self, value: Tensor, slope: Tensor, head: Tensor, x: Tensor, cotangent: Tensor) -> Tensor:
        signal = (cotangent @ head) * slope
        return torch.cat([(signal.mT @ x).flatten(-2), (cotangent.mT @ value).flatten(-2)], dim=-1) * self._scale

    def passes(self, frozen: Frozen, x: Tensor) -> Passes:
        def shared(theta: Tensor, cotangent_of: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
            weights, head = self._split(theta)
            value, slope = self._phi.both(x @ weights.mT)
            cotangent = cotangent_of((value @ head.mT) * self._scale)
            return cotangent, self._pulled(value, slope, head, x, cotangent)

        return shared

    def kink_distance(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        if not self._phi.kinked:
            return super().kink_distance(theta, frozen, x)
        return first_layer_kinks(self._split(theta)[0], x)

    def _bend(self, theta: Tensor, x: Tensor, radius: Tensor) -> Tensor:
        weights, head = self._split(theta)
        length = torch.linalg.vector_norm(x, dim=-1)
        hidden = Jet.trained(weights[..., None, :, :], radius).scaled(length)
        return Jet.trained(head[..., None, :, :], radius).times_apart(hidden.activated(self._phi, self.width)).bend * (
            self._scale
        )


@dataclass(frozen=True)
class Attention(Local):
    """Softmax self-attention over a short sequence X `[tokens, inputs]`, its mean, and a network with one hidden layer:

    f = a·φ(U·o)/√width, o = mean over t of softmax(X·Q·Kᵀ·Xᵀ/√inner)_t·X·V, all of θ = (Q, K, V, U, a) trained; Q, K and V
    are `[inputs, inner]`.
    """

    tokens: int
    inputs: int
    inner: int
    width: int
    outputs_: int = 1
    activation: str = "tanh"

    def __post_init__(self) -> None:
        require_activation(self.activation, tuple(name for name, phi in ACTIVATIONS.items() if not phi.kinked))

    @property
    def _shapes(self) -> list[tuple[int, int]]:
        projection = (self.inputs, self.inner)
        return [projection, projection, projection, (self.width, self.inner), (self.outputs_, self.width)]

    @property
    def parameters(self) -> int:
        return sum(rows * columns for rows, columns in self._shapes)

    @property
    def features(self) -> int:
        return self.tokens * self.inputs

    @property
    def outputs_count(self) -> int:
        return self.outputs_

    @property
    def _phi(self) -> Activation:
        return ACTIVATIONS[self.activation]

    @property
    def _scale(self) -> float:
        return self.width**-0.5

    @property
    def _heat(self) -> float:
        return self.inner**-0.5

    def _split(self, theta: Tensor) -> list[Tensor]:
        """Q, K, V, U, a, each `[..., 1, rows, columns]`: the same for each row of x."""
        blocks, first = [], 0
        for rows, columns in self._shapes:
            last = first + rows * columns
            blocks.append(theta[..., None, first:last].unflatten(-1, (rows, columns)))
            first = last
        return blocks

    def outputs(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        blocks, sequences = self._split(theta), x.unflatten(-1, (self.tokens, self.inputs))
        return self._read(blocks, self._forward(blocks, sequences))

    def _read(self, blocks: list[Tensor], seen: "_Seen") -> Tensor:
        return (self._phi.value(seen.hidden) @ blocks[4].mT).squeeze(-2) * self._scale

    def _forward(self, blocks: list[Tensor], sequences: Tensor) -> "_Seen":
        Q, K, V, U, _ = blocks
        queries, keys = sequences @ Q, sequences @ K
        weights = _softmax((queries @ keys.mT) * self._heat)
        pooled = weights.sum(-2, keepdim=True) * (1 / self.tokens)
        met = pooled @ sequences
        return _Seen(queries, keys, weights, met, met @ V, (met @ V) @ U.mT)

    def jacobian(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        identity = torch.eye(self.outputs_, dtype=x.dtype, device=x.device)
        rows = [self._pulled(theta, x, one.expand(*x.shape[:-1], self.outputs_)) for one in identity.unbind(0)]
        return torch.stack(rows, dim=-2)

    def pullback(self, theta: Tensor, frozen: Frozen, x: Tensor, cotangent: Tensor) -> Tensor:
        return self._pulled(theta, x, cotangent).sum(-2)

    def _pulled(self, theta: Tensor, x: Tensor, cotangent: Tensor) -> Tensor:
        """Jᵢᵀ·cᵢ for each row of x: `[..., rows, n]`."""
        blocks, sequences = self._split(theta), x.unflatten(-1, (self.tokens, self.inputs))
        return self._back(blocks, sequences, self._forward(blocks, sequences), cotangent)

    def passes(self, frozen: Frozen, x: Tensor) -> Passes:
        sequences = x.unflatten(-1, (self.tokens, self.inputs))

        def shared(theta: Tensor, cotangent_of: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
            blocks = self._split(theta)
            seen = self._forward(blocks, sequences)
            cotangent = cotangent_of(self._read(blocks, seen))
            return cotangent, self._back(blocks, sequences, seen, cotangent).sum(-2)

        return shared

    def _back(self, blocks: list[Tensor], sequences: Tensor, seen: "_Seen", cotangent: Tensor) -> Tensor:
        _, _, V, U, head = blocks
        given = cotangent[..., None, :] * self._scale
        to_head = given.mT @ self._phi.value(seen.hidden)
        signal = (given @ head) * self._phi.slope(seen.hidden)
        to_output = signal @ U
        to_weights = (to_output @ V.mT) @ sequences.mT * (1 / self.tokens)
        centred = to_weights - (seen.weights * to_weights).sum(-1, keepdim=True)
        to_scores = seen.weights * centred * self._heat
        parts = [
            sequences.mT @ (to_scores @ seen.keys),
            sequences.mT @ (to_scores.mT @ seen.queries),
            seen.met.mT @ to_output,
            signal.mT @ seen.output,
            to_head,
        ]
        return torch.cat([part.flatten(-2) for part in parts], dim=-1)

    def jets(self, theta: Tensor, x: Tensor, radius: Tensor) -> dict[str, Jet]:
        """Bounds on the ball for what is on the way from θ to f(·, x_i), row by row: numbers `[..., rows]`.

        Args:
            theta: the centre `[..., n]`. x: `[..., rows, features]`. radius: finite `[..., 1]`.

        Returns:
            scores `[T, T]`, weights (their softmax), pooled (its mean over t), output o, hidden φ(U·o) and the network's own.

        """
        Q, K, V, U, head = (Jet.trained(block, radius) for block in self._split(theta))
        length = torch.linalg.svdvals(x.unflatten(-1, (self.tokens, self.inputs)))[..., 0]
        scores = Q.scaled(length).times_apart(K.scaled(length)).scaled(self._heat)
        weights = scores.softmax(self.tokens)
        root = scores.value.new_tensor(float(self.tokens)).sqrt()
        pooled = weights.scaled(1 / root)  # 1ᵀ/T has norm 1/√T
        output = pooled.times_apart(V.scaled(length))
        hidden = U.times_apart(output).activated(self._phi, self.width)
        network = head.times_apart(hidden).scaled(self._scale)
        return {
            "scores": scores,
            "weights": weights,
            "pooled": pooled,
            "output": output,
            "hidden": hidden,
            "network": network,
        }

    def _bend(self, theta: Tensor, x: Tensor, radius: Tensor) -> Tensor:
        return self.jets(theta, x, radius)["network"].bend


@dataclass(frozen=True)
class _Seen:
    """On the way: queries, keys, weights `[..., T, ·]`; met = (mean weights)·X, output, hidden `[..., 1, ·]`."""

    queries: Tensor
    keys: Tensor
    weights: Tensor
    met: Tensor
    output: Tensor
    hidden: Tensor


def _softmax(scores: Tensor) -> Tensor:
    """exp(z_i)/Σ exp(z_j) along the last axis, as exp(-log1p(Σ exp(z_j - z_i) - 1)): the error stays one of the
    last digits of 1, and no maximum is needed."""
    others = torch.exp(scores[..., None, :] - scores[..., :, None]).sum(-1)
    return torch.exp(
        -torch.log1p((others - 1).clamp(min=0))
    )  # bounds of roundings do not see that the sum is at least 1
