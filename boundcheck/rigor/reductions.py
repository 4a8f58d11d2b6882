"""Error rules of sums, extremes and norms over axes, and of products of matrices, for any order of summation."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor.arithmetic import add, div, mul
from boundcheck.rigor.decisions import compare
from boundcheck.rigor.enclosure import UNDERFLOW, Enclosure, gamma, widen
from boundcheck.rigor.registry import aten, counted, rule
from boundcheck.rigor.shapes import cast


def _count(x: Enclosure, dim: Any) -> int:
    if dim is None or (isinstance(dim, Sequence) and len(dim) == 0):
        return x.mid.numel()
    axes = [dim] if isinstance(dim, int) else list(dim)
    return math.prod(x.mid.shape[axis] for axis in axes)


@rule(aten.sum.default, aten.sum.dim_IntList)
def total(x: Enclosure, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Enclosure:
    """The sum, over axes; its rounding is bounded for any order of summation, and whole numbers have none."""
    x = x if dtype is None else cast(x, dtype)
    n = _count(x, dim)
    over = tuple(range(x.mid.dim())) if dim is None or (isinstance(dim, Sequence) and not dim) else dim
    if not x.mid.dim():
        x = counted(x)
        return Enclosure(x.mid.clone(), None if x.exact else x.rad.clone())
    mid = x.mid.sum(over, keepdim=keepdim)
    carried = None if x.exact else counted(x).rad.sum(over, keepdim=keepdim)
    if not mid.is_floating_point():
        return Enclosure(mid, None if carried is None else widen(carried, n))
    rounded = x.mid.abs().sum(over, keepdim=keepdim).mul_(gamma(n))
    return Enclosure(mid, widen(rounded if carried is None else rounded + carried, n))


@rule(aten.mean.default, aten.mean.dim)
def mean(x: Enclosure, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Enclosure:
    """The mean, over axes."""
    return div(total(x, dim, keepdim, dtype=dtype), float(_count(x, dim)))


@rule(aten.cumsum.default)
def cumsum(x: Enclosure, dim: int, *, dtype: Any = None) -> Enclosure:
    """Running sums."""
    x = counted(x) if dtype is None else cast(x, dtype)
    n = x.mid.shape[dim] if x.mid.dim() else 1
    mid = x.mid.cumsum(dim)
    if not mid.is_floating_point():
        return Enclosure(mid, None if x.exact else widen(x.rad.cumsum(dim), n))
    terms = x.mid.abs().mul_(gamma(n))
    return Enclosure(mid, widen((terms if x.exact else terms.add_(x.rad)).cumsum(dim), n))


@rule(aten.amax.default)
def amax(x: Enclosure, dim: Any = (), keepdim: bool = False) -> Enclosure:
    """The largest entry over axes: between the largest of the lower and of the upper ends."""
    if x.exact:
        return Enclosure.exactly(x.mid.amax(dim, keepdim))
    mid, low, high = (part.amax(dim, keepdim) for part in (x.mid, x.lower, x.upper))
    spread = widen(torch.maximum(high - mid, mid - low).to(torch.float64))
    return Enclosure(mid, torch.minimum(spread, x.rad.amax(dim, keepdim)))


@rule(aten.amin.default)
def amin(x: Enclosure, dim: Any = (), keepdim: bool = False) -> Enclosure:
    """The smallest entry over axes."""
    if x.exact:
        return Enclosure.exactly(x.mid.amin(dim, keepdim))
    mid, low, high = (part.amin(dim, keepdim) for part in (x.mid, x.lower, x.upper))
    spread = widen(torch.maximum(high - mid, mid - low).to(torch.float64))
    return Enclosure(mid, torch.minimum(spread, x.rad.amax(dim, keepdim)))


@rule(aten.max.default)
def max_all(x: Enclosure) -> Enclosure:
    """The largest of all entries."""
    return amax(x)


@rule(aten.min.default)
def min_all(x: Enclosure) -> Enclosure:
    """The smallest of all entries."""
    return amin(x)


@rule(aten.argmax.default)
def argmax(x: Enclosure, dim: int | None = None, keepdim: bool = False) -> Enclosure:
    """Where the largest entry is (the first of exactly equal ones); undecided where the enclosures leave it open."""
    if dim is None:
        flat = argmax(Enclosure(x.mid.reshape(-1), x.rad.reshape(-1)), 0)
        shape = [1] * x.mid.dim() if keepdim else []
        return Enclosure(flat.mid.reshape(shape), flat.rad.reshape(shape))
    places = x.mid.argmax(dim, keepdim=True)
    winner = torch.zeros_like(x.mid, dtype=torch.bool).scatter(dim, places, True)
    least = x.lower.gather(dim, places)
    beaten = winner | (x.upper < least)
    known = ((x.rad == 0).all(dim, True) | beaten.all(dim, True)) & ~x.mid.isnan().any(dim, True)
    rad = torch.where(known, 0.0, torch.inf).to(torch.float64)
    return Enclosure(places, rad) if keepdim else Enclosure(places.squeeze(dim), rad.squeeze(dim))


@rule(aten.argmin.default)
def argmin(x: Enclosure, dim: int | None = None, keepdim: bool = False) -> Enclosure:
    """Where the smallest entry is."""
    return argmax(Enclosure(-x.mid, x.rad), dim, keepdim)


@rule(aten.sort.default)
def sort(x: Enclosure, dim: int = -1, descending: bool = False) -> list[Enclosure]:
    """Entries in order, each between those of the lower and of the upper ends; and where they were, where that is decided."""
    if not x.mid.dim() or not x.mid.numel():
        return [Enclosure(x.mid.clone(), x.rad.clone()), Enclosure.exactly(torch.zeros_like(x.mid, dtype=torch.int64))]
    values, places = x.mid.sort(dim=dim, descending=descending, stable=True)
    unknown = x.rad.isinf() | x.mid.isnan()
    low = torch.where(unknown, -torch.inf, x.lower).sort(dim=dim, descending=descending).values
    high = torch.where(unknown, torch.inf, x.upper).sort(dim=dim, descending=descending).values
    exact = ((x.rad == 0) & ~x.mid.isnan()).all(dim, True)
    rad = torch.where(exact, 0.0, widen(torch.maximum(high - values, values - low)))
    return [Enclosure(values, rad), Enclosure(places, _order_known(x, places, exact, dim, descending))]


@rule(aten.sort.stable)
def stable_sort(
    x: Enclosure, *, stable: bool | None = None, dim: int = -1, descending: bool = False
) -> list[Enclosure]:
    """The same."""
    return sort(x, dim, descending)


def _order_known(x: Enclosure, places: Tensor, exact: Tensor, dim: int, descending: bool) -> Tensor:
    """The radius of each entry's old place: 0 where no other entry can be where it is."""
    low, high = x.lower.gather(dim, places), x.upper.gather(dim, places)
    if descending:
        low, high = -high, -low
    count = places.shape[dim]
    before = high.cummax(dim).values.narrow(dim, 0, count - 1)
    after = low.flip(dim).cummin(dim).values.flip(dim).narrow(dim, 1, count - 1)
    apart = before < after
    edge = torch.ones_like(exact)
    known = torch.cat([edge, apart], dim) & torch.cat([apart, edge], dim) | exact
    known = known & ~x.mid.isnan().any(dim, True)
    return torch.where(known, 0.0, torch.inf).to(torch.float64)


