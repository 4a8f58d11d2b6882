"""A climb keeps to what a strategy draws, as far as that shows: a true claim must not fall outside its own instances."""

from dataclasses import dataclass
from pathlib import Path

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.claim import Sides
from boundcheck.problem import Problem
from boundcheck.profiles import profile
from boundcheck.search import Options, run_campaign
from boundcheck.search.hunting.ranges import Range, Ranges
from boundcheck.strategies.lanes import LaneStream
from tests.search.test_hunt import claim_of


@dataclass(frozen=True)
class Ranged(Problem):
    share: Tensor
    count: Tensor
    size: Tensor
    debt: Tensor
    any: Tensor
    nothing: Tensor


@dataclass(frozen=True)
class RangedRecipe:
    seed: int

    @property
    def label(self) -> str:
        return "ranged"

    def build(self, lanes: int, first: int = 0) -> Ranged:
        stream = LaneStream(self.seed, lanes, first)
        return Ranged(
            share=stream.uniform(3),
            count=(5 * stream.uniform(2)).floor() + 1,
            size=stream.log_uniform(0.1, 10.0),
            debt=-stream.log_uniform(0.1, 10.0),
            any=stream.normal(2),
            nothing=torch.zeros(lanes, 2, dtype=torch.float64),
        )


OVER = st.builds(RangedRecipe, st.integers(0, 9))


def test_ranges_are_seen_in_random_instances() -> None:
    assert Ranges.seen(RangedRecipe(0).build(64)).of_leaf == {
        "share": Range.SHARE,
        "count": Range.WHOLE,
        "size": Range.ONE_SIGN,
        "debt": Range.ONE_SIGN,
        "any": Range.ANY,
        "nothing": Range.WHOLE,
    }


def test_what_holds_of_shares_sizes_and_whole_numbers_is_not_broken_by_the_hunt(tmp_path: Path) -> None:
    def shares(p: Ranged) -> Sides:
        """q² <= q for a share q."""
        return Sides(p.share.square().sum(), p.share.sum())

    def counts(p: Ranged) -> Sides:
        """k <= k² for a whole number k."""
        return Sides(p.count.sum(), p.count.square().sum())

    def signs(p: Ranged) -> Sides:
        """|size + debt| <= size - debt, and nothing is nothing."""
        return Sides((p.size + p.debt).abs() + p.nothing.square().sum(), p.size - p.debt)

    for number, check in enumerate((shares, counts, signs)):
        options = Options(profile("fast"), counterexamples=tmp_path)
        entry = run_campaign(claim_of(check, f"RANGED-{number}:true", over=OVER), options)
        assert entry["verdict"] == "HOLDS", entry["reason"]
        assert entry["hunted"]["ratio"][0] <= 1
        assert entry["hunted"]["ratio"][0] > 0.9 or check is counts, "it did climb"
