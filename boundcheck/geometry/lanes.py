"""Tangent-space overlap of thousands of small nets at once, each with its own parameters and samples (a lane).

The same route as `boundcheck.geometry.jacobian` takes for one net, in batched operations. A lane that cannot be measured comes
out as NaN instead of raising: it must not take the others with it.
Source: Local Edits, Definition 4.
"""

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from boundcheck.errors import BoundcheckError
from boundcheck.geometry.family import Family, Frozen, TwoLayer
from boundcheck.geometry.jacobian import per_sample
from boundcheck.geometry.layers import LARGEST, Captured, NotSeparableError
from boundcheck.geometry.model import model_of
from boundcheck.geometry.observe import observe_lanes
from boundcheck.geometry.overlap import singular_values
from boundcheck.geometry.rows import SMALLEST, Rows, no_rows, numerical_rank, with_sizes
from boundcheck.geometry.watch import Key

Measured = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""γ_ov, its error, σ_min, σ_max and rank, lane by lane."""


@dataclass(frozen=True)
class TangentOverlaps:
    """`TangentOverlap` of each lane, as tensors `[lanes]`.

    A lane that is not finite, or whose Jacobian is 0 or has a size outside 1e-60 … 1e75 (products of its rows could leave the
    range of float64), has NaN everywhere and rank 0; ask `tangent_overlap` about it alone.
    """

    gamma_ov: Tensor
    gamma_error: Tensor
    sigma_min: Tensor
    sigma_max: Tensor
    rank: Tensor
    rows: int
    parameters: int

    @property
    def full_rank(self) -> Tensor:
        """Whether J_S has full row rank, lane by lane."""
        return self.rank == self.rows


def tangent_overlaps(
    module: nn.Module, params: Mapping[str, Tensor], x_train: Tensor, x_eval: Tensor, *, chunk: int = 256
) -> TangentOverlaps:
    """`tangent_overlap` of many nets of one shape, each with its own samples.

    Args:
        module: gives the shape; its own parameters serve only where `params` names no others.
        params: parameters by name, each with a leading lane axis (as from `torch.func.stack_module_state`).
        x_train: `[lanes, m, ...]`.
        x_eval: `[lanes, N, ...]`.
        chunk: lanes a pass.

    Raises:
        BoundcheckError: if the leading axes differ, if there is nothing to measure, if the outputs have another shape than
            `[N, k]`, or if the module is in a training mode in which samples influence each other.

    Source: Local Edits, Definition 4.

    """
    _check({**params, "x_train": x_train, "x_eval": x_eval}, chunk)
    model = model_of(module, {name: torch.zeros_like(value[0]) for name, value in params.items()})

    def given(lanes: slice) -> dict[str, Tensor]:
        return {name: value[lanes].detach() for name, value in params.items()}

    def captured(lanes: slice, x: Tensor) -> dict[Key, Captured]:
        return observe_lanes(model.call, given(lanes), x[lanes])

    def formed(lanes: slice, x: Tensor) -> Tensor:
        blocks = torch.func.vmap(per_sample(model.call))(given(lanes), x[lanes])
        return torch.cat([block.flatten(3) for block in blocks.values()], dim=-1).detach()

    return _by_lanes(_Route(captured, formed), x_train, x_eval, chunk, model.size, model.roundoff)


def family_overlaps(
    family: Family, theta: Tensor, frozen: Frozen, x_train: Tensor, x_eval: Tensor, *, chunk: int = 128
) -> TangentOverlaps:
    """`tangent_overlap` of many members of a registered family, each with its own samples.

    The rows of a `TwoLayer` are outer products, whose inner products need no Jacobian; other families form theirs.

    Args:
        family: the family.
        theta: `[lanes, n]`.
        frozen: the parameters that are not trained, `[lanes, ...]` each.
        x_train: `[lanes, m, features]`.
        x_eval: `[lanes, N, features]`.
        chunk: lanes a pass.

    Raises:
        BoundcheckError: if the leading axes differ or there is nothing to measure.

    Source: Local Edits, Definition 4.

    """
    _check({**frozen, "theta": theta, "x_train": x_train, "x_eval": x_eval}, chunk)

    def held(lanes: slice) -> dict[str, Tensor]:
        return {name: value[lanes] for name, value in frozen.items()}

    def captured(lanes: slice, x: Tensor) -> dict[Key, Captured]:
        return (
            {("", ""): _two_layer(family, theta[lanes], held(lanes), x[lanes])} if isinstance(family, TwoLayer) else {}
        )

    def formed(lanes: slice, x: Tensor) -> Tensor:
        return family.jacobian(theta[lanes], held(lanes), x[lanes])

    roundoff = torch.finfo(theta.dtype).eps / 2
    return _by_lanes(_Route(captured, formed), x_train, x_eval, chunk, family.parameters, roundoff)


def _two_layer(family: TwoLayer, theta: Tensor, frozen: Frozen, x: Tensor) -> Captured:
    """The first layer as a linear layer without bias: its signals are head·φ'/√width."""
    slope, head = family._slope(theta, x), frozen["head"] * family._scale
    signals = slope[..., :, None, None, :] * head[..., None, :, None, :]
    return Captured(x.unsqueeze(-2).double(), signals.double(), weight=True, bias=False)


