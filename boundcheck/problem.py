"""What was drawn: a frozen batch of concrete instances, with an exact JSON round trip.

A Problem is a frozen dataclass. Its fields are

* **leaves**: float tensors whose first axis is the lane (`Tensor`, or a `dict[str, Tensor]` of them): the free
  parameters as stored numbers. What is derived from them is computed inside a claim, so that every error analysis
  sees it;
* **structure**: everything else (ints, strings, bools, None, registered `Part`s): the same for all lanes.

A claim is written for one instance: it sees the leaves without the lane axis.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import (
    Any,
    ClassVar,
    Literal,
    Protocol,
    Self,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

import torch
from torch import Tensor

from boundcheck.errors import BoundcheckError

_PROBLEMS: dict[str, list[type["Problem"]]] = {}
_PARTS: dict[str, list[type["Part"]]] = {}
Scalar = int | float | str | bool | None
_P = TypeVar("_P", "Part", "Problem")

_MOST_AXES = 16
_MOST_EMPTY = 2**24
_MOST_BITS = 1023  # what a double can hold, so that no size, root or power of a stored number overflows
_MOST_DEEP = 16


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
            f"the {sort} class {shown(name)} is not known",
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
        return {"part": type(self).__name__} | {f.name: _stored(_structural(self, f.name)) for f in fields(self)}

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

    derived: ClassVar[tuple[str, ...]] = ()
    """Leaves that follow from the others (the limit of a descent). `settled` computes them; nobody else may change them."""

    sampled: ClassVar[tuple[str, ...]] = ()
    """Leaves that are random samples, by whose frequencies a claim judges a probability. Nobody may choose them, nor choose the
    other leaves after a look at them: such a problem is neither climbed nor simplified."""

    def admissible(self) -> Tensor:
        """Which instances are ones that the claim's statement is about: bool `[lanes]`; all, unless a class knows better.

        A counterexample is made simpler, and a hunt climbs, only within these: say here what a strategy ensures and no premise
        does (an order, a sum, a bound on a condition number). What a claim states as premises need not be repeated here.
        """
        return torch.ones(self.lanes, dtype=torch.bool, device=next(self._walk())[1].device)

    def settled(self) -> Self:
        """The same instances with their derived leaves computed anew. A class with `derived` leaves overrides this."""
        return self

    def approached(self) -> Self:
        """The same instances, their derived leaves computed fast, differentiably and without proof: what a hunt climbs through.

        Raises:
            BoundcheckError: for a class with `derived` leaves that does not override this.

        """
        if self.derived:
            raise BoundcheckError(
                f"{type(self).__name__} has no differentiable way to {', '.join(self.derived[:3])}",
                expected="a class that overrides `approached`",
                remedy="hunt by evolution, which needs no derivative",
            )
        return self

    def to_json(self) -> dict[str, Any]:
        """Class, structure and leaves; every number as a hexadecimal float, so that nothing is rounded."""
        return {
            "problem": type(self).__name__,
            "structure": {name: _stored(value) for name, value in self.structure().items()},
            "leaves": {name: tensor_to_json(tensor) for name, tensor in self._walk()},
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Problem":
        """The batch that `to_json` wrote.

        Its class must be imported; nothing in `data` is executed or imported, and only classes that subclass `Problem` and
        `Part` are ever called, with fields of the sorts they are annotated with.

        Raises:
            BoundcheckError: in one sentence, whatever `data` holds.

        """
        name, structure, leaves = (data.get(key) if isinstance(data, Mapping) else None for key in _STORED)
        kind = _lookup(_PROBLEMS, name, "problem")
        if not (isinstance(structure, Mapping) and isinstance(leaves, Mapping)):
            raise BoundcheckError(f"a stored {name}", expected=f"an object with {', '.join(_STORED)}")
        values: dict[str, Any] = {key: _structural_from_json(value) for key, value in structure.items()}
        for owner, value in _leaves_from_json(leaves).items():
            if owner in values:
                raise BoundcheckError(
                    f"a stored {name} has {shown(owner)} twice", expected="a leaf or structure, not both"
                )
            values[owner] = value
        return _made(kind, values)


_STORED = ("problem", "structure", "leaves")


def shown(value: Any) -> str:
    """A value from a file for a message: short, on one line, whatever it is."""
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a whole number of {value.bit_length()} bits"
    if isinstance(value, Scalar):
        text = repr(value[:80] if isinstance(value, str) else value)
        return text if len(text) <= 100 else f"{text[:100]}…"
    if isinstance(value, list | tuple) and len(value) <= 4 and all(isinstance(item, Scalar) for item in value):
        return f"[{', '.join(shown(item) for item in value)}]"
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, list | tuple | Mapping) else "")


def _named(names: set[Any]) -> str:
    """A few of the names, for a message."""
    first = sorted(names, key=str)[:4]
    return f"[{', '.join(shown(name) for name in first)}{', …' if len(names) > 4 else ''}]"


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


def _stored(value: Any) -> Any:
    """A structural value as JSON holds it: it has no infinities and no NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(float(value))}
    return _bounded(value)


