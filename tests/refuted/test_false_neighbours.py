"""Each theorem has a false neighbour, written as if it were proved: the check must say that it is violated."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

import boundcheck.theorems.local_edits  # noqa: F401 - registers the claims
from boundcheck.claim import Stance, registered_claims
from boundcheck.profiles import profile
from boundcheck.search import Options, run_campaign

# Found within the fast profile, so each is off by a few per cent or more. (Finer ones need a search for the worst case.)
NEIGHBOURS: list[tuple[str, Mapping[str, str]]] = [
    ("LE-6i:U", {"share": "99/100"}),
    ("LE-6i:adaptive", {"share": "96/100"}),
    ("LE-6ii:U", {"rate": "21/20"}),
    ("LE-6iii:U-lower", {"lower": "101/100"}),
    ("LE-6iii:U-upper", {"upper": "99/100"}),
    ("LE-6iii:adaptive-lower", {"share": "1001/1000"}),
    ("LE-8:proved", {"c": "6/25"}),
    ("LE-15:U", {"upper": "1/3"}),
    ("LE-Pi:U", {"lower": "101/100"}),
    ("LE-16:U", {"lower": "102/100"}),
    ("LE-7:U", {"lower": "51/100"}),
    ("LE-7:adaptive", {"share": "1001/1000"}),
    ("LE-linear:corrected", {"c": "1001/2000"}),
]


@pytest.mark.parametrize(("key", "constants"), NEIGHBOURS, ids=[key for key, _ in NEIGHBOURS])
def test_false_neighbour_is_caught(key: str, constants: Mapping[str, str], tmp_path: Path) -> None:
    claim = registered_claims()[key]
    wrong = {name: replace(claim.constants[name], value=Fraction(value)) for name, value in constants.items()}
    neighbour = replace(claim, form=f"{claim.form}-false", constants={**claim.constants, **wrong}, stance=Stance.PROVED)
    entry = run_campaign(neighbour, Options(profile("fast"), counterexamples=tmp_path, seed=0))
    assert entry["verdict"] == "VIOLATED_UNCERTIFIED", entry["reason"]
    assert Path(entry["counterexample"]).is_file()
