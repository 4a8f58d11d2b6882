"""The families' closed forms against automatic differentiation, and their Lipschitz constants against an adversary."""

import itertools
import math
from collections.abc import Mapping

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import Family, Linear, Quadratic, TwoLayer, softplus
from boundcheck.geometry.activations import SIGMOID_CURVATURE, SOFTPLUS_CURVATURE, TANH_CURVATURE
from boundcheck.geometry.family import GeneralQuadratic

FAMILIES = [
    Linear(3, 1),
    Linear(3, 2),
    Quadratic(4, 1),
    Quadratic(4, 3),
    GeneralQuadratic(3, 1),
    GeneralQuadratic(3, 2),
    TwoLayer(3, 5, 1, "tanh"),
    TwoLayer(3, 5, 3, "tanh"),
    TwoLayer(3, 5, 1, "softplus"),
    TwoLayer(2, 1, 2, "softplus"),
    TwoLayer(3, 4, 2, "sigmoid"),
]
NAMES = [repr(family) for family in FAMILIES]

ROUNDING = 1e-9
"""Allowed excess of a ratio of computed norms over 1. Steps are at least 1e-3 long, so that the rounding of the two
Jacobians, a few 1e-16 of norms up to 10³, stays below it."""

families = st.sampled_from(FAMILIES)
seeds = st.integers(0, 2**31 - 1)
scales = st.sampled_from([0.1, 1.0, 5.0])


class Draw:
    """One random instance, with as many leading axes as asked for."""

    def __init__(self, family: Family, seed: int, *lanes: int, rows: int = 4, scale: float = 1.0) -> None:
        generator = torch.Generator().manual_seed(seed)

        def random(*shape: int) -> Tensor:
            return scale * torch.randn(*lanes, *shape, dtype=torch.float64, generator=generator)

        self.family = family
        self.theta, self.other = random(family.parameters), random(family.parameters)
        self.x = random(rows, family.features)
        self.frozen = {name: random(*shape) for name, shape in family.frozen_shapes().items()}
        self.cotangent = random(rows, family.outputs_count)

    def lane(self, index: tuple[int, ...]) -> "Draw":
        one = object.__new__(Draw)
        one.family = self.family
        one.theta, one.other, one.x = self.theta[index], self.other[index], self.x[index]
        one.frozen = {name: value[index] for name, value in self.frozen.items()}
        one.cotangent = self.cotangent[index]
        return one


def per_row(draw: Draw, values: Tensor) -> Tensor:
    """E‖·‖² over rows, of Jacobians `[..., rows, k, n]`."""
    return torch.linalg.matrix_norm(values, ord=2).square().mean(-1).sqrt()


