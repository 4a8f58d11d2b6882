"""The published reports: made from the runs beside them, whole, and said in the documents as they are."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from boundcheck.record import read_counterexample, read_run
from boundcheck.report import closing_page
from boundcheck.report.html import html_page
from boundcheck.report.latex import fragments
from boundcheck.report.markdown import markdown_page
from boundcheck.report.summary import summary

ROOT = Path(__file__).parent.parent
REPORTS = ROOT / "reports"
PAPERS = ("local-edits", "alignment-collapse")


def run_of(paper: str) -> dict[str, Any]:
    return read_run(REPORTS / paper / "run.json")


def files_named(entry: dict[str, Any]) -> set[str]:
    hunted = [entry["hunted"]["instance"]] if entry["hunted"] else []
    rungs = [rung["counterexample"] for rung in entry["ladder"]]
    return {file for file in [entry["counterexample"], entry["worst_counterexample"], *hunted, *rungs] if file}


@pytest.mark.parametrize("paper", PAPERS)
def test_the_run_came_to_its_end_and_is_green(paper: str) -> None:
    run = run_of(paper)
    assert run["finished"]
    assert run["profile"] == "default"
    assert not run["commit_info"]["dirty"]
    assert {e["verdict"] for e in run["claims"]} == {"HOLDS", "REFUTED", "MEASURED"}
    true = [e for e in run["claims"] if e["verdict"] == "HOLDS"]
    assert min(e["held"] for e in true) >= 20_000


def test_every_claim_is_in_one_of_them() -> None:
    from boundcheck.claim import registered_claims
    from boundcheck.theorems import alignment_collapse, local_edits

    assert local_edits.__all__
    assert alignment_collapse.__all__
    published = [f"{e['id']}:{e['form']}" for paper in PAPERS for e in run_of(paper)["claims"]]
    assert len(published) == len(set(published))
    shipped = {c.key: c.statement for c in registered_claims().values() if c.id.startswith(("LE-", "AC-"))}
    assert set(published) == {key for key in shipped if "digits" not in key} | {k for k in published if "digits" in k}
    for paper in PAPERS:
        for e in run_of(paper)["claims"]:
            assert e["statement"] == shipped[f"{e['id']}:{e['form']}"], "the statement was changed since: make reports"


@pytest.mark.parametrize("paper", PAPERS)
def test_every_file_that_a_run_names_is_there_and_every_counterexample_is_proved(paper: str) -> None:
    folder = REPORTS / paper
    named = set().union(*(files_named(e) for e in run_of(paper)["claims"]))
    there = {
        f.relative_to(folder).as_posix() for kind in ("counterexamples", "extremes") for f in (folder / kind).iterdir()
    }
    assert named <= there
    for file in there:
        if file.startswith("counterexamples"):
            assert read_counterexample(folder / file).status == "VIOLATED"


@pytest.mark.parametrize("paper", PAPERS)
def test_the_pages_are_what_the_command_writes(paper: str) -> None:
    folder, run = REPORTS / paper, run_of(paper)
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == summary(run)
    for name, text in fragments(run).items():
        assert (folder / name).read_text(encoding="utf-8") == text, name
    words = markdown_page(run, figures={}).splitlines()
    published = set((folder / "report.md").read_text(encoding="utf-8").splitlines())
    assert set(words) <= published
    page = (folder / "report.html").read_text(encoding="utf-8")
    few = {**run, "claims": run["claims"][:3]}
    for e in few["claims"]:
        section = re.search(
            rf'id="claim-{re.escape(e["id"])}-{re.escape(e["form"])}".*?</section>', html_page(few), re.DOTALL
        )
        assert section
        assert section.group().split("<svg")[0] in page
    assert (folder / "report.tex").read_text(encoding="utf-8").rstrip().endswith("\\end{document}")
    assert (folder / "summary.pdf").read_bytes().startswith(b"%PDF")


def test_the_readme_of_the_reports_names_everything_that_fell() -> None:
    text = (REPORTS / "README.md").read_text(encoding="utf-8")
    fallen = [e for paper in PAPERS for e in run_of(paper)["claims"] if e["verdict"] == "REFUTED"]
    assert len(fallen) >= 24
    for e in fallen:
        assert f"`{e['id']}" in text, e["id"]
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (REPORTS / link).exists(), link


def test_the_readme_shows_the_real_table() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    claims = [e for paper in PAPERS for e in run_of(paper)["claims"]]
    (shown,) = (block for block in re.findall(r"```text\n(.*?)```", text, re.DOTALL) if block.startswith("claim "))
    rows = [line.split() for line in shown.strip().splitlines()[2:]]
    keys = {row[0] for row in rows}
    printed = closing_page([e for e in claims if f"{e['id']}:{e['form']}" in keys]).splitlines()
    assert [line.rstrip() for line in shown.strip().splitlines()] == [
        line.rstrip() for line in printed[: len(rows) + 2]
    ]
    counts = {verdict: sum(e["verdict"] == verdict for e in claims) for verdict in ("HOLDS", "REFUTED", "MEASURED")}
    sentence = " ".join(text.split())
    assert f"Of {len(claims)} statements" in sentence
    assert (
        f"{counts['HOLDS']} hold, {counts['REFUTED']} are false as printed, and {counts['MEASURED']} only inform"
        in sentence
    )
