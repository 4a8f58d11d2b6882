"""Operators that ATen has not got, so that a trace shows each as one node."""

from typing import Any

import torch
from torch import Tensor


def numerical_rank(matrix: Tensor) -> Tensor:
    """How many singular values stand out from rounding, as float64; 0 where the matrix is not finite."""
    finite = matrix.isfinite().all(-1).all(-1)[..., None, None]
    return torch.linalg.matrix_rank(torch.where(finite, matrix, 0.0)).to(torch.float64)


@torch.library.custom_op("boundcheck::rank", mutates_args=())
def _rank(matrix: Tensor) -> Tensor:
    return numerical_rank(matrix)


@_rank.register_fake
def _(matrix: Tensor) -> Tensor:
    return matrix.new_empty(matrix.shape[:-2], dtype=torch.float64)


@_rank.register_vmap
def _(info: Any, in_dims: tuple[int | None, ...], matrix: Tensor) -> tuple[Tensor, int]:
    assert in_dims[0] is not None
    return _rank(matrix.movedim(in_dims[0], 0) if in_dims[0] else matrix), 0


RANK = torch.ops.boundcheck.rank.default
"""The rank of each of a batch of matrices, as float64. `boundcheck.geometry.rank` is how to call it."""
