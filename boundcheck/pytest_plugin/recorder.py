"""The entries of all workers become one run, written after each claim, and the closing table."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from boundcheck.errors import BoundcheckError
from boundcheck.profiles import Profile
from boundcheck.pytest_plugin.collection import PROPERTY
from boundcheck.pytest_plugin.options import command_of, run_path


class Recorder:
    """Collects the entries of all workers and writes the run after each."""

    def __init__(self, config: pytest.Config, chosen: Profile) -> None:
        self.config = config
        self.profile = chosen
        self.entries: list[dict[str, Any]] = []
        self.started = time.perf_counter()
        self.unwritten = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call":
            return
        found = [value for name, value in report.user_properties if name == PROPERTY]
        if found:
            self.entries.extend(json.loads(str(value)) for value in found)
            self._write(finished=False)

    def _write(self, *, finished: bool) -> None:
        from boundcheck.record import keep_out_of_git, make_run, write_run

        path = run_path(self.config)
        run = make_run(
            [self._relative(entry, path.parent) for entry in self.entries],
            command=command_of(self.config),
            where=self.config.rootpath,
            seconds=time.perf_counter() - self.started,
            profile=self.profile.name,
            finished=finished,
        )
        try:
            keep_out_of_git(path)
            write_run(path, run)
        except (BoundcheckError, OSError, ValueError, TypeError) as error:
            self.unwritten = str(error)

    @staticmethod
    def _relative(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
        def below(file: str | None) -> str | None:
            return Path(file).relative_to(folder).as_posix() if file and Path(file).is_relative_to(folder) else file

        files = {name: below(entry[name]) for name in ("counterexample", "worst_counterexample")}
        hunted = entry["hunted"]
        broken = [one | {"counterexample": below(one["counterexample"])} for one in entry["ablations"]]
        instance = hunted and hunted | {"instance": below(hunted["instance"])}
        rungs = [rung | {"counterexample": below(rung["counterexample"])} for rung in entry["ladder"]]
        return entry | files | {"hunted": instance, "ablations": broken, "ladder": rungs}

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.entries:
            return
        from boundcheck.report.terminal import closing_page

        terminalreporter.section("boundcheck")
        for line in closing_page(self.entries).splitlines():
            terminalreporter.write_line(line)
        where = f"not written: {self.unwritten}" if self.unwritten else f"written to {run_path(self.config)}"
        terminalreporter.write_line(f"\nprofile {self.profile.name}; run {where}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Mark a run that came to its end; one that could not be written must not look like a green one."""
        stopped = session.shouldstop or session.shouldfail
        ended = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not stopped
        if self.entries:
            self._write(finished=ended)
        if self.unwritten and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