# ---------------------------------------------------------------------------------------------------------------- norms


@rule(aten.linalg_vector_norm.default)
def vector_norm(
    x: Enclosure, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Enclosure:
    """The p-norm over axes, p >= 1: within the norm of the radii, by the triangle inequality. Or the number of entries that
    are not 0 (ord = 0), or the least |entry| (ord = -inf)."""
    x = counted(x) if dtype is None else cast(x, dtype)
    if ord == 0:
        return cast(total(compare(torch.ne, x, 0.0), dim, keepdim), torch.float64)
    if not (1 <= ord <= 2**20 or math.isinf(ord)):
        raise UnknownOperatorError(f"aten.linalg_vector_norm with ord={ord}")
    over = tuple(range(x.mid.dim())) if dim is None or dim == [] or dim == () else dim
    if math.isinf(ord):
        extreme = amax if ord > 0 else amin
        return extreme(Enclosure(x.mid.abs(), x.rad), over, keepdim)
    n = _count(x, dim)
    if ord in (1, 2):
        mid, rad = (torch.linalg.vector_norm(part, ord, over, keepdim) for part in (x.mid, x.rad))
        own = gamma(n + 4) * mid + math.sqrt(n) * 2.0**-536  # squares below 2^-1074 vanish, of values and of radii
    else:
        mid, rad = (_scaled_norm(part, ord, over, keepdim) for part in (x.mid, x.rad))
        # The quotients, their powers, the sum, the root of it: relative errors of n/p and a few more.
        own = gamma(2 * n + 24) * mid + n * 2.0**-1073
        rad = rad * (1 + gamma(2 * n + 24)) + torch.where(rad > 0, n * 2.0**-1073, 0.0)
    zero = (x.mid == 0) & (x.rad == 0)
    vacant = zero.all(over, keepdim) if x.mid.dim() else zero
    return Enclosure(mid, widen(rad + torch.where(vacant, 0.0, own), n))


def _scaled_norm(x: Tensor, p: float, over: Any, keepdim: bool) -> Tensor:
    """The p-norm, in units of the largest entry, whose powers neither overflow nor vanish."""
    largest = x.abs().amax(over, True)
    unit = torch.where(largest > 0, largest, 1.0)
    result = unit * (x.abs() / unit).pow(p).sum(over, keepdim=True).pow(1 / p)
    result = torch.where(largest > 0, result, largest)
    return result if keepdim else result.squeeze(over)


# ------------------------------------------------------------------------------------------------- products of matrices


def matmul(a: Enclosure, b: Enclosure) -> Enclosure:
    """A·B (any batch shapes): one product for the values, one for the radii, and another where A may have some of its own."""
    k = a.mid.shape[-1]
    mid = a.mid @ b.mid
    size_a, size_b = a.mid.abs(), b.mid.abs()
    spread = (size_b * gamma(k)).add_(UNDERFLOW)  # gamma·|b| may underflow, and |a| be huge
    rad = size_a @ (spread if b.exact else spread.add_(b.rad))
    if not a.exact:
        rad += a.rad @ (size_b if b.exact else size_b.add_(b.rad))
    return Enclosure(mid, widen(rad.add_(2 * k * UNDERFLOW), 2 * k))  # three products may underflow, by 2^-1075 a term


rule(aten.bmm.default, aten.mm.default, aten.matmul.default, aten.mv.default, aten.dot.default)(matmul)


@rule(aten.addmm.default, aten.baddbmm.default)
def addmm(x: Enclosure, a: Enclosure, b: Enclosure, *, beta: float = 1, alpha: float = 1) -> Enclosure:
    """beta·x + alpha·A·B."""
    return add(mul(x, beta) if beta != 1 else x, matmul(a, b), alpha=alpha)
