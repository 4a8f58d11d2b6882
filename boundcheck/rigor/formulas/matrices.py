"""Products, determinants and systems of matrices; entries written at positions."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from boundcheck.rigor.registry import aten, decomposes


@decomposes(aten.trace.default)
def trace(a: Tensor) -> Tensor:
    """The sum of the diagonal."""
    return a.diagonal().sum()


@decomposes(aten.vdot.default)
def vdot(x: Tensor, y: Tensor) -> Any:
    """⟨x, y⟩ of real vectors."""
    return NotImplemented if x.is_complex() else torch.dot(x, y)


def _plus(x: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    return (x if beta == 1 else beta * x) + (product if alpha == 1 else alpha * product)


@decomposes(aten.addmv.default)
def addmv(x: Tensor, a: Tensor, v: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta·x + alpha·A·v."""
    return _plus(x, torch.mv(a, v), beta, alpha)


@decomposes(aten.addr.default)
def addr(x: Tensor, u: Tensor, v: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta·x + alpha·u·vᵀ."""
    return _plus(x, u.unsqueeze(-1) * v, beta, alpha)


@decomposes(aten.addbmm.default)
def addbmm(x: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta·x + alpha·Σ A·B."""
    return _plus(x, torch.bmm(a, b).sum(0), beta, alpha)


@decomposes(aten.linalg_cross.default)
def cross(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """x × y."""
    x, y = torch.broadcast_tensors(x, y)
    return x.roll(-1, dim) * y.roll(-2, dim) - x.roll(-2, dim) * y.roll(-1, dim)


@decomposes(aten.linalg_inv_ex.default)
def inverse(a: Tensor, *, check_errors: bool = False) -> tuple[Tensor, Tensor]:
    """A⁻¹, as the solution of A·X = I."""
    identity = torch.eye(a.shape[-1], dtype=a.dtype, device=a.device).expand_as(a)
    solution, info = torch.linalg.solve_ex(a, identity)
    return solution, info


@decomposes(aten._linalg_slogdet.default)
def slogdet(a: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The sign of det A and log |det A|, and the factors that its derivatives need."""
    determinant, lu, pivots = aten._linalg_det.default(a)
    return torch.sign(determinant), determinant.abs().log(), lu, pivots


@decomposes(aten.linalg_pinv.atol_rtol_tensor)
def pseudoinverse(
    a: Tensor, *, atol: Tensor | None = None, rtol: Tensor | None = None, hermitian: bool = False
) -> Tensor:
    """(AᵀA)⁻¹Aᵀ or Aᵀ(AAᵀ)⁻¹; nothing is known where a singular value may be cut off, by the tolerances or as a 0."""
    rows, columns = a.shape[-2:]
    values = torch.linalg.svdvals(a)
    cut = torch.zeros_like(values[..., 0]) if atol is None else atol
    cut = cut if rtol is None else torch.maximum(cut, rtol * values[..., 0])
    tall = rows >= columns
    result = torch.linalg.solve_ex(a.mT @ a, a.mT).result if tall else torch.linalg.solve_ex(a @ a.mT, a).result.mT
    return result / torch.where(values[..., -1] > cut, torch.ones_like(cut), 0.0)[..., None, None]


def _triangle(a: Tensor, upper: bool, unitriangular: bool) -> Tensor:
    part = a.triu() if upper else a.tril()
    if not unitriangular:
        return part
    return part - torch.diag_embed(part.diagonal(dim1=-2, dim2=-1) - 1)


@decomposes(aten.linalg_solve_triangular.default)
def solve_triangular(a: Tensor, b: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """The solution of T·X = B (or X·T = B), T a triangle of A."""
    triangle = _triangle(a, upper, unitriangular)
    if left:
        return torch.linalg.solve_ex(triangle, b).result
    return torch.linalg.solve_ex(triangle.mT, b.mT).result.mT


@decomposes(aten.cholesky_solve.default)
def cholesky_solve(b: Tensor, factor: Tensor, upper: bool = False) -> Tensor:
    """(L·Lᵀ)⁻¹·B."""
    return torch.linalg.solve_ex(_squared(factor, upper), b).result


@decomposes(aten.cholesky_inverse.default)
def cholesky_inverse(factor: Tensor, upper: bool = False) -> Tensor:
    """(L·Lᵀ)⁻¹."""
    return inverse(_squared(factor, upper))[0]


def _squared(factor: Tensor, upper: bool) -> Tensor:
    lower = factor.triu().mT if upper else factor.tril()
    return lower @ lower.mT


@decomposes(aten._trilinear.default)
def trilinear(
    x: Tensor,
    y: Tensor,
    z: Tensor,
    expand_x: Sequence[int],
    expand_y: Sequence[int],
    expand_z: Sequence[int],
    over: Sequence[int],
    unroll_dim: int = 1,
) -> Tensor:
    """The sum of x·y·z over axes, after each got axes of size 1."""
    for axis in expand_x:
        x = x.unsqueeze(axis)
    for axis in expand_y:
        y = y.unsqueeze(axis)
    for axis in expand_z:
        z = z.unsqueeze(axis)
    return (x * y * z).sum(list(over))


@decomposes(aten._cdist_forward.default)
def distances(x: Tensor, y: Tensor, p: float, compute_mode: int | None) -> Tensor:
    """The p-norms of all differences of rows."""
    return torch.linalg.vector_norm(x.unsqueeze(-2) - y.unsqueeze(-3), p, dim=-1)


# -------------------------------------------------------------------------------------------------- entries at positions


@decomposes(aten._efficientzerotensor.default, aten.empty.memory_format)
def zeros(size: Sequence[int], *, memory_format: Any = None, **options: Any) -> Tensor:
    """Zeros, with memory of their own; they will also do for memory that nobody has written to yet."""
    return torch.zeros(size, **options)


@decomposes(aten.empty_like.default)
def zeros_like(x: Tensor, **options: Any) -> Tensor:
    """Memory that nobody has written to yet: zeros will do."""
    return torch.zeros_like(x, **options)


@decomposes(aten.fill.Tensor)
def filled(x: Tensor, value: Tensor) -> Tensor:
    """One number everywhere."""
    return value.to(x.dtype).expand_as(x).clone()


@decomposes(aten.embedding.default)
def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Tensor:
    """Rows of a table."""
    return weight[indices]


@decomposes(aten.embedding_dense_backward.default)
def embedding_backward(gradient: Tensor, indices: Tensor, rows: int, padding_idx: int, scale_grad_by_freq: bool) -> Any:
    """The gradients added up for each row."""
    if scale_grad_by_freq:
        return NotImplemented
    kept = torch.where((indices == padding_idx).unsqueeze(-1), 0.0, gradient)
    empty = gradient.new_zeros(rows, gradient.shape[-1])
    return empty.index_put([indices], kept, accumulate=True)


@decomposes(aten.index_add.default)
def index_add(x: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """`alpha`·source added to slices of x."""
    added = source if alpha == 1 else alpha * source
    return x.index_put(_at(x, dim, index), added, accumulate=True)


@decomposes(aten.index_copy.default)
def index_copy(x: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """Slices of x replaced."""
    return x.index_put(_at(x, dim, index), source)


@decomposes(aten.index_fill.int_Scalar, aten.index_fill.int_Tensor)
def index_fill(x: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """Slices of x filled with a number."""
    number = value if isinstance(value, Tensor) else torch.full((), value, dtype=x.dtype, device=x.device)
    return x.index_put(_at(x, dim, index), number)


def _at(x: Tensor, dim: int, index: Tensor) -> tuple[Tensor, ...]:
    whole = [torch.arange(size, device=x.device) for size in x.shape]
    whole[dim] = index
    shape = [[-1 if axis == other else 1 for other in range(x.dim())] for axis in range(x.dim())]
    return tuple(part.reshape(*sizes) for part, sizes in zip(whole, shape, strict=True))


@decomposes(aten.take.default)
def take(x: Tensor, index: Tensor) -> Tensor:
    """Entries by their place in x laid out in a row."""
    return x.reshape(-1)[index]


@decomposes(aten.put.default)
def put(x: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """Entries written by their place in x laid out in a row."""
    flat = x.reshape(-1).index_put([index.reshape(-1)], source.reshape(-1), accumulate)
    return flat.reshape(x.shape)


@decomposes(aten.unfold_backward.default)
def unfold_backward(gradient: Tensor, sizes: Sequence[int], dim: int, size: int, step: int) -> Tensor:
    """Each window's gradients added where the window was."""
    result = gradient.new_zeros(sizes)
    reach = (gradient.shape[dim] - 1) * step + 1
    for k in range(size):
        part = gradient.select(-1, k)
        result = result + torch.slice_scatter(torch.zeros_like(result), part, dim, k, k + reach, step)
    return result


@decomposes(aten.scatter_reduce.two)
def scatter_reduce(
    x: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Any:
    """Sums by position; other reductions have no formula."""
    if reduce != "sum" or not include_self:
        return NotImplemented
    return x.scatter_add(dim, index, source)


@decomposes(aten.block_diag.default)
def block_diag(blocks: Sequence[Tensor]) -> Tensor:
    """The matrices along a diagonal of zeros."""
    matrices = [torch.atleast_2d(block) for block in blocks]
    columns, before, rows = sum(m.shape[1] for m in matrices), 0, []
    for m in matrices:
        rows.append(torch.nn.functional.pad(m, (before, columns - before - m.shape[1])))
        before += m.shape[1]
    return torch.cat(rows)


@decomposes(aten.diagonal_backward.default)
def diagonal_backward(gradient: Tensor, sizes: Sequence[int], offset: int, dim1: int, dim2: int) -> Tensor:
    """The diagonal of a tensor of zeros."""
    return torch.diagonal_scatter(gradient.new_zeros(sizes), gradient, offset, dim1, dim2)
