"""A pretend device: tensors that say they live elsewhere, compute on the CPU, and refuse what a GPU would refuse.

A `Remote` tensor says that its device is `meta` (torch has no kernels and no initialisation for it, so every operator on it
arrives here) and holds its numbers in a CPU tensor. Raised are torch's own complaints about a real GPU: tensors of different
devices (but for 0-dimensional ones from the CPU, and CPU indices), numpy, and generators of the other device.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = "meta"
aten = torch.ops.aten
_CROSSING = {aten._to_copy.default, aten.copy_.default, aten.copy.default}
_INDEXED = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default}
_DIVISIONS = {aten.div.Tensor, aten.div_.Tensor, aten.div.Scalar, aten.div_.Scalar}


class Remote(Tensor):
    """A tensor of the pretend device."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> "Remote":
        made = Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=torch.device(DEVICE),
            requires_grad=here.requires_grad,
        )
        made.here = here
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Remote({self.here!r})"

    def tolist(self) -> Any:
        return self.here.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        if not force:
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")
        return self.here.numpy()

    def __array__(self, dtype: Any = None) -> Any:
        return self.numpy()

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return dispatched(func, args, kwargs or {})


def dispatched(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """One operator: checked as a GPU would, computed here."""
    leaves = tree_leaves((args, kwargs))
    away = [leaf for leaf in leaves if isinstance(leaf, Remote)]
    local = [leaf for leaf in leaves if isinstance(leaf, Tensor) and not isinstance(leaf, Remote)]
    target = kwargs.get("device")
    if func not in _CROSSING:
        _refuse(func, args, away, local, kwargs)
    to_remote = torch.device(target).type == DEVICE if target is not None else bool(away)
    if func is aten.copy_.default:
        to_remote = isinstance(args[0], Remote)
    given = dict(kwargs)
    if target is not None and torch.device(target).type == DEVICE:
        given["device"] = torch.device("cpu")
    if func is aten._efficientzerotensor.default:  # of forward derivatives: no numbers at all
        func = aten.zeros.default
    plain_args, plain_kwargs = tree_map(_here, (args, given))
    # A division by a number becomes a product with its reciprocal, rounded twice: so do torch's CUDA kernels.
    if (
        func in _DIVISIONS
        and away
        and isinstance(args[0], Remote)
        and _is_number(args[1])
        and args[0].dtype.is_floating_point
    ):
        divisor = torch.as_tensor(plain_args[1], dtype=args[0].dtype, device="cpu")
        func = aten.mul_.Tensor if func in (aten.div_.Tensor, aten.div_.Scalar) else aten.mul.Tensor
        plain_args = (plain_args[0], divisor.reciprocal())
    with torch._C._DisableTorchDispatch():
        result = func(*plain_args, **plain_kwargs)
    if not to_remote:
        return result
    owners = {id(leaf.here): leaf for leaf in away}

    def there(value: Any) -> Any:
        if not isinstance(value, Tensor) or isinstance(value, Remote):
            return value
        owner = owners.get(id(value))
        return owner if owner is not None and owner.shape == value.shape else Remote(value)

    return tree_map(there, result)


def _here(value: Any) -> Any:
    return value.here if isinstance(value, Remote) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or (
        isinstance(value, Tensor) and not isinstance(value, Remote) and value.dim() == 0
    )


def _refuse(func: Any, args: Any, away: list[Any], local: list[Tensor], kwargs: dict[str, Any]) -> None:
    if func in _INDEXED and isinstance(args[0], Remote):
        local = [part for part in local if part.dtype not in (torch.int64, torch.int32, torch.bool)]
    if away and any(part.dim() > 0 for part in local):
        raise RuntimeError(
            f"{func}: expected all tensors to be on the same device, but found at least two, cuda:0 and cpu"
        )
    generator, target = kwargs.get("generator"), kwargs.get("device")
    there = bool(away) or (target is not None and torch.device(target).type == DEVICE)
    if generator is not None and there and generator.device.type == "cpu":
        raise RuntimeError(f"{func}: expected a 'cuda' device type for generator but found 'cpu'")


class _Pretend(TorchDispatchMode):
    shape_env = None  # asked for by traces

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._mode_key = torch._C._TorchDispatchModeKey.FAKE  # beneath the mode that traces, as FakeTensorMode is

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return dispatched(func, args, kwargs or {})


class _FromNumbers(TorchFunctionMode):
    """`torch.tensor(numbers, device="meta")` forgets the numbers before any operator is dispatched."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor, torch.asarray):
            target = kwargs.get("device")
            if target is not None and torch.device(target).type == DEVICE and not isinstance(args[0], Tensor):
                return func(*args, **(kwargs | {"device": "cpu"})).to(DEVICE)
        if func is Tensor.new_tensor and args[0].device.type == DEVICE:
            kwargs = {"dtype": args[0].dtype} | kwargs | {"device": "cpu"}
            return torch.tensor(*args[1:], **kwargs).to(DEVICE)
        return func(*args, **kwargs)


@contextmanager
def pretend_device() -> Iterator[str]:
    """Within this, tensors asked for on the device that is yielded are `Remote`."""
    with _Pretend(), _FromNumbers():
        yield DEVICE


def moved(tensor: Tensor) -> Remote:
    """A CPU tensor on the pretend device."""
    return Remote(tensor.detach().clone())
