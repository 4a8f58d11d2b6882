"""`make hunts`: the tightest instance of random search and of the hunt, after the same time: a Markdown table.

    python tests/campaigns/run_hunt.py [--structures 12] [--lanes 256] [--steps 400] [--seeds 0,1,2] [NAME ...]

Random search judges batches of the claim's own strategy with error bounds, as a campaign does. The hunt gets no instance to start
from either. `least` is what it is known to be able to reach: fewer is a failure.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st

import boundcheck.theorems.alignment_collapse
import boundcheck.theorems.local_edits  # noqa: F401 - registers the claims
from boundcheck.claim import Claim, build, registered_claims
from boundcheck.search import Hunt, hunt
from boundcheck.search.drawing import one_thread_on, over
from boundcheck.search.hunting.passed import lower_ratios
from boundcheck.search.judge import Judge
from boundcheck.strategies.eigenspaces import SpectralPairRecipe
from boundcheck.strategies.sizes import SEEDS
from boundcheck.theorems.local_edits.linear_setting import ONE_ROW

LANES = 1024
"""Of a random batch."""

PLAIN_PAIRS = st.integers(2, 5).flatmap(
    lambda n: st.builds(SpectralPairRecipe, st.just(n), st.integers(1, n - 1), st.just("any"), SEEDS)
)
"""Without the pairs of matrices that nearly exchange eigenvectors."""


@dataclass(frozen=True)
class Prey:
    """A claim, and the ratio that a hunt must reach."""

    key: str
    least: Fraction = Fraction(0)
    over: Any = None

    @property
    def claim(self) -> Claim:
        """Over its own strategy, or the one given here."""
        claim = registered_claims()[self.key]
        return claim if self.over is None else replace(claim, over=self.over)


NEARLY = Fraction("0.99")
PREY = {
    "LE-linear, mk = 1": Prey("LE-linear:corrected", NEARLY, ONE_ROW),
    "LE-8:proved": Prey("LE-8:proved", NEARLY),
    "AC-A4:proved": Prey("AC-A4:proved", NEARLY),
    "AC-A5:proved": Prey("AC-A5:proved", NEARLY),
    "AC-B2:proved": Prey("AC-B2:proved", NEARLY),
    "AC-B2, plain pairs": Prey("AC-B2:proved", NEARLY, PLAIN_PAIRS),
    "AC-sandwich:lower": Prey("AC-sandwich:lower", NEARLY),
    "AC-sandwich:upper": Prey("AC-sandwich:upper", NEARLY),
    "AC-A6:proved": Prey("AC-A6:proved", NEARLY),
    "LE-6iii:U-lower": Prey("LE-6iii:U-lower", Fraction("0.9994")),
    "LE-6iii:U-upper": Prey("LE-6iii:U-upper", Fraction("0.738")),
    "LE-15:U": Prey("LE-15:U", Fraction("0.574")),
    "LE-7:U": Prey("LE-7:U", Fraction("0.7526")),
    "AC-quartic:lower": Prey("AC-quartic:lower"),
    "AC-quartic:upper": Prey("AC-quartic:upper"),
    "AC-quartic:window": Prey("AC-quartic:window"),
    "AC-B1:corrected": Prey("AC-B1:corrected"),
    "AC-3.3:softmax": Prey("AC-3.3:softmax"),
    "AC-3.3:gaussian": Prey("AC-3.3:gaussian"),
    "AC-A3:proved": Prey("AC-A3:proved"),
    "AC-A3:upper": Prey("AC-A3:upper"),
}


def random_search(claim: Claim, seconds: float, seed: int) -> tuple[float, int]:
    """The largest lower end of a ratio after so many seconds, and of how many instances."""
    began, judge = time.perf_counter(), Judge(claim)
    best, count = 0.0, 0

    def draws() -> Iterator[Any]:
        for again in range(1000):
            drawn: list[Any] = []
            over(claim.over, drawn.append, 64, 1000 * seed + again)
            yield from drawn

    for drawn in draws():
        if time.perf_counter() - began > seconds:
            break
        problem = build(drawn, LANES)
        best, count = max(best, float(lower_ratios(judge, problem).max())), count + problem.lanes
    return best, count


def rows(names: list[str], budget: Hunt, seeds: list[int]) -> Iterator[tuple[str, bool]]:
    """A line of the table for each, and whether the hunt reached what it must."""
    for name in names:
        prey = PREY[name]
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                found = hunt(prey.claim, replace(budget, seed=seed), counterexamples=Path(folder))
            if found is None:
                yield f"| {name} | {seed} | | | nothing | | | |", prey.least <= 0
                continue
            with one_thread_on("cpu"):
                best, count = random_search(prey.claim, found.seconds, seed)
            speed = found.evaluations / found.seconds
            drawn = f"{best:.7g} | {count:,}"
            hunted = f"{found.ratio[0]:.9g} | {found.evaluations:,} | {found.seconds:.1f} | {speed:,.0f}"
            yield f"| {name} | {seed} | {drawn} | {hunted} |", found.ratio[0] >= prey.least


def main(arguments: list[str]) -> int:
    """Returns how many hunts fell short."""
    budget = Hunt()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for size in ("structures", "lanes", "steps"):
        parser.add_argument(f"--{size}", type=int, default=getattr(budget, size))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("names", nargs="*", choices=[[], *PREY], metavar="NAME")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    budget = replace(budget, structures=given.structures, lanes=given.lanes, steps=given.steps)
    print("| claim | seed | random best | instances | hunt's best | evaluations | seconds | evaluations/s |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    short = 0
    for line, reached in rows(given.names or list(PREY), budget, [int(seed) for seed in given.seeds.split(",")]):
        short += not reached
        print(line + ("" if reached else " fell short"), flush=True)
    return short


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 100))
