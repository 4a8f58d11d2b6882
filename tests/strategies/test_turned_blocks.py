"""Covariances that do not commute, and the law of their Gram matrices, against explicit matrices."""

import json
from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem
from boundcheck.strategies import SampledTurned, sampled_turned
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.sampled_blocks import bartlett
from boundcheck.strategies.turned_blocks import TurnedRecipe
from boundcheck.theorems.local_edits.regression_samples import least_spills, overlap_squares

RARE = 1e-6
"""The false-alarm probability of one comparison of laws."""


def of_lane(p: SampledTurned, function: Callable[[SampledTurned], Tensor]) -> Tensor:
    names = list(p.leaves())
    found: Tensor = torch.vmap(lambda *v: function(p.with_leaves(dict(zip(names, v, strict=True)))))(
        *p.leaves().values()
    )
    return found[0]


def explicit(p: SampledTurned) -> tuple[np.ndarray, np.ndarray]:
    """Σ_1 and Σ_2 written out, plane by plane."""
    first, second = [], []
    for k, count in enumerate(p.sizes[0].tolist()):
        angle = 2 * np.arctan(float(p.turn[0, k]))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        for _ in range(int(count)):
            first.append(np.diag(p.first[0, k].numpy()))
            second.append(turn.T @ np.diag(p.second[0, k].numpy()) @ turn)
    return scipy.linalg.block_diag(*first), scipy.linalg.block_diag(*second)


def two_planes(sizes: tuple[int, int], m: int, trials: int) -> SampledTurned:
    counts = torch.tensor([sizes], dtype=torch.float64)
    return SampledTurned(
        first=torch.tensor([[[2.0, 0.5], [1.0, 0.1]]], dtype=torch.float64),
        second=torch.tensor([[[1.0, 0.2], [0.0, 3.0]]], dtype=torch.float64),
        turn=torch.tensor([[0.4, -0.8]], dtype=torch.float64),
        sizes=counts,
        samples=torch.tensor([float(m)], dtype=torch.float64),
        factors=bartlett(LaneStream(0, 1), counts, 2 * m, trials),
    )


@given(
    planes=st.integers(1, 3),
    seed=st.integers(0, 2**31 - 1),
    small=st.lists(st.integers(1, 4), min_size=3, max_size=3),
)
@settings(max_examples=25, deadline=None)
def test_quantities_are_those_of_the_matrices(planes: int, seed: int, small: list[int]) -> None:
    p = TurnedRecipe(planes, 1, 1.0, 1.0, trials=1, seed=seed).build(1)
    p = p.with_leaves(p.leaves() | {"sizes": torch.tensor([small[:planes]], dtype=torch.float64)})
    first, second = explicit(p)
    A = np.sqrt(first) @ second @ np.sqrt(first)
    assert float(of_lane(p, lambda q: q.trace)) == pytest.approx(np.trace(first))
    assert float(of_lane(p, lambda q: q.product_trace)) == pytest.approx(np.trace(A))
    assert float(of_lane(p, lambda q: q.mixed_square)) == pytest.approx(np.trace(A @ A))
    assert float(of_lane(p, lambda q: q.intrinsic_dimension)) == pytest.approx(np.trace(first) / first.max())


@pytest.mark.parametrize(("sizes", "m"), [((12, 5), 3), ((2, 1), 2), ((40, 1), 1)])
def test_overlap_and_spill_have_the_law_of_explicit_samples(sizes: tuple[int, int], m: int) -> None:
    trials = 3000
    p = two_planes(sizes, m, trials)
    first, second = explicit(p)
    random = np.random.default_rng(1)
    overlaps, spills = [], []
    for _ in range(trials):
        X = random.standard_normal((m, len(first))) @ np.sqrt(first)
        basis = np.linalg.qr(X.T)[0]
        overlaps.append(np.linalg.eigvalsh(basis.T @ second @ basis)[0])
        movement = X.T @ np.linalg.inv(X @ X.T)
        spills.append(0.5 * np.linalg.eigvalsh(movement.T @ second @ movement)[0])
    assert ks_2samp(of_lane(p, overlap_squares).numpy(), overlaps).pvalue > RARE
    assert ks_2samp(of_lane(p, least_spills).numpy(), spills).pvalue > RARE
    commuting = p.with_leaves(p.leaves() | {"turn": torch.zeros_like(p.turn)})
    assert ks_2samp(of_lane(commuting, overlap_squares).numpy(), overlaps).pvalue < RARE, "the angle matters"


