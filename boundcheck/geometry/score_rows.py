"""The rows A of a Fisher information F = AᵀA, kept as activations and signals: products with A and A·Aᵀ by matrix products.

For the affine maps of a network, the row of a prompt and a class is Σ_t s_t·a_tᵀ with the activations a_t that entered the map
and the signals s_t, the gradients with respect to what left it, times √weight·S. Neither A·v, nor Aᵀ·y, nor A·Aᵀ passes through
the network again. The rows of parameters outside of affine maps are formed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from boundcheck.geometry.layers import Captured, NotSeparableError, cross_gram, paired
from boundcheck.geometry.model import Model
from boundcheck.geometry.rows import rows_of
from boundcheck.geometry.watch import Key

BLOCK = 2**20
"""Numbers of a block of A·Aᵀ (8 MiB): what is added up there stays in a processor's cache."""


@dataclass(frozen=True)
class ScoreRows:
    """A, `[N·k, n]`, factor by factor.

    Attributes:
        captured: by map its activations `[N, T, in]` and its signals, scored, `[N, k, T, out]`.
        formed: A of all other parameters, `[N, k, n_rest]`.
        places: of each parameter its first column and how many it has.
        rest: names of the parameters in `formed`, in their order.
        shape: (N·k, n).

    """

    captured: Mapping[Key, Captured]
    formed: Tensor
    places: dict[str, tuple[int, int]]
    rest: tuple[str, ...]
    shape: tuple[int, int]

    @property
    def numbers(self) -> int:
        """Numbers that A is kept in."""
        return self.formed.numel() + sum(c.signals.numel() + c.inputs.numel() for c in self.captured.values())

    @property
    def product_cost(self) -> int:
        """Multiplications of one product with A·Aᵀ in `row_space`."""
        cost = 2 * self.formed.numel()
        for seen in self.captured.values():
            tokens, width = seen.inputs.shape[:-1].numel(), seen.inputs.shape[-1]
            cost += 2 * seen.signals.numel() + tokens * seen.signals.shape[-1] * min(tokens, 2 * width)
        return cost

    @property
    def gram_cost(self) -> int:
        """Multiplications of `gram_triangle`, at most."""
        widths = self.formed.shape[-1]
        for seen in self.captured.values():
            tokens, out = seen.signals.shape[-2:]
            widths += min(tokens**2 * (out + seen.inputs.shape[-1]), out * seen.inputs.shape[-1])
        return self.shape[0] ** 2 * widths // 2

    def along(self, vectors: Tensor) -> Tensor:
        """A·v for v `[n, b]`: `[N·k, b]`."""
        samples, k = self.formed.shape[:2]
        batch = vectors.shape[1]
        total = self.formed.new_zeros(samples, k, batch)
        for key, seen in self.captured.items():
            moved = self._layer_change(key, seen, vectors)
            total += seen.signals.flatten(2) @ moved.reshape(samples, -1, batch)
        if self.rest:
            total += self.formed @ torch.cat([self._part(name, vectors) for name in self.rest])
        return total.flatten(0, 1)

    def back(self, scores: Tensor) -> Tensor:
        """Aᵀ·y for y `[N·k, b]`: `[n, b]`."""
        samples, k = self.formed.shape[:2]
        batch = scores.shape[1]
        y = scores.reshape(samples, k, batch)
        total = scores.new_zeros(self.shape[1], batch)
        for key, seen in self.captured.items():
            pulled = self._pulled(seen, y)
            if seen.weight:
                product = pulled.permute(1, 2, 0).flatten(0, 1) @ seen.inputs.flatten(0, 1)
                self._weight(key, seen, total).copy_(product.unflatten(0, (-1, batch)).mT)
            if seen.bias:
                self._part(key[1], total).copy_(pulled.sum(0))
        if self.rest:
            parts = self.formed.flatten(0, 1).mT @ scores
            for name, part in zip(self.rest, parts.split([self.places[name][1] for name in self.rest]), strict=True):
                self._part(name, total).copy_(part)
        return total

    def row_space(self, scores: Tensor) -> Tensor:
        """A·Aᵀ·y for y `[N·k, b]`, without a vector of length n where the prompts are few beside a layer's width."""
        samples, k = self.formed.shape[:2]
        batch = scores.shape[1]
        y = scores.reshape(samples, k, batch)
        total = torch.zeros_like(y)
        for key, seen in self.captured.items():
            inputs, flat = seen.inputs.flatten(0, 1), self._pulled(seen, y).flatten(1)
            moved = torch.zeros_like(flat)
            if key in self._token_products:
                moved = self._token_products[key] @ flat
            elif seen.weight:
                moved = inputs @ (inputs.mT @ flat)
            if seen.bias:
                moved = moved + flat.sum(0)
            total += seen.signals.flatten(2) @ moved.reshape(samples, -1, batch)
        if self.rest:
            rows = self.formed.flatten(0, 1)
            total += (rows @ (rows.mT @ scores)).reshape_as(total)
        return total.flatten(0, 1)

    def gram_triangle(self) -> Tensor:
        """A·Aᵀ `[N·k, N·k]` with its upper triangle alone; the rest holds 0 or what it ought to."""
        samples, k = self.formed.shape[:2]
        gram = self.formed.new_zeros(samples * k, samples * k)
        step = max(1, BLOCK // (samples * k * k))
        for i in range(0, samples, step):
            here, onward = slice(i, i + step), slice(i, None)
            block = self._products(here, onward)
            gram[i * k : (i + step) * k, i * k :] = block.flatten(-2).flatten(0, 1)
        return gram

    def trace(self) -> float:
        """Tr F, the sum of all squares in A."""
        total = self.formed.square().sum()
        for seen in self.captured.values():
            for inputs, signals in zip(seen.inputs.split(64), seen.signals.split(64), strict=True):
                tokens = float(seen.weight) * (inputs @ inputs.mT) + float(seen.bias)
                total = total + ((signals @ signals.mT) * tokens[:, None]).sum()
        return float(total)

    @cached_property
    def _token_products(self) -> dict[Key, Tensor]:
        """Inner products of activations, where those are fewer numbers than twice the activations."""
        flat = {key: seen.inputs.flatten(0, 1) for key, seen in self.captured.items() if seen.weight}
        return {key: inputs @ inputs.mT for key, inputs in flat.items() if len(inputs) <= 2 * inputs.shape[1]}

    def _products(self, left: slice, right: slice) -> Tensor:
        """`[N, k, N', k']`, for some of the prompts with others."""
        mine = {key: seen.part(left) for key, seen in self.captured.items()}
        theirs = {key: seen.part(right) for key, seen in self.captured.items()}
        blocks = [cross_gram(one, other) for one, other in paired(mine, theirs)]
        if self.rest or not blocks:
            one, other = self.formed[left], self.formed[right]
            product = one.flatten(0, 1) @ other.flatten(0, 1).mT
            blocks.append(product.unflatten(0, one.shape[:2]).unflatten(-1, other.shape[:2]))
        total = blocks[0]
        for block in blocks[1:]:
            total += block
        return total

    def _pulled(self, seen: Captured, y: Tensor) -> Tensor:
        """Σ_c y_c·s_c at each token: `[N·T, out, b]`."""
        samples, _, tokens, width = seen.signals.shape
        return (seen.signals.flatten(2).mT @ y).reshape(samples * tokens, width, y.shape[-1])

    def _layer_change(self, key: Key, seen: Captured, vectors: Tensor) -> Tensor:
        """What leaves a layer, by its derivative along v: `[N·T, out, b]`."""
        width, batch = seen.signals.shape[-1], vectors.shape[1]
        inputs = seen.inputs.flatten(0, 1)
        moved = inputs.new_zeros(len(inputs), width, batch)
        if seen.weight:
            weight = self._weight(key, seen, vectors)
            moved = (inputs @ weight.transpose(0, 1).flatten(1)).unflatten(1, (width, batch))
        if seen.bias:
            moved = moved + self._part(key[1], vectors)
        return moved

    def _weight(self, key: Key, seen: Captured, columns: Tensor) -> Tensor:
        """The view of `[n, b]` that belongs to a map's weight: `[out, in, b]`."""
        out, entering = seen.signals.shape[-1], seen.inputs.shape[-1]
        part = self._part(key[0], columns)
        return (
            part.unflatten(0, (entering, out)).transpose(0, 1)
            if seen.transposed
            else part.unflatten(0, (out, entering))
        )

    def _part(self, name: str, columns: Tensor) -> Tensor:
        """The view of `[n, b]` that belongs to a parameter."""
        first, count = self.places[name]
        return columns[first : first + count]


def score_rows(model: Model, x: Tensor, chunk: int | None, score: Callable[[Tensor], Tensor]) -> ScoreRows:
    """A at the prompts x; `score` maps changes of outputs `[..., N, k]` to √weight·S·w.

    One forward pass and k backward passes, and forming the rows of parameters outside of affine maps.
    """
    try:
        rows = rows_of(model, x, chunk)
    except NotSeparableError:
        rows = rows_of(model, x, chunk, model.names)
    captured = {
        key: replace(seen, signals=score(seen.signals.permute(2, 3, 0, 1)).permute(2, 3, 0, 1).contiguous())
        for key, seen in rows.captured.items()
    }
    rest = tuple(name for name in model.params if name in rows.names)
    formed = rows.formed[..., : sum(model.params[name].numel() for name in rest)]
    return ScoreRows(
        captured=captured,
        formed=score(formed.permute(2, 0, 1)).permute(1, 2, 0).contiguous(),
        places=_places(model.params),
        rest=rest,
        shape=(formed.shape[0] * formed.shape[1], model.size),
    )


def _places(params: Mapping[str, Tensor]) -> dict[str, tuple[int, int]]:
    places, first = {}, 0
    for name, value in params.items():
        places[name] = (first, value.numel())
        first += value.numel()
    return places
