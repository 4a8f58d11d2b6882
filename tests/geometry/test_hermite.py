"""Hermite polynomials and normal moments, against numpy's, mpmath, quadrature and sums of whole numbers."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.polynomial import hermite_e

from boundcheck.geometry import hermite_kurtosis
from boundcheck.geometry.hermite import coefficients, normal_moment, orthonormal, values


@pytest.mark.parametrize("degree", range(12))
def test_coefficients_are_those_of_numpy(degree: int) -> None:
    assert list(coefficients(degree)) == hermite_e.herme2poly([0.0] * degree + [1.0]).tolist()


@given(degree=st.integers(0, 9), points=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
@example(degree=0, points=[-0.0, 1e3])
@example(degree=9, points=[-0.0, 1e-300, 1.0, -1e3])
def test_values_are_the_polynomials_at_the_points(degree: int, points: list[float]) -> None:
    """He_k(x) = Σ_j (-1)^j·k!/(j!·(k - 2j)!·2^j)·x^(k - 2j) in 60 digits; errors are relative to the largest term."""
    found = values(torch.tensor(points, dtype=torch.float64), degree)
    last = orthonormal(torch.tensor(points, dtype=torch.float64), degree)
    assert len(found) == degree + 1
    with mpmath.workdps(60):
        for k, table in enumerate(found):
            for i, x in enumerate(points):
                terms = [
                    (-1) ** j
                    * mpmath.mpf(math.factorial(k))
                    / (math.factorial(j) * math.factorial(k - 2 * j) * 2**j)
                    * mpmath.mpf(x) ** (k - 2 * j)
                    for j in range(k // 2 + 1)
                ]
                off = 1e-13 * float(max(map(abs, terms)))
                assert float(table[i]) == pytest.approx(float(mpmath.fsum(terms)), abs=off + 1e-300)
                if k == degree:
                    scale = math.sqrt(math.factorial(k))
                    assert float(last[i]) == pytest.approx(float(table[i]) / scale, rel=1e-15)


def test_values_keep_the_shape() -> None:
    found = values(torch.zeros(2, 3, dtype=torch.float64), 4)
    assert [tuple(one.shape) for one in found] == [(2, 3)] * 5
    assert [float(one[0, 0]) for one in found] == [1.0, 0.0, -1.0, 0.0, 3.0]


@pytest.mark.parametrize("power", range(17))
def test_normal_moments_by_quadrature(power: int) -> None:
    nodes, weights = hermite_e.hermegauss(9)  # exact to degree 17
    expected = float(weights @ nodes**power / weights.sum())
    assert normal_moment(power) == pytest.approx(expected, rel=1e-10, abs=1e-6)


@pytest.mark.parametrize("power", range(30))
def test_normal_moments_as_quotients_of_factorials(power: int) -> None:
    half = power // 2
    assert normal_moment(power) == (0 if power % 2 else math.factorial(power) // (2**half * math.factorial(half)))


@pytest.mark.parametrize("degrees", [(j, k) for j in range(6) for k in range(j + 1)])
def test_they_are_orthonormal_under_the_normal_law(degrees: tuple[int, int]) -> None:
    nodes, weights = hermite_e.hermegauss(9)
    left, right = (orthonormal(torch.from_numpy(nodes), degree).numpy() for degree in degrees)
    assert float(weights @ (left * right) / weights.sum()) == pytest.approx(float(degrees[0] == degrees[1]), abs=1e-12)


@pytest.mark.parametrize("degree", range(9))
def test_hermite_kurtosis_by_quadrature(degree: int) -> None:
    nodes, weights = np.polynomial.hermite_e.hermegauss(2 * degree + 2)  # exact to degree 4k + 3
    weights = weights / weights.sum()
    h = np.polynomial.hermite_e.hermeval(nodes, [0] * degree + [1]) / math.sqrt(math.factorial(degree))
    assert float(weights @ h**2) == pytest.approx(1.0, rel=1e-11)
    assert hermite_kurtosis(degree) == pytest.approx(float(weights @ h**4), rel=1e-9)


def test_hermite_kurtosis_as_a_sum_of_whole_numbers() -> None:
    """E h_k⁴ = Σ_r C(k, r)⁴·(r!)²·(2k - 2r)!/(k!)², from h_k² = Σ_r C(k, r)²·r!·He_{2k-2r}/k!."""
    for k in range(12):
        total = sum(
            Fraction(math.comb(k, r) ** 4 * math.factorial(r) ** 2 * math.factorial(2 * k - 2 * r))
            for r in range(k + 1)
        )
        assert hermite_kurtosis(k) == total / math.factorial(k) ** 2
    assert [hermite_kurtosis(k) for k in range(5)] == [1, 3, 15, 93, 639]
