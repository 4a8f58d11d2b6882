"""Moments of Gaussians and Hermite products, against pairings, quadrature and mpmath."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import hermite_e
from torch import Tensor

from boundcheck.geometry.gaussian_moments import (
    Moments,
    exponents_of_degree,
    hermite_block_square,
    hermite_product,
    multiplied,
)

ENTRIES = st.floats(-4, 4).map(lambda v: round(v, 3))


@st.composite
def covariances(draw: st.DrawFn, dim: int) -> Tensor:
    """A·Aᵀ; A has zero columns now and then."""
    numbers = draw(st.lists(ENTRIES, min_size=dim * dim, max_size=dim * dim))
    root = torch.tensor(numbers, dtype=torch.float64).reshape(dim, dim)
    return root @ root.T


def pairings(places: list[int]) -> Iterator[list[tuple[int, int]]]:
    """All ways to pair up the places."""
    if not places:
        yield []
        return
    first, *rest = places
    for i, partner in enumerate(rest):
        for others in pairings(rest[:i] + rest[i + 1 :]):
            yield [(first, partner), *others]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), exponents=st.lists(st.integers(0, 4), min_size=1, max_size=3).filter(lambda e: sum(e) <= 8))
def test_moments_are_sums_over_pairings(data: st.DataObject, exponents: list[int]) -> None:
    """Isserlis' theorem as it is stated, instead of the recursion."""
    covariance = data.draw(covariances(len(exponents)))
    places = [i for i, power in enumerate(exponents) for _ in range(power)]
    terms = [math.prod(float(covariance[i, j]) for i, j in pairing) for pairing in pairings(places)]
    expected = math.fsum(terms) if len(places) % 2 == 0 else 0.0
    scale = math.fsum(map(abs, terms))
    assert float(Moments(covariance)(tuple(exponents))) == pytest.approx(expected, abs=1e-12 * scale + 1e-300)


@settings(max_examples=40, deadline=None)
@given(exponents=st.lists(st.integers(0, 4), min_size=1, max_size=3), seed=st.integers(0, 100))
def test_products_of_polynomials_are_products_of_values(exponents: list[int], seed: int) -> None:
    x = np.random.default_rng(seed).integers(-3, 4, len(exponents)).tolist()
    one = hermite_product(tuple(exponents))
    value = sum(c * math.prod(v**p for v, p in zip(x, powers, strict=True)) for powers, c in one.items())
    each = [hermite_e.hermeval(v, [0.0] * d + [1.0]) for v, d in zip(x, exponents, strict=True)]
    assert value == math.prod(each)
    square = multiplied(one, one)
    assert sum(c * math.prod(v**p for v, p in zip(x, powers, strict=True)) for powers, c in square.items()) == value**2


@pytest.mark.parametrize(("dim", "degree"), list(itertools.product((1, 2, 3), (0, 1, 2, 4))))
def test_multi_indices_are_all_there_once(dim: int, degree: int) -> None:
    found = exponents_of_degree(dim, degree)
    assert Counter(found) == Counter(e for e in itertools.product(range(degree + 1), repeat=dim) if sum(e) == degree)
    assert len(found) == math.comb(dim + degree - 1, degree)


def features(x: np.ndarray, degree: int) -> np.ndarray:
    """Orthonormal Hermite features of one degree at points `[rows, d]`."""
    columns = []
    for exponents in itertools.product(range(degree + 1), repeat=x.shape[1]):
        if sum(exponents) == degree:
            each = [
                hermite_e.hermeval(x[:, i], [0.0] * d + [1.0]) / math.sqrt(math.factorial(d))
                for i, d in enumerate(exponents)
            ]
            columns.append(np.prod(each, axis=0))
    return np.stack(columns, axis=1)


def quadrature(root: np.ndarray, degree: int, other: int) -> np.ndarray:
    """E[φ_k·φ_jᵀ] under N(0, A·Aᵀ) on a tensor grid that is exact for polynomials of degree 17."""
    nodes, weights = hermite_e.hermegauss(9)
    weights = weights / weights.sum()
    d = len(root)
    z = np.stack([g.ravel() for g in np.meshgrid(*[nodes] * d, indexing="ij")], axis=1)
    w = np.prod([g.ravel() for g in np.meshgrid(*[weights] * d, indexing="ij")], axis=0)
    x = z @ root.T
    block: np.ndarray = (features(x, degree) * w[:, None]).T @ features(x, other)
    return block


@settings(max_examples=40, deadline=None)
@given(
    dim=st.integers(1, 2),
    degrees=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    scale=st.sampled_from([1.0, 0.0, 1e-3, 30.0]),
    seed=st.integers(0, 10**6),
)
def test_blocks_against_quadrature(dim: int, degrees: tuple[int, int], scale: float, seed: int) -> None:
    root = scale * np.random.default_rng(seed).normal(size=(dim, dim))
    expected = np.sum(quadrature(root, *degrees) ** 2)
    cov = torch.from_numpy(root @ root.T)
    got = float(hermite_block_square(Moments(cov), dim, *degrees))
    size = max(1.0, scale * float(np.abs(root).max() + 1)) ** (2 * sum(degrees))
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-12 * size)


@pytest.mark.parametrize("degrees", [(1, 1), (1, 2), (1, 3), (2, 2), (2, 4), (4, 4)])
@pytest.mark.parametrize("sigma", ["0.5", "1", "3"])
def test_blocks_in_one_dimension_against_mpmath(degrees: tuple[int, int], sigma: str) -> None:
    with mpmath.workdps(30):
        s = mpmath.mpf(sigma)

        def he(n: int, x: mpmath.mpf) -> mpmath.mpf:
            return mpmath.hermite(n, x / mpmath.sqrt(2)) / mpmath.sqrt(2) ** n

        def integrand(z: mpmath.mpf) -> mpmath.mpf:
            return he(degrees[0], s * z) * he(degrees[1], s * z) * mpmath.npdf(z)

        mean = mpmath.quad(integrand, [-16, -8, -4, 0, 4, 8, 16])
        expected = mean**2 / (mpmath.factorial(degrees[0]) * mpmath.factorial(degrees[1]))
    cov = torch.tensor([[float(sigma) ** 2]], dtype=torch.float64)
    got = float(hermite_block_square(Moments(cov), 1, *degrees))
    assert got == pytest.approx(float(expected), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("degrees", [(1, 1), (1, 2), (1, 3), (2, 2), (2, 4), (3, 3)])
def test_at_the_source_features_are_orthonormal(degrees: tuple[int, int]) -> None:
    """Under N(0, I) a block is the identity or 0, exactly."""
    got = float(hermite_block_square(Moments(torch.eye(3, dtype=torch.float64)), 3, *degrees))
    assert got == (math.comb(degrees[0] + 2, 2) if degrees[0] == degrees[1] else 0)
