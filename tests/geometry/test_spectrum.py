"""Spectral functions: values, derivatives in every mode, and the enclosures of both, against mpmath at 60 digits."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

from boundcheck.geometry import (
    eigenvalues,
    largest_eigenvalue,
    largest_singular_value,
    matrix_exponential,
    project_onto_rows,
    rank,
    smallest_eigenvalue,
    smallest_singular_value,
    solve,
)
from boundcheck.rigor import Enclosure
from tests.rigor.oracle import written_out

SEED = 20250117
DIGITS = 60
VECTOR = [0.5, -1.25, 0.75, 2.0]


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    with mpmath.workdps(DIGITS):
        yield


def vector(n: int) -> Tensor:
    return torch.tensor(VECTOR[:n], dtype=torch.float64)


def symmetric_part(a: Any) -> Any:
    return (a + a.T) / 2


def projected(a: Any) -> Any:
    v = mpmath.matrix(VECTOR[: a.cols])
    return a.T * mpmath.lu_solve(a * a.T, a * v)


def total(a: Any) -> Any:
    return sum((k + 1) * entry for k, entry in enumerate(a))


def exponential(a: Any) -> Any:
    small, result = a / 2**20, mpmath.eye(a.rows)
    for k in range(24, 0, -1):
        result = mpmath.eye(a.rows) + small * result / k
    for _ in range(20):
        result = result * result
    return result


def weighted(values: Tensor) -> Tensor:
    return (values.flatten() * torch.arange(1, values.numel() + 1)).sum()


@dataclass(frozen=True)
class Scalar:
    """A number made of a matrix, in torch and in mpmath, and the shape it is tested at."""

    torch: Callable[[Tensor], Tensor]
    exact: Callable[[Any], Any]
    shape: tuple[int, int]


FUNCTIONS = {
    "smallest singular value": Scalar(
        smallest_singular_value, lambda a: min(mpmath.svd_r(a, compute_uv=False)), (3, 4)
    ),
    "largest singular value": Scalar(largest_singular_value, lambda a: max(mpmath.svd_r(a, compute_uv=False)), (4, 3)),
    "smallest eigenvalue": Scalar(
        smallest_eigenvalue, lambda a: min(mpmath.eigsy(symmetric_part(a), eigvals_only=True)), (4, 4)
    ),
    "largest eigenvalue": Scalar(
        largest_eigenvalue, lambda a: max(mpmath.eigsy(symmetric_part(a), eigvals_only=True)), (3, 3)
    ),
    "projection": Scalar(
        lambda a: weighted(project_onto_rows(a, vector(a.shape[-1]))), lambda a: total(projected(a)), (2, 4)
    ),
    "solution": Scalar(
        lambda a: weighted(solve(a, vector(a.shape[-1]))),
        lambda a: total(mpmath.lu_solve(a, mpmath.matrix(VECTOR[: a.cols]))),
        (3, 3),
    ),
    "exponential": Scalar(lambda a: weighted(matrix_exponential(a)), lambda a: total(exponential(a)), (3, 3)),
}


def matrices(shape: tuple[int, int], count: int = 4) -> Tensor:
    return torch.from_numpy(np.random.default_rng(SEED).standard_normal((count, *shape)))


def exactly(a: Tensor) -> Any:
    return mpmath.matrix([[mpmath.mpf(v) for v in row] for row in a.tolist()])


def exact_gradient(function: Callable[[Any], Any], a: Any) -> list[Any]:
    """Central differences with a step of 1e-18: 1e-36 off."""
    step, result = mpmath.mpf(10) ** -18, []
    for i in range(a.rows):
        for j in range(a.cols):
            up, down = a.copy(), a.copy()
            up[i, j] += step
            down[i, j] -= step
            result.append((function(up) - function(down)) / (2 * step))
    return result


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_are_right_and_enclosed(name: str) -> None:
    case = FUNCTIONS[name]
    batch = matrices(case.shape)
    (values,) = written_out(vmap(case.torch), batch).enclose(Enclosure.exactly(batch))
    for lane, a in enumerate(batch):
        exact = case.exact(exactly(a))
        assert float(case.torch(a)) == pytest.approx(float(exact), rel=1e-11)
        assert abs(exact - mpmath.mpf(float(values.mid[lane]))) <= mpmath.mpf(float(values.rad[lane]))
        assert float(values.rad[lane]) <= 1e-11 * max(1.0, abs(float(exact)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_agree_in_every_mode_and_with_differences(name: str) -> None:
    case = FUNCTIONS[name]
    batch, directions = matrices(case.shape), matrices(case.shape, 8)[4:]
    slopes = vmap(grad(case.torch))(batch)
    along = vmap(lambda a, d: jvp(case.torch, (a,), (d,))[1])(batch, directions)
    for a, d, together, vmapped in zip(batch, directions, slopes, along, strict=True):
        slope_there = [float(v) for v in exact_gradient(case.exact, exactly(a))]
        exact = torch.tensor(slope_there, dtype=torch.float64).reshape(case.shape)
        for slope in (grad(case.torch)(a), jacrev(case.torch)(a), jacfwd(case.torch)(a), together):
            assert torch.allclose(slope, exact, rtol=1e-9, atol=1e-9 * float(exact.abs().max()))
        leaf = a.clone().requires_grad_()
        (backward,) = torch.autograd.grad(case.torch(leaf), leaf)
        assert torch.allclose(backward, exact, rtol=1e-9, atol=1e-9 * float(exact.abs().max()))
        forward = jvp(case.torch, (a,), (d,))[1]
        assert float(forward) == pytest.approx(float((exact * d).sum()), rel=1e-8)
        assert float(vmapped) == pytest.approx(float(forward), rel=1e-9)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradcheck(name: str) -> None:
    case = FUNCTIONS[name]
    for a in matrices(case.shape, 2):
        leaf = a.clone().requires_grad_()
        assert torch.autograd.gradcheck(case.torch, (leaf,), check_forward_ad=True, check_batched_grad=True)
        assert torch.autograd.gradgradcheck(case.torch, (leaf,))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_derivatives_agree_in_every_mode(name: str) -> None:
    case = FUNCTIONS[name]
    a, d = matrices(case.shape, 2)
    forward_over_reverse = jvp(grad(case.torch), (a,), (d,))[1]
    reverse_over_reverse = grad(lambda t: (grad(case.torch)(t) * d).sum())(a)
    whole = hessian(case.torch)(a).reshape(a.numel(), a.numel())
    step = 1e-5
    differences = (grad(case.torch)(a + step * d) - grad(case.torch)(a - step * d)) / (2 * step)
    scale = float(differences.abs().max())
    for found in (forward_over_reverse, reverse_over_reverse, (whole @ d.flatten()).reshape(case.shape)):
        assert torch.allclose(found, differences, rtol=1e-5, atol=1e-6 * scale)
    assert torch.allclose(forward_over_reverse, reverse_over_reverse, rtol=1e-8, atol=1e-8 * scale)


@pytest.mark.parametrize("radius", [0.0, 1e-9])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_enclosed(name: str, radius: float) -> None:
    case = FUNCTIONS[name]
    batch = matrices(case.shape)
    reverse, forward = written_out(
        lambda t: [vmap(grad(case.torch))(t), vmap(lambda a: jvp(case.torch, (a,), (a,))[1])(t)], batch
    ).enclose(Enclosure(batch, torch.full_like(batch, radius)))
    signs = torch.from_numpy(np.random.default_rng(SEED).choice([-1.0, 1.0], tuple(batch.shape)))
    for lane, (a, sign) in enumerate(zip(batch, signs, strict=True)):
        corner = exactly(a) + mpmath.mpf(radius) * exactly(sign)
        exact = exact_gradient(case.exact, corner)
        for value, mid, rad in zip(
            exact, reverse.mid[lane].flatten().tolist(), reverse.rad[lane].flatten().tolist(), strict=True
        ):
            assert abs(value - mpmath.mpf(mid)) <= mpmath.mpf(rad) + mpmath.mpf(10) ** -30
        directional = sum(g * x for g, x in zip(exact, corner, strict=True))
        mid, rad = (mpmath.mpf(float(part[lane])) for part in (forward.mid, forward.rad))
        assert abs(directional - mid) <= rad + mpmath.mpf(10) ** -30
        if radius == 0:
            scale = max(1.0, float(max(map(abs, exact))))
            assert float(reverse.rad[lane].max()) <= 1e-9 * scale
            assert float(forward.rad[lane]) <= 1e-9 * scale


def test_a_projection_is_idempotent_and_keeps_the_rows() -> None:
    a = matrices((2, 4), 1)[0]
    v = vector(4)
    once = project_onto_rows(a, v)
    assert torch.allclose(project_onto_rows(a, once), once)
    assert torch.allclose(project_onto_rows(a, a[1]), a[1])
    assert torch.allclose(a @ (v - once), torch.zeros(2).double(), atol=1e-14)


def test_eigenvalues_are_those_of_the_symmetric_part() -> None:
    a = matrices((4, 4), 3)
    assert torch.allclose(eigenvalues(a), torch.linalg.eigvalsh((a + a.mT) / 2))
    assert torch.equal(smallest_eigenvalue(a), eigenvalues(a)[:, 0])
    assert torch.equal(largest_eigenvalue(a), eigenvalues(a)[:, -1])


def spoiled(shape: tuple[int, int]) -> Tensor:
    batch = matrices(shape, 4).clone()
    batch[1, 0, 0], batch[2] = math.nan, math.inf
    return batch


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_matrix_that_is_not_finite_disturbs_no_other(name: str) -> None:
    case = FUNCTIONS[name]
    batch = spoiled(case.shape)
    values = vmap(case.torch)(batch)
    assert torch.allclose(values[[0, 3]], vmap(case.torch)(batch[[0, 3]]))
    (enclosed,) = written_out(vmap(case.torch), batch).enclose(Enclosure.exactly(batch))
    assert (enclosed.rad.isinf() | enclosed.mid.isnan()).tolist() == [False, True, True, False]


def test_nothing_is_known_of_what_does_not_exist() -> None:
    dependent = torch.tensor([[[1.0, 2.0], [2.0, 4.0]]], dtype=torch.float64)
    for function in (lambda a: solve(a, vector(2)), lambda a: project_onto_rows(a, vector(2))):
        (result,) = written_out(vmap(function), dependent).enclose(Enclosure.exactly(dependent))
        assert bool(result.rad.isinf().all())
    double = torch.eye(3, dtype=torch.float64)[None]
    for function in (smallest_singular_value, largest_eigenvalue):
        (slope,) = written_out(vmap(grad(function)), double).enclose(Enclosure.exactly(double))
        assert bool(slope.rad.isinf().any())


# ----------------------------------------------------------------------------------------------------------------- rank

RANKS = torch.tensor(
    [
        [[1.0, 2.0, 3.0], [0.0, 1.0, 5.0]],
        [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]],
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
        [[1.0, 2.0, 3.0], [3.0, 6.0, 9.0]],
    ],
    dtype=torch.float64,
)


def test_ranks_in_torch() -> None:
    assert rank(RANKS).tolist() == [2.0, 1.0, 0.0, 1.0]
    assert rank(RANKS[0]).shape == ()
    assert rank(RANKS[0]).dtype == torch.float64
    assert vmap(rank)(RANKS).tolist() == [2.0, 1.0, 0.0, 1.0]
    assert vmap(rank, in_dims=2)(RANKS.permute(1, 2, 0)).tolist() == [2.0, 1.0, 0.0, 1.0]
    assert vmap(vmap(rank))(RANKS[None]).tolist() == [[2.0, 1.0, 0.0, 1.0]]
    assert rank(torch.full((1, 2, 2), math.nan, dtype=torch.float64)).tolist() == [0.0]


@pytest.mark.parametrize("lanes", [False, True])
def test_a_rank_is_one_node_of_a_trace(lanes: bool) -> None:
    traced = written_out(vmap(rank) if lanes else rank, RANKS)
    assert [name for name in traced.operators() if name != "aten.alias.default"] == ["boundcheck.rank.default"]
    (result,) = traced.enclose(Enclosure.exactly(RANKS))
    assert result.mid.tolist() == [2.0, 1.0, 0.0, 1.0]
    assert result.rad.tolist() == [0.0, 0.0, 0.0, 1.0]


def test_the_derivative_of_a_rank_is_0_in_every_mode() -> None:
    a, d = RANKS[0], RANKS[3]

    def bent(t: Tensor) -> Tensor:
        return rank(t) * (t * t).sum()

    assert torch.equal(grad(rank)(a), torch.zeros_like(a))
    assert torch.equal(jacrev(rank)(a), torch.zeros_like(a))
    assert torch.equal(jacfwd(rank)(a), torch.zeros_like(a))
    along = jvp(rank, (a,), (d,))
    assert [float(part) for part in along] == [2.0, 0.0]
    assert torch.equal(vmap(grad(rank))(RANKS), torch.zeros_like(RANKS))
    for derivative in (grad(bent), jacrev(bent), jacfwd(bent)):
        assert torch.allclose(derivative(a), 4 * a)
    assert float(jvp(bent, (a,), (d,))[1]) == pytest.approx(4 * float((a * d).sum()))
    assert torch.allclose(vmap(grad(bent))(RANKS[:2]), torch.stack([4 * RANKS[0], 2 * RANKS[1]]))
    assert torch.allclose(hessian(bent)(a).reshape(6, 6), 4 * torch.eye(6).double())
    leaf = a.clone().requires_grad_()
    assert torch.autograd.gradcheck(bent, (leaf,), check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(bent, (leaf,))


def test_a_rank_within_a_gradient_is_enclosed() -> None:
    def bent(t: Tensor) -> Tensor:
        return rank(t) * (t * t).sum()

    slopes, curved = written_out(
        lambda t: [vmap(grad(bent))(t), vmap(lambda a: jvp(grad(bent), (a,), (a,))[1])(t)], RANKS
    ).enclose(Enclosure.exactly(RANKS))
    exact = 2 * rank(RANKS)[:, None, None] * RANKS
    for result in (slopes, curved):
        assert bool(((result.mid - exact).abs() <= result.rad).all())
        assert bool((result.rad[:3] < 1e-13).all())
    assert bool((slopes.upper[3] >= 4 * RANKS[3]).all())
