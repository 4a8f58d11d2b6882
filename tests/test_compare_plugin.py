"""Runs that pytest keeps and compares: what fails, what is told, what JUnit's file holds, serial and on two workers."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from boundcheck.record import read_run, save_run, write_run
from tests.report.made_runs import constant, entry, made_run, ratio
from tests.user_claims import PREAMBLE, RIGHT, WRONG

FAST = ("--boundcheck-profile=fast", "-p", "no:cacheprovider")
HEAD = 'def other(p, c=constant("3/2", scales="larger")):'
OTHER = RIGHT.replace("MY-right", "MY-other").replace("def largest_le_norm(p):", HEAD)
OTHER = OTHER.replace("larger=torch", "larger=c * torch")
IMPORTS = PREAMBLE.replace("import Problem", "import constant, Problem")

both_ways = pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "two workers"])


@pytest.fixture
def claims(pytester: pytest.Pytester) -> Path:
    folder = pytester.mkdir("my_claims")
    (folder / "norms.py").write_text(IMPORTS + RIGHT + OTHER)
    return folder


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("my_claims", *FAST, *args)


def called(name: str, one: dict[str, Any]) -> dict[str, Any]:
    return one | {"id": name, "constants": []}


def cases(path: Path) -> dict[str, ElementTree.Element]:
    return {case.attrib["name"]: case for case in ElementTree.parse(path).iter("testcase")}


def properties(case: ElementTree.Element) -> dict[str, str]:
    return {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")}


@both_ways
def test_a_regression_fails_the_test_of_its_claim(
    pytester: pytest.Pytester, claims: Path, workers: tuple[str, ...]
) -> None:
    """The earlier run is the very file that this one writes over while it goes on."""
    old = made_run(
        called("MY-right", ratio(2.0)), called("MY-other", ratio(0.1)), called("MY-gone", ratio(1.0)), profile="deep"
    )
    write_run(pytester.path / ".boundcheck" / "last-run.json", old)
    limits = "--boundcheck-compare-fail=tightness:2%,constant:1%,verdict"
    result = run(
        pytester, "--boundcheck-compare=.boundcheck/last-run.json", limits, "--junitxml=junit.xml", "-v", *workers
    )
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*Regression (tightness) from *last-run.json: MY-right:proved: the worst ratio found fell from 2 to 1, by 50 %.*",
            "*boundcheck: what changed*",
            "Of 2 claims 0 are as before: *1 looser*1 tighter*",
            "*1 claim of *last-run.json was not run: MY-gone:proved.",
            "profile: deep before, fast now; differences may be due to that.",
        ]
    )
    words = [line for line in result.outlines if "PASSED" in line]
    assert any("PASSED (HOLDS: " in line and " hold, tightest 0.66" in line for line in words), words
    found = cases(pytester.path / "junit.xml")
    assert found["MY-other:proved"].find("failure") is None
    failure = found["MY-right:proved"].find("failure")
    assert failure is not None
    assert "fell from 2 to 1" in str(failure.attrib["message"])


@both_ways
def test_junit_holds_the_figures_of_each_claim(
    pytester: pytest.Pytester, claims: Path, workers: tuple[str, ...]
) -> None:
    (claims / "norms.py").write_text(IMPORTS + WRONG + OTHER)
    run(pytester, "--junitxml=junit.xml", "--boundcheck-json=out/run.json", *workers)
    written = {one["id"]: one for one in read_run(pytester.path / "out" / "run.json")["claims"]}
    found = {name: properties(case) for name, case in cases(pytester.path / "junit.xml").items()}
    right, wrong = found["MY-other:proved"], found["MY-wrong:proved"]
    assert right["boundcheck.verdict"] == "HOLDS"
    assert int(right["boundcheck.held"]) == written["MY-other"]["held"] > 0
    assert right["boundcheck.broken"] == "0"
    assert float(right["boundcheck.tightest"]) == written["MY-other"]["tightness"]["max"] == pytest.approx(2 / 3)
    assert float(right["boundcheck.hunted"]) == written["MY-other"]["hunted"]["ratio"][0]
    assert right["boundcheck.constant.c.at"] == "3/2"
    assert float(right["boundcheck.constant.c.found"]) == written["MY-other"]["constants"][0]["found"]
    assert float(right["boundcheck.seconds"]) > 0
    assert "boundcheck.counterexample" not in right
    assert wrong["boundcheck.verdict"] == "VIOLATED"
    assert int(wrong["boundcheck.broken"]) > 0
    assert wrong["boundcheck.counterexample"] == written["MY-wrong"]["counterexample"]
    assert (pytester.path / "out" / wrong["boundcheck.counterexample"]).exists()
    assert json.loads(right["boundcheck_entry"])["id"] == "MY-other"


def test_a_run_is_saved_and_the_next_is_compared_with_it(pytester: pytest.Pytester, claims: Path) -> None:
    (claims / "norms.py").write_text(IMPORTS + WRONG + RIGHT)
    first = run(pytester, "--boundcheck-save=before", "--boundcheck-compare-fail=", "--boundcheck-storage=kept/runs")
    first.stdout.fnmatch_lines(["*written: *kept/runs/0001_before.json"])
    stored = read_run(pytester.path / "kept" / "runs" / "0001_before.json")
    assert stored["finished"] is True
    wrong = next(one for one in stored["claims"] if one["id"] == "MY-wrong")
    for file in (wrong["counterexample"], wrong["worst_counterexample"]):
        assert (pytester.path / "kept" / "runs" / file).resolve().is_relative_to(pytester.path / ".boundcheck")
        assert (pytester.path / "kept" / "runs" / file).exists()
    compared = ("--boundcheck-compare", "--boundcheck-compare-fail=tightness:0%,constant:0%,verdict")
    second = run(pytester, "--boundcheck-autosave", "--boundcheck-storage=kept/runs", "-k", "right", *compared)
    assert second.ret == pytest.ExitCode.OK
    second.stdout.fnmatch_lines(
        [
            "Nothing changed: 1 claim with the same verdicts*No regression by tightness:0%,constant:0%,verdict.",
            "*1 claim of *0001_before.json was not run: MY-wrong:proved.",
        ]
    )
    assert len(list((pytester.path / "kept" / "runs").glob("0002_no-commit_*.json"))) == 1


def test_ini_values_and_a_storage_that_cannot_be_written(pytester: pytest.Pytester, claims: Path) -> None:
    save_run(pytester.path / "runs", "before", made_run(called("MY-right", ratio(1.0))))
    pytester.makeini(
        """
        [pytest]
        boundcheck_autosave = true
        boundcheck_storage = runs
        boundcheck_compare = before
        boundcheck_compare_fail = verdict
        """
    )
    result = run(pytester, "-k", "right")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*written: *0002_*", "*what changed*", "*No regression by verdict."])
    assert len(list((pytester.path / "runs").iterdir())) == 2
    (pytester.path / "taken").write_text("a file")
    compare = f"--boundcheck-compare={pytester.path / 'runs' / '0001_before.json'}"
    unsaved = run(pytester, "-k", "right", "--boundcheck-save=x", "--boundcheck-storage=taken/below", compare)
    assert unsaved.ret == pytest.ExitCode.INTERNAL_ERROR
    unsaved.stdout.fnmatch_lines(["*run written to*", "*saved run not written: *taken/below*"])
    assert read_run(pytester.path / ".boundcheck" / "last-run.json")["finished"] is True


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--boundcheck-compare=nowhere"], "no run 'nowhere'"),
        (["--boundcheck-compare"], "no run 'last'"),
        (
            ["--boundcheck-compare", "my_claims"],
            "a folder; expected a run; write `--boundcheck-compare=last my_claims`",
        ),
        (["--boundcheck-compare=text"], "text is not JSON"),
        (["--boundcheck-compare=spoilt.json"], "the constant 'π' is no rational number"),
        (["--boundcheck-compare=whole.json", "--boundcheck-compare-fail=all"], "expected verdict, tightness:X%"),
        (["--boundcheck-compare-fail=verdict"], "without --boundcheck-compare"),
        (["--boundcheck-save=a/b"], "the name 'a/b' for a saved run"),
        (["--boundcheck-save=last"], "neither a number nor 'last'"),
    ],
)
def test_what_is_no_run_or_no_limit_is_refused_before_anything_runs(
    pytester: pytest.Pytester, claims: Path, args: list[str], words: str
) -> None:
    (pytester.path / "text").write_text("hello")
    write_run(pytester.path / "whole.json", made_run(entry()))
    write_run(pytester.path / "spoilt.json", made_run(entry(constants=[constant(at="π")])))
    result = run(pytester, *args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{words}*"])
    assert not (pytester.path / ".boundcheck").exists()
