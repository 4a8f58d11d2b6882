"""Verified determinants, Cholesky factors, exponentials and ranks against mpmath, for matrices easy, hard and hopeless."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import numpy as np
import pytest
import torch

from boundcheck.rigor import Enclosure, matrix_functions
from boundcheck.rigor.operators import RANK
from boundcheck.rigor.registry import lookup
from tests.rigor.specimens import (
    DIGITS,
    SEED,
    SINGULAR,
    SPECIMENS,
    SYMMETRIC,
    enclosure,
    exactly,
    holds,
    inside_points,
    random_orthogonal,
)


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    with mpmath.workdps(DIGITS):
        yield


SQUARE = [name for name, a in SPECIMENS.items() if a.shape[0] == a.shape[1]]


def determinant(x: Enclosure) -> Enclosure:
    return matrix_functions.determinant(x)[0]


@pytest.mark.parametrize("name", SQUARE)
def test_determinants_are_enclosed(name: str) -> None:
    for radius in (0.0, 1e-13, 1e-3):
        x = enclosure(SPECIMENS[name], radius)
        value = determinant(x)
        for point in inside_points(x, len(name)):
            assert holds(value, (), mpmath.det(point)), (name, radius)


def test_determinants_are_sharp() -> None:
    for name in ("1x1", "2x2", "4x4", "identity", "condition 1e4", "condition 1e8", "graded", "tiny"):
        value = determinant(enclosure(SPECIMENS[name]))
        assert float(value.rad) <= 1e-6 * float(value.mid.abs()) + 1e-322, name
    for name in ("duplicated rows", "singular"):
        matrix = SPECIMENS[name] if name in SPECIMENS else SYMMETRIC[name]
        value = determinant(enclosure(matrix))
        assert float(value.lower) <= 0.0 <= float(value.upper)
        assert float(value.rad) <= 1e-10, name


def test_determinants_of_nothing_and_of_what_overflows() -> None:
    empty = determinant(Enclosure.exactly(torch.zeros(2, 0, 0, dtype=torch.float64)))
    assert empty.mid.tolist() == [1.0, 1.0]
    assert empty.rad.tolist() == [0.0, 0.0]
    assert float(determinant(enclosure(1e200 * np.eye(3))).rad) == math.inf


# ------------------------------------------------------------------------------------------------------ Cholesky factors


def definite() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(SEED)
    found: dict[str, np.ndarray] = {}
    for n in (1, 2, 4, 7):
        a = rng.standard_normal((n, n))
        found[f"random {n}"] = a @ a.T + 0.1 * np.eye(n)
    for power in (4, 8, 12, 15):
        turn = random_orthogonal(rng, 4)
        a = (turn * np.logspace(0, -power, 4)) @ turn.T
        found[f"condition 1e{power}"] = np.tril(a) + np.tril(a, -1).T
    found["tiny"], found["huge"] = 1e-200 * found["random 4"], 1e200 * found["random 4"]
    found["identity"] = np.eye(3)
    return found


DEFINITE = definite()


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("name", DEFINITE)
def test_cholesky_factors_are_enclosed(name: str, upper: bool) -> None:
    matrix = DEFINITE[name]
    rng = np.random.default_rng(SEED)
    other = rng.standard_normal(matrix.shape)  # never read
    stored = np.triu(matrix) + np.tril(other, -1) if upper else np.tril(matrix) + np.triu(other, 1)
    for radius in (0.0, 1e-13 * float(np.abs(matrix).max())):
        x = Enclosure(torch.from_numpy(stored), torch.full(matrix.shape, radius, dtype=torch.float64))
        factor = matrix_functions.cholesky(x, upper=upper)[0]
        sign = rng.choice([-1.0, 1.0], matrix.shape)
        weights = torch.from_numpy(np.tril(sign) + np.tril(sign, -1).T)
        if bool(factor.rad.isinf().any()):
            assert name in ("condition 1e12", "condition 1e15")
            continue
        for point in (exactly(torch.from_numpy(matrix)), exactly(torch.from_numpy(matrix), weights, x.rad)):
            exact = mpmath.cholesky(point, tol=mpmath.mpf(0))
            exact = exact.T if upper else exact
            for i in range(len(matrix)):
                for j in range(len(matrix)):
                    assert holds(factor, (i, j), exact[i, j]), (name, radius, i, j)


def test_cholesky_factors_are_sharp_and_those_of_an_indefinite_matrix_unknown() -> None:
    for name in ("random 1", "random 4", "random 7", "tiny", "huge", "identity", "condition 1e4"):
        factor = matrix_functions.cholesky(enclosure(DEFINITE[name]))[0]
        assert bool((factor.rad <= 1e-10 * factor.mid.abs().max()).all()), name
    for matrix in (np.diag([1.0, -1.0]), np.zeros((2, 2)), np.ones((2, 2)), np.array([[1.0, 2.0], [2.0, 1.0]])):
        assert bool(matrix_functions.cholesky(enclosure(matrix))[0].rad.isinf().all())
    assert bool(matrix_functions.cholesky(enclosure(np.eye(2), 1.1))[0].rad.isinf().all())


# ---------------------------------------------------------------------------------------------------------- exponentials


def exponents() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(SEED)
    found: dict[str, np.ndarray] = {}
    for n in (1, 2, 4):
        a = rng.standard_normal((n, n))
        found |= {f"{scale} x {n}": scale * a for scale in (1e-300, 1e-9, 0.1, 1.0, 8.0)}
        found[f"skew {n}"] = 10 * (a - a.T)
        found[f"stiff {n}"] = -20 * (a @ a.T)
    found["nilpotent"] = np.triu(np.full((4, 4), 30.0), 1)
    found["diagonal"] = np.diag([-700.0, 0.0, 3.0])
    found["zero"] = np.zeros((3, 3))
    block = np.array([[0.3, 1.0], [-0.2, 0.5]])
    found["derivative"] = np.block([[block, 50 * np.ones((2, 2))], [np.zeros((2, 2)), block]])
    return found


EXPONENTS = exponents()


def exponential(matrix: Any) -> Any:
    """By halving until the series converges fast, at twice the digits."""
    with mpmath.workdps(2 * DIGITS + 320):
        halvings = max(0, math.ceil(math.log2(float(mpmath.mnorm(matrix, 1)) + 1e-300)) + 8)
        small, total = matrix / mpmath.mpf(2) ** halvings, mpmath.eye(matrix.rows)
        for k in range(60, 0, -1):
            total = mpmath.eye(matrix.rows) + small * total / k
        for _ in range(halvings):
            total = total * total
        return total


@pytest.mark.parametrize("name", EXPONENTS)
def test_exponentials_are_enclosed(name: str) -> None:
    for radius in (0.0, 1e-13, 1e-4):
        x = enclosure(EXPONENTS[name], radius)
        value = matrix_functions.matrix_exponential(x)
        for point in inside_points(x, len(name)):
            exact = exponential(point)
            for i in range(point.rows):
                for j in range(point.cols):
                    assert holds(value, (i, j), exact[i, j]), (name, radius, i, j)


@pytest.mark.parametrize("name", EXPONENTS)
def test_exponentials_are_sharp(name: str) -> None:
    value = matrix_functions.matrix_exponential(enclosure(EXPONENTS[name]))
    scale = value.mid.abs().max()
    assert bool((value.rad <= 3e-11 * scale).all())
    wide = matrix_functions.matrix_exponential(enclosure(EXPONENTS[name], 1e-9))
    assert bool((wide.rad <= 1e-4 * scale).all())


def test_exponentials_of_lanes_of_different_size_do_not_disturb_each_other() -> None:
    lanes = torch.stack([torch.from_numpy(EXPONENTS[name]) for name in ("0.1 x 4", "8.0 x 4", "skew 4", "nilpotent")])
    together = matrix_functions.matrix_exponential(Enclosure.exactly(lanes))
    for lane in range(4):
        alone = matrix_functions.matrix_exponential(Enclosure.exactly(lanes[lane : lane + 1]))
        assert torch.equal(alone.mid[0], together.mid[lane])
        assert torch.equal(alone.rad[0], together.rad[lane])


def test_exponentials_too_large_for_a_double_are_unknown() -> None:
    for matrix in (np.diag([800.0, 1.0]), np.full((2, 2), 1e200), np.full((2, 2), 1e30)):
        assert bool(matrix_functions.matrix_exponential(enclosure(matrix)).rad.isinf().any())
    empty = matrix_functions.matrix_exponential(Enclosure.exactly(torch.zeros(2, 0, 0, dtype=torch.float64)))
    assert empty.mid.shape == empty.rad.shape == (2, 0, 0)


# ----------------------------------------------------------------------------------------------------------------- ranks


def exact_rank(matrix: np.ndarray) -> int:
    """By elimination in rationals."""
    from fractions import Fraction

    rows = [[Fraction(float(v)) for v in row] for row in matrix]
    rank = 0
    for column in range(matrix.shape[1]):
        pivot = next((r for r in range(rank, len(rows)) if rows[r][column] != 0), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for r in range(rank + 1, len(rows)):
            factor = rows[r][column] / rows[rank][column]
            rows[r] = [a - factor * b for a, b in zip(rows[r], rows[rank], strict=True)]
        rank += 1
    return rank


@pytest.mark.parametrize("name", SPECIMENS)
def test_ranks_are_enclosed(name: str) -> None:
    value = lookup(RANK)(enclosure(SPECIMENS[name]))
    assert abs(exact_rank(SPECIMENS[name]) - float(value.mid)) <= float(value.rad)
    assert value.mid.dtype == torch.float64


def test_which_ranks_are_certain() -> None:
    for name in SPECIMENS:
        value = lookup(RANK)(enclosure(SPECIMENS[name]))
        if name in SINGULAR - {"rank 1"} or name in ("1x1", "3x5", "5x3", "4x4", "identity", "condition 1e8", "graded"):
            assert float(value.rad) == 0.0, name
            assert float(value.mid) == exact_rank(SPECIMENS[name]), name
    proportional = lookup(RANK)(enclosure(SPECIMENS["rank 1"]))
    assert float(proportional.lower) <= 1.0 <= float(proportional.upper)
    assert float(proportional.rad) >= 1.0


def test_a_radius_takes_certainty_away_from_what_rests_on_equality() -> None:
    for name in ("duplicated rows", "zero"):
        value = lookup(RANK)(enclosure(SPECIMENS[name], 1e-300))
        assert float(value.upper) >= min(SPECIMENS[name].shape)
    negated = lookup(RANK)(enclosure(np.array([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]])))
    assert (float(negated.mid), float(negated.rad)) == (1.0, 0.0)


# ----------------------------------------------------------------------------------------------------------------- lanes

LANEWISE: dict[str, Callable[[Enclosure], Enclosure]] = {
    "determinant": determinant,
    "cholesky": lambda x: matrix_functions.cholesky(x)[0],
    "exponential": matrix_functions.matrix_exponential,
    "rank": lookup(RANK),
}


@pytest.mark.parametrize("name", LANEWISE)
def test_a_spoiled_lane_disturbs_no_other(name: str) -> None:
    rule = LANEWISE[name]
    rng = np.random.default_rng(SEED)
    half = rng.standard_normal((7, 3, 3))
    mid = half @ half.transpose(0, 2, 1) + np.eye(3)
    mid[1, 0, 0], mid[3, 2, 1], mid[4] = math.nan, math.inf, -math.inf
    rad = np.zeros_like(mid)
    rad[5, 0, 1] = rad[5, 1, 0] = math.inf
    batch = Enclosure(torch.from_numpy(mid), torch.from_numpy(rad))
    result = rule(batch)
    for lane in (0, 2, 6):
        alone = rule(Enclosure(batch.mid[lane : lane + 1], batch.rad[lane : lane + 1]))
        assert torch.equal(result.mid[lane], alone.mid[0])
        assert torch.equal(result.rad[lane], alone.rad[0])
        assert bool(result.rad[lane].isfinite().all())
    for lane in (1, 3, 4, 5):
        assert bool(result.rad[lane].isinf().all())
    assert not bool(result.rad.isnan().any())


@pytest.mark.parametrize("name", LANEWISE)
def test_empty_stacks_give_empty_results(name: str) -> None:
    result = LANEWISE[name](Enclosure.exactly(torch.zeros(0, 3, 3, dtype=torch.float64)))
    assert result.mid.shape[0] == result.rad.shape[0] == 0
