"""Sums, extremes and norms over axes, and products of matrices."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor.lowering.build import Builder, Kind, Value, aten, lowers
from boundcheck.rigor.lowering.elementwise import add, div, function, mul, power
from boundcheck.rigor.lowering.moves import counted, expanded, gathered, positions


def reduced(builder: Builder, operation: str, x: Value, dim: Any, keepdim: bool, kind: Kind = "number") -> Value:
    """An operation over axes (all of them for None or an empty list)."""
    axes = _axes(x, dim)
    kept = [axis for axis in range(len(x.shape)) if axis not in axes]
    groups, size = math.prod(x.shape[axis] for axis in kept), math.prod(x.shape[axis] for axis in axes)
    lined_up = gathered(builder, [x], positions(x).permute([*kept, *axes]))
    shape = [1 if axis in axes else s for axis, s in enumerate(x.shape)] if keepdim else [x.shape[a] for a in kept]
    return builder.emit(operation, lined_up, shape=shape, kind=kind, groups=groups, size=size)


def _axes(x: Value, dim: Any) -> list[int]:
    if dim is None or (isinstance(dim, Sequence) and len(dim) == 0):
        return list(range(len(x.shape)))
    return [axis % max(len(x.shape), 1) for axis in ([dim] if isinstance(dim, int) else dim)] if x.shape else []


@lowers(aten.sum.default, aten.sum.dim_IntList)
def total(builder: Builder, x: Value, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Value:
    """The sum over axes."""
    return reduced(builder, "total", counted(builder, x), dim, keepdim)


@lowers(aten.mean.default, aten.mean.dim)
def mean(builder: Builder, x: Value, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Value:
    """The mean over axes."""
    count = math.prod(x.shape[axis] for axis in _axes(x, dim))
    return div(builder, total(builder, x, dim, keepdim), float(count))


@lowers(aten.trace.default)
def trace(builder: Builder, x: Value) -> Value:
    """The sum of the diagonal."""
    return total(builder, gathered(builder, [x], positions(x).diagonal()))


@lowers(aten.cumsum.default)
def cumsum(builder: Builder, x: Value, dim: int, dtype: Any = None) -> Value:
    """Running sums: a product with a triangle of ones."""
    if not x.shape:
        return x
    size = x.shape[dim]
    places = positions(x).movedim(dim, -1)
    triangle = torch.ones(size, size, dtype=torch.bool).tril()
    spread = gathered(builder, [counted(builder, x)], torch.where(triangle, places.unsqueeze(-2), 0))
    sums = reduced(builder, "total", spread, [len(x.shape)], keepdim=False)
    return gathered(builder, [sums], positions(sums).movedim(-1, dim))


@lowers(aten.amax.default)
def amax(builder: Builder, x: Value, dim: Any = (), keepdim: bool = False) -> Value:
    """The largest entry over axes."""
    return reduced(builder, "largest", counted(builder, x), dim, keepdim)


@lowers(aten.amin.default)
def amin(builder: Builder, x: Value, dim: Any = (), keepdim: bool = False) -> Value:
    """The smallest entry over axes."""
    return reduced(builder, "smallest", counted(builder, x), dim, keepdim)


@lowers(aten.max.default)
def max_all(builder: Builder, x: Value) -> Value:
    """The largest of all entries."""
    return amax(builder, x)


@lowers(aten.min.default)
def min_all(builder: Builder, x: Value) -> Value:
    """The smallest of all entries."""
    return amin(builder, x)


@lowers(aten.all.dim, aten.all.default, aten.all.dims)
def every(builder: Builder, x: Value, dim: Any = None, keepdim: bool = False) -> Value:
    """All of them."""
    return _over_truths(builder, "every", x, dim, keepdim)


@lowers(aten.any.dim, aten.any.default, aten.any.dims)
def some(builder: Builder, x: Value, dim: Any = None, keepdim: bool = False) -> Value:
    """Any of them."""
    return _over_truths(builder, "some", x, dim, keepdim)


def _over_truths(builder: Builder, operation: str, x: Value, dim: Any, keepdim: bool) -> Value:
    if x.kind != "truth":
        raise UnknownOperatorError(f"aten.all or aten.any ({operation}) on numbers")
    return reduced(builder, operation, x, dim, keepdim, "truth")


@lowers(aten.linalg_vector_norm.default)
def vector_norm(
    builder: Builder, x: Value, ord: float = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Value:
    """The 1-, 2- or infinity-norm over axes."""
    if ord == 2:
        return function(builder, "sqrt", total(builder, power(builder, x, 2), dim, keepdim))
    sizes = function(builder, "abs", x)
    if ord == 1:
        return total(builder, sizes, dim, keepdim)
    if ord == math.inf:
        return amax(builder, sizes, dim, keepdim)
    raise UnknownOperatorError(f"aten.linalg_vector_norm with ord={ord}")


# ------------------------------------------------------------------------------------------------ products of matrices


def product(builder: Builder, a: Value, b: Value) -> Value:
    """A·B over broadcast batches, with torch's rules for vectors."""
    left = _reshaped(builder, a, (1, *a.shape)) if len(a.shape) == 1 else a
    right = _reshaped(builder, b, (*b.shape, 1)) if len(b.shape) == 1 else b
    batch = torch.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    (rows, inner), columns = left.shape[-2:], right.shape[-1]
    left = expanded(builder, left, (*batch, rows, inner))
    right = expanded(builder, right, (*batch, inner, columns))
    sizes = {"batch": math.prod(batch), "rows": rows, "inner": inner, "columns": columns}
    full = (*batch, *((rows,) if len(a.shape) > 1 else ()), *((columns,) if len(b.shape) > 1 else ()))
    return builder.emit("matmul", counted(builder, left), counted(builder, right), shape=full, **sizes)


def _reshaped(builder: Builder, x: Value, shape: Sequence[int]) -> Value:
    return gathered(builder, [x], positions(x).reshape(tuple(shape)))


lowers(aten.bmm.default, aten.mm.default, aten.matmul.default, aten.mv.default, aten.dot.default)(product)


@lowers(aten.addmm.default, aten.baddbmm.default, aten.addmv.default)
def addmm(builder: Builder, x: Value, a: Value, b: Value, beta: float = 1, alpha: float = 1) -> Value:
    """beta·x + alpha·A·B."""
    return add(builder, x if beta == 1 else mul(builder, x, beta), product(builder, a, b), alpha)
