"""An earlier run beside this one: it is handed to the workers, and at the end what changed is told."""

import json
from typing import Any

import pytest

from boundcheck.pytest_plugin.baseline import BASELINE, CROSSING
from boundcheck.pytest_plugin.recorder import Recorder


class Comparing:
    """Hands the earlier run to workers, and tells at the end what changed."""

    def __init__(self, config: pytest.Config, recorder: Recorder) -> None:
        self.recorder = recorder
        self.baseline = config.stash.get(BASELINE, None)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Called by pytest-xdist for each worker."""
        if self.baseline is not None:
            node.workerinput[CROSSING] = json.dumps([self.baseline.name, self.baseline.run])

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Below the closing table."""
        if self.baseline is None or self.recorder.run is None:
            return
        from boundcheck.report.compare import compare, page

        old, new = self.baseline.run, self.recorder.run
        names = (self.baseline.name, "this run")
        comparison = compare(old, new, self.baseline.limits, names=names, partial=True)
        terminalreporter.section("boundcheck: what changed")
        for line in page(comparison, "terminal").splitlines():
            terminalreporter.write_line(line)
