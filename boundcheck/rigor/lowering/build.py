"""From an ATen graph to a `Program`: each node is lowered by the function registered for its operator.

While a graph is lowered, a tensor is a `Value`: a shape and a register. What does not depend on the inputs (an identity
matrix, a row of indices) stays a tensor until something needs it as numbers, so that positions are known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from boundcheck.errors import UnknownOperatorError
from boundcheck.proof.program import Instruction, Program, Register
from boundcheck.rigor.enclosure import literal_radius

aten = torch.ops.aten
Kind = Literal["number", "truth"]
Lowering = Callable[..., Any]
_LOWERINGS: dict[Any, Lowering] = {}


@dataclass(frozen=True)
class Value:
    """A tensor in the making: row-major in its register, or known already.

    Attributes:
        shape: its sizes.
        kind: numbers (integers among them) or truth values.
        register: where a program has it; None while it is only known as `known`.
        known: the tensor itself, where it does not depend on the inputs.
        whole: whether it holds counts of truth values.

    """

    shape: tuple[int, ...]
    kind: Kind
    register: Register | None = None
    known: Tensor | None = None
    whole: bool = False

    @property
    def size(self) -> int:
        """How many entries."""
        return int(torch.Size(self.shape).numel())


def lowers(*operators: Any) -> Callable[[Lowering], Lowering]:
    """Register how ATen operators become instructions: a function of a `Builder` and the operator's arguments."""

    def register(function: Lowering) -> Lowering:
        for operator in operators:
            _LOWERINGS[operator] = function
        return function

    return register


def vocabulary() -> list[str]:
    """The operators that can be lowered."""
    return sorted(str(operator) for operator in _LOWERINGS)


class Builder:
    """Collects instructions."""

    def __init__(self, inputs: int) -> None:
        self._inputs = inputs
        self._instructions: list[Instruction] = []

    def emit(
        self, operation: str, *inputs: Value, shape: Sequence[int], kind: Kind = "number", **parameters: Any
    ) -> Value:
        """One more instruction; its result as a value of this shape."""
        registers = tuple(self.register(value) for value in inputs)
        self._instructions.append(Instruction(operation, registers, parameters))
        return Value(tuple(shape), kind, self._inputs + len(self._instructions) - 1)

    def register(self, value: Value) -> Register:
        """Where the value is; what was only known is written down."""
        if value.register is not None:
            return value.register
        assert value.known is not None
        flat = value.known.flatten().tolist()
        if value.kind == "truth":
            written = self.emit("truths", shape=value.shape, kind="truth", values=flat)
        else:
            numbers = [float(x) for x in flat]
            radii = [literal_radius(x).hex() for x in numbers]
            written = self.emit("numbers", shape=value.shape, values=[x.hex() for x in numbers], radii=radii)
        assert written.register is not None
        return written.register

    def finished(self, outputs: Sequence[Value]) -> Program:
        """The program with these outputs."""
        registers = tuple(self.register(value) for value in outputs)
        return Program(self._inputs, tuple(self._instructions), registers)


def known(tensor: Tensor) -> Value:
    """A tensor that does not depend on the inputs."""
    kind: Kind = "truth" if tensor.dtype == torch.bool else "number"
    return Value(tuple(tensor.shape), kind, known=tensor)


def as_value(item: Any) -> Value:
    """An operand: a value, or a Python number."""
    if isinstance(item, Value):
        return item
    if isinstance(item, bool):
        return known(torch.tensor(item))
    if isinstance(item, int | float):
        return known(torch.tensor(float(item), dtype=torch.float64))
    raise UnknownOperatorError(f"an operand that is a {type(item).__name__}")


def lower(module: GraphModule) -> Program:
    """The program of a traced function of one instance, whose outputs are scalars.

    Raises:
        UnknownOperatorError: naming the operator that cannot be lowered.

    """
    nodes = list(module.graph.nodes)
    placeholders = [node for node in nodes if node.op == "placeholder"]
    builder = Builder(len(placeholders))
    values: dict[Node, Any] = {}
    for index, node in enumerate(placeholders):
        values[node] = Value(tuple(node.meta["val"].shape), "number", index)
    for node in nodes:
        if node.op == "get_attr":
            values[node] = known(getattr(module, str(node.target)))
        elif node.op == "call_function":
            values[node] = _call(builder, node, values)
    (output,) = (node for node in nodes if node.op == "output")
    return builder.finished([values[argument] for argument in output.args[0]])


def _call(builder: Builder, node: Node, values: dict[Node, Any]) -> Any:
    def fetch(argument: Any) -> Any:
        if isinstance(argument, Node):
            return values[argument]
        if isinstance(argument, list | tuple):
            return [fetch(item) for item in argument]
        return argument

    args = [fetch(argument) for argument in node.args]
    kwargs = {key: fetch(value) for key, value in node.kwargs.items()}
    if getattr(node.target, "__name__", "") == "getitem":
        picked = args[0][args[1]]
        if picked is None:
            raise UnknownOperatorError(f"result {args[1]} of {node.args[0]}")
        return picked
    lowering = _LOWERINGS.get(node.target)
    if lowering is None:
        raise UnknownOperatorError(str(node.target))
    result = lowering(builder, *args, **kwargs)
    _check_types(node, result, [*args, *kwargs.values()])
    return result


def _check_types(node: Node, result: Any, arguments: Sequence[Any]) -> None:
    """Programs know real numbers and truth values: refuse an operator whose result torch rounds, wraps or truncates."""
    shown = node.meta.get("val")
    if not isinstance(result, Value) or not isinstance(shown, Tensor):
        return
    counts = all(value.kind == "truth" or value.whole for value in arguments if isinstance(value, Value))
    fits = {
        torch.float64: result.kind == "number",
        torch.bool: result.kind == "truth",
        torch.int64: result.kind == "number"
        and (result.known is not None or (counts and str(node.target) in COUNTING)),
    }
    if not (fits.get(shown.dtype, False) or (result.known is not None and result.known.dtype == shown.dtype)):
        raise UnknownOperatorError(f"{node.target} with a result of type {shown.dtype}")
    if shown.dtype == torch.int64 and result.known is None:
        object.__setattr__(result, "whole", True)


COUNTING = {
    "aten.sum.default",
    "aten.sum.dim_IntList",
    "aten._to_copy.default",
    "aten.view.default",
    "aten.unsqueeze.default",
    "aten.squeeze.dim",
    "aten.expand.default",
    "aten.clone.default",
}
"""Operators that count truth values, or only move such counts: their whole numbers are small and exact."""
