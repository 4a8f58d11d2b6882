"""Inner products of Jacobian rows with those of a small batch, for parameters whose rows must be formed.

Two ways to J·J_Sᵀ for mk rows J_S that are at hand. By reverse mode the rows of J are formed, a few samples at a time in a core's
cache, multiplied and forgotten. By forward mode the network is differentiated along each row of J_S, which yields a column of the
product for all samples and outputs at once, and no row at all. Which takes fewer operations depends on k, on mk and on how often
a parameter is used for one sample; both are counted on one sample before the choice is made.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from boundcheck.geometry.jacobian import batches, jacobian_blocks
from boundcheck.geometry.model import Model, require_finite

MIXED = 4
"""Samples that are passed together and one by one, to see whether they influence each other."""

DIRECTIONS = 16
"""Directions that pass together by forward mode, at most."""

PROBES = 8
"""Random directions along which forward mode also differentiates, to know how long the rows are that it does not form."""

FORMED = 2**21
"""Numbers that are formed together (16 MiB): fewer rows make products of few rows, which are slow."""

WRITTEN = 64
"""Operations that take as long as writing one number of a formed row to memory."""

WORTHWHILE = 1e7
"""Operations a batch below which counting them costs more than the better choice saves."""


@dataclass(frozen=True)
class Choice:
    """How inner products with the rows of J_S are found, and why.

    Attributes:
        forward: by derivatives along these rows instead of rows.
        reverse_operations: floating-point operations a sample by reverse mode.
        forward_operations: by forward mode; +∞ where an operation knows none.
        why: what to say about it.

    """

    forward: bool
    reverse_operations: float
    forward_operations: float
    why: str


def choose(model: Model, x: Tensor, samples: int, rows: int) -> Choice:
    """Count both ways on the first sample of x.

    Args:
        model: as a function of the parameters in question.
        x: samples `[N, ...]`.
        samples: how many will be asked for.
        rows: mk.

    """
    if not batches(model, x):
        return Choice(False, math.nan, math.inf, "one sample at a time: torch cannot batch this network")
    with torch.no_grad():
        outputs = model.call(model.params, x[:1]).shape[-1]
    product = 2.0 * outputs * rows * model.size
    if product * samples < WORTHWHILE:
        return Choice(False, product, math.nan, "so few numbers that counting would cost more than it saves")
    plain, with_gradient = reverse_operations(model, x[:1])
    reverse = product + outputs * (with_gradient + WRITTEN * model.size)
    forward = (rows + PROBES) * plain  # a derivative along a direction is no cheaper than the outputs themselves
    try:
        if forward < reverse:
            forward = (rows + PROBES) * _forward_operations(model, x[:1])
        alone = forward < reverse and _keep_to_themselves(model, x[:MIXED])
    except (RuntimeError, NotImplementedError) as error:
        return Choice(False, reverse, math.inf, f"no forward mode: {str(error).splitlines()[0][:80]}")
    if forward < reverse and not alone:
        return Choice(
            False, reverse, forward, "forward mode takes batches, and samples of a batch influence each other"
        )
    less = "fewer" if forward < reverse else "more"
    return Choice(
        forward < reverse, reverse, forward, f"forward mode takes {less} operations: {forward:.1e} to {reverse:.1e}"
    )


class _Counter(TorchDispatchMode):
    """Counts floating-point operations of matrix products, by torch's own formulas."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.operations += formula(*args, **(kwargs or {}), out_val=result)
        return result


def reverse_operations(model: Model, sample: Tensor) -> tuple[float, float]:
    """Floating-point operations on one sample: of the outputs alone, and of the outputs and the gradient of one."""
    leaves = {name: value.detach().requires_grad_() for name, value in model.params.items()}
    with torch.enable_grad(), _Counter() as counter:
        output = model.call(leaves, sample).sum()
        plain = counter.operations
        if output.requires_grad:
            torch.autograd.grad(output, list(leaves.values()), allow_unused=True)
    return plain, counter.operations


def _forward_operations(model: Model, sample: Tensor) -> float:
    """Of one direction among the many that pass together, and share what does not depend on them."""
    directions = {name: torch.ones_like(value).expand(DIRECTIONS, *value.shape) for name, value in model.params.items()}
    with _Counter() as counter:
        _along_all(model, sample, directions)
    return counter.operations / DIRECTIONS


def _keep_to_themselves(model: Model, x: Tensor) -> bool:
    """Whether derivatives along one direction are the same of a batch and of its samples one by one.

    The threshold √u tells a wrong structure (an error of order 1) from rounding; no result depends on it otherwise.
    """
    tangents = {name: torch.ones_like(value) for name, value in model.params.items()}
    found = [_along(model, part, tangents) for part in (x, *x.split(1))]
    together, apart = found[0], torch.cat(found[1:])
    size = float(torch.linalg.vector_norm(apart))
    return float(torch.linalg.vector_norm(together - apart)) <= torch.finfo(apart.dtype).eps ** 0.5 * size


