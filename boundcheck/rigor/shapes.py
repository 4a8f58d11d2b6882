"""Error rules of operators that move, create or overwrite entries."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from boundcheck.rigor.enclosure import Enclosure, gamma, widen
from boundcheck.rigor.registry import Rule, aten, counted, doubled, enclosed, in_double, rule


def _both(operator: Any) -> Rule:
    """An operator that only moves entries: applied to the values and to the radii alike."""

    def apply(*args: Any, **kwargs: Any) -> Any:
        exact = True

        def pick(part: str) -> Any:
            def get(value: Any) -> Any:
                nonlocal exact
                if isinstance(value, Enclosure):
                    exact = exact and value.exact
                    return getattr(value, part)
                if isinstance(value, list | tuple):
                    return type(value)(get(item) for item in value)
                return value

            return operator(*get(args), **{key: get(value) for key, value in kwargs.items()})

        mid = pick("mid")
        if exact:
            return Enclosure.exactly(mid) if isinstance(mid, Tensor) else [Enclosure.exactly(m) for m in mid]
        rad = pick("rad")
        if isinstance(mid, Tensor):
            return Enclosure(mid, rad)
        return [Enclosure(m, r) for m, r in zip(mid, rad, strict=True)]

    return apply


MOVES = [
    "view.default",
    "reshape.default",
    "_unsafe_view.default",
    "_reshape_alias.default",
    "expand.default",
    "permute.default",
    "transpose.int",
    "t.default",
    "unsqueeze.default",
    "squeeze.dim",
    "squeeze.dims",
    "squeeze.default",
    "select.int",
    "slice.Tensor",
    "cat.default",
    "stack.default",
    "clone.default",
    "alias.default",
    "detach.default",
    "contiguous.default",
    "diagonal.default",
    "split.Tensor",
    "split_with_sizes.default",
    "unbind.int",
    "flip.default",
    "repeat.default",
    "roll.default",
    "tril.default",
    "triu.default",
    "lift_fresh_copy.default",
    "lift_fresh.default",
    "movedim.int",
    "diag_embed.default",
    "diagonal_copy.default",
    "select_backward.default",
    "slice_backward.default",
    "select_scatter.default",
    "slice_scatter.default",
    "diagonal_scatter.default",
    "unfold.default",
]
for _move in MOVES:
    _packet, _overload = _move.split(".")
    if hasattr(aten, _packet) and _overload in getattr(aten, _packet).overloads():
        _operator = getattr(getattr(aten, _packet), _overload)
        rule(_operator, honest=True)(_both(_operator))
# Changes of shape in place, at the end of torch's own steps; what follows uses the result.
rule(aten.squeeze_.dim, honest=True)(_both(aten.squeeze.dim))
rule(aten.squeeze_.dims, honest=True)(_both(aten.squeeze.dims))
rule(aten.unsqueeze_.default, honest=True)(_both(aten.unsqueeze.default))
rule(aten.t_.default, honest=True)(_both(aten.t.default))
rule(aten.transpose_.default)(_both(aten.transpose.int))


@rule(aten.constant_pad_nd.default, honest=True)
def pad(x: Enclosure, padding: Sequence[int], value: float = 0) -> Enclosure:
    """x with a border of one number, which is exact."""
    mid = aten.constant_pad_nd.default(x.mid, padding, value)
    return Enclosure(mid, None if x.exact else aten.constant_pad_nd.default(x.rad, padding, 0))


# ------------------------------------------------------------------------------------------------ entries at positions


def _indices(value: Any) -> Any:
    if isinstance(value, Enclosure):
        return value.mid
    return [_indices(item) for item in value] if isinstance(value, list | tuple) else value


def _undecided(indices: Any) -> bool:
    """Whether a position depends on rounding (an undecided comparison turned into a number)."""
    if isinstance(indices, Enclosure):
        return not indices.exact and bool((indices.rad > 0).any())
    return isinstance(indices, list | tuple) and any(map(_undecided, indices))


def _all_exact(indices: Any) -> bool:
    return all(one is None or one.exact for one in indices)


@rule(aten.index.Tensor, aten._unsafe_index.Tensor)
def index(x: Enclosure, indices: Any) -> Enclosure:
    """x[indices]; nothing is known of what was picked at an undecided position."""
    places = _indices(indices)
    mid = aten.index.Tensor(x.mid, places)
    if x.exact and _all_exact(indices):
        return Enclosure.exactly(mid)
    rad = aten.index.Tensor(x.rad, places)
    if not _undecided(indices):
        return Enclosure(mid, rad)
    unsure = torch.stack(torch.broadcast_tensors(*(i.rad > 0 for i in indices if i is not None))).any(0)
    given = [axis for axis, one in enumerate(indices) if one is not None]
    before = given[0] if given == list(range(given[0], given[-1] + 1)) else 0  # where torch puts the axes of positions
    unsure = unsure.reshape(*unsure.shape, *(1 for _ in range(mid.dim() - before - unsure.dim())))
    return Enclosure(mid, torch.where(unsure, torch.inf, rad))


@rule(aten.gather.default, aten.index_select.default)
def gather(x: Enclosure, dim: int, indices: Enclosure, *, sparse_grad: bool = False) -> Enclosure:
    """Entries picked along an axis; nothing is known of what was picked at an undecided position."""
    along = indices.mid.dim() != x.mid.dim()
    pick = torch.index_select if along else torch.gather
    if x.exact and indices.exact:
        return Enclosure.exactly(pick(x.mid, dim, indices.mid))
    unsure = indices.rad > 0
    if along and x.mid.dim():
        unsure = unsure.reshape([-1 if axis == dim % x.mid.dim() else 1 for axis in range(x.mid.dim())])
    rad = torch.where(unsure, torch.inf, pick(x.rad, dim, indices.mid))
    return Enclosure(pick(x.mid, dim, indices.mid), rad)


@rule(aten.scatter.src, aten.scatter.value)
def scatter(x: Enclosure, dim: int, indices: Enclosure, source: Any) -> Enclosure:
    """x with entries along an axis overwritten; nothing is known along it where a position is undecided."""
    source = enclosed(source, x)
    mid, rad = (part.expand_as(indices.mid) if part.dim() == 0 else part for part in (source.mid, source.rad))
    result = x.rad.scatter(dim, indices.mid, rad)
    return Enclosure(x.mid.scatter(dim, indices.mid, mid.to(x.mid.dtype)), _unless_moved(result, dim, indices))


def _unless_moved(rad: Tensor, dim: int, indices: Enclosure) -> Tensor:
    """The radii, infinite along the whole axis wherever one of the positions on it is undecided."""
    if not _undecided(indices):
        return rad
    unsure = (indices.rad > 0).any(dim, True)
    whole = rad.new_zeros([1 if axis == dim % rad.dim() else size for axis, size in enumerate(rad.shape)])
    whole[tuple(slice(size) for size in unsure.shape)] = unsure.to(whole)
    return torch.where(whole > 0, torch.inf, rad)


@rule(aten.scatter_add.default)
def scatter_add(x: Enclosure, dim: int, indices: Enclosure, source: Enclosure) -> Enclosure:
    """Entries added along an axis, in any order; nothing is known along it where a position is undecided."""
    places = indices.mid
    terms = places.shape[dim % max(places.dim(), 1)] + 1 if places.dim() else 2
    mid = x.mid.scatter_add(dim, places, source.mid)
    sizes = (x.rad + gamma(terms) * x.mid.abs()).scatter_add(dim, places, source.rad + gamma(terms) * source.mid.abs())
    rad = widen(sizes, terms) if mid.is_floating_point() else x.rad.scatter_add(dim, places, source.rad)
    return Enclosure(mid, _unless_moved(rad, dim, indices))


@rule(aten.index_put.default, aten._unsafe_index_put.default)
def index_put(x: Enclosure, indices: Any, values: Enclosure, accumulate: bool = False) -> Enclosure:
    """x with entries at positions overwritten or added to; nothing is known where a position is undecided."""
    places = _indices(indices)
    if not accumulate:
        rad = aten.index_put.default(x.rad, places, values.rad)
    else:
        terms = math.prod(torch.broadcast_shapes(*(p.shape for p in places if p is not None))) + 1
        start, added = x.rad + gamma(terms) * x.mid.abs(), values.rad + gamma(terms) * values.mid.abs()
        exact = not x.mid.is_floating_point()
        start, added = (x.rad, values.rad) if exact else (start, added)
        rad = widen(aten.index_put.default(start, places, added, True), terms)
    mid = aten.index_put.default(x.mid, places, values.mid, accumulate)
    return Enclosure(mid, torch.full_like(rad, torch.inf) if _undecided(indices) else rad)


def _created(operator: Any) -> Rule:
    def apply(*args: Any, **kwargs: Any) -> Enclosure:
        plain = [arg.mid if isinstance(arg, Enclosure) else arg for arg in args]
        return Enclosure.exactly(in_double(operator(*plain, **kwargs)))

    return apply


CREATIONS = [
    "zeros.default",
    "ones.default",
    "full.default",
    "scalar_tensor.default",
    "eye.default",
    "eye.m",
    "arange.default",
    "arange.start",
    "arange.start_step",
    "zeros_like.default",
    "ones_like.default",
    "full_like.default",
    "new_zeros.default",
    "new_ones.default",
    "new_full.default",
    "empty.memory_format",
    "empty_like.default",
    "new_empty.default",
    "new_empty_strided.default",
    "tril_indices.default",
    "triu_indices.default",
    "_new_zeros_with_same_feature_meta.default",
]
for _creation in CREATIONS:
    _packet, _overload = _creation.split(".")
    rule(getattr(getattr(aten, _packet), _overload))(_created(getattr(getattr(aten, _packet), _overload)))


WRITING = frozenset({aten.fill_.Scalar, aten.zero_.default, aten.copy_.default})
"""Operators that overwrite entries in place, seen by every view of them."""


@rule(aten.fill_.Scalar, aten.zero_.default)
def fill(x: Enclosure, value: float = 0.0) -> Enclosure:
    """Overwrite in place (seen where torch builds the rows of an identity)."""
    x = x.written_out()
    x.mid.fill_(value)
    x.rad.zero_()
    return x


@rule(aten.copy_.default)
def copy(x: Enclosure, y: Enclosure) -> Enclosure:
    """Overwrite in place by another tensor."""
    x = x.written_out()
    x.mid.copy_(y.mid)
    x.rad.copy_(y.rad)
    return x


@rule(aten._to_copy.default, aten.to.dtype)
def cast(x: Any, dtype: Any = None, **kwargs: Any) -> Enclosure:
    """A change of type; to a narrower one it rounds. (make_fx also casts bare Python numbers this way.)"""
    if not isinstance(x, Enclosure):
        x = Enclosure.exactly(in_double(torch.as_tensor(x, dtype=torch.float64 if isinstance(x, float) else None)))
    if kwargs.get("device") is not None:
        x = Enclosure(x.mid.to(kwargs["device"]), x.rad.to(kwargs["device"]))
    narrow = x.mid if dtype is None else x.mid.to(dtype)
    mid = in_double(narrow).clone()
    if narrow.dtype == x.mid.dtype:
        return Enclosure(mid, None if x.exact else x.rad.clone())
    if x.exact and (x.mid.dtype == torch.bool or mid.dtype == torch.bool):
        return Enclosure.exactly(mid)
    if not mid.is_floating_point():
        return Enclosure(mid, _of_whole(x, mid))
    if not x.mid.is_floating_point() and narrow.dtype == torch.float64:
        return doubled(counted(x))
    rad = counted(x).rad + (mid - x.mid.to(torch.float64)).abs()
    if not x.mid.is_floating_point():  # a whole number beyond 2^53 is rounded
        rad = rad + torch.where(mid.abs() >= 2.0**53, mid.abs() * 2.0**-53, 0.0)
    return Enclosure(mid, widen(rad))


def _of_whole(x: Enclosure, mid: Tensor) -> Tensor:
    """The radius of a number cut to a whole one (or to whether it is 0): 0 if it is the same from end to end."""
    if mid.dtype == torch.bool:
        return torch.where((x.rad == 0) | (x.mid.abs() > x.rad), 0.0, torch.inf).to(torch.float64)
    if not x.mid.is_floating_point():
        fits = mid.to(torch.int64) == x.mid.to(torch.int64)
        return torch.where(fits, counted(x).rad, torch.inf)
    limit = float(torch.iinfo(mid.dtype).max // 2)
    small = (x.lower >= -limit) & (x.upper <= limit)
    spread = torch.maximum(x.upper.trunc() - x.mid.trunc(), x.mid.trunc() - x.lower.trunc())
    return torch.where(small, spread, torch.inf)
