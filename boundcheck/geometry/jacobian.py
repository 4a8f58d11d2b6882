"""Per-sample Jacobians of any torch module, or of any function f(params, x).

Source: Local Edits, Section 2 (J_x).
"""

from collections.abc import Callable, Iterator, Mapping
from functools import reduce

import torch
from torch import Tensor, nn

from boundcheck.geometry.layers import TEMPORARY
from boundcheck.geometry.model import Call, Function, Model, Params, check_samples, model_of, require_finite


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
    model = model_of(module_or_fn, params)
    check_samples(x, "x", chunk)
    return formed_jacobian(model, x, chunk)


def formed_jacobian(model: Model, x: Tensor, chunk: int | None) -> Tensor:
    """`[N, k, n]`, written once: parts of it are formed, copied and forgotten."""
    parts = jacobian_blocks(model, x, chunk or max(1, TEMPORARY // max(1, model.size)))
    made: Tensor | None = None
    start = 0
    for blocks in parts:
        first = next(iter(blocks.values()))
        if made is None:
            widest = reduce(torch.promote_types, (block.dtype for block in blocks.values()))
            made = first.new_empty(len(x), first.shape[1], model.size, dtype=widest)
        rows, column = made[start : start + len(first)], 0
        for block in blocks.values():
            width = block.shape[2:].numel()
            rows[..., column : column + width].view(block.shape).copy_(block)
            column += width
        require_finite(rows, "the Jacobian", start)
        start += len(first)
    assert made is not None, "there is a sample"
    return made


def per_sample(call: Call) -> Callable[[dict[str, Tensor], Tensor], dict[str, Tensor]]:
    """(parameters, batch) to ∂f/∂θ by parameter, `[N, k, *shape]` each."""

    def alone(given: dict[str, Tensor], sample: Tensor) -> Tensor:
        return call(given, sample[None])[0]

    return torch.func.vmap(torch.func.jacrev(alone), in_dims=(None, 0))


def jacobians(model: Model, x: Tensor, chunk: int | None) -> Iterator[Tensor]:
    """Blocks `[chunk, k, n]` of per-sample Jacobians."""
    step = chunk or max(1, TEMPORARY // max(1, model.size))
    start = 0
    for blocks in jacobian_blocks(model, x, step):
        jacobian = torch.cat([block.reshape(*block.shape[:2], -1) for block in blocks.values()], dim=-1)
        require_finite(jacobian, "the Jacobian", start)
        start += len(jacobian)
        yield jacobian


def jacobian_blocks(model: Model, x: Tensor, step: int) -> Iterator[Mapping[str, Tensor]]:
    """The same by parameter, `[step, k, *shape]` each, so many samples a pass (or one, where torch cannot batch the network)."""
    for part in x.split(step):
        try:
            blocks = per_sample(model.call)(dict(model.params), part)
        except RuntimeError:  # the network looks at values (`.item()`, an `if`), or uses what vmap does not know
            blocks = _one_by_one(model, part)
        yield {name: block.detach() for name, block in blocks.items()}


def batches(model: Model, x: Tensor) -> bool:
    """Whether torch can pass several samples through the network at once, each by itself."""
    try:
        per_sample(model.call)(dict(model.params), x[:1])
    except RuntimeError:
        return False
    return True


def _one_by_one(model: Model, x: Tensor) -> dict[str, Tensor]:
    """`[N, k, *shape]` by parameter, one backward pass a row: whatever is wrong with the network shows here as it is."""
    leaves = {name: value.detach().requires_grad_() for name, value in model.params.items()}
    rows: dict[str, list[Tensor]] = {name: [] for name in leaves}
    for sample in x.split(1):
        with torch.enable_grad():
            outputs = model.call(leaves, sample)[0]
        for output in outputs:
            found = _gradients(output, list(leaves.values()))
            for name, part in zip(leaves, found, strict=True):
                rows[name].append(part)
    return {name: torch.stack(parts).unflatten(0, (len(x), -1)) for name, parts in rows.items()}


def _gradients(output: Tensor, leaves: list[Tensor]) -> list[Tensor]:
    if not output.requires_grad:
        return [torch.zeros_like(leaf) for leaf in leaves]
    return list(torch.autograd.grad(output, leaves, retain_graph=True, allow_unused=True, materialize_grads=True))
