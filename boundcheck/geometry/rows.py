"""The Jacobian rows of a batch: captured where affine maps gave them away, formed elsewhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from boundcheck.geometry.jacobian import formed_jacobian
from boundcheck.geometry.layers import (
    NETWORK_ROUNDINGS,
    TEMPORARY,
    Captured,
    NotSeparableError,
    concatenated,
    cross_gram,
    inner_products,
    paired,
)
from boundcheck.geometry.model import Model, require_finite
from boundcheck.geometry.observe import observe
from boundcheck.geometry.watch import Key

SMALLEST = 1e-60
"""Below this norm the products of Jacobian rows, of inputs and of signals come too near to underflow."""


@dataclass(frozen=True)
class Rows:
    """Jacobian rows of a batch; leading axes, if any, are lanes.

    Attributes:
        captured: those of affine maps, map by map.
        formed: those of all other parameters, `[..., N, k, n_rest]`.
        sizes: for each row the scale of its rounding errors, at least its norm: `[..., N·k]`.
        names: the parameters of `formed`.

    """

    captured: Mapping[Key, Captured]
    formed: Tensor
    sizes: Tensor
    names: frozenset[str] = frozenset()

    def vanish(self) -> bool:
        """Whether all rows are 0 exactly."""
        if float(self.sizes.max()) > SMALLEST:
            return False
        return not bool(self.formed.any()) and all(seen.vanishes() for seen in self.captured.values())

    def products(self, other: "Rows") -> Tensor:
        """Inner products of the rows of two batches: `[..., N·k, N'·k']`.

        Raises:
            NotSeparableError: for a map that acts for one batch alone: the rows are not over like columns.

        """
        if self.captured.keys() != other.captured.keys() or self.formed.shape[-1] != other.formed.shape[-1]:
            raise NotSeparableError
        parts = [cross_gram(mine, theirs) for mine, theirs in paired(self.captured, other.captured)]
        if self.formed.shape[-1] or not parts:
            parts.append(inner_products(self.formed, other.formed, 2, 2))
        total = sum(parts[1:], start=parts[0])
        return total.flatten(-2).flatten(-3, -2)

    def terms(self) -> int:
        """Roundings on the way to an inner product of rows, at most: of one map's sums and of the sum over maps."""
        of_maps = [self.formed.shape[-1]]
        for seen in self.captured.values():
            tokens, width, inputs = seen.signals.shape[-2], seen.signals.shape[-1], seen.inputs.shape[-1]
            by_tokens, by_rows = width + inputs + tokens**2, width * (inputs + 1) + tokens
            of_maps.append(by_tokens if tokens == 1 else max(by_tokens, by_rows))
        return max(of_maps) + len(of_maps) + 16

    def part_captured(self) -> "Rows":
        """The same over the captured maps alone (with no sizes: nobody asks for those)."""
        return self if not self.names else Rows(self.captured, no_rows(self.captured), self.sizes, self.names)

    def triangle(self) -> Tensor:
        """R of a QR of the rows' transpose, `[..., min(N·k, n), N·k]`: RᵀR are the inner products, with no number squared.

        Columns are taken in pieces, of which the triangle so far is all that is kept.
        """
        pending: list[Tensor] = []
        for piece in self._pieces():
            pending.append(piece.mT)
            if sum(part.numel() for part in pending) > TEMPORARY:
                pending = [torch.linalg.qr(concatenated(pending, -2), mode="r").R]
        return torch.linalg.qr(concatenated(pending, -2), mode="r").R

    def _pieces(self) -> Iterator[Tensor]:
        for seen in self.captured.values():
            yield from seen.reduced().pieces(TEMPORARY)
        rows = self.formed.flatten(-3, -2)
        yield from rows.split(max(1, TEMPORARY // rows.shape[:-1].numel()), -1)


def rows_of(model: Model, x: Tensor, chunk: int | None, formed: frozenset[str] | None = None) -> Rows:
    """The Jacobian rows of a batch.

    Args:
        model: the network.
        x: samples `[N, ...]`.
        chunk: samples a pass of those that are formed.
        formed: names of the parameters to form rows for, where that is known; found out otherwise.

    Raises:
        BoundcheckError: where the Jacobian is not finite.

    """
    seen = captured_rows(model, x, formed) if formed != model.names else None
    if seen is not None and not seen.names:
        return seen
    names = model.names if seen is None else seen.names
    made = formed_jacobian(model.part(names), x, chunk).double()
    rows = with_sizes({} if seen is None else seen.captured, made, names)
    require_finite(rows.sizes.reshape(x.shape[0], -1), "the Jacobian")
    return rows


def captured_rows(model: Model, x: Tensor, formed: frozenset[str] | None = None, start: int = 0) -> Rows:
    """The rows over those parameters that act in affine maps; `names` are the others, for which rows must be formed.

    Args:
        model: the network.
        x: samples `[N, ...]`.
        formed: `names` of an earlier batch; compared with automatic differentiation on two samples if not given.
        start: the number of the first sample, for errors.

    Raises:
        BoundcheckError: where they are not finite.

    """
    observed = observe(model.call, model.params, x, formed)
    if not observed.captured:
        return _nothing(model, x, observed.formed)
    rows = with_sizes(observed.captured, no_rows(observed.captured), observed.formed)
    require_finite(rows.sizes.reshape(x.shape[0], -1), "the Jacobian", start)
    return rows


def _nothing(model: Model, x: Tensor, formed: frozenset[str]) -> Rows:
    """Rows over no parameter that matters: one column of zeros."""
    with torch.no_grad():
        zeros = torch.zeros_like(model.call(model.params, x)).double().unsqueeze(-1)
    return with_sizes({}, zeros, formed)


def no_rows(captured: Mapping[Key, Captured]) -> Tensor:
    """Rows of no parameters: `[..., N, k, 0]`."""
    return next(iter(captured.values())).signals[..., 0, :0]


def with_sizes(captured: Mapping[Key, Captured], formed: Tensor, names: frozenset[str] = frozenset()) -> Rows:
    """Rows captured map by map and rows formed `[..., N, k, n]`, together with their sizes."""
    squares = [seen.sizes().square() for seen in captured.values()]
    if formed.shape[-1]:
        squares.append(formed.square().sum(-1))
    sizes = sum(squares[1:], start=squares[0]).sqrt()
    return Rows(captured, formed, sizes.flatten(-2), names)


def numerical_rank(sigmas: Tensor, sizes: Tensor, shape: tuple[int, int], roundoff: float) -> Tensor:
    """Singular values above two kinds of noise: the network's, in its own precision, and the factorisation's, in float64."""
    noise = NETWORK_ROUNDINGS * roundoff + max(shape) * 2.0**-53
    return (sigmas > noise * torch.linalg.vector_norm(sizes, dim=-1, keepdim=True)).sum(-1)
