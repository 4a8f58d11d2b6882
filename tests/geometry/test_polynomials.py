"""Polynomial features against numpy's Hermite polynomials, quadrature, naive products and automatic differentiation."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import hermite_e
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import Family, Polynomial

MODELS = st.builds(
    Polynomial,
    inputs=st.integers(1, 3),
    degree=st.integers(1, 4),
    kind=st.sampled_from(["monomial", "hermite"]),
    centred=st.booleans(),
)
SEEDS = st.integers(0, 2**31 - 1)


def random(seed: int, *shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def quadrature(dim: int, nodes: int = 12) -> tuple[Tensor, Tensor]:
    """Points and weights that integrate polynomials of degree below 2·nodes in each coordinate exactly under N(0, I)."""
    points, weights = hermite_e.hermegauss(nodes)
    weights = weights / math.sqrt(2 * math.pi)
    grid = np.array(list(itertools.product(points, repeat=dim)))
    mass = np.array([math.prod(w) for w in itertools.product(weights, repeat=dim)])
    return torch.from_numpy(grid), torch.from_numpy(mass)


@given(model=MODELS)
@settings(max_examples=40, deadline=None)
def test_every_multi_index_of_the_degrees_occurs_once(model: Polynomial) -> None:
    lowest = 0 if model.kind == "hermite" and not model.centred else 1
    expected = {
        alpha
        for alpha in itertools.product(range(model.degree + 1), repeat=model.inputs)
        if lowest <= sum(alpha) <= model.degree
    }
    assert set(model.multi_indices) == expected
    assert len(model.multi_indices) == len(expected) == model.parameters
    degrees = [sum(alpha) for alpha in model.multi_indices]
    assert degrees == sorted(degrees)


@given(model=MODELS, seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_features_are_the_polynomials_of_their_indices(model: Polynomial, seed: int) -> None:
    x = 2 * random(seed, 5, model.inputs)
    expected = np.empty((5, model.parameters))
    for row, column in itertools.product(range(5), range(model.parameters)):
        value, mean = 1.0, 1.0
        for t, power in zip(x[row].tolist(), model.multi_indices[column], strict=True):
            unit = [0.0] * power + [1.0]
            if model.kind == "hermite":
                value *= hermite_e.hermeval(t, unit) / math.sqrt(math.factorial(power))
            else:
                value *= t**power
                mean *= [1, 0, 1, 0, 3][power]
        expected[row, column] = value - mean if model.kind == "monomial" and model.centred else value
    np.testing.assert_allclose(model.features_of(x).numpy(), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("inputs", [1, 2, 3])
@pytest.mark.parametrize("centred", [True, False])
def test_hermite_features_are_orthonormal_under_the_normal_law(inputs: int, centred: bool) -> None:
    points, mass = quadrature(inputs, 6)
    features = Polynomial(inputs, 4, "hermite", centred).features_of(points)
    gram = features.mT @ (mass[:, None] * features)
    torch.testing.assert_close(gram, torch.eye(len(gram), dtype=torch.float64), rtol=0, atol=1e-12)
    mean = mass @ features
    assert (mean.abs() > 0.5).sum() == (0 if centred else 1), "the constant alone has a mean"


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_centred_monomials_have_mean_0_and_the_others_do_not(inputs: int) -> None:
    points, mass = quadrature(inputs, 6)
    centred, plain = (mass @ Polynomial(inputs, 4, "monomial", flag).features_of(points) for flag in (True, False))
    torch.testing.assert_close(centred, torch.zeros_like(centred), rtol=0, atol=1e-12)
    assert (plain > 0.5).sum() == sum(
        all(power % 2 == 0 for power in alpha) for alpha in Polynomial(inputs, 4).multi_indices
    )


@given(model=MODELS, seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_outputs_jacobian_and_pullback_agree(model: Polynomial, seed: int) -> None:
    theta, x, cotangent = random(seed, 3, model.parameters), random(seed + 1, 3, 4, model.inputs), random(seed, 3, 4, 1)
    automatic = Family.jacobian(model, theta, {}, x)
    torch.testing.assert_close(model.jacobian(theta, {}, x), automatic)
    pulled = torch.einsum("likn,lik->ln", automatic, cotangent)
    torch.testing.assert_close(model.pullback(theta, {}, x, cotangent), pulled)
    outputs = torch.einsum("likn,ln->lik", automatic, theta)
    torch.testing.assert_close(model.outputs(theta, {}, x), outputs)
    for constant in (model.smoothness(theta, {}, x), model.mean_smoothness(theta, {}, x, torch.ones(3))):
        assert torch.equal(constant, torch.zeros(3, dtype=torch.float64))


@pytest.mark.parametrize(
    ("inputs", "degree", "kind"), [(0, 1, "monomial"), (1, 0, "monomial"), (1, 5, "hermite"), (1, 1, "legendre")]
)
def test_what_is_refused(inputs: int, degree: int, kind: str) -> None:
    with pytest.raises(BoundcheckError, match="expected"):
        Polynomial(inputs, degree, kind)
