"""The hunt finds what random search misses, respects premises, and is not fooled by rounding."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.claim import Claim, Identity, Sides, Source, Stance, premise, registered_claims, scaled, theorem
from boundcheck.errors import BoundcheckError
from boundcheck.exact import constant
from boundcheck.geometry import rank
from boundcheck.problem import Problem
from boundcheck.profiles import Climbs, profile
from boundcheck.record import read_counterexample
from boundcheck.search import Hunt, Options, hunt, run_campaign
from boundcheck.search.replay import replay
from boundcheck.strategies.lanes import LaneStream
from boundcheck.verdict import Status

SMALL = Hunt(structures=2, lanes=32, steps=150)


@dataclass(frozen=True)
class Prey(Problem):
    x: Tensor


@dataclass(frozen=True)
class PreyRecipe:
    dim: int
    seed: int

    @property
    def label(self) -> str:
        return f"dim={self.dim}"

    def build(self, lanes: int, first: int = 0) -> Prey:
        return Prey(LaneStream(self.seed, lanes, first).normal(self.dim))


PREY = st.builds(PreyRecipe, dim=st.integers(4, 6), seed=st.integers(0, 10**6))


def claim_of(check: Any, key: str, **options: Any) -> Claim:
    given: dict[str, Any] = {
        "source": Source("tests", "none"),
        "stance": Stance.PROVED,
        "over": PREY,
        "mutants": {"half": scaled("1/2")},
    }
    return theorem(key, **(given | options))(check)


def sum_le_norm(p: Prey, c: Tensor = constant(1, scales="larger", unit="n |x|^2")) -> Sides:
    """(Σx)² <= n·‖x‖², attained where all entries are equal."""
    return Sides(p.x.sum().square(), c * p.x.shape[0] * p.x.square().sum())


def off_by(key: str, factor: str) -> Claim:
    def nearly(p: Prey, c: Tensor = constant(factor, scales="larger", unit="n |x|^2")) -> Sides:
        """(Σx)² <= c·n·‖x‖² with c a little below 1."""
        return sum_le_norm(p, c)

    return claim_of(nearly, key)


@pytest.mark.parametrize(("key", "factor"), [("HUNT-1e-2:off", "99/100"), ("HUNT-1e-4:off", "9999/10000")])
def test_a_bound_that_random_instances_do_not_break_falls(key: str, factor: str, tmp_path: Path) -> None:
    claim = off_by(key, factor)
    random_only = Options(profile("fast").hunting(Climbs.parse("off")), counterexamples=tmp_path)
    assert run_campaign(claim, random_only)["verdict"] == "HOLDS"
    with_hunt = Options(profile("fast"), counterexamples=tmp_path)
    entry = run_campaign(claim, with_hunt)
    assert entry["verdict"] == "VIOLATED"
    assert entry["hunted"]["ratio"][0] > 1
    assert "No random instance breaks it" in entry["notes"]
    assert Path(entry["hunted"]["instance"]).exists()
    found = hunt(claim, SMALL, counterexamples=tmp_path)
    assert found is not None
    assert found.status is Status.VIOLATED
    assert found.ratio[0] > 1 > found.random
    assert found.stored is not None
    assert replay(read_counterexample(found.stored), registered_claims()).proved


def test_the_worst_case_of_a_true_bound_is_approached_and_never_crossed(tmp_path: Path) -> None:
    true = claim_of(sum_le_norm, "HUNT-sum:true")
    found = hunt(true, SMALL, counterexamples=tmp_path)
    assert found is not None
    assert 0.999999 < found.ratio[0] <= 1
    assert found.ratio[0] > found.random
    assert found.status in (Status.HOLDS, Status.INCONCLUSIVE)
    assert found.stored is None
    entries = found.problem.x[0]  # type: ignore[attr-defined]
    assert float(entries.std() / entries.mean().abs()) < 0.01
    again = hunt(true, SMALL, counterexamples=tmp_path)
    assert again is not None
    assert again.to_json() | {"seconds": 0} == found.to_json() | {"seconds": 0}
    other = hunt(true, Hunt(structures=2, lanes=32, steps=150, seed=1), counterexamples=tmp_path)
    assert other is not None
    assert other.to_json()["problem"] != found.to_json()["problem"]


def test_premises_hold_at_what_is_found(tmp_path: Path) -> None:
    def apart(p: Prey) -> Sides:
        """(Σx)² <= n·‖x‖² where the first entry is at least twice as large as any other."""
        premise("the first is the largest", p.x[0] - 2.0 * p.x[1:].abs().amax())
        return sum_le_norm(p, p.x.new_tensor(1.0))

    found = hunt(claim_of(apart, "HUNT-apart:true"), SMALL, counterexamples=tmp_path)
    assert found is not None
    x = found.problem.x[0]  # type: ignore[attr-defined]
    assert float(x[0]) >= 2.0 * float(x[1:].abs().max())
    n = len(x)
    best = (2.0 + (n - 1)) ** 2 / (n * (4.0 + (n - 1)))  # first entry 2, the others 1
    assert 0.98 * best < found.ratio[0] <= best * (1 + 1e-12)


def test_rounding_is_no_extreme(tmp_path: Path) -> None:
    def cancelling(p: Prey) -> Sides:
        """((1 + y) - 1)² <= y² with y = 2^-40·x_0: an equality whose floats are off by per cents."""
        y = p.x[0] * 2.0**-40
        return Sides(((1.0 + y) - 1.0).square(), y.square())

    found = hunt(claim_of(cancelling, "HUNT-cancelling:true"), SMALL, counterexamples=tmp_path)
    assert found is not None
    assert found.status is not Status.VIOLATED
    assert found.ratio[0] <= 1 <= found.ratio[1]


def test_a_claim_without_derivative_is_refused_in_words(tmp_path: Path) -> None:
    def rank_le(p: Prey) -> Sides:
        """rank((x, x)) <= 2."""
        return Sides(rank(torch.stack([p.x, p.x])), torch.full_like(p.x[0], 2.0))

    claim = claim_of(rank_le, "HUNT-rank:true")
    with pytest.raises(BoundcheckError, match="cannot be differentiated"):
        hunt(claim, Hunt(structures=1, lanes=4, steps=4, method="gradient"), counterexamples=tmp_path)
    found = hunt(claim, Hunt(structures=1, lanes=4, steps=4), counterexamples=tmp_path)
    assert found is not None
    assert found.ratio == (0.5, 0.5)


def test_what_cannot_be_hunted_is_refused(tmp_path: Path) -> None:
    def same(p: Prey) -> Identity:
        """x·x = ‖x‖²."""
        return Identity((p.x * p.x).sum(), p.x.square().sum())

    with pytest.raises(BoundcheckError, match="identity"):
        hunt(claim_of(same, "HUNT-same:true", mutants={"2": scaled(2)}), SMALL, counterexamples=tmp_path)
    with pytest.raises(BoundcheckError, match="real data"):
        hunt(claim_of(sum_le_norm, "HUNT-real:true", input="real"), SMALL, counterexamples=tmp_path)
    with pytest.raises(BoundcheckError, match="lanes=0"):
        Hunt(lanes=0)
