"""The Cholesky route to γ_ov, σ_min and σ_max: its bounds against 60 digits, and the lanes that it must not trust."""

import math
from typing import Any

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.geometry.gram_route import GramOverlap, by_cholesky, conclude, restrict, whiten


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def conditioned(condition: float, rows: int = 3, columns: int = 7, seed: int = 0) -> Tensor:
    """A matrix with singular values from 1 down to 1/condition."""
    u, _, v = torch.linalg.svd(random(rows, columns, seed=seed), full_matrices=False)
    return u * torch.logspace(0.0, -math.log10(condition), rows, dtype=torch.float64) @ v


def measured(train: Tensor, evaluation: Tensor, accuracy: float = 1e-9) -> GramOverlap:
    sizes, size = torch.linalg.vector_norm(train, dim=-1), torch.linalg.matrix_norm(evaluation)
    samples, terms = evaluation.shape[-2], train.shape[-1]
    return by_cholesky(train @ train.mT, evaluation @ train.mT, sizes, size, accuracy, samples=samples, terms=terms)


def exactly(train: Tensor, evaluation: Tensor) -> tuple[Any, Any, Any]:
    """γ_ov, σ_min and σ_max of stored Jacobians, in 60 digits."""
    with mpmath.workdps(60):
        rows, others = mpmath.matrix(train.tolist()), mpmath.matrix(evaluation.tolist())
        basis, _ = mpmath.qr(rows.T, mode="skinny")
        sigmas = mpmath.svd_r(rows, compute_uv=False)
        gamma = min(mpmath.svd_r(others * basis, compute_uv=False)) / mpmath.sqrt(others.rows)
        return gamma, min(sigmas), max(sigmas)


def off(found: Tensor, expected: Any) -> float:
    """Relative difference, taken in 60 digits."""
    with mpmath.workdps(60):
        return float(abs(mpmath.mpf(float(found)) / expected - 1))


@given(
    exponent=st.floats(0.0, 10.0),
    seed=st.integers(0, 10**6),
    rows=st.integers(1, 5),
    accuracy=st.sampled_from([1e-12, 1e-9, 1e-4]),
)
@settings(deadline=None, max_examples=150)
def test_what_is_trusted_is_as_accurate_as_asked(exponent: float, seed: int, rows: int, accuracy: float) -> None:
    train, evaluation = conditioned(10**exponent, rows, seed=seed), random(9, 7, seed=seed + 1)
    found = measured(train, evaluation, accuracy)
    gamma, smallest, largest = exactly(train, evaluation)
    if not found.trusted:
        assert exponent > 0.5  # well-conditioned rows are trusted, at 1e-12 too
        return
    condition = float(largest / smallest)
    # C and the tangent space itself err by u·κ·Λ in every method; the rest is this route's.
    inherent = 2.0**-53 * 7 * math.sqrt(rows) * condition * float(torch.linalg.matrix_norm(evaluation)) / 3
    assert abs(float(found.gamma) - float(gamma)) <= accuracy * float(gamma) + inherent
    assert abs(float(found.gamma) - float(gamma)) <= 10 * found.error
    assert off(found.sigma_min, smallest) <= accuracy
    assert off(found.sigma_max, largest) <= accuracy


@pytest.mark.parametrize("condition", [1e5, 1e8, 1e12])
def test_a_square_of_the_condition_that_costs_too_much_is_not_trusted(condition: float) -> None:
    assert not measured(conditioned(condition), random(9, 7, seed=1)).trusted


def test_the_bound_follows_the_loss() -> None:
    """Over many draws at one condition the worst loss is within the bound, and not a thousandth of it."""
    worst, bound = 0.0, 0.0
    for seed in range(60):
        train, evaluation = conditioned(1e4, seed=seed), random(9, 7, seed=seed + 1)
        gram = train @ train.mT
        whitening = whiten(gram, torch.linalg.vector_norm(train, dim=-1), terms=7)
        bound = max(bound, float(whitening.shift))
        found = measured(train, evaluation, accuracy=1.0)
        assert off(found.sigma_min, exactly(train, evaluation)[1]) <= 4 * float(whitening.shift)
        worst = max(worst, off(found.sigma_min, exactly(train, evaluation)[1]))
    assert 1e-3 * bound < worst


