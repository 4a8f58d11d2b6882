"""Which way `tangent_overlap` takes to each quantity, and why: a cost model that can be asked.

Source: Local Edits, Section 2.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from boundcheck.geometry.generic import DIRECTIONS, WRITTEN, Choice, choose, reverse_operations
from boundcheck.geometry.gram_route import whiten
from boundcheck.geometry.layers import Captured, operations
from boundcheck.geometry.model import Model
from boundcheck.geometry.rows import Rows

MOST = 1024
"""Samples a pass, at most: more are no faster."""

KEPT = 5
"""Times as many numbers as activations and signals have that a pass holds: copies in float64, and temporaries."""

SAVED = 2
"""Times as many bytes as automatic differentiation keeps that a pass holds: gradients come beside what they are made of."""


@dataclass(frozen=True)
class Budget:
    """What the caller allows: samples a pass (None: as many as the memory allows), accuracy, bytes a pass."""

    chunk: int | None
    accuracy: float
    memory: int


@dataclass(frozen=True)
class Factor:
    """A triangular R with RᵀR = J_S·J_Sᵀ.

    Attributes:
        triangle: R, `[min(mk, n), mk]`.
        condition: κ = ‖D·R⁻¹‖ for the rows' sizes D; +∞ where R is singular.
        error: how far results may be off relatively because the condition number was squared; 0 for a QR.
        why: which it is, and why.

    """

    triangle: Tensor
    condition: float
    error: float
    why: str


@dataclass(frozen=True)
class Part:
    """How some parameters enter the inner products of rows.

    Attributes:
        names: the parameters.
        how: the way.
        why: what decided it.

    """

    names: tuple[str, ...]
    how: str
    why: str


@dataclass(frozen=True)
class Plan:
    """How a tangent overlap is computed, and why so; `print(plan)` says it in words.

    Attributes:
        parts: the ways to inner products of rows, by parameters.
        formed: the choice for parameters whose rows must be formed; None if there are none.
        factor: how R was found.
        chunk: evaluation samples a pass.
        bytes: what such a pass is reckoned to take.

    """

    parts: tuple[Part, ...]
    formed: Choice | None
    factor: str
    chunk: int
    bytes: int

    def __str__(self) -> str:
        lines = [f"{', '.join(part.names)}: {part.how}; {part.why}" for part in self.parts]
        lines.append(f"R of J_S: {self.factor}")
        lines.append(f"{self.chunk} evaluation samples a pass: about {self.bytes / 2**20:.1f} MiB")
        return "\n".join(lines)


def plan_for(model: Model, train: Rows, x_eval: Tensor, budget: Budget, factor: Factor) -> Plan:
    """The ways for evaluation samples, given what the fine-tuning samples left in each map."""
    parts = [_captured_part(key, seen) for key, seen in train.captured.items()]
    choice = None
    if train.names or not train.captured:
        names = train.names or model.names
        choice = choose(model.part(names), x_eval, x_eval.shape[0], train.sizes.shape[-1])
        how = "derivatives along the rows of J_S, by forward mode" if choice.forward else "rows, by reverse mode"
        parts.append(Part(tuple(name for name in model.params if name in names), how, choice.why))
    saved = _saved_bytes(model, x_eval)
    needed = 8 * _numbers_a_sample(train, x_eval) + SAVED * saved
    if choice is not None and choice.forward:
        needed += DIRECTIONS * (SAVED * saved + 8 * x_eval[0].numel())
    chunk = budget.chunk or max(1, min(MOST, x_eval.shape[0], budget.memory // needed))
    return Plan(tuple(parts), choice, factor.why, chunk, needed * min(chunk, x_eval.shape[0]))


def worth_capturing(model: Model, train: Rows, x: Tensor) -> bool:
    """Whether to look at maps at all, where the rows of some parameters must be formed in any case.

    To form those of a few more (biases, say, beside weights that nobody sees) can cost less than the passes that show the maps.

    Args:
        model: the network.
        train: J_S, some of it captured.
        x: samples `[N, ...]`, of which the first is counted on.

    """
    if not (train.names and train.captured):
        return True
    rows, shown = train.sizes.shape[-1], model.size - model.part(train.names).size
    outputs = rows // _samples(train)
    plain, _ = reverse_operations(model, x[:1])
    return outputs * (2.0 * rows + WRITTEN) * shown > 2 * (1 + outputs) * plain


def _captured_part(key: tuple[str, str], seen: Captured) -> Part:
    by_tokens, by_rows = operations(seen, seen)
    how = "activations and signals" if by_tokens <= by_rows else "rows, from activations and signals"
    why = f"{by_tokens:.1e} multiplications a sample, {by_rows:.1e} by rows"
    return Part(tuple(name for name in key if name), how, why)


def _numbers_a_sample(train: Rows, x_eval: Tensor) -> int:
    rows = train.sizes.shape[-1]
    outputs = rows // _samples(train)
    held = sum(seen.inputs.numel() + seen.signals.numel() for seen in train.captured.values()) // _samples(train)
    return KEPT * held + x_eval[0].numel() + 3 * outputs * rows


def _saved_bytes(model: Model, x: Tensor) -> int:
    """What automatic differentiation keeps of each sample: of two, less what it keeps of one, and of constants in both."""
    if x.shape[0] < 2:
        return 0
    leaves = {name: value.detach().requires_grad_() for name, value in model.params.items()}
    kept: list[dict[int, int]] = []

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[-1][storage.data_ptr()] = storage.nbytes()
        return tensor

    graphs = []  # kept alive, so that no two arrays lie at one place
    for samples in (1, 2):
        kept.append({})
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            graphs.append(model.call(leaves, x[:samples].clone()))
    one, two = (sum(sizes.values()) for sizes in kept)
    return max(0, two - one)


def _samples(train: Rows) -> int:
    return train.formed.shape[-3]


def triangular_factor(train: Rows, size: int, accuracy: float) -> Factor:
    """R by the cheaper way that is accurate enough.

    Args:
        train: J_S.
        size: min(mk, n).
        accuracy: how far results may be off relatively before a QR is taken.

    """
    rows = train.sizes.shape[-1]
    why = "QR, as asked for"
    if accuracy > 0 and size == rows:
        factor = _by_cholesky(train)
        if factor.error <= accuracy:
            return factor
        why = f"QR: a Cholesky factor could be off by {factor.error:.1e}, more than {accuracy:g}"
    if size < rows:
        why = "QR: more rows than parameters"
    triangle = train.triangle()
    return Factor(triangle, _condition(triangle, train.sizes), 0.0, why)


def _by_cholesky(train: Rows) -> Factor:
    found = whiten(train.products(train), train.sizes, terms=train.terms())
    error = float(found.shift) if bool(found.regular) else math.inf
    return Factor(
        found.factor.mT,
        float(found.condition),
        error,
        f"Cholesky: off by {error:.1e} relatively at most for squaring κ",
    )


def _condition(triangle: Tensor, sizes: Tensor) -> float:
    if triangle.shape[-2] < triangle.shape[-1]:
        return math.inf
    scaled = torch.linalg.solve_triangular(triangle, torch.diag(sizes), upper=True, left=False)
    found = float(torch.linalg.matrix_norm(scaled))
    return found if math.isfinite(found) else math.inf
