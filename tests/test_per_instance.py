"""The script that the benchmark times checks the same numbers as the claim."""

import pytest

from tests.benchmarks.per_instance import ours, script

LANES = 6


def test_a_script_for_one_instance_finds_the_sides_of_the_claim() -> None:
    judgement = ours(LANES)
    for lane, (smaller, larger) in enumerate(script(range(LANES))):
        assert smaller == pytest.approx(float(judgement.smaller.mid[lane]), rel=1e-9)
        assert larger == pytest.approx(float(judgement.larger.mid[lane]), rel=1e-5)
