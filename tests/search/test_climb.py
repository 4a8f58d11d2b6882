"""The parts of a hunt by themselves: factors, ascent, polish and evolution, beside maxima in closed form."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.claim import Claim, Sides, Source, Stance, premise
from boundcheck.dynamics.policy_flow import PolicyFlow, mean_variance, spread
from boundcheck.geometry import TwoLayer, exponential_remainder
from boundcheck.problem import Problem
from boundcheck.search import Hunt, hunt
from boundcheck.search.hunting.ascent import NoDerivativeError, ascend
from boundcheck.search.hunting.evolution import evolve
from boundcheck.search.hunting.landscape import Landscape
from boundcheck.search.judge import Judge
from boundcheck.strategies.neural_policies import PolicyFlowRecipe
from boundcheck.verdict import Status

LANES = 8


@dataclass(frozen=True)
class Climbed(Problem):
    x: Tensor


@dataclass(frozen=True)
class ClimbedRecipe:
    dim: int

    @property
    def label(self) -> str:
        return f"dim={self.dim}"

    def build(self, lanes: int, first: int = 0) -> Climbed:
        generator = torch.Generator().manual_seed(7 + first)
        return Climbed(1.0 + torch.rand(lanes, self.dim, dtype=torch.float64, generator=generator))


def claim_of(check: Callable[[Any], Sides], dim: int = 3) -> Claim:
    return Claim(
        "CLIMB", "test", Source("tests", "none"), Stance.CONJECTURED, check=check, over=st.just(ClimbedRecipe(dim))
    )


def on(_: int) -> bool:
    return True


def climbed(claim: Claim, dim: int = 3, *, steps: int = 60, polished: int = 1) -> Any:
    return ascend(Judge(claim), ClimbedRecipe(dim).build(LANES), steps, on, polished=polished)


def within_a_ball(p: Climbed) -> Sides:
    """x_0 <= ‖x‖·(something) where Σ x_1² + … is at least a quarter of x_0²: the best ratio is 1/√(1 + 1/4)."""
    premise("the others are large enough", p.x[1:].square().sum() - 0.25 * p.x[0].square())
    premise("not too large", 4.0 - p.x.square().sum())
    return Sides(p.x[0], p.x.square().sum().sqrt())


def test_the_polish_follows_a_premise_that_binds() -> None:
    claim, best = claim_of(within_a_ball), 1 / math.sqrt(1.25)
    rough, fine = climbed(claim, polished=0), climbed(claim)
    assert float(rough.ratios.max()) < float(fine.ratios.max())
    assert 1 - 1e-7 < float(fine.ratios.max()) / best <= 1


def test_without_a_premise_the_polish_is_as_near_as_floats_see() -> None:
    """(Σx)² <= n·‖x‖², equality where all entries agree."""

    def check(p: Climbed) -> Sides:
        return Sides(p.x.sum().square(), 3.0 * p.x.square().sum())

    assert 1 - 1e-12 < float(climbed(claim_of(check)).ratios.max()) <= 1


def test_one_free_number_is_climbed() -> None:
    """x·exp(1 - x) <= 1, equality at 1."""

    def check(p: Climbed) -> Sides:
        return Sides(p.x[0] * torch.exp(1.0 - p.x[0]), torch.ones_like(p.x[0]))

    claim = claim_of(check, dim=1)
    assert 1 - 1e-9 < float(climbed(claim, dim=1).ratios.max()) <= 1
    assert float(evolve(Judge(claim), ClimbedRecipe(1).build(LANES), 20, 0, on).ratios.max()) > 1 - 1e-6


def test_a_limit_of_scale_is_approached_by_factors() -> None:
    """x/(1 + x) <= 1 as x grows without bound. From x <= 2, 200 steps of 0.03·2, falling to a hundredth, alone end below 4.7."""

    def check(p: Climbed) -> Sides:
        return Sides(p.x[0], 1.0 + p.x[0])

    assert float(climbed(claim_of(check, dim=1), dim=1, steps=200, polished=0).ratios.max()) > 0.9 > 4.7 / 5.7


def test_factors_multiply_and_no_change_changes_nothing() -> None:
    problem = ClimbedRecipe(3).build(LANES)
    landscape = Landscape(claim_of(within_a_ball), problem)
    still = landscape.still()
    assert torch.equal(landscape.at(still).leaves()["x"], problem.x)
    still[-1] += math.log(3.0)
    assert torch.allclose(landscape.at(still).leaves()["x"], 3.0 * problem.x, rtol=1e-14, atol=0.0)


def test_evolution_needs_no_derivative_and_keeps_premises() -> None:
    """The same bound with its first side rounded down to 1/1024."""

    def check(p: Climbed) -> Sides:
        sides = within_a_ball(p)
        return Sides(torch.floor(1024.0 * sides.smaller / sides.larger) / 1024.0, torch.ones_like(sides.larger))

    best = math.floor(1024 / math.sqrt(1.25)) / 1024
    passed = evolve(Judge(claim_of(check)), ClimbedRecipe(3).build(32), 60, 0, on)
    assert 0.99 * best < float(passed.ratios.max()) <= best


def test_the_same_seed_climbs_to_the_same_place() -> None:
    def check(p: Climbed) -> Sides:
        return within_a_ball(p)

    claim = claim_of(check)
    assert torch.equal(climbed(claim).problem.leaves()["x"], climbed(claim).problem.leaves()["x"])
    runs = [
        evolve(Judge(claim), ClimbedRecipe(3).build(LANES), 20, seed, on).problem.leaves()["x"] for seed in (0, 0, 1)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_lanes_that_are_not_finite_do_not_disturb_the_others() -> None:
    problem = ClimbedRecipe(3).build(LANES)
    broken = problem.x.clone()
    broken[0], broken[1] = torch.nan, 0.0
    passed = ascend(Judge(claim_of(within_a_ball)), replace(problem, x=broken), 60, on)
    alone = ascend(Judge(claim_of(within_a_ball)), replace(problem, x=problem.x[2:]), 60, on)
    assert float(passed.ratios[0]) == pytest.approx(float(alone.ratios[0]), rel=1e-12)
    assert bool(passed.problem.leaves()["x"][0].isfinite().all())


def test_a_larger_side_of_zero_is_an_infinite_ratio(tmp_path: Path) -> None:
    """x_0 <= max(0, x_1 - 1/2) fails where the right side is 0."""

    def check(p: Climbed) -> Sides:
        return Sides(p.x[0], torch.relu(p.x[1] - 0.5))

    found = hunt(claim_of(check), Hunt(1, LANES, 80), counterexamples=tmp_path)
    assert found is not None
    assert found.status is Status.VIOLATED
    assert found.to_json()["ratio"] == [None, None]
    assert found.ratio == (math.inf, math.inf)


def test_a_claim_whose_smaller_side_is_zero_everywhere_has_no_extreme(tmp_path: Path) -> None:
    def check(p: Climbed) -> Sides:
        return Sides(0.0 * p.x[0], p.x[1])

    assert hunt(claim_of(check), Hunt(1, LANES, 8), counterexamples=tmp_path) is None


def test_what_has_no_derivative_says_so() -> None:
    def check(p: Climbed) -> Sides:
        return Sides(torch.ones_like(p.x[0]), 2.0 + torch.floor(p.x[0]).detach())

    with pytest.raises(NoDerivativeError, match="cannot be differentiated"):
        climbed(claim_of(check))


def test_a_claim_along_a_policys_flow_is_climbed_by_gradient() -> None:
    """KL <= ψ(R)·Var of the change of the logits; one step along the gradient is a step up by as much as the slope says."""

    def check(p: PolicyFlow) -> Sides:
        R = spread(p.change)
        premise("a logit changes", torch.where(R > 0, R, -torch.ones_like(R)))
        return Sides(p.drop, exponential_remainder(R) * mean_variance(p.start, p.change))

    recipe = PolicyFlowRecipe(TwoLayer(2, 3, 2, "tanh"), samples=2, points=2, seed=1, aligned=False)
    landscape = Landscape(replace(claim_of(check), over=st.just(recipe)), recipe.build(2))
    changes = [change.requires_grad_() for change in landscape.still()]
    height = landscape.terms(changes).height
    found = torch.autograd.grad(height.sum(), changes, allow_unused=True)
    slopes = [
        torch.zeros_like(change) if slope is None else slope for slope, change in zip(found, changes, strict=True)
    ]
    steepness = torch.stack([slope.reshape(2, -1).square().sum(1) for slope in slopes]).sum(0)
    step = 1e-5 / float(steepness.max().sqrt())
    moved = landscape.terms([change.detach() + step * slope for change, slope in zip(changes, slopes, strict=True)])
    assert bool((steepness > 0).all())
    assert torch.allclose(moved.height - height, step * steepness, rtol=1e-2, atol=1e-12)
