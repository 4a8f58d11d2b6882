"""Which premises carry a claim."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from boundcheck.report.plain import WIDTH, plain
from boundcheck.report.table import Column, Entry, Kind, Table, name, ratio, table

COLUMNS = (
    Column("claim", Kind.KEY),
    Column("taken away", Kind.FORMULA, share=1),
    Column("verdict"),
    Column("ratio with", Kind.NUMBER, "right"),
    Column("without", Kind.NUMBER, "right"),
    Column("counterexample", Kind.PATH, share=1),
)

LEGEND = (
    "Each premise is taken away in turn and what is left is hunted. needed: an instance that meets all others was proved, "
    "by two routes, to break the claim. not shown needed: no such instance was found, which proves nothing. "
    "ratio with, without: the largest smaller side / larger side that was confirmed, of the whole claim and of what is left "
    "(inf: the larger side is 0 or less; -: no instance was confirmed; *: a clock ended the hunt)."
)


def premises_taken_away(entries: Sequence[Entry]) -> Table | None:
    """One row for each thing taken away from a claim; None where no entry has any."""
    rows = [
        [
            name(entry),
            one["premise"],
            "needed" if one["needed"] else "not shown needed",
            ratio(one["ratio_with"]),
            _without(one),
            one["counterexample"] or "",
        ]
        for entry in entries
        for one in entry.get("ablations", [])
    ]
    return table("Premises taken away", COLUMNS, rows, LEGEND)


def reasons(entries: Sequence[Entry]) -> list[str]:
    """Why a premise could not be shown to be needed, where it is known."""
    return [
        f"{name(entry)} without {one['premise']!r}: {one['because']}."
        for entry in entries
        for one in entry.get("ablations", [])
        if one["because"]
    ]


def ablation_table(entries: Sequence[Entry]) -> str:
    """The table and the reasons, for a terminal."""
    wrapped = [fill(reason, width=WIDTH, subsequent_indent="    ") for reason in reasons(entries)]
    return "\n".join(part for part in [plain(premises_taken_away(entries)), *wrapped] if part)


def _without(one: Mapping[str, Any]) -> str:
    return ("inf" if one["unbounded"] else ratio(one["ratio"])) + (" *" if one["truncated"] else "")
