"""Verified spectra, bases and solutions against mpmath at 60 digits, for matrices that are easy, hard and hopeless."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from torch import Tensor

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor import Enclosure, linear_algebra, trace
from tests.rigor.oracle import apply
from tests.rigor.specimens import (
    DIGITS,
    RADII,
    SEED,
    SINGULAR,
    SPECIMENS,
    SYMMETRIC,
    enclosure,
    exactly,
    holds,
    inside_points,
    random_orthogonal,
    spectrum,
)

aten = torch.ops.aten


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    with mpmath.workdps(DIGITS):
        yield


def svdvals_rule(x: Enclosure) -> Enclosure:
    return linear_algebra.svd(x)[1]


@pytest.mark.parametrize("rule", [linear_algebra.singular_values, svdvals_rule])
@pytest.mark.parametrize("name", SPECIMENS)
def test_singular_values_are_enclosed(name: str, rule: Callable[[Enclosure], Enclosure]) -> None:
    for radius in RADII:
        x = enclosure(SPECIMENS[name], radius)
        values = rule(x)
        assert values.mid.shape == (min(x.mid.shape),)
        for matrix in inside_points(x, len(name)):
            for index, exact in enumerate(spectrum(matrix)):
                assert holds(values, index, exact), (name, radius, index)


@pytest.mark.parametrize("name", sorted(set(SPECIMENS) - {"too huge to square"}))
def test_singular_values_are_sharp(name: str) -> None:
    values = linear_algebra.singular_values(enclosure(SPECIMENS[name]))
    assert bool((values.rad <= 1e-13 * values.mid[0] + 1e-160).all())


@pytest.mark.parametrize("name", sorted(SINGULAR))
def test_the_least_singular_value_of_a_singular_matrix_is_not_bounded_away_from_0(name: str) -> None:
    values = linear_algebra.singular_values(enclosure(SPECIMENS[name]))
    assert float(values.lower[-1]) <= 0 <= float(values.upper[-1])


def test_defects_of_orthonormality_are_bounded_from_above() -> None:
    rng = np.random.default_rng(SEED)
    for scale in (1.0, 1 + 1e-9, 1.1):
        q = torch.from_numpy(random_orthogonal(rng, 4)[:, :3] * scale)
        exact = exactly(q).T * exactly(q) - mpmath.eye(3)
        frobenius = mpmath.sqrt(sum(v * v for v in exact))
        assert frobenius <= mpmath.mpf(float(linear_algebra.orthonormality_defect(q))) <= 2 * frobenius + 1e-14


# ---------------------------------------------------------------------------------------------------------------- bases


def orthonormal_basis(matrix: Any) -> Any:
    """Gram-Schmidt, twice, at the working precision."""
    columns: list[Any] = []
    for j in range(matrix.cols):
        v = matrix[:, j]
        for _ in range(2):
            for u in columns:
                v = v - u * (u.T * v)[0]
        columns.append(v / mpmath.norm(v))
    result = mpmath.matrix(matrix.rows, matrix.cols)
    for j, u in enumerate(columns):
        result[:, j] = u
    return result


def nearest_basis(basis: Any, to: Any) -> Any:
    """basis·W, W the orthogonal matrix that brings it nearest to `to`."""
    u, _, vt = mpmath.svd_r(basis.T * to)
    return basis * (u * vt)


FULL_COLUMN_RANK = [n for n in SPECIMENS if n not in SINGULAR and SPECIMENS[n].shape[0] >= SPECIMENS[n].shape[1]]


@pytest.mark.parametrize("name", FULL_COLUMN_RANK)
def test_some_exact_orthonormal_basis_lies_in_the_enclosure(name: str) -> None:
    for radius in (0.0, 1e-13, 1e-5):
        x = enclosure(SPECIMENS[name], radius)
        q = linear_algebra.qr(x)[0]
        if bool(q.rad.isinf().any()):
            assert bool(q.rad.isinf().all())
            continue
        for matrix in inside_points(x, len(name)):
            basis = nearest_basis(orthonormal_basis(matrix), exactly(q.mid))
            for i in range(basis.rows):
                for j in range(basis.cols):
                    assert holds(q, (i, j), basis[i, j]), (name, radius, i, j)


def test_bases_of_well_conditioned_matrices_are_sharp() -> None:
    for name in ("1x1", "4x1", "2x2", "5x3", "4x4", "6x2", "identity", "huge", "condition 1e4"):
        q = linear_algebra.qr(enclosure(SPECIMENS[name]))[0]
        assert bool((q.rad < 1e-10).all()), name


def test_nothing_is_known_of_the_basis_of_a_singular_or_wide_matrix() -> None:
    for name in [*SINGULAR, "3x5", "1x4"]:
        q, r = linear_algebra.qr(enclosure(SPECIMENS[name]))
        assert bool(q.rad.isinf().all()), name
        assert bool(r.rad.isinf().all()), name
    barely = enclosure(SPECIMENS["4x4"], 10.0)
    assert bool(linear_algebra.qr(barely)[0].rad.isinf().all())


@pytest.mark.parametrize("name", [n for n in FULL_COLUMN_RANK if n not in ("too huge to square", "1x1")])
def test_what_does_not_depend_on_the_basis_is_enclosed(name: str) -> None:
    matrix = SPECIMENS[name]
    rows, columns = matrix.shape
    evaluation = np.random.default_rng([SEED, rows]).standard_normal((columns + 1, rows))

    def function(x: Tensor, e: Tensor) -> list[Tensor]:
        basis = torch.linalg.qr(x).Q
        vector = e[0]
        return [torch.linalg.svdvals(e @ basis), basis @ (basis.mT @ vector)]

    inputs = [torch.from_numpy(matrix), torch.from_numpy(evaluation)]
    traced = trace(function, inputs)
    for radius in (0.0, 1e-9):
        x = enclosure(matrix, radius)
        overlaps, projection = traced.enclose(x, Enclosure.exactly(inputs[1]))
        for point in inside_points(x, rows):
            basis = orthonormal_basis(point)
            for index, value in enumerate(spectrum(exactly(inputs[1]) * basis)):
                assert holds(overlaps, index, value)
            vector = exactly(inputs[1]).T[:, 0]
            exact = basis * (basis.T * vector)
            for index in range(rows):
                assert holds(projection, index, exact[index])


@pytest.mark.parametrize("name", FULL_COLUMN_RANK)
def test_the_gram_schmidt_factors_are_enclosed_up_to_signs(name: str) -> None:
    for radius in (0.0, 1e-13, 1e-6):
        x = enclosure(SPECIMENS[name], radius)
        q, r = linear_algebra.qr(x)
        if bool(r.rad.isinf().any()):
            continue
        assert bool((r.mid.tril(-1) == 0).all())
        assert bool((r.rad.tril(-1) == 0).all())
        for matrix in inside_points(x, len(name)):
            basis = orthonormal_basis(matrix)
            triangle = basis.T * matrix
            for j in range(basis.cols):
                sign = 1 if float(r.mid[j, j]) > 0 else -1
                for i in range(basis.rows):
                    assert holds(q, (i, j), sign * basis[i, j]), (name, radius, i, j)
                for k in range(j, basis.cols):
                    assert holds(r, (j, k), sign * triangle[j, k]), (name, radius, j, k)


def test_triangles_of_well_conditioned_matrices_are_sharp() -> None:
    for name in ("1x1", "4x1", "2x2", "5x3", "4x4", "6x2", "identity", "huge", "condition 1e4"):
        r = linear_algebra.qr(enclosure(SPECIMENS[name]))[1]
        assert bool((r.rad <= 1e-10 * r.mid.abs().max()).all()), name


def test_only_the_reduced_basis_has_a_rule() -> None:
    with pytest.raises(UnknownOperatorError, match="complete"):
        linear_algebra.qr(enclosure(SPECIMENS["5x3"]), "complete")


# --------------------------------------------------------------------------------------------------------- eigenvalues


@pytest.mark.parametrize("uplo", ["L", "U"])
@pytest.mark.parametrize("name", SYMMETRIC)
def test_eigenvalues_are_enclosed(name: str, uplo: str) -> None:
    matrix = SYMMETRIC[name]
    rng = np.random.default_rng(SEED)
    other_half = rng.standard_normal(matrix.shape)  # never read
    stored = np.tril(matrix) + np.triu(other_half, 1) if uplo == "L" else np.triu(matrix) + np.tril(other_half, -1)
    for radius in RADII:
        x = Enclosure(torch.from_numpy(stored), torch.full(matrix.shape, radius, dtype=torch.float64))
        values = linear_algebra.eigh(x, uplo)[0]
        sign = rng.choice([-1.0, 1.0], matrix.shape)
        weights = torch.from_numpy(np.tril(sign) + np.tril(sign, -1).T)
        for point in (exactly(torch.from_numpy(matrix)), exactly(torch.from_numpy(matrix), weights, x.rad)):
            exact = sorted(mpmath.eigsy(point, eigvals_only=True))
            for index, value in enumerate(exact):
                assert holds(values, index, value), (name, radius, index)
    sharp = linear_algebra.eigh(Enclosure.exactly(torch.from_numpy(stored)), uplo)[0]
    assert bool((sharp.rad <= 1e-13 * sharp.mid.abs().max() + 1e-160).all())


def turned_to(column: Any, computed: Tensor) -> Any:
    """±column, whichever is nearer to the computed one."""
    away = sum((c - mpmath.mpf(float(v))) ** 2 for c, v in zip(column, computed, strict=True))
    back = sum((c + mpmath.mpf(float(v))) ** 2 for c, v in zip(column, computed, strict=True))
    return column if away <= back else -column


@pytest.mark.parametrize("name", SYMMETRIC)
def test_vectors_of_simple_eigenvalues_are_enclosed_up_to_their_sign(name: str) -> None:
    stored = torch.from_numpy(SYMMETRIC[name])
    for radius in (0.0, 1e-13, 1e-6):
        x = enclosure(SYMMETRIC[name], radius)
        vectors = linear_algebra.eigh(x)[1]
        sign = np.random.default_rng(SEED).choice([-1.0, 1.0], stored.shape)
        weights = torch.from_numpy(np.tril(sign) + np.tril(sign, -1).T)
        for point in (exactly(stored), exactly(stored, weights, x.rad)):
            exact = mpmath.eigsy(point)[1]
            for k in range(len(stored)):
                if bool(vectors.rad[:, k].isfinite().all()):
                    column = turned_to(exact[:, k], vectors.mid[:, k])
                    for i in range(len(stored)):
                        assert holds(vectors, (i, k), column[i]), (name, radius, k)


def test_which_vectors_are_known() -> None:
    for name in ("random 1", "random 2", "random 5", "indefinite"):
        assert bool((linear_algebra.eigh(enclosure(SYMMETRIC[name]))[1].rad < 1e-11).all()), name
    multiple = linear_algebra.eigh(enclosure(SYMMETRIC["multiple"]))[1].rad
    assert bool(multiple[:, 1:].isinf().all())
    assert bool((multiple[:, 0] < 1e-13).all())
    only_values = linear_algebra.eigh(enclosure(SYMMETRIC["random 5"]), compute_v=False)[1]
    assert bool(only_values.rad.isinf().all())


@pytest.mark.parametrize("name", [n for n in SPECIMENS if n not in SINGULAR])
def test_pairs_of_singular_vectors_are_enclosed_up_to_one_sign(name: str) -> None:
    matrix = torch.from_numpy(SPECIMENS[name])
    for radius in (0.0, 1e-13, 1e-7):
        x = enclosure(SPECIMENS[name], radius)
        u, _, vh = linear_algebra.svd(x)
        for point in inside_points(x, len(name)):
            tall = point if point.rows >= point.cols else point.T
            left, _, right = mpmath.svd_r(tall)
            first, second = (left, right.T) if point.rows >= point.cols else (right.T, left)
            sizes = [abs((first[:, k].T * point * second[:, k])[0]) for k in range(first.cols)]
            order = sorted(range(first.cols), key=sizes.__getitem__, reverse=True)
            for rank, k in enumerate(order):
                if bool(u.rad[:, rank].isinf().any()):
                    continue
                both = mpmath.matrix([*first[:, k], *second[:, k]])
                computed = torch.cat([u.mid[:, rank], vh.mid[rank]])
                column = turned_to(both, computed)
                for i in range(matrix.shape[0]):
                    assert holds(u, (i, rank), column[i]), (name, radius, rank)
                for j in range(matrix.shape[1]):
                    assert holds(vh, (rank, j), column[matrix.shape[0] + j]), (name, radius, rank)


def test_which_singular_vectors_are_known() -> None:
    for name in ("1x1", "1x4", "4x1", "3x5", "5x3", "huge", "condition 1e4"):
        u, _, vh = linear_algebra.svd(enclosure(SPECIMENS[name]))
        assert bool((u.rad < 1e-9).all()), name
        assert bool((vh.rad < 1e-9).all()), name
    for name in ("identity", "zero", "clustered"):
        u, _, vh = linear_algebra.svd(enclosure(SPECIMENS[name]))
        assert bool(u.rad[:, :2].isinf().all()), name
        assert bool(vh.rad[:2].isinf().all()), name
    whole = linear_algebra.svd(enclosure(SPECIMENS["5x3"]), full_matrices=True)
    assert [part.mid.shape for part in whole] == [(5, 5), (3,), (3, 3)]
    assert bool(whole[0].rad.isinf().all())
    assert [part.rad.shape for part in linear_algebra.svd(enclosure(SPECIMENS["3x5"]), False, False)] == [
        (3, 3),
        (3,),
        (3, 5),
    ]


# ------------------------------------------------------------------------------------------------------------ solutions


@pytest.mark.parametrize("name", [n for n, a in SPECIMENS.items() if a.shape[0] == a.shape[1]])
def test_solutions_are_enclosed(name: str) -> None:
    matrix = SPECIMENS[name]
    n = len(matrix)
    right = np.random.default_rng(SEED).standard_normal((n, 2))
    for radius in (0.0, 1e-16, 1e-6):
        a, b = enclosure(matrix, radius), enclosure(right, radius)
        x = linear_algebra.solve(a, b)[0]
        vector = linear_algebra.solve(a, Enclosure(b.mid[:, 0], b.rad[:, 0]))[0]
        assert vector.mid.shape == (n,)
        if bool(x.rad.isinf().all()):
            continue
        for k, point in enumerate(inside_points(a, n)):
            sides = list(inside_points(b, n + 1))
            exact = mpmath.inverse(point) * sides[k % len(sides)]
            for i in range(n):
                assert holds(vector, i, exact[i, 0])
                for j in range(2):
                    assert holds(x, (i, j), exact[i, j]), (name, radius, i, j)


def test_solutions_of_well_conditioned_systems_are_sharp_and_of_singular_ones_unknown() -> None:
    for name in ("1x1", "2x2", "4x4", "identity", "condition 1e4"):
        x = linear_algebra.solve(enclosure(SPECIMENS[name]), enclosure(np.ones((len(SPECIMENS[name]), 1))))[0]
        assert bool((x.rad <= 1e-9 * (1 + x.mid.abs())).all()), name
    singular = enclosure(np.array([[1.0, 1], [1, 1]]))
    assert bool(linear_algebra.solve(singular, enclosure(np.ones((2, 1))))[0].rad.isinf().all())
    straddling = enclosure(np.eye(2), 0.6)
    assert bool(linear_algebra.solve(straddling, enclosure(np.ones((2, 1))))[0].rad.isinf().all())
    linear_algebra.check_errors(enclosure(np.zeros(1)), "torch.linalg.solve", is_matrix=True)


def test_solutions_from_the_other_side_of_stacks_and_of_vectors() -> None:
    rng = np.random.default_rng(SEED)
    a, b = enclosure(rng.standard_normal((3, 3)), 1e-12), enclosure(rng.standard_normal((2, 3)), 1e-12)
    x = linear_algebra.solve(a, b, left=False)[0]
    exact = exactly(b.mid) * mpmath.inverse(exactly(a.mid))
    for i in range(2):
        for j in range(3):
            assert holds(x, (i, j), exact[i, j])
    stack = enclosure(rng.standard_normal((3, 3, 3)))
    for right, shape in ((rng.standard_normal((3, 3)), (3, 3)), (rng.standard_normal((3, 2)), (3, 3, 2))):
        solved = linear_algebra.solve(stack, enclosure(right))[0]
        assert solved.mid.shape == shape
        assert torch.allclose(solved.mid, torch.linalg.solve(stack.mid, torch.from_numpy(right)))
    assert linear_algebra.solve(enclosure(np.eye(3)), enclosure(np.ones(3)))[0].mid.shape == (3,)


def test_factors_are_good_for_solving_alone() -> None:
    a, b = enclosure(SPECIMENS["4x4"], 1e-12), enclosure(np.ones((4, 2)))
    lu, pivots, _ = apply("aten.linalg_lu_factor_ex.default", a)
    assert bool(lu.rad.isinf().all())
    for adjoint in (False, True):
        x = apply("aten.linalg_lu_solve.default", lu, pivots, b, adjoint=adjoint)
        matrix = exactly(a.mid).T if adjoint else exactly(a.mid)
        exact = mpmath.inverse(matrix) * mpmath.matrix([[1, 1]] * 4)
        for i in range(4):
            assert holds(x, (i, 0), exact[i, 0])
    with pytest.raises(UnknownOperatorError, match="lu_solve"):
        apply("aten.linalg_lu_solve.default", apply("aten.neg.default", lu), pivots, b)


# ---------------------------------------------------------------------------------------------------------------- lanes


def spoiled_batch() -> tuple[Enclosure, list[int], list[int], list[int]]:
    """Ordinary matrices beside NaN, infinities and unknown ones; the lanes of each kind (good, invalid, unknown)."""
    rng = np.random.default_rng(SEED)
    mid = rng.standard_normal((7, 3, 3))
    mid[1, 0, 0] = math.nan
    mid[3, 2, 1] = math.inf
    mid[4, :, :] = -math.inf
    rad = np.zeros_like(mid)
    rad[5, 0, 1] = math.inf
    return Enclosure(torch.from_numpy(mid), torch.from_numpy(rad)), [0, 2, 6], [1, 3, 4], [5]


def first(result: Any) -> Enclosure:
    found: Enclosure = result[0] if isinstance(result, list) else result
    return found


LANEWISE: dict[str, Callable[[Enclosure], Enclosure]] = {
    "singular_values": linear_algebra.singular_values,
    "svd": svdvals_rule,
    "qr": lambda x: first(linear_algebra.qr(x)),
    "eigh": lambda x: first(linear_algebra.eigh(x)),
    "solve": lambda x: first(linear_algebra.solve(x, Enclosure.exactly(torch.ones(*x.mid.shape[:-1], 1).double()))),
}


@pytest.mark.parametrize("name", LANEWISE)
def test_a_spoiled_lane_disturbs_no_other(name: str) -> None:
    rule = LANEWISE[name]
    batch, good, invalid, unknown = spoiled_batch()
    result = rule(batch)
    for lane in good:
        alone = rule(Enclosure(batch.mid[lane : lane + 1], batch.rad[lane : lane + 1]))
        assert torch.equal(result.mid[lane], alone.mid[0])
        assert torch.equal(result.rad[lane], alone.rad[0])
        assert bool(result.rad[lane].isfinite().all())
    for lane in [*invalid, *unknown]:
        assert bool(result.rad[lane].isinf().all())
    for lane in unknown:
        assert bool(result.mid[lane].isfinite().all())
    assert not bool(result.rad.isnan().any())


@pytest.mark.parametrize("name", ["singular_values", "qr", "eigh"])
def test_an_invalid_lane_shows_as_nan(name: str) -> None:
    batch, _, invalid, _ = spoiled_batch()
    for lane in invalid:
        assert bool(LANEWISE[name](batch).mid[lane].isnan().all())


def test_where_lapack_gives_up_on_a_batch_the_other_matrices_are_still_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = torch.from_numpy(np.random.default_rng(SEED).standard_normal((2, 3, 4, 2)))
    stubborn = batch[1, 1]
    lapack = torch.linalg.svd

    def failing(matrix: Tensor, full_matrices: bool = True) -> Any:
        if matrix.dim() > 2 or torch.equal(matrix, stubborn):
            raise linear_algebra.LINALG_ERROR("svd did not converge")
        return lapack(matrix, full_matrices=full_matrices)

    expected = linear_algebra.singular_values(Enclosure.exactly(batch))
    monkeypatch.setattr(torch.linalg, "svd", failing)
    values = linear_algebra.singular_values(Enclosure.exactly(batch))
    for i in range(2):
        for j in range(3):
            for index, exact in enumerate(spectrum(exactly(batch[i, j]))):
                assert holds(values, (i, j, index), exact)
            if (i, j) != (1, 1):
                assert torch.allclose(values.mid[i, j], expected.mid[i, j])
                assert bool((values.rad[i, j] < 1e-13).all())


def test_where_lapack_gives_up_on_one_symmetric_matrix_the_others_are_still_proved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    half = torch.from_numpy(np.random.default_rng(SEED).standard_normal((2, 3, 4, 4)))
    batch = half + half.mT
    stubborn, lapack = batch[0, 2], torch.linalg.eigh

    def failing(matrix: Tensor) -> Any:
        if matrix.dim() > 2 or torch.equal(matrix, stubborn):
            raise linear_algebra.LINALG_ERROR("eigh did not converge")
        return lapack(matrix)

    monkeypatch.setattr(torch.linalg, "eigh", failing)
    values, vectors = linear_algebra.eigh(Enclosure.exactly(batch))
    for i in range(2):
        for j in range(3):
            for index, exact in enumerate(sorted(mpmath.eigsy(exactly(batch[i, j]), eigvals_only=True))):
                assert holds(values, (i, j, index), exact)
            if (i, j) != (0, 2):
                assert bool((values.rad[i, j] < 1e-12).all())
                assert bool((vectors.rad[i, j] < 1e-9).all())
    assert bool(values.rad[0, 2].isinf().all())


def test_a_wrong_answer_of_lapack_widens_the_radius(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = torch.from_numpy(SPECIMENS["5x3"])
    lapack = torch.linalg.svd

    def lying(given: Tensor, full_matrices: bool = True) -> Any:
        u, s, vh = lapack(given, full_matrices=full_matrices)
        return u * (1 + 1e-6), s * (1 + 1e-3), vh

    monkeypatch.setattr(torch.linalg, "svd", lying)
    values = linear_algebra.singular_values(Enclosure.exactly(matrix))
    for index, exact in enumerate(spectrum(exactly(matrix))):
        assert holds(values, index, exact)
    assert bool((values.rad > 1e-4).all())


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 0, 3), (2, 3, 0)])
def test_empty_batches_and_matrices_give_empty_answers(shape: tuple[int, ...]) -> None:
    values = linear_algebra.singular_values(Enclosure.exactly(torch.zeros(shape, dtype=torch.float64)))
    assert values.mid.shape == values.rad.shape == (shape[0], min(shape[1:]))


def test_svdvals_and_norms_trace_to_the_rule() -> None:
    matrix = torch.from_numpy(SPECIMENS["5x3"])
    traced = trace(
        lambda x: [torch.linalg.svdvals(x), torch.linalg.matrix_norm(x, ord=2), torch.linalg.eigvalsh(x.mT @ x)],
        [matrix],
    )
    values, norm, squares = traced.enclose(Enclosure.exactly(matrix))
    exact = spectrum(exactly(matrix))
    assert holds(norm, (), exact[0])
    for index, value in enumerate(exact):
        assert holds(values, index, value)
        assert holds(squares, 2 - index, value * value)
