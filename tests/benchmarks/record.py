"""What a benchmark run found, kept in pytest-benchmark's JSON under `speed`, and read from it again.

Each of its SECTIONS is a list of plain numbers and words by name; `notes` says in a line what was left out.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SECTIONS = (
    "comparisons",
    "accuracy",
    "memory",
    "throughput",
    "screening",
    "scripts",
    "runs",
    "scaling",
    "ceilings",
    "roofline",
    "notes",
)
STORAGE = Path(".benchmarks")
KEPT = ("machine_info", "commit_info", "datetime")


def empty() -> dict[str, list[Any]]:
    """A record in which nothing was measured."""
    return {section: [] for section in SECTIONS}


def saves(storage: Path = STORAGE) -> list[Path]:
    """The saved runs, oldest first; pytest-benchmark numbers them."""
    return sorted(storage.glob("*/[0-9][0-9][0-9][0-9]_*.json"), key=lambda path: path.name[:4])


def read(path: Path) -> dict[str, Any]:
    """A saved run without its raw data: provenance and what was found.

    Raises:
        ValueError: for a file that is not such a save.

    """
    saved = json.loads(path.read_text(encoding="utf-8"))
    found = saved.get("speed") if isinstance(saved, dict) else None
    if not isinstance(found, dict) or not set(SECTIONS) <= found.keys():
        raise ValueError(f"{path} is not saved by `make bench`: it has no complete 'speed' section")
    return {**{name: saved[name] for name in KEPT}, "speed": found}


def judged(speed: Mapping[str, Any]) -> Iterator[tuple[str, float, float, bool]]:
    """Every figure that has a target: what it is, the figure, its target, whether it was reached."""
    for one in speed["comparisons"]:
        for other in one["others"]:
            if other["target"] is not None:
                yield f"{one['key']} beside {other['form']}", other["ratio"], other["target"], other["reached"]
    for section, name, value in (
        ("accuracy", "key", "error"),
        ("memory", "key", "extra"),
        ("throughput", "processes", "per_second"),
        ("screening", "claim", "ratio"),
        ("scripts", "claim", "ratio"),
    ):
        for one in speed[section]:
            if one["target"] is not None:
                yield f"{section}: {one[name]}", one[value], one["target"], one["reached"]
