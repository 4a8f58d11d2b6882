"""`boundcheck list`: by source, with the verdicts of a run, in three shapes; and the index that is made with it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from boundcheck.cli import main
from boundcheck.record import make_run, write_run
from boundcheck.report.catalogue import Row, in_order, json_page, markdown_page, text_page
from tests.report.runs import ENTRY
from tests.user_claims import PREAMBLE, RIGHT, WRONG

ROOT = Path(__file__).parent.parent


def call(*args: str) -> Result:
    return CliRunner().invoke(main, ["list", *args])


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of claims, and nothing else, to work in."""
    monkeypatch.chdir(tmp_path)
    claims = (RIGHT + WRONG).replace("MY-", "MY-listed-")
    (tmp_path / "my_claims").mkdir()
    (tmp_path / "my_claims" / "mine.py").write_text(PREAMBLE + claims)
    return tmp_path


def run_of(path: Path, verdicts: dict[str, str]) -> None:
    """A run with these verdicts. Only what `list` reads of an entry is right about the claim."""
    entries = [
        ENTRY | {"id": key.split(":")[0], "form": key.split(":")[1], "verdict": word} for key, word in verdicts.items()
    ]
    write_run(path, make_run(entries, command="pytest", where=path.parent, seconds=1.0, profile="fast"))


def keys(output: str) -> list[str]:
    return [claim["key"] for claim in json.loads(output)["claims"]]


def test_claims_stand_below_their_source(mine: Path) -> None:
    lines = call("--claims", "my_claims", "MY-listed", "LE-8:printed", "LE-linear:printed").stdout.splitlines()
    paper = lines.index("my paper")
    assert lines[paper + 2] == "  Lemma 1"
    assert lines[paper + 3].split() == ["MY-listed-right:proved", "-", "proved"]
    assert lines[paper + 4].strip() == "max|x_i| <= ‖x‖."
    assert any(line.split() == ["LE-8:printed", "-", "printed"] for line in lines)
    false = next(line for line in lines if "LE-linear:printed" in line)
    assert false.endswith("printed, known to be false")
    assert lines[-1] == "4 claims. No run, so no verdicts."


def test_filters_narrow_together(mine: Path) -> None:
    run_of(mine / "run.json", {"LE-linear:printed": "REFUTED", "LE-8:printed": "HOLDS", "AC-B1:printed": "REFUTED"})
    given = ("--format", "json", "--run", "run.json")
    assert keys(call(*given, "--verdict", "REFUTED").stdout) == ["LE-linear:printed", "AC-B1:printed"]
    assert keys(call(*given, "--verdict", "refuted", "--source", "local EDITS").stdout) == ["LE-linear:printed"]
    assert keys(call(*given, "--source", "Lemma 8", "--stance", "printed").stdout) == ["LE-8:printed"]
    assert keys(call(*given, "LE-linear", "--stance", "corrected").stdout) == [
        "LE-linear:corrected",
        "LE-linear:equality",
    ]
    assert keys(call(*given, "--source", "no such paper").stdout) == []


def test_the_last_run_is_found_and_named(mine: Path) -> None:
    run_of(mine / "reports" / "latest" / "run.json", {"LE-8:printed": "HOLDS"})
    first = call("LE-8:printed").stdout
    assert "HOLDS" in first
    assert "Verdicts of reports/latest/run.json, 20" in first
    run_of(mine / ".boundcheck" / "last-run.json", {"LE-8:printed": "VIOLATED"})
    second = call("LE-8:printed").stdout
    assert "VIOLATED" in second
    assert "Verdicts of .boundcheck/last-run.json, 20" in second
    assert "VIOLATED" not in call("LE-8:printed", "--no-verdicts").stdout
    named = json.loads(call("LE-8:printed", "--run", "reports/latest/run.json", "--format", "json").stdout)
    assert named["run"]["file"] == "reports/latest/run.json"
    assert [claim["verdict"] for claim in named["claims"]] == ["HOLDS"]


