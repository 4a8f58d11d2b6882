"""`boundcheck compare` and `boundcheck runs`, in this process."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from boundcheck.cli import main
from boundcheck.record import save_run, write_run
from tests.report.made_runs import entry, made_run, ratio


def call(*args: str) -> Result:
    return CliRunner().invoke(main, list(args))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def keep(name: str, *claims: dict[str, Any], **changes: Any) -> None:
    save_run(Path(".boundcheck", "runs"), name, made_run(*claims, **changes))


def test_exit_codes_say_whether_there_is_a_regression(here: Path) -> None:
    keep("before", ratio(0.9))
    keep("after", ratio(0.5))
    same = call("compare", "before", "0001")
    assert same.exit_code == 0
    assert same.stdout.startswith("Nothing changed: 1 claim with the same verdicts")
    assert call("compare", "1", "last").exit_code == 0, "a looser bound is none unless it is asked for"
    strict = call("compare", "1", "last", "--fail", "tightness:2%,verdict")
    assert strict.exit_code == 1
    assert "MY-1:proved: the worst ratio found fell from 0.9 to 0.5, by 44.4 %" in strict.stdout
    assert call("compare", "last", "1", "--fail", "tightness:0%,constant:0%,verdict").exit_code == 0
    lost = call("compare", "1", str(here / ".boundcheck" / "runs" / "0002_after.json"))
    assert lost.exit_code == 0


def test_the_last_run_of_pytest_is_meant_where_nothing_is_named() -> None:
    keep("before", entry())
    write_run(Path(".boundcheck", "last-run.json"), made_run(entry(verdict="VIOLATED")))
    result = call("compare", "last")
    assert result.exit_code == 1
    first = result.stdout.splitlines()[0]
    assert first == "Of 1 claim 0 are as before: 1 newly failing. 1 regression by verdict."
    assert "MY-1:proved was HOLDS and is VIOLATED" in result.stdout


def test_formats_all_claims_and_a_file() -> None:
    keep("before", entry(), entry(id="MY-2"))
    keep("after", entry(), entry(id="MY-2", held=1))
    assert "MY-1" not in call("compare", "1", "2").stdout
    assert "MY-1:proved" in call("compare", "1", "2", "--all").stdout
    data = json.loads(call("compare", "1", "2", "--format", "json").stdout)
    assert [one["claim"] for one in data["claims"]] == ["MY-2:proved"]
    assert data["claims"][0]["new"]["counts"]["holds"] == 1
    written = call("compare", "1", "2", "--format", "markdown", "-o", "out/changes.md")
    assert written.exit_code == 0
    assert "written to" in written.stdout
    assert "| MY-2:proved | with other counts | HOLDS |" in Path("out", "changes.md").read_text()


def test_a_file_is_written_and_the_regression_still_named() -> None:
    keep("before", entry())
    keep("after")
    result = call("compare", "1", "2", "-o", "changes.txt")
    assert result.exit_code == 1
    assert "MY-1:proved was HOLDS and is gone" in result.stdout
    assert Path("changes.txt").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["compare", "nowhere.json", "1"], "no run 'nowhere.json'"),
        (["compare", "9"], "not among the 1 runs saved"),
        (["compare", "1"], "last-run.json could not be read"),
        (["compare", "1", "1", "--fail", "all"], "expected verdict, tightness:X%"),
        (["compare", "1", "1", "--fail", ""], "expected verdict, tightness:X%"),
        (["compare", "text", "1"], "is not JSON"),
        (["compare", "1", "1", "-o", "text/below"], "could not be written"),
        (["compare", "1", "1", "-o", ""], "-o ''; expected the name of a file"),
        (["compare", "1", "1", "-o", "."], "could not be written"),
        (["runs", "--storage", "text"], "could not be read"),
    ],
)
def test_mistakes_end_in_one_sentence_and_exit_code_2(args: list[str], words: str) -> None:
    keep("before", entry())
    Path("text").write_text("hello")
    result = call(*args)
    assert result.exit_code == 2
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_runs_are_listed_with_their_totals() -> None:
    assert call("runs").stdout.strip() == f"0 runs saved in {Path('.boundcheck', 'runs')}"
    keep("before", entry(), entry(id="MY-2", verdict="REFUTED"), entry(id="MY-3"))
    dirty = {"commit_info": {"id": "fedcba9876543210", "dirty": True}, "finished": False}
    keep("after", profile="deep", **dirty)
    Path(".boundcheck", "runs", "0003_spoilt.json").write_text("{")
    lines = call("runs").stdout.splitlines()
    assert lines[0] == (
        "0001  before: 2026-01-02T03:04:05+00:00, profile fast, commit 0123456789ab: 2 HOLDS, 1 REFUTED"
    )
    assert (
        "profile deep, commit fedcba987654 with uncommitted changes: no claims; it did not come to its end" in lines[1]
    )
    assert lines[2].startswith("0003  spoilt: ")
    assert "is not JSON" in lines[2]
    assert lines[3].startswith("3 runs saved in")


@pytest.mark.parametrize("command", ["compare", "runs"])
def test_help_gives_an_example_and_the_exit_codes(command: str) -> None:
    text = " ".join(call(command, "--help").stdout.split())
    assert "Example:" in text
    assert "exit code is 0" in text
