"""Where a run came from, as rows of a list."""

from collections.abc import Iterator, Mapping
from typing import Any

from boundcheck.report.html.numbers import duration


def provenance(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of what a reader needs to make the run again."""
    return [
        ("command", run["command"]),
        ("date", run["datetime"]),
        ("profile", run["profile"]),
        ("time taken", duration(run["seconds"])),
        ("boundcheck", run["version"]),
        ("commit", _commit(run["commit_info"])),
        *_flat(run["machine_info"]),
    ]


def _commit(info: Mapping[str, Any]) -> str:
    if not info:
        return "none: not run inside a git repository"
    state = "with changes that were not committed" if info.get("dirty") else "clean"
    return f"{info.get('id', 'unknown')} of {info.get('time', 'unknown date')}, {state}"


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield str(name).replace("_", " "), str(value)
