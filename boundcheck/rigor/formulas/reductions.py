"""Sums, products, means and extremes over axes; normalised layers."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from boundcheck.rigor.formulas.numbers import root
from boundcheck.rigor.registry import aten, decomposes

# ------------------------------------------------------------------------------------------------------------ products


@decomposes(aten.prod.default)
def product_of_all(x: Tensor, *, dtype: Any = None) -> Tensor:
    """The product of all entries."""
    return product(x.reshape(-1), 0, dtype=dtype)


@decomposes(aten.prod.dim_int)
def product(x: Tensor, dim: int, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product along an axis, halved again and again."""
    rest = (x if dtype is None else x.to(dtype)).movedim(dim, 0)
    if not len(rest):
        return torch.ones_like(rest.sum(0)).unsqueeze(dim) if keepdim else torch.ones_like(rest.sum(0))
    while len(rest) > 1:
        half = len(rest) // 2
        rest = torch.cat([rest[:half] * rest[half : 2 * half], rest[2 * half :]])
    return rest[0].unsqueeze(dim) if keepdim else rest[0].clone()


@decomposes(aten.cumprod.default)
def running_product(x: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running products."""
    return _scan(torch.mul, x if dtype is None else x.to(dtype), dim)


def _scan(operation: Callable[[Tensor, Tensor], Tensor], x: Tensor, dim: int) -> Tensor:
    """Running results of an associative operation: each step doubles how far an entry has looked back."""
    running, reach = x.movedim(dim, 0), 1
    while reach < len(running):
        running = torch.cat([running[:reach], operation(running[reach:], running[:-reach])])
        reach *= 2
    return running.movedim(0, dim).clone()


@decomposes(aten.logcumsumexp.default)
def running_logsumexp(x: Tensor, dim: int) -> Tensor:
    """Running logarithms of sums of exp(x)."""
    return _scan(torch.logaddexp, x, dim)


# ------------------------------------------------------------------------------------------------------ logs of sums


@decomposes(aten._softmax.default)
def softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    """exp(x) over its sum."""
    powers = (x - x.amax(dim, True)).exp()
    return powers / powers.sum(dim, True)


@decomposes(aten._safe_softmax.default)
def safe_softmax(x: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """The same; 0 where all of x is -∞ (a row that attends to nothing)."""
    nothing = (x == -torch.inf).all(dim, True)
    return torch.where(nothing, 0.0, softmax(torch.where(nothing, 0.0, x), dim, False))


@decomposes(aten._log_softmax.default)
def log_softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    """x minus the logarithm of the sum of exp(x)."""
    shifted = x - x.amax(dim, True)
    return shifted - shifted.exp().sum(dim, True).log()


@decomposes(aten._softmax_backward_data.default)
def softmax_backward(gradient: Tensor, output: Tensor, dim: int, input_dtype: Any) -> Tensor:
    """output·(gradient - ⟨gradient, output⟩)."""
    return output * (gradient - (gradient * output).sum(dim, True))


@decomposes(aten._log_softmax_backward_data.default)
def log_softmax_backward(gradient: Tensor, output: Tensor, dim: int, input_dtype: Any) -> Tensor:
    """gradient - exp(output)·Σ gradient."""
    return gradient - output.exp() * gradient.sum(dim, True)


@decomposes(aten.logsumexp.default)
def logsumexp(x: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """The logarithm of the sum of exp(x)."""
    largest = x.amax(dim, True)
    result = largest + (x - largest).exp().sum(dim, True).log()
    return result if keepdim else result.squeeze(dim)


# ------------------------------------------------------------------------------------------------------- mean and spread


def _axes(x: Tensor, dim: Any) -> list[int]:
    given = [dim] if isinstance(dim, int) else list(dim or range(x.dim()))
    return [axis % max(x.dim(), 1) for axis in given]


def _deviations(x: Tensor, dim: Any, correction: float | None) -> tuple[Tensor, list[int], float]:
    axes = _axes(x, dim)
    count = math.prod(x.shape[axis] for axis in axes) - (1 if correction is None else correction)
    return x - x.mean(axes, True), axes, max(float(count), 0.0)


@decomposes(aten.var.correction)
def variance(x: Tensor, dim: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Tensor:
    """Σ(x - mean)² / (n - correction)."""
    away, axes, count = _deviations(x, dim, correction)
    return (away * away).sum(axes, keepdim) / count


@decomposes(aten.std.correction)
def deviation(x: Tensor, dim: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Tensor:
    """‖x - mean‖ / √(n - correction)."""
    away, axes, count = _deviations(x, dim, correction)
    return torch.linalg.vector_norm(away, dim=axes, keepdim=keepdim) / root(count, x)


@decomposes(aten.var_mean.correction)
def variance_and_mean(x: Tensor, dim: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Any:
    """Both."""
    return variance(x, dim, correction=correction, keepdim=keepdim), x.mean(_axes(x, dim), keepdim)


@decomposes(aten.std_mean.correction)
def deviation_and_mean(x: Tensor, dim: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Any:
    """Both."""
    return deviation(x, dim, correction=correction, keepdim=keepdim), x.mean(_axes(x, dim), keepdim)


@decomposes(aten.native_layer_norm.default)
def layer_norm(x: Tensor, shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float) -> Any:
    """(x - mean)/√(variance + eps)·weight + bias, and the mean and the root's reciprocal."""
    away, mean, scale = _standardised(x, list(range(x.dim() - len(shape), x.dim())), eps)
    return _affine(away, weight, bias), mean, scale


@decomposes(aten.native_layer_norm_backward.default)
def layer_norm_backward(
    gradient: Tensor,
    x: Tensor,
    shape: Sequence[int],
    mean: Tensor,
    scale: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    wanted: Sequence[bool],
) -> Any:
    """The derivatives of `layer_norm`."""
    first = x.dim() - len(shape)
    away, outer = (x - mean) * scale, list(range(first))
    scaled = gradient if weight is None else gradient * weight
    inward = _centred_backward(scaled, away, scale, list(range(first, x.dim())))
    along = gradient * away
    return inward, along.sum(outer) if outer else along, gradient.sum(outer) if outer else gradient.clone()


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    scaled = x if weight is None else x * weight
    return scaled if bias is None else scaled + bias


@decomposes(aten.native_group_norm.default)
def group_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, n: int, channels: int, inner: int, groups: int, eps: float
) -> Any:
    """Each group of channels brought to mean 0 and variance 1, and its mean and the reciprocal of its deviation."""
    away, mean, scale = _standardised(x.reshape(n, groups, -1), [2], eps)
    shape = [1, channels, *(1 for _ in x.shape[2:])]
    weight, bias = (part if part is None else part.reshape(shape) for part in (weight, bias))
    return _affine(away.reshape(x.shape), weight, bias), mean[..., 0], scale[..., 0]


