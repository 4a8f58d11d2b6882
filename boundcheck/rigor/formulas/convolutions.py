"""Convolutions and pools, as products of matrices with windows; a window is made of slices."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from boundcheck.rigor.registry import aten, decomposes

Sizes = Sequence[int]


def _offsets(kernel: Sizes) -> Iterator[tuple[int, ...]]:
    return itertools.product(*map(range, kernel))


def _broad(sizes: Sizes, axes: int) -> list[int]:
    """One size for each axis (torch gives a single one for all)."""
    return list(sizes) * axes if len(sizes) == 1 else list(sizes)


def _windows(x: Tensor, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, border: float = 0) -> Tensor:
    """What each position of a kernel sees: `[..., *spatial]` to `[..., kernel positions, *outputs]`."""
    axes = len(kernel)
    margins = [margin for pad in reversed(padding) for margin in (pad, pad)]
    padded = torch.nn.functional.pad(x, margins, value=border) if any(margins) else x
    found = []
    for offset in _offsets(kernel):
        part = padded
        for axis, (start, size, step, reach) in enumerate(zip(offset, kernel, stride, dilation, strict=True)):
            first = start * reach
            count = (padded.shape[axis - axes] - reach * (size - 1) - 1) // step + 1
            part = part.narrow(axis - axes, first, (count - 1) * step + 1)
            index = [slice(None)] * (part.dim() + axis - axes) + [slice(None, None, step)]
            part = part[tuple(index)]
        found.append(part)
    return torch.stack(found, -axes - 1)


def _folded(windows: Tensor, spatial: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> Tensor:
    """The transpose of `_windows`: what each window holds, added up where it came from."""
    axes = len(kernel)
    sizes = [size + 2 * pad for size, pad in zip(spatial, padding, strict=True)]
    total: Tensor | None = None
    for part, offset in zip(windows.unbind(-axes - 1), _offsets(kernel), strict=True):
        for axis, (start, step, reach, size) in enumerate(zip(offset, stride, dilation, sizes, strict=True)):
            place, count = axis - axes, part.shape[axis - axes]
            shape = list(part.shape)
            shape[place] = size
            first = start * reach
            part = torch.slice_scatter(part.new_zeros(shape), part, place, first, first + (count - 1) * step + 1, step)
        total = part if total is None else total + part
    assert total is not None
    for axis, (size, pad) in enumerate(zip(spatial, padding, strict=True)):
        total = total.narrow(axis - axes, pad, size)
    return total


def _grouped(x: Tensor, groups: int, axes: int) -> Tensor:
    """`[N, C, (kernel,) *spatial]` to `[N, groups, C/groups·kernel, positions]`."""
    return x.reshape(x.shape[0], groups, -1, math.prod(x.shape[-axes:]))


def _plain(x: Tensor, weight: Tensor, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int) -> Tensor:
    kernel, axes = weight.shape[2:], weight.dim() - 2
    windows = _windows(x, kernel, stride, padding, dilation)
    result = weight.reshape(groups, weight.shape[0] // groups, -1) @ _grouped(windows, groups, axes)
    return result.reshape(x.shape[0], weight.shape[0], *windows.shape[-axes:])


def _transposed(
    x: Tensor, weight: Tensor, spatial: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> Tensor:
    """The transpose of `_plain` with the same weight, to outputs of size `spatial`."""
    kernel, axes = weight.shape[2:], weight.dim() - 2
    columns = weight.reshape(groups, weight.shape[0] // groups, -1).mT @ _grouped(x, groups, axes)
    windows = columns.reshape(x.shape[0], groups * weight.shape[1], math.prod(kernel), *x.shape[-axes:])
    return _folded(windows, spatial, kernel, stride, padding, dilation)


def _for_weight(
    x: Tensor, outer: Tensor, weight: Tensor, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> Tensor:
    """The derivative of ⟨outer, _plain(x, weight)⟩ with respect to the weight."""
    kernel, axes = weight.shape[2:], weight.dim() - 2
    windows = _grouped(_windows(x, kernel, stride, padding, dilation), groups, axes)
    return (_grouped(outer, groups, axes) @ windows.mT).sum(0).reshape(weight.shape)


@decomposes(aten.convolution.default)
def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    output_padding: Sizes,
    groups: int,
) -> Tensor:
    """weight ∗ x + bias, or its transpose."""
    axes = weight.dim() - 2
    stride, padding, dilation, extra = (_broad(s, axes) for s in (stride, padding, dilation, output_padding))
    if transposed:
        spatial = [
            (x.shape[2 + k] - 1) * stride[k] - 2 * padding[k] + dilation[k] * (weight.shape[2 + k] - 1) + extra[k] + 1
            for k in range(axes)
        ]
        result = _transposed(x, weight, spatial, stride, padding, dilation, groups)
    else:
        result = _plain(x, weight, stride, padding, dilation, groups)
    return result if bias is None else result + bias.reshape(-1, *(1 for _ in range(axes)))


@decomposes(aten.convolution_backward.default)
def convolution_backward(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: Sizes | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    output_padding: Sizes,
    groups: int,
    wanted: Sequence[bool],
) -> Any:
    """The derivatives of `convolution`."""
    axes = weight.dim() - 2
    geometry = [*(_broad(s, axes) for s in (stride, padding, dilation)), groups]
    if transposed:
        for_x = _plain(gradient, weight, *geometry)
        for_weight = _for_weight(gradient, x, weight, *geometry)
    else:
        for_x = _transposed(gradient, weight, x.shape[2:], *geometry)
        for_weight = _for_weight(x, gradient, weight, *geometry)
    for_bias = gradient.sum([axis for axis in range(gradient.dim()) if axis != 1])
    return tuple(part if asked else None for part, asked in zip((for_x, for_weight, for_bias), wanted, strict=True))


# ---------------------------------------------------------------------------------------------------------------- pools


@decomposes(aten.avg_pool2d.default)
def average_pool(
    x: Tensor,
    kernel: Sizes,
    stride: Sizes = (),
    padding: Sizes = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """The mean of each window."""
    if ceil_mode or (any(padding) and not count_include_pad):
        return NotImplemented
    kernel, steps, margins = _broad(kernel, 2), _broad(stride or kernel, 2), _broad(padding, 2)
    return _windows(x, kernel, steps, margins, [1, 1]).sum(-3) / (divisor_override or math.prod(kernel))


@decomposes(aten.avg_pool2d_backward.default)
def average_pool_backward(
    gradient: Tensor,
    x: Tensor,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Any:
    """The derivative of `average_pool`."""
    if ceil_mode or (any(padding) and not count_include_pad):
        return NotImplemented
    kernel, steps, margins = _broad(kernel, 2), _broad(stride or kernel, 2), _broad(padding, 2)
    share = gradient / (divisor_override or math.prod(kernel))
    windows = share.unsqueeze(-3).expand(*share.shape[:-2], math.prod(kernel), *share.shape[-2:])
    return _folded(windows, x.shape[-2:], kernel, steps, margins, [1, 1])


@decomposes(aten.max_pool2d_with_indices.default)
def largest_pool(
    x: Tensor,
    kernel: Sizes,
    stride: Sizes = (),
    padding: Sizes = (0,),
    dilation: Sizes = (1,),
    ceil_mode: bool = False,
) -> Any:
    """The largest of each window, and its place in the plane laid out in a row."""
    if ceil_mode:
        return NotImplemented
    kernel, steps = _broad(kernel, 2), _broad(stride or kernel, 2)
    geometry = (kernel, steps, _broad(padding, 2), _broad(dilation, 2))
    windows = _windows(x, *geometry, border=-torch.inf)
    places = torch.arange(x.shape[-2] * x.shape[-1], device=x.device).reshape(x.shape[-2:])
    seen = _windows(places, *geometry).expand(windows.shape)
    return windows.amax(-3), seen.gather(-3, windows.argmax(-3, True)).squeeze(-3)


@decomposes(aten.max_pool2d_with_indices_backward.default)
def largest_pool_backward(
    gradient: Tensor,
    x: Tensor,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
    indices: Tensor,
) -> Tensor:
    """Each gradient added where the largest was."""
    empty = torch.zeros_like(x).flatten(-2)
    return empty.scatter_add(-1, indices.flatten(-2), gradient.flatten(-2)).reshape(x.shape)
