"""The tables of a run, before any format."""

import dataclasses
import json
import math
from importlib import resources
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boundcheck.report.ablations import premises_taken_away
from boundcheck.report.counterexamples import enclosures, finding, rungs, side
from boundcheck.report.findings import drawn_ratio, papers, place, upshot, worst_ratio
from boundcheck.report.html import html_page
from boundcheck.report.plain import plain
from boundcheck.report.summary import summary
from boundcheck.report.table import Column, Table, ratio
from boundcheck.report.tables import (
    constants_table,
    premise_table,
    real_table,
    refuted_tables,
    statement_tables,
    tightest,
    verdict_table,
)
from boundcheck.report.tightness import ranking
from tests.report.runs import ABLATED, ALL, BROKEN, ENTRY, EQUATION, FALSE, REAL, RED, SHOWN, entries, run


def cells(table: Table | None, header: str) -> list[str]:
    assert table is not None
    place = [column.header for column in table.columns].index(header)
    return [row[place] for row in table.rows]


@given(st.lists(entries(), max_size=3).map(lambda found: run(*found)))
def test_the_entries_that_the_tests_draw_are_of_the_schema(drawn: dict[str, Any]) -> None:
    schema = json.loads(resources.files("boundcheck.record").joinpath("schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(drawn, schema)


def test_verdicts() -> None:
    table = verdict_table([ENTRY, FALSE, BROKEN])
    assert cells(table, "claim") == ["MY-1:proved", "MY-2:printed", "MY-6:proved"]
    assert cells(table, "broken") == ["0", "7", "0"]
    assert cells(table, "vacuous") == ["25.0 %", "25.0 %", "-"]
    assert cells(table, "tightest") == ["0.99 =", "3.296", "-"]
    assert cells(table, "hunted") == ["0.999", "-", "-"]
    assert cells(table, "hardest premise") == [" 75 %  x > 0", " 75 %  x > 0", "none stated"]
    assert cells(verdict_table([RED]), "mutants") == ["0/1 lived: half"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "3.296"),
        ({"tightness": {"p50": 1e-19, "max": 2.5e-15, "histogram": None}}, "inf"),
        ({"tightness": {"p50": None, "max": None, "histogram": None}}, "inf"),
        ({"tightness": {"p50": None, "max": None, "histogram": None}, "kind": "identity"}, "-"),
    ],
)
def test_a_broken_claim_without_a_ratio_above_1_has_an_infinite_one(changes: dict[str, Any], words: str) -> None:
    assert cells(verdict_table([FALSE | changes]), "tightest") == [words]


def test_some_columns_bring_their_meanings_along() -> None:
    table = verdict_table([ENTRY])
    assert table is not None
    few = table.only("mutants", "claim")
    assert few.rows == (("1/1", "MY-1:proved"),)
    assert few.note.startswith("mutants: wrong neighbours caught / tried.")
    assert "vacuous" not in few.note
    with pytest.raises(ValueError, match="no such"):
        table.only("no such")


@pytest.mark.parametrize(
    ("found", "at", "gap"),
    [
        (0.2, "1/4", "20 %"),
        (0.25, "1/4", "0 %"),
        (None, "1/4", "-"),
        (2.0, "0", "-"),
        (55340454.7, "1024", "5,404,241 %"),
    ],
)
def test_the_gap_of_a_constant(found: float | None, at: str, gap: str) -> None:
    constant = ENTRY["constants"][0] | {"at": at, "found": found}
    table = constants_table([ENTRY | {"constants": [constant]}])
    assert cells(table, "gap") == [gap]
    assert cells(table, "constant") == ["c'"]
    assert constants_table([ENTRY | {"constants": [constant | {"better": None}]}]) is None, "it scales no side"


