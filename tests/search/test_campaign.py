"""Campaigns: deterministic, honest about what they saw, robust against what a claim may do."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.claim import Claim, Draws, Sides, Source, Stance, build, scaled, theorem
from boundcheck.problem import Problem
from boundcheck.profiles import profile
from boundcheck.search import Evaluator, Options, run_campaign
from boundcheck.strategies.lanes import LaneStream
from boundcheck.verdict import Status

HERE = Source("tests", "none")


@dataclass(frozen=True)
class Points(Problem):
    x: Tensor


@dataclass(frozen=True)
class PointsRecipe:
    dim: int
    seed: int
    poison: bool = False

    @property
    def label(self) -> str:
        return f"dim={self.dim}"

    def build(self, lanes: int, first: int = 0) -> Points:
        x = LaneStream(self.seed, lanes, first).normal(self.dim)
        if self.poison:
            x[lanes // 2, 0] = torch.nan
        return Points(x)


def points(**fixed: Any) -> Draws:
    free = {"dim": st.integers(1, 6), "seed": st.integers(0, 10**6)}
    return st.builds(PointsRecipe, **(free | {name: st.just(value) for name, value in fixed.items()}))


def claim_of(check: Any, **options: Any) -> Claim:
    settings: dict[str, Any] = {
        "source": HERE,
        "stance": Stance.PROVED,
        "over": points(),
        "mutants": {"half": scaled("1/2")},
    }
    return theorem(f"T-{check.__name__}:{abs(hash(check))}", **(settings | options))(check)


def largest_le_norm(p: Points) -> Sides:
    return Sides(p.x.abs().amax(), torch.linalg.vector_norm(p.x))


def norm_le_largest(p: Points) -> Sides:
    return Sides(torch.linalg.vector_norm(p.x), p.x.abs().amax())


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(profile("fast"), counterexamples=tmp_path)


def without_time(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "seconds"}


def test_counts_add_up(options: Options) -> None:
    entry = run_campaign(claim_of(largest_le_norm), options)
    parts = ("held", "vacuous", "unverified", "inconclusive", "violated", "violated_uncertified", "invalid")
    assert entry["tested"] == sum(entry[name] for name in parts) > 0
    assert entry["held"] >= options.profile.holds
    assert sum(entry["tightness"]["histogram"]["counts"]) <= entry["held"]
    assert entry["verdict"] == "HOLDS"


def test_same_seed_same_entry_other_seed_another(options: Options) -> None:
    claim = claim_of(largest_le_norm)
    first, again = run_campaign(claim, options), run_campaign(claim, options)
    other = run_campaign(claim, replace(options, seed=1))
    assert without_time(first) == without_time(again)
    assert first["tightness"] != other["tightness"]


def test_a_violation_is_shrunk_and_its_worst_lane_stored_exactly(options: Options) -> None:
    entry = run_campaign(claim_of(norm_le_largest), options)
    assert entry["verdict"] == "VIOLATED_UNCERTIFIED"
    stored = json.loads(Path(entry["counterexample"]).read_text())
    problem = Problem.from_json(stored["problem"])
    assert isinstance(problem, Points)
    assert problem.x.shape == (1, 2), "dimension 2 is the smallest that breaks it"
    judgement = Evaluator(claim_of(norm_le_largest))(problem)
    assert judgement.count(Status.VIOLATED_UNCERTIFIED) == 1
    assert float(judgement.smaller.mid[0]) == pytest.approx(float.fromhex(stored["sides"]["smaller"]["mid"]), rel=1e-14)


def test_one_poisoned_lane_is_invalid_and_the_others_are_judged(options: Options) -> None:
    claim = claim_of(largest_le_norm, over=points(poison=True))
    judgement = Evaluator(claim)(build(PointsRecipe(3, 1, poison=True), 64))
    assert judgement.count(Status.INVALID) == 1
    assert judgement.count(Status.HOLDS) == 63
    assert run_campaign(claim, options)["verdict"] == "INVALID"


def test_an_exception_of_a_claim_is_its_verdict(options: Options) -> None:
    def raises(p: Points) -> Sides:
        raise ZeroDivisionError("in the model")

    entry = run_campaign(claim_of(raises), options)
    assert entry["verdict"] == "ERROR"
    assert "in the model" in entry["reason"]


def test_a_strategy_that_draws_something_else(options: Options) -> None:
    entry = run_campaign(claim_of(largest_le_norm, over=st.integers()), options)
    assert entry["verdict"] == "ERROR"
    assert "the strategy drew a int; expected a Problem, or a recipe" in entry["reason"]


def test_a_budget_too_small_is_undecided(options: Options) -> None:
    starved = replace(options, profile=replace(options.profile, examples=1, structures=1))
    entry = run_campaign(claim_of(largest_le_norm), starved)
    assert entry["verdict"] == "UNDECIDED"


def test_a_false_printed_claim_that_no_instance_shows_is_unrefuted(options: Options) -> None:
    claim = claim_of(largest_le_norm, stance=Stance.PRINTED, refuted_by="instance", mutants={})
    assert run_campaign(claim, options)["verdict"] == "UNREFUTED"
    fallen = claim_of(norm_le_largest, stance=Stance.PRINTED, refuted_by="instance", mutants={})
    assert run_campaign(fallen, options)["verdict"] == "REFUTED_UNCERTIFIED"


def test_an_equality_case_is_reported_as_attained(options: Options) -> None:
    entry = run_campaign(claim_of(largest_le_norm, equality=points(dim=1)), options)
    assert entry["attained"] is True
    apart = claim_of(largest_le_norm, equality=points(dim=5))
    assert run_campaign(apart, options)["attained"] is False


def test_the_users_hypothesis_settings_stay_as_they_are(options: Options) -> None:
    before = hypothesis.settings.default
    threads = torch.get_num_threads()
    run_campaign(claim_of(largest_le_norm), options)
    assert hypothesis.settings.default is before
    assert torch.get_num_threads() == threads


def test_problems_may_be_drawn_directly(options: Options) -> None:
    direct = points().map(lambda recipe: recipe.build(100))
    assert run_campaign(claim_of(largest_le_norm, over=direct), options)["verdict"] == "HOLDS"
