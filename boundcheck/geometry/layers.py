"""Inner products of Jacobian rows of `nn.Linear` layers, without forming the rows.

A linear layer that maps activations a_t to W·a_t + b, with gradients g_t of one output with respect to its results, has the
Jacobian row (Σ_t g_t·a_tᵀ, Σ_t g_t); t runs over whatever the layer was applied to for one sample (the tokens of a sequence,
repeated calls). Two rows have the inner product Σ_tt' (g_t·g'_t')·(a_t·a'_t' + 1). That needs the activations and the
gradients of the batch, which one forward pass and k backward passes yield, and not the N·k·n numbers of the rows.

All of this presumes that the samples of a batch do not influence each other, that the first axis is the sample and that the
parameters act through the layers alone. Which modules keep to that cannot be read off a module, so the first batch of each set
is compared with automatic differentiation on one of its samples alone; `NotSeparableError` sends the caller to the generic
route.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Call = Callable[[Mapping[str, Tensor], Tensor], Tensor]
"""(parameters by name, batch) to outputs `[N, k]`."""

TEMPORARY = 2**22
"""Numbers that a temporary tensor may hold (32 MiB in float64)."""


LARGEST = 1e75
"""Inputs and signals up to this norm have products far from overflow; what underflows beside one of this norm is negligible."""


class NotSeparableError(Exception):
    """What was captured is not the per-sample Jacobian of this module."""


@dataclass(frozen=True)
class Captured:
    """What one linear layer saw over a batch, in float64; leading axes, if any, are lanes (one net each).

    Attributes:
        inputs: activations that entered it: `[..., N, T, in]`.
        signals: gradients of each output with respect to what left it: `[..., N, k, T, out]`.
        weight: whether the weight is among the parameters.
        bias: whether the bias is.

    """

    inputs: Tensor
    signals: Tensor
    weight: bool
    bias: bool

    def blocks(self) -> list[Tensor]:
        """The Jacobian rows with respect to the weight and to the bias, as far as each is trained: `[..., N, k, n]`."""
        outer = (
            torch.mul if self.inputs.shape[-2] == 1 else torch.matmul
        )  # a product of thousands of 1-column matrices is slow
        weight = [outer(self.signals.mT, self.inputs.unsqueeze(-3)).flatten(-2)] if self.weight else []
        bias = [self.signals.sum(-2)] if self.bias else []
        return weight + bias

    def rows(self) -> Tensor:
        """The Jacobian rows, weight before bias: `[..., N, k, n]`."""
        return _cat(self.blocks(), -1)

    def sizes(self) -> Tensor:
        """√(Σ_t ‖g_t‖²)·√(Σ_t ‖(a_t, 1)‖²) for each row: `[..., N, k]`.

        At least the norm of the row, and the scale of its rounding errors even where its terms cancel (a key's bias in
        self-attention has the exact gradient 0).

        Raises:
            NotSeparableError: if products of the factors would overflow, though their rows need not.

        """
        squares = _squares(self.inputs.flatten(-2)) * float(self.weight)
        lengths = (squares + self.inputs.shape[-2] * float(self.bias)).sqrt()
        norms = _squares(self.signals.flatten(-2)).sqrt()
        if max(float(lengths.max()), float(norms.max())) > LARGEST:
            raise NotSeparableError
        return norms * lengths.unsqueeze(-1)

    def vanishes(self) -> bool:
        """Whether all rows are 0 exactly, which sizes that underflowed do not say."""
        given = (
            (self.inputs != 0).any(-1)
            if self.weight and not self.bias
            else self.inputs.new_ones(1, 1, dtype=torch.bool)
        )
        return not bool(((self.signals != 0).any(-1) & given[:, None]).any())

    @property
    def source(self) -> tuple[object, ...]:
        """Equal for layers that read the same tensor and train the same of weight and bias."""
        given = self.inputs
        return given.data_ptr(), given.shape, given.stride(), self.weight, self.bias

    def part(self, samples: slice) -> "Captured":
        """The same of some of the samples."""
        inputs, signals = self.inputs[..., samples, :, :], self.signals[..., samples, :, :, :]
        return Captured(inputs, signals, self.weight, self.bias)


def cross_gram(left: Captured, right: Captured) -> Tensor:
    """Inner products of the rows of two batches of one layer: `[..., N, k, N', k']`.

    By activations and signals, or by rows where those take fewer operations (long sequences through a narrow layer).
    """
    samples, outputs, tokens, width = left.signals.shape[-4:]
    others, other_outputs, other_tokens, _ = right.signals.shape[-4:]
    inputs = left.inputs.shape[-1]
    pairs = others * tokens * other_tokens
    if pairs * (inputs + outputs * other_outputs * width) <= outputs * inputs * width * (
        tokens + others * other_outputs
    ):
        product, temporary = _by_tokens, pairs * outputs * other_outputs
    else:
        product, temporary = _by_rows, outputs * width * (inputs + 1)
    step = max(1, TEMPORARY // max(1, temporary))
    return _cat([product(left.part(slice(i, i + step)), right) for i in range(0, samples, step)], -4)


def paired(left: Mapping[str, Captured], right: Mapping[str, Captured]) -> Iterator[tuple[Captured, Captured]]:
    """The layers that both batches passed through; those that read one input (query, key and value) joined into one."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for prefix in sorted(left.keys() & right.keys()):
        groups.setdefault((left[prefix].source, right[prefix].source), []).append(prefix)
    for prefixes in groups.values():
        yield _joined([left[prefix] for prefix in prefixes]), _joined([right[prefix] for prefix in prefixes])


