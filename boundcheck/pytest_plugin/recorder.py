"""The entries of all workers become one run, written after each claim, and the closing table."""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from boundcheck.errors import BoundcheckError
from boundcheck.profiles import Profile
from boundcheck.pytest_plugin.collection import PROPERTY
from boundcheck.pytest_plugin.options import command_of, run_path
from boundcheck.pytest_plugin.pages import formats, write_pages
from boundcheck.pytest_plugin.saving import save, write_last


class Recorder:
    """Collects the entries of all workers and writes the run after each.

    Attributes:
        run: what there is of the run; its entries name their files absolutely. None before the first claim has ended.
        written: the other files that hold it, or pages of it.
        unwritten: why the run, or something else that was asked for, could not be written.

    """

    def __init__(self, config: pytest.Config, chosen: Profile) -> None:
        self.config = config
        self.profile = chosen
        self.entries: list[dict[str, Any]] = []
        self.started = time.perf_counter()
        self.run: dict[str, Any] | None = None
        self.written: list[Path] = []
        self.unwritten: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call":
            return
        found = [value for name, value in report.user_properties if name == PROPERTY]
        if found:
            self.entries.extend(json.loads(str(value)) for value in found)
            self._write(finished=False)

    def _write(self, *, finished: bool) -> dict[str, Any]:
        from boundcheck.record import make_run

        self.run = make_run(
            self.entries,
            command=command_of(self.config),
            where=self.config.rootpath,
            seconds=time.perf_counter() - self.started,
            profile=self.profile.name,
            finished=finished,
        )
        try:
            write_last(self.config, self.run)
        except (BoundcheckError, OSError, ValueError, TypeError) as error:
            self.unwritten["run"] = str(error)
        return self.run

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.entries:
            return
        from boundcheck.record.locations import as_typed, near
        from boundcheck.report.terminal import closing_page

        here = self.config.invocation_params.dir
        terminalreporter.section("boundcheck")
        for line in closing_page([as_typed(entry, here) for entry in self.entries]).splitlines():
            terminalreporter.write_line(line)
        why = self.unwritten.get("run")
        where = f"not written: {why}" if why else f"written to {near(run_path(self.config), here)}"
        terminalreporter.write_line(f"\nprofile {self.profile.name}; run {where}")
        for path in self.written:
            terminalreporter.write_line(f"written: {near(path, here)}")
        for what, why in self.unwritten.items():
            if what != "run":
                terminalreporter.write_line(f"{what} not written: {why}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Mark a run that came to its end; one that could not be written must not look like a green one."""
        stopped = session.shouldstop or session.shouldfail
        ended = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not stopped
        if self.entries:
            self._keep(self._write(finished=ended))
        if self.unwritten and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def _keep(self, run: dict[str, Any]) -> None:
        self._try("saved run", partial(save, self.config, run))
        for form in formats(self.config):
            self._try(f"report as {form}", partial(write_pages, self.config, run, form))

    def _try(self, what: str, write: Callable[[], list[Path]]) -> None:
        try:
            self.written += write()
        except Exception as error:  # whatever it is: the run stands, and so do the other files
            self.unwritten[what] = str(error) if isinstance(error, BoundcheckError) else repr(error)
