"""Tangent-space overlap of thousands of small nets at once, each with its own parameters and samples (a lane).

Inner products of Jacobian rows come first; a lane for which `boundcheck.geometry.gram_route` bounds what Cholesky costs is done
with them. The others are gathered and go the way that `boundcheck.geometry.jacobian` takes for one net: a QR of J_S, singular
values of factors. A lane that cannot be measured comes out as NaN instead of raising: it must not take the others with it.

On one thread of a CPU a lane's result is the same to the bit however the lanes are split into calls and passes, whichever lanes
stand beside it, and whichever way those go (of a module whose samples keep to themselves, with inputs that are laid out alike).
Three things in torch and its BLAS depend on where a number lies, and each pass is laid out for them: the last few numbers of
an array go through other formulas (so a pass is a whole number of vectors long); a batch of one is no batch (so it holds two
lanes or more); matrices whose size is no multiple of 16 bytes lie on one in some lanes only (so such lanes are laid out twice in
float64, where their axes are odd, up to four times in float32, and the copies are not read).
Source: Local Edits, Definition 4.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from boundcheck.errors import BoundcheckError
from boundcheck.geometry.family import Family, Frozen, TwoLayer
from boundcheck.geometry.gram_route import ACCURACY
from boundcheck.geometry.jacobian import per_sample
from boundcheck.geometry.lane_routes import Lanes, RowsRoute, Stage, TwoLayerRoute, changed, gathered
from boundcheck.geometry.layers import Captured, NotSeparableError
from boundcheck.geometry.model import Call, model_of
from boundcheck.geometry.observe import observe_lanes
from boundcheck.geometry.watch import Key

VECTOR = 32
"""Numbers that torch's elementwise kernels take at a time, at most (two AVX-512 registers of float32)."""


@dataclass(frozen=True)
class TangentOverlaps:
    """`TangentOverlap` of each lane, as tensors `[lanes]`.

    A lane that is not finite, or whose Jacobian is 0 or has a size outside 1e-60 … 1e75 (products of its rows could leave the
    range of float64), has NaN everywhere and rank 0; ask `tangent_overlap` about it alone.

    `by_gram` says which lanes went by Cholesky: the roundings of that route change their γ_ov, σ_min and σ_max by no more than
    the `accuracy` asked for, relatively, and `gamma_error` contains that. All others went by QR.
    """

    gamma_ov: Tensor
    gamma_error: Tensor
    sigma_min: Tensor
    sigma_max: Tensor
    rank: Tensor
    by_gram: Tensor
    rows: int
    parameters: int

    @property
    def full_rank(self) -> Tensor:
        """Whether J_S has full row rank, lane by lane."""
        return self.rank == self.rows


def tangent_overlaps(
    module: nn.Module,
    params: Mapping[str, Tensor],
    x_train: Tensor,
    x_eval: Tensor,
    *,
    chunk: int = 256,
    accuracy: float = ACCURACY,
) -> TangentOverlaps:
    """`tangent_overlap` of many nets of one shape, each with its own samples.

    Args:
        module: gives the shape; its own parameters serve only where `params` names no others.
        params: parameters by name, each with a leading lane axis (as from `torch.func.stack_module_state`).
        x_train: `[lanes, m, ...]`.
        x_eval: `[lanes, N, ...]`.
        chunk: lanes a pass, rounded up to a multiple of 32. It bounds the memory and changes no result.
        accuracy: lanes whose γ_ov, σ_min and σ_max move by no more than this (relatively, by a computed bound) if they are taken
            from Gram matrices go that way, which is faster; all others go by QR. 0 sends every lane by QR.

    Raises:
        BoundcheckError: if the leading axes differ, if there is nothing to measure, if the outputs have another shape than
            `[N, k]`, or if the module is in a training mode in which samples influence each other.

    Source: Local Edits, Definition 4.

    """
    tensors = {**params, "x_train": x_train, "x_eval": x_eval}
    if len(tensors) != len(params) + 2:
        raise BoundcheckError("a parameter named x_train or x_eval", remedy="rename it")
    _check(tensors, chunk, accuracy)
    model = model_of(module, {name: torch.zeros_like(value[0]) for name, value in params.items()})

    def given(lanes: Lanes) -> dict[str, Tensor]:
        return {name: lanes[name].detach() for name in params}

    def captured(lanes: Lanes, batch: str) -> dict[Key, Captured]:
        return _capture(model.call, given(lanes), lanes[batch])

    def formed(lanes: Lanes, batch: str) -> Tensor:
        blocks = torch.func.vmap(per_sample(model.call))(given(lanes), lanes[batch])
        return torch.cat([block.flatten(3) for block in blocks.values()], dim=-1).detach()

    shapes = [*(value.shape[1:] for value in params.values()), x_train.shape[2:], (x_train.shape[1],)]
    route = RowsRoute(captured, formed, model.size, model.roundoff, accuracy)
    usable, finite = _finite_lanes(tensors)
    found = _by_lanes(
        route.stages,
        _Layout(usable, chunk, VECTOR, _places_apart(shapes, [value.dtype for value in tensors.values()])),
        model.size,
    )
    return found if bool(finite.all()) else _without(found, ~finite)