def test_only_premises_that_some_instance_missed_are_listed() -> None:
    assert premise_table([ENTRY, BROKEN]) is not None
    assert cells(premise_table([ENTRY, BROKEN]), "premise") == ["x > 0"]
    assert cells(premise_table([ENTRY]), "rate") == ["75.0 %"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "0.999"),
        ({"hunted": None}, "0.99"),
        ({"hunted": ENTRY["hunted"] | {"ratio": [None, None]}}, "inf"),
        ({"hunted": ENTRY["hunted"] | {"ratio": [0.5, 0.5]}}, "0.99"),
        ({"kind": "identity"}, "equation"),
        ({"hunted": None, "tightness": {"p50": None, "max": None, "histogram": None}}, "-"),
    ],
)
def test_the_tightest_of_what_was_drawn_and_hunted(changes: dict[str, Any], words: str) -> None:
    assert tightest(ENTRY | changes) == words


def test_what_fell_with_both_sides_in_numbers() -> None:
    (table,) = refuted_tables([FALSE])
    assert cells(table, "smaller") == ["1.648"]
    assert cells(table, "larger") == ["0.5"]
    assert cells(table, "falls by") == ["ladder"]
    assert finding(SHOWN) == (
        "By Arb balls at 128 bits and by exact rational numbers: the premises hold and the statement does not."
    )


@pytest.mark.parametrize(
    ("written", "words"), [("= 0.0", "0"), ("in [1.0, inf]", "in [1.0, inf]"), ("= about 2^2000", "= about 2^2000")]
)
def test_a_side_is_rounded_only_where_it_is_a_number(written: str, words: str) -> None:
    route = {"route": "r", "finding": "f", "values": [{"name": "smaller side", "value": written}]}
    assert side(FALSE | {"shown": {"drawn": "", "instance": [], "routes": [route]}}, "smaller side") == words
    assert side(FALSE | {"shown": None}, "smaller side") == "-"


def test_routes_stand_side_by_side() -> None:
    table = enclosures(SHOWN)
    assert table is not None
    assert [row[0] for row in table.rows] == ["smaller side", "larger side", "premise: x > 0"]
    assert table.rows[2] == ("premise: x > 0", "in [1.0, inf]", "")
    assert cells(rungs(FALSE), "constants") == ["c' = 1/2", "c' = 1/4"]
    assert cells(rungs(FALSE), "counterexample")[1] == "still stands"


def test_what_is_empty_is_no_table() -> None:
    for build in (verdict_table, constants_table, premise_table, real_table, ranking, premises_taken_away):
        assert build([]) is None
    assert statement_tables([]) == []
    assert plain(None) == ""
    assert enclosures({"routes": []}) is None


@given(st.lists(entries(), max_size=6))
def test_every_claim_is_of_one_paper(found: list[dict[str, Any]]) -> None:
    groups = papers(found)
    assert sorted(id(entry) for group in groups.values() for entry in group) == sorted(map(id, found))
    for paper, group in groups.items():
        for entry in group:
            assert entry["source"].startswith(paper)
            assert place(entry, paper) in entry["source"]


def test_papers_with_commas_in_their_titles() -> None:
    sources = [
        "A et al., Local, Global, Lemma 6 (i), equation (8)",
        "A et al., Local, Global, Theorem 7",
        "B, Other, Lemma 1",
    ]
    groups = papers([ENTRY | {"id": f"X{i}", "source": source} for i, source in enumerate(sources)])
    assert {paper: [place(e, paper) for e in group] for paper, group in groups.items()} == {
        "A et al., Local, Global": ["Lemma 6 (i), equation (8)", "Theorem 7"],
        "B, Other, Lemma 1": ["B, Other, Lemma 1"],
    }


def test_the_upshot_counts_and_names_what_is_red() -> None:
    assert upshot([]) == "No claim was checked."
    assert upshot([ENTRY]) == "1 claim was checked on 400 instances: 1 holds."
    assert upshot(ALL) == (
        "7 claims were checked on 2,400 instances: 3 hold, 1 is refuted, 1 is measured, for information and 2 did not pass. "
        "Not passed: MY-3:proved (TOOTHLESS) and MY-6:proved (ERROR)."
    )


