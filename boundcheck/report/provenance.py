"""Where a run comes from, for the end of a page."""

from collections.abc import Mapping
from typing import Any

UNFINISHED = "The run had not come to its end when this was written: claims are missing."


def provenance(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Command, profile, date, versions, commit and machine of a run: what each is called, and what it was."""
    machine, commit = run["machine_info"], run["commit_info"]
    libraries = machine.get("versions")
    versions = {"Python": machine.get("python_version"), **(libraries if isinstance(libraries, dict) else {})}
    found = [
        ("command", run["command"]),
        ("profile", run["profile"]),
        ("seed", _all(run, "seed")),
        ("device", f"{_all(run, 'device')} in {_all(run, 'dtype')}" if run["claims"] else ""),
        ("date", run["datetime"]),
        ("took", f"{run['seconds']:,.0f} s"),
        ("boundcheck", run["version"]),
        ("commit", _commit(commit)),
        ("versions", ", ".join(f"{what} {version}" for what, version in versions.items() if version)),
        ("machine", _machine(machine)),
    ]
    return [(what, str(value)) for what, value in found if value]


def stamp(run: Mapping[str, Any]) -> str:
    """The same in one line, short enough for a comment or a caption."""
    commit = _commit(run["commit_info"])
    return f"boundcheck {run['version']}{f', commit {commit}' if commit else ''}, {run['datetime']}: {run['command']}"


def _all(run: Mapping[str, Any], what: str) -> str:
    return ", ".join(sorted({str(claim[what]) for claim in run["claims"]}))


def _commit(commit: Mapping[str, Any]) -> str:
    if not commit.get("id"):
        return ""
    return f"{str(commit['id'])[:12]}{' with uncommitted changes' if commit.get('dirty') else ''}"


def _machine(machine: Mapping[str, Any]) -> str:
    cores = machine.get("cpu_count")
    words = [str(machine[what]) for what in ("system", "machine") if machine.get(what)]
    return ", ".join([*words, *([f"{cores} cores"] if cores else [])])
