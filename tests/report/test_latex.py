"""The document in LaTeX, read again by a small reader of its own; it is compiled by `make latex`."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boundcheck.record.store import one_line
from boundcheck.report.latex import fragments, latex_page
from boundcheck.report.latex.tables import longtable
from boundcheck.report.latex.text import code, comment, number, words
from boundcheck.report.table import Column, Kind, Table
from tests.report.runs import ALL, BROKEN, ENTRY, FALSE, REAL, entries, hostile_runs, run, texts

ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
SPELLED = {
    r"\textbackslash{}": "\\",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"{\char34}": '"',
    r"\textasciigrave{}": "`",
    r"\textquotesingle{}": "'",
    r"\allowbreak{}": "",
    "{}": "",
} | {f"\\{sign}": sign for sign in "&%$#_{}"}
TOKEN = re.compile("|".join(re.escape(spelled) for spelled in sorted(SPELLED, key=len, reverse=True)))


def read(latex: str) -> str:
    """The text that code in LaTeX shows, for text that was plain ASCII."""
    inside = latex.removeprefix(r"\texttt{").removesuffix("}")
    return TOKEN.sub(lambda found: SPELLED[found[0]], inside)


def without_escapes(latex: str) -> str:
    """Comments and escaped signs removed: what is left has a meaning for TeX."""
    return re.sub(r"\\[\\{}%$&#_]", "", re.sub(r"(?m)^%.*$", "", latex))


def well_formed(latex: str) -> None:
    """Pure ASCII, every brace and dollar sign has its partner, every environment ends where it should, nothing is a comment."""
    assert latex.isascii()
    assert all(character.isprintable() or character == "\n" for character in latex)
    body = without_escapes(latex.partition(r"\begin{document}")[2] or latex)
    depth = 0
    for brace in re.findall("[{}]", body):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert body.count("$") % 2 == 0
    assert not set("#%") & set(body), "nothing that TeX would read otherwise"
    open_: list[str] = []
    for begins, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        if begins == "begin":
            open_.append(name)
        elif name != "document":
            assert open_.pop() == name
    assert open_ == []


@given(ASCII)
def test_code_shows_every_character_as_it_is(typed: str) -> None:
    latex = code(typed)
    assert read(latex) == " ".join(typed.split())
    assert not re.search("--|''|``|,,", latex), "fonts join these into other signs"


@given(texts)
def test_anything_is_safe(typed: str) -> None:
    for latex in (code(typed), words(typed), number(typed)):
        well_formed(latex)
    assert "\n" not in comment(typed)
    assert comment(typed).isascii()


@pytest.mark.parametrize(
    ("typed", "latex"),
    [
        ("0.25", "0.25"),
        ("-0.1667", "$-$0.1667"),
        ("2.5e-15", r"$2.5\cdot 10^{-15}$"),
        ("1.871e+04", r"$1.871\cdot 10^{4}$"),
        ("inf", r"$\infty$"),
        ("25.0 %", r"25.0 \%"),
        ("0.99 =", "0.99 ="),
        ("1/2", "1/2"),
    ],
)
def test_numbers_as_people_print_them(typed: str, latex: str) -> None:
    assert number(typed) == latex


@given(st.data(), st.integers(1, 5), st.integers(1, 3))
def test_a_table_keeps_its_shape(data: st.DataObject, width: int, height: int) -> None:
    columns = tuple(
        Column(data.draw(texts), data.draw(st.sampled_from(list(Kind))), share=data.draw(st.sampled_from([0, 1])))
        for _ in range(width)
    )
    rows = tuple(tuple(data.draw(texts) for _ in range(width)) for _ in range(height))
    latex = longtable(Table(data.draw(texts), columns, rows), "tab:x")
    well_formed(latex)
    lines = [line for line in without_escapes_of_cells(latex).splitlines() if line.rstrip().endswith("ROWEND")]
    assert len(lines) == height
    assert {line.count("&") for line in lines} == {width - 1}


def without_escapes_of_cells(latex: str) -> str:
    """Ends of rows marked, escaped signs removed."""
    marked = re.sub(r" \\\\(?: \\addlinespace\[1\.5pt\])?$", "ROWEND", latex, flags=re.MULTILINE)
    return re.sub(r"\\[{}%$&#_]", "", marked)


def widths(latex: str) -> tuple[float, float]:
    """What the columns of a table leave of the line for those that share it, in em, and the sum of their parts."""
    parts = [
        (float(part), float(taken)) for part, taken in re.findall(r"p\{([\d.]+)\\dimexpr\\linewidth-([\d.]+)em", latex)
    ]
    assert len({taken for _, taken in parts}) <= 1
    return (parts[0][1] if parts else 0.0), sum(part for part, _ in parts)


@given(st.lists(entries(), min_size=1, max_size=3))
def test_no_table_is_wider_than_the_page(found: list[dict[str, Any]]) -> None:
    for latex in fragments(run(*found)).values():
        for table in latex.split(r"\begin{longtable}")[1:]:
            taken, parts = widths(table)
            assert taken <= 54 - 8 * (parts > 0)
            assert parts == pytest.approx(1, abs=0.01) or parts == 0


@given(hostile_runs, texts)
def test_a_document_of_anything_is_well_formed(drawn: dict[str, Any], title: str) -> None:
    well_formed(latex_page(drawn, title=title, figure="summary.pdf"))
    for latex in fragments(drawn).values():
        well_formed(latex)


def test_the_parts_of_a_document() -> None:
    latex = latex_page(run(*ALL), figure="summary.pdf")
    for words_ in (
        "What did not pass",
        "What is false as printed",
        "What holds",
        "Verdicts",
        "Constants",
        "Real data",
        "Notes",
    ):
        assert rf"\section{{{words_}}}" in latex, words_
    assert r"\includegraphics[scale=0.82,page=1]{summary.pdf}" in latex
    assert "includegraphics" not in latex_page(run(*ALL))
    assert "theta0 = [1, 0]" in [read(item) for item in re.findall(r"\\item (\\texttt\{theta.*)", latex)]
    assert "claims are missing" in latex_page(run(ENTRY, finished=False))
    assert "No claim was checked." in latex_page(run())


def test_fragments_say_where_they_come_from() -> None:
    files = fragments(run(ENTRY, FALSE))
    assert sorted(files) == ["constants.tex", "refuted.tex", "verdicts.tex"]
    for latex in files.values():
        first, second, *_ = latex.splitlines()
        assert (
            first
            == "% boundcheck 0.1.0, commit c9e4567e7293 with uncommitted changes, 2026-01-02T03:04:05+00:00: pytest my_claims"
        )
        assert second.startswith(r"% needs \usepackage{")
        assert latex.count(r"\label{tab:boundcheck-") == latex.count(r"\caption{") == 1
    assert fragments(run(REAL)) == {}, "real data have no place in these"
    assert sorted(fragments(run(BROKEN))) == ["verdicts.tex"]


def test_a_control_code_is_shown_and_not_sent() -> None:
    assert one_line("\x1b") == r"\x1b"
    assert code("\x1b[31m") == r"\texttt{\textbackslash{}x1b[31m}"


def test_rungs_are_shown_of_a_ladder_that_still_stands() -> None:
    assert "still stands" in latex_page(run(FALSE | {"verdict": "UNREFUTED", "shown": None}))
