"""A run: every claim's entry with the provenance of the whole, and its JSON schema.

The schema (`schema.json`, beside this file) is the published contract: whoever reads a run can validate it, and any page of
a report can be made again from it.
"""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import boundcheck
from boundcheck.errors import BoundcheckError
from boundcheck.record import provenance
from boundcheck.record.shape import misfit
from boundcheck.record.store import read_json, write_json

SCHEMA_VERSION = 5
Entry = dict[str, Any]


def make_run(
    entries: Sequence[Entry], *, command: str, where: Path, seconds: float, profile: str, finished: bool = True
) -> dict[str, Any]:
    """Entries (sorted by key) and provenance as one JSON object; `finished` is False while claims are still to come."""
    return {
        "schema_version": SCHEMA_VERSION,
        "version": boundcheck.__version__,
        "datetime": provenance.now(),
        "machine_info": provenance.machine_info(),
        "commit_info": provenance.commit_info(where),
        "command": command,
        "profile": profile,
        "seconds": round(seconds, 3),
        "finished": finished,
        "claims": sorted(entries, key=lambda entry: (entry["input"], entry["id"], entry["form"])),
    }


def write_run(path: Path, run: Mapping[str, Any]) -> None:
    """Write a run; see `store.write_json`."""
    write_json(path, run)


def read_run(path: Path) -> dict[str, Any]:
    """Read a run. Raises BoundcheckError where the file is no run of a version this one understands."""
    run = read_json(path)
    if run.get("schema_version") != SCHEMA_VERSION or not isinstance(run.get("claims"), list):
        raise BoundcheckError(
            f"{path} has schema_version {run.get('schema_version')!r}",
            expected=f"a run with schema_version {SCHEMA_VERSION} and a list of claims",
        )
    schema = json.loads(resources.files("boundcheck.record").joinpath("schema.json").read_text(encoding="utf-8"))
    if wrong := misfit(run, schema):
        raise BoundcheckError(
            f"{path} is not a whole run ({wrong})", expected="what boundcheck/record/schema.json says"
        )
    return run
