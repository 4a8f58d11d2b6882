"""The affine maps of a network, seen from outside while it runs.

Whatever multiplies activations by a parameter (a module's layer or a line `x @ params["w"] + params["b"]` of a function) passes
through a handful of torch functions, which are watched during a forward pass (`boundcheck.geometry.observe` reads the notes).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
        left: the result.
        transposed: whether the weight is stored as `[in, out]`.
        arranged: a tensor of the shape of `left`, or of more or fewer samples, as `[..., out]`.
        born: the operation that automatic differentiation recorded for the result, none inside of an operation of one's own: the
            same tensor may be the latter's result, which has a derivative of its own.

    """

    entered: Callable[[], Tensor]
    left: Tensor
    transposed: bool = False
    arranged: Callable[[Tensor], Tensor] = lambda result: result
    born: Any = None


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
        calls.append(replace(made, born=made.left.grad_fn))
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
    if weight.dim() != 2:  # a vector leaves no axis of features
        return None
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
            return ("", name), Applied(lambda: torch.zeros_like(result.detach()[..., :1]), result)
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

        return key, Applied(patches, result, arranged=lambda result: result.flatten(2).mT)

    return read


def _each(value: Any, axes: int) -> tuple[int, ...]:
    return tuple(value) * (axes if len(value) == 1 else 1) if isinstance(value, list | tuple) else (int(value),) * axes


def _einsum(watch: Watch, result: Tensor, equation: Any, *operands: Any) -> _Found:
    """A sum over indices of a parameter and of something else, where it is an affine map of the latter."""
    named = [place for place, operand in enumerate(operands) if watch.name(operand)]
    if not isinstance(equation, str) or len(operands) != 2 or len(named) != 1:
        return None
    weight, other = operands[named[0]], operands[1 - named[0]]
    letters = _letters(equation, [operand.dim() for operand in operands])
    if letters is None:
        return None
    of_weight, of_other, made = letters[named[0]], letters[1 - named[0]], letters[2]
    inward, outward = ([letter for letter in of_weight if letter in part] for part in (of_other, made))
    kept = [letter for letter in made if letter not in of_weight]
    plain = (
        (inward and outward and kept)  # else a sum or a product of everything
        and made[0] == kept[0]  # samples first
        and of_weight in ([*inward, *outward], [*outward, *inward])  # else entry by entry, or with axes that are mixed
        and set(of_other) == {*kept, *inward}  # no sum over anything else
        and all(
            weight.shape[of_weight.index(axis)] == other.shape[of_other.index(axis)] for axis in inward
        )  # no stretch
    )
    if not plain:
        return None
    transposed = of_weight == [*inward, *outward]

    def entered() -> Tensor:
        return other.permute([of_other.index(letter) for letter in (*kept, *inward)]).flatten(-len(inward))

    def arranged(result: Tensor) -> Tensor:
        return result.permute([made.index(letter) for letter in (*kept, *outward)]).flatten(-len(outward))

    return (watch.name(weight), ""), Applied(entered, result, transposed, arranged)


def _letters(equation: str, axes: Sequence[int]) -> list[list[str]] | None:
    """Indices of both operands and of the result, a letter an axis; None where that is not what the equation says.

    >>> _letters("...i,oi->...o", [3, 2])
    [['0', '1', 'i'], ['o', 'i'], ['0', '1', 'o']]
    """
    terms = equation.replace(" ", "").replace("->", ",").split(",")
    if len(terms) != 3 or "->" not in equation:
        return None
    spare = {count - len(term) + 3 for term, count in zip(terms, axes, strict=False) if "..." in term}
    if len(spare) > 1:
        return None
    digits = "".join(str(place) for place in range(*spare)) if spare else ""
    found = [list(term.replace("...", digits)) for term in terms]
    return found if all(len(set(term)) == len(term) for term in found) else None


_LINE, _IMAGE = _convolution(1), _convolution(2)
_BY_KEYWORD = (_linear, _LINE, _IMAGE)
_READERS: dict[Any, Callable[..., _Found]] = {
    functional.linear: _linear,
    torch.addmm: _addmm,
    torch.einsum: _einsum,
    torch.conv1d: _LINE,
    torch.conv2d: _IMAGE,
    **dict.fromkeys(_MATMULS, _matmul),
    **dict.fromkeys(_SUMS, _plus),
    **dict.fromkeys(_TRANSPOSES, Watch.turn),
}
