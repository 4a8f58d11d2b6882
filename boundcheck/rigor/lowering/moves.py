"""Operators that move, create or drop entries: run by torch itself on positions, they become gathers."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor.lowering.build import Builder, Lowering, Value, as_value, aten, known, lowers
from boundcheck.rigor.shapes import CREATIONS, MOVES


def gathered(builder: Builder, sources: Sequence[Value], index: Tensor) -> Value:
    """The entries of `sources` at these positions: 0 is an exact zero (or False), 1 the first entry of the first source."""
    kind = sources[0].kind
    if any(source.kind != kind for source in sources):
        raise UnknownOperatorError("a mixture of truth values and numbers in one tensor")
    if len(sources) == 1 and index.numel() == sources[0].size and bool((index.flatten() == _positions(index)).all()):
        return Value(tuple(index.shape), kind, builder.register(sources[0]))
    operation = "gather" if kind == "number" else "gather_truths"
    return builder.emit(operation, *sources, shape=index.shape, kind=kind, index=index.flatten().tolist())


def _positions(index: Tensor) -> Tensor:
    return torch.arange(1, index.numel() + 1)


def positions(value: Value, first: int = 1) -> Tensor:
    """The position of each entry, in the value's shape."""
    return torch.arange(first, first + value.size).reshape(value.shape)


def broadcast(builder: Builder, *operands: Any) -> list[Value]:
    """The operands brought to one shape."""
    values = [as_value(operand) for operand in operands]
    shape = torch.broadcast_shapes(*(value.shape for value in values))
    return [expanded(builder, value, shape) for value in values]


def expanded(builder: Builder, value: Value, shape: Sequence[int]) -> Value:
    """The value broadcast to a shape."""
    if value.shape == tuple(shape):
        return value
    if value.known is not None:
        return known(value.known.expand(shape))
    return gathered(builder, [value], positions(value).expand(shape))


def moved(operator: Any) -> Lowering:
    """An operator that only moves entries of one tensor or of a list of them."""

    def lowering(builder: Builder, *args: Any, **kwargs: Any) -> Any:
        sources: list[Value] = []

        def replace(item: Any, pick: Any) -> Any:
            if isinstance(item, Value):
                return pick(item)
            if isinstance(item, list | tuple):
                return [replace(part, pick) for part in item]
            return item

        def note(value: Value) -> Value:
            sources.append(value)
            return value

        replace([args, list(kwargs.values())], note)
        if all(source.known is not None for source in sources):
            return _each(
                operator(*replace(args, _tensor), **{k: replace(v, _tensor) for k, v in kwargs.items()}), known
            )
        offset = iter(_offsets(sources))
        places = [replace(arg, lambda value: positions(value, next(offset))) for arg in args]
        return _each(operator(*places, **kwargs), lambda index: gathered(builder, sources, index))

    return lowering


def _tensor(value: Value) -> Tensor:
    assert value.known is not None
    return value.known


def _offsets(sources: Sequence[Value]) -> list[int]:
    result, first = [], 1
    for source in sources:
        result.append(first)
        first += source.size
    return result


def _each(result: Any, make: Any) -> Any:
    return make(result) if isinstance(result, Tensor) else [make(part) for part in result]


SCATTERS = ["diagonal_scatter.default", "select_scatter.default", "slice_scatter.default", "as_strided_scatter.default"]
"""What a functional trace writes in place of overwriting a part."""

for _move in [*MOVES, *SCATTERS]:
    _packet, _overload = _move.split(".")
    if hasattr(aten, _packet) and _overload in getattr(aten, _packet).overloads():
        _operator = getattr(getattr(aten, _packet), _overload)
        lowers(_operator)(moved(_operator))


@lowers(aten.constant_pad_nd.default)
def pad(builder: Builder, x: Value, padding: Sequence[int], value: float = 0) -> Value:
    """x with a border of one number."""
    border = known(torch.tensor([float(value)], dtype=torch.float64))
    index = aten.constant_pad_nd.default(positions(x), list(padding), x.size + 1)
    return gathered(builder, [x, border], index)


def _plain(item: Any) -> Any:
    if isinstance(item, Value):
        if item.known is None:
            return torch.empty(item.shape, dtype=torch.float64)  # only its shape matters to a creation
        return item.known
    return item


