"""The affine maps of a network, seen from outside while it runs.

Whatever multiplies activations by a parameter (a module's layer or a line `x @ params["w"] + params["b"]` of a function) passes
through a handful of torch functions, which are watched during a forward pass (`boundcheck.geometry.observe` reads the notes).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Key = tuple[str, str]
"""The names of a weight and of a bias that act together; "" where there is none, or it is not trained."""

_MATMULS = (torch.matmul, torch.mm, Tensor.matmul, Tensor.mm, Tensor.__matmul__)
_SUMS = (torch.add, Tensor.add, Tensor.__add__, Tensor.__radd__)
_TRANSPOSES = (torch.t, Tensor.t, Tensor.T.__get__, Tensor.mT.__get__)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Applied:
    """One affine map, applied once.

    Attributes:
        entered: what the weight was multiplied with, `[..., in]`; where only a bias acts, a 0 a result.
        left: the result, `[..., out]`.
        transposed: whether the weight is stored as `[in, out]`.
        features: the axis of `left` that is the features'.

    """

    entered: Callable[[], Tensor]
    left: Tensor
    transposed: bool = False
    features: int = -1


@dataclass
class Watch(TorchFunctionMode):
    """Notes every affine map whose weight or bias is one of the leaves.

    Attributes:
        leaves: the parameters, by name.
        shifts: what to add to the results of each map's calls; nothing if not given.
        pass_on: what the network goes on with instead of a result, where nothing is added.
        applied: the maps, filled while the network runs in this context.

    """

    leaves: Mapping[str, Tensor]
    shifts: Mapping[Key, Sequence[Tensor]] | None = None
    pass_on: Callable[[Tensor], Tensor] = lambda result: result
    applied: dict[Key, list[Applied]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._names = {id(leaf): name for name, leaf in self.leaves.items()}
        self._turned: dict[int, tuple[str, Tensor]] = {}  # by id; holding the view keeps the id its own

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        seen = _READERS.get(func)
        if seen is None or not isinstance(result, Tensor):
            return result
        if kwargs and seen not in _BY_KEYWORD:  # so seldom that its rows may as well be formed
            return result
        found = seen(self, result, *args, **kwargs)
        return result if found is None else self._noted(*found)

    def _noted(self, key: Key, made: Applied) -> Tensor:
        calls = self.applied.setdefault(key, [])
        calls.append(made)
        return made.left + self.shifts[key][len(calls) - 1] if self.shifts is not None else self.pass_on(made.left)

    def name(self, tensor: Any) -> str:
        """Of a leaf; "" for anything else."""
        return self._names.get(id(tensor), "")

    def turned(self, tensor: Any) -> str:
        """The name of a leaf of which this is the transpose."""
        return self._turned.get(id(tensor), ("",))[0]

    def turn(self, result: Tensor, tensor: Any) -> None:
        """Remember a leaf's transpose."""
        if self.name(tensor):
            self._turned[id(result)] = (self.name(tensor), result)


_Found = tuple[Key, Applied] | None


def _linear(
    watch: Watch,
    result: Tensor,
    input: Tensor,  # noqa: A002 - torch's own name, by which it may be given
    weight: Tensor,
    bias: Tensor | None = None,
) -> _Found:
    turned = watch.turned(weight)
    key = (turned or watch.name(weight), watch.name(bias))
    return (key, Applied(lambda: input, result, transposed=bool(turned))) if any(key) else None


def _matmul(watch: Watch, result: Tensor, left: Tensor, right: Tensor) -> _Found:
    plain, turned = watch.name(right), watch.turned(right)
    if (not plain and not turned) or right.dim() != 2 or left.dim() < 2:
        return None
    return (plain or turned, ""), Applied(lambda: left, result, transposed=bool(plain))


def _addmm(watch: Watch, result: Tensor, bias: Tensor, left: Tensor, right: Tensor) -> _Found:
    found = _matmul(watch, result, left, right)
    if found is None:
        return None
    (weight, _), made = found
    return (weight, watch.name(bias) if bias.shape == result.shape[-1:] else ""), made


def _plus(watch: Watch, result: Tensor, left: Any, right: Any) -> _Found:
    for bias in (left, right):
        name = watch.name(bias)
        if name and bias.shape == result.shape[-1:] and result.dim() > 1:
            return ("", name), Applied(lambda: result.detach()[..., :1] * 0.0, result)
    return None


def _convolution(axes: int) -> Callable[..., _Found]:
    def read(
        watch: Watch,
        result: Tensor,
        input: Tensor,  # noqa: A002 - likewise
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> _Found:
        key = (watch.name(weight), watch.name(bias))
        if not any(key) or groups != 1 or isinstance(padding, str) or input.dim() != axes + 2:
            return None
        size = tuple(weight.shape[2:])

        def patches() -> Tensor:
            given, windows = input, [_each(value, axes) for value in (dilation, padding, stride)]
            if axes == 1:  # torch unfolds images only
                given, windows = (
                    given.unsqueeze(2),
                    [(rest, *value) for value, rest in zip(windows, (1, 0, 1), strict=True)],
                )
            return functional.unfold(given, (1,) * (2 - axes) + size, *windows).mT

        return key, Applied(patches, result, features=1)

    return read


def _each(value: Any, axes: int) -> tuple[int, ...]:
    return tuple(value) * (axes if len(value) == 1 else 1) if isinstance(value, list | tuple) else (int(value),) * axes


_LINE, _IMAGE = _convolution(1), _convolution(2)
_BY_KEYWORD = (_linear, _LINE, _IMAGE)
_READERS: dict[Any, Callable[..., _Found]] = {
    functional.linear: _linear,
    torch.addmm: _addmm,
    torch.conv1d: _LINE,
    torch.conv2d: _IMAGE,
    **dict.fromkeys(_MATMULS, _matmul),
    **dict.fromkeys(_SUMS, _plus),
    **dict.fromkeys(_TRANSPOSES, Watch.turn),
}