def _bounded(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise BoundcheckError(
            f"a field that is a whole number of {value.bit_length()} bits", expected=f"at most {_MOST_BITS}"
        )
    return value


def _structural_from_json(data: Any, depth: int = 0) -> Any:
    """A number, a string, a truth value, None or a Part."""
    if isinstance(data, Scalar):
        return _bounded(data)
    if isinstance(data, Mapping) and "part" in data and depth < _MOST_DEEP:
        return _part_from_json(data, depth + 1)
    if isinstance(data, Mapping) and set(data) == {"float"} and data["float"] in ("inf", "-inf", "nan"):
        return float(data["float"])
    raise BoundcheckError(
        f"a stored field that is {shown(data)}",
        expected=f"a number, a string, a truth value, null or a part, nested at most {_MOST_DEEP} deep",
    )


def _part_from_json(data: Mapping[str, Any], depth: int) -> Part:
    kind = _lookup(_PARTS, data["part"], "part")
    given = {key: _structural_from_json(value, depth) for key, value in data.items() if key != "part"}
    expected = {f.name for f in fields(kind)}
    if set(given) != expected:
        raise BoundcheckError(
            f"a stored {kind.__name__} with fields {_named(set(given))}", expected=f"the fields {sorted(expected)}"
        )
    part: Part = _called(kind, _sorted_out(kind, given))
    return part


def _leaves_from_json(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors by field; a name with a dot belongs to a field that is a dict of them."""
    values: dict[str, Any] = {}
    for name, data in leaves.items():
        owner, dot, inner = str(name).partition(".")
        tensor = tensor_from_json(data)
        if dot and isinstance(values.setdefault(owner, {}), dict):
            values[owner][inner] = tensor
        elif not dot and owner not in values:
            values[owner] = tensor
        else:
            raise BoundcheckError(
                f"the leaf {shown(name)}", expected="a field to be one tensor or a dict of them, not both"
            )
    return values


def _made(kind: type[Problem], values: dict[str, Any]) -> Problem:
    """An instance of `kind` from its fields, each of the sort its annotation says."""
    known = {f.name for f in fields(kind)}
    for name, hint in _hints(kind).items():
        if name in known and _is_dict(hint):  # one without entries leaves no trace among the leaves
            values.setdefault(name, {})
    strange, missing = set(values) - known, known - set(values)
    if strange or missing:
        what = (
            f"{kind.__name__} has no field {_named(strange)}"
            if strange
            else f"a stored {kind.__name__} lacks {_named(missing)}"
        )
        raise BoundcheckError(what, expected=f"the fields {sorted(known)}")
    problem: Problem = _called(kind, _sorted_out(kind, values))
    _ = problem.lanes  # raises where the leaves do not agree
    return problem


def _called(kind: type[_P], values: dict[str, Any]) -> _P:
    """The class called with its fields; whatever it raises is one sentence."""
    try:
        return kind(**values)
    except BoundcheckError:
        raise
    except Exception as error:  # somebody's __post_init__, on numbers from a file
        raise BoundcheckError(
            f"a stored {kind.__name__} cannot be made ({type(error).__name__}: {_first_line(error)})",
            expected="fields as the class wrote them",
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]


# ------------------------------------------------------------------------------------------------------------ annotations


def _hints(kind: Any) -> dict[str, Any]:
    """What each field is annotated with; {} where a name in the annotations cannot be found."""
    try:
        return _resolved(kind)
    except Exception:  # a class of a function's body whose annotations are strings: anything may be missing
        return {}


@cache
def _resolved(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _sorted_out(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a stored object, enumerations as their members. Raises where one is not of the sort its class says."""
    hints = _hints(kind)
    result = dict(values)
    for name, value in values.items():
        hint = hints.get(name, Any)
        if not _suits(value, hint):
            raise BoundcheckError(
                f"the field {name} of a stored {kind.__name__} is {shown(value)}",
                expected=f"a {getattr(hint, '__name__', hint)}",
            )
        if isinstance(hint, type) and issubclass(hint, Enum):
            result[name] = hint(value)
    return result


def _is_dict(hint: Any) -> bool:
    kind = get_origin(hint) or hint
    return isinstance(kind, type) and issubclass(kind, Mapping)


def _suits(value: Any, hint: Any) -> bool:
    """Whether a value may stand in a field with this annotation; an annotation that says nothing here allows everything."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_suits(value, option) for option in get_args(hint))
    if origin is Literal:
        return any(type(value) is type(option) and value == option for option in get_args(hint))
    if _is_dict(hint):
        return isinstance(value, dict)
    if hint is None:
        return value is None
    if not isinstance(hint, type):
        return True
    return _is_a(value, hint)


def _is_a(value: Any, kind: type[Any]) -> bool:
    if kind in (bool, int, str, NoneType):
        return type(value) is kind
    if kind is float:
        return type(value) in (float, int)
    if issubclass(kind, Tensor):
        return isinstance(value, Tensor)
    if issubclass(kind, Enum):
        return any(type(value) is type(member.value) and value == member.value for member in kind)
    if issubclass(kind, Part):  # by name: a module that is imported again replaces its classes
        return isinstance(value, Part) and kind.__name__ in {base.__name__ for base in type(value).__mro__}
    return True


# ---------------------------------------------------------------------------------------------------------------- tensors


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
    named, shape, entries = data.get("dtype"), data.get("shape"), data.get("hex")
    dtype = {"float64": torch.float64, "float32": torch.float32}.get(named) if isinstance(named, str) else None
    if dtype is None or not isinstance(entries, list):
        raise BoundcheckError(
            f"a stored tensor with keys {_named(set(data))}", expected="dtype float64 or float32, shape, hex"
        )
    if not isinstance(shape, list) or not _fits(shape, len(entries)):
        raise BoundcheckError(
            f"a stored tensor of shape {shown(shape)} with {len(entries)} entries",
            expected=f"at most {_MOST_AXES} whole numbers >= 0 whose product is the number of entries",
        )
    try:
        numbers = torch.tensor([float.fromhex(text) for text in entries], dtype=torch.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise BoundcheckError(
            f"a stored tensor of shape {shown(shape)} with {len(entries)} entries ({_first_line(error)})",
            expected="hexadecimal floats",
        ) from None
    flat = numbers.to(dtype)
    if not bool(((flat.double() == numbers) | numbers.isnan()).all()):
        raise BoundcheckError(
            f"a stored tensor of shape {shown(shape)} and dtype {named}", expected="entries that it holds exactly"
        )
    return flat.reshape(shape)


def _fits(shape: list[Any], entries: int) -> bool:
    """Whether a tensor may have this shape: also one without entries must not stand for gigabytes once it is summed."""
    if len(shape) > _MOST_AXES or not all(type(size) is int and 0 <= size <= _MOST_EMPTY + entries for size in shape):
        return False
    return math.prod(shape) == entries and math.prod(max(size, 1) for size in shape) <= max(entries, _MOST_EMPTY)


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