def _along(model: Model, x: Tensor, tangents: Mapping[str, Tensor]) -> Tensor:
    """Derivatives of the outputs `[N, k]` along one direction."""
    return torch.func.jvp(lambda p: model.call(p, x), (dict(model.params),), (dict(tangents),))[1]


def _along_all(model: Model, x: Tensor, tangents: Mapping[str, Tensor]) -> Tensor:
    """The same along several directions at once, `[directions, N, k]`."""
    return torch.func.vmap(lambda one: _along(model, x, one))(dict(tangents)).detach()


@dataclass(frozen=True)
class Products:
    """Inner products `[N·k, mk]` of rows with those of J_S, the rows' sizes `[N·k]`, and whether they are all exactly 0."""

    values: Tensor
    sizes: Tensor
    vanish: bool

    def plus(self, other: "Products") -> "Products":
        """Of the same rows, continued over other parameters."""
        return Products(self.values + other.values, torch.hypot(self.sizes, other.sizes), self.vanish and other.vanish)


def products(model: Model, x: Tensor, rows: Tensor, choice: Choice, start: int = 0) -> Products:
    """J·J_Sᵀ for the samples x.

    Args:
        model: as a function of the parameters in question, n of them.
        x: samples `[N, ...]`.
        rows: J_S `[mk, n]`, columns in the parameters' order.
        choice: from `choose`.
        start: the number of the first sample, for errors.

    Raises:
        BoundcheckError: where the Jacobian is not finite.

    """
    found = _by_forward(model, x, rows) if choice.forward else _by_reverse(model, x, rows)
    require_finite(found.sizes.reshape(x.shape[0], -1), "the Jacobian", start)
    return found


def _by_reverse(model: Model, x: Tensor, rows: Tensor) -> Products:
    parts = rows.split([value.numel() for value in model.params.values()], dim=-1)
    of_train = {
        name: _Columns(part, value.shape) for (name, value), part in zip(model.params.items(), parts, strict=True)
    }
    values, sizes = [], []
    zero = True
    for blocks in jacobian_blocks(model, x, max(1, FORMED // max(1, model.size))):
        total, squares = rows.new_zeros(()), rows.new_zeros(())
        for name, block in blocks.items():
            train, flat = of_train[name].beside(block.double())
            total = total + train @ flat.mT  # the long axis of so few rows last: twice as fast as the transpose
            squares = squares + torch.linalg.vector_norm(flat, dim=-1).square()
        values.append(total)
        sizes.append(squares.sqrt())
        zero = zero and not bool(sizes[-1].any() or any(block.any() for block in blocks.values()))
    return Products(torch.cat(values, dim=-1).mT, torch.cat(sizes), zero)


@dataclass
class _Columns:
    """The columns of J_S of one parameter, in whatever order of its axes the rows come that they are multiplied with."""

    part: Tensor
    shape: torch.Size
    order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.order = tuple(range(len(self.shape)))

    def beside(self, block: Tensor) -> tuple[Tensor, Tensor]:
        """These columns `[mk, n]` and a block `[N, k, *shape]` as `[N·k, n]`, in one order: that in which the block lies.

        Automatic differentiation often leaves a gradient transposed. To copy each block would cost more than to turn these once.
        """
        order = tuple(sorted(range(len(self.shape)), key=lambda axis: -block.stride(axis + 2)))
        if order != self.order:
            natural = self.part.unflatten(-1, [self.shape[axis] for axis in self.order]) if self.shape else self.part
            back = [1 + self.order.index(axis) for axis in order]
            self.part = natural.permute(0, *back).reshape(len(self.part), -1)
            self.order = order
        turned = block.permute(0, 1, *(axis + 2 for axis in order))
        return self.part, turned.reshape(block.shape[:2].numel(), -1)


def _by_forward(model: Model, x: Tensor, rows: Tensor) -> Products:
    """The sizes are estimates, from 8 random directions: they serve the estimate of an error only."""
    generator = torch.Generator().manual_seed(0)
    probes = torch.randn(PROBES, model.size, generator=generator, dtype=torch.float64).to(rows.device)
    scale = max(float(torch.linalg.vector_norm(rows, dim=-1).max()), torch.finfo(torch.float64).tiny)
    # Directions of like sizes: narrow floats must not underflow.
    directions = itertools.chain(
        (part / scale for part in rows.split(DIRECTIONS)), (probes.div_(math.sqrt(model.size)),)
    )
    found = torch.cat([_along_all(model, x, _split(model, part)).double().flatten(1) for part in directions])
    lengths = (found[len(rows) :] * math.sqrt(model.size)).square().mean(0).sqrt()
    return Products((found[: len(rows)] * scale).mT, lengths, not bool(found.any()))


def _split(model: Model, directions: Tensor) -> dict[str, Tensor]:
    parts = directions.split([value.numel() for value in model.params.values()], dim=-1)
    return {
        name: part.unflatten(-1, value.shape).to(value) if value.dim() else part.squeeze(-1).to(value)
        for (name, value), part in zip(model.params.items(), parts, strict=True)
    }