def ratios(draw: Draw, theta: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Attained parts of β_S and of β for a pair of parameters: above 1 means that the constant is no upper bound."""
    family = draw.family
    change = family.jacobian(theta, draw.frozen, draw.x) - family.jacobian(other, draw.frozen, draw.x)
    distance = torch.linalg.vector_norm(theta - other, dim=-1)
    stacked = torch.linalg.matrix_norm(change.flatten(-3, -2), ord=2)
    beta_s = family.smoothness(theta, draw.frozen, draw.x)
    beta = family.mean_smoothness(theta, draw.frozen, draw.x)
    return stacked / (beta_s * distance), per_row(draw, change) / (beta * distance)


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_closed_forms_are_the_automatic_derivatives(family: Family) -> None:
    draw = Draw(family, 1)
    automatic = torch.autograd.functional.jacobian(lambda t: family.outputs(t, draw.frozen, draw.x), draw.theta)
    jacobian = family.jacobian(draw.theta, draw.frozen, draw.x)
    torch.testing.assert_close(jacobian, automatic)
    torch.testing.assert_close(Family.jacobian(family, draw.theta, draw.frozen, draw.x), automatic)
    expected = torch.einsum("ikn,ik->n", automatic, draw.cotangent)
    torch.testing.assert_close(family.pullback(draw.theta, draw.frozen, draw.x, draw.cotangent), expected)
    torch.testing.assert_close(Family.pullback(family, draw.theta, draw.frozen, draw.x, draw.cotangent), expected)


@pytest.mark.parametrize("lanes", [(), (3,), (2, 3)])
@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_lanes_are_independent_instances(family: Family, lanes: tuple[int, ...]) -> None:
    draw = Draw(family, 2, *lanes)
    for index in itertools.product(*(range(size) for size in lanes)):
        one = draw.lane(index)
        for name in ("outputs", "jacobian", "smoothness", "mean_smoothness"):
            batched = getattr(family, name)(draw.theta, draw.frozen, draw.x)[index]
            torch.testing.assert_close(batched, getattr(family, name)(one.theta, one.frozen, one.x))
        batched = family.pullback(draw.theta, draw.frozen, draw.x, draw.cotangent)[index]
        torch.testing.assert_close(batched, family.pullback(one.theta, one.frozen, one.x, one.cotangent))


@given(family=families, seed=seeds, scale=scales, distance=st.sampled_from([1e-3, 0.1, 1.0, 30.0]))
@settings(deadline=None, max_examples=300)
def test_the_smoothness_constants_are_upper_bounds(family: Family, seed: int, scale: float, distance: float) -> None:
    draw = Draw(family, seed, 16, scale=scale)
    step = draw.other / torch.linalg.vector_norm(draw.other, dim=-1, keepdim=True)
    if isinstance(family, Linear):
        jacobians = [family.jacobian(t, draw.frozen, draw.x) for t in (draw.theta, draw.other)]
        assert torch.equal(*jacobians)
        assert not family.smoothness(draw.theta, draw.frozen, draw.x).any()
        return
    for found in ratios(draw, draw.theta, draw.theta + distance * step):
        assert found.max() <= 1 + ROUNDING


def climb(draw: Draw, which: int, steps: int = 150) -> Tensor:
    """The largest ratio on the way of a gradient ascent over the pair and the data, lane by lane."""
    leaves = [
        draw.theta.clone().requires_grad_(),
        (draw.theta + draw.other).requires_grad_(),
        draw.x.clone().requires_grad_(),
    ]
    ascent = torch.optim.Adam(leaves, lr=0.1, maximize=True)
    best = torch.zeros(draw.theta.shape[:-1], dtype=torch.float64)
    for _ in range(steps):
        draw.x = leaves[2]
        found = ratios(draw, leaves[0], leaves[1])[which]
        far = torch.linalg.vector_norm(leaves[0] - leaves[1], dim=-1) >= 1e-3
        best = torch.where(far & (found > best), found, best).detach()
        ascent.zero_grad()
        found.sum().backward()
        ascent.step()
    return best


@pytest.mark.parametrize("which", [0, 1], ids=["stacked", "mean"])
@pytest.mark.parametrize("family", FAMILIES[2:], ids=NAMES[2:])
def test_an_adversary_does_not_exceed_the_smoothness_constants(family: Family, which: int) -> None:
    best = climb(Draw(family, 3, 64, rows=3), which)
    assert best.max() <= 1 + ROUNDING
    assert best.max() > 0.5  # it does climb: a bound that it never comes near would not be tested


@pytest.mark.parametrize("family", [f for f in FAMILIES if isinstance(f, Quadratic)], ids=repr)
def test_the_constants_of_a_quadratic_are_attained(family: Quadratic) -> None:
    draw = Draw(family, 4)
    vectors = torch.linalg.eigh(0.5 * (draw.frozen["root"] + draw.frozen["root"].mT))
    leading = vectors.eigenvectors[:, vectors.eigenvalues.abs().argmax()]
    for found in ratios(draw, draw.theta, draw.theta + 2.0 * leading):
        torch.testing.assert_close(found, torch.ones_like(found), rtol=1e-12, atol=0)


def test_the_mean_constant_of_a_general_quadratic_is_attained_for_one_output() -> None:
    draw = Draw(GeneralQuadratic(3, 1), 4)
    curvatures = draw.x[:, 3:].unflatten(-1, (3, 3))
    curvatures = 0.5 * (curvatures + curvatures.mT)
    leading = torch.linalg.eigh((curvatures @ curvatures).sum(0)).eigenvectors[:, -1]
    found = ratios(draw, draw.theta, draw.theta + 2.0 * leading)[1]
    torch.testing.assert_close(found, torch.ones_like(found), rtol=1e-12, atol=0)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(
    ("activation", "steepest"),
    [("tanh", math.atanh(1 / math.sqrt(3))), ("softplus", 0.0), ("sigmoid", 2 * math.atanh(1 / math.sqrt(3)))],
)
def test_the_constants_of_a_two_layer_net_are_approached(activation: str, steepest: float, outputs: int) -> None:
    """One unit, one sample, and a short step at the steepest point of φ': no smaller constant would do, for k outputs too."""
    draw = Draw(TwoLayer(2, 1, outputs, activation), 5, rows=1)
    unit = draw.x[0] / torch.linalg.vector_norm(draw.x[0])
    theta = steepest * unit / torch.linalg.vector_norm(draw.x[0])
    for found in ratios(draw, theta - 5e-4 * unit, theta + 5e-4 * unit):
        assert 1 - 1e-5 < found <= 1 + ROUNDING


def test_the_curvature_constants_are_at_least_the_exact_ones() -> None:
    with mpmath.workdps(40):
        assert 4 / (3 * mpmath.sqrt(3)) <= TANH_CURVATURE
        assert pytest.approx(float(4 / (3 * mpmath.sqrt(3))), rel=1e-15) == TANH_CURVATURE
        assert 1 / (6 * mpmath.sqrt(3)) <= SIGMOID_CURVATURE
        assert pytest.approx(float(1 / (6 * mpmath.sqrt(3))), rel=1e-15) == SIGMOID_CURVATURE
        logistic = mpmath.diff(lambda t: mpmath.log(1 + mpmath.exp(t)), 0, 2)
        assert abs(logistic - mpmath.mpf(SOFTPLUS_CURVATURE)) < 1e-12


@given(st.floats(-700, 700))
@settings(deadline=None)
def test_softplus_is_accurate_to_a_few_ulp(t: float) -> None:
    with mpmath.workdps(340):
        exact = float(mpmath.log(1 + mpmath.exp(mpmath.mpf(t))))
    found = float(softplus(torch.tensor(t, dtype=torch.float64)))
    assert abs(found - exact) <= 4 * math.ulp(exact)


class Sine(Family):
    """A family that gives its outputs only."""

    @property
    def parameters(self) -> int:
        return 3

    @property
    def features(self) -> int:
        return 3

    def outputs(self, theta: Tensor, frozen: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return torch.sin(x @ theta.unsqueeze(-1))


def test_a_family_of_outputs_alone_gets_derivatives_and_a_lower_bound() -> None:
    """|sin''| <= 1 gives β_S <= √‖Σ‖x‖²xxᵀ‖; what is sampled stays below it and says that it is no proof."""
    draw = Draw(Sine(), 6, 5)
    assert not Sine.closed_form
    expected = torch.cos(draw.x @ draw.theta.unsqueeze(-1))[..., None] * draw.x[..., None, :]
    torch.testing.assert_close(draw.family.jacobian(draw.theta, {}, draw.x), expected)
    pulled = torch.einsum("likn,lik->ln", expected, draw.cotangent)
    torch.testing.assert_close(draw.family.pullback(draw.theta, {}, draw.x, draw.cotangent), pulled)
    sampled = draw.family.smoothness(draw.theta, {}, draw.x)
    scaled = draw.x * torch.linalg.vector_norm(draw.x, dim=-1, keepdim=True)
    assert (sampled > 0).all()
    assert (sampled <= torch.linalg.matrix_norm(scaled, ord=2) * (1 + ROUNDING)).all()


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(BoundcheckError, match=r"relu.*tanh"):
        TwoLayer(2, 2, 1, "relu")


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_nan_stays_nan(family: Family) -> None:
    draw = Draw(family, 7)
    draw.x = torch.full_like(draw.x, math.nan)
    assert draw.family.jacobian(draw.theta, draw.frozen, draw.x).isnan().any()
    if not isinstance(family, Linear):
        assert draw.family.outputs(draw.theta, draw.frozen, draw.x).isnan().all()