@dataclass(frozen=True)
class _Route:
    """Two ways to the Jacobian rows of some lanes' batches; the first gives nothing where it does not apply."""

    captured: Callable[[slice, Tensor], dict[Key, Captured]]
    formed: Callable[[slice, Tensor], Tensor]

    def rows(self, lanes: slice, batches: tuple[Tensor, Tensor]) -> list[Rows]:
        """Rows of both batches by the same way: inner products need like with like."""
        with contextlib.suppress(NotSeparableError):
            captured = [self.captured(lanes, x) for x in batches]
            if all(captured) and captured[0].keys() == captured[1].keys():
                return [with_sizes(seen, no_rows(seen)) for seen in captured]
        return [with_sizes({}, self.formed(lanes, x).double()) for x in batches]


def _check(tensors: Mapping[str, Tensor], chunk: int) -> None:
    for name, value in tensors.items():
        if value.dim() == 0 or not value.numel():
            raise BoundcheckError(f"{name} of shape {list(value.shape)}", expected="a lane axis and at least one entry")
    lanes = {name: value.shape[0] for name, value in tensors.items()}
    if len(set(lanes.values())) != 1:
        raise BoundcheckError(f"leading axes of lengths {lanes}", expected="the same number of lanes everywhere")
    if chunk < 1:
        raise BoundcheckError(f"chunk={chunk}", expected="a positive number of lanes")


def _by_lanes(
    route: _Route, x_train: Tensor, x_eval: Tensor, chunk: int, parameters: int, roundoff: float
) -> TangentOverlaps:
    parts = []
    for start in range(0, x_train.shape[0], chunk):
        train, evaluation = route.rows(slice(start, start + chunk), (x_train, x_eval))
        rows = train.sizes.shape[-1]
        parts.append(_measure(train, evaluation, x_eval.shape[1], parameters, roundoff))
    gamma, error, smallest, largest, rank = (torch.cat(column) for column in zip(*parts, strict=True))
    return TangentOverlaps(gamma, error, smallest, largest, rank, rows, parameters)


def _measure(train: Rows, evaluation: Rows, samples: int, parameters: int, roundoff: float) -> Measured:
    rows = train.sizes.shape[-1]
    triangle = train.triangle()
    sigmas = singular_values(triangle)
    sizes = [torch.linalg.vector_norm(part.sizes, dim=-1) for part in (train, evaluation)]
    trusted = torch.stack([(size > SMALLEST) & (size < LARGEST) for size in sizes]).all(0)  # false for NaN
    rank = torch.where(trusted, numerical_rank(sigmas, train.sizes, (rows, parameters), roundoff), 0)
    gamma, error = torch.full_like(sizes[0], math.nan), torch.full_like(sizes[0], math.nan)
    if rows <= parameters:
        gamma, error = _overlap(train, triangle, evaluation, samples, roundoff)
    smallest = sigmas[..., -1] if rows <= parameters else torch.zeros_like(gamma)
    values = torch.stack([gamma, error, smallest, sigmas[..., 0]])
    gamma, error, smallest, largest = torch.where(trusted, values, math.nan)
    regular = rank == rows
    return torch.where(regular, gamma, math.nan), torch.where(regular, error, math.nan), smallest, largest, rank


def _overlap(train: Rows, triangle: Tensor, evaluation: Rows, samples: int, roundoff: float) -> tuple[Tensor, Tensor]:
    """γ_ov and the size of its error, meaningless where J_S does not have full row rank."""
    if evaluation.sizes.shape[-1] < train.sizes.shape[-1]:
        zeros = torch.zeros_like(triangle[..., 0, 0])
        return zeros, zeros
    products = evaluation.products(train)
    restricted = torch.linalg.solve_triangular(triangle, products, upper=True, left=False)
    small = torch.linalg.qr(restricted, mode="r").R
    scaled = torch.linalg.solve_triangular(triangle, torch.diag_embed(train.sizes), upper=True, left=False)
    size = torch.linalg.vector_norm(evaluation.sizes, dim=-1) * torch.linalg.matrix_norm(scaled)
    return singular_values(small)[..., -1] / math.sqrt(samples), roundoff * size / math.sqrt(samples)
