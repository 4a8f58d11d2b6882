"""`make soundness`: a million lane evaluations of the screening beside Arb, and the closing figures."""

import os
import sys

import pytest

import boundcheck.theorems.alignment_collapse
import boundcheck.theorems.local_edits  # noqa: F401 - registers the claims
from boundcheck.claim import registered_claims
from tests.campaigns import soundness

LANES = int(os.environ.get("BOUNDCHECK_LANES", "1_000_000"))
CLAIMS = sorted(key for key, claim in registered_claims().items() if claim.input == "generated")
_PARTS: list[soundness.Figures] = []


def _told(name: str, figures: soundness.Figures) -> None:
    _PARTS.append(figures)
    sys.stderr.write(f"\n{soundness.closing_line(name, [figures])}\n{soundness.closing_line('so far', _PARTS)}\n")
    assert figures.unsound == []


@pytest.mark.parametrize("share", range(10))
def test_operators(share: int) -> None:
    _told(f"operators, part {share + 1} of 10", soundness.compare_operators(LANES * 8 // 100, seed=100 * share))


@pytest.mark.parametrize("key", CLAIMS)
def test_claims(key: str) -> None:
    lanes = max(64, LANES // 5 // len(CLAIMS) // 8)  # an instance has about eight numbers
    _told(key, soundness.compare_claim(registered_claims()[key], lanes, seed=1))
