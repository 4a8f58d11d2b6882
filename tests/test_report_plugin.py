"""Pages that pytest writes when a run has ended."""

import json
from pathlib import Path

import pytest

from tests.user_claims import PREAMBLE, RIGHT, WRONG

FAST = ("--boundcheck-profile=fast", "-p", "no:cacheprovider")


@pytest.fixture
def claims(pytester: pytest.Pytester) -> Path:
    folder = pytester.mkdir("my_claims")
    (folder / "norms.py").write_text(PREAMBLE + RIGHT + WRONG)
    return folder


def test_pages_are_written_beside_the_run_and_named(pytester: pytest.Pytester, claims: Path) -> None:
    result = pytester.runpytest_subprocess(
        "my_claims", *FAST, "--boundcheck-json=out/run.json", "--boundcheck-report=markdown, json", "-n", "2"
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*written: *out/report/report.md", "*written: *out/report/report.json"])
    stored = json.loads((pytester.path / "out" / "run.json").read_text())["claims"][1]["counterexample"]
    page = (pytester.path / "out" / "report" / "report.md").read_text()
    assert stored in page, "files are named as the run names them"
    assert str(pytester.path) not in page, "no page holds a path of this machine"
    assert "MY-wrong" in json.dumps(json.loads((pytester.path / "out" / "report" / "report.json").read_text()))


def test_a_page_that_cannot_be_written_loses_neither_the_run_nor_another_file(
    pytester: pytest.Pytester, claims: Path
) -> None:
    (pytester.path / ".boundcheck").mkdir()
    (pytester.path / ".boundcheck" / "report").write_text("a file where a folder should be")
    asked = ("--boundcheck-report=markdown,json", "--boundcheck-save=kept")
    result = pytester.runpytest_subprocess("my_claims", *FAST, "-k", "right", *asked)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(
        [
            "*run written to *last-run.json",
            "*written: *0001_kept.json",
            "*report as markdown not written: *report*",
            "*report as json not written: *report*",
        ]
    )
    failing = pytester.runpytest_subprocess("my_claims", *FAST, "-k", "wrong", *asked)
    assert failing.ret == pytest.ExitCode.TESTS_FAILED, "what the claims say comes first"


@pytest.mark.parametrize("asked", ["pdf", "html,", "markdown;json", "<script>"])
def test_an_unknown_format_is_refused_before_anything_runs(pytester: pytest.Pytester, claims: Path, asked: str) -> None:
    result = pytester.runpytest_subprocess("my_claims", *FAST, f"--boundcheck-report={asked}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*in --boundcheck-report={asked}; expected some of *html*"])
    assert not (pytester.path / ".boundcheck").exists()
