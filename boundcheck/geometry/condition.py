"""The alignment instability condition of any torch module or function f(params, x) with a policy and a fine-tuning loss.

Source: Alignment Collapse, Definition 5.1.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.func import grad, jvp

from boundcheck.errors import BoundcheckError
from boundcheck.geometry.eigenspaces import Eigenspace
from boundcheck.geometry.fisher import FORMED, Fisher, _finite, fisher_information
from boundcheck.geometry.leading_spectrum import LeadingSpectrum
from boundcheck.geometry.model import Function, Params
from boundcheck.geometry.policies import Policy

Loss = Callable[..., Tensor]
"""A scalar of the parameters, in the form in which they were given."""


def curvature_coupling(loss: Loss, params: Params) -> tuple[Tensor, Tensor]:
    """g = ∇L and a = ∇g·g at θ*, flat `[n]` in float64: the flow of L starts with velocity -g and acceleration a.

    By differentiating ‖g‖²/2 backwards, so that the Hessian is never formed and the loss is evaluated once. Where an operator has
    no second derivative of that kind (a fused attention kernel, say), forward over reverse mode takes its place, with a warning.

    Args:
        loss: a scalar of the parameters.
        params: a tensor or a mapping of tensors; vectors follow its order.

    Raises:
        BoundcheckError: for a loss that is no scalar, derivatives that are not finite, or a loss of which neither way yields the
            second derivative.

    """
    named, given = _named(loss, params)
    with torch.inference_mode(mode=False), torch.enable_grad():
        # Tensors made in inference mode know no derivative: their copies do.
        leaves = {name: (v.clone() if v.is_inference() else v.detach()).requires_grad_() for name, v in named.items()}
        value = given(leaves)
        if not isinstance(value, Tensor) or value.numel() != 1:
            shape = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise BoundcheckError(f"a loss of shape {shape}", expected="a scalar")
        try:
            gradient, bent = _twice_backwards(value.reshape(()), list(leaves.values()))
        except RuntimeError as reason:
            gradient, bent = _forward_over_reverse(named, given, reason)
    with torch.no_grad():
        flat = [torch.cat([part.reshape(-1) for part in parts]).double() for parts in (gradient, bent)]
    return _finite(flat[0], "the gradient of the loss"), _finite(flat[1], "∇g·g")


def _twice_backwards(value: Tensor, leaves: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """∇L and its derivative along itself; zeros for what a value or a gradient does not depend on."""

    def derivative(of: list[Tensor], along: list[Tensor], *, again: bool) -> list[Tensor]:
        if not of:
            return [torch.zeros_like(leaf) for leaf in leaves]
        found = torch.autograd.grad(of, leaves, along, create_graph=again, allow_unused=True)
        return [torch.zeros_like(leaf) if part is None else part for part, leaf in zip(found, leaves, strict=True)]

    factor = torch.ones_like(value, requires_grad=True)  # without, torch takes a gradient marked below for a constant
    gradient = derivative([value] if value.requires_grad else [], [factor], again=True)
    if any(isinstance(node, BackwardCFunction) for node in _nodes([value])) and any(
        type(node).__name__ == "Error" for node in _nodes(gradient)
    ):
        raise RuntimeError("an autograd.Function is marked with @once_differentiable")
    bending = [part for part in gradient if part.requires_grad]
    return gradient, derivative(bending, bending, again=False)


def _nodes(tensors: list[Tensor]) -> Iterator[Any]:
    """Of the graph behind some tensors."""
    pending = [tensor.grad_fn for tensor in tensors]
    seen = set(pending)
    while pending:
        node = pending.pop()
        if node is None:
            continue
        yield node
        for behind, _ in node.next_functions:
            if behind not in seen:
                seen.add(behind)
                pending.append(behind)


def _forward_over_reverse(
    named: dict[str, Tensor], given: Callable[[Mapping[str, Tensor]], Tensor], reason: RuntimeError
) -> tuple[list[Tensor], list[Tensor]]:
    gradient_of = grad(lambda p: given(p).reshape(()))
    try:
        gradient = cast("dict[str, Tensor]", gradient_of(named))
        bent = cast("dict[str, Tensor]", jvp(gradient_of, (named,), (gradient,))[1])
    except (RuntimeError, NotImplementedError) as second:
        raise BoundcheckError(
            f"a loss without a second derivative: twice backwards, {_first_line(reason)}; forwards, {_first_line(second)}",
            expected="operators that torch can differentiate twice",
            remedy="for attention, run under torch.nn.attention.sdpa_kernel(SDPBackend.MATH)",
        ) from reason
    warnings.warn(
        f"∇g·g by forward over reverse mode, which is slower: differentiating twice backwards, {_first_line(reason)}",
        stacklevel=3,
    )
    return [gradient[name] for name in named], [bent[name] for name in named]


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0].rstrip(".")


def _named(loss: Loss, params: Params) -> tuple[dict[str, Tensor], Callable[[Mapping[str, Tensor]], Tensor]]:
    if isinstance(params, Tensor):
        return {"params": params.detach()}, lambda p: loss(p["params"])
    return {name: value.detach() for name, value in params.items()}, lambda p: loss(dict(p))


@dataclass(frozen=True)
class InstabilityCondition:
    """What Definition 5.1 asks of θ*: it holds with (d, λ, γ, ε) for every λ, γ up to and every ε from those below.

    Attributes:
        d: dimension of the sensitive subspace.
        smallest: λ_d.
        coupling: γ = ‖F^{1/2}·P·∇g·g‖, NaN where the subspace is not `separated`.
        overlap: ‖P·g‖, NaN likewise.
        tail: Σ_{j>d} λ_j.
        gap: λ_d - λ_{d+1}.
        gap_error: size of the rounding error in it.
        separated: whether the gap is above that, so that there is such a subspace.
        largest: λ_1.
        rank: of F; None where the d leading eigenvalues and the next one are all that was computed, and none of them is 0.
        gradient: ‖g‖.
        acceleration: ‖∇g·g‖.
        output_acceleration: |q|_*, see `output_acceleration`.

    """

    d: int
    smallest: float
    coupling: float
    overlap: float
    tail: float
    gap: float
    gap_error: float
    separated: bool
    largest: float
    rank: int | None
    gradient: float
    acceleration: float
    output_acceleration: float

    @property
    def epsilon(self) -> float:
        """The least ε of the definition, which bounds both the overlap and the tail."""
        return math.nan if math.isnan(self.overlap) else max(self.overlap, self.tail)


def instability_condition(
    module_or_fn: nn.Module | Function,
    x: Tensor,
    policy: Policy,
    loss: Loss,
    *,
    d: int,
    params: Params | None = None,
    weights: Tensor | None = None,
    chunk: int | None = None,
    form: bool | None = None,
) -> InstabilityCondition:
    """The numbers of the alignment instability condition, of anyone's model.

    Args:
        module_or_fn: as in `fisher_information`, as are `x`, `policy`, `params`, `weights` and `chunk`.
        x: prompts of the skill.
        policy: what the outputs mean.
        loss: the fine-tuning loss, a scalar of the parameters in the form in which `params` gives them (by name for a module).
        d: dimension of the sensitive subspace, from 1 to the rank of F, or n.
        params: θ*.
        weights: of the prompts.
        chunk: prompts a pass.
        form: as in `Fisher.spectrum`; where A is not formed and d is less than N·k and n, `Fisher.leading` finds what is needed.

    Raises:
        BoundcheckError: as in `fisher_information`, `FisherSpectrum.eigenspace` and `curvature_coupling`.

    Source: Alignment Collapse, Definition 5.1.

    """
    here = fisher_information(module_or_fn, x, policy, params=params, weights=weights, chunk=chunk)
    space = _eigenspace(here, d, form=form)
    gradient, bent = curvature_coupling(loss, here.params)
    q = second_derivative(here, gradient, bent)
    return InstabilityCondition(
        d=d,
        smallest=space.smallest,
        coupling=space.weighted_length(bent),
        overlap=space.length(gradient),
        tail=space.tail,
        gap=space.gap,
        gap_error=space.gap_error,
        separated=space.separated,
        largest=space.spectrum._at(1)[0],
        rank=_rank(space),
        gradient=float(torch.linalg.vector_norm(gradient)),
        acceleration=float(torch.linalg.vector_norm(bent)),
        output_acceleration=float(here.output_norm(q)),
    )


def _eigenspace(fisher: Fisher, d: int, *, form: bool | None) -> Eigenspace:
    """From the leading part of the spectrum where that spares work."""
    formed = fisher.rows * fisher.parameters <= FORMED if form is None else form
    if formed or not 1 <= d < min(fisher.rows, fisher.parameters):
        return fisher.spectrum(form=form).eigenspace(d)
    return fisher.leading(d).eigenspace()


def _rank(space: Eigenspace) -> int | None:
    spectrum = space.spectrum
    known = not isinstance(spectrum, LeadingSpectrum) or spectrum.rank < len(spectrum.eigenvalues)
    return spectrum.rank if known else None


def output_acceleration(fisher: Fisher, loss: Loss) -> Tensor:
    """q = J·a + H[g, g] `[N, k]`: how the outputs accelerate at the start of the gradient flow of a loss.

    H is the second derivative of the outputs. Not the parameters' acceleration a = ∇g·g moves the policy but this, and where g
    lies in the kernel of F, Δu(θ(t)) = t⁴/8·|q|_*² + O(t⁵).
    """
    gradient, bent = curvature_coupling(loss, fisher.params)
    return second_derivative(fisher, gradient, bent)


def second_derivative(fisher: Fisher, gradient: Tensor, acceleration: Tensor) -> Tensor:
    """d²/dt² of the outputs along θ* - t·g + t²/2·a, at t = 0: `[N, k]`, by two nested forward derivatives."""
    params = fisher._model.params
    velocity, bend = fisher._split(-gradient), fisher._split(acceleration)
    zero = fisher.outputs.new_zeros(())

    def at(t: Tensor, x: Tensor) -> Tensor:
        moved = {
            name: value + t.to(value.dtype) * (velocity[name] + t.to(value.dtype) / 2 * bend[name])
            for name, value in params.items()
        }
        return fisher._evaluate(moved, x)

    def rate(t: Tensor, x: Tensor) -> Tensor:
        return cast("Tensor", jvp(lambda s: at(s, x), (t,), (torch.ones_like(t),))[1])

    parts = [jvp(lambda t, x=x: rate(t, x), (zero,), (torch.ones_like(zero),))[1] for x in fisher._batches()]
    return _finite(torch.cat(parts).detach().double(), "the acceleration of the outputs")
