"""ReLU neurons and their kinks, against mpmath, quadrature, sampling with its error, and loops."""

import itertools
import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from torch import Tensor

from boundcheck.claim import Claim, Sides
from boundcheck.geometry.networks import first_layer_kinks
from boundcheck.problem import Problem
from boundcheck.strategies import layer_pairs, neuron_pairs
from boundcheck.strategies.relu_neurons import (
    LayerPair,
    LayerPairRecipe,
    NeuronPair,
    NeuronPairRecipe,
    straight_across,
)
from boundcheck.theorems.local_edits.relu_kinks import (
    jacobian_change,
    jacobian_change_le_half_step,
    jacobian_change_le_step,
    jacobian_is_lipschitz_as_printed,
    jacobian_stays_below_first_kink,
    layer_jacobian,
    share_of_signs,
)
from tests.strategies.instances import one_instance


def pair(w: list[float], v: list[float], a: float = 1.0) -> NeuronPair:
    numbers = [torch.tensor(value, dtype=torch.float64) for value in (a, w, v)]
    return NeuronPair(head=numbers[0], weights=numbers[1], moved=numbers[2])


def state(claim: Claim, p: Problem) -> tuple[Sides, dict[str, float]]:
    constants = {name: torch.tensor(float(exact.value), dtype=torch.float64) for name, exact in claim.constants.items()}
    statement, premises = claim.state(p, constants)
    assert isinstance(statement, Sides)
    return statement, {premise.name: float(premise.margin) for premise in premises}


@settings(max_examples=60, deadline=None)
@given(recipe=neuron_pairs(), lane=st.integers(0, 1000))
def test_the_angle_against_arccos_in_fifty_digits(recipe: NeuronPairRecipe, lane: int) -> None:
    p = one_instance(recipe.build(1, first=lane), 0)
    with mpmath.workdps(50):
        w, v = (mpmath.matrix([mpmath.mpf(x) for x in vector.tolist()]) for vector in (p.weights, p.moved))
        cosine = (w.T * v)[0] / (mpmath.norm(w) * mpmath.norm(v))
        expected = mpmath.acos(max(min(cosine, 1), -1)) / mpmath.pi
    assert float(share_of_signs(p)) == pytest.approx(float(expected), rel=1e-7, abs=1e-15)


@pytest.mark.parametrize(("w", "v"), [([1.0, 0.0], [0.6, 0.8]), ([2.0, 1.0], [-3.0, 0.5]), ([1.0, 1.0], [1.0, 1.001])])
def test_the_law_against_quadrature(w: list[float], v: list[float]) -> None:
    """In the plane, over directions and lengths: the integrand a step in the direction, its jumps given to the rule."""
    p = pair(w, v, a=1.5)

    def change(phi: float) -> float:
        x = np.array([math.cos(phi), math.sin(phi)])
        return float(((x @ w > 0) != (x @ v > 0)) * 1.5**2)

    jumps = sorted((math.atan2(*u[::-1]) + side * math.pi / 2) % (2 * math.pi) for u in (w, v) for side in (1, -1))
    edges = [0.0, *jumps, 2 * math.pi]
    directions = sum(integrate.quad(change, a, b)[0] for a, b in itertools.pairwise(edges))
    lengths = integrate.quad(lambda r: r**3 * math.exp(-(r**2) / 2), 0, 40)[0]
    assert float(jacobian_change(p)) == pytest.approx(directions * lengths / (2 * math.pi), rel=1e-8)


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_the_law_against_sampling(dim: int) -> None:
    """200,000 samples: within six standard errors of their mean."""
    generator = np.random.default_rng(dim)
    w, v, x = generator.normal(size=dim), generator.normal(size=dim), generator.normal(size=(200_000, dim))
    p = pair(w.tolist(), v.tolist(), a=-0.7)

    def jacobian(weights: np.ndarray) -> np.ndarray:
        rows: np.ndarray = -0.7 * (x @ weights > 0)[:, None] * x
        return rows

    squares = ((jacobian(v) - jacobian(w)) ** 2).sum(1)
    error = 6 * squares.std() / math.sqrt(len(x))
    assert abs(float(jacobian_change(p)) - squares.mean()) < error
    assert error < 0.05 * squares.mean()


@settings(max_examples=100, deadline=None)
@given(recipe=neuron_pairs(), lane=st.integers(0, 1000))
def test_the_corrected_laws_hold_and_the_sides_are_what_they_say(recipe: NeuronPairRecipe, lane: int) -> None:
    p = one_instance(recipe.build(1, first=lane), 0)
    w, v = p.weights.numpy(), p.moved.numpy()
    step = float(np.linalg.norm(v - w) / np.linalg.norm(w))
    unit = float(p.head) ** 2 * len(w)
    everywhere, _ = state(jacobian_change_le_step, p)
    near, premises = state(jacobian_change_le_half_step, p)
    printed, within = state(jacobian_is_lipschitz_as_printed, p)
    assert float(everywhere.larger) == pytest.approx(unit * step, rel=1e-12)
    assert float(near.larger) == pytest.approx(unit * step / 2, rel=1e-12)
    assert float(printed.larger) == pytest.approx(1024 * unit * step**2, rel=1e-12)
    assert within["v is in the ball"] == pytest.approx(2**-10 - step, rel=1e-9)
    assert float(everywhere.smaller) <= float(everywhere.larger) * (1 + 1e-7)
    if premises["the step is at most |w|"] >= 0:
        assert float(near.smaller) <= float(near.larger) * (1 + 1e-7)


