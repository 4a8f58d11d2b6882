"""Policies, directions, pairs of spectra and layers: what is built is what is named, and the extremes are reached."""

import math
from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck import BoundcheckError, Problem
from boundcheck.strategies import (
    directions,
    linear_layers,
    linear_policies,
    projected_lengths,
    reference_policies,
    shaped_policies,
    spectral_pairs,
    tilts,
    turned_directions,
)
from boundcheck.strategies.policies import (
    DirectionRecipe,
    LinearLayerRecipe,
    LinearPolicyRecipe,
    SpectralPairRecipe,
    TiltRecipe,
    divergence,
    nearest,
)

STRATEGIES = [
    directions(),
    linear_layers(),
    linear_policies(),
    projected_lengths(),
    reference_policies(),
    shaped_policies(),
    spectral_pairs(),
    tilts(),
    turned_directions(),
]
LANES = 64


def quiet(examples: int = 100) -> settings:
    return settings(
        max_examples=examples, database=None, deadline=None, phases=[hypothesis.Phase.generate], derandomize=True
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_lanes_do_not_depend_on_their_batch(strategy: Any) -> None:
    """Exactly, or up to the last digits where a batched product was needed to place a direction."""

    @given(recipe=strategy, lane=st.integers(0, 15))
    @settings(max_examples=10)
    def check(recipe: Any, lane: int) -> None:
        batch, alone = recipe.build(16).leaves(), recipe.build(1, first=lane).leaves()
        for name, tensor in batch.items():
            torch.testing.assert_close(tensor[lane], alone[name][0], rtol=1e-9, atol=1e-12)

    check()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_instance_is_finite_admissible_and_survives_json(strategy: Any) -> None:
    @given(recipe=strategy)
    @settings(max_examples=15)
    def check(recipe: Any) -> None:
        problem = recipe.build(16)
        assert problem.finite().all(), recipe.label
        assert problem.admissible().all(), recipe.label
        again = Problem.from_json(problem.to_json())
        assert again.identity() == problem.identity()
        for name, tensor in problem.leaves().items():
            assert torch.equal(tensor, again.leaves()[name])

    check()


@given(recipe=tilts())
@settings(max_examples=40)
def test_tilts_are_of_the_spread_they_promise(recipe: TiltRecipe) -> None:
    problem = recipe.build(LANES)
    assert (problem.spread >= 0.9e-2).all()
    assert (problem.spread <= 20.1).all()
    assert torch.allclose(problem.probabilities.sum(-1), torch.ones(LANES, dtype=torch.float64))
    if recipe.kind in ("rare_low", "rare_high"):
        assert (problem.probabilities[:, 0] <= 1.01e-3).all()
        assert (problem.tilt[:, 0] < 0).all() == (recipe.kind == "rare_low")


@pytest.mark.parametrize(("kind", "sign"), [("rare_low", -1), ("rare_high", 1)])
@pytest.mark.parametrize("classes", [2, 8])
def test_both_sides_of_the_sandwich_are_nearly_reached(kind: Any, sign: int, classes: int) -> None:
    problem = TiltRecipe(classes, kind, 1).build(256)
    u = sign * problem.spread
    ratio = problem.divergence / ((torch.expm1(u) - u) / u.square() * problem.variance)
    nearest_one = ratio.min() if sign < 0 else ratio.max()
    assert abs(float(nearest_one) - 1) < 1e-4


@given(
    logs=st.lists(st.floats(-3, 3), min_size=2, max_size=5),
    data=st.data(),
)
@settings(max_examples=100)
def test_divergence_is_not_negative_and_ignores_constants(logs: list[float], data: st.DataObject) -> None:
    change = data.draw(st.lists(st.floats(-5, 5), min_size=len(logs), max_size=len(logs)))
    p, w = torch.softmax(torch.tensor(logs).double(), -1), torch.tensor(change).double()
    found = float(divergence(p, w))
    assert found >= -1e-15
    assert found == pytest.approx(float(divergence(p, w + 3)), rel=1e-9, abs=1e-14)
    q = (p * torch.exp(w)) / (p * torch.exp(w)).sum()
    assert found == pytest.approx(float((p * torch.log(p / q)).sum()), rel=1e-6, abs=1e-14)


def test_small_changes_lose_no_digits() -> None:
    p = torch.tensor([0.5, 0.5]).double()
    for size in (1e-3, 1e-6):  # KL = log cosh(size)
        w = torch.tensor([size, -size]).double()
        assert float(divergence(p, w)) == pytest.approx(size**2 / 2 - size**4 / 12, rel=1e-9)


def test_contrasts_come_close_to_the_cubic_constant() -> None:
    problem = LinearPolicyRecipe(1, 2, 1, "skewed", 3).build(256)
    F, D = problem.fisher, problem.displacement
    quadratic = (D[:, None] @ F @ D[..., None])[:, 0, 0]
    bound = math.sqrt(6) / 54 * torch.linalg.matrix_norm(problem.features[:, 0], 2) ** 3 * problem.length**3
    assert float(((one_drop(problem) - quadratic / 2).abs() / bound).max()) > 0.95


def one_drop(problem: Any) -> torch.Tensor:
    """Δu lane by lane: a Problem's quantities are written for one instance."""
    lanes = [
        problem.with_leaves({name: tensor[lane] for name, tensor in problem.leaves().items()})
        for lane in range(problem.lanes)
    ]
    return torch.stack([lane.drop for lane in lanes])


@pytest.mark.parametrize("spectrum", ["flat", "steps", "decaying", "any"])
def test_roots_are_of_their_kind(spectrum: Any) -> None:
    roots = DirectionRecipe(5, 5, 2, spectrum, 1).build(LANES).roots
    assert (roots > 0).all()
    distinct = [len(set(row.tolist())) for row in roots]
    assert max(distinct) == {"flat": 1, "steps": 2}.get(spectrum, 5)
    if spectrum != "flat":
        ratios = roots[:, -1] / roots[:, 0]
        assert ratios.min() < 0.02, "steep spectra are reached"
        assert ratios.max() > 0.95, "and flat ones"


def one_instance(problem: Any, lane: int) -> Any:
    return problem.with_leaves({name: tensor[lane] for name, tensor in problem.leaves().items()})


def test_directions_reach_the_edge_the_top_and_anything() -> None:
    problem = DirectionRecipe(8, 8, 2, "any", 2).build(LANES)
    shares = np.array([float(one_instance(problem, lane).top_share) for lane in range(LANES)])
    edges = (1 + problem.epsilon.numpy()) * 2 / 8
    assert ((shares > 1 - 2e-4).sum()) > 4
    assert ((np.abs(shares / edges - (1 - 2.0**-20)) < 1e-9).sum()) > 4
    assert (shares < 0.2).sum() > 4
    assert (problem.bend.abs().amax((-1, -2, -3)) == 0).sum() > 4


@given(recipe=directions(max_dim=5))
@settings(max_examples=20)
def test_directions_have_length_one(recipe: DirectionRecipe) -> None:
    problem = recipe.build(8)
    for lane in range(8):
        assert float(one_instance(problem, lane).direction.norm()) == pytest.approx(1, abs=1e-12)


def test_pairs_reach_factor_two() -> None:
    problem = SpectralPairRecipe(3, 1, "swap", 5).build(LANES)
    ratios = []
    for lane in range(LANES):
        one = one_instance(problem, lane)
        change, rotated = torch.linalg.matrix_norm(one.difference, 2), torch.linalg.matrix_norm(one.rotated, 2)
        ratios.append(float(rotated / (2 * change / one.gap)))
    assert 0.9999 < max(ratios) <= 1 + 1e-9


@given(value=st.integers(-40, 40), offset=st.floats(-0.49, 0.49))
def test_nearest_counts_to_the_nearest_whole_number(value: int, offset: float) -> None:
    assert float(nearest(torch.tensor(value + offset).double(), 40)) == value


def test_nearest_stops_at_the_largest() -> None:
    assert nearest(torch.tensor([-1e9, 1e9, 0.0]).double(), 5).tolist() == [-5, 5, 0]


@pytest.mark.parametrize("kind", ["coordinates", "copies", "any"])
def test_layers_of_a_kind(kind: Any) -> None:
    problem = LinearLayerRecipe(4, 2, 10, kind, 3).build(LANES)
    if kind == "coordinates":
        assert (problem.basis[:, 2:] == 0).all()
    if kind == "copies":
        assert torch.equal(problem.basis[:, 2:].abs(), problem.basis[:, :2].abs())
    assert all(tensor.abs().max() <= 3 for tensor in problem.leaves().values())


@pytest.mark.parametrize(
    ("strategy", "wanted"),
    [
        (tilts(), lambda r: r.kind == "rare_high" and r.classes == 8),
        (directions(), lambda r: r.dim == 16 and r.top == 1 and r.outputs == 16 and r.spectrum == "flat"),
        (linear_layers(), lambda r: r.kind == "copies" and r.width == 4 and r.inputs >= r.rank * r.width),
        (spectral_pairs(), lambda r: r.kind == "swap" and r.dim == 5),
        (projected_lengths(), lambda r: r.top_half == 100 and r.rest_half > 800),
        (shaped_policies(), lambda r: r.rank == 3 and r.top == 2 and r.prompts == 2),
        (linear_policies(), lambda r: r.kind == "skewed" and r.prompts == 3),
        (reference_policies(), lambda r: r.prompts == 3 and r.responses == 5),
    ],
)
def test_structures_are_reached_within_a_few_hundred_examples(strategy: Any, wanted: Callable[[Any], bool]) -> None:
    hypothesis.find(strategy, wanted, settings=quiet(600))


def test_structures_shrink_to_the_simplest() -> None:
    shrinking = settings(quiet(500), phases=list(hypothesis.Phase))
    smallest = hypothesis.find(directions(), lambda r: r.top >= 2, settings=shrinking)
    assert (smallest.dim, smallest.top, smallest.spectrum, smallest.seed) == (3, 2, "flat", 0)
    layer = hypothesis.find(linear_layers(), lambda r: r.rank >= 2, settings=shrinking)
    assert (layer.width, layer.rank, layer.kind, layer.seed) == (3, 2, "coordinates", 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tilts(max_classes=1), r"max_classes=1; expected a whole number >= 2"),
        (lambda: tilts(max_classes=2.5), r"max_classes=2\.5; expected"),  # type: ignore[arg-type]
        (lambda: reference_policies(max_prompts=0), r"max_prompts=0; expected a whole number >= 1"),
        (lambda: linear_policies(max_dim=0), r"max_dim=0; expected"),
        (lambda: shaped_policies(max_responses=1), r"max_responses=1; expected"),
        (lambda: directions(min_dim=6, max_dim=7), r"min_dim=6, max_dim=7; expected one of"),
        (lambda: turned_directions(max_dim=1), r"max_dim=1; expected"),
        (lambda: projected_lengths(max_top=10, max_dim=10), r"max_dim=10, max_top=10; expected max_dim > max_top"),
        (lambda: spectral_pairs(max_dim=1), r"max_dim=1; expected"),
        (lambda: linear_layers(max_width=1), r"max_width=1; expected"),
    ],
)
def test_what_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(BoundcheckError, match=message):
        make()
