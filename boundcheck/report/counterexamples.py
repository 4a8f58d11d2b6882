"""What broke a claim, as tables: both sides and the premises by each route, and the rungs of a ladder."""

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from boundcheck.exact import symbol
from boundcheck.report.table import Column, Entry, Kind, Table, number, table

BESIDE = (
    "Paths are relative to the folder that holds the run's file; run the commands there, and for claims of your own add "
    "--claims FILE_OR_FOLDER."
)
"""Said once wherever counterexamples are named."""

_PREMISE = re.compile(r"premise '(.*)'")
_VALUE = re.compile(r"= (-?\d[\d.]*(?:e[+-]?\d+)?)(?: ± \S+)?")


def stored(entries: Iterable[Entry]) -> bool:
    """Whether any of these names the file of a counterexample."""
    return any(entry["counterexample"] or any(rung["counterexample"] for rung in entry["ladder"]) for entry in entries)


def side(entry: Entry, which: str) -> str:
    """One side of the instance that is shown, to four digits; as it is written where it is no number."""
    values = [value for route in (entry["shown"] or {"routes": []})["routes"] for value in route["values"]]
    written = next((value["value"] for value in values if value["name"] == which), "-")
    plain = _VALUE.fullmatch(written)
    return f"{float(plain[1]):.4g}" if plain else written


def enclosures(shown: Mapping[str, Any]) -> Table | None:
    """A row for each side and premise, a column for each route that proved it."""
    routes = [{value["name"]: value["value"] for value in route["values"]} for route in shown["routes"]]
    names = list(dict.fromkeys(what for route in routes for what in route))
    columns = [Column("", Kind.FORMULA), *(Column(route["route"], Kind.NUMBER) for route in shown["routes"])]
    rows = [[_PREMISE.sub(r"premise: \1", what), *(route.get(what, "") for route in routes)] for what in names]
    return table("Both sides and the margins of the premises", columns, rows)


def finding(shown: Mapping[str, Any]) -> str:
    """What the routes prove, in a sentence each; one for all that say the same."""
    said: dict[str, list[str]] = {}
    for route in shown["routes"]:
        said.setdefault(route["finding"], []).append(route["route"])
    return " ".join(f"By {' and by '.join(routes)}: {what}." for what, routes in said.items())


def rungs(entry: Entry) -> Table | None:
    """A row for each rung of a claim's ladder: its constants, both sides there, and the file."""
    rows = [
        [
            ", ".join(f"{symbol(constant)} = {value}" for constant, value in rung["constants"].items()),
            number(rung["left"]),
            number(rung["right"]),
            rung["counterexample"] or ("stored under another rung" if rung["certified"] else "still stands"),
        ]
        for rung in entry["ladder"]
    ]
    columns = (
        Column("constants", Kind.FORMULA, share=1),
        Column("smaller side", Kind.NUMBER, "right"),
        Column("larger side", Kind.NUMBER, "right"),
        Column("counterexample", Kind.PATH, share=2),
    )
    return table("Constant by constant", columns, rows)


def replay_command(path: str) -> str:
    """What proves a stored counterexample again."""
    return f"boundcheck replay {shlex.quote(path)}"
