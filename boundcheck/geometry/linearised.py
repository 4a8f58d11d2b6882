"""A Fisher information at θ*, linearised once: any number of products with A, Aᵀ and A·Aᵀ without the network's forward pass."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.func import jvp, linearize

from boundcheck.geometry.score_rows import score_rows

if TYPE_CHECKING:
    from boundcheck.geometry.fisher import Fisher

KEPT = 2**25
"""Numbers that the factors of A may have to be kept (256 MiB); beyond, products go through the network's own derivatives."""


class Linearised(Protocol):
    """Products with A `[N·k, n]`, for b vectors at once, as columns."""

    @property
    def product_cost(self) -> int:
        """Multiplications of one product with A·Aᵀ, about."""

    def along(self, vectors: Tensor) -> Tensor:
        """A·v for v `[n, b]`: `[N·k, b]`."""

    def back(self, scores: Tensor) -> Tensor:
        """Aᵀ·y for y `[N·k, b]`: `[n, b]`."""

    def row_space(self, scores: Tensor) -> Tensor:
        """A·Aᵀ·y for y `[N·k, b]`."""

    def trace(self) -> float:
        """Tr F."""


def linearise(fisher: "Fisher") -> Linearised:
    """By activations and signals (see `score_rows`) where these fit into `KEPT` numbers, else by derivatives of the network."""
    one = score_rows(fisher._model, fisher.x[:1], fisher._chunk, lambda change: change)
    if one.numbers * len(fisher.x) <= KEPT:
        return score_rows(fisher._model, fisher.x, fisher._chunk, fisher._scored)
    return through_the_network(fisher)


@dataclass(frozen=True)
class ThroughTheNetwork:
    """Products by forward and backward derivatives, each linear map kept from one pass at θ*.

    Attributes:
        forward: for each batch of prompts the outputs' derivative along a change of the parameters, by name.
        backward: for each batch the reverse.

    """

    fisher: "Fisher"
    forward: tuple[Callable[..., Tensor], ...]
    backward: tuple[Callable[[Tensor], dict[str, Tensor]], ...]

    @property
    def product_cost(self) -> int:
        """Two multiplications a parameter and prompt, those of linear layers: convolutions take more."""
        return 2 * len(self.fisher.x) * self.fisher.parameters

    def along(self, vectors: Tensor) -> Tensor:
        """A·v for v `[n, b]`: `[N·k, b]`."""
        return torch.stack([self._along(vector) for vector in vectors.unbind(1)], dim=1)

    def back(self, scores: Tensor) -> Tensor:
        """Aᵀ·y for y `[N·k, b]`: `[n, b]`."""
        return torch.stack([self._back(one) for one in scores.unbind(1)], dim=1)

    def row_space(self, scores: Tensor) -> Tensor:
        """A·Aᵀ·y for y `[N·k, b]`."""
        return torch.stack([self._along(self._back(one)) for one in scores.unbind(1)], dim=1)

    def trace(self) -> float:
        """Tr F, from rows that are formed block by block."""
        return sum(float(block.square().sum()) for block in self.fisher._score_blocks())

    def _along(self, vector: Tensor) -> Tensor:
        return self.fisher._scored(self.fisher._moved(vector, self.forward)).flatten()

    def _back(self, scores: Tensor) -> Tensor:
        return self.fisher._pulled(scores, self.backward)


def through_the_network(fisher: "Fisher") -> ThroughTheNetwork:
    """The derivatives of the network at θ*, prepared batch by batch."""
    batches = fisher._batches()
    return ThroughTheNetwork(
        fisher, tuple(_forward(fisher, x) for x in batches), tuple(fisher._pull(x) for x in batches)
    )


def _forward(fisher: "Fisher", x: Tensor) -> Callable[..., Tensor]:
    """J·v at a batch of prompts: with the forward pass done, where torch can trace the network, which one vector checks."""
    params = fisher._model.params

    def whole(tangents: dict[str, Tensor]) -> Tensor:
        return jvp(lambda p: fisher._evaluate(p, x), (params,), (tangents,))[1]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch.fx, about its own constants
            linear = linearize(lambda p: fisher._evaluate(p, x), params)[1]
            ones = {name: torch.ones_like(value) for name, value in params.items()}
            expected, found = whole(ones), linear(ones)
    except RuntimeError:
        return whole
    error, size = torch.linalg.vector_norm(found - expected), torch.linalg.vector_norm(expected)
    return linear if bool(error <= torch.finfo(expected.dtype).eps ** 0.5 * size) else whole
