"""A lane's result does not depend on how the work was split: batches are canonical, whoever judges them."""

import multiprocessing
from typing import Any

import pytest
import torch

import boundcheck.theorems.alignment_collapse
import boundcheck.theorems.local_edits  # noqa: F401 - registers the claims
from boundcheck.claim import build, registered_claims
from boundcheck.search.drawing import one_thread_on, over
from boundcheck.search.evaluate import Evaluator

KEYS = ["LE-8:proved", "AC-A6:proved", "AC-6.3:corrected"]
GENERATED = sorted(key for key, claim in registered_claims().items() if claim.input == "generated")


def _recipe(key: str) -> Any:
    drawn: list[Any] = []
    over(registered_claims()[key].over, drawn.append, 2, 5)
    return drawn[0]


def judged(key: str) -> list[list[str]]:
    """Every bit of a canonical batch's enclosures."""
    torch.set_num_threads(2)  # as a worker finds it
    with one_thread_on("cpu"):
        found = Evaluator(registered_claims()[key])(build(_recipe(key), 1024))
    sides = (found.smaller.mid, found.smaller.rad, found.larger.mid, found.larger.rad, found.status.double())
    return [[number.hex() for number in side.tolist()] for side in sides]


@pytest.mark.parametrize("key", KEYS)
def test_another_process_gives_every_lane_the_same_enclosure(key: str) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as workers:
        first, second = workers.map(judged, [key, key])
    assert first == second == judged(key)


def _one_claim_a_strategy() -> list[str]:
    """Many claims share what they are about: its batches need be built once."""
    return sorted({str(_recipe(key)): key for key in GENERATED}.values())


@pytest.mark.parametrize("key", _one_claim_a_strategy())
def test_the_first_lanes_of_a_batch_are_those_of_a_smaller_one(key: str) -> None:
    """Bitwise for what is drawn; a descent's limit and its radius follow through products of matrices (see `Recipe`)."""
    recipe = _recipe(key)
    with one_thread_on("cpu"):
        whole, part = build(recipe, 1024), build(recipe, 64)
    for name, leaf in part.leaves().items():
        here, there = leaf, whole.leaves()[name][:64]
        if leaf.numel() and name not in (*part.derived, *part.radius_of.values()):
            equal = (here == there) | (here.isnan() & there.isnan())
            assert bool(equal.all()), (name, float((here - there).abs().max()))
