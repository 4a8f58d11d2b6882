"""A run's outcome for other programs: small and stable, `summary.schema.json` beside this file is its contract."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from boundcheck.outcome import PASSING, Verdict
from boundcheck.report.findings import worst_ratio
from boundcheck.report.table import Entry, key, name

SUMMARY_VERSION = 1


def summary(run: Mapping[str, Any]) -> dict[str, Any]:
    """Per claim: key, verdict, whether it passed, counts, tightness, constants and its counterexample; and what ran."""
    entries: list[Entry] = sorted(run["claims"], key=key)
    return {
        "summary_version": SUMMARY_VERSION,
        "boundcheck": run["version"],
        "datetime": run["datetime"],
        "command": run["command"],
        "profile": run["profile"],
        "commit": run["commit_info"].get("id"),
        "finished": run["finished"],
        "passed": run["finished"] and bool(entries) and all(_passing(entry) for entry in entries),
        "verdicts": dict(sorted(Counter(entry["verdict"] for entry in entries).items())),
        "claims": [_claim(entry) for entry in entries],
    }


def _passing(entry: Entry) -> bool:
    return Verdict(entry["verdict"]) in PASSING


def _claim(entry: Entry) -> dict[str, Any]:
    counts = ("tested", "held", "vacuous", "unverified", "inconclusive", "at_equality", "invalid")
    return {
        "key": name(entry),
        "source": entry["source"],
        "stance": entry["stance"],
        "input": entry["input"],
        "verdict": entry["verdict"],
        "passing": _passing(entry),
        "refuted_by": entry["refuted_by"],
        "counts": {what: entry[what] for what in counts}
        | {"broken": entry["violated"] + entry["violated_uncertified"]},
        "tightness": _tightness(entry),
        "constants": [
            {what: constant[what] for what in ("name", "printed", "found")}
            | {"checked": constant["at"], "stronger": constant["better"]}
            for constant in entry["constants"]
        ],
        "counterexample": entry["counterexample"],
    }


def _tightness(entry: Entry) -> dict[str, Any]:
    """Ratios of smaller to larger side; `unbounded` where an instance that breaks the claim has a larger side of 0 or less."""
    low = entry["hunted"]["ratio"][0] if entry["hunted"] else None
    return {
        "median": entry["tightness"]["p50"],
        "drawn": entry["tightness"]["max"],
        "hunted": low,
        "unbounded": worst_ratio(entry) == math.inf,
    }
