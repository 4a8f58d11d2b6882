"""The rounding of a step and the bounds at a point, held against 60-digit numbers at random places of the region."""

from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.dynamics.bounds import Bounds, norm
from boundcheck.geometry import Family, GeneralQuadratic, Linear, Quadratic, TwoLayer
from tests.dynamics.oracle import DIGITS, SEED, Naive, Point, distance, setup

FAMILIES: list[Family] = [
    Linear(4, 2),
    Quadratic(3, 2),
    GeneralQuadratic(3, 2),
    TwoLayer(3, 4, 2),
    TwoLayer(3, 4, 1, "softplus"),
]
LANES = 6


def somewhere(rng: np.random.Generator, centre: Tensor, radius: Tensor) -> Tensor:
    """A point of each ball: at its edge, or anywhere."""
    direction = torch.from_numpy(rng.standard_normal(tuple(centre.shape)))
    share = torch.from_numpy(rng.choice([1.0, rng.uniform()], LANES))
    unit = direction / torch.linalg.vector_norm(direction, dim=-1, keepdim=True)
    return centre + (share * radius * (1 - 2.0**-40))[:, None] * unit


def pulled(naive: Naive, theta: Point, cotangent: Point) -> Point:
    """Jᵀ·c."""
    found, entries = [mpmath.mpf(0)] * len(theta), iter(cotangent)
    for x in naive.x:
        for slope in naive.model(theta, x)[1]:
            c = next(entries)
            found = [f + c * s for f, s in zip(found, slope, strict=True)]
    return found


def residual(naive: Naive, theta: Point) -> Point:
    found = []
    for x, y in zip(naive.x, naive.y, strict=True):
        found += [naive.alpha * o - label for o, label in zip(naive.model(theta, x)[0], y, strict=True)]
    return found


def observed(given_seed: int, family: Family, spread: float, size: float) -> list[tuple[Any, Any, Any, Any]]:
    """Errors of residual and pullback beside their bounds, lane by lane."""
    rng = np.random.default_rng([SEED, given_seed])
    drawn = setup(family, LANES, 2, seed=given_seed, spread=spread)
    radius = torch.from_numpy(size * 10.0 ** rng.uniform(-3, 0, LANES))
    top = torch.from_numpy(10.0 ** rng.uniform(-3, 1, LANES))
    bounds = Bounds.of(drawn)
    residual_off, pulled_off = bounds.roundings(radius, top)
    theta = somewhere(rng, drawn.theta0, radius)
    cotangent = somewhere(rng, torch.zeros_like(drawn.y_train.flatten(-2)), top)
    floats = drawn.residual(theta), drawn.pullback(theta, cotangent)
    found = []
    with mpmath.workdps(DIGITS):
        for lane in range(LANES):
            naive, point = Naive.of(drawn, lane), [mpmath.mpf(v) for v in theta[lane].tolist()]
            weights = [mpmath.mpf(v) for v in cotangent[lane].tolist()]
            found.append((
                distance(floats[0][lane].tolist(), residual(naive, point)),
                mpmath.mpf(float(residual_off[lane])),
                distance(floats[1][lane].tolist(), pulled(naive, point, weights)),
                mpmath.mpf(float(pulled_off[lane])),
            ))  # fmt: skip
    return found


@pytest.mark.parametrize("family", FAMILIES, ids=str)
@given(seed=st.integers(0, 2**31), spread=st.sampled_from([0.0, 0.5, 2.0]), size=st.sampled_from([0.1, 1.0, 30.0]))
@settings(max_examples=5, deadline=None)
def test_no_rounding_in_the_region_exceeds_its_bound(family: Family, seed: int, spread: float, size: float) -> None:
    for off, bound, pulled_off, pulled_bound in observed(seed, family, spread, size):
        assert off <= bound
        assert pulled_off <= pulled_bound


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_the_bounds_are_within_a_hundred_times_what_occurs(family: Family) -> None:
    found = [case for seed in range(3) for case in observed(seed, family, 0.0, 0.3)]
    assert max(off / bound for off, bound, _, _ in found) > 0.01
    assert max(off / bound for _, _, off, bound in found) > 0.01


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_bounds_at_a_point_hold_exactly_computed_ones(family: Family) -> None:
    drawn = setup(family, LANES, 2, seed=9)
    bounds = Bounds.of(drawn)
    at = bounds.at(drawn.theta0)
    cotangent = torch.randn(drawn.y_train.flatten(-2).shape, dtype=torch.float64)
    product, off = bounds.pulled(drawn.theta0, cotangent)
    with mpmath.workdps(DIGITS):
        for lane in range(LANES):
            naive = Naive.of(drawn, lane)
            rows = [slope for x in naive.x for slope in naive.model(naive.theta0, x)[1]]
            values = mpmath.svd_r(mpmath.matrix(rows), compute_uv=False)
            sizes = sorted(values[i] for i in range(len(values)))
            assert mpmath.mpf(float(at.smallest[lane])) <= (sizes[0] if len(rows) <= len(naive.theta0) else 0)
            assert sizes[-1] <= mpmath.mpf(float(at.largest[lane])) <= sizes[-1] * (1 + mpmath.mpf(10) ** -12)
            true = mpmath.norm(residual(naive, naive.theta0), 2)
            assert true <= mpmath.mpf(float(at.residual[lane])) <= true * (1 + mpmath.mpf(10) ** -8)
            weights = [mpmath.mpf(v) for v in cotangent[lane].tolist()]
            assert distance(product[lane].tolist(), pulled(naive, naive.theta0, weights)) <= mpmath.mpf(
                float(off[lane])
            )


def test_norms_are_never_too_small() -> None:
    tiny = torch.full((1, 4), 1e-200, dtype=torch.float64)
    assert float(norm(tiny)) >= 2e-200
    assert float(norm(torch.zeros(1, 4, dtype=torch.float64))) == 0
    assert float(norm(torch.tensor([[0.0, torch.nan]], dtype=torch.float64))) == torch.inf
    three_four = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    assert 5 <= float(norm(three_four)) < 5 * (1 + 1e-8)
