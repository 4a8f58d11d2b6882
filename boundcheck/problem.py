"""What was drawn: a frozen batch of concrete instances, with an exact JSON round trip.

A Problem is a frozen dataclass. Its fields are

* **leaves**: float tensors whose first axis is the lane (`Tensor`, or a `dict[str, Tensor]` of them): the free
  parameters as stored numbers. What is derived from them is computed inside a claim, so that every error analysis
  sees it;
* **structure**: everything else (ints, strings, bools, None, registered `Part`s): the same for all lanes.

A claim is written for one instance: it sees the leaves without the lane axis.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Protocol, Self, get_origin, get_type_hints, runtime_checkable

import torch
from torch import Tensor

from boundcheck.errors import BoundcheckError

_PROBLEMS: dict[str, list[type["Problem"]]] = {}
_PARTS: dict[str, list[type["Part"]]] = {}
Scalar = int | float | str | bool | None


def _register(known: dict[str, list[type[Any]]], kind: type[Any]) -> None:
    """Remember a class by name. A module that is imported again replaces its classes; others stay beside them."""

    def same(other: type[Any]) -> bool:
        again = (other.__module__, other.__qualname__) == (kind.__module__, kind.__qualname__)
        return again and "<locals>" not in kind.__qualname__

    known[kind.__name__] = [*(c for c in known.get(kind.__name__, []) if not same(c)), kind]


def _lookup(known: dict[str, list[type[Any]]], name: Any, sort: str) -> type[Any]:
    candidates = known.get(name, []) if isinstance(name, str) else []
    if not candidates:
        raise BoundcheckError(
            f"the {sort} class {name!r} is not known",
            expected=f"one of {sorted(known)}",
            remedy="import the module that defines it first",
        )
    if len(candidates) > 1:
        modules = ", ".join(c.__module__ for c in candidates)
        raise BoundcheckError(
            f"{len(candidates)} {sort} classes are called {name!r} ({modules})", remedy="rename one of them"
        )
    return candidates[0]


@dataclass(frozen=True)
class Part:
    """A piece of structure with a name and a JSON round trip (a model family with its sizes, say)."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _register(_PARTS, cls)

    def to_json(self) -> dict[str, Any]:
        """The part's class name and fields. Raises BoundcheckError for a field that JSON cannot hold."""
        return {"part": type(self).__name__} | {f.name: _structural(self, f.name) for f in fields(self)}

    def identity(self) -> tuple[Any, ...]:
        """What makes two parts the same: the class itself (a name is not enough) and the values of its fields."""
        return _identity(self)


