"""Runs and counterexamples on disk. What speaks of instances is imported when first used: a run is read without torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from boundcheck.record.locations import relative, seen_from
from boundcheck.record.run import Entry, make_run, read_run, write_run
from boundcheck.record.saved import (
    LAST,
    STORAGE,
    Saved,
    automatic_name,
    checked_name,
    find_run,
    save_run,
    saved_runs,
)
from boundcheck.record.store import keep_out_of_git, read_json, store_counterexample, store_extreme, write_json

if TYPE_CHECKING:
    from boundcheck.record.counterexample import (
        Ball,
        Counterexample,
        Kind,
        Route,
        Screening,
        parse_counterexample,
        read_counterexample,
        storable,
        written_by,
    )
    from boundcheck.record.instance import readable

_HOME = {
    "Ball": "counterexample",
    "Counterexample": "counterexample",
    "Kind": "counterexample",
    "Route": "counterexample",
    "Screening": "counterexample",
    "parse_counterexample": "counterexample",
    "read_counterexample": "counterexample",
    "readable": "instance",
    "storable": "counterexample",
    "written_by": "counterexample",
}

__all__ = [
    "LAST",
    "STORAGE",
    "Ball",
    "Counterexample",
    "Entry",
    "Kind",
    "Route",
    "Saved",
    "Screening",
    "automatic_name",
    "checked_name",
    "find_run",
    "keep_out_of_git",
    "make_run",
    "parse_counterexample",
    "read_counterexample",
    "read_json",
    "read_run",
    "readable",
    "relative",
    "save_run",
    "saved_runs",
    "seen_from",
    "storable",
    "store_counterexample",
    "store_extreme",
    "write_json",
    "write_run",
    "written_by",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"boundcheck.record.{_HOME[name]}"), name)
    raise AttributeError(f"module 'boundcheck.record' has no attribute {name!r}")
