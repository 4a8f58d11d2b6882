"""A claim's figures as short properties of its test, for whoever reads JUnit's file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def properties(entry: Mapping[str, Any], folder: Path) -> list[tuple[str, str]]:
    """Names and values; what a claim does not have is left out.

    Args:
        entry: the claim's entry of the record.
        folder: that of the run's file, which a counterexample is named from.

    """
    return [(f"boundcheck.{name}", str(value)) for name, value in _figures(entry, folder) if value is not None]


def _figures(entry: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, object]]:
    from boundcheck.record import relative

    yield "verdict", entry["verdict"]
    yield "held", entry["held"]
    yield "broken", entry["violated"] + entry["violated_uncertified"]
    yield "tightest", entry["tightness"]["max"]
    if hunted := entry["hunted"]:
        yield "hunted", "inf" if hunted["ratio"][0] is None else hunted["ratio"][0]
    for constant in entry["constants"]:
        yield f"constant.{constant['name']}.at", constant["at"]
        yield f"constant.{constant['name']}.found", constant["found"]
    if entry["counterexample"]:
        yield "counterexample", relative(entry["counterexample"], folder)
    yield "seconds", entry["seconds"]
