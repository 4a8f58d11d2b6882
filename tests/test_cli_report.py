"""`boundcheck report`: every format, to standard output and into a folder, and what it refuses."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from boundcheck.cli import main
from boundcheck.errors import BoundcheckError
from boundcheck.record import write_run
from boundcheck.report.selection import selected
from boundcheck.report.writing import FORMATS, write_report
from tests.report.runs import ALL, ENTRY, FALSE, run

FILES = {
    "terminal": ["report.txt"],
    "markdown": ["report.md", "summary.svg"],
    "latex": ["constants.tex", "refuted.tex", "report.tex", "summary.pdf", "verdicts.tex"],
    "html": ["report.html"],
    "json": ["report.json"],
}
BEGINNINGS = {
    "terminal": "claim ",
    "markdown": "# What",
    "latex": "% boundcheck 0.1.0",
    "html": "<!doctype html>",
    "json": "{\n",
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "run.json"
    write_run(path, run(*ALL))
    return path


def call(*args: str | Path) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, args)])


@pytest.mark.parametrize("form", FORMATS)
def test_a_page_on_standard_output(form: str, saved: Path) -> None:
    result = call(saved, "--format", form)
    assert result.exit_code == 0, result.output
    assert result.stdout.lower().startswith(BEGINNINGS[form].lower())
    assert all(entry["id"] in result.stdout for entry in ALL)
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("form", FORMATS)
def test_a_folder_of_files(form: str, saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "pages"
    result = call(saved, "--format", form, "-o", folder)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in folder.iterdir()) == FILES[form]
    assert sorted(result.stdout.splitlines()) == sorted(str(folder / name) for name in FILES[form])
    assert result.stdout.splitlines()[0].startswith(str(folder / "report."))
    assert all((folder / name).stat().st_size for name in FILES[form])


@pytest.mark.parametrize("form", FORMATS)
def test_the_title_is_the_pages(form: str, saved: Path) -> None:
    text = call(saved, "--format", form, "--title", "Nine lemmas").stdout
    assert ("Nine lemmas" in text) == (form != "json")


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        (["--select", "MY-2"], ["MY-2:printed"]),
        (["--select", "MY-2", "--select", "MY-5:proved"], ["MY-2:printed", "MY-5:proved"]),
        (["--source", "theorem 2"], ["MY-2:printed"]),
        (["--verdict", "refuted"], ["MY-2:printed"]),
        (["--verdict", "HOLDS", "--select", "MY-1"], ["MY-1:proved"]),
    ],
)
def test_claims_are_chosen(options: list[str], keys: list[str], saved: Path) -> None:
    found = json.loads(call(saved, "--format", "json", *options).stdout)
    assert [claim["key"] for claim in found["claims"]] == keys


def test_the_last_run_is_taken_where_none_is_named(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no run was named" in call().output
    write_run(tmp_path / "reports" / "latest" / "run.json", run(FALSE))
    assert "MY-2" in call().stdout
    write_run(tmp_path / ".boundcheck" / "last-run.json", run(ENTRY))
    assert "MY-1" in call().stdout
    assert "MY-2" not in call().stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--format", "pdf"], "expected one of terminal, markdown, latex, html, json"),
        (["--verdict", "true"], "expected one of HOLDS, REFUTED"),
        (["--select", "NONE"], "none of the run's 7 claims is chosen by 'NONE'"),
        (["--source", "elsewhere", "--verdict", "HOLDS"], "is chosen by 'elsewhere' and 'HOLDS'"),
    ],
)
def test_mistakes_end_in_one_sentence(options: list[str], words: str, saved: Path) -> None:
    result = call(saved, *options)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize("content", ["", "no JSON", "[]", "{}", '{"schema_version": 4, "claims": []}'])
def test_a_file_that_is_no_run(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    result = call(tmp_path / "x.json", "--format", "latex")
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert call(tmp_path / "missing.json").exit_code == call(tmp_path).exit_code == 2


@pytest.mark.parametrize("form", FORMATS)
def test_a_folder_that_cannot_be_written(form: str, saved: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    result = call(saved, "--format", form, "-o", tmp_path / "taken" / "below")
    assert result.exit_code == 2
    assert "could not be written" in result.stderr
    assert result.stdout == ""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert call(saved, "--format", "json", "-o", tmp_path / "locked").exit_code == 2


def test_what_a_file_says_cannot_move_the_cursor(tmp_path: Path) -> None:
    write_run(
        tmp_path / "run.json", run(ENTRY | {"statement": "a\x1b[2Jb", "verdict": "VIOLATED", "counterexample": "x"})
    )
    text = call(tmp_path / "run.json").stdout
    assert "\x1b" not in text
    assert r"a\x1b[2Jb" in text


def test_an_empty_run_is_a_page_in_every_format(tmp_path: Path) -> None:
    write_run(tmp_path / "run.json", run())
    for form in FORMATS:
        assert call(tmp_path / "run.json", "--format", form).exit_code == 0
        assert call(tmp_path / "run.json", "--format", form, "-o", tmp_path / form).exit_code == 0


def test_files_are_written_in_the_place_of_earlier_ones(tmp_path: Path) -> None:
    first = write_report(run(FALSE), "markdown", tmp_path)
    second = write_report(run(ENTRY), "markdown", tmp_path)
    assert first == second
    assert "MY-2" not in (tmp_path / "report.md").read_text(encoding="utf-8")
    with pytest.raises(BoundcheckError, match="expected one of terminal"):
        write_report(run(ENTRY), "pdf", tmp_path)


def test_no_condition_chooses_all_even_of_none() -> None:
    assert selected(run())["claims"] == []
    assert selected(run(*ALL))["claims"] == list(ALL)


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex"])
@pytest.mark.parametrize("verdict", ["VIOLATED", "REFUTED"])
def test_a_page_says_where_its_paths_are_from_if_it_has_any(form: str, verdict: str, tmp_path: Path) -> None:
    for claims in ([FALSE | {"verdict": verdict}, ENTRY], [ENTRY]):
        write_run(tmp_path / "run.json", run(*claims))
        words = " ".join(call(tmp_path / "run.json", "--format", form).output.replace("{}", "").split())
        assert ("relative to the folder that holds the run" in words) == (len(claims) > 1)
        assert ("for claims of your own add" in words) == (len(claims) > 1)


def test_a_rung_alone_is_a_path_too(tmp_path: Path) -> None:
    rungs = [rung | {"counterexample": "counterexamples/rung.json"} for rung in FALSE["ladder"]]
    alone = ENTRY | {"counterexample": None, "worst_counterexample": None, "ladder": rungs}
    write_run(tmp_path / "run.json", run(alone))
    assert "relative to the folder that holds the run's file" in call(tmp_path / "run.json").output


def test_a_folder_without_a_name_is_refused(saved: Path) -> None:
    result = call(saved, "-o", "")
    assert result.exit_code == 2
    assert result.stderr == "boundcheck: -o ''; expected the name of a folder.\n"
    assert result.stdout == ""


def test_a_terminal_is_told_that_a_run_is_unfinished(tmp_path: Path) -> None:
    for finished in (True, False):
        write_run(tmp_path / "run.json", run(ENTRY, finished=finished))
        assert ("claims are missing" in call(tmp_path / "run.json").output) is not finished
