"""A few planted bounds: random instances do not break them, the hunt does, and both routes prove it (all: `make planted`)."""

from fractions import Fraction
from pathlib import Path

import pytest

from boundcheck.claim import build
from boundcheck.record import read_counterexample
from boundcheck.search import Hunt, hunt
from boundcheck.search.judge import Judge
from boundcheck.verdict import Status
from tests.search.planted import OFF, SHARP


@pytest.mark.parametrize("name", ["LE-8", "AC-B2", "AC-sandwich:lower", "AC-3.3:gaussian"])
def test_a_bound_wrong_by_a_ten_thousandth_falls(name: str, tmp_path: Path) -> None:
    sharp = SHARP[name]
    judged = Judge(sharp.planted(OFF["1 %"])).evaluator(build(sharp.recipe, 2000))
    assert bool(judged.held().any())
    assert not bool(judged.broken().any())
    found = hunt(sharp.planted(OFF["1e-4"]), Hunt(1, 48, 200), counterexamples=tmp_path)
    assert found is not None
    assert found.status is Status.VIOLATED
    assert found.stored is not None
    assert read_counterexample(found.stored).status == "VIOLATED"


def test_a_bound_that_is_not_reached_does_not_fall(tmp_path: Path) -> None:
    """Nor one wrong by so little that a short hunt does not come as near."""
    sharp = SHARP["AC-sandwich:lower"]
    found = hunt(sharp.planted(Fraction(10**9 - 1, 10**9)), Hunt(1, 16, 40), counterexamples=tmp_path)
    assert found is not None
    assert found.ratio[0] < 1