@given(sampled_turned(effective=1100, intrinsic=200))
@settings(max_examples=20, deadline=None)
def test_most_instances_have_the_dimensions_asked_for(recipe: TurnedRecipe) -> None:
    p = recipe.build(64)
    good = (p.intrinsic_dimension >= 200 * p.samples).double().mean()
    names = list(p.leaves())
    square = torch.vmap(lambda *v: p.with_leaves(dict(zip(names, v, strict=True))).mixed_square)(*p.leaves().values())
    traces = torch.vmap(lambda *v: p.with_leaves(dict(zip(names, v, strict=True))).product_trace)(*p.leaves().values())
    seen = traces > 0
    assert good == 1
    enough = traces[seen].square() >= 1100 * p.samples[seen] * square[seen]
    assert enough.double().mean() > 0.7, "a plane that is rounded up to one copy may be too many"
    assert bool(p.admissible().all())
    assert bool((p.turn != 0).any()) or recipe.planes == 1


def test_a_lane_is_the_same_whatever_its_batch() -> None:
    recipe = TurnedRecipe(2, 2, 10.0, 10.0, seed=5)
    alone, among = recipe.build(1, first=3), recipe.build(6).lane(3)
    assert all(torch.equal(alone.leaves()[name], among.leaves()[name]) for name in alone.leaves())


def test_no_planes_are_refused() -> None:
    with pytest.raises(BoundcheckError, match="max_planes=0"):
        sampled_turned(effective=1.0, intrinsic=1.0, max_planes=0)


def test_lanes_that_are_no_instances_are_told() -> None:
    good = TurnedRecipe(2, 3, 1.0, 1.0, trials=2, seed=1).build(2)
    assert good.admissible().all()
    for name, value in [
        ("first", 0.0),
        ("second", -1.0),
        ("sizes", 0.0),
        ("sizes", 1.5),
        ("samples", 2.0),
        ("samples", 2.5),
    ]:
        leaf = good.leaves()[name].clone()
        leaf[0] = value
        assert good.with_leaves(good.leaves() | {name: leaf}).admissible().tolist() == [False, True], (name, value)


SHAPES = {"first": (2, 2), "second": (2, 2), "turn": (2,), "sizes": (2,), "samples": (), "factors": (4, 2, 6, 6)}
"""Two planes, three rows in each of four samples."""


def of_shapes(shapes: dict[str, tuple[int, ...]], *lanes: int) -> SampledTurned:
    return SampledTurned(**{name: torch.ones((*lanes, *shape), dtype=torch.float64) for name, shape in shapes.items()})


@pytest.mark.parametrize("lanes", [(), (1,), (7,)])
def test_instances_with_and_without_lanes_have_the_shapes_they_say(lanes: tuple[int, ...]) -> None:
    p = of_shapes(SHAPES, *lanes)
    assert p.turn.shape == (*lanes, 2)


@pytest.mark.parametrize("lanes", [(), (3,)])
@pytest.mark.parametrize(
    "change",
    [
        {"first": (2,)},
        {"first": ()},
        {"first": (3, 2)},
        {"second": (2, 3)},
        {"first": (2, 3), "second": (2, 3)},
        {"turn": (3,)},
        {"turn": ()},
        {"sizes": (2, 1)},
        {"samples": (1,)},
        {"factors": (4, 2, 6, 5)},
        {"factors": (4, 2, 5, 5)},
        {"factors": (4, 2, 0, 0)},
        {"factors": (4, 3, 6, 6)},
        {"factors": (2, 6, 6)},
        {"factors": (5, 4, 2, 6, 6)},
        {"factors": ()},
        {"first": (0, 2), "second": (0, 2), "turn": (0,), "sizes": (0,), "factors": (4, 0, 6, 6)},
    ],
    ids=str,
)
def test_other_shapes_are_refused_in_one_sentence(change: dict[str, tuple[int, ...]], lanes: tuple[int, ...]) -> None:
    with pytest.raises(BoundcheckError, match="turned planes with first, second, turn") as caught:
        of_shapes(SHAPES | change, *lanes)
    assert "\n" not in str(caught.value)
    assert "expected [..., p, 2] twice" in str(caught.value)


def test_a_stored_instance_comes_back_as_it_was_and_a_spoilt_one_does_not() -> None:
    stored = TurnedRecipe(2, 2, 1.0, 1.0, trials=2, seed=1).build(3)
    again = Problem.from_json(json.loads(json.dumps(stored.to_json())))
    assert all(torch.equal(again.leaves()[name], leaf) for name, leaf in stored.leaves().items())
    with pytest.raises(BoundcheckError, match="turned planes"):
        stored.with_leaves(stored.leaves() | {"turn": stored.turn[:, :1]})
