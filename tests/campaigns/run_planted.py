"""`make planted`: bounds wrong by 1 %, 0.1 % and 1e-4 that 50,000 random instances do not break, two minutes of hunting each.

A bound wrong by less is broken by fewer instances, so that random search is tried on the one that is wrong by 1 %.
"""

import os
import sys
import time
from pathlib import Path

import pytest
import torch

from boundcheck.claim import build
from boundcheck.record import read_counterexample
from boundcheck.search import Hunt, hunt
from boundcheck.search.judge import Judge
from boundcheck.verdict import Status
from tests.search.planted import DESCENTS, OFF, SHARP

RANDOM = int(os.environ.get("BOUNDCHECK_RANDOM", "50000"))
LANES = 1000
SECONDS = 120
BUDGETS = {
    **dict.fromkeys(SHARP, Hunt(1, 64, 400)),
    **dict.fromkeys(DESCENTS, Hunt(1, 64, 100)),
    "AC-quartic:lower": Hunt(1, 128, 1000),
}


@pytest.mark.parametrize("name", [*SHARP, *DESCENTS])
def test_planted(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    sharp = (SHARP | DESCENTS)[name]
    judge = Judge(sharp.planted(OFF["1 %"]))
    held = 0
    for first in range(0, RANDOM, LANES):
        judged = judge.evaluator(build(sharp.recipe, LANES, first))
        held += int(judged.held().sum())
        assert not bool(judged.broken().any()), "random search breaks it: no test of a hunt"
    assert held > 0
    words = []
    for off, factor in OFF.items():
        began = time.perf_counter()
        found = hunt(sharp.planted(factor), BUDGETS[name], counterexamples=tmp_path)
        seconds = time.perf_counter() - began
        assert found is not None
        words.append(f"{off}: ratio {found.ratio[0]:.7g}, {seconds:.1f} s, {found.evaluations:,} evaluations")
        assert found.status is Status.VIOLATED, words[-1]
        assert found.stored is not None
        assert read_counterexample(found.stored).status == "VIOLATED"
        assert seconds < SECONDS
    sys.stderr.write(
        f"\n{name}: {held:,} of {RANDOM:,} random instances hold where 1 % is planted; " + "; ".join(words) + "\n"
    )
