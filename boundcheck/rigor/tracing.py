"""A function of tensors as its ATen graph, and the graph's replay in enclosures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx

from boundcheck.errors import BoundcheckError
from boundcheck.rigor.enclosure import Enclosure
from boundcheck.rigor.registry import lookup

Function = Callable[..., Sequence[Tensor]]


@dataclass(frozen=True)
class Traced:
    """A function, traced at one set of shapes: replay it plainly or in enclosures."""

    graph: GraphModule

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """The traced graph in plain float64."""
        return list(self.graph(*(tensor.contiguous() for tensor in inputs)))

    def enclose(self, *inputs: Enclosure) -> list[Enclosure]:
        """The traced graph with every operation's rounding error carried along.

        Raises:
            UnknownOperatorError: where the graph uses an operator without an error rule.

        """
        # A graph has its inputs' memory layout baked in: it was traced on contiguous ones.
        return _interpret(self.graph, [Enclosure(x.mid.contiguous(), x.rad.contiguous()) for x in inputs])

    def operators(self) -> list[str]:
        """The distinct operators of the graph."""
        return sorted({str(n.target) for n in self.graph.graph.nodes if n.op == "call_function"})


def trace(function: Function, inputs: Sequence[Tensor]) -> Traced:
    """Trace `function` at the shapes (and on the device) of `inputs`, derivatives included."""
    # Copies: one tensor given twice would be traced as one input, for good, and a function may write in place.
    apart = [tensor.detach().clone(memory_format=torch.contiguous_format) for tensor in inputs]
    graph = make_fx(lambda *args: list(function(*args)))(*apart)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return Traced(graph)


def _interpret(module: GraphModule, inputs: Sequence[Enclosure]) -> list[Enclosure]:
    values: dict[Node, Any] = {}
    last_use = _last_uses(module)
    supply = iter(inputs)

    def fetch(argument: Any) -> Any:
        if isinstance(argument, Node):
            return values[argument]
        if isinstance(argument, list | tuple):
            return [fetch(item) for item in argument]
        return argument

    result: Any = []
    for node in module.graph.nodes:
        if node.op == "placeholder":
            values[node] = next(supply)
        elif node.op == "get_attr":
            constant = getattr(module, str(node.target))
            values[node] = Enclosure.exactly(constant.double() if constant.is_floating_point() else constant)
        elif node.op == "output":
            result = fetch(node.args[0])
        else:
            values[node] = _call(node, fetch)
        for spent in last_use.get(node, ()):
            values.pop(spent, None)
    return list(result)


def _call(node: Node, fetch: Callable[[Any], Any]) -> Any:
    args = [fetch(argument) for argument in node.args]
    kwargs = {key: fetch(value) for key, value in node.kwargs.items()}
    if getattr(node.target, "__name__", "") == "getitem":
        return args[0][args[1]]
    result = lookup(node.target)(*args, **kwargs)
    for part in result if isinstance(result, list) else [result]:
        if isinstance(part, Enclosure) and part.mid.is_floating_point() and part.mid.dtype != torch.float64:
            raise BoundcheckError(
                f"the claim computes {node.target} in {part.mid.dtype}",
                expected="float64, whose rounding is what the error rules bound",
                remedy="convert integers and narrow floats with .double() first",
            )
    return result


def _last_uses(module: GraphModule) -> dict[Node, list[Node]]:
    """After which node each value can be dropped: keeps the memory of a replay near that of plain torch."""
    last: dict[Node, Node] = {}
    for node in module.graph.nodes:
        for used in node.all_input_nodes:
            last[used] = node
    spent: dict[Node, list[Node]] = {}
    for used, node in last.items():
        spent.setdefault(node, []).append(used)
    return spent
