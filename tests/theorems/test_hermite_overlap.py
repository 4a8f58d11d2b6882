"""Remark 9: both sides against quadrature, and how far the printed form is off in one dimension."""

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck import BoundcheckError
from boundcheck.claim import Claim, Identity
from boundcheck.strategies import feature_moments
from boundcheck.strategies.feature_maps import FeatureMoments, FeatureMomentsRecipe, Size
from boundcheck.theorems.local_edits.hermite_overlap import (
    blocks,
    splits_by_degree,
    splits_up_to_degree_two,
)
from tests.geometry.test_gaussian_moments import quadrature
from tests.strategies.instances import one_instance


def sides(claim: Claim, p: FeatureMoments, **changed: float) -> tuple[float, float]:
    constants = {name: torch.tensor(float(exact.value), dtype=torch.float64) for name, exact in claim.constants.items()}
    constants |= {name: torch.tensor(value, dtype=torch.float64) for name, value in changed.items()}
    statement, _ = claim.state(p, constants)
    assert isinstance(statement, Identity)
    return float(statement.left), float(statement.right)


@settings(max_examples=25, deadline=None)
@given(
    dim=st.integers(1, 2),
    degree=st.integers(1, 4),
    kind=st.sampled_from(["any", "near", "small", "singular"]),
    lane=st.integers(0, 100),
)
def test_whole_and_blocks_against_quadrature(dim: int, degree: int, kind: Size, lane: int) -> None:
    p = one_instance(FeatureMomentsRecipe(dim, degree, kind, seed=1).build(1, first=lane), 0)
    root = p.root.numpy()
    table = {
        (k, j): float(np.sum(quadrature(root, k, j) ** 2)) for k in range(1, degree + 1) for j in range(1, degree + 1)
    }
    whole = sum(table.values())
    diagonal = sum(value for (k, j), value in table.items() if k == j)
    parity = sum(value for (k, j), value in table.items() if k % 2 == j % 2)
    assert sides(splits_by_degree, p) == pytest.approx((whole, diagonal), rel=1e-8, abs=1e-14)
    assert whole == pytest.approx(parity, rel=1e-8, abs=1e-14), "odd and even degrees do not couple"
    if degree <= 2:
        assert sides(splits_up_to_degree_two, p) == pytest.approx((whole, whole), rel=1e-8, abs=1e-14)


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("lane", range(4))
def test_the_closed_form_up_to_degree_two(dim: int, lane: int) -> None:
    p = one_instance(FeatureMomentsRecipe(dim, 2, seed=2).build(1, first=lane), 0)
    left, right = sides(splits_up_to_degree_two, p)
    assert left == pytest.approx(right, rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.floats(-5, 5))
def test_the_gap_in_one_dimension_is_that_of_degrees_one_and_three(a: float) -> None:
    """2·E[He_1·He_3]²/3! = 2·(3σ²(σ² - 1))²/6; none at σ = 1."""
    p = FeatureMoments(root=torch.tensor([[a]], dtype=torch.float64), degree=3)
    left, right = sides(splits_by_degree, p)
    assert left - right == pytest.approx(2 * (3 * a**2 * (a**2 - 1)) ** 2 / 6, rel=1e-6, abs=1e-12 * left + 1e-300)


def test_blocks_off_the_diagonal_count_twice() -> None:
    p = one_instance(FeatureMomentsRecipe(2, 3, seed=3).build(1), 0)
    expected = 2 * float(np.sum(quadrature(p.root.numpy(), 1, 3) ** 2))
    assert float(blocks(p)[1, 3]) == pytest.approx(expected, rel=1e-9)
    assert float(blocks(p)[1, 2]) == 0.0


def test_inputs_that_are_0_are_vacuous() -> None:
    p = FeatureMoments(root=torch.zeros(2, 2, dtype=torch.float64), degree=3)
    _, premises = splits_by_degree.state(p, {})
    assert [float(stated.margin) for stated in premises] == [-1.0]


def test_recipes_keep_their_lanes_and_reach_singular_covariances() -> None:
    kinds: tuple[Size, ...] = get_args(Size)
    assert len(kinds) == 4
    for kind in kinds:
        recipe = FeatureMomentsRecipe(2, 3, kind, seed=4)
        assert torch.equal(recipe.build(8).root[5], recipe.build(1, first=5).root[0])
    singular = FeatureMomentsRecipe(2, 3, "singular", seed=4).build(8)
    assert float(torch.linalg.det(singular.covariance).abs().max()) < 1e-12


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(BoundcheckError, match="degree=0"):
        feature_moments(degrees=(0,))
    with pytest.raises(BoundcheckError, match="max_dim=0"):
        feature_moments(max_dim=0)
