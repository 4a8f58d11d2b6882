"""A counterexample's enclosures, beside each other and in words."""

import math
import re
import shlex
from collections.abc import Mapping
from typing import Any

from boundcheck.report.html.numbers import number

Shown = Mapping[str, Any] | None


def enclosures(shown: Shown) -> list[tuple[str, list[str]]]:
    """Name of each quantity, and its enclosure by each route; empty where a route has none of that name."""
    routes = shown["routes"] if shown else []
    tables = [{value["name"]: value["value"] for value in route["values"]} for route in routes]
    names = dict.fromkeys(name for table in tables for name in table)
    return [(name, [table.get(name, "") for table in tables]) for name in names]


def sides_in_words(shown: Shown, kind: str | None) -> str:
    """Both sides as the first route encloses them, in four digits, or in all where four do not tell them apart."""
    sides = [values[0].removeprefix("= ") for _, values in enclosures(shown)[:2]]
    if len(sides) < 2:
        return ""
    short = [_short(side) for side in sides]
    first, second = short if short[0] != short[1] else sides
    names = ("left", "right") if kind == "identity" else ("smaller", "larger")
    return f"the {names[0]} side is {first} and the {names[1]} {second}"


def replay_command(path: str) -> str:
    """`boundcheck replay PATH`, fit for a shell whatever the path is."""
    return f"boundcheck replay {shlex.quote(path)}"


def _short(side: str) -> str:
    found = re.fullmatch(r"(\S+)(?: ± \S+)?", side)
    try:
        value = float(found[1]) if found else math.nan
    except ValueError:
        return side
    return number(value) if math.isfinite(value) else side
