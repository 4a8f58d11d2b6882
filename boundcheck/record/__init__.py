"""Runs and counterexamples on disk."""

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
from boundcheck.record.locations import relative, seen_from
from boundcheck.record.readable import readable
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
