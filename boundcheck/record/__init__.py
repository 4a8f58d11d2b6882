"""Runs and counterexamples on disk."""

from boundcheck.record.evidence import Evidence
from boundcheck.record.run import Entry, make_run, read_run, write_run
from boundcheck.record.store import read_json, store_counterexample, write_json

__all__ = ["Entry", "Evidence", "make_run", "read_json", "read_run", "store_counterexample", "write_json", "write_run"]
