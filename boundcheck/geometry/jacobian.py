"""Jacobians and tangent-space overlap of any torch module, or of any function f(params, x).

`per_sample_jacobian` forms the Jacobian, `tangent_overlap` measures its geometry without forming the evaluation part: with
J_Sᵀ = Q·R and the inner products C = J_eval·J_Sᵀ of rows, J_eval·B_S = C·R⁻¹.

Numerics: R comes from a Householder QR of J_S and never from a Cholesky factor of J_S·J_Sᵀ, which would square the condition
number κ (errors near u·κ² instead of u·κ, and a factorisation that fails from κ = 10⁸ on); at a few ms for 32 rows of
50,000 parameters it costs less than the passes through the network, so there is no cheaper route for a small κ. The error
that remains, about u·κ(J_S)·√tr(K_eval), is that of any method: so much does the tangent space itself move when J_S is
rounded. Singular values come from factors, never from eigenvalues of a Gram matrix. Everything after the network's own passes
is float64.
Source: Local Edits, Section 2 and Definition 4.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from boundcheck.errors import BoundcheckError
from boundcheck.geometry.layers import (
    LARGEST,
    TEMPORARY,
    Call,
    Captured,
    NotSeparableError,
    capture,
    cross_gram,
    inner_products,
    linear_layers,
    own_names,
    paired,
)
from boundcheck.geometry.overlap import singular_values

Params = Tensor | Mapping[str, Tensor]
Function = Callable[..., Tensor]
"""f(params, x), called with the params it came with: `[N, k]` or `[N]` for a batch `[N, ...]`."""

NETWORK_ROUNDINGS = 64
"""Rounding errors, in units of u, that a Jacobian entry is allowed when a rank is read off singular values."""

SMALLEST = 1e-60
"""Below this norm the products of Jacobian rows, of inputs and of signals come too near to underflow."""

DEFAULT_CHUNK = 256
"""Evaluation samples a pass, at most."""


@dataclass(frozen=True)
class TangentOverlap:
    """Geometry of a fine-tuning set S seen from an evaluation sample (Local Edits, Section 2 and Definition 4).

    Attributes:
        gamma_ov: γ_ov = σ_min(J_eval·B_S)/√N. Exactly 0 where N·k < mk. NaN where J_S does not have full row rank (a
            duplicated sample, or mk > n): Definition 4 needs an orthonormal basis of mk columns, and there is none.
        gamma_error: size of the rounding error in `gamma_ov`, to first order: u·√tr(K_eval)·κ, with κ = ‖D·R⁻¹‖ after scaling
            each row of J_S by its own size D. An estimate, not a proved bound; an overlap below it is not told from 0.
        sigma_min: σ_min(J_S); 0 where mk > n.
        sigma_max: σ_max(J_S).
        rank: numerical rank of J_S: singular values above what rounding can make of 0.
        rows: mk, the rows of J_S.
        parameters: n.

    """

    gamma_ov: float
    gamma_error: float
    sigma_min: float
    sigma_max: float
    rank: int
    rows: int
    parameters: int

    @property
    def full_rank(self) -> bool:
        """Whether J_S has full row rank, the premise of everything in the paper."""
        return self.rank == self.rows


@dataclass(frozen=True)
class _Model:
    """A module or a function in one form, with the linear layers that may be captured."""

    call: Call
    params: dict[str, Tensor]
    layers: dict[str, nn.Linear] = field(default_factory=dict)

    @property
    def captured_names(self) -> list[str]:
        return [name for prefix in self.layers for name in own_names(prefix, list(self.params))]

    @property
    def rest(self) -> dict[str, Tensor]:
        """Parameters that do not belong to a captured layer."""
        inside = set(self.captured_names)
        return {name: value for name, value in self.params.items() if name not in inside}

    @property
    def size(self) -> int:
        return sum(value.numel() for value in self.params.values())

    @property
    def roundoff(self) -> float:
        return max(torch.finfo(value.dtype).eps for value in self.params.values()) / 2


@dataclass(frozen=True)
class Rows:
    """Jacobian rows of a batch; leading axes, if any, are lanes.

    Attributes:
        captured: those of the captured layers, layer by layer.
        formed: those of all other parameters, `[..., N, k, n_rest]`.
        sizes: for each row the scale of its rounding errors, at least its norm: `[..., N·k]`.

    """

    captured: dict[str, Captured]
    formed: Tensor
    sizes: Tensor

    def stacked(self) -> Tensor:
        """`[..., N·k, n]`, in some fixed order of the parameters."""
        blocks = [block for prefix in sorted(self.captured) for block in self.captured[prefix].blocks()]
        return torch.cat([*blocks, self.formed], dim=-1).flatten(-3, -2)

    def vanish(self) -> bool:
        """Whether all rows are 0 exactly."""
        if float(self.sizes.max()) > SMALLEST:
            return False
        return not bool(self.formed.any()) and all(seen.vanishes() for seen in self.captured.values())

    def products(self, other: "Rows") -> Tensor:
        """Inner products of the rows of two batches: `[..., N·k, N'·k']`."""
        if self.captured.keys() != other.captured.keys() or self.formed.shape[-1] != other.formed.shape[-1]:
            raise NotSeparableError  # a layer that acts for one batch alone: the rows are not over like columns
        parts = [cross_gram(mine, theirs) for mine, theirs in paired(self.captured, other.captured)]
        if self.formed.shape[-1] or not parts:
            parts.append(inner_products(self.formed, other.formed, 2, 2))
        total = sum(parts[1:], start=parts[0])
        return total.flatten(-2).flatten(-3, -2)


def per_sample_jacobian(
    module_or_fn: nn.Module | Function, params: Params | None, x: Tensor, *, chunk: int | None = None
) -> Tensor:
    """∂f/∂θ at each sample: `[N, k, n]`, by reverse mode, each sample passed through f alone.

    Args:
        module_or_fn: a module that maps a batch `[N, ...]` to `[N, k]` (or `[N]`, for k = 1), or such a function f(params, x).
        params: what to differentiate with respect to. For a function a tensor or a mapping of tensors, handed on as they
            are; for a module a mapping by parameter name, or None for all its parameters that require gradients. Columns
            follow the mapping's order.
        x: samples `[N, ...]`.
        chunk: samples a pass; it bounds the memory beyond the result. Chosen by the number of parameters if not given.

    Returns:
        `[N, k, n]`, in the dtype of the outputs.

    Raises:
        BoundcheckError: if a sample, a parameter or the Jacobian is not finite, if there is no sample or no parameter, if
            the outputs have another shape, or if the module is in a training mode in which samples influence each other.

    Source: Local Edits, Section 2 (J_x).

    """
    model = _model(module_or_fn, params)
    _check(x, "x", chunk)
    return torch.cat(list(_jacobians(model.call, model.params, x, chunk)))


def tangent_overlap(
    module_or_fn: nn.Module | Function,
    x_train: Tensor,
    x_eval: Tensor,
    *,
    params: Params | None = None,
    chunk: int | None = None,
) -> TangentOverlap:
    """γ_ov, σ_min and σ_max of a fine-tuning set, without forming the evaluation Jacobian (N·k rows of n numbers).

    The parameters of `nn.Linear` layers, applied to vectors or to token sequences, cost one forward pass and k backward passes
    over each batch (see `boundcheck.geometry.layers`). All other parameters, those of a function, and modules in which samples
    do not keep to themselves go through `per_sample_jacobian`, chunk by chunk.

    Args:
        module_or_fn: as in `per_sample_jacobian`.
        x_train: the fine-tuning samples `[m, ...]`.
        x_eval: the evaluation samples `[N, ...]`.
        params: as in `per_sample_jacobian`; required for a function.
        chunk: evaluation samples a pass (if not given 256, or fewer where long rows must be formed).

    Raises:
        BoundcheckError: as in `per_sample_jacobian`, and if a Jacobian is so large or small that products of its rows
            would leave the range of float64.

    Source: Local Edits, Definition 4; σ_min and σ_max as in its Section 2.

    """
    model = _model(module_or_fn, params)
    _check(x_train, "x_train", chunk)
    _check(x_eval, "x_eval", chunk)
    try:
        return _measure(model, x_train, x_eval, chunk)
    except NotSeparableError:
        return _measure(replace(model, layers={}), x_train, x_eval, chunk)


def _measure(model: _Model, x_train: Tensor, x_eval: Tensor, chunk: int | None) -> TangentOverlap:
    train = _rows(model, x_train, chunk)
    if not train.vanish():
        _require_scale(float(torch.linalg.vector_norm(train.sizes)), "fine-tuning")
    jacobian = train.stacked()
    rows = jacobian.shape[0]
    triangle = torch.linalg.qr(jacobian.mT, mode="r").R
    sigmas = singular_values(triangle)
    rank = int(numerical_rank(sigmas, train.sizes, (rows, model.size), model.roundoff))
    gamma, error = math.nan, math.nan
    if rank == rows:
        gamma, error = _overlap(model, train, triangle, x_eval, chunk)
    return TangentOverlap(
        gamma_ov=gamma,
        gamma_error=error,
        sigma_min=float(sigmas[-1]) if len(sigmas) == rows else 0.0,
        sigma_max=float(sigmas[0]),
        rank=rank,
        rows=rows,
        parameters=model.size,
    )


def numerical_rank(sigmas: Tensor, sizes: Tensor, shape: tuple[int, int], roundoff: float) -> Tensor:
    """Singular values above two kinds of noise: the network's, in its own precision, and the factorisation's, in float64."""
    noise = NETWORK_ROUNDINGS * roundoff + max(shape) * 2.0**-53
    return (sigmas > noise * torch.linalg.vector_norm(sizes, dim=-1, keepdim=True)).sum(-1)


def _overlap(model: _Model, train: Rows, triangle: Tensor, x_eval: Tensor, chunk: int | None) -> tuple[float, float]:
    """γ_ov and the size of its error."""
    samples, rows = x_eval.shape[0], triangle.shape[0]
    restricted = triangle.new_zeros(0, rows)
    squares, count, zero = 0.0, 0, True
    for batch in x_eval.split(chunk or _samples_a_pass(model)):
        part = _rows(model, batch, chunk, check=count == 0)
        block = torch.linalg.solve_triangular(triangle, part.products(train), upper=True, left=False)
        count += block.shape[0]
        zero = zero and part.vanish()
        squares += float(part.sizes.square().sum())
        # Only the triangular factor of J_eval·B_S is kept: the same singular values in mk rows, whatever N.
        restricted = torch.linalg.qr(torch.cat([restricted, block]), mode="r").R
    if not zero:
        _require_scale(math.sqrt(squares), "evaluation")
    if count < rows:
        return 0.0, 0.0
    scaled = torch.linalg.solve_triangular(triangle, torch.diag(train.sizes), upper=True, left=False)
    condition = float(torch.linalg.matrix_norm(scaled))
    error = model.roundoff * math.sqrt(squares / samples) * condition
    return float(singular_values(restricted)[-1]) / math.sqrt(samples), error


def _samples_a_pass(model: _Model) -> int:
    """As many as keep the rows that must be formed within a few temporaries."""
    formed = sum(value.numel() for value in model.rest.values())
    return max(1, min(DEFAULT_CHUNK, 4 * TEMPORARY // max(1, formed)))


def _rows(model: _Model, x: Tensor, chunk: int | None, *, check: bool = True) -> Rows:
    captured = capture(model.call, model.params, model.layers, x, check=check) if model.layers else {}
    rest = model.rest
    if not captured and not rest:
        raise NotSeparableError
    if rest:
        formed = torch.cat(list(_jacobians(lambda p, z: model.call({**model.params, **p}, z), rest, x, chunk)))
    else:
        formed = no_rows(captured)
    rows = with_sizes(captured, formed.double())
    _require_finite(rows.sizes.reshape(x.shape[0], -1), "the Jacobian")
    return rows


def no_rows(captured: Mapping[str, Captured]) -> Tensor:
    """Rows of no parameters: `[..., N, k, 0]`."""
    return next(iter(captured.values())).signals[..., 0, :0]


def with_sizes(captured: dict[str, Captured], formed: Tensor) -> Rows:
    """Rows captured layer by layer and rows formed `[..., N, k, n]`, together with their sizes."""
    squares = [seen.sizes().square() for seen in captured.values()]
    if formed.shape[-1]:
        squares.append(formed.square().sum(-1))
    sizes = sum(squares[1:], start=squares[0]).sqrt()
    return Rows(captured, formed, sizes.flatten(-2))


def per_sample(call: Call) -> Callable[[dict[str, Tensor], Tensor], dict[str, Tensor]]:
    """(parameters, batch) to ∂f/∂θ by parameter, `[N, k, *shape]` each."""

    def alone(given: dict[str, Tensor], sample: Tensor) -> Tensor:
        return call(given, sample[None])[0]

    return torch.func.vmap(torch.func.jacrev(alone), in_dims=(None, 0))


def _jacobians(call: Call, params: Mapping[str, Tensor], x: Tensor, chunk: int | None) -> Iterator[Tensor]:
    """Blocks `[chunk, k, n]` of per-sample Jacobians."""

    size = sum(value.numel() for value in params.values())
    step = chunk or max(1, TEMPORARY // max(1, size))
    for start in range(0, x.shape[0], step):
        blocks = per_sample(call)(dict(params), x[start : start + step])
        jacobian = torch.cat([block.flatten(2) for block in blocks.values()], dim=-1)
        _require_finite(jacobian, "the Jacobian", start)
        yield jacobian.detach()


def _model(module_or_fn: nn.Module | Function, params: Params | None) -> _Model:
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


def of_module(module: nn.Module, params: Params | None) -> _Model:
    """A module, checked, with the linear layers among the parameters to differentiate with respect to."""
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
    model = _checked(lambda p, x: torch.func.functional_call(module, dict(p), (x,)), chosen)
    return replace(model, layers=linear_layers(module, list(chosen)))


def _checked(function: Call, params: Mapping[str, Tensor]) -> _Model:
    if not sum(value.numel() for value in params.values()):
        raise BoundcheckError("no parameter to differentiate", remedy="check requires_grad, or pass params")
    for name, value in params.items():
        if not value.is_floating_point():
            raise BoundcheckError(f"parameter {name!r} is {value.dtype}", expected="real floating-point parameters")
        if not bool(value.isfinite().all()):
            raise BoundcheckError(f"parameter {name!r} is not finite", expected="finite numbers")

    def call(given: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return _as_table(function(given, x), x.shape[0])

    return _Model(call, {name: value.detach() for name, value in params.items()})


def _as_table(outputs: Tensor, samples: int) -> Tensor:
    if not isinstance(outputs, Tensor) or not outputs.is_floating_point():
        raise BoundcheckError(
            f"outputs of type {type(outputs).__name__}", expected="a real floating-point tensor [N, k]"
        )
    if outputs.dim() not in (1, 2) or outputs.shape[0] != samples or not outputs.numel():
        raise BoundcheckError(f"outputs of shape {list(outputs.shape)} for {samples} samples", expected="[N, k] or [N]")
    return outputs if outputs.dim() == 2 else outputs[:, None]


def _check(x: Tensor, name: str, chunk: int | None) -> None:
    if x.dim() == 0 or not x.numel():
        raise BoundcheckError(f"{name} of shape {list(x.shape)}", expected="at least one sample and one feature")
    if chunk is not None and chunk < 1:
        raise BoundcheckError(f"chunk={chunk}", expected="a positive number of samples, or None")
    _require_finite(x, name)


def _require_scale(size: float, what: str) -> None:
    if not SMALLEST < size < LARGEST:
        raise BoundcheckError(
            f"a {what} Jacobian of size {size:.1e}",
            expected=f"a size between {SMALLEST:g} and {LARGEST:g}, or 0",
            remedy="rescale the outputs or the parameters",
        )


def _require_finite(values: Tensor, what: str, start: int = 0) -> None:
    if bool(values.sum().isfinite()):  # one pass settles nearly every case
        return
    bad = (~values.isfinite().reshape(values.shape[0], -1).all(1)).nonzero().flatten().tolist()
    if bad:
        raise BoundcheckError(f"{what} is not finite at sample {start + bad[0]}", expected="finite numbers")
