"""What a trace writes out in other operators: hand `DECOMPOSITIONS` to `make_fx`, and trace within `exactly()`.

Three sources: our own formulas; those of torch's decompositions that hold exactly (no rounded 1/n, no rounded √2 in them); and
writing in place, which becomes a copy. What is left has an error rule, and every such operator also needs a version for proofs,
so a formula is preferred to a rule.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._decomp import get_decompositions
from torch.overrides import TorchFunctionMode

from boundcheck.rigor import (  # the rules and formulas of which there are versions that write in place
    arithmetic,
    decisions,
    formulas,
    functions,
    linear_algebra,
    matrix_functions,
    reductions,
    shapes,
)
from boundcheck.rigor.registry import _RULES, DECOMPOSITIONS, aten

__all__ = [
    "DECOMPOSITIONS",
    "arithmetic",
    "decisions",
    "exactly",
    "formulas",
    "functions",
    "linear_algebra",
    "matrix_functions",
    "reductions",
]

TORCH = [
    aten.nan_to_num.default,
    aten.isposinf.default,
    aten.isneginf.default,
    aten.multi_margin_loss.default,
    aten.nll_loss_forward.default,
    aten.nll_loss_backward.default,
    aten.pixel_shuffle.default,
    aten.pixel_unshuffle.default,
    aten.reflection_pad1d.default,
    aten.reflection_pad2d.default,
    aten.replication_pad1d.default,
    aten.replication_pad2d.default,
    aten.rot90.default,
    aten.tril_.default,
    aten.triu_.default,
]
"""Operators that torch itself writes out without rounding a constant."""

for _operator, _function in get_decompositions(TORCH).items():
    DECOMPOSITIONS.setdefault(_operator, _function)


def _in_place(function: Any) -> Callable[..., Tensor]:
    def write(target: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return target.copy_(function(target, *args, **kwargs))

    return write


def _writing_versions() -> dict[Any, Callable[..., Tensor]]:
    """`add_` for `add`, and so on: of every operator known by now that does not merely move entries."""
    found = {aten.pow_.Scalar: _in_place(aten.pow.Tensor_Scalar), aten.pow_.Tensor: _in_place(aten.pow.Tensor_Tensor)}
    for operator in [*_RULES, *DECOMPOSITIONS]:
        packet, overload = operator._schema.name.removeprefix("aten::"), operator._overloadname
        candidates = getattr(aten, f"{packet}_", None) if not packet.endswith("_") else None
        if candidates is None or overload not in candidates.overloads() or f"{packet}.{overload}" in shapes.MOVES:
            continue
        writing = getattr(candidates, overload)
        if writing not in _RULES and _arguments(writing) == _arguments(operator):  # pow_.Scalar is not pow.Scalar
            found.setdefault(writing, _in_place(operator))
    return found


def _arguments(operator: Any) -> list[tuple[str, str]]:
    return [(argument.name, str(argument.type)) for argument in operator._schema.arguments]


for _operator, _function in _writing_versions().items():
    DECOMPOSITIONS.setdefault(_operator, _function)


# ------------------------------------------------------------------------------------------------------ while tracing


class _Softplus(torch.autograd.Function):
    """softplus whose derivatives know no threshold (torch's second derivative is 0 above it)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, beta: float) -> Tensor:
        return aten.softplus.default(x, beta)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])
        ctx.beta = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return gradient * torch.sigmoid(ctx.beta * x), None

    @staticmethod
    def jvp(ctx: Any, direction: Tensor, _: None) -> Tensor:
        (x,) = ctx.saved_tensors
        return direction * torch.sigmoid(ctx.beta * x)


def softplus(x: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    """log(1 + exp(beta·x))/beta at every x, with all its derivatives."""
    result: Tensor = _Softplus.apply(x, float(beta))  # type: ignore[no-untyped-call]
    return result


class _Exactly(TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        chosen = softplus if function is torch.nn.functional.softplus else function
        return chosen(*args, **(kwargs or {}))


def exactly() -> TorchFunctionMode:
    """A context in which torch's functions have the derivatives that their formulas have."""
    return _Exactly()
