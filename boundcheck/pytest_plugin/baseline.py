"""The earlier run that a run is compared with, and a claim's regressions from it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from boundcheck.errors import BoundcheckError
from boundcheck.pytest_plugin.options import option, storage_path

if TYPE_CHECKING:
    from boundcheck.report.compare import Figures, Limits

CROSSING = "boundcheck_baseline"
"""Under this name the earlier run goes to a worker."""


@dataclass(frozen=True)
class Baseline:
    """The earlier run: what it is called, as much of it as is compared, and what counts as a regression."""

    name: str
    run: dict[str, Any]
    limits: "Limits | None"
    figures: "Mapping[tuple[str, str, str], Figures]"


BASELINE = pytest.StashKey[Baseline]()


def set_baseline(config: pytest.Config) -> None:
    """Read the earlier run, once and before anything runs: this run may write over its file.

    A worker gets what the process that started it has read. Raises BoundcheckError for a run or limits that are none.
    """
    named, words = option(config, "compare"), option(config, "compare-fail")
    if config.getoption("--boundcheck-compare-fail") and not named:
        raise BoundcheckError(
            f"--boundcheck-compare-fail={words} without --boundcheck-compare",
            expected="both",
            remedy="add --boundcheck-compare to compare with the run that was saved last",
        )
    if not named and not words:
        return
    from boundcheck.report.compare import Limits, figures

    limits = Limits.parse(words) if words else None
    if named:
        name, run = _received(config) or _read(config, named)
        known = {one.key: one for one in map(figures, run["claims"])}
        config.stash[BASELINE] = Baseline(name, run, limits, known)


def _received(config: pytest.Config) -> tuple[str, dict[str, Any]] | None:
    sent = getattr(config, "workerinput", {}).get(CROSSING)
    if sent is None:
        return None
    name, run = json.loads(sent)
    return name, run


def _read(config: pytest.Config, named: str) -> tuple[str, dict[str, Any]]:
    from boundcheck.record import find_run, read_run
    from boundcheck.report.compare import light

    here = config.invocation_params.dir
    if (here / named).is_dir():  # `pytest --boundcheck-compare theorems` takes the folder for the run
        raise BoundcheckError(
            f"--boundcheck-compare {named}: a folder",
            expected="a run",
            remedy=f"write `--boundcheck-compare=last {named}` to compare with the run that was saved last",
        )
    path = find_run(named, storage_path(config), here=here)
    return str(path), light(read_run(path))


def regressions_of(config: pytest.Config, entry: Mapping[str, Any]) -> list[str]:
    """The regressions of a claim, a sentence each."""
    baseline = config.stash.get(BASELINE, None)
    if baseline is None or baseline.limits is None:
        return []
    from boundcheck.report.compare import figures, regressions

    new = figures(entry)
    old = baseline.figures.get(new.key)
    found = regressions(old, new, baseline.limits) if old else []
    return [f"Regression ({one.rule}) from {baseline.name}: {one.sentence}." for one in found]
