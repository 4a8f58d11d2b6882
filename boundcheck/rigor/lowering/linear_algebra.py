"""Heavy steps: each is one instruction, which every kind of number proves in its own way."""

import math
from typing import Any

import torch

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor.lowering.build import Builder, Value, aten, known, lowers
from boundcheck.rigor.lowering.moves import counted, expanded, gathered, positions
from boundcheck.rigor.operators import RANK


def _batch(x: Value) -> int:
    return math.prod(x.shape[:-2])


def singular_values(builder: Builder, x: Value) -> Value:
    """All min(rows, columns) singular values of each matrix, decreasing."""
    rows, columns = x.shape[-2:]
    shape = (*x.shape[:-2], min(rows, columns))
    return builder.emit(
        "singular_values", counted(builder, x), shape=shape, batch=_batch(x), rows=rows, columns=columns
    )


lowers(aten.linalg_svdvals.default)(singular_values)


@lowers(aten._linalg_svd.default)
def svd(builder: Builder, x: Value, full_matrices: bool = False, compute_uv: bool = True, driver: Any = None) -> Any:
    """Singular values only: nothing is proved of singular vectors."""
    return [None, singular_values(builder, x), None]


@lowers(aten._linalg_eigh.default)
def eigh(builder: Builder, x: Value, uplo: str = "L", compute_v: bool = True) -> Any:
    """Eigenvalues of a symmetric matrix, ascending; nothing is proved of eigenvectors."""
    size = x.shape[-1]
    lower = x if uplo == "L" else gathered(builder, [x], positions(x).mT)
    values = builder.emit("eigenvalues", counted(builder, lower), shape=x.shape[:-1], batch=_batch(x), size=size)
    return [values, None]


@lowers(aten.linalg_qr.default)
def qr(builder: Builder, x: Value, mode: str = "reduced") -> Any:
    """An orthonormal basis of the column space and its triangular factor."""
    rows, columns = x.shape[-2:]
    if mode != "reduced" or columns > rows:
        raise UnknownOperatorError(f"aten.linalg_qr with mode={mode!r} of a {rows} x {columns} matrix")
    batch = _batch(x)
    size = batch * (rows + columns) * columns
    both = builder.emit(
        "orthonormal_basis", counted(builder, x), shape=(size,), batch=batch, rows=rows, columns=columns
    )
    split = batch * rows * columns
    q = torch.arange(1, split + 1).reshape(x.shape)
    r = torch.arange(split + 1, size + 1).reshape(*x.shape[:-2], columns, columns)
    return [gathered(builder, [both], q), gathered(builder, [both], r)]


@lowers(aten._linalg_solve_ex.default)
def solve(builder: Builder, a: Value, b: Value, left: bool = True, check_errors: bool = False) -> Any:
    """A⁻¹·B."""
    if not left:
        raise UnknownOperatorError("aten._linalg_solve_ex with left=False")
    size = a.shape[-1]
    vector = len(b.shape) == len(a.shape) - 1 and b.shape == a.shape[:-1]
    shape = (*b.shape, 1) if vector else b.shape
    batch = torch.broadcast_shapes(a.shape[:-2], shape[:-2])
    matrix = expanded(builder, counted(builder, a), (*batch, size, size))
    columned = gathered(builder, [counted(builder, b)], positions(b).reshape(shape))
    right = expanded(builder, columned, (*batch, size, shape[-1]))
    full = (*batch, size) if vector else (*batch, size, shape[-1])
    x = builder.emit("solve", matrix, right, shape=full, batch=math.prod(batch), size=size, columns=shape[-1])
    return [x, None, None, known(torch.zeros(batch, dtype=torch.int32))]


@lowers(aten.linalg_inv_ex.default)
def inverse(builder: Builder, a: Value, check_errors: bool = False) -> Any:
    """A⁻¹."""
    identity = known(torch.eye(a.shape[-1], dtype=torch.float64).expand(a.shape))
    x, _, _, info = solve(builder, a, identity)
    return [x, info]


@lowers(aten._linalg_det.default)
def determinant(builder: Builder, a: Value) -> Any:
    """det A."""
    size = a.shape[-1]
    value = builder.emit("determinant", counted(builder, a), shape=a.shape[:-2], batch=_batch(a), size=size)
    return [value, None, None]


@lowers(aten.linalg_matrix_exp.default)
def matrix_exponential(builder: Builder, a: Value) -> Value:
    """exp(A)."""
    return builder.emit("matrix_exponential", counted(builder, a), shape=a.shape, batch=_batch(a), size=a.shape[-1])


@lowers(RANK)
def rank(builder: Builder, x: Value) -> Value:
    """The rank of each matrix."""
    rows, columns = x.shape[-2:]
    return builder.emit("rank", counted(builder, x), shape=x.shape[:-2], batch=_batch(x), rows=rows, columns=columns)


@lowers(aten._linalg_check_errors.default)
def check_errors(builder: Builder, info: Value, name: str, is_matrix: bool = True) -> None:
    """LAPACK's own error codes: the proofs do not need them."""