@pytest.mark.parametrize("power", [-100, 0, 100])
def test_scaling_rows_by_powers_of_two_changes_no_trust(power: int) -> None:
    train, evaluation = conditioned(30.0), random(9, 7, seed=1)
    lengths = torch.tensor([[1.0], [2.0**power], [1.0]], dtype=torch.float64)
    sizes = torch.linalg.vector_norm(train, dim=-1)
    plain = whiten(train @ train.mT, sizes, terms=7)
    scaled = whiten((lengths * train) @ (lengths * train).mT, lengths[:, 0] * sizes, terms=7)
    assert scaled.regular
    assert float(scaled.shift) == pytest.approx(float(plain.shift), rel=1e-10)
    products = evaluation @ train.mT
    torch.testing.assert_close(
        restrict(scaled.inverse, products * lengths[:, 0]), restrict(plain.inverse, products), rtol=1e-12, atol=0.0
    )


def test_lanes_that_cannot_be_measured_leave_the_others_alone() -> None:
    train, evaluation = random(7, 3, 6), random(7, 9, 6, seed=1)
    alone = measured(train, evaluation)
    train[0, 1, 2], train[1, 0, 0], evaluation[2, 0, 0], evaluation[3, 1, 1] = math.nan, math.inf, math.nan, math.inf
    train[4, 2], train[5, 2] = 0.0, train[5, 1]
    found = measured(train, evaluation)
    assert found.trusted.tolist() == [False] * 6 + [True]
    for name in ("gamma", "error", "sigma_min", "sigma_max"):
        assert torch.equal(getattr(found, name)[6], getattr(alone, name)[6])


def test_one_instance_is_a_lane_of_a_batch() -> None:
    train, evaluation = random(4, 3, 6), random(4, 9, 6, seed=1)
    batch = measured(train, evaluation)
    for lane in range(4):
        one = measured(train[lane], evaluation[lane])
        assert one.trusted.shape == ()
        assert float(one.gamma) == pytest.approx(float(batch.gamma[lane]), rel=1e-13)


def test_parts_of_an_evaluation_set_add_up() -> None:
    train, evaluation = random(3, 6), random(9, 6, seed=1)
    gram, sizes, size = train @ train.mT, torch.linalg.vector_norm(train, dim=-1), torch.linalg.matrix_norm(evaluation)
    whitening = whiten(gram, sizes, terms=6)
    parts = sum(restrict(whitening.inverse, part @ train.mT) for part in evaluation.split(4))
    assert isinstance(parts, Tensor)
    found = conclude(gram, whitening, parts, size, samples=9, eval_rows=9)
    assert float(found.gamma) == pytest.approx(float(measured(train, evaluation).gamma), rel=1e-13)


def test_fewer_evaluation_rows_than_dimensions_have_overlap_0() -> None:
    found = measured(random(3, 6), random(2, 6, seed=1))
    assert (float(found.gamma), float(found.error), bool(found.trusted)) == (0.0, 0.0, True)


def test_an_overlap_of_0_is_not_trusted() -> None:
    """λ_min(BᵀB) = 0 exactly: nothing relative can be said of its root."""
    train = torch.eye(3, 6, dtype=torch.float64)
    assert not measured(train, random(9, 6, seed=1) * torch.tensor([0.0, 1, 1, 1, 1, 1], dtype=torch.float64)).trusted


def test_no_accuracy_trusts_nothing() -> None:
    assert not measured(random(3, 6), random(9, 6, seed=1), accuracy=0.0).trusted
