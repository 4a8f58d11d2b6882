"""The slow and obvious way, which the geometry is compared with: one automatic derivative a row, then numpy."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor


def jacobian_rows(f: Callable[[Tensor], Tensor], params: Sequence[Tensor], x: Tensor) -> Tensor:
    """`[N·k, n]`: each sample alone, one backward pass a row."""
    rows = []
    for i in range(x.shape[0]):
        outputs = f(x[i : i + 1]).reshape(-1)
        for j, output in enumerate(outputs):
            more = j + 1 < len(outputs)
            found = torch.autograd.grad(output, params, retain_graph=more, allow_unused=True, materialize_grads=True)
            rows.append(torch.cat([part.reshape(-1) for part in found]))
    return torch.stack(rows)


def geometry(train: Tensor, evaluation: Tensor, samples: int) -> tuple[float, float, float]:
    """γ_ov, σ_min and σ_max from stacked Jacobians."""
    basis = np.linalg.qr(train.numpy().T).Q
    sigmas = np.linalg.svd(train.numpy(), compute_uv=False)
    restricted = np.linalg.svd(evaluation.numpy() @ basis, compute_uv=False)
    return restricted[-1] / math.sqrt(samples), sigmas[-1], sigmas[0]


def in_halves(x: Tensor, weight: Tensor) -> Tensor:
    """x·Wᵀ from two halves of W, in which nobody recognises the affine map: rows of its Jacobian must be formed."""
    half = weight.shape[1] // 2
    return x[..., :half] @ weight[:, :half].T + x[..., half:] @ weight[:, half:].T