def _joined(layers: Sequence[Captured]) -> Captured:
    """Layers with the same input as one layer."""
    first = layers[0]
    return Captured(first.inputs, _cat([one.signals for one in layers], -1), first.weight, first.bias)


def _cat(parts: Sequence[Tensor], dim: int) -> Tensor:
    """`torch.cat`, without its copy where there is one part."""
    return torch.cat(list(parts), dim) if len(parts) > 1 else parts[0]


def _by_rows(left: Captured, right: Captured) -> Tensor:
    return inner_products(left.rows(), right.rows(), 2, 2)


def _by_tokens(left: Captured, right: Captured) -> Tensor:
    products = inner_products(left.signals, right.signals, 3, 3)
    if left.weight:
        # Repeated for each output before the product, where it costs little; broadcast over short axes after it, it costs much.
        repeated = right.inputs.unsqueeze(-3).expand(*right.signals.shape[:-1], -1)
        inputs = inner_products(left.inputs, repeated, 2, 3).add_(float(left.bias))
        products.mul_(inputs.unsqueeze(-5))
    return products.sum((-4, -1)) if products.shape[-4] * products.shape[-1] > 1 else products[..., 0, :, :, 0]


def inner_products(left: Tensor, right: Tensor, left_axes: int, right_axes: int) -> Tensor:
    """Of all vectors in `[..., *left axes, n]` with all in `[..., *right axes, n]`: `[..., *left axes, *right axes]`.

    So many axes before the last belong to the vectors' index; those before them are lanes.
    """
    flat = left.flatten(-left_axes - 1, -2) @ right.flatten(-right_axes - 1, -2).mT
    return flat.unflatten(-2, left.shape[-left_axes - 1 : -1]).unflatten(-1, right.shape[-right_axes - 1 : -1])


def _squares(vectors: Tensor) -> Tensor:
    """Squared lengths along the last axis, as a product: torch's reductions are several times slower along short axes."""
    return vectors.square() @ vectors.new_ones(vectors.shape[-1])


def linear_layers(module: nn.Module, names: Sequence[str]) -> dict[str, nn.Linear]:
    """Layers whose trained parameters (some of `names`) may be captured, by the prefix of their parameters' names.

    Exactly `nn.Linear`: a subclass or a parametrised layer computes something else, and a parameter shared with another
    module acts in two places.
    """
    owners: dict[int, int] = {}
    for owner in module.modules():
        for parameter in owner.parameters(recurse=False):
            owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    found = {}
    for prefix, layer in module.named_modules():
        own = [parameter for name, parameter in layer.named_parameters(recurse=False)]
        if type(layer) is nn.Linear and all(owners[id(parameter)] == 1 for parameter in own):
            found[f"{prefix}." if prefix else ""] = layer
    return {prefix: layer for prefix, layer in found.items() if own_names(prefix, names)}


