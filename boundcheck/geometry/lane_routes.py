"""The stages of `boundcheck.geometry.lanes`: each measures the lanes of a pass and says for which of them that settles it."""

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from boundcheck.geometry.family import TwoLayer
from boundcheck.geometry.gram_route import GramOverlap, by_cholesky, conclude, whiten
from boundcheck.geometry.layers import LARGEST, Captured, NotSeparableError
from boundcheck.geometry.overlap import singular_values
from boundcheck.geometry.rows import SMALLEST, Rows, no_rows, numerical_rank, with_sizes
from boundcheck.geometry.two_layer_lanes import TrainProducts, Workspace, eval_products, train_products
from boundcheck.geometry.watch import Key

Lanes = Mapping[str, Tensor]
"""Parameters by name, x_train and x_eval of some lanes."""

BLOCK = 2**16
"""Numbers in an array of evaluation products, 512 KiB: the few in use stay in L2 or near it. Much smaller and each operation
costs more than its arithmetic; larger and the allocator hands the memory back each time, and page faults cost more than it."""

VECTORS = 32
"""A block of lanes is a multiple of this, for the reason that a pass is one (see `boundcheck.geometry.lanes`)."""

WIDEST = LARGEST / 1e5
"""Vectors of up to 10¹⁰ entries of this size have norms up to LARGEST."""


class Measured(NamedTuple):
    """γ_ov, its error, σ_min, σ_max, rank, whether they came by Cholesky, and whether they are final, lane by lane; mk."""

    gamma: Tensor
    error: Tensor
    sigma_min: Tensor
    sigma_max: Tensor
    rank: Tensor
    by_gram: Tensor
    settled: Tensor
    rows: int


Stage = Callable[[Lanes], Measured]


def gathered(lanes: Lanes, places: Tensor) -> Lanes:
    """The lanes at these places."""
    return {name: value.index_select(0, places) for name, value in lanes.items()}


@dataclass(frozen=True)
class RowsRoute:
    """From Jacobian rows, of which there are two ways to come by; the first gives nothing where it does not apply."""

    captured: Callable[[Lanes, str], dict[Key, Captured]]
    formed: Callable[[Lanes, str], Tensor]
    parameters: int
    roundoff: float
    accuracy: float

    @property
    def stages(self) -> tuple[Stage, ...]:
        return _first_if(self.accuracy > 0, self.by_gram, self.by_qr, self.by_formed_rows)

    def by_gram(self, lanes: Lanes) -> Measured:
        """Products of rows, and Cholesky."""
        train, evaluation, within = self._rows(lanes)
        size = torch.linalg.vector_norm(evaluation.sizes, dim=-1)
        found = by_cholesky(
            train.products(train),
            evaluation.products(train),
            train.sizes,
            size,
            self.accuracy,
            samples=lanes["x_eval"].shape[1],
            terms=train.terms(),
            roundoff=self.roundoff,
        )
        return of_gram(found, train.sizes, size, self.parameters, self.roundoff, within)

    def by_qr(self, lanes: Lanes) -> Measured:
        """A QR of J_S, whatever its condition."""
        train, evaluation, within = self._rows(lanes)
        size = torch.linalg.vector_norm(evaluation.sizes, dim=-1)
        products, samples = evaluation.products(train), lanes["x_eval"].shape[1]
        found = of_qr(train.triangle(), products, train.sizes, size, samples, self.parameters, self.roundoff)
        return found._replace(settled=within)

    def by_formed_rows(self, lanes: Lanes) -> Measured:
        """The same, from rows that are formed: their factors may be larger than products of them can be."""
        return replace(self, captured=lambda *_: {}).by_qr(lanes)

    def _rows(self, lanes: Lanes) -> tuple[Rows, Rows, Tensor]:
        """Rows of both batches by the same way, since inner products need like with like; and for which lanes they are right."""
        batches = ("x_train", "x_eval")
        with contextlib.suppress(NotSeparableError):
            captured = [self.captured(lanes, batch) for batch in batches]
            if all(captured) and captured[0].keys() == captured[1].keys():
                return _with_factors_in_range(captured[0], captured[1])
        train, evaluation = (with_sizes({}, self.formed(lanes, batch).double()) for batch in batches)
        return train, evaluation, torch.ones_like(train.sizes[..., 0], dtype=torch.bool)