@dataclass(frozen=True)
class Problem:
    """A batch of instances of one structure. Subclass it as a frozen dataclass; see the module's docstring."""

    radius_of: ClassVar[Mapping[str, str]] = {}
    """For leaves that are themselves only enclosures: `{leaf: radius leaf}`. The radius leaf holds one number a lane, the
    radius of a Euclidean ball around the leaf in which the true value lies (+inf: nothing is known)."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _register(_PROBLEMS, cls)

    def leaves(self) -> dict[str, Tensor]:
        """Every leaf by its dotted name, each `[lanes, ...]`."""
        return dict(self._walk())

    def _walk(self) -> Iterator[tuple[str, Tensor]]:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Tensor):
                yield item.name, value
            elif isinstance(value, Mapping):
                for key, tensor in value.items():
                    yield f"{item.name}.{key}", tensor

    def structure(self) -> dict[str, Any]:
        """Everything that is not a leaf, as JSON values."""
        result: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if not isinstance(value, Tensor | Mapping):
                result[item.name] = _structural(self, item.name)
        return result

    def identity(self) -> tuple[Any, ...]:
        """What two batches must share for one trace to serve both: classes, structural values, shapes of the leaves."""
        return _identity(self)

    def with_leaves(self, leaves: Mapping[str, Tensor]) -> Self:
        """The same structure around other leaves (named as in `leaves()`)."""
        changed: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Tensor):
                changed[item.name] = leaves[item.name]
            elif isinstance(value, Mapping):
                changed[item.name] = {key: leaves[f"{item.name}.{key}"] for key in value}
        return replace(self, **changed)

    @property
    def lanes(self) -> int:
        """How many instances the batch holds."""
        sizes = {tensor.shape[0] if tensor.dim() else -1 for _, tensor in self._walk()}
        if len(sizes) != 1 or sizes & {-1, 0}:
            shapes = {name: tuple(tensor.shape) for name, tensor in self._walk()}
            raise BoundcheckError(
                f"{type(self).__name__} has leaves of shapes {shapes}",
                expected="at least one leaf, and the same number of lanes (1 or more) as the first axis of each",
                remedy="decorate the class with @dataclass(frozen=True) and give every leaf the shape [lanes, ...]",
            )
        return int(sizes.pop())

    def lane(self, index: int) -> Self:
        """A batch that holds one of the instances. Raises BoundcheckError for a lane that there is not."""
        if not 0 <= index < self.lanes:
            raise BoundcheckError(f"lane {index}", expected=f"0 to {self.lanes - 1}")
        return self.with_leaves({name: tensor[index : index + 1].clone() for name, tensor in self._walk()})

    def to(self, device: "torch.device | str") -> Self:
        """The same batch on another device."""
        return self.with_leaves({name: tensor.to(device) for name, tensor in self._walk()})

    def finite(self) -> Tensor:
        """Which lanes hold no NaN and no infinity, radii and explicitly unbounded leaves aside: bool `[lanes]`."""
        good = torch.ones(self.lanes, dtype=torch.bool, device=next(self._walk())[1].device)
        for name, tensor in self._walk():
            bad = tensor.isnan() if name in self._may_be_infinite() else ~tensor.isfinite()
            if name in self.radius_of.values():
                bad = bad | (tensor < 0)
            good &= ~bad.flatten(1).any(dim=1) if tensor.dim() > 1 else ~bad
        return good

    def _may_be_infinite(self) -> set[str]:
        return set(self.radius_of.values()) | set(self.unbounded)

    unbounded: ClassVar[tuple[str, ...]] = ()
    """Leaves in which +infinity has a meaning (the radius of a ball that is the whole space)."""

    def to_json(self) -> dict[str, Any]:
        """Class, structure and leaves; every number as a hexadecimal float, so that nothing is rounded."""
        return {
            "problem": type(self).__name__,
            "structure": self.structure(),
            "leaves": {name: tensor_to_json(tensor) for name, tensor in self._walk()},
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Problem":
        """The batch that `to_json` wrote. Its class must be imported; nothing in `data` is executed or imported."""
        name, structure, leaves = (data.get(key) if isinstance(data, Mapping) else None for key in _STORED)
        kind = _lookup(_PROBLEMS, name, "problem")
        if not (isinstance(structure, Mapping) and isinstance(leaves, Mapping)):
            raise BoundcheckError(f"a stored {name}", expected=f"an object with {', '.join(_STORED)}")
        values: dict[str, Any] = {key: _part_from_json(value) for key, value in structure.items()}
        for key, value in leaves.items():
            owner, _, inner = key.partition(".")
            if inner:
                values.setdefault(owner, {})[inner] = tensor_from_json(value)
            else:
                values[owner] = tensor_from_json(value)
        return _made(kind, values)


_STORED = ("problem", "structure", "leaves")


def _structural(owner: Part | Problem, name: str) -> Any:
    """A structural field as JSON."""
    value = getattr(owner, name)
    if isinstance(value, Part):
        return value.to_json()
    if isinstance(value, Scalar):
        return value
    raise BoundcheckError(
        f"{type(owner).__name__}.{name} is a {type(value).__name__}",
        expected="a tensor, a dict of tensors, a number, a string, a truth value, None or a Part",
        remedy="make what varies a leaf and what is fixed a Part",
    )


def _identity(owner: Part | Problem) -> tuple[Any, ...]:
    parts: list[Any] = [type(owner)]
    for item in fields(owner):
        value = getattr(owner, item.name)
        if isinstance(value, Tensor):
            parts.append((item.name, tuple(value.shape)))
        elif isinstance(value, Mapping):
            parts.append((item.name, *((key, tuple(tensor.shape)) for key, tensor in value.items())))
        elif isinstance(value, Part):
            parts.append((item.name, value.identity()))
        else:
            parts.append((item.name, type(value), _structural(owner, item.name)))
    return tuple(parts)


def _made(kind: type[Problem], values: dict[str, Any]) -> Problem:
    """An instance of `kind` from its fields, each of the sort its annotation says."""
    sorts = {name: get_origin(hint) or hint for name, hint in get_type_hints(kind).items()}
    known = {f.name: sorts[f.name] for f in fields(kind)}
    for name, sort in known.items():
        if sort is dict:  # one without entries leaves no trace among the leaves
            values.setdefault(name, {})
    strange, missing = sorted(set(values) - set(known)), sorted(set(known) - set(values))
    if strange or missing:
        what = f"{kind.__name__} has no field {strange}" if strange else f"a stored {kind.__name__} lacks {missing}"
        raise BoundcheckError(what, expected=f"the fields {sorted(known)}")
    for name, value in values.items():
        expected = Tensor if known[name] is Tensor else dict if known[name] is dict else None
        if expected is not None and not isinstance(value, expected):
            raise BoundcheckError(f"the field {name} of a stored {kind.__name__}", expected=f"a {expected.__name__}")
    problem = kind(**values)
    _ = problem.lanes  # raises where the leaves do not agree
    return problem


def _part_from_json(data: Any) -> Any:
    if not (isinstance(data, Mapping) and "part" in data):
        return data
    name = data["part"]
    kind = _lookup(_PARTS, name, "part")
    given = {key: _part_from_json(value) for key, value in data.items() if key != "part"}
    expected = {f.name for f in fields(kind)}
    if set(given) != expected:
        raise BoundcheckError(f"a stored {name} with fields {sorted(given)}", expected=f"the fields {sorted(expected)}")
    part: Part = kind(**given)
    return part


def tensor_to_json(tensor: Tensor) -> dict[str, Any]:
    """Shape, dtype and the entries in row-major order as hexadecimal floats."""
    flat = tensor.detach().to("cpu", torch.float64).flatten().tolist()
    return {
        "shape": list(tensor.shape),
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "hex": [float(x).hex() for x in flat],
    }


def tensor_from_json(data: Mapping[str, Any]) -> Tensor:
    """The tensor that `tensor_to_json` wrote. Raises BoundcheckError where shape and entries do not fit together."""
    if not isinstance(data, Mapping):
        raise BoundcheckError(
            f"a stored tensor that is a {type(data).__name__}", expected="an object with dtype, shape and hex"
        )
    dtype = {"float64": torch.float64, "float32": torch.float32}.get(str(data.get("dtype")))
    shape, entries = data.get("shape"), data.get("hex")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise BoundcheckError(f"a stored tensor of shape {shape!r}", expected="a list of whole numbers >= 0")
    if dtype is None or not isinstance(entries, list):
        raise BoundcheckError(
            f"a stored tensor with keys {sorted(data)}", expected="dtype float64 or float32, shape, hex"
        )
    try:
        flat = torch.tensor([float.fromhex(text) for text in entries], dtype=dtype)
        return flat.reshape(shape)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise BoundcheckError(f"a stored tensor of shape {shape} with {len(entries)} entries ({error})") from None


@runtime_checkable
class Recipe(Protocol):
    """What Hypothesis draws: a small, shrinkable description of a batch (a structure and a seed, not the floats).

    `build` must give the same instance for the same lane number whatever the number of lanes, so that a lane can be
    looked at alone (up to the last digits, which torch's batched products do not keep). `label` is a short text for statistics.
    """

    def build(self, lanes: int, first: int = 0) -> Problem:
        """The batch of lanes first, first + 1, …, first + lanes - 1."""
        ...

    @property
    def label(self) -> str:
        """A few words: family and sizes."""
        ...