def test_plain_text_holds_every_cell() -> None:
    for table in (
        verdict_table(ALL),
        ranking([ENTRY, ABLATED]),
        real_table([REAL]),
        *statement_tables([EQUATION, ENTRY]),
    ):
        assert table is not None
        text = plain(table)
        assert all(cell.strip() in text for row in table.rows for cell in row)
        assert text.startswith(table.title)


def test_a_row_has_a_cell_for_each_column() -> None:
    table = verdict_table([ENTRY])
    assert table is not None
    with pytest.raises(AssertionError):
        dataclasses.replace(table, rows=(("too", "few"),))


def test_columns_that_say_nothing_are_left_out_with_their_meaning() -> None:
    columns = (Column("claim"), Column("rate", meaning="how often"), Column("verdict"))
    silent = Table("t", columns, (("a", "0.0 %", "HOLDS"), ("b", "-", "HOLDS")))
    assert [column.header for column in silent.telling().columns] == ["claim", "verdict"]
    assert silent.telling().rows == (("a", "HOLDS"), ("b", "HOLDS"))
    assert silent.telling().note == ""
    heard = Table("t", columns, (("a", "0.0 %", "HOLDS"), ("b", "0.1 %", "HOLDS")))
    assert heard.telling() == heard
    assert Table("t", columns, ()).telling().rows == ()


def test_a_few_instances_are_never_rounded_away() -> None:
    few = ENTRY | {
        "tested": 50_000,
        "held": 49_990,
        "vacuous": 0,
        "unverified": 0,
        "inconclusive": 12,
        "at_equality": 2,
    }
    few |= {"premises": [{"name": "hard", "accepted": 49_999, "stated": 50_000}]}
    table = verdict_table([few])
    assert table is not None
    assert cells(table.telling(), "inconcl.") == ["< 0.1 %"]
    assert cells(table.telling(), "at equality") == ["< 0.1 %"]
    assert cells(table.telling(), "hardest premise") == ["> 99 %  hard"]
    assert cells(premise_table([few]), "rate") == ["> 99.9 %"]
    assert cells(verdict_table([few | {"inconclusive": 50_000, "at_equality": 1}]), "inconcl.") == ["> 99.9 %"]


def test_what_is_undecided_at_equality_is_not_counted_twice() -> None:
    table = verdict_table([ENTRY | {"tested": 100, "inconclusive": 50, "at_equality": 40}])
    assert cells(table, "inconcl.") == ["10.0 %"]
    assert cells(table, "at equality") == ["40.0 %"]


def test_a_ratio_above_1_by_less_than_a_float_can_say_is_not_infinite() -> None:
    hair = BROKEN | {"kind": "inequality", "hunted": None, "refuted_by": None, "violated": 64}
    hair |= {"tightness": {"p50": 1.0, "max": 1.0, "histogram": None}}
    assert tightest(hair) == "1"
    assert tightest(hair | {"refuted_by": "order"}) == "inf"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.0, "1"),
        (0.99997, "1 - 3e-05"),
        (1.00001, "1 + 1e-05"),
        (0.9994, "0.9994"),
        (None, "-"),
        (math.inf, "inf"),
        (1e-20, "1e-20"),
    ],
)
def test_only_an_exact_1_reads_1(value: float | None, shown: str) -> None:
    assert ratio(value) == shown


def test_a_claim_that_falls_by_order_is_infinite_in_every_format() -> None:
    order = FALSE | {
        "kind": "inequality",
        "refuted_by": "order",
        "violated": 4,
        "tightness": {"p50": 1e-16, "max": 2.5e-15, "histogram": None},
        "hunted": None,
    }
    assert cells(verdict_table([order]), "tightest") == ["inf"]
    assert tightest(order) == "inf"
    assert drawn_ratio(order) == worst_ratio(order) == math.inf
    assert summary(run(order))["claims"][0]["tightness"]["unbounded"] is True
    assert ">∞<" in html_page(run(order))
