"""The page in Markdown, as an independent parser reads it."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from boundcheck.record.store import one_line
from boundcheck.report.markdown import ablation_page, markdown_page
from boundcheck.report.markdown.text import code, code_block, markdown_table, text
from boundcheck.report.table import Column, Kind, Table
from tests.report.runs import ABLATED, ALL, ENTRY, FALSE, hostile_runs, run, texts

PARSER = MarkdownIt("commonmark").enable("table").enable("strikethrough")


def shown(token: Token) -> str:
    """The text of an inline token; whatever is more than text and code is told by its kind."""
    return "".join(
        child.content if child.type in ("text", "code_inline", "text_special") else f"<{child.type}>"
        for child in token.children or []
    )


def tables(tokens: list[Token]) -> list[list[list[str]]]:
    """Every table as rows of the texts of its cells."""
    found: list[list[list[str]]] = []
    for at, token in enumerate(tokens):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("td_open", "th_open"):
            found[-1][-1].append(shown(tokens[at + 1]))
    return found


def visible(words: str) -> str:
    return one_line(" ".join(words.split()))


@given(texts)
def test_a_paragraph_shows_its_text_and_nothing_else(words: str) -> None:
    tokens = PARSER.parse(f"before\n\n{text(words)}\n\nafter")
    middle = [shown(token) for token in tokens if token.type == "inline"][1:-1]
    assert middle == ([visible(words)] if visible(words) else [])
    assert {token.type for token in tokens} == {"paragraph_open", "inline", "paragraph_close"}


@given(texts)
def test_a_code_span_shows_its_text(words: str) -> None:
    (inline,) = [token for token in PARSER.parse(f"a {code(words)} b") if token.type == "inline"]
    assert [child.content for child in inline.children or [] if child.type == "code_inline"] == (
        [visible(words)] if visible(words) else []
    )


@given(st.lists(texts, max_size=4))
def test_a_block_shows_its_lines(lines: list[str]) -> None:
    tokens = PARSER.parse(f"before\n\n{code_block(lines)}\n\nafter")
    (fence,) = [token for token in tokens if token.type == "fence"]
    assert fence.content == "".join(f"{one_line(line)}\n" for line in lines)


@given(st.data(), st.integers(1, 4), st.integers(0, 3))
def test_a_table_keeps_its_shape_and_its_texts(data: st.DataObject, width: int, height: int) -> None:
    kinds = data.draw(st.lists(st.sampled_from(list(Kind)), min_size=width, max_size=width))
    headers = data.draw(st.lists(texts, min_size=width, max_size=width))
    rows = tuple(tuple(data.draw(texts) for _ in range(width)) for _ in range(height))
    table = Table("t", tuple(Column(header, kind) for header, kind in zip(headers, kinds, strict=True)), rows)
    (found,) = tables(PARSER.parse(markdown_table(table)))
    assert found == [[visible(header) for header in headers], *([visible(cell) for cell in row] for row in rows)]


@given(hostile_runs, texts)
def test_a_page_of_anything_is_tables_of_even_rows_and_no_html(drawn: dict[str, Any], title: str) -> None:
    tokens = PARSER.parse(markdown_page(drawn, title=title, figures={"summary": "summary.svg"}))
    for table in tables(tokens):
        assert len({len(row) for row in table}) == 1
    kinds = {token.type for token in tokens} | {c.type for t in tokens for c in t.children or []}
    assert not kinds & {"html_block", "html_inline", "link_open", "hr", "em_open", "s_open"}
    images = [child for token in tokens for child in token.children or [] if child.type == "image"]
    assert [image.attrs["src"] for image in images] == ["summary.svg"]
    seen = "\n".join(shown(token) for token in tokens if token.type == "inline")
    holding = [c for c in drawn["claims"] if (c["verdict"], c["input"]) == ("HOLDS", "generated")]
    assert all(visible(claim["statement"]) in seen for claim in holding)


def test_what_was_found_stands_first() -> None:
    page = markdown_page(run(*ALL))
    order = [
        "did not pass",
        "false as printed",
        "The counterexamples",
        "What holds",
        "Verdicts",
        "Constants",
        "Real data",
    ]
    places = [re.search(rf"^## .*{heading}", page, flags=re.MULTILINE) for heading in [*order, "Where this comes from"]]
    assert None not in places
    starts = [place.start() for place in places if place]
    assert starts == sorted(starts)
    assert "theta0 = [1, 0]" in page
    assert "`boundcheck replay counterexamples/MY-2.printed-0123.json`" in page
    assert "with uncommitted changes" in page
    assert "`MY-3:proved` TOOTHLESS" in page


def test_an_unfinished_run_says_so_and_an_empty_one_is_a_page() -> None:
    assert "claims are missing" in markdown_page(run(ENTRY, finished=False))
    assert "claims are missing" not in markdown_page(run(ENTRY))
    assert "No claim was checked." in markdown_page(run())


@pytest.mark.parametrize("path", ["it's here.json", "a b.json", "$(rm -rf x).json"])
def test_a_command_is_quoted_for_the_shell(path: str) -> None:
    import shlex

    page = markdown_page(run(FALSE | {"counterexample": path}))
    spans = [
        child.content for token in PARSER.parse(page) for child in token.children or [] if child.type == "code_inline"
    ]
    (command,) = [span for span in spans if span.startswith("boundcheck replay")]
    assert shlex.split(command) == ["boundcheck", "replay", path]


def test_the_page_of_ablations() -> None:
    page = ablation_page([ABLATED], "boundcheck ablate MY-7")
    assert page.startswith("# Premises taken away\n\n`boundcheck ablate MY-7`\n")
    (table,) = tables(PARSER.parse(page))
    assert table[1] == ["MY-7:proved", "x > 0", "not shown needed", "0.5", "inf *", ""]
    assert "both sides scale alike" in page
    assert ablation_page([ENTRY], "x") == ""


def test_the_nasty_texts_are_nasty() -> None:
    """What the properties above draw would break a page that does not escape it."""
    for words in ("a|b||", "`` ` ``", "<script>alert(1)</script>", "*a*", "[x](y)"):
        (table,) = tables(PARSER.parse(f"| a |\n| --- |\n| {words} |"))
        assert table[1:] != [[words]]
