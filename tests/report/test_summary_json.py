"""The summary for other programs against its own schema."""

import json
from importlib import resources
from typing import Any

import jsonschema
from hypothesis import given

from boundcheck.outcome import Verdict
from boundcheck.report.summary import summary
from boundcheck.report.writing import page
from tests.report.runs import ALL, ENTRY, FALSE, RED, hostile_runs, run

SCHEMA = json.loads(resources.files("boundcheck.report").joinpath("summary.schema.json").read_text(encoding="utf-8"))


@given(hostile_runs)
def test_every_summary_is_of_the_schema(drawn: dict[str, Any]) -> None:
    text = page(drawn, "json")
    assert text.isascii()
    found = json.loads(text)
    jsonschema.validate(found, SCHEMA)
    assert sum(found["verdicts"].values()) == len(found["claims"]) == len(drawn["claims"])


def test_the_schema_knows_every_verdict() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["$defs"]["verdict"]["enum"]) == set(Verdict)


def test_a_claim_in_short() -> None:
    found = summary(run(FALSE, ENTRY))
    assert [claim["key"] for claim in found["claims"]] == ["MY-1:proved", "MY-2:printed"]
    holds, false = found["claims"]
    assert holds["tightness"] == {"median": 0.5, "drawn": 0.99, "hunted": 0.999, "unbounded": False}
    assert holds["constants"] == [
        {"name": "c_prime", "printed": "1/3", "checked": "1/4", "found": 0.2, "stronger": "smaller"}
    ]
    assert (false["counts"]["broken"], false["counterexample"]) == (7, "counterexamples/MY-2.printed-0123.json")
    assert found["verdicts"] == {"HOLDS": 1, "REFUTED": 1}


def test_what_passed() -> None:
    assert summary(run(ENTRY, FALSE))["passed"] is True
    assert summary(run(ENTRY, RED))["passed"] is False
    assert summary(run(ENTRY, FALSE, finished=False))["passed"] is False, "claims are missing"
    assert summary(run())["passed"] is False, "nothing was checked"
    assert [claim["passing"] for claim in summary(run(*ALL))["claims"]] == [True, True, False, True, True, False, True]


def test_a_ratio_without_bound() -> None:
    climbed = ENTRY | {"hunted": ENTRY["hunted"] | {"ratio": [None, None]}}
    assert summary(run(climbed))["claims"][0]["tightness"]["unbounded"] is True
    never = summary(run(ENTRY | {"hunted": None}))["claims"][0]["tightness"]
    assert (never["hunted"], never["unbounded"]) == (None, False)