def own_names(prefix: str, names: Sequence[str]) -> list[str]:
    """Those of `names` that are the weight or the bias of the layer with this prefix, in that order."""
    return [name for name in (f"{prefix}weight", f"{prefix}bias") if name in names]


def capture(
    call: Call, params: Mapping[str, Tensor], layers: Mapping[str, nn.Linear], x: Tensor, *, check: bool = True
) -> dict[str, Captured]:
    """What each of the layers saw over the batch x; a layer without influence on the outputs is left out.

    Whether the module keeps to what all of this presumes is its structure, so one `check` serves all batches of a set.

    Raises:
        NotSeparableError: if the activations do not split into samples, or if the last sample alone has another Jacobian.

    """
    leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
    with torch.enable_grad():
        outputs, calls = _forward(call, leaves, layers, x)
        if any(result._version for made in calls.values() for _, result in made):
            # An in-place operation behind a layer (a ReLU, say) overwrote what we differentiate with respect to: give it copies.
            outputs, calls = _forward(call, leaves, layers, x, pass_on=torch.clone)
        captured = _backward(outputs, calls, list(leaves)) if outputs.requires_grad else {}
        if check:
            _compare_with_autograd(call(leaves, x[-1:]), leaves, layers, captured)
    return captured


def capture_lanes(
    call: Call, params: Mapping[str, Tensor], layers: Mapping[str, nn.Linear], x: Tensor
) -> dict[str, Captured]:
    """`capture` for many nets of one shape at once: params and x have a leading lane axis, and so has the result.

    Raises:
        NotSeparableError: as `capture` does, and if the first lane alone gives something else.

    """
    first = {name: value[0] for name, value in params.items()}
    alone = capture(call, first, layers, x[0])
    with torch.no_grad():
        outputs, calls = _forward(call, first, layers, x[0])
    zeros = {prefix: [torch.zeros_like(result) for _, result in made] for prefix, made in calls.items()}
    directions = torch.eye(outputs.shape[-1], dtype=outputs.dtype, device=outputs.device)

    def one(given: dict[str, Tensor], batch: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        # Gradients with respect to what leaves a layer are those with respect to a 0 that is added to it.
        def shifted(shifts: dict[str, list[Tensor]]) -> tuple[Tensor, dict[str, list[Tensor]]]:
            outputs, calls = _forward(call, given, layers, batch, shifts)
            return outputs.sum(0), {prefix: [entered for entered, _ in made] for prefix, made in calls.items()}

        _, pull, inputs = torch.func.vjp(shifted, zeros, has_aux=True)  # type: ignore[misc]
        signals = torch.func.vmap(pull)(directions)[0]
        return {prefix: _gathered(inputs[prefix], signals[prefix], batch.shape[0]) for prefix in alone}

    found = torch.func.vmap(one)({name: value.detach() for name, value in params.items()}, x)
    captured = {
        prefix: Captured(inputs.detach().double(), signals.detach().double(), alone[prefix].weight, alone[prefix].bias)
        for prefix, (inputs, signals) in found.items()
    }
    for prefix, one_lane in alone.items():
        _require_equal(captured[prefix].inputs[0], one_lane.inputs, outputs.dtype)
        _require_equal(captured[prefix].signals[0], one_lane.signals, outputs.dtype)
    return captured


def _gathered(inputs: Sequence[Tensor], signals: Sequence[Tensor], samples: int) -> tuple[Tensor, Tensor]:
    """Inputs `[N, T, in]` and signals `[N, k, T, out]` of a layer, from each of its calls (signals with k first)."""
    given = _cat([_by_sample(entered, samples) for entered in inputs], 1)
    found = [_by_sample(signal.flatten(0, 1), signal.shape[0] * samples) for signal in signals]
    return given, _cat([signal.unflatten(0, (-1, samples)).transpose(0, 1) for signal in found], 2)


def _require_equal(found: Tensor, expected: Tensor, dtype: torch.dtype) -> None:
    if found.shape != expected.shape:
        raise NotSeparableError
    error, size = torch.linalg.vector_norm(found - expected), torch.linalg.vector_norm(expected)
    if not error <= torch.finfo(dtype).eps ** 0.5 * size:
        raise NotSeparableError


def _forward(
    call: Call,
    params: Mapping[str, Tensor],
    layers: Mapping[str, nn.Linear],
    x: Tensor,
    shifts: Mapping[str, Sequence[Tensor]] | None = None,
    pass_on: Callable[[Tensor], Tensor] = lambda result: result,
) -> tuple[Tensor, dict[str, list[tuple[Tensor, Tensor]]]]:
    """Outputs, and for each layer the (input, result) of each of its calls, to which the shifts are added on the way."""
    calls: dict[str, list[tuple[Tensor, Tensor]]] = {prefix: [] for prefix in layers}

    def watch(prefix: str) -> Callable[..., Tensor]:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> Tensor:
            calls[prefix].append((args[0] if args else kwargs["input"], result))
            return result + shifts[prefix][len(calls[prefix]) - 1] if shifts is not None else pass_on(result)

        return hook

    handles = [
        layer.register_forward_hook(watch(prefix), prepend=True, with_kwargs=True) for prefix, layer in layers.items()
    ]
    try:
        return call(params, x), calls
    finally:
        for handle in handles:
            handle.remove()


def _backward(
    outputs: Tensor, calls: Mapping[str, list[tuple[Tensor, Tensor]]], names: Sequence[str]
) -> dict[str, Captured]:
    samples = outputs.shape[0]
    # A result computed under no_grad carries no gradient, as in training.
    live = {prefix: [call for call in made if call[1].requires_grad] for prefix, made in calls.items()}
    live = {prefix: made for prefix, made in live.items() if made}
    results = [result for made in live.values() for _, result in made]
    # One backward pass an output for the whole batch: output j of sample i depends on sample i alone.
    signals = [
        torch.autograd.grad(output.sum(), results, retain_graph=True, allow_unused=True, materialize_grads=True)
        for output in outputs.unbind(-1)
    ]
    columns = iter(zip(*signals, strict=True))
    return {prefix: _captured(prefix, made, columns, samples, names) for prefix, made in live.items()}


def _captured(
    prefix: str,
    made: Sequence[tuple[Tensor, Tensor]],
    columns: Iterator[tuple[Tensor, ...]],
    samples: int,
    names: Sequence[str],
) -> Captured:
    inputs = _cat([_by_sample(given, samples) for given, _ in made], 1)
    signals = [_cat([_by_sample(signal, samples)[:, None] for signal in next(columns)], 1) for _ in made]
    own = own_names(prefix, names)
    return Captured(
        inputs.detach().double(), _cat(signals, 2).double(), f"{prefix}weight" in own, f"{prefix}bias" in own
    )


def _by_sample(tensor: Tensor, samples: int) -> Tensor:
    """`[N, T, features]`, for a tensor whose leading axes are the samples and what each sample consists of."""
    if tensor.dim() < 2 or tensor.shape[:-1].numel() % samples:
        raise NotSeparableError
    return tensor.reshape(samples, -1, tensor.shape[-1])


def _compare_with_autograd(
    alone: Tensor, params: Mapping[str, Tensor], layers: Mapping[str, nn.Linear], captured: Mapping[str, Captured]
) -> None:
    """Raise unless the last sample, passed through the module alone, has the captured Jacobian rows.

    The threshold √u tells a wrong structure (an error of order 1) from rounding; no result depends on it otherwise.
    """
    names = {prefix: own_names(prefix, list(params)) for prefix in layers}
    for j, output in enumerate(alone.unbind(-1)):
        rows = _rows_by_autograd(output, params, names)
        for prefix, row in rows.items():
            ours = captured[prefix].part(slice(-1, None)) if prefix in captured else None
            error = torch.linalg.vector_norm(row - (ours.rows()[0, j] if ours else 0.0))
            size = ours.sizes()[0, j] if ours else torch.zeros_like(error)
            if not error <= torch.finfo(alone.dtype).eps ** 0.5 * size:
                raise NotSeparableError


def _rows_by_autograd(
    output: Tensor, params: Mapping[str, Tensor], names: Mapping[str, list[str]]
) -> dict[str, Tensor]:
    wanted = [params[name] for own in names.values() for name in own]
    if output.requires_grad:
        found = iter(
            torch.autograd.grad(output.sum(), wanted, retain_graph=True, allow_unused=True, materialize_grads=True)
        )
    else:
        found = iter([torch.zeros_like(value) for value in wanted])
    return {prefix: torch.cat([next(found).flatten() for _ in own]).double() for prefix, own in names.items()}
