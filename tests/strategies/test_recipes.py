"""What every recipe for alignment claims keeps: lanes of their own, admissible instances, sizes that are reached and shrink."""

from collections.abc import Callable
from typing import Any

import hypothesis
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
