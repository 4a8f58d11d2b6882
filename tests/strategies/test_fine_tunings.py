"""What the fine-tuning strategies reach, where they put the premise numbers, and how they shrink."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor

from boundcheck import BoundcheckError
from boundcheck.dynamics import Setup
from boundcheck.geometry import (
    Attention,
    BothLayers,
    Family,
    GeneralQuadratic,
    Linear,
    Polynomial,
    Quadratic,
    ReluLayer,
    TwoLayer,
)
from boundcheck.strategies import (
    displacements,
    fine_tunings,
    linear_models,
    models,
    network_models,
    quadratic_models,
    setups,
)
from boundcheck.strategies.fine_tunings import (
    EDGE,
    LEAST_MOVEMENT,
    NUDGE,
    DisplacedRecipe,
    FineTuningRecipe,
    Placement,
    SetupRecipe,
)
from boundcheck.strategies.spectra import KINDS

LANES = 256
CURVED = st.one_of(quadratic_models(), st.builds(TwoLayer, st.integers(2, 5), st.integers(2, 8), st.integers(1, 2)))
FAMILIES: list[Family] = [
    Linear(4, 1),
    Quadratic(5, 2),
    GeneralQuadratic(4, 1),
    TwoLayer(4, 6, 1, "tanh"),
    TwoLayer(4, 6, 2, "softplus"),
]


def without_shrinking(examples: int) -> settings:
    return settings(max_examples=examples, database=None, deadline=None, phases=[Phase.generate], derandomize=True)


def activation(recipe: SetupRecipe) -> str:
    return getattr(recipe.family, "activation", "")


REACHED: dict[str, tuple[int, Callable[[SetupRecipe], bool]]] = {
    "linear": (50, lambda r: isinstance(r.family, Linear)),
    "quadratic": (100, lambda r: isinstance(r.family, Quadratic)),
    "polynomial": (100, lambda r: isinstance(r.family, Polynomial)),
    "general quadratic": (50, lambda r: isinstance(r.family, GeneralQuadratic)),
    "tanh": (50, lambda r: activation(r) == "tanh"),
    "softplus": (100, lambda r: activation(r) == "softplus"),
    "sigmoid": (100, lambda r: activation(r) == "sigmoid"),
    "m = 1": (50, lambda r: r.samples == 1),
    "m = 3": (100, lambda r: r.samples == 3),
    "k = 2": (50, lambda r: r.family.outputs_count == 2),
    "mk > 3": (200, lambda r: r.samples * r.family.outputs_count > 3),
    "one evaluation point": (200, lambda r: r.points == 1),
    "many evaluation points": (100, lambda r: r.points >= 20),
    "near-duplicates": (300, lambda r: r.duplicates and r.samples > 1),
    "long steps": (100, lambda r: r.long_steps),
    "inside": (50, lambda r: r.placement == "inside"),
    "edge": (50, lambda r: r.placement == "edge"),
    "outside": (100, lambda r: r.placement == "outside"),
    "other rotation": (100, lambda r: r.shared == 0),
    "partly shared rotation": (100, lambda r: 0 < r.shared < 1),
}


@pytest.mark.parametrize("name", REACHED)
def test_each_structure_is_reached_within_so_many_examples(name: str) -> None:
    examples, predicate = REACHED[name]
    hypothesis.find(fine_tunings(), predicate, settings=without_shrinking(examples))


@pytest.mark.parametrize("kind", KINDS)
def test_each_spectrum_is_reached_within_200_examples(kind: str) -> None:
    hypothesis.find(fine_tunings(), lambda r: r.spectrum == kind, settings=without_shrinking(200))
    hypothesis.find(fine_tunings(), lambda r: r.eval_spectrum == kind, settings=without_shrinking(200))


@given(recipe=setups())
@settings(max_examples=30, deadline=None)
def test_drawn_numbers_are_finite_and_generic(recipe: SetupRecipe) -> None:
    drawn = recipe.build(32)
    assert drawn.finite().all()
    assert drawn.x_eval.shape == (32, recipe.points, recipe.family.features)
    assert (drawn.alpha != 1).all()
    assert (drawn.alpha > 0).all()
    start = drawn.family.outputs(drawn.theta0, drawn.frozen, drawn.x_train)
    assert (start.abs().amax((-1, -2)) > 0).all()
    limit = 0.5 if recipe.long_steps else EDGE
    assert (drawn.step_size <= limit * (1 - NUDGE / 2)).all()


def premise_numbers(p: Setup) -> dict[str, Tensor]:
    """Lemma 6's and Theorem 7's numbers, scale-free and as printed, each over its limit: 1 is the edge."""
    s, S, R, g = p.sigma_min, p.sigma_max, p.residual_norm, p.overlap
    a = p.beta_train * R / s**2
    b = p.kernel_norm * p.beta_train * S * R / (g * s**3)
    d = p.beta_eval * S * R / (g * s**2)
    a_printed = p.beta_train * S * R / s**3
    b_printed = p.kernel_norm * p.beta_train * S**2 * R / (g * s**4)
    d_printed = p.beta_eval * S**3 * R / (g * s**4)
    both = {
        "lemma": a,
        "theorem": torch.maximum(a, torch.maximum(b, d)),
        "lemma as printed": a_printed,
        "theorem as printed": torch.maximum(a_printed, torch.maximum(b_printed, d_printed)),
    }
    return {name: value / EDGE for name, value in both.items()}


def cancellation(p: Setup) -> Tensor:
    """How far the rounding of the labels may move R, relative to R."""
    return 1e-14 * torch.linalg.vector_norm(p.y_train, dim=(-1, -2)) / (p.alpha * p.residual_norm) + 2.0**-40


@given(
    family=CURVED,
    samples=st.integers(1, 2),
    placement=st.sampled_from(["inside", "edge", "outside"]),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=30, deadline=None)
def test_one_premise_number_sits_where_the_placement_says(
    family: Family, samples: int, placement: Placement, seed: int
) -> None:
    samples = max(1, min(samples, family.parameters // family.outputs_count))
    drawn = SetupRecipe(family, samples, 8, placement, "spiked", "power_law", 0.5, seed=seed).build(64)
    numbers = torch.stack(list(premise_numbers(drawn).values()))
    slack = cancellation(drawn)
    targets = {"inside": [(1e-3, 1.0)], "edge": [(1 - NUDGE,) * 2], "outside": [(x, x) for x in (1 + NUDGE, 2.0, 16.0)]}
    fits = torch.zeros_like(numbers, dtype=torch.bool)
    for low, high in targets[placement]:
        fits |= (numbers >= low * (1 - NUDGE / 2 - slack)) & (numbers <= high * (1 + NUDGE / 2 + slack))
    bent = (drawn.beta_train > 0) & (drawn.overlap > 0) & (drawn.sigma_min > 0)
    # Where the placement asks for less movement than doubles can tell from none, the least there is takes its place.
    least = LEAST_MOVEMENT * drawn.sigma_max * torch.linalg.vector_norm(drawn.theta0, dim=-1)
    bent &= drawn.residual_norm > least * (1 + 1e-6)
    assert (drawn.residual_norm >= least * (1 - 1e-6)).all()
    assert (fits.any(0) | ~bent).all()
    if placement == "edge":
        nearest = (numbers - 1).abs().amin(0)
        assert ((nearest <= 2.0**-19 + slack) | ~bent).all()


@pytest.mark.parametrize("name", ["lemma", "theorem", "lemma as printed", "theorem as printed"])
@pytest.mark.parametrize("placement", ["edge", "outside"])
@pytest.mark.parametrize("family", FAMILIES[1:], ids=lambda f: f"{type(f).__name__}-{getattr(f, 'activation', '')}")
def test_every_kind_of_premise_is_put_at_the_edge(family: Family, placement: Placement, name: str) -> None:
    drawn = SetupRecipe(family, 2, 12, placement, "spiked").build(LANES)
    ratio = premise_numbers(drawn)[name]
    assert ((ratio - 1).abs() <= 2.0**-19).sum() >= LANES / 40
    assert (ratio[(ratio - 1).abs() <= 2.0**-19] < 1).all() == (placement == "edge")


@pytest.mark.parametrize("family", FAMILIES[1:], ids=lambda f: f"{type(f).__name__}-{getattr(f, 'activation', '')}")
def test_inside_spreads_over_decades_and_meets_the_premises(family: Family) -> None:
    numbers = premise_numbers(SetupRecipe(family, 2, 12, "inside", "spiked").build(LANES))
    assert (numbers["theorem"] <= 1).sum() >= LANES / 2
    lemma = numbers["lemma"][numbers["lemma"] <= 1]
    assert lemma.amax() / lemma.amin() > 1e3


@pytest.mark.parametrize("placement", ["inside", "edge"])
def test_a_linear_model_meets_every_premise(placement: Placement) -> None:
    drawn = SetupRecipe(FAMILIES[0], 2, 12, placement).build(LANES)
    assert (premise_numbers(drawn)["theorem as printed"] == 0).all()
    assert (drawn.residual_norm > 0).all()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f"{type(f).__name__}-{getattr(f, 'activation', '')}")
def test_near_duplicates_give_ill_conditioned_jacobians(family: Family) -> None:
    drawn = SetupRecipe(family, 2, 12, duplicates=True).build(LANES)
    conditioning = drawn.sigma_min / drawn.sigma_max
    assert (conditioning < 1e-3).sum() >= LANES / 100
    assert (conditioning > 0.1).sum() >= LANES / 4


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f"{type(f).__name__}-{getattr(f, 'activation', '')}")
def test_residuals_lie_along_either_end_of_the_spectrum_or_anywhere(family: Family) -> None:
    drawn = SetupRecipe(family, 2, 12, "edge").build(LANES)
    left = torch.linalg.svd(drawn.jacobian).U
    residual = drawn.residual(drawn.theta0)
    direction = residual / torch.linalg.vector_norm(residual, dim=-1, keepdim=True)
    strongest = (direction * left[..., 0]).sum(-1).abs() > 1 - 1e-6
    weakest = (direction * left[..., -1]).sum(-1).abs() > 1 - 1e-6
    assert strongest.sum() >= LANES / 5
    assert weakest.sum() >= LANES / 5
    assert (~strongest & ~weakest).sum() >= LANES / 5


def test_balls_are_tight_or_wide_or_all_of_space_and_steps_touch_the_edge() -> None:
    drawn = SetupRecipe(FAMILIES[1], 2, 12).build(LANES)
    least = drawn.residual_norm / (drawn.sigma_min * EDGE)
    assert (drawn.rho0 == torch.inf).sum() >= LANES / 8
    assert (drawn.rho0 < least * (1 + 2 * NUDGE)).sum() >= LANES / 8
    assert (drawn.rho0 > 5 * least).sum() >= LANES / 8
    assert ((drawn.step_size / EDGE - 1).abs() <= 2 * NUDGE).sum() >= LANES / 4
    long = SetupRecipe(FAMILIES[1], 2, 12, long_steps=True).build(LANES)
    assert (long.step_size > 0.25).all()


@given(recipe=displacements())
@settings(max_examples=20, deadline=None)
def test_displacements_stay_inside_their_ball(recipe: DisplacedRecipe) -> None:
    drawn = recipe.build(64)
    assert drawn.finite().all()
    assert (drawn.step_norm <= drawn.rho0).all()
    assert (drawn.step_norm > 0).all()


@given(recipe=st.one_of(setups(), displacements()), lane=st.integers(0, 63))
@settings(max_examples=30, deadline=None)
def test_lanes_do_not_depend_on_their_batch(recipe: SetupRecipe, lane: int) -> None:
    batch, alone = recipe.build(64).leaves(), recipe.build(1, first=lane).leaves()
    for name in ("theta0", "alpha", *(name for name in batch if name.startswith("frozen."))):
        assert torch.equal(batch[name][lane], alone[name][0]), name
    for name in ("x_train", "y_train", "x_eval"):  # from matrix products, whose last digits may depend on the batch
        assert torch.allclose(batch[name][lane], alone[name][0], rtol=1e-9, atol=1e-9), name


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f"{type(f).__name__}-{getattr(f, 'activation', '')}")
def test_descents_do_not_depend_on_their_batch(family: Family) -> None:
    recipe = FineTuningRecipe(family, 2, 6, seed=11)
    batch, alone = recipe.build(16), recipe.build(1, first=5)
    known = batch.tuned_radius.isfinite()
    assert known.sum() >= 8
    assert torch.allclose(batch.tuned[5], alone.tuned[0], rtol=1e-9, atol=1e-9)
    assert recipe.build(16) is batch, "a batch is solved once"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("predicate", "smallest"),
    [
        (lambda r: True, SetupRecipe(Linear(1, 1), 1, 1)),
        (lambda r: r.samples >= 2, SetupRecipe(Linear(2, 1), 2, 2)),
        (lambda r: r.family.outputs_count >= 2, SetupRecipe(Linear(1, 2), 1, 1)),
        (lambda r: isinstance(r.family, Quadratic), SetupRecipe(Quadratic(1, 1), 1, 1)),
        (lambda r: isinstance(r.family, TwoLayer), SetupRecipe(TwoLayer(1, 1, 1, "tanh"), 1, 1)),
        (
            lambda r: isinstance(r.family, Linear) and r.family.inputs >= 3 and r.points >= 5,
            SetupRecipe(Linear(3, 1), 1, 5),
        ),
        (
            lambda r: r.build(8).beta_train.amax() > 0 and r.samples == 2,
            SetupRecipe(Quadratic(2, 1), 2, 2),
        ),
    ],
)
def test_structures_shrink_to_the_smallest(predicate: Callable[[Any], bool], smallest: SetupRecipe, seed: int) -> None:
    calls = 0

    def counted(recipe: SetupRecipe) -> bool:
        nonlocal calls
        calls += 1
        return predicate(recipe)

    quiet = settings(max_examples=200, database=None, deadline=None)
    found = hypothesis.find(setups(), counted, settings=quiet, random=random.Random(seed))
    assert found == smallest
    assert calls <= 400


def test_sizes_stay_within_what_was_asked() -> None:
    @given(recipe=setups(family=models(), max_samples=2, max_points=4))
    @settings(max_examples=50, deadline=None)
    def check(recipe: SetupRecipe) -> None:
        assert 1 <= recipe.samples <= 2
        assert recipe.samples == 1 or recipe.samples * recipe.family.outputs_count <= recipe.family.parameters
        assert recipe.samples <= recipe.points <= 4

    check()


def test_placements_can_be_chosen() -> None:
    @given(recipe=fine_tunings(family=linear_models(), placements=("outside",)))
    @settings(max_examples=10, deadline=None)
    def check(recipe: FineTuningRecipe) -> None:
        assert recipe.placement == "outside"

    check()


# ------------------------------------------------------------------------------------------- constants that hold in a ball

NETWORKS: list[Family] = [
    BothLayers(3, 4, 1, "tanh"),
    BothLayers(2, 3, 2, "softplus"),
    BothLayers(3, 4, 1, "relu"),
    ReluLayer(3, 4),
    Attention(2, 2, 1, 3, 1, "tanh"),
]
NETWORK_REACHED: dict[str, Callable[[Family], bool]] = {
    "both layers": lambda f: isinstance(f, BothLayers) and f.width >= 3,
    "both, relu": lambda f: isinstance(f, BothLayers) and f.activation == "relu",
    "both, sigmoid": lambda f: isinstance(f, BothLayers) and f.activation == "sigmoid",
    "relu": lambda f: isinstance(f, ReluLayer) and f.inputs >= 2,
    "attention": lambda f: isinstance(f, Attention) and f.tokens >= 2,
}


@pytest.mark.parametrize("name", NETWORK_REACHED)
def test_each_network_is_reached_within_100_examples(name: str) -> None:
    hypothesis.find(network_models(), NETWORK_REACHED[name], settings=without_shrinking(100))


def premises_of_theorem_7(p: Setup) -> Tensor:
    """Set U, lane by lane, in plain floats."""
    regular = (p.sigma_min > 0) & (p.residual_norm > 0) & (p.overlap > 0)
    ball = p.residual_norm <= EDGE * p.sigma_min * p.rho0
    return regular & ball & (p.step_size <= EDGE) & (premise_numbers(p)["theorem"] <= 1)


def test_a_third_of_all_network_lanes_meet_theorem_7() -> None:
    met = []

    @given(recipe=setups(family=network_models()), placement=st.sampled_from(["inside", "edge"]))
    @settings(max_examples=60, database=None, deadline=None, phases=[Phase.generate], derandomize=True)
    def count(recipe: SetupRecipe, placement: Placement) -> None:
        drawn = replace(recipe, placement=placement).build(32)
        assert drawn.finite().all()
        met.append(float(premises_of_theorem_7(drawn).double().mean()))

    count()
    assert sum(met) / len(met) >= 1 / 3


@pytest.mark.parametrize("placement", ["inside", "edge", "outside"])
@pytest.mark.parametrize("family", NETWORKS, ids=repr)
def test_balls_are_finite_meet_no_kink_and_fit_their_labels(family: Family, placement: Placement) -> None:
    drawn = SetupRecipe(family, 1, 6, placement).build(LANES)
    assert drawn.rho0.isfinite().all()
    assert drawn.beta_train.isfinite().all()
    assert drawn.beta_eval.isfinite().all()
    for x in (drawn.x_train, drawn.x_eval):
        assert (drawn.rho0 < family.kink_distance(drawn.theta0, drawn.frozen, x)).all()
    filled = drawn.residual_norm / (EDGE * drawn.sigma_min * drawn.rho0)
    if placement != "outside":
        assert (filled <= 1).sum() >= LANES / 2
        assert (filled > 0.1).sum() >= LANES / 8, "the ball is not much larger than the movement"
    elif isinstance(family, ReluLayer):  # it has no other premise to miss
        assert (filled > 1).sum() >= LANES / 4


@pytest.mark.parametrize("family", [f for f in NETWORKS if getattr(f, "activation", "") != "relu"], ids=repr)
def test_premise_numbers_of_networks_sit_where_the_placement_says(family: Family) -> None:
    inside = premise_numbers(SetupRecipe(family, 1, 6, "inside").build(LANES))
    assert inside["lemma"].amax() / inside["lemma"][inside["lemma"] > 0].amin() > 1e3
    edge = torch.stack(list(premise_numbers(SetupRecipe(family, 1, 6, "edge").build(LANES)).values()))
    assert ((edge - 1).abs().amin(0) <= 2.0**-18).sum() >= LANES / 8
    outside = premise_numbers(SetupRecipe(family, 1, 6, "outside").build(LANES))["theorem as printed"]
    assert (outside > 1).sum() >= LANES / 8


@pytest.mark.parametrize("family", NETWORKS[2:4], ids=repr)
def test_most_relu_networks_can_learn_and_some_cannot(family: Family) -> None:
    drawn = SetupRecipe(family, 2, 6).build(LANES)
    assert (drawn.sigma_min > 1e-6).sum() >= 0.6 * LANES
    assert (drawn.sigma_min < 1e-12).any()


@given(recipe=displacements(family=network_models()))
@settings(max_examples=20, deadline=None)
def test_displacements_of_networks_meet_no_kink(recipe: DisplacedRecipe) -> None:
    drawn = recipe.build(32)
    assert drawn.finite().all()
    assert (drawn.step_norm <= drawn.rho0).all()
    assert drawn.beta_eval.isfinite().all()


@pytest.mark.parametrize(("samples", "points"), [(0, 4), (3, 0)])
def test_what_is_refused(samples: int, points: int) -> None:
    with pytest.raises(BoundcheckError, match="expected whole numbers >= 1"):
        setups(max_samples=samples, max_points=points)
