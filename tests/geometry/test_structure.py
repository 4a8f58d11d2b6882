"""Rotations, unit vectors and symmetric matrices are what they are said to be, exactly: checked in rational numbers."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.geometry import free_of_unit, rotation, symmetric, unit_vector


def test_the_cayley_transform_of_a_rational_matrix_is_orthogonal_in_fractions() -> None:
    skew = [[Fraction(0), Fraction(3, 4)], [Fraction(-3, 4), Fraction(0)]]
    # (I - S)(I + S)⁻¹ by Cramer's rule
    a, b = 1 + skew[0][0], skew[0][1]
    det = a * a + b * b
    inverse = [[a / det, -b / det], [b / det, a / det]]
    left = [[1 - skew[0][0], -skew[0][1]], [-skew[1][0], 1 - skew[1][1]]]
    expected = [[sum(left[i][k] * inverse[k][j] for k in range(2)) for j in range(2)] for i in range(2)]
    assert [sum(row[k] ** 2 for k in range(2)) for row in expected] == [1, 1]
    got = rotation(torch.tensor([[7.0, 0.75], [-0.75, -2.0]], dtype=torch.float64))  # the symmetric part plays no role
    assert torch.allclose(
        got, torch.tensor([[float(x) for x in row] for row in expected], dtype=torch.float64), rtol=0, atol=1e-15
    )


@pytest.mark.parametrize("n", [1, 2, 5])
def test_rotations_are_orthogonal_and_proper(n: int) -> None:
    turn = rotation(torch.randn(64, n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(n)))
    identity = torch.eye(n, dtype=torch.float64)
    assert torch.allclose(turn @ turn.mT, identity.expand(64, n, n), atol=1e-13)
    assert torch.allclose(torch.linalg.det(turn), torch.ones(64, dtype=torch.float64), atol=1e-12)
    assert torch.equal(rotation(torch.zeros(n, n, dtype=torch.float64)), identity)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.fractions(min_value=-9, max_value=9, max_denominator=16), max_size=4))
def test_unit_vectors_have_length_one_in_fractions(free: list[Fraction]) -> None:
    square = sum((x * x for x in free), Fraction(0))
    exact = [2 * x / (square + 1) for x in free] + [(square - 1) / (square + 1)]
    assert sum(x * x for x in exact) == 1
    got = unit_vector(torch.tensor([float(x) for x in free], dtype=torch.float64))
    assert got.shape == (len(free) + 1,)
    assert torch.allclose(got, torch.tensor([float(x) for x in exact], dtype=torch.float64), rtol=1e-14, atol=1e-15)


def test_free_numbers_of_a_unit_vector_give_it_back() -> None:
    unit = torch.nn.functional.normalize(
        torch.randn(100, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    assert torch.allclose(unit_vector(free_of_unit(unit)), unit, atol=1e-12)
    one = torch.full((3, 1), -1.0, dtype=torch.float64)
    assert torch.equal(unit_vector(free_of_unit(one)), one)


def test_symmetric() -> None:
    free = torch.tensor([[1.0, 2.0], [4.0, 3.0]], dtype=torch.float64)
    assert torch.equal(symmetric(free), torch.tensor([[1.0, 3.0], [3.0, 3.0]], dtype=torch.float64))
