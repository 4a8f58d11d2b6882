"""What a claim ended with, in the line of its test: campaigns take minutes, and `PASSED` says little."""

import json
from typing import Any

import pytest

from boundcheck.pytest_plugin.collection import PROPERTY


class Progress:
    """With -v, beside PASSED or FAILED the verdict and its figures, while the tests run."""

    def __init__(self) -> None:
        self.running = True

    def pytest_report_teststatus(self, report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
        """The same category and letter as ever. After the run other plugins list tests by this word, so that it is plain then."""
        judged = report.when == "call" and report.outcome in ("passed", "failed") and not hasattr(report, "wasxfail")
        if not (self.running and judged):
            return None
        found = [str(value) for name, value in report.user_properties if name == PROPERTY]
        if not found:
            return None
        letter = "." if report.passed else "F"
        return report.outcome, letter, f"{report.outcome.upper()} ({words(json.loads(found[-1]))})"

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """From here on the tests are listed."""
        self.running = False


def words(entry: dict[str, Any]) -> str:
    """Verdict, counts and the worst ratio."""
    from boundcheck.report.compare import figures, number

    seen = figures(entry)
    broken = f", {seen.counts['broken']:,} broken" if seen.counts["broken"] else ""
    ratio = f", tightest {number(seen.ratio)}" if seen.ratio is not None else ""
    return f"{seen.verdict}: {seen.counts['holds']:,} hold{broken}{ratio}, {entry['seconds']:.0f} s"
