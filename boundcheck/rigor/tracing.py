"""A function of tensors as its ATen graph, and the graph's replay in enclosures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx

from boundcheck.errors import BoundcheckError, UnknownOperatorError
from boundcheck.rigor.decompositions import DECOMPOSITIONS, exactly
from boundcheck.rigor.enclosure import Enclosure, literal
from boundcheck.rigor.registry import aligned, lookup
from boundcheck.rigor.shapes import WRITING

Function = Callable[..., Sequence[Tensor]]


@dataclass(frozen=True)
class Traced:
    """A function, traced at one set of shapes: replay it plainly or in enclosures."""

    graph: GraphModule

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """The traced graph in plain float64."""
        return list(self.graph(*(tensor.contiguous() for tensor in inputs)))

    def enclose(self, *inputs: Enclosure, unknown: set[str] | None = None) -> list[Enclosure]:
        """The traced graph with every operation's rounding error carried along.

        Args:
            inputs: values and radii at the shapes of the trace.
            unknown: where given, an operator without an error rule is evaluated plainly, its result gets an infinite radius,
                and its name is added here.

        Raises:
            UnknownOperatorError: where the graph uses an operator without an error rule, and `unknown` is not given.

        """
        # A graph has its inputs' memory layout baked in: it was traced on contiguous ones.
        plain = [Enclosure(x.mid.contiguous(), None if x.exact else x.rad.contiguous()) for x in inputs]
        return _interpret(self, plain, unknown)

    @cached_property
    def writes(self) -> bool:
        """Whether the graph overwrites entries in place: then views share radii, and everything has one in memory."""
        return any(node.target in WRITING for node in self.graph.graph.nodes)

    @cached_property
    def spent(self) -> dict[Node, list[Node]]:
        """After which node each value can be dropped: keeps the memory of a replay near that of plain torch."""
        return _last_uses(self.graph)

    @cached_property
    def constants(self) -> dict[Node, Enclosure]:
        """The tensors that the graph holds, as what is meant by them."""
        nodes = [node for node in self.graph.graph.nodes if node.op == "get_attr"]
        return {node: literal(getattr(self.graph, str(node.target))) for node in nodes}

    def operators(self) -> list[str]:
        """The distinct operators of the graph."""
        return sorted({str(n.target) for n in self.graph.graph.nodes if n.op == "call_function"})


def trace(function: Function, inputs: Sequence[Tensor], *, functional: bool = False) -> Traced:
    """Trace `function` at the shapes (and on the device) of `inputs`, derivatives included.

    Args:
        function: of tensors, to a list of tensors.
        inputs: only their shapes, types and device matter.
        functional: write what is overwritten in place as new tensors, for whoever cannot follow memory.

    """
    # Copies: one tensor given twice would be traced as one input, for good, and a function may write in place.
    apart = [tensor.detach().clone(memory_format=torch.contiguous_format) for tensor in inputs]

    def listed(*args: Tensor) -> list[Tensor]:
        return list(function(*args))

    with exactly():
        graph = make_fx(listed, decomposition_table=dict(DECOMPOSITIONS))(*apart)
    if functional:  # of the graph, since not every function with derivatives of its own can be made so
        graph = make_fx(torch.func.functionalize(graph, remove="mutations"))(*apart)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return Traced(graph)


def _interpret(traced: Traced, inputs: Sequence[Enclosure], unknown: set[str] | None) -> list[Enclosure]:
    values: dict[Node, Any] = {}
    writes = traced.writes
    supply = iter(inputs)

    def fetch(argument: Any) -> Any:
        if isinstance(argument, Node):
            return values[argument]
        if isinstance(argument, list | tuple):
            return [fetch(item) for item in argument]
        return argument

    result: Any = []
    for node in traced.graph.graph.nodes:
        if node.op == "placeholder":
            values[node] = next(supply)
        elif node.op == "get_attr":
            values[node] = _copied(traced.constants[node]) if writes else traced.constants[node]
        elif node.op == "output":
            result = fetch(node.args[0])
        else:
            values[node] = _call(node, fetch, unknown)
        if writes and node in values:
            values[node] = _written_out(values[node])
        for spent in traced.spent.get(node, ()):
            values.pop(spent, None)
    return list(result)


def _written_out(result: Any) -> Any:
    if isinstance(result, list):
        return [_written_out(part) for part in result]
    return aligned(result.written_out()) if isinstance(result, Enclosure) else result


def _copied(x: Enclosure) -> Enclosure:
    return Enclosure(x.mid.clone(), x.rad.clone())


def _call(node: Node, fetch: Callable[[Any], Any], unknown: set[str] | None) -> Any:
    args = [fetch(argument) for argument in node.args]
    kwargs = {key: fetch(value) for key, value in node.kwargs.items()}
    if getattr(node.target, "__name__", "") == "getitem":
        return args[0][args[1]]
    try:
        result = lookup(node.target)(*args, **kwargs)
    except UnknownOperatorError as error:
        if unknown is None:
            raise
        unknown.add(error.operator)
        result = _plainly(node.target, args, kwargs)
    for part in result if isinstance(result, list) else [result]:
        if isinstance(part, Enclosure) and part.mid.is_floating_point() and part.mid.dtype != torch.float64:
            raise BoundcheckError(
                f"the claim computes {node.target} in {part.mid.dtype}",
                expected="float64, whose rounding is what the error rules bound",
                remedy="convert integers and narrow floats with .double() first",
            )
    return result


def _plainly(operator: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """What torch computes, of which nothing is known."""

    def value(item: Any) -> Any:
        if isinstance(item, Enclosure):
            return item.mid
        return [value(part) for part in item] if isinstance(item, list | tuple) else item

    def unsure(item: Any) -> Any:
        if isinstance(item, Tensor):
            mid = item.double() if item.is_floating_point() else item
            return Enclosure(mid, torch.full_like(mid, torch.inf, dtype=torch.float64))
        return [unsure(part) for part in item] if isinstance(item, list | tuple) else item

    return unsure(operator(*map(value, args), **{key: value(item) for key, item in kwargs.items()}))


def _last_uses(module: GraphModule) -> dict[Node, list[Node]]:
    last: dict[Node, Node] = {}
    for node in module.graph.nodes:
        for used in node.all_input_nodes:
            last[used] = node
    spent: dict[Node, list[Node]] = {}
    for used, node in last.items():
        spent.setdefault(node, []).append(used)
    return spent
