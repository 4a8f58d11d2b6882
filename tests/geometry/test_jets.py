"""Bounds of value, slope and bend against derivatives taken by autograd at random points of the ball."""

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import jacfwd, jacrev, jvp

from boundcheck.geometry import Jet
from boundcheck.geometry.activations import ACTIVATIONS

SEEDS = st.integers(0, 2**31 - 1)
SIZES = st.sampled_from([1e-3, 0.3, 1.0, 10.0])
RADII = st.sampled_from([0.0, 1e-3, 0.5, 3.0])
ROUNDING = 1e-9
"""Allowed excess of a computed norm, relative to its bound: norms below 10⁶, computed to about 1e-16."""

SHAPES = {"A": (2, 3), "B": (3, 2), "C": (2, 3)}
"""Blocks of θ, side by side."""
TOTAL = sum(rows * columns for rows, columns in SHAPES.values())


def blocks(theta: Tensor) -> dict[str, Tensor]:
    parts = theta.split([rows * columns for rows, columns in SHAPES.values()])
    return {name: part.reshape(shape) for (name, shape), part in zip(SHAPES.items(), parts, strict=True)}


class Case:
    """A function of θ, and its jet."""

    def __init__(self, function: Callable[[dict[str, Tensor]], Tensor], jet: Callable[..., Jet]) -> None:
        self.function, self.jet = function, jet

    def __call__(self, theta: Tensor) -> Tensor:
        return self.function(blocks(theta))


def activated(name: str) -> Case:
    phi = ACTIVATIONS[name]
    return Case(
        lambda p: phi.value((p["A"] @ p["B"]).flatten()[:1].expand(3) * torch.tensor([1.0, -0.5, 0.2])),
        lambda A, B, C: A.times_apart(B).scaled(1.29**0.5).activated(phi, 3),
    )


CASES = {
    "a block": Case(lambda p: p["A"], lambda A, B, C: A),
    "a multiple": Case(lambda p: 3.5 * p["A"], lambda A, B, C: A.scaled(3.5)),
    "a product of disjoint blocks": Case(lambda p: p["A"] @ p["B"], lambda A, B, C: A.times_apart(B)),
    "three disjoint blocks": Case(lambda p: p["A"] @ p["B"] @ p["C"], lambda A, B, C: A.times_apart(B).times_apart(C)),
    "softmax": Case(lambda p: torch.softmax(p["A"], -1), lambda A, B, C: A.softmax(2)),
    "softmax of a product": Case(
        lambda p: torch.softmax(p["A"] @ p["B"], -1), lambda A, B, C: A.times_apart(B).softmax(2)
    ),
    "tanh": activated("tanh"),
    "softplus": activated("softplus"),
    "sigmoid": activated("sigmoid"),
}


def directions(rng: np.random.Generator, count: int) -> Tensor:
    found = torch.from_numpy(rng.standard_normal((count, TOTAL)))
    return found / torch.linalg.vector_norm(found, dim=-1, keepdim=True)


@pytest.mark.parametrize("name", CASES)
@given(seed=SEEDS, size=SIZES, radius=RADII)
@settings(max_examples=15, deadline=None)
def test_no_point_of_the_ball_exceeds_a_jet(name: str, seed: int, size: float, radius: float) -> None:
    rng = np.random.default_rng(seed)
    centre = size * torch.from_numpy(rng.standard_normal(TOTAL))
    rho = torch.tensor(radius, dtype=torch.float64)
    case = CASES[name]
    jet = case.jet(*(Jet.trained(block, rho) for block in blocks(centre).values()))
    theta = centre + radius * directions(rng, 1)[0]
    value = case(theta)
    norm = torch.linalg.matrix_norm(value, ord=2) if value.dim() == 2 else torch.linalg.vector_norm(value)
    assert norm <= jet.value * (1 + ROUNDING) + 1e-12
    slope = jacrev(case)(theta).flatten(0, -2)
    assert torch.linalg.matrix_norm(slope, ord=2) <= jet.slope * (1 + ROUNDING) + 1e-12
    for u, v in zip(directions(rng, 4), directions(rng, 4), strict=True):
        for w in (u, v):  # along one direction, too: there the bends of products are largest

            def along(t: Tensor, u: Tensor = u) -> Tensor:
                derivative: Tensor = jvp(case, (t,), (u,))[1]
                return derivative

            bent = jvp(along, (theta,), (w,))[1]
            assert torch.linalg.vector_norm(bent) <= jet.bend * (1 + ROUNDING) + 1e-12