@dataclass(frozen=True)
class TwoLayerRoute:
    """The same stages of a `TwoLayer`, from what its rows are made of."""

    family: TwoLayer
    roundoff: float
    accuracy: float

    @property
    def stages(self) -> tuple[Stage, ...]:
        return _first_if(self.accuracy > 0, self.by_gram, self.by_qr)

    def by_gram(self, lanes: Lanes) -> Measured:
        train, x = self._train(lanes), lanes["x_eval"].double()
        whitening = whiten(train.gram, train.sizes, terms=train.terms)
        rows, eval_rows = train.gram.shape[-1], x.shape[1] * self.family.outputs_
        hopeful = whitening.regular & (whitening.shift <= self.accuracy)
        parts, space = [], Workspace()
        for block in self._blocks(x, rows):
            if bool(hopeful[block].any()):
                made = eval_products(train, block, x[block], space)
                whitened = space.matmul("whitened", whitening.inverse[block], made.cross.mT)
                parts.append((whitened @ whitened.mT, made.square, made.longest))
            else:
                unknown = torch.full_like(whitening.shift[block], math.nan)
                parts.append((whitening.inverse[block], unknown, unknown))
        restricted, square, longest = (torch.cat(column) for column in zip(*parts, strict=True))
        size = square.sqrt()
        found = conclude(
            train.gram,
            whitening,
            restricted if eval_rows >= rows else None,
            size,
            self.accuracy,
            samples=x.shape[1],
            eval_rows=eval_rows,
            roundoff=self.roundoff,
        )
        within = self._within(train.longest, longest)
        return of_gram(found, train.sizes, size, self.family.parameters, self.roundoff, within)

    def by_qr(self, lanes: Lanes) -> Measured:
        train, x, space = self._train(lanes), lanes["x_eval"].double(), Workspace()
        jacobian, sizes, parts = train.rows(), train.sizes, []
        for block in self._blocks(x, sizes.shape[-1]):
            made = eval_products(train, block, x[block], space)
            triangle = torch.linalg.qr(jacobian[block].mT, mode="r").R
            *found, _, rows = of_qr(
                triangle,
                made.cross,
                sizes[block],
                made.square.sqrt(),
                x.shape[1],
                self.family.parameters,
                self.roundoff,
            )
            parts.append([*found, self._within(train.longest[block], made.longest)])
        gamma, error, smallest, largest, rank, by_gram, settled = (
            torch.cat(column) for column in zip(*parts, strict=True)
        )
        return Measured(gamma, error, smallest, largest, rank, by_gram, settled, rows)

    def _blocks(self, x: Tensor, rows: int) -> list[slice]:
        """Lanes whose evaluation products fill an array of the size that suits the caches, or a vector of lanes."""
        step = max(VECTORS, BLOCK // (x.shape[1] * self.family.outputs_ * rows) // VECTORS * VECTORS)
        return [slice(start, min(len(x), start + step)) for start in range(0, len(x), step)]

    def _train(self, lanes: Lanes) -> TrainProducts:
        return train_products(self.family, *(lanes[name].double() for name in ("theta", "head", "x_train")))

    def _within(self, train: Tensor, evaluation: Tensor) -> Tensor:
        return ~(torch.maximum(train, evaluation) > LARGEST**2)  # what is NaN is NaN by every route


def _first_if(wanted: bool, first: Stage, *others: Stage) -> tuple[Stage, ...]:
    return (first, *others) if wanted else others


def of_gram(
    found: GramOverlap, train_sizes: Tensor, eval_size: Tensor, parameters: int, roundoff: float, within: Tensor
) -> Measured:
    """What Cholesky found, settled where its bounds hold and J_S has full rank beyond doubt."""
    rows = train_sizes.shape[-1]
    trusted = found.trusted & within & _measurable(torch.linalg.vector_norm(train_sizes, dim=-1), eval_size)
    above = numerical_rank(found.sigma_min.unsqueeze(-1), train_sizes, (rows, parameters), roundoff) == 1
    trusted = trusted & above if rows <= parameters else torch.zeros_like(trusted)
    rank = torch.full_like(found.gamma, rows, dtype=torch.int64)
    return Measured(found.gamma, found.error, found.sigma_min, found.sigma_max, rank, trusted, trusted, rows)


def _measurable(train_size: Tensor, eval_size: Tensor) -> Tensor:
    return (torch.minimum(train_size, eval_size) > SMALLEST) & (torch.maximum(train_size, eval_size) < LARGEST)


def _with_factors_in_range(train: dict[Key, Captured], evaluation: dict[Key, Captured]) -> tuple[Rows, Rows, Tensor]:
    """Rows, with 0 in the lanes some of whose factors are so large that products of them may overflow where the rows do not;
    and which lanes are as they were."""
    with contextlib.suppress(NotSeparableError):
        rows = [with_sizes(batch, no_rows(batch)) for batch in (train, evaluation)]
        if all(bool(part.sizes.sum().isfinite()) for part in rows):  # nearly always; a NaN hides what is too large
            return rows[0], rows[1], torch.ones_like(rows[0].sizes[..., 0], dtype=torch.bool)
    layers = [*train.values(), *evaluation.values()]
    largest = [part.flatten(1).abs().amax(1) for seen in layers for part in (seen.inputs, seen.signals)]
    within = ~(torch.stack(largest) > WIDEST).any(0)  # what is NaN is NaN by every route
    rows = [with_sizes(batch, no_rows(batch)) for batch in (_kept(train, within), _kept(evaluation, within))]
    return rows[0], rows[1], within


def _kept(captured: dict[Key, Captured], lanes: Tensor) -> dict[Key, Captured]:
    """0 in the other lanes."""
    if bool(lanes.all()):
        return captured
    return changed(captured, lambda part: torch.where(lanes.reshape(-1, *(1,) * (part.dim() - 1)), part, 0.0))


def changed(captured: dict[Key, Captured], change: Callable[[Tensor], Tensor]) -> dict[Key, Captured]:
    """All inputs and signals changed; layers that read one tensor still do, on which the order of later sums depends."""
    inputs = {seen.source: seen.inputs for seen in captured.values()}
    inputs = {source: change(given) for source, given in inputs.items()}
    return {
        name: replace(seen, inputs=inputs[seen.source], signals=change(seen.signals)) for name, seen in captured.items()
    }


def of_qr(
    triangle: Tensor,
    products: Tensor,
    train_sizes: Tensor,
    eval_size: Tensor,
    samples: int,
    parameters: int,
    roundoff: float,
) -> Measured:
    """From R of a QR of J_S, the products C = J_eval·J_Sᵀ and the sizes of both, whatever the condition of J_S."""
    rows = triangle.shape[-1]
    sigmas = singular_values(triangle)
    trusted = _measurable(torch.linalg.vector_norm(train_sizes, dim=-1), eval_size)  # false for NaN
    rank = torch.where(trusted, numerical_rank(sigmas, train_sizes, (rows, parameters), roundoff), 0)
    gamma, error = torch.full_like(eval_size, math.nan), torch.full_like(eval_size, math.nan)
    if rows <= parameters:
        gamma, error = _overlap(triangle, products, train_sizes, eval_size, samples, roundoff)
    smallest = sigmas[..., -1] if rows <= parameters else torch.zeros_like(gamma)
    values = torch.stack([gamma, error, smallest, sigmas[..., 0]])
    gamma, error, smallest, largest = torch.where(trusted, values, math.nan)
    regular = rank == rows
    gamma, error = torch.where(regular, gamma, math.nan), torch.where(regular, error, math.nan)
    return Measured(gamma, error, smallest, largest, rank, torch.zeros_like(regular), torch.ones_like(regular), rows)


def _overlap(
    triangle: Tensor, products: Tensor, train_sizes: Tensor, eval_size: Tensor, samples: int, roundoff: float
) -> tuple[Tensor, Tensor]:
    """γ_ov and the size of its error, meaningless where J_S does not have full row rank."""
    if products.shape[-2] < products.shape[-1]:
        zeros = torch.zeros_like(eval_size)
        return zeros, zeros
    restricted = torch.linalg.solve_triangular(triangle, products, upper=True, left=False)
    small = torch.linalg.qr(restricted, mode="r").R
    scaled = torch.linalg.solve_triangular(triangle, torch.diag_embed(train_sizes), upper=True, left=False)
    error = roundoff * eval_size * torch.linalg.matrix_norm(scaled) / math.sqrt(samples)
    return singular_values(small)[..., -1] / math.sqrt(samples), error
