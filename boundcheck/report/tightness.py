"""Which claims are tight: ranked by the worst instance that a hunt found."""

from collections.abc import Mapping, Sequence
from typing import Any

from boundcheck.report.findings import drawn_ratio
from boundcheck.report.table import Column, Entry, Kind, Table, name, ratio, table

COLUMNS = (
    Column("claim", Kind.KEY),
    Column(
        "hunted",
        Kind.NUMBER,
        "right",
        meaning="smaller side / larger side of the worst instance that a climb found, from below, confirmed in ball arithmetic",
    ),
    Column("drawn", Kind.NUMBER, "right", meaning="of the tightest random instance"),
    Column(""),
    Column("structure", share=1),
)

REMARK = "An instance stands in the folder extremes/ beside the run."


def ranking(entries: Sequence[Entry]) -> Table | None:
    """One row a hunted claim, the tightest first."""
    hunted = [entry for entry in entries if entry["hunted"]]
    rows = [
        [
            name(entry),
            shown(entry["hunted"]),
            ratio(drawn_ratio(entry), 6),
            word(entry["hunted"]) + (" (cut short by the clock)" if entry["hunted"]["truncated"] else ""),
            entry["hunted"]["label"],
        ]
        for entry in sorted(hunted, key=lambda entry: (-_height(entry["hunted"]), entry["id"], entry["form"]))
    ]
    return table("How tight", COLUMNS, rows, REMARK)


def shown(hunted: Mapping[str, Any]) -> str:
    """The ratio; inf where the larger side is 0 or less."""
    low = hunted["ratio"][0]
    return "inf" if low is None else ratio(low, 6)


def word(hunted: Mapping[str, Any]) -> str:
    """What the ratio says."""
    if hunted["status"] == "VIOLATED":
        return "violated, proved by two routes"
    if hunted["status"] == "VIOLATED_UNCERTIFIED":
        return "looks violated, not proved twice"
    return "tight, attained" if hunted["attained"] else ""


def _height(hunted: Mapping[str, Any]) -> float:
    low = hunted["ratio"][0]
    return float("inf") if low is None else float(low)
