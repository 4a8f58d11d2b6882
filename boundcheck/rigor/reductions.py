"""Error rules of sums, extremes and norms over axes, and of products of matrices, for any order of summation."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor.arithmetic import add, div, mul
from boundcheck.rigor.enclosure import UNDERFLOW, Enclosure, gamma, widen
from boundcheck.rigor.registry import aten, counted, rule


def _count(x: Enclosure, dim: Any) -> int:
    if dim is None or (isinstance(dim, Sequence) and len(dim) == 0):
        return x.mid.numel()
    axes = [dim] if isinstance(dim, int) else list(dim)
    return math.prod(x.mid.shape[axis] for axis in axes)


@rule(aten.sum.default, aten.sum.dim_IntList)
def total(x: Enclosure, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Enclosure:
    """The sum, over axes; its rounding is bounded for any order of summation."""
    x = counted(x)
    n = _count(x, dim)
    over = tuple(range(x.mid.dim())) if dim is None or (isinstance(dim, Sequence) and not dim) else dim
    mid = x.mid.sum(over, keepdim=keepdim) if x.mid.dim() else x.mid.clone()
    rad = (x.rad + gamma(n) * x.mid.abs()).sum(over, keepdim=keepdim) if x.mid.dim() else x.rad
    return Enclosure(mid, widen(rad, n))


@rule(aten.mean.default, aten.mean.dim)
def mean(x: Enclosure, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Enclosure:
    """The mean, over axes."""
    return div(total(x, dim, keepdim), float(_count(x, dim)))


@rule(aten.cumsum.default)
def cumsum(x: Enclosure, dim: int, *, dtype: Any = None) -> Enclosure:
    """Running sums."""
    n = x.mid.shape[dim]
    rad = (x.rad + gamma(n) * x.mid.abs()).cumsum(dim)
    return Enclosure(x.mid.cumsum(dim), widen(rad, n))


@rule(aten.amax.default)
def amax(x: Enclosure, dim: Any = (), keepdim: bool = False) -> Enclosure:
    """The largest entry over axes."""
    return Enclosure(x.mid.amax(dim, keepdim), x.rad.amax(dim, keepdim))


@rule(aten.amin.default)
def amin(x: Enclosure, dim: Any = (), keepdim: bool = False) -> Enclosure:
    """The smallest entry over axes."""
    return Enclosure(x.mid.amin(dim, keepdim), x.rad.amax(dim, keepdim))


@rule(aten.max.default)
def max_all(x: Enclosure) -> Enclosure:
    """The largest of all entries."""
    return Enclosure(x.mid.max(), x.rad.max())


@rule(aten.min.default)
def min_all(x: Enclosure) -> Enclosure:
    """The smallest of all entries."""
    return Enclosure(x.mid.min(), x.rad.max())


@rule(aten.linalg_vector_norm.default)
def vector_norm(
    x: Enclosure, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Enclosure:
    """The 1-, 2- or infinity-norm over axes: within the norm of the radii, by the triangle inequality."""
    if ord not in (1, 2, math.inf):
        raise UnknownOperatorError(f"aten.linalg_vector_norm with ord={ord}")
    n = _count(x, dim)
    mid = torch.linalg.vector_norm(x.mid, ord, dim, keepdim)
    rad = torch.linalg.vector_norm(x.rad, ord, dim, keepdim)
    own = gamma(n + 4) * mid + math.sqrt(n) * 2.0**-536  # squares below 2^-1074 vanish, of values and of radii
    zero = (x.mid == 0) & (x.rad == 0)
    axes = (dim,) if isinstance(dim, int) else tuple(dim or ())
    vacant = zero.all(axes, keepdim) if axes else zero.all()
    return Enclosure(mid, widen(rad + torch.where(vacant, 0.0, own), n))


def matmul(a: Enclosure, b: Enclosure) -> Enclosure:
    """A·B (any batch shapes): three products, one for the values and two for the radii."""
    k = a.mid.shape[-1]
    mid = a.mid @ b.mid
    size_a, size_b = a.mid.abs(), b.mid.abs()
    rad = size_a @ (b.rad + gamma(k) * size_b + UNDERFLOW)  # gamma·|b| may underflow, and |a| be huge
    if bool((a.rad > 0).any()):
        rad = rad + a.rad @ (size_b + b.rad)
    return Enclosure(mid, widen(rad + 2 * k * UNDERFLOW, 2 * k))  # three products may underflow, by 2^-1075 a term


rule(aten.bmm.default, aten.mm.default, aten.matmul.default, aten.mv.default, aten.dot.default)(matmul)


@rule(aten.addmm.default, aten.baddbmm.default)
def addmm(x: Enclosure, a: Enclosure, b: Enclosure, *, beta: float = 1, alpha: float = 1) -> Enclosure:
    """beta·x + alpha·A·B."""
    return add(mul(x, beta) if beta != 1 else x, matmul(a, b), alpha=alpha)