def test_a_last_run_that_cannot_be_read_is_told_of_and_left_alone(mine: Path) -> None:
    (mine / ".boundcheck").mkdir()
    (mine / ".boundcheck" / "last-run.json").write_text("{}")
    result = call("LE-8:printed")
    assert result.exit_code == 0
    assert "no verdicts are shown: .boundcheck/last-run.json has schema_version None" in result.stderr
    assert result.stdout.endswith("1 claim. No run, so no verdicts.\n")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--stance", "wrong"], "expected one of printed, proved"),
        (["--verdict", "TRUE"], "expected one of HOLDS, REFUTED"),
        (["--verdict", "HOLDS"], "without a run; expected a run to look it up in; run pytest, or name one"),
        (["--format", "html"], "expected one of text, markdown, json"),
        (["--run", "nowhere.json"], "nowhere.json could not be read"),
        (["--run", "my_claims/mine.py"], "my_claims/mine.py is not JSON"),
        (["--claims", "nowhere"], "a folder that exists"),
        (["NONE"], "no claim's key starts with NONE"),
    ],
)
def test_mistakes_end_in_one_sentence_and_exit_code_2(mine: Path, args: list[str], words: str) -> None:
    result = call(*args)
    assert result.exit_code == 2
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_the_index_of_theorems_is_what_the_command_prints() -> None:
    """In a process of its own: this one has seen other claims."""
    command = (sys.executable, "-m", "boundcheck.cli", "list", "--format", "markdown", "--no-verdicts")
    printed = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8").stdout
    page = (ROOT / "theorems" / "README.md").read_text(encoding="utf-8")
    start, end = "<!-- index: boundcheck list --format markdown -->", "<!-- end of index -->"
    assert page.split(start)[1].split(end)[0].strip() == printed.strip()


# ----------------------------------------------------------------------------------------------------------- the pages

WORDS = st.text(st.sampled_from("ab λ_*|`\\[](){}<>#&;~$!'\"\n²-=:"), min_size=1).filter(
    lambda text: text.split() != []
)
ROWS = st.lists(
    st.builds(
        Row,
        key=st.from_regex(r"[A-Z]{2}-[0-9]:[a-z]{1,5}", fullmatch=True),
        paper=st.sampled_from(["A", "B|b", "<script>alert(1)</script>"]),
        result=st.sampled_from(["Lemma 8", "Lemma 10", "Lemma 9, (3)", "Theorem"]),
        stance=st.sampled_from(["printed", "proved"]),
        refuted_by=st.just(""),
        input=st.just("generated"),
        statement=WORDS,
        verdict=st.sampled_from(["HOLDS", "-"]),
    ),
    min_size=1,
    max_size=6,
)


@given(ROWS, st.booleans())
def test_markdown_shows_each_statement_as_it_stands(rows: list[Row], verdicts: bool) -> None:
    """Read by a parser of Markdown: as many cells as headers, no markup in any of them, and the text itself."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(markdown_page(rows, verdicts=verdicts))
    cells = [tokens[place + 1].children or [] for place, token in enumerate(tokens) if token.type == "td_open"]
    assert {child.type for cell in cells for child in cell} <= {"text", "text_special", "code_inline"}
    texts = ["".join(child.content for child in cell) for cell in cells]
    width = 4 + verdicts
    assert texts[width - 1 :: width] == [" ".join(row.statement.split()) for row in in_order(rows)]
    assert texts[1::width] == [row.key for row in in_order(rows)]


@given(ROWS)
def test_every_shape_has_every_claim_once(rows: list[Row]) -> None:
    ordered = [row.key for row in in_order(rows)]
    assert sorted(ordered) == sorted(row.key for row in rows)
    heads = [line.split()[0] for line in text_page(rows).splitlines() if line.startswith("    ") and line[4] != " "]
    assert heads == ordered
    assert [claim["key"] for claim in json.loads(json_page(rows, None))["claims"]] == ordered


def test_numbers_in_results_are_ordered_by_size() -> None:
    results = ["Lemma 10", "Lemma 9", "Appendix B.2", "Lemma 9, (14)", "Lemma 9, (2)"]
    rows = [Row("A-1:b", "paper", result, "proved", "", "generated", "s") for result in results]
    found = [row.result for row in in_order(rows)]
    assert found == ["Appendix B.2", "Lemma 9", "Lemma 9, (2)", "Lemma 9, (14)", "Lemma 10"]
