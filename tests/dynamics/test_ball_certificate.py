"""Certificates of families whose constants hold in a ball: exact descents stay within them, and a ball too small gives none."""

from functools import cache
from typing import Any

import mpmath
import pytest
import torch
from torch import Tensor

from boundcheck.dynamics import FineTuning, Setup, descend
from boundcheck.dynamics.bounds import Bounds
from boundcheck.dynamics.flow import flow_limit
from boundcheck.dynamics.running import lanes_of
from boundcheck.geometry import Attention, BothLayers, Family, ReluLayer
from boundcheck.strategies.fine_tunings import SetupRecipe
from tests.dynamics.oracle import DIGITS, Naive, Point, distance, replaced
from tests.dynamics.test_certificate import misses

FAMILIES: list[Family] = [
    BothLayers(2, 3, 1, "tanh"),
    BothLayers(2, 2, 1, "relu"),
    BothLayers(2, 2, 1, "sigmoid"),
    ReluLayer(2, 3),
    Attention(2, 1, 1, 2, 1, "tanh"),
    Attention(3, 2, 1, 1, 1, "softplus"),
]
LANES = 2
LEAVES = ("tuned_radius", "path_radius", "farthest_radius", "length_radius")


@cache
def drawn(family: Family) -> Setup:
    """Lanes whose labels need a movement that doubles can see."""
    given = SetupRecipe(family, 1, 4, "edge", seed=21, long_steps=True).build(64)
    seen = (given.residual_norm / given.sigma_max > 1e-5) & (given.residual_norm < given.sigma_min * given.rho0 / 16)
    seen &= descend(given, max_steps=256).tuned_radius.isfinite()  # not all are: a priori, softmax may round badly
    good = torch.nonzero(seen).flatten()[:LANES]
    assert len(good) == LANES
    return lanes_of(given, good)


@cache
def exact(family: Family) -> list[list[Point]]:
    with mpmath.workdps(DIGITS):
        return [Naive.of(drawn(family), lane).descent(400, 1e-22) for lane in range(LANES)]


def movement(found: FineTuning) -> Tensor:
    return torch.linalg.vector_norm(found.tuned - found.theta0, dim=-1)


@pytest.mark.parametrize("steps", [2, 256])
@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_the_radii_hold_exact_descents(family: Family, steps: int) -> None:
    tuned = descend(drawn(family), max_steps=steps, tolerance=1e-13)
    for name in LEAVES:
        assert bool(getattr(tuned, name).isfinite().all()), name
    if steps == 256:
        assert bool((tuned.tuned_radius < 1e-4 * movement(tuned)).all())
    assert misses(tuned, exact(family)) == set()


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_a_ball_that_the_path_leaves_gives_no_radius(family: Family) -> None:
    given = drawn(family)
    tuned = descend(given, max_steps=256)
    tight = descend(replaced(given, rho0=0.9 * movement(tuned)), max_steps=256)
    assert torch.equal(tight.path, tuned.path), "the descent itself does not look at the ball"
    for name in LEAVES:
        assert bool(getattr(tight, name).isinf().all()), name


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_a_ball_that_only_the_rest_may_leave_keeps_the_path(family: Family) -> None:
    """After two steps, in a ball between how far they went and where the limit is."""
    given = drawn(family)
    gone = torch.linalg.vector_norm(descend(given, max_steps=2).path[:, -1] - given.theta0, dim=-1)
    whole = movement(descend(given, max_steps=256))
    assert bool((gone < 0.9 * whole).all())
    tight = descend(replaced(given, rho0=(gone + whole) / 2), max_steps=2)
    assert bool(tight.path_radius.isfinite().all())
    assert bool(tight.tuned_radius.isinf().all())
    assert bool(tight.length_radius.isinf().all())


@pytest.mark.parametrize("family", FAMILIES[:1] + FAMILIES[4:5], ids=repr)
def test_an_endless_ball_of_a_local_family_gives_no_radius(family: Family) -> None:
    given = drawn(family)
    endless = descend(replaced(given, rho0=torch.full_like(given.rho0, torch.inf)), max_steps=8)
    assert bool(endless.tuned_radius.isinf().all())
    assert bool(endless.path_radius.isinf().all())


@pytest.mark.parametrize("family", FAMILIES[:2], ids=repr)
def test_flows_are_certified_in_their_ball_only(family: Family) -> None:
    given = drawn(family)
    found = flow_limit(given, max_steps=64)
    moved = torch.linalg.vector_norm(found.tuned - given.theta0, dim=-1)
    assert bool((found.tuned_radius < 5e-2 * moved).all())
    tight = flow_limit(replaced(given, rho0=moved / 2), max_steps=64)
    assert bool(tight.tuned_radius.isinf().all())


def crossing() -> Setup:
    """Two units that are on, of which one reaches its kink on the way: f = (w_1 + w_2)/√2 from 1.1/√2 to 0.5/√2."""

    def one(*values: float) -> Tensor:
        return torch.tensor([values], dtype=torch.float64)

    family = ReluLayer(1, 2)
    return Setup(
        family,
        theta0=one(0.1, 1.0),
        frozen={"head": one(1.0, 1.0)[:, None]},
        x_train=one(1.0)[..., None],
        y_train=one(0.5 / 2**0.5)[..., None],
        x_eval=one(1.0)[..., None],
        alpha=one(1.0)[0],
        eta=one(0.1)[0],
        rho0=one(0.09)[0],
    )


def test_a_limit_beyond_a_kink_is_not_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its first kink the model is linear, and its limit would be known at once; without the ball it would be wrong."""
    given = crossing()
    with mpmath.workdps(DIGITS):
        end = Naive.of(given, 0).descent(2000, 1e-22)[-1]

    def missed(tuned: FineTuning) -> bool:
        with mpmath.workdps(DIGITS):
            return bool(distance(end, tuned.tuned[0].tolist()) > mpmath.mpf(float(tuned.tuned_radius[0])))

    honest = descend(given, max_steps=1)
    assert bool(honest.path_radius.isfinite().all())
    assert bool(honest.tuned_radius.isinf().all())

    def anywhere(self: Any, reach: Tensor) -> Tensor:
        return torch.ones_like(reach, dtype=torch.bool)

    monkeypatch.setattr(Bounds, "within", anywhere)
    assert missed(descend(given, max_steps=1))
