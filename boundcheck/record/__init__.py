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
from boundcheck.record.readable import readable
from boundcheck.record.run import Entry, make_run, read_run, write_run
from boundcheck.record.store import keep_out_of_git, read_json, store_counterexample, store_extreme, write_json

__all__ = [
    "Ball",
    "Counterexample",
    "Entry",
    "Kind",
    "Route",
    "Screening",
    "keep_out_of_git",
    "make_run",
    "parse_counterexample",
    "read_counterexample",
    "read_json",
    "read_run",
    "readable",
    "storable",
    "store_counterexample",
    "store_extreme",
    "write_json",
    "write_run",
    "written_by",
]
