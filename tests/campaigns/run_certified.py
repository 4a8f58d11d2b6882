"""`make certified`: a thousand instances of each true claim, premises and conclusion proved in Arb alone, floats not asked.

Equality structures and what balls leave open are counted apart; one broken instance fails.
"""

import os
import sys

import pytest

import boundcheck.theorems.alignment_collapse
import boundcheck.theorems.local_edits  # noqa: F401 - registers the claims
from boundcheck.claim import Stance, build, registered_claims
from boundcheck.profiles import profile
from boundcheck.search.certify import Certifier
from boundcheck.search.drawing import over
from boundcheck.verdict import BREAKING, HOLDING, Status

WANTED = int(os.environ.get("BOUNDCHECK_CERTIFIED", "1000"))
LANES = 128
TRUE = [
    key
    for key, claim in sorted(registered_claims().items())
    if claim.input == "generated" and claim.stance in (Stance.PROVED, Stance.CORRECTED)
]


@pytest.mark.parametrize("key", TRUE)
def test_certified(key: str) -> None:
    claim = registered_claims()[key]
    certifier = Certifier(claim)
    counts = dict.fromkeys(Status, 0)

    def visit(drawn: object) -> None:
        if sum(counts[status] for status in HOLDING) >= WANTED:
            return
        problem = build(drawn, LANES)
        for lane in range(LANES):
            counts[certifier.decide(problem, lane)] += 1

    over(claim.over, visit, profile("default").examples, 1)
    words = ", ".join(f"{count:,} {status.name.lower()}" for status, count in counts.items() if count)
    sys.stderr.write(f"\n{key}: {words}\n")
    assert not any(counts[status] for status in BREAKING)
    assert sum(counts[status] for status in HOLDING) >= WANTED