@decomposes(aten.native_group_norm_backward.default)
def group_norm_backward(
    gradient: Tensor,
    x: Tensor,
    mean: Tensor,
    scale: Tensor,
    weight: Tensor | None,
    n: int,
    channels: int,
    inner: int,
    groups: int,
    wanted: Sequence[bool],
) -> Any:
    """The derivatives of `group_norm`."""
    shape = [1, channels, *(1 for _ in x.shape[2:])]
    away = ((x.reshape(n, groups, -1) - mean[..., None]) * scale[..., None]).reshape(x.shape)
    scaled = gradient if weight is None else gradient * weight.reshape(shape)
    grouped = (n, groups, -1)
    inward = _centred_backward(scaled.reshape(grouped), away.reshape(grouped), scale[..., None], [2])
    others = [axis for axis in range(x.dim()) if axis != 1]
    return (inward.reshape(x.shape), (gradient * away).sum(others), gradient.sum(others))


@decomposes(aten.native_batch_norm.default)
def batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Any:
    """Each channel brought to mean 0 and variance 1: of the batch in training (running averages are left as they are)."""
    axes, shape = [axis for axis in range(x.dim()) if axis != 1], [1, -1, *(1 for _ in x.shape[2:])]
    weight, bias = (part if part is None else part.reshape(shape) for part in (weight, bias))
    if training or running_mean is None or running_var is None:
        away, mean, scale = _standardised(x, axes, eps)
        return _affine(away, weight, bias), mean.reshape(-1), scale.reshape(-1)
    away = (x - running_mean.reshape(shape)) * (running_var.reshape(shape) + eps).rsqrt()
    nothing = x.new_zeros(0)
    return _affine(away, weight, bias), nothing, nothing.clone()


