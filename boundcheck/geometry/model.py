"""A module or a function f(params, x) in one form, and what is asked of it and of its samples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from boundcheck.errors import BoundcheckError

Params = Tensor | Mapping[str, Tensor]
Function = Callable[..., Tensor]
"""f(params, x), called with the params it came with: `[N, k]` or `[N]` for a batch `[N, ...]`."""

Call = Callable[[Mapping[str, Tensor], Tensor], Tensor]
"""(parameters by name, batch) to outputs `[N, k]`."""


@dataclass(frozen=True)
class Model:
    """A network at its parameters.

    Attributes:
        call: the network as a function of its parameters by name.
        params: those to differentiate with respect to.

    """

    call: Call
    params: dict[str, Tensor]

    @property
    def names(self) -> frozenset[str]:
        """Of the parameters."""
        return frozenset(self.params)

    @property
    def size(self) -> int:
        """n, their numbers."""
        return sum(value.numel() for value in self.params.values())

    @property
    def roundoff(self) -> float:
        """u of the widest rounding among their types."""
        return max(torch.finfo(value.dtype).eps for value in self.params.values()) / 2

    def part(self, names: frozenset[str]) -> "Model":
        """The same network as a function of some of its parameters, the others held where they are."""
        held = self.params
        chosen = {name: value for name, value in held.items() if name in names}
        return Model(lambda p, x: self.call({**held, **p}, x), chosen)


def model_of(module_or_fn: nn.Module | Function, params: Params | None) -> Model:
    """Either in one form, checked. Raises BoundcheckError for parameters that cannot be differentiated."""
    if isinstance(module_or_fn, nn.Module):
        return of_module(module_or_fn, params)
    if params is None:
        raise BoundcheckError(
            "a function without params", expected="its parameters, as a tensor or a mapping of tensors"
        )
    function = module_or_fn
    if isinstance(params, Tensor):
        return _checked(lambda p, x: function(p["params"], x), {"params": params})
    return _checked(lambda p, x: function(dict(p), x), params)


def of_module(module: nn.Module, params: Params | None) -> Model:
    """A module, checked."""
    if isinstance(params, Tensor):
        raise BoundcheckError("params is one tensor", expected="a mapping by parameter name for a module, or None")
    own = dict(module.named_parameters())
    chosen: Mapping[str, Tensor] = {name: p for name, p in own.items() if p.requires_grad} if params is None else params
    unknown = sorted(chosen.keys() - own.keys())
    if unknown:
        raise BoundcheckError(
            f"params has {unknown[0]!r}", expected=f"names of the module's parameters: {', '.join(own)}"
        )
    for name, part in module.named_modules():
        if part.training and isinstance(part, (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)):
            raise BoundcheckError(
                f"{type(part).__name__} {name!r} is in training mode",
                expected="a module whose outputs at one sample depend on that sample alone",
                remedy="call module.eval() first",
            )
    return _checked(lambda p, x: torch.func.functional_call(module, dict(p), (x,)), chosen)


def _checked(function: Call, params: Mapping[str, Tensor]) -> Model:
    if not sum(value.numel() for value in params.values()):
        raise BoundcheckError("no parameter to differentiate", remedy="check requires_grad, or pass params")
    for name, value in params.items():
        if not value.is_floating_point():
            raise BoundcheckError(f"parameter {name!r} is {value.dtype}", expected="real floating-point parameters")
        if not bool(value.isfinite().all()):
            raise BoundcheckError(f"parameter {name!r} is not finite", expected="finite numbers")

    def call(given: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return _as_table(function(given, x), x.shape[0])

    return Model(call, {name: value.detach() for name, value in params.items()})


def _as_table(outputs: Tensor, samples: int) -> Tensor:
    if not isinstance(outputs, Tensor) or not outputs.is_floating_point():
        raise BoundcheckError(
            f"outputs of type {type(outputs).__name__}", expected="a real floating-point tensor [N, k]"
        )
    if outputs.dim() not in (1, 2) or outputs.shape[0] != samples or not outputs.numel():
        raise BoundcheckError(f"outputs of shape {list(outputs.shape)} for {samples} samples", expected="[N, k] or [N]")
    return outputs if outputs.dim() == 2 else outputs[:, None]


def check_samples(x: Tensor, name: str, chunk: int | None) -> None:
    """Raise BoundcheckError for no samples, samples that are not finite, or a chunk that is no number of samples."""
    if x.dim() == 0 or not x.numel():
        raise BoundcheckError(f"{name} of shape {list(x.shape)}", expected="at least one sample and one feature")
    if chunk is not None and chunk < 1:
        raise BoundcheckError(f"chunk={chunk}", expected="a positive number of samples, or None")
    require_finite(x, name)


def require_finite(values: Tensor, what: str, start: int = 0) -> None:
    """Raise BoundcheckError, naming the sample (counted from `start`), where a number is not finite."""
    if bool(values.sum().isfinite()):  # one pass settles nearly every case
        return
    bad = (~values.isfinite().reshape(values.shape[0], -1).all(1)).nonzero().flatten().tolist()
    if bad:
        raise BoundcheckError(f"{what} is not finite at sample {start + bad[0]}", expected="finite numbers")
