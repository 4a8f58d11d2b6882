"""Inner products of Jacobian rows of affine maps, without forming the rows.

An affine map that maps activations a_t to W·a_t + b, with gradients g_t of one output with respect to its results, has the
Jacobian row (Σ_t g_t·a_tᵀ, Σ_t g_t); t runs over whatever the map was applied to for one sample (the tokens of a sequence,
the patches of an image, repeated calls). Two rows have the inner product Σ_tt' (g_t·g'_t')·(a_t·a'_t' + 1). That needs the
activations and the gradients of the batch, which one forward pass and k backward passes yield (`boundcheck.geometry.observe`),
and not the N·k·n numbers of the rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

K = TypeVar("K")

TEMPORARY = 2**20
"""Numbers that a temporary tensor may hold (8 MiB): memory that is used again at once costs neither caches nor page faults."""


NETWORK_ROUNDINGS = 64
"""Rounding errors, in units of u of its row, that a Jacobian entry is allowed."""

LARGEST = 1e75
"""Inputs and signals up to this norm have products far from overflow; what underflows beside one of this norm is negligible."""


class NotSeparableError(Exception):
    """What was captured is not the per-sample Jacobian of this module."""


@dataclass(frozen=True)
class Captured:
    """What one affine map saw over a batch, in float64; leading axes, if any, are lanes (one net each).

    Attributes:
        inputs: activations that entered it: `[..., N, T, in]`.
        signals: gradients of each output with respect to what left it: `[..., N, k, T, out]`.
        weight: whether the weight is among the parameters.
        bias: whether the bias is.
        transposed: whether the weight is stored as `[in, out]`, which is the order of the rows' entries.

    """

    inputs: Tensor
    signals: Tensor
    weight: bool
    bias: bool
    transposed: bool = False

    def blocks(self) -> list[Tensor]:
        """The Jacobian rows with respect to the weight and to the bias, as far as each is trained: `[..., N, k, n]`."""
        outer = (
            torch.mul if self.inputs.shape[-2] == 1 else torch.matmul
        )  # a product of thousands of 1-column matrices is slow
        weight = [outer(self.signals.mT, self.inputs.unsqueeze(-3))] if self.weight else []
        bias = [self.signals.sum(-2)] if self.bias else []
        return [(block.mT if self.transposed else block).flatten(-2) for block in weight] + bias

    def rows(self) -> Tensor:
        """The Jacobian rows, weight before bias: `[..., N, k, n]`."""
        return concatenated(self.blocks(), -1)

    def combined(self, weights: Tensor) -> list[Tensor]:
        """`blocks` of one net, summed over samples and outputs, each row times its weight `[N, k]`: a vector for each block."""
        signals = (weights[..., None, None] * self.signals).sum(1).flatten(0, 1)
        weight = [signals.mT @ self.inputs.flatten(0, 1)] if self.weight else []
        bias = [signals.sum(0)] if self.bias else []
        return [(block.mT if self.transposed else block).flatten() for block in weight] + bias

    def reduced(self) -> "Captured":
        """A map with the same inner products of its rows among each other, over fewer features.

        What the few activations of a small batch span is turned onto the first coordinates by a QR (an orthogonal map, so that
        no accuracy is lost), and so are the signals, where that pays: 32 rows of 51,200 numbers become 32 of 1,024.
        """
        rows = self.signals.shape[-4:-2].numel()
        inputs, signals = self.inputs, self.signals
        if _pays(inputs.shape[-3:-1].numel(), inputs.shape[-1], signals.shape[-1], rows):
            inputs = _turned(inputs.flatten(-3, -2)).unflatten(-2, inputs.shape[-3:-1])
        if _pays(signals.shape[-4:-1].numel(), signals.shape[-1], inputs.shape[-1], rows):
            signals = _turned(signals.flatten(-4, -2)).unflatten(-2, signals.shape[-4:-1])
        return Captured(inputs, signals, self.weight, self.bias)

    def pieces(self, numbers: int) -> Iterator[Tensor]:
        """Columns of the rows `[..., N·k, columns]`, in pieces of about so many numbers, in some order."""
        width = max(1, numbers // max(1, self.signals.shape[-4:-2].numel() * self.inputs.shape[-1]))
        for signals in self.signals.split(width, -1):
            part = Captured(self.inputs, signals, self.weight, self.bias)
            yield from (block.flatten(-3, -2) for block in part.blocks())

    def sizes(self) -> Tensor:
        """√(Σ_t ‖g_t‖²)·√(Σ_t ‖(a_t, 1)‖²) for each row: `[..., N, k]`.

        At least the norm of the row, and the scale of its rounding errors even where its terms cancel (a key's bias in
        self-attention has the exact gradient 0).

        Raises:
            NotSeparableError: if products of the factors would overflow, though their rows need not.

        """
        squares = _squares(self.inputs.flatten(-2)) * float(self.weight)
        lengths = (squares + self.inputs.shape[-2] * float(self.bias)).sqrt()
        norms = _squares(self.signals.flatten(-2)).sqrt()
        if max(float(lengths.max()), float(norms.max())) > LARGEST:
            raise NotSeparableError
        return norms * lengths.unsqueeze(-1)

    def vanishes(self) -> bool:
        """Whether all rows are 0 exactly, which sizes that underflowed do not say."""
        given = (
            (self.inputs != 0).any(-1)
            if self.weight and not self.bias
            else self.inputs.new_ones(1, 1, dtype=torch.bool)
        )
        return not bool(((self.signals != 0).any(-1) & given[:, None]).any())

    @property
    def source(self) -> tuple[object, ...]:
        """Equal for layers that read the same tensor and train the same of weight and bias."""
        given = self.inputs
        return given.data_ptr(), given.shape, given.stride(), self.weight, self.bias

    def at(self, samples: Sequence[int]) -> "Captured":
        """The same of one net at these samples, in arrays of their own."""
        return Captured(self.inputs[samples], self.signals[samples], self.weight, self.bias, self.transposed)

    def part(self, samples: slice) -> "Captured":
        """The same of some of the samples."""
        inputs, signals = self.inputs[..., samples, :, :], self.signals[..., samples, :, :, :]
        return Captured(inputs, signals, self.weight, self.bias, self.transposed)


def cross_gram(left: Sequence[Captured], right: Sequence[Captured]) -> Tensor:
    """Inner products of the rows of two batches of maps with one input: `[..., N, k, N', k']`, summed over the maps.

    By activations and signals, or by rows where those take fewer operations (long sequences through a narrow layer).
    """
    by_tokens, by_rows = (sum(costs) for costs in zip(*map(operations, left, right), strict=True))
    if by_tokens <= by_rows:
        product, temporary = _by_tokens, _pairs(left[0], right[0])
    else:
        width = sum(one.signals.shape[-1] for one in left)
        product, temporary = _by_rows, left[0].signals.shape[-3] * width * (left[0].inputs.shape[-1] + 1)
    step = max(1, TEMPORARY // max(1, temporary))
    samples = left[0].signals.shape[-4]
    pieces = [slice(i, i + step) for i in range(0, samples, step)]
    return concatenated([product([one.part(piece) for one in left], right) for piece in pieces], -4)


def operations(left: Captured, right: Captured) -> tuple[int, int]:
    """Multiplications for each sample of `left`: by activations and signals, and by rows."""
    _, outputs, tokens, width = left.signals.shape[-4:]
    others, other_outputs, other_tokens, _ = right.signals.shape[-4:]
    inputs = left.inputs.shape[-1]
    by_tokens = others * tokens * other_tokens * (inputs + outputs * other_outputs * width)
    return by_tokens, outputs * inputs * width * (tokens + others * other_outputs)


def _pairs(left: Captured, right: Captured) -> int:
    """Numbers a sample of `left` that the products of all its signals with all of `right` are."""
    return left.signals.shape[-3:-1].numel() * right.signals.shape[-4:-1].numel()


def _pays(vectors: int, width: int, other: int, rows: int) -> bool:
    """Whether turning so many vectors into as many coordinates takes fewer operations than it saves in a QR of the rows."""
    return width * vectors**2 < rows**2 * (width - vectors) * other


def _turned(vectors: Tensor) -> Tensor:
    """Vectors `[..., v, width]` in an orthonormal basis of a space that holds them: `[..., v, v]`."""
    return torch.linalg.qr(vectors.mT, mode="r").R.mT


def paired(left: Mapping[K, Captured], right: Mapping[K, Captured]) -> Iterator[tuple[list[Captured], list[Captured]]]:
    """The maps that both batches passed through, those that read one input together (query, key and value)."""
    groups: dict[tuple[object, ...], list[K]] = {}
    for key in left:
        groups.setdefault((left[key].source, right[key].source), []).append(key)
    for keys in groups.values():
        yield [left[key] for key in keys], [right[key] for key in keys]


def concatenated(parts: Sequence[Tensor], dim: int) -> Tensor:
    """`torch.cat`, without its copy where there is one part."""
    return torch.cat(list(parts), dim) if len(parts) > 1 else parts[0]


def _by_rows(left: Sequence[Captured], right: Sequence[Captured]) -> Tensor:
    rows = [concatenated([one.rows() for one in maps], -1) for maps in (left, right)]
    return inner_products(rows[0], rows[1], 2, 2)


def _by_tokens(left: Sequence[Captured], right: Sequence[Captured]) -> Tensor:
    """Products of signals times products of inputs, `[..., N'·k'·T', N·k·T]` each, summed over T' and T."""
    mine, theirs = left[0], right[0]
    outputs, others = mine.signals.shape[-4:-1], theirs.signals.shape[-4:-1]
    products = _products(
        [(b.signals.flatten(-4, -2), a.signals.flatten(-4, -2)) for a, b in zip(left, right, strict=True)]
    )
    if mine.weight:
        # Repeated for each output before the product, where it costs little; broadcast over short axes after it, it costs much.
        repeated = theirs.inputs.unsqueeze(-3).expand(*theirs.signals.shape[:-1], -1).flatten(-4, -2)
        inputs = _products([(repeated, mine.inputs.flatten(-3, -2))], float(mine.bias))
        samples, tokens = mine.inputs.shape[-3:-1]
        products.unflatten(-1, outputs).mul_(inputs.unflatten(-1, (samples, 1, tokens)))
    products = products.unflatten(-2, others)
    products = (products.sum(-2) if others[-1] > 1 else products[..., 0, :]).unflatten(-1, outputs)
    summed = products @ products.new_ones(outputs[-1]) if outputs[-1] > 1 else products[..., 0]
    return summed.movedim((-4, -3), (-2, -1))