def family_overlaps(
    family: Family,
    theta: Tensor,
    frozen: Frozen,
    x_train: Tensor,
    x_eval: Tensor,
    *,
    chunk: int = 1024,
    accuracy: float = ACCURACY,
) -> TangentOverlaps:
    """`tangent_overlap` of many members of a registered family, each with its own samples.

    The rows of a `TwoLayer` are outer products, whose inner products need no Jacobian; other families form theirs.

    Args:
        family: the family.
        theta: `[lanes, n]`.
        frozen: the parameters that are not trained, `[lanes, ...]` each.
        x_train: `[lanes, m, features]`.
        x_eval: `[lanes, N, features]`.
        chunk, accuracy: as in `tangent_overlaps`.

    Raises:
        BoundcheckError: if the leading axes differ or there is nothing to measure.

    Source: Local Edits, Definition 4.

    """
    tensors = {**frozen, "theta": theta, "x_train": x_train, "x_eval": x_eval}
    _check(tensors, chunk, accuracy)

    def formed(lanes: Lanes, batch: str) -> Tensor:
        return family.jacobian(lanes["theta"], {name: lanes[name] for name in frozen}, lanes[batch])

    roundoff = torch.finfo(theta.dtype).eps / 2
    train, samples, features = x_train.shape[1], x_eval.shape[1], family.features
    route = RowsRoute(lambda *_: {}, formed, family.parameters, roundoff, accuracy)
    if isinstance(family, TwoLayer):
        width = family.width
        own: tuple[Stage, ...] = (*TwoLayerRoute(family, roundoff, accuracy).stages, route.by_formed_rows)
        stages = tuple(_in_float64(stage) for stage in own)
        precisions = [torch.float64]
        # Whole vectors of φ' in each lane need no company.
        vector = max(2, VECTOR // math.gcd(VECTOR, width * train, width * samples))
        sizes = (features, width, train * family.outputs_count)
    else:
        stages, vector = route.stages, VECTOR
        precisions = [value.dtype for value in tensors.values()]
        sizes = (features, family.parameters, train * family.outputs_count)
    return _by_lanes(stages, _Layout(tensors, chunk, vector, _places_apart([sizes], precisions)), family.parameters)


def _in_float64(stage: Stage) -> Stage:
    """The stage on lanes that are converted first: then only float64 matrices must lie on multiples of 16 bytes."""
    return lambda lanes: stage({name: value.double() for name, value in lanes.items()})


def _check(tensors: Mapping[str, Tensor], chunk: int, accuracy: float) -> None:
    for name, value in tensors.items():
        if value.dim() == 0 or not value.numel():
            raise BoundcheckError(f"{name} of shape {list(value.shape)}", expected="a lane axis and at least one entry")
    lanes = {name: value.shape[0] for name, value in tensors.items()}
    if len(set(lanes.values())) != 1:
        raise BoundcheckError(f"leading axes of lengths {lanes}", expected="the same number of lanes everywhere")
    if chunk < 1:
        raise BoundcheckError(f"chunk={chunk}", expected="a positive number of lanes")
    if not 0 <= accuracy < 1:
        raise BoundcheckError(f"accuracy={accuracy}", expected="a relative change of at least 0 and below 1")


def _capture(call: Call, params: Lanes, x: Tensor) -> dict[Key, Captured]:
    """`observe_lanes`, which looks at the module in the first lane, from a lane that does not overflow."""
    try:
        return observe_lanes(call, params, x)
    except NotSeparableError:
        outputs = torch.func.vmap(call)(params, x)
        first = int(outputs.isfinite().flatten(1).all(1).to(torch.int8).argmax())
        if first == 0:
            raise
        rolled = {name: value.roll(-first, 0) for name, value in params.items()}
        found = observe_lanes(call, rolled, x.roll(-first, 0))
        return changed(found, lambda part: part.roll(first, 0))


@dataclass(frozen=True)
class _Layout:
    """How lanes are put together into passes: about `chunk`, a multiple of `vector`, each `apart` places from the next."""

    tensors: Lanes
    chunk: int
    vector: int
    apart: int

    def passes(self, lanes: Tensor) -> Iterator[tuple[Lanes, int]]:
        """Some of the lanes at a time, filled up with copies of the last, and how many they are."""
        step = -(-self.chunk // self.vector) * self.vector
        everything = len(lanes) == len(self.tensors["x_train"])
        for chosen in lanes.split(step):
            count = len(chosen)
            if everything and self.apart == 1 and count % self.vector == 0:
                start = int(chosen[0])
                yield {name: value[start : start + count] for name, value in self.tensors.items()}, count
            else:
                filling = chosen[-1:].expand(-count % self.vector)
                yield gathered(self.tensors, torch.cat([chosen, filling]).repeat_interleave(self.apart)), count


def _by_lanes(stages: Sequence[Stage], layout: _Layout, parameters: int) -> TangentOverlaps:
    """Each stage measures what the one before it left."""
    layout = replace(layout, tensors=_laid_out(layout.tensors))
    x = layout.tensors["x_train"]
    lanes = torch.arange(len(x), device=x.device)
    columns: list[Tensor] = []
    for stage in stages:
        parts = []
        for some, count in layout.passes(lanes):
            *found, rows = stage(some)
            parts.append([column[:: layout.apart][:count] for column in found])
        new = [torch.cat(column) for column in zip(*parts, strict=True)]
        columns = [old.index_copy(0, lanes, some) for old, some in zip(columns, new, strict=True)] if columns else new
        lanes = lanes[~new[-1]]
        if not len(lanes):
            break
    gamma, error, smallest, largest, rank, by_gram, _ = columns
    return TangentOverlaps(gamma, error, smallest, largest, rank, by_gram, rows, parameters)


def _without(found: TangentOverlaps, bad: Tensor) -> TangentOverlaps:
    """These lanes NaN."""
    gamma, error, smallest, largest = (
        column.masked_fill(bad, math.nan)
        for column in (found.gamma_ov, found.gamma_error, found.sigma_min, found.sigma_max)
    )
    rank, by_gram = found.rank.masked_fill(bad, 0), found.by_gram & ~bad
    return TangentOverlaps(gamma, error, smallest, largest, rank, by_gram, found.rows, found.parameters)


def _finite_lanes(tensors: Lanes) -> tuple[Lanes, Tensor]:
    """Lanes that are not finite replaced by the first that is (they would spoil what is common to a pass); and which are."""
    finite = torch.stack([value.isfinite().flatten(1).all(1) for value in tensors.values()]).all(0)
    if bool(finite.all()) or not bool(finite.any()):
        return tensors, finite
    places = torch.where(finite, torch.arange(len(finite), device=finite.device), finite.to(torch.int8).argmax())
    return gathered(tensors, places), finite


def _places_apart(shapes: Iterable[Sequence[int]], precisions: Iterable[torch.dtype]) -> int:
    """So many places apart every matrix of a lane lies on a multiple of 16 bytes, whatever the lengths of its axes are.

    1 where all axes are whole multiples of 16 bytes. Axes of length 1 do not count: a sum of one term has no order.
    """
    needed = max(16 // dtype.itemsize for dtype in precisions)
    return needed // math.gcd(needed, *(axis for shape in shapes for axis in shape if axis != 1))


def _laid_out(tensors: Lanes) -> Lanes:
    """The same as contiguous arrays on the boundaries that torch gives its own."""
    given = {name: value.detach().contiguous() for name, value in tensors.items()}
    return {name: value.clone() if value.data_ptr() % 64 else value for name, value in given.items()}
