"""A hunt's budget, its memory, and what it tells on the way."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from boundcheck.claim import Claim
from boundcheck.errors import BoundcheckError
from boundcheck.profiles import Climbs, profile
from boundcheck.search import Hunt, hunt
from boundcheck.search.hunting import CutShortError, News
from boundcheck.search.hunting.hunt import Forgetful
from boundcheck.search.hunting.memory import Climbs as Memory
from boundcheck.search.hunting.passed import Passed
from tests.search.test_hunt import claim_of, sum_le_norm

BUDGET = Hunt(structures=3, lanes=16, steps=24)


@pytest.fixture
def claim() -> Claim:
    return claim_of(sum_le_norm, "HUNT-budget:true")


class Counting(Forgetful):
    def __init__(self) -> None:
        self.kept: list[str] = []

    def keep(self, key: str, passed: Passed) -> None:
        self.kept.append(key)


def test_an_interrupted_hunt_is_taken_up_where_it_was(claim: Claim, tmp_path: Path) -> None:
    whole = hunt(claim, BUDGET, counterexamples=tmp_path)
    climbed = 0

    def interrupt(news: News) -> None:
        nonlocal climbed
        climbed += news.done
        if news.doing.startswith("refining"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hunt(
            claim,
            BUDGET,
            counterexamples=tmp_path,
            told=interrupt,
            memory=Memory(tmp_path, claim, BUDGET, resume=False),
        )
    assert len(list(tmp_path.glob("*.json"))) == BUDGET.structures
    news: list[News] = []
    again = hunt(
        claim, BUDGET, counterexamples=tmp_path, told=news.append, memory=Memory(tmp_path, claim, BUDGET, resume=True)
    )
    assert whole is not None
    assert again is not None
    assert again.to_json() | {"seconds": 0} == whole.to_json() | {"seconds": 0}
    assert news[-1].done <= BUDGET.lanes * (BUDGET.steps + 1), "exploring was not done again"


def test_only_the_same_hunt_is_taken_up(claim: Claim, tmp_path: Path) -> None:
    passed = Passed(torch_problem(claim), torch.ones(1, dtype=torch.float64), 0.5, 7)
    Memory(tmp_path, claim, BUDGET, resume=False).keep("a climb", passed)
    found = Memory(tmp_path, claim, BUDGET, resume=True).recall("a climb")
    assert found is not None
    assert (found.random, found.evaluations, found.ratios.tolist()) == (0.5, 7, [1.0])
    assert found.problem.to_json() == passed.problem.to_json()
    assert Memory(tmp_path, claim, BUDGET, resume=False).recall("a climb") is None
    assert Memory(tmp_path, claim, BUDGET, resume=True).recall("another") is None
    assert Memory(tmp_path, claim, replace(BUDGET, seed=1), resume=True).recall("a climb") is None
    assert Memory(tmp_path, claim.with_constants({"c": 2}), BUDGET, resume=True).recall("a climb") is None  # type: ignore[dict-item]
    (file,) = tmp_path.glob("*.json")
    file.write_text(file.read_text()[:-40])
    assert Memory(tmp_path, claim, BUDGET, resume=True).recall("a climb") is None, "a torn file is climbed again"


def torch_problem(claim: Claim):  # type: ignore[no-untyped-def]
    from tests.search.test_hunt import PreyRecipe

    return PreyRecipe(4, 0).build(1)


def test_progress_goes_up_to_what_was_planned(claim: Claim, tmp_path: Path) -> None:
    news: list[News] = []
    hunt(claim, BUDGET, counterexamples=tmp_path, told=news.append)
    done = [one.done for one in news]
    assert done == sorted(done)
    assert 0.8 * BUDGET.evaluations <= done[-1] <= 1.3 * BUDGET.evaluations
    assert {one.doing.split()[0] for one in news} == {"exploring", "refining", "confirming"}
    assert news[-1].best > 0.99


def test_a_clock_cuts_short_says_so_and_keeps_nothing_for_later(claim: Claim, tmp_path: Path) -> None:
    memory = Counting()
    with pytest.raises(CutShortError, match="the clock ended the hunt"):
        hunt(claim, replace(BUDGET, minutes=1e-9), counterexamples=tmp_path, memory=memory)
    assert memory.kept == []
    whole = hunt(claim, replace(BUDGET, minutes=60.0), counterexamples=tmp_path)
    assert whole is not None
    assert not whole.truncated


def test_a_profile_says_how_far_to_climb() -> None:
    assert Climbs.parse("off").structures == 0
    assert Climbs.parse("4x128x120") == profile("default").climbs
    for bad in ("4x128", "0x1x1", "axbxc", "", "4x-1x3"):
        with pytest.raises(BoundcheckError, match="structures x lanes x steps"):
            Climbs.parse(bad)


@pytest.mark.parametrize(
    "bad", [{"lanes": 0}, {"minutes": 0.0}, {"method": "guess"}, {"seed": -3}, {"device": "abacus"}]
)
def test_a_budget_that_is_none_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(BoundcheckError, match=next(iter(bad))):
        Hunt(**bad)  # type: ignore[arg-type]
