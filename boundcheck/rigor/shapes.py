"""Error rules of operators that move, create or overwrite entries."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from boundcheck.rigor.enclosure import Enclosure, widen
from boundcheck.rigor.registry import Rule, aten, in_double, rule


def _both(operator: Any) -> Rule:
    """An operator that only moves entries: applied to the values and to the radii alike."""

    def apply(*args: Any, **kwargs: Any) -> Any:
        def pick(part: str) -> Any:
            def get(value: Any) -> Any:
                if isinstance(value, Enclosure):
                    return getattr(value, part)
                if isinstance(value, list | tuple):
                    return type(value)(get(item) for item in value)
                return value

            return operator(*get(args), **{key: get(value) for key, value in kwargs.items()})

        mid, rad = pick("mid"), pick("rad")
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
    "select_backward.default",
    "slice_backward.default",
    "unfold.default",
]
for _move in MOVES:
    _packet, _overload = _move.split(".")
    if hasattr(aten, _packet) and _overload in getattr(aten, _packet).overloads():
        _operator = getattr(getattr(aten, _packet), _overload)
        rule(_operator)(_both(_operator))
rule(aten.squeeze_.dim)(_both(aten.squeeze.dim))  # how torch ends vector @ matrix; what follows uses the result


@rule(aten.constant_pad_nd.default)
def pad(x: Enclosure, padding: Sequence[int], value: float = 0) -> Enclosure:
    """x with a border of one number, which is exact."""
    return Enclosure(
        aten.constant_pad_nd.default(x.mid, padding, value), aten.constant_pad_nd.default(x.rad, padding, 0)
    )


def _indices(value: Any) -> Any:
    if isinstance(value, Enclosure):
        return value.mid
    return [_indices(item) for item in value] if isinstance(value, list | tuple) else value


def _undecided(indices: Any) -> bool:
    """Whether a position depends on rounding (an undecided comparison turned into a number)."""
    if isinstance(indices, Enclosure):
        return bool((indices.rad > 0).any())
    return isinstance(indices, list | tuple) and any(map(_undecided, indices))


@rule(aten.index.Tensor)
def index(x: Enclosure, indices: Any) -> Enclosure:
    """x[indices]."""
    rad = aten.index.Tensor(x.rad, _indices(indices))
    return Enclosure(
        aten.index.Tensor(x.mid, _indices(indices)), torch.full_like(rad, torch.inf) if _undecided(indices) else rad
    )


@rule(aten.gather.default, aten.index_select.default)
def gather(x: Enclosure, dim: int, indices: Any, *, sparse_grad: bool = False) -> Enclosure:
    """Entries picked along an axis."""
    picked = _indices(indices)
    pick = torch.gather if picked.dim() == x.mid.dim() else torch.index_select
    rad = pick(x.rad, dim, picked)
    return Enclosure(pick(x.mid, dim, picked), torch.full_like(rad, torch.inf) if _undecided(indices) else rad)


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
]
for _creation in CREATIONS:
    _packet, _overload = _creation.split(".")
    rule(getattr(getattr(aten, _packet), _overload))(_created(getattr(getattr(aten, _packet), _overload)))


@rule(aten.fill_.Scalar, aten.zero_.default)
def fill(x: Enclosure, value: float = 0.0) -> Enclosure:
    """Overwrite in place (seen where torch builds the rows of an identity)."""
    x.mid.fill_(value)
    x.rad.zero_()
    return x


@rule(aten.copy_.default)
def copy(x: Enclosure, y: Enclosure) -> Enclosure:
    """Overwrite in place by another tensor."""
    x.mid.copy_(y.mid)
    x.rad.copy_(y.rad)
    return x


@rule(aten._to_copy.default, aten.to.dtype)
def cast(x: Any, dtype: Any = None, **kwargs: Any) -> Enclosure:
    """A change of type; to a narrower one it rounds. (make_fx also casts bare Python numbers this way.)"""
    if not isinstance(x, Enclosure):
        x = Enclosure.exactly(in_double(torch.as_tensor(x, dtype=torch.float64 if isinstance(x, float) else None)))
    narrow = x.mid if dtype is None else x.mid.to(dtype)
    mid = in_double(narrow).clone()
    if x.mid.dtype.is_floating_point and not mid.dtype.is_floating_point:  # a truncation: exact or unknown
        return Enclosure(mid, torch.where(x.rad > 0, torch.inf, 0.0).to(torch.float64))
    if narrow.dtype != x.mid.dtype and mid.dtype.is_floating_point:
        return Enclosure(mid, widen(x.rad + (mid - x.mid.to(torch.float64)).abs()))
    return Enclosure(mid, x.rad.clone())