def test_the_bend_of_a_product_of_blocks_is_attained() -> None:
    """|D²(ab)[u, u]| = 2·u_a·u_b is at most ‖u‖²: the norm of its Hessian."""
    one = torch.ones(1, 1, dtype=torch.float64)
    a = Jet.trained(one, torch.zeros((), dtype=torch.float64))
    hessian = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert float(a.times_apart(a).bend) == pytest.approx(float(np.linalg.norm(hessian, 2)))


def test_a_softmax_attains_its_slope_and_its_bend() -> None:
    """Slope 1/2 at p = (1/2, 1/2); bend √6/9 at odds of x : 1 - x with x = (1 - 1/√3)/2."""
    jet = Jet.trained(torch.zeros(1, 2, dtype=torch.float64), torch.zeros((), dtype=torch.float64)).softmax(1)

    def weights(z: Tensor) -> Tensor:
        return torch.softmax(z, -1)

    even = torch.zeros(2, dtype=torch.float64)
    assert torch.linalg.matrix_norm(jacrev(weights)(even), ord=2) == pytest.approx(float(jet.slope), rel=1e-12)
    x = (1 - 1 / np.sqrt(3)) / 2
    odds = torch.tensor([np.log(x / (1 - x)), 0.0], dtype=torch.float64)
    across = torch.tensor([1.0, -1.0], dtype=torch.float64) / np.sqrt(2)
    third = float(across @ (jacfwd(jacrev(weights))(odds) @ across @ across))
    assert abs(third) == pytest.approx(float(jet.bend), rel=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_largest_values_of_activations(name: str) -> None:
    """Against mpmath on a fine grid, ends included; tight to a thousandth."""
    phi = ACTIVATIONS[name]
    exact: dict[str, Callable[[mpmath.mpf], mpmath.mpf]] = {
        "tanh": mpmath.tanh,
        "softplus": lambda t: mpmath.log(1 + mpmath.exp(t)),
        "sigmoid": lambda t: 1 / (1 + mpmath.exp(-t)),
        "relu": lambda t: max(t, mpmath.mpf(0)),
    }
    grid = [mpmath.mpf(k) / 50 + mpmath.mpf(1) / 3000 for k in range(-250, 251)]
    with mpmath.workdps(30):
        slopes = [mpmath.diff(exact[name], t) for t in grid]
        bends = [abs(mpmath.diff(exact[name], t, 2)) for t in grid]
        assert 0.99 * phi.steepest <= max(slopes) <= phi.steepest * (1 + 1e-12)
        assert 0.99 * phi.sharpest - 1e-9 <= max(bends) <= phi.sharpest + 1e-9
        assert exact[name](mpmath.mpf(0)) <= phi.at_zero
        assert max(abs(exact[name](t)) for t in grid) <= phi.limit
        t = torch.tensor([float(v) for v in grid], dtype=torch.float64)
        values = [float(exact[name](mpmath.mpf(v))) for v in t.tolist()]
        torch.testing.assert_close(phi.value(t), torch.tensor(values, dtype=torch.float64), rtol=1e-12, atol=1e-15)
        slope = [float(mpmath.diff(exact[name], mpmath.mpf(v))) for v in t.tolist()]
        torch.testing.assert_close(phi.slope(t), torch.tensor(slope, dtype=torch.float64), rtol=1e-9, atol=1e-12)