@pytest.mark.parametrize("distance", [1e-4, 1e-6, 1e-8])
def test_the_change_is_of_first_order_in_the_step(distance: float) -> None:
    """At a right angle ∠ = atan t: the ratio to t² grows without bound."""
    p = pair([1.0, 0.0, 0.0], [1.0, distance, 0.0])
    assert float(jacobian_change(p)) == pytest.approx(3 * math.atan(distance) / math.pi, rel=1e-12)
    sides, premises = state(jacobian_is_lipschitz_as_printed, p)
    assert min(premises.values()) > 0
    assert float(sides.smaller) / float(sides.larger) == pytest.approx(1 / (1024 * math.pi * distance), rel=1e-6)


def test_both_constants_are_approached() -> None:
    opposite, across = pair([1.0, 0.0], [-1e-9, 0.0]), pair([1.0, 0.0], [1e-9, 1e-4])
    for claim, p in ((jacobian_change_le_step, opposite), (jacobian_change_le_half_step, across)):
        sides, _ = state(claim, p)
        assert 0.999 < float(sides.smaller) / float(sides.larger) <= 1


def test_weights_that_are_0_have_no_angle() -> None:
    _, premises = state(jacobian_change_le_step, pair([1.0, 0.0], [0.0, 0.0]))
    assert premises["v is not 0"] == -1.0


def signs(weights: Tensor, inputs: Tensor) -> list[list[bool]]:
    return [[sum(a * b for a, b in zip(w, x, strict=True)) > 0 for w in weights.tolist()] for x in inputs.tolist()]


@settings(max_examples=60, deadline=None)
@given(recipe=layer_pairs(), lane=st.integers(0, 1000), part=st.floats(0, 0.999))
def test_nothing_moves_inside_the_radius(recipe: LayerPairRecipe, lane: int, part: float) -> None:
    p = one_instance(recipe.build(1, first=lane), 0)
    radius = float(first_layer_kinks(p.weights, p.inputs))
    loop = min(
        abs(sum(a * b for a, b in zip(w, x, strict=True))) / math.hypot(*x)
        for w in p.weights.tolist()
        for x in p.inputs.tolist()
    )
    assert radius == pytest.approx(loop, rel=1e-12)
    step = p.moved - p.weights
    inside = p.weights + part * radius * step / torch.linalg.vector_norm(step)
    assert signs(inside, p.inputs) == signs(p.weights, p.inputs)
    assert torch.equal(layer_jacobian(p, inside), layer_jacobian(p, p.weights))


@settings(max_examples=60, deadline=None)
@given(recipe=layer_pairs(), lane=st.integers(0, 1000))
def test_the_jacobian_moves_where_a_sign_does(recipe: LayerPairRecipe, lane: int) -> None:
    p = one_instance(recipe.build(1, first=lane), 0)
    sides, premises = state(jacobian_stays_below_first_kink, p)
    moved = signs(p.moved, p.inputs) != signs(p.weights, p.inputs)
    assert (premises["the Jacobian moved"] > 0) is moved
    if recipe.straight:
        assert moved
    if moved:
        assert float(sides.smaller) <= float(sides.larger)


@pytest.mark.parametrize("lane", range(5))
def test_the_jacobian_of_a_layer_by_a_loop(lane: int) -> None:
    p = one_instance(LayerPairRecipe(3, 2, 4, seed=1).build(1, first=lane), 0)
    expected = [
        [[float(a) * x_k * (float(w @ x) > 0) for x_k in x.tolist()] for a, w in zip(p.head, p.weights, strict=True)]
        for x in p.inputs
    ]
    torch.testing.assert_close(layer_jacobian(p, p.weights), torch.tensor(expected, dtype=torch.float64))


def test_straight_across_reaches_the_nearest_kink() -> None:
    batch = LayerPairRecipe(3, 2, 4, seed=1).build(20)
    step = straight_across(batch.weights, batch.inputs)
    for lane in range(20):
        p = one_instance(batch, lane)
        assert float(torch.linalg.vector_norm(step[lane])) == pytest.approx(
            float(first_layer_kinks(p.weights, p.inputs)), rel=1e-10
        )
        assert float(((p.weights + step[lane]) @ p.inputs.mT).abs().min()) < 1e-12


def test_an_input_on_a_kink_or_at_0_is_vacuous() -> None:
    one = torch.ones(1, dtype=torch.float64)
    weights = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    for x, name in (([0.0, 2.0], "no input is on a kink"), ([0.0, 0.0], "no input is 0")):
        inputs = torch.tensor([x], dtype=torch.float64)
        p = LayerPair(head=one, weights=weights, moved=-weights, inputs=inputs)
        assert state(jacobian_stays_below_first_kink, p)[1][name] == -1.0


@pytest.mark.parametrize("recipe", [NeuronPairRecipe(3, "flipped", 2), LayerPairRecipe(2, 3, 4, seed=2)], ids=str)
def test_recipes_keep_their_lanes_and_survive_json(recipe: NeuronPairRecipe | LayerPairRecipe) -> None:
    batch, alone = recipe.build(8), recipe.build(1, first=5)
    for name, leaf in batch.leaves().items():
        torch.testing.assert_close(leaf[5], alone.leaves()[name][0], rtol=1e-12, atol=1e-15)
    assert bool((batch.finite() & batch.admissible()).all())
    again = Problem.from_json(batch.to_json())
    assert all(torch.equal(a, b) for a, b in zip(batch.leaves().values(), again.leaves().values(), strict=True))


def test_distances_from_1e_minus_8_to_10_are_reached() -> None:
    batch = NeuronPairRecipe(3, "any", seed=3).build(512)
    step = torch.linalg.vector_norm(batch.moved - batch.weights, dim=-1)
    relative = step / torch.linalg.vector_norm(batch.weights, dim=-1)
    assert float(relative.min()) < 1e-7
    assert float(relative.max()) > 5