@decomposes(aten.native_batch_norm_backward.default)
def batch_norm_backward(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    mean: Tensor | None,
    scale: Tensor | None,
    training: bool,
    eps: float,
    wanted: Sequence[bool],
) -> Any:
    """The derivatives of `batch_norm`."""
    axes, shape = [axis for axis in range(x.dim()) if axis != 1], [1, -1, *(1 for _ in x.shape[2:])]
    if not training and running_mean is not None and running_var is not None:
        mean, scale = running_mean, (running_var + eps).rsqrt()
    assert mean is not None
    assert scale is not None
    away = (x - mean.reshape(shape)) * scale.reshape(shape)
    scaled = gradient if weight is None else gradient * weight.reshape(shape)
    whole = scale.reshape(shape)
    inward = _centred_backward(scaled, away, whole, axes) if training else scaled * whole
    return inward, (gradient * away).sum(axes), gradient.sum(axes)


def _standardised(x: Tensor, axes: list[int], eps: float) -> tuple[Tensor, Tensor, Tensor]:
    away, _, count = _deviations(x, axes, 0)
    scale = ((away * away).sum(axes, True) / count + eps).rsqrt()
    return away * scale, x.mean(axes, True), scale


def _centred_backward(gradient: Tensor, away: Tensor, scale: Tensor, axes: list[int]) -> Tensor:
    """Through (x - mean)/√(variance + eps), with its value `away` and the root's reciprocal `scale`."""
    return scale * (gradient - gradient.mean(axes, True) - away * (gradient * away).mean(axes, True))


# ------------------------------------------------------------------------------------------------------------ extremes


@decomposes(aten.max.dim)
def largest(x: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The largest entry along an axis, and where it is."""
    return x.amax(dim, keepdim), x.argmax(dim, keepdim)


@decomposes(aten.min.dim)
def smallest(x: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The smallest entry along an axis, and where it is."""
    return x.amin(dim, keepdim), x.argmin(dim, keepdim)


@decomposes(aten.aminmax.default)
def extremes(x: Tensor, *, dim: int | None = None, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The smallest and the largest."""
    axes = list(range(x.dim())) if dim is None else [dim]
    return x.amin(axes, keepdim), x.amax(axes, keepdim)


@decomposes(aten.topk.default)
def topk(x: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest (or smallest), in order, and where they are."""
    values, places = x.sort(dim=dim, descending=largest)
    return values.narrow(dim, 0, k), places.narrow(dim, 0, k)


@decomposes(aten.kthvalue.default)
def kth(x: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The k-th smallest, and where it is."""
    values, places = (part.narrow(dim, k - 1, 1) for part in x.sort(dim=dim))
    return (values, places) if keepdim else (values.squeeze(dim), places.squeeze(dim))


@decomposes(aten.median.dim)
def median(x: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The middle entry (the lower of two), and where it is."""
    return kth(x, (x.shape[dim] + 1) // 2, dim, keepdim)


@decomposes(aten.median.default)
def median_of_all(x: Tensor) -> Tensor:
    """The middle entry of all."""
    return median(x.reshape(-1), 0)[0]


@decomposes(aten.count_nonzero.default, aten.count_nonzero.dim_IntList)
def count_nonzero(x: Tensor, dim: Any = None) -> Tensor:
    """How many entries are not 0."""
    return (x != 0).sum(_axes(x, dim))


@decomposes(aten.nansum.default)
def nansum(x: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum, leaving out what is NaN."""
    return torch.where(x.isnan(), 0.0, x).sum(_axes(x, dim), keepdim, dtype=dtype)


@decomposes(aten.norm.ScalarOpt_dim, aten.norm.ScalarOpt_dim_dtype)
def norm(x: Tensor, p: float | None, dim: Any, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The p-norm over axes."""
    return torch.linalg.vector_norm(x, 2 if p is None else p, _axes(x, dim), keepdim, dtype=dtype)


@decomposes(aten.norm.Scalar)
def norm_of_all(x: Tensor, p: float = 2) -> Tensor:
    """The p-norm."""
    return torch.linalg.vector_norm(x, p)


@decomposes(aten.dist.default)
def distance(x: Tensor, y: Tensor, p: float = 2) -> Tensor:
    """The p-norm of x - y."""
    return torch.linalg.vector_norm(x - y, p)
