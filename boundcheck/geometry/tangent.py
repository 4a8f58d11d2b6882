"""Tangent-space overlap of any torch module, or of any function f(params, x).

With J_Sᵀ = Q·R and the inner products C = J_eval·J_Sᵀ of rows, J_eval·B_S = C·R⁻¹: neither the evaluation Jacobian nor B_S is
formed. `boundcheck.geometry.plan` says which way was taken to each of them, and why.

Numerics: R is a Cholesky factor of J_S·J_Sᵀ where a bound computed from it says that this moves what is reported by a fraction
`accuracy` at most (the condition number κ is squared: errors near u·κ², a factorisation that fails from κ = 10⁸ on); elsewhere R
comes from a Householder QR of J_S. The error that remains, about u·κ(J_S)·√tr(K_eval), is that of any method: so much does the
tangent space itself move when J_S is rounded. Singular values come from factors, never from eigenvalues of a Gram matrix.
Everything after the network's own passes is float64.

Source: Local Edits, Section 2 and Definition 4.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from boundcheck.errors import BoundcheckError
from boundcheck.geometry.generic import Choice, Products, products
from boundcheck.geometry.gram_route import ACCURACY
from boundcheck.geometry.layers import LARGEST, TEMPORARY, NotSeparableError, concatenated
from boundcheck.geometry.model import Function, Model, Params, check_samples, model_of
from boundcheck.geometry.overlap import singular_values
from boundcheck.geometry.plan import Budget, Factor, Plan, plan_for, triangular_factor, worth_capturing
from boundcheck.geometry.rows import SMALLEST, Rows, captured_rows, numerical_rank, rows_of

MEMORY = 2**26
"""Bytes that a pass over evaluation samples may take (64 MiB)."""


@dataclass(frozen=True)
class TangentOverlap:
    """Geometry of a fine-tuning set S seen from an evaluation sample (Local Edits, Section 2 and Definition 4).

    Attributes:
        gamma_ov: γ_ov = σ_min(J_eval·B_S)/√N. Exactly 0 where N·k < mk. NaN where J_S does not have full row rank (a
            duplicated sample, or mk > n): Definition 4 needs an orthonormal basis of mk columns, and there is none.
        gamma_error: size of the rounding error in `gamma_ov`, to first order: u·√tr(K_eval)·κ, with κ = ‖D·R⁻¹‖ after scaling
            each row of J_S by its own size D, and what a Cholesky factor adds. An estimate, not a proved bound; an overlap
            below it is not told from 0.
        sigma_min: σ_min(J_S); 0 where mk > n.
        sigma_max: σ_max(J_S).
        rank: numerical rank of J_S: singular values above what rounding can make of 0.
        rows: mk, the rows of J_S.
        parameters: n.
        plan: how all this was computed, and why so: print it.

    """

    gamma_ov: float
    gamma_error: float
    sigma_min: float
    sigma_max: float
    rank: int
    rows: int
    parameters: int
    plan: Plan

    @property
    def full_rank(self) -> bool:
        """Whether J_S has full row rank, the premise of everything in the paper."""
        return self.rank == self.rows


def tangent_overlap(
    module_or_fn: nn.Module | Function,
    x_train: Tensor,
    x_eval: Tensor,
    *,
    params: Params | None = None,
    chunk: int | None = None,
    accuracy: float = ACCURACY,
    memory: int = MEMORY,
) -> TangentOverlap:
    """γ_ov, σ_min and σ_max of a fine-tuning set, without forming the evaluation Jacobian (N·k rows of n numbers).

    Parameters that act in affine maps (linear layers, convolutions, `x @ params["w"] + params["b"]`, `torch.einsum`) cost one
    forward pass and k backward passes over each batch. For all other parameters, and where samples do not keep to themselves,
    rows of J_S are formed, and those of J_eval a few samples at a time or not at all (see `boundcheck.geometry.generic`).

    Args:
        module_or_fn: as in `per_sample_jacobian`.
        x_train: the fine-tuning samples `[m, ...]`.
        x_eval: the evaluation samples `[N, ...]`.
        params: as in `per_sample_jacobian`; required for a function.
        chunk: evaluation samples a pass; as many as `memory` allows if not given.
        accuracy: how far, relatively, a Cholesky factor of J_S·J_Sᵀ may move the results by a computed bound; beyond it, and for
            0 always, R comes from a QR of J_S, which keeps errors near u·κ(J_S).
        memory: bytes that a pass over evaluation samples may take, as reckoned from one sample. Beyond them: temporaries of
            8 MiB (16 MiB where rows are formed), a few at a time; J_S·J_Sᵀ (mk × mk numbers), what the fine-tuning samples
            leave in each layer, and the rows of J_S over those parameters whose rows must be formed.

    Raises:
        BoundcheckError: as in `per_sample_jacobian`, and if a Jacobian is so large or small that products of its rows
            would leave the range of float64.

    Source: Local Edits, Definition 4; σ_min and σ_max as in its Section 2.

    """
    model = model_of(module_or_fn, params)
    check_samples(x_train, "x_train", chunk)
    check_samples(x_eval, "x_eval", chunk)
    if not 0 <= accuracy < 1:
        raise BoundcheckError(f"accuracy={accuracy}", expected="a fraction from 0 (always QR) to below 1")
    if not memory >= 1:
        raise BoundcheckError(f"memory={memory}", expected="a positive number of bytes")
    budget = Budget(chunk, accuracy, memory)
    try:
        return _measure(model, x_train, x_eval, budget, None)
    except NotSeparableError:
        return _measure(model, x_train, x_eval, budget, model.names)


def _measure(
    model: Model, x_train: Tensor, x_eval: Tensor, budget: Budget, formed: frozenset[str] | None
) -> TangentOverlap:
    train = rows_of(model, x_train, budget.chunk, formed)
    if not worth_capturing(model, train, x_eval):
        train = rows_of(model, x_train, budget.chunk, model.names)
    if not train.vanish():
        _require_scale(float(torch.linalg.vector_norm(train.sizes)), "fine-tuning")
    rows = train.sizes.shape[-1]
    factor = triangular_factor(train, min(rows, model.size), budget.accuracy)
    sigmas = singular_values(factor.triangle)
    rank = int(numerical_rank(sigmas, train.sizes, (rows, model.size), model.roundoff))
    plan = plan_for(model, train, x_eval, budget, factor)
    gamma, error = math.nan, math.nan
    if rank == rows:
        gamma, error = _overlap(model, train, factor, x_eval, plan)
    return TangentOverlap(
        gamma_ov=gamma,
        gamma_error=error,
        sigma_min=float(sigmas[-1]) if len(sigmas) == rows else 0.0,
        sigma_max=float(sigmas[0]),
        rank=rank,
        rows=rows,
        parameters=model.size,
        plan=plan,
    )


def _overlap(model: Model, train: Rows, factor: Factor, x_eval: Tensor, plan: Plan) -> tuple[float, float]:
    """γ_ov and the size of its error."""
    samples, rows = x_eval.shape[0], factor.triangle.shape[-1]
    kept: list[Tensor] = []
    squares, count, zero, start = 0.0, 0, True, 0
    for batch in x_eval.split(plan.chunk):
        part = _products(model, train, batch, plan.formed, start)
        count += part.values.shape[0]
        start += len(batch)
        zero = zero and part.vanish
        squares += float(part.sizes.square().sum())
        kept.append(torch.linalg.solve_triangular(factor.triangle, part.values, upper=True, left=False))
        if sum(block.numel() for block in kept) > TEMPORARY:
            # The triangular factor of J_eval·B_S has the same singular values in mk rows, whatever N.
            kept = [torch.linalg.qr(concatenated(kept, 0), mode="r").R]
    if not zero:
        _require_scale(math.sqrt(squares), "evaluation")
    if count < rows:
        return 0.0, 0.0
    gamma = float(singular_values(torch.linalg.qr(concatenated(kept, 0), mode="r").R)[-1]) / math.sqrt(samples)
    return gamma, factor.error * gamma + model.roundoff * math.sqrt(squares / samples) * factor.condition


def _products(model: Model, train: Rows, batch: Tensor, choice: Choice | None, start: int) -> Products:
    """Inner products of a batch's rows with those of J_S, map by map, and by the given way for the other parameters.

    `start` is the number of the first sample; at sample 0 the maps are looked at once more.
    """
    parts = []
    if train.captured:
        seen = captured_rows(model, batch, train.names if start else None, start)
        parts.append(Products(seen.products(train.part_captured()), seen.sizes, seen.vanish()))
        if seen.names != train.names:
            raise NotSeparableError
    if choice is not None:
        parts.append(products(model.part(train.names), batch, train.formed.flatten(0, 1), choice, start))
    return parts[0] if len(parts) == 1 else parts[0].plus(parts[1])


def _require_scale(size: float, what: str) -> None:
    if not SMALLEST < size < LARGEST:
        raise BoundcheckError(
            f"a {what} Jacobian of size {size:.1e}",
            expected=f"a size between {SMALLEST:g} and {LARGEST:g}, or 0",
            remedy="rescale the outputs or the parameters",
        )