def _created(operator: Any) -> Lowering:
    def lowering(builder: Builder, *args: Any, **kwargs: Any) -> Value:
        if any(isinstance(arg, Value) and arg.known is None for arg in args[1:]):
            raise UnknownOperatorError(f"{operator} with a computed value")
        return known(operator(*map(_plain, args), **kwargs | ({"device": "cpu"} if "device" in kwargs else {})))

    return lowering


for _creation in CREATIONS:
    _packet, _overload = _creation.split(".")
    if not _packet.startswith(("empty", "new_empty")):  # an empty tensor has no value until it is written in place
        _creator = getattr(getattr(aten, _packet), _overload)
        lowers(_creator)(_created(_creator))


@lowers(aten.fill.Scalar)
def fill(builder: Builder, x: Value, value: float) -> Value:
    """One number everywhere."""
    return known(torch.full(x.shape, float(value), dtype=torch.float64))


@lowers(aten.copy.default)
def copy(builder: Builder, x: Value, y: Value, non_blocking: bool = False) -> Value:
    """y in the shape of x."""
    return expanded(builder, y, x.shape)


@lowers(aten.index.Tensor)
def index(builder: Builder, x: Value, indices: Sequence[Value | None]) -> Value:
    """x[indices], for indices that do not depend on the inputs."""
    return gathered(builder, [x], aten.index.Tensor(positions(x), [_fixed(i, "index") for i in indices]))


@lowers(aten.gather.default, aten.index_select.default)
def gather(builder: Builder, x: Value, dim: int, indices: Value, *, sparse_grad: bool = False) -> Value:
    """Entries picked along an axis."""
    picked = _fixed(indices, "gather")
    pick = torch.gather if picked.dim() == len(x.shape) else torch.index_select
    return gathered(builder, [x], pick(positions(x), dim, picked))


@lowers(aten.index_put.default, aten._unsafe_index_put.default)
def index_put(
    builder: Builder, x: Value, indices: Sequence[Value | None], values: Value, accumulate: bool = False
) -> Value:
    """x with the entries at fixed positions replaced."""
    if accumulate:
        raise UnknownOperatorError("aten.index_put with accumulate=True")
    places = [_fixed(i, "index_put") for i in indices]
    return gathered(builder, [x, values], positions(x).index_put(places, positions(values, x.size + 1)))


@lowers(aten.scatter.src)
def scatter(builder: Builder, x: Value, dim: int, indices: Value, source: Value) -> Value:
    """x with entries along an axis replaced."""
    return gathered(
        builder, [x, source], positions(x).scatter(dim, _fixed(indices, "scatter"), positions(source, x.size + 1))
    )


@lowers(aten.scatter.value)
def scatter_value(builder: Builder, x: Value, dim: int, indices: Value, value: float) -> Value:
    """x with entries along an axis replaced by one number."""
    fixed = known(torch.tensor([float(value)], dtype=torch.float64))
    return gathered(builder, [x, fixed], positions(x).scatter(dim, _fixed(indices, "scatter"), x.size + 1))


def _fixed(indices: Value | None, operator: str) -> Any:
    if indices is None:
        return None
    if indices.known is None:
        raise UnknownOperatorError(f"aten.{operator} at positions that depend on the instance")
    return indices.known.long() if indices.kind == "number" else indices.known


@lowers(aten._to_copy.default, aten.to.dtype)
def cast(builder: Builder, x: Any, dtype: Any = None, **kwargs: Any) -> Value:
    """A change of type that loses nothing."""
    value = as_value(x)
    if value.known is not None:
        return known(value.known if dtype is None else value.known.to(dtype))
    if dtype in (None, torch.float64) or (dtype == torch.bool and value.kind == "truth"):
        return counted(builder, value) if dtype == torch.float64 else value
    if value.kind == "truth" and dtype in (torch.int64, torch.int32):
        return counted(builder, value)
    raise UnknownOperatorError(f"aten._to_copy to {dtype}")


def counted(builder: Builder, value: Value) -> Value:
    """Truth values as the numbers 0 and 1."""
    if value.kind == "number":
        return value
    if value.known is not None:
        return known(value.known.double())
    return builder.emit("counted", value, shape=value.shape)
