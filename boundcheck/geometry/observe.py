"""What each affine map of a network saw over a batch: activations from a forward pass, signals from a backward pass an output.

All of it presumes that the samples of a batch do not influence each other, that the first axis is the sample and that a parameter
acts through its map alone. Whether a parameter also acts elsewhere (in a norm, as a slice, as an embedding) is read off the graph
that automatic differentiation recorded, since at some samples it may not show. What else is wrong with a network is found by
comparing the first batch of each set with automatic differentiation of its first and its last sample, each passed through alone.
Rows of parameters that fail are formed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from boundcheck.geometry.layers import NETWORK_ROUNDINGS, Captured, NotSeparableError, concatenated
from boundcheck.geometry.model import Call
from boundcheck.geometry.watch import Applied, Key, Watch

_TRANSPOSING = ("TBackward0", "TransposeBackward0", "PermuteBackward0")
"""Operations that a parameter passes through on its way into an affine map."""


@dataclass(frozen=True)
class Observed:
    """What a pass over a batch showed.

    Attributes:
        captured: activations and signals of each affine map that reaches the outputs.
        formed: names of the parameters whose Jacobian rows that does not give.

    """

    captured: dict[Key, Captured]
    formed: frozenset[str]


def observe(call: Call, params: Mapping[str, Tensor], x: Tensor, formed: frozenset[str] | None = None) -> Observed:
    """The affine maps of a network on the batch x, and which parameters must be treated otherwise.

    Args:
        call: the network.
        params: what is differentiated, by name.
        x: samples `[N, ...]`.
        formed: the answer of an earlier batch of the same set, where there is one. Otherwise the first and the last sample are
            passed through alone, and the maps are believed if automatic differentiation agrees there. That is the network's
            structure, so one look serves all batches of a set.

    """
    leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
    with torch.enable_grad():
        outputs, applied = _forward(call, leaves, x)
        if any(made.left._version for calls in applied.values() for made in calls):
            # An in-place operation behind a layer (a ReLU, say) overwrote what we differentiate with respect to: give it copies.
            outputs, applied = _forward(call, leaves, x, pass_on=torch.clone)
        uses, reached = _uses(outputs, leaves)
        captured = _backward(outputs, _alone(_apart(applied), uses, reached)) if outputs.requires_grad else {}
        if formed is None:
            formed = _formed(call, leaves, x, captured, applied, uses)
    return Observed({key: seen for key, seen in captured.items() if formed.isdisjoint(key)}, formed)


def _forward(
    call: Call,
    leaves: Mapping[str, Tensor],
    x: Tensor,
    shifts: Mapping[Key, Sequence[Tensor]] | None = None,
    pass_on: Callable[[Tensor], Tensor] = lambda result: result,
) -> tuple[Tensor, dict[Key, list[Applied]]]:
    """Outputs, and all affine maps, to whose results the shifts are added on the way."""
    with Watch(leaves, shifts, pass_on) as watch:
        outputs = call(leaves, x)
    return outputs, watch.applied


def _apart(applied: Mapping[Key, list[Applied]]) -> dict[Key, list[Applied]]:
    """Those that share no parameter with another: a product of rows would miss how the two act together."""
    names = [name for key in applied for name in key if name]
    return {
        key: calls
        for key, calls in applied.items()
        if all(names.count(name) == 1 for name in key if name) and len({made.transposed for made in calls}) == 1
    }


def _alone(
    applied: Mapping[Key, list[Applied]], uses: Mapping[str, int], reached: set[Any]
) -> dict[Key, list[Applied]]:
    """Those whose parameters reach the outputs through them alone, by the graph, whatever the samples are."""
    return {
        key: calls
        for key, calls in applied.items()
        if all(uses[name] <= sum(made.born in reached for made in calls) for name in key if name)
    }


def _uses(outputs: Tensor, leaves: Mapping[str, Tensor]) -> tuple[dict[str, int], set[Any]]:
    """How many operations on the way to the outputs take each leaf or a transpose of it; and all operations on the way."""
    names = {id(leaf): name for name, leaf in leaves.items()}
    pending = [outputs.grad_fn] if outputs.grad_fn is not None else []
    uses, reached = {name: int(leaf is outputs) for name, leaf in leaves.items()}, set(pending)

    def leaf_of(node: Any) -> str:
        while node.name() in _TRANSPOSING and node.next_functions[0][0] is not None:
            node = node.next_functions[0][0]
        return names.get(id(getattr(node, "variable", None)), "")

    if pending and (name := leaf_of(outputs.grad_fn)):
        uses[name] += 1
    while pending:
        node = pending.pop()
        within = leaf_of(node)
        for child, _ in getattr(node, "next_functions", ()):
            if child is None:
                continue
            if not within and (name := leaf_of(child)):
                uses[name] += 1
            if child not in reached:
                reached.add(child)
                pending.append(child)
    return uses, reached


def _backward(outputs: Tensor, applied: Mapping[Key, list[Applied]]) -> dict[Key, Captured]:
    samples = outputs.shape[0]
    # A result computed under no_grad carries no gradient, as in training; one inside of somebody's vmap is no tensor of ours.
    live = {
        key: calls
        for key, calls in applied.items()
        if all(made.left.requires_grad and _plain(made.left) for made in calls)
    }
    results = [made.left for calls in live.values() for made in calls]
    if not results:
        return {}
    # One backward pass an output for the whole batch: output j of sample i depends on sample i alone.
    signals = [
        torch.autograd.grad(output.sum(), results, retain_graph=True, allow_unused=True, materialize_grads=True)
        for output in outputs.unbind(-1)
    ]
    columns = iter(zip(*signals, strict=True))
    found = {key: _captured(key, calls, [next(columns) for _ in calls], samples) for key, calls in live.items()}
    return {key: seen for key, seen in found.items() if seen is not None}


def _plain(tensor: Tensor) -> bool:
    return not torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def _captured(
    key: Key, calls: Sequence[Applied], signals: Sequence[tuple[Tensor, ...]], samples: int
) -> Captured | None:
    """None where activations do not split into samples."""
    try:
        inputs = [_by_sample(made.entered(), samples) for made in calls]
        found = [
            concatenated([_features_last(signal, made, samples)[:, None] for signal in column], 1)
            for made, column in zip(calls, signals, strict=True)
        ]
    except NotSeparableError:
        return None
    return Captured(
        concatenated(inputs, 1).detach().double(),
        concatenated(found, 2).double(),
        weight=bool(key[0]),
        bias=bool(key[1]),
        transposed=calls[0].transposed,
    )


def _features_last(signal: Tensor, made: Applied, samples: int) -> Tensor:
    return _by_sample(made.arranged(signal), samples)


def _by_sample(tensor: Tensor, samples: int) -> Tensor:
    """`[N, T, features]`, for a tensor whose leading axes are the samples and what each sample consists of."""
    if tensor.dim() < 2 or tensor.shape[:-1].numel() % samples:
        raise NotSeparableError
    return tensor.reshape(samples, -1, tensor.shape[-1])


def _formed(
    call: Call,
    leaves: Mapping[str, Tensor],
    x: Tensor,
    captured: Mapping[Key, Captured],
    applied: Mapping[Key, Sequence[Applied]],
    uses: Mapping[str, int],
) -> frozenset[str]:
    """Names of the parameters that matter and whose rows the maps do not give, by the first and the last sample alone."""
    ends = sorted({0, len(x) - 1})
    passed = [_forward(call, leaves, x[end : end + 1]) for end in ends]
    alone = torch.cat([outputs for outputs, _ in passed])
    reaching = {name for name, times in uses.items() if times}
    more = {name for name, times in _uses(alone, leaves)[0].items() if times} - reaching
    grown = all(_by_samples(applied[key], own.get(key, ()), len(x)) for _, own in passed for key in captured)
    # Where samples decide together which parameters act, no map is believed.
    if more or not grown or not _agree(alone, leaves, {key: seen.at(ends) for key, seen in captured.items()}):
        return frozenset(reaching | more)
    return frozenset(reaching).difference(*captured)


def _agree(alone: Tensor, leaves: Mapping[str, Tensor], maps: Mapping[Key, Captured]) -> bool:
    """Whether automatic differentiation finds the captured rows too, of samples each passed through alone.

    Their rows are compared in one sum, each with a weight of its own, so that one backward pass serves all: where a row is
    wrong, so is the sum. The weights bring all rows to about one length, or a wrong row would pass for rounding of a longer one.
    One map that disagrees discredits all: samples may influence each other, and the others agree by chance. The threshold √u
    tells a wrong structure (an error of the size of the map's part) from rounding, as far as that part is no rounding error of
    the whole row itself (of which 64 may be more than √u in half precision); no result depends on it otherwise.
    """
    if not maps:
        return True
    eps = torch.finfo(alone.dtype).eps
    sizes = {key: seen.sizes() for key, seen in maps.items()}
    lengths = torch.stack(list(sizes.values())).sum(0)
    weights = (_unlike(alone) * _levelled(lengths, eps)).to(alone)
    rows = _gradients((weights * alone).sum(), leaves)
    weights = weights.double()
    noise = min(
        NETWORK_ROUNDINGS * eps * float((weights * lengths).sum()),
        eps**0.5 * float(torch.linalg.vector_norm(weights * lengths)),
    )
    for key, seen in maps.items():
        found = [rows[name].double().flatten() for name in key if name]
        pairs = zip(seen.combined(weights), found, strict=True)
        error = max(float(torch.linalg.vector_norm(ours.sub_(theirs))) for ours, theirs in pairs)
        if not error <= max(eps**0.5 * float(torch.linalg.vector_norm(weights * sizes[key])), noise):
            return False
    return True


def _by_samples(batch: Sequence[Applied], alone: Sequence[Applied], samples: int) -> bool:
    """Whether what left a map lies sample by sample: its first axis that is not 1 is so many times as long as for one sample.

    What does not depend on the samples (a table of embeddings that is multiplied before rows are taken of it) does not grow,
    and where the rows that are taken first and last are taken once it would pass for affine in them.
    """

    def grows(mine: torch.Size, theirs: torch.Size) -> bool:
        axis = next((axis for axis, length in enumerate(mine) if length != 1), 0)
        return axis < len(theirs) and mine[axis] == samples * theirs[axis]

    return len(batch) == len(alone) and all(
        grows(made.left.shape, one.left.shape) for made, one in zip(batch, alone, strict=True)
    )


def _levelled(lengths: Tensor, eps: float) -> Tensor:
    """Factors of 1 or more that make rows as long as the longest; what is shorter by 1/eps or more is rounding beside it."""
    longest = lengths.max()
    return torch.where(longest > 0, longest / lengths.clamp(min=eps * longest), 1.0)


def _unlike(like: Tensor) -> Tensor:
    """Numbers from 1 to 2 of which no two are alike: multiples of the golden ratio, without their whole parts."""
    numbers = [1 + (place * 0.6180339887498949) % 1 for place in range(1, like.numel() + 1)]
    return torch.tensor(numbers, dtype=torch.float64, device=like.device).reshape(like.shape)


def _gradients(output: Tensor, leaves: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if not output.requires_grad:
        return {name: torch.zeros_like(leaf) for name, leaf in leaves.items()}
    found = torch.autograd.grad(
        output.sum(), list(leaves.values()), retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return dict(zip(leaves, found, strict=True))


def observe_lanes(call: Call, params: Mapping[str, Tensor], x: Tensor) -> dict[Key, Captured]:
    """`observe` for many nets of one shape at once: params and x have a leading lane axis, and so has the result.

    Raises:
        NotSeparableError: if some rows must be formed, or if the first lane alone gives something else.

    """
    first = {name: value[0] for name, value in params.items()}
    alone = observe(call, first, x[0])
    if alone.formed:
        raise NotSeparableError
    with torch.no_grad():
        outputs, applied = _forward(call, first, x[0])
    zeros = {key: [torch.zeros_like(made.left) for made in calls] for key, calls in applied.items()}
    directions = torch.eye(outputs.shape[-1], dtype=outputs.dtype, device=outputs.device)

    def one(given: dict[str, Tensor], batch: Tensor) -> dict[Key, tuple[Tensor, Tensor]]:
        # Gradients with respect to what leaves a layer are those with respect to a 0 that is added to it.
        def shifted(shifts: dict[Key, list[Tensor]]) -> tuple[Tensor, dict[Key, Tensor]]:
            outputs, applied = _forward(call, given, batch, shifts)
            samples = batch.shape[0]
            return outputs.sum(0), {
                key: concatenated([_by_sample(made.entered(), samples) for made in applied[key]], 1)
                for key in alone.captured
            }

        _, pull, inputs = torch.func.vjp(shifted, zeros, has_aux=True)  # type: ignore[misc]
        signals = torch.func.vmap(pull)(directions)[0]
        return {key: (inputs[key], _gathered(signals[key], applied[key], batch.shape[0])) for key in alone.captured}

    found = torch.func.vmap(one)({name: value.detach() for name, value in params.items()}, x)
    captured = {
        key: Captured(inputs.detach().double(), signals.detach().double(), bool(key[0]), bool(key[1]))
        for key, (inputs, signals) in found.items()
    }
    for key, one_lane in alone.captured.items():
        _require_equal(captured[key].inputs[0], one_lane.inputs, outputs.dtype)
        _require_equal(captured[key].signals[0], one_lane.signals, outputs.dtype)
    return captured


def _gathered(signals: Sequence[Tensor], calls: Sequence[Applied], samples: int) -> Tensor:
    """Signals `[N, k, T, out]` of a map, from those of each of its calls (k first)."""
    found = [
        _features_last(signal.flatten(0, 1), made, signal.shape[0] * samples).unflatten(0, (-1, samples))
        for signal, made in zip(signals, calls, strict=True)
    ]
    return concatenated([signal.transpose(0, 1) for signal in found], 2)


def _require_equal(found: Tensor, expected: Tensor, dtype: torch.dtype) -> None:
    if found.shape != expected.shape:
        raise NotSeparableError
    error, size = torch.linalg.vector_norm(found - expected), torch.linalg.vector_norm(expected)
    if not error <= torch.finfo(dtype).eps ** 0.5 * size:
        raise NotSeparableError
