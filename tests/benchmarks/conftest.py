"""One record for the whole run: filled by the benchmarks, saved in pytest-benchmark's JSON, printed at the end."""

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
from tabulate import tabulate

from boundcheck.record.provenance import commit_info, machine_info
from tests.benchmarks import jax_forms
from tests.benchmarks.record import empty, judged
from tests.benchmarks.tables import tables

_RECORD = pytest.StashKey[dict[str, list[Any]]]()


@pytest.fixture(scope="session")
def record(request: pytest.FixtureRequest) -> dict[str, list[Any]]:
    """What was found so far, by section."""
    return request.config.stash.setdefault(_RECORD, empty())


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    """Double precision on one thread."""
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def pytest_sessionstart() -> None:
    """Which commit is measured: the one that is there now, whatever happens until the end."""
    _commit()


@pytest.hookimpl
def pytest_runtest_logstart(nodeid: str) -> None:
    """Progress, where it does not end up in the table."""
    print(nodeid.rpartition("::")[2], file=sys.stderr, flush=True)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """The processor by pytest-benchmark, all else as in a run of claims; threads, and JAX."""
    machine_info.update(_machine())


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_commit_info(commit_info: dict[str, Any]) -> None:
    """The commit as in a run of claims."""
    commit_info.update(_commit())


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """The record goes with the timings."""
    output_json["speed"] = config.stash.get(_RECORD, empty())


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The tables, and which targets were missed."""
    found = config.stash.get(_RECORD, None)
    if found is None:
        return
    for table in tables(found):
        terminalreporter.write_line(f"\n{table.heading}")
        terminalreporter.write_line(str(tabulate(table.rows, table.heads, disable_numparse=True)))
    for note in found["notes"]:
        terminalreporter.write_line(f"\n{note}")
    targets = list(judged(found))
    missed = [what for what, _, _, reached in targets if not reached]
    said = f"{len(targets) - len(missed)} of {len(targets)} targets reached"
    terminalreporter.write_line("\n" + (f"{said}; missed: {'; '.join(missed)}" if missed else said))


def _machine() -> dict[str, Any]:
    found = machine_info()
    if jax_forms.INSTALLED:
        found["versions"] |= {name: metadata.version(name) for name in ("jax", "jaxlib")}
    return {**found, "threads": torch.get_num_threads()}


def _commit() -> dict[str, Any]:
    return commit_info(Path(__file__).parents[2])  # remembered from the first call on
