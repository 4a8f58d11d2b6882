"""Inner products of Jacobian rows with those of a small batch, for parameters whose rows must be formed.

Two ways to J·J_Sᵀ for mk rows J_S that are at hand. By reverse mode the rows of J are formed, a few samples at a time in a core's
cache, multiplied and forgotten. By forward mode the network is differentiated along each row of J_S, which yields a column of the
product for all samples and outputs at once, and no row at all. Which takes fewer operations depends on k, on mk and on how often
a parameter is used for one sample; both are counted on one sample before the choice is made.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

from boundcheck.geometry.jacobian import batches, jacobian_blocks
from boundcheck.geometry.layers import TEMPORARY
from boundcheck.geometry.model import Model, require_finite

PROBES = 8
"""Random directions along which forward mode also differentiates, to know how long the rows are that it does not form."""

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
    reverse = product + outputs * (_reverse_operations(model, x[:1]) + 2 * model.size)
    try:
        forward = (rows + PROBES) * _forward_operations(model, x[:1])
    except (RuntimeError, NotImplementedError) as error:
        return Choice(False, reverse, math.inf, f"no forward mode: {str(error).splitlines()[0][:80]}")
    less = "fewer" if forward < reverse else "more"
    return Choice(
        forward < reverse, reverse, forward, f"forward mode takes {less} operations: {forward:.1e} to {reverse:.1e}"
    )


def _reverse_operations(model: Model, sample: Tensor) -> float:
    leaves = {name: value.detach().requires_grad_() for name, value in model.params.items()}
    with torch.enable_grad(), FlopCounterMode(display=False) as counter:
        output = model.call(leaves, sample).sum()
        if output.requires_grad:
            torch.autograd.grad(output, list(leaves.values()), allow_unused=True)
    return float(counter.get_total_flops())


def _forward_operations(model: Model, sample: Tensor) -> float:
    with torch.no_grad(), FlopCounterMode(display=False) as counter, forward_ad.dual_level():
        dual = {name: forward_ad.make_dual(value, torch.ones_like(value)) for name, value in model.params.items()}
        model.call(dual, sample)
    return float(counter.get_total_flops())


@dataclass(frozen=True)
class Products:
    """Inner products `[N·k, mk]` of rows with those of J_S, the rows' sizes `[N·k]`, and whether they are all exactly 0."""

    values: Tensor
    sizes: Tensor
    vanish: bool

    def plus(self, other: "Products") -> "Products":
        """Of the same rows, continued over other parameters."""
        return Products(self.values + other.values, torch.hypot(self.sizes, other.sizes), self.vanish and other.vanish)


def products(model: Model, x: Tensor, rows: Tensor, choice: Choice) -> Products:
    """J·J_Sᵀ for the samples x.

    Args:
        model: as a function of the parameters in question, n of them.
        x: samples `[N, ...]`.
        rows: J_S `[mk, n]`, columns in the parameters' order.
        choice: from `choose`.

    Raises:
        BoundcheckError: where the Jacobian is not finite.

    """
    return _by_forward(model, x, rows) if choice.forward else _by_reverse(model, x, rows)


def _by_reverse(model: Model, x: Tensor, rows: Tensor) -> Products:
    columns = rows.split([value.numel() for value in model.params.values()], dim=-1)
    values, sizes = [], []
    zero = True
    for blocks in jacobian_blocks(model, x, max(1, TEMPORARY // max(1, model.size))):
        flat = [block.flatten(2).flatten(0, 1).double() for block in blocks.values()]
        values.append(
            sum((part @ block.mT for part, block in zip(columns, flat, strict=True)), start=rows.new_zeros(()))
        )
        sizes.append(torch.stack([torch.linalg.vector_norm(block, dim=-1) for block in flat]).square().sum(0).sqrt())
        zero = zero and not bool(sizes[-1].any() or any(block.any() for block in flat))
    return Products(torch.cat(values, dim=-1).mT, _finite(torch.cat(sizes), x), zero)


def _by_forward(model: Model, x: Tensor, rows: Tensor) -> Products:
    """The sizes are estimates, from 8 random directions: they serve the estimate of an error only."""
    generator = torch.Generator().manual_seed(0)
    probes = torch.randn(PROBES, model.size, generator=generator, dtype=torch.float64).to(rows.device)
    scale = max(float(torch.linalg.vector_norm(rows, dim=-1).max()), torch.finfo(torch.float64).tiny)
    directions = torch.cat(
        [rows / scale, probes / math.sqrt(model.size)]
    )  # of like sizes: narrow floats must not underflow

    def along(tangents: Mapping[str, Tensor]) -> Tensor:
        return torch.func.jvp(lambda p: _each_alone(model, p, x), (dict(model.params),), (dict(tangents),))[1]

    found = torch.cat(
        [torch.func.vmap(along)(_split(model, part)).detach().double().flatten(1) for part in directions.split(8)]
    )
    lengths = (found[len(rows) :] * math.sqrt(model.size)).square().mean(0).sqrt()
    return Products((found[: len(rows)] * scale).mT, _finite(lengths, x), not bool(found.any()))


def _each_alone(model: Model, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Outputs `[N, k]`, each sample passed through the network by itself."""
    return torch.func.vmap(lambda sample: model.call(params, sample[None])[0])(x)


def _split(model: Model, directions: Tensor) -> dict[str, Tensor]:
    parts = directions.split([value.numel() for value in model.params.values()], dim=-1)
    return {
        name: part.unflatten(-1, value.shape).to(value) if value.dim() else part.squeeze(-1).to(value)
        for (name, value), part in zip(model.params.items(), parts, strict=True)
    }


def _finite(sizes: Tensor, x: Tensor) -> Tensor:
    require_finite(sizes.reshape(x.shape[0], -1), "the Jacobian")
    return sizes