def _products(pairs: Sequence[tuple[Tensor, Tensor]], start: float = 0.0) -> Tensor:
    """Σ few·manyᵀ + start, `[..., few, many]`: with the few in front half again as fast where they are narrow."""
    few, many = pairs[0]
    if few.dim() > 2:
        total = sum((a @ b.mT for a, b in pairs[1:]), start=few @ many.mT)
        return total.add_(start) if start else total
    total = torch.addmm(few.new_full((1, 1), start), few, many.mT) if start else few @ many.mT
    for a, b in pairs[1:]:
        total.addmm_(a, b.mT)
    return total


def inner_products(left: Tensor, right: Tensor, left_axes: int, right_axes: int) -> Tensor:
    """Of all vectors in `[..., *left axes, n]` with all in `[..., *right axes, n]`: `[..., *left axes, *right axes]`.

    So many axes before the last belong to the vectors' index; those before them are lanes.
    """
    flat = _products([(right.flatten(-right_axes - 1, -2), left.flatten(-left_axes - 1, -2))]).mT
    return flat.unflatten(-2, left.shape[-left_axes - 1 : -1]).unflatten(-1, right.shape[-right_axes - 1 : -1])


def _squares(vectors: Tensor) -> Tensor:
    """Squared lengths along the last axis; short axes by a product, along which torch's reductions are several times slower."""
    if vectors.shape[-1] >= 64:
        return torch.linalg.vector_norm(vectors, dim=-1).square()
    return vectors.square() @ vectors.new_ones(vectors.shape[-1])
