"""Campaigns: deterministic, honest about what they saw, robust against what a claim may do."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.claim import Claim, Draws, Sides, Source, Stance, build, premise, registered_claims, scaled, theorem
from boundcheck.errors import BoundcheckError
from boundcheck.exact import constant
from boundcheck.problem import Part, Problem
from boundcheck.profiles import profile
from boundcheck.record import read_counterexample
from boundcheck.search import Evaluator, Options, run_campaign
from boundcheck.search.replay import replay
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
    assert sum(entry["tightness"]["histogram"]["counts"]) <= entry["held"] + entry["inconclusive"]
    assert entry["verdict"] == "HOLDS"


def test_same_seed_same_entry_other_seed_another(options: Options) -> None:
    claim = claim_of(largest_le_norm)
    first, again = run_campaign(claim, options), run_campaign(claim, options)
    other = run_campaign(claim, replace(options, seed=1))
    assert without_time(first) == without_time(again)
    assert first["tightness"] != other["tightness"]


def test_a_violation_is_proved_twice_and_stored_at_its_worst_and_at_its_simplest(options: Options) -> None:
    entry = run_campaign(claim_of(norm_le_largest), options)
    assert entry["verdict"] == "VIOLATED"
    assert entry["violated"] > 0
    simplest = read_counterexample(Path(entry["counterexample"]))
    worst = read_counterexample(Path(entry["worst_counterexample"]))
    for stored in (simplest, worst):
        assert stored.status == "VIOLATED"
        assert stored.certificate is not None
        assert len(stored.certificate) == 2
        assert replay(stored, registered_claims()).proved
        judgement = Evaluator(claim_of(norm_le_largest))(stored.problem)
        assert judgement.broken().all()
        assert float(judgement.smaller.mid[0]) == pytest.approx(stored.screening.left.mid, rel=1e-14)
    assert isinstance(simplest.problem, Points)
    assert simplest.problem.x.shape == (1, 2), "dimension 2 is the smallest that breaks it"
    assert simplest.problem.x.abs().tolist() == [[1.0, 1.0]]
    ratio = worst.screening.left.mid / worst.screening.right.mid
    assert ratio == pytest.approx(entry["tightness"]["max"])


def test_one_poisoned_lane_is_invalid_and_the_others_are_judged(options: Options) -> None:
    claim = claim_of(largest_le_norm, over=points(poison=True))
    judgement = Evaluator(claim)(build(PointsRecipe(3, 1, poison=True), 64))
    assert judgement.count(Status.INVALID) == 1
    assert judgement.count(Status.HOLDS) == 63
    assert run_campaign(claim, options)["verdict"] == "INVALID"


def test_what_overflows_a_double_is_decided_in_balls_and_what_is_no_number_is_not(options: Options) -> None:
    def steep(p: Points) -> Sides:
        steep = torch.exp(250 * p.x.abs().amax())
        return Sides(steep, 1.5 * steep)

    claim = claim_of(steep)
    problem = build(PointsRecipe(3, 1), 64)
    assert Evaluator(claim)(problem).count(Status.INVALID) > 0
    entry = run_campaign(claim, options)
    assert (entry["verdict"], entry["invalid"]) == ("HOLDS", 0)

    def no_number(p: Points) -> Sides:
        return Sides(torch.log(-torch.linalg.vector_norm(p.x)), p.x.abs().amax())

    assert run_campaign(claim_of(no_number), options)["verdict"] == "INVALID"


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
    assert run_campaign(fallen, options)["verdict"] == "REFUTED"


def nothing_over(p: Points, c: Tensor = constant("2^-64", scales="smaller", unit="|x|^2")) -> Sides:
    """c·‖x‖² <= (x·x - ‖x‖²), which is 0."""
    return Sides(c * p.x.square().sum(), (p.x * p.x).sum() - p.x.square().sum())


def little_over(p: Points, c: Tensor = constant("2^-64", scales="smaller", unit="|x|^2")) -> Sides:
    """c·‖x‖² <= 2^-100·‖x‖²."""
    return Sides(c * p.x.square().sum(), p.x.new_tensor(2.0**-100) * p.x.square().sum())


def test_a_statement_with_an_open_constant_falls_only_where_no_constant_helps(options: Options) -> None:
    fallen = run_campaign(claim_of(nothing_over, stance=Stance.PRINTED, refuted_by="order", mutants={}), options)
    assert fallen["verdict"] == "REFUTED"
    assert "no constant helps" in fallen["reason"]
    again = replay(read_counterexample(Path(fallen["counterexample"])), registered_claims())
    assert again.proved
    assert again.certificate.routes_to_zero
    assert fallen["constants"][0]["found"] == 0
    assert fallen["constants"][0]["at"] == "2^-64"
    open_ = run_campaign(claim_of(little_over, stance=Stance.PRINTED, refuted_by="order", mutants={}), options)
    assert open_["verdict"] == "UNREFUTED"
    assert "a smaller constant may hold" in open_["reason"]
    assert open_["violated"] > 0


def test_what_no_instance_decides_stands_beside_the_verdict(options: Options) -> None:
    entry = run_campaign(claim_of(largest_le_norm, undecidable="infinite sets", notes=lambda p: "seen."), options)
    assert entry["notes"] == "seen. Not decided by instances: infinite sets"


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


def sum_of(p: Points) -> Sides:
    return Sides(p.x.abs().sum(), torch.full_like(p.x[0], 7.0))


def power_family(exponent: int) -> type[Part]:
    """Two classes of one name, as a factory makes them."""

    @dataclass(frozen=True)
    class Power(Part):
        size: int = 1

        def __call__(self, x: Tensor) -> Tensor:
            return x.pow(exponent).sum()

    return Power


@dataclass(frozen=True)
class Modelled(Problem):
    model: Any
    x: Tensor


def test_a_trace_serves_no_other_class_of_the_same_name() -> None:
    def claim_on_model(p: Modelled) -> Sides:
        return Sides(p.model(p.x), torch.full_like(p.x[0], 7.0))

    evaluator = Evaluator(claim_of(claim_on_model))
    x = torch.full((4, 1), 2.0, dtype=torch.float64)
    assert evaluator(Modelled(power_family(1)(), x)).count(Status.HOLDS) == 4
    assert evaluator(Modelled(power_family(4)(), x)).count(Status.VIOLATED_UNCERTIFIED) == 4


def test_structure_that_no_key_can_hold_is_refused() -> None:
    hidden = Modelled((torch.zeros(3),), torch.ones(4, 1, dtype=torch.float64))
    with pytest.raises(BoundcheckError, match=r"Modelled\.model is a tuple"):
        Evaluator(claim_of(sum_of))(hidden)


def test_a_claim_that_writes_in_place_spoils_no_batch() -> None:
    def writes(p: Points) -> Sides:
        p.x.zero_()
        return Sides(p.x.sum(), 1 + p.x.sum())

    problem = PointsRecipe(3, 1).build(8)
    before = problem.x.clone()
    Evaluator(claim_of(writes))(problem)
    assert torch.equal(problem.x, before)


def test_a_counterexample_that_cannot_be_stored_does_not_hide_the_violation(options: Options, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    entry = run_campaign(claim_of(norm_le_largest), replace(options, counterexamples=tmp_path / "file" / "folder"))
    assert entry["verdict"] == "VIOLATED"
    assert "the counterexample could not be stored" in entry["reason"]


def test_a_mutant_is_not_caught_by_letting_other_lanes_in(options: Options) -> None:
    def guarded(p: Points, c: Tensor = constant("1/1000")) -> Sides:
        size = torch.linalg.vector_norm(p.x)
        premise("small", c - size * 0)
        premise("bounded", c * 1000 - size)
        return Sides(size, torch.full_like(size, 1.0))

    entry = run_campaign(claim_of(guarded, mutants={"wider": {"c": "1/10"}}), options)
    assert entry["mutants"]["lived"] == ["wider"]


def test_the_same_recipe_twice_is_no_new_evidence(options: Options) -> None:
    entry = run_campaign(claim_of(largest_le_norm, over=st.builds(PointsRecipe, st.just(3), st.just(1))), options)
    assert entry["tested"] == options.profile.lanes
    assert entry["verdict"] == "UNDECIDED"


def test_a_recipe_that_forgets_the_lanes_is_told(options: Options) -> None:
    class Forgetful(PointsRecipe):
        def build(self, lanes: int, first: int = 0) -> Points:
            return Points(torch.ones(3, dtype=torch.float64))

    entry = run_campaign(claim_of(largest_le_norm, over=st.just(Forgetful(3, 1))), options)
    assert entry["verdict"] == "ERROR"
    assert "made 3 lanes; expected as many lanes as were asked for" in entry["reason"]


def test_found_counts_the_instances_where_both_sides_agree(options: Options) -> None:
    def half(p: Points, c: Tensor = constant("1/2", scales="smaller")) -> Sides:
        return Sides(c * p.x.square().sum() / 3, (p.x / 3).square().sum() * 1.5)

    entry = run_campaign(claim_of(half, mutants={"more": {"c": "51/100"}}), options)
    assert entry["constants"][0]["found"] == 0.5
    assert entry["tightness"]["max"] == 1.0


def test_an_exception_names_the_claims_line(options: Options) -> None:
    def misspelt(p: Points) -> Sides:
        return Sides(p.x.summ(), p.x.sum())  # type: ignore[attr-defined]

    reason = run_campaign(claim_of(misspelt), options)["reason"]
    assert "has no attribute 'summ'" in reason
    assert "test_campaign.py:" in reason


@pytest.mark.parametrize("read", [lambda x: x.sum().item(), lambda x: 1.0 if x.sum() > 0 else 2.0])
def test_reading_a_number_out_of_a_tensor_is_one_sentence(options: Options, read: Any) -> None:
    def reads(p: Points) -> Sides:
        return Sides(p.x.sum() * read(p.x), p.x.sum())

    assert "reads a number out of a tensor" in run_campaign(claim_of(reads), options)["reason"]


def test_a_conjecture_is_measured_and_never_fails(options: Options) -> None:
    for check in (largest_le_norm, norm_le_largest):
        entry = run_campaign(claim_of(check, stance=Stance.CONJECTURED, mutants={}), options)
        assert entry["verdict"] == "MEASURED"


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_leaves_of_other_types_are_refused(dtype: torch.dtype) -> None:
    with pytest.raises(BoundcheckError, match="expected float64 tensors"):
        Evaluator(claim_of(sum_of))(Points(torch.ones(4, 2, dtype=dtype)))


@dataclass(frozen=True)
class ListedRecipe:
    sizes: list[int]
    seed: int

    @property
    def label(self) -> str:
        return f"sizes={self.sizes}"

    def build(self, lanes: int, first: int = 0) -> Points:
        return Points(LaneStream(self.seed, lanes, first).normal(sum(self.sizes)))


def test_a_recipe_may_hold_a_list(tmp_path: Path) -> None:
    """Its class has a hash, and no instance of it has one."""

    def check(p: Points) -> Sides:
        return Sides(smaller=p.x.abs().amax(), larger=torch.linalg.vector_norm(p.x))

    sizes = st.lists(st.integers(1, 3), min_size=1, max_size=2)
    claim = claim_of(check, over=st.builds(ListedRecipe, sizes=sizes, seed=st.integers(0, 99)))
    entry = run_campaign(claim, Options(profile("fast"), counterexamples=tmp_path))
    assert entry["verdict"] == "HOLDS", entry["reason"]


def test_a_recipe_that_comes_again_is_no_new_evidence(options: Options) -> None:
    one = claim_of(largest_le_norm, over=st.sampled_from([PointsRecipe(2, 0), PointsRecipe(3, 0)]))
    entry = run_campaign(one, options)
    assert entry["tested"] == 2 * options.profile.lanes * options.profile.batches
