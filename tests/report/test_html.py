"""The HTML page: well-formed, complete, deterministic, and safe whatever a run holds."""

import json
import random
import re
from importlib import resources
from itertools import pairwise

import jsonschema
import pytest

from boundcheck.errors import BoundcheckError
from boundcheck.report.html import html_page
from boundcheck.report.html.numbers import hunted_ratio
from tests.report.samples import CORRECTED, HOLDS, IDENTITY, KINDS, LADDER, REFUTED, UNDRAWN, run_of
from tests.report.xhtml import XHTML, by_id, parsed, said, section_of


@pytest.fixture(scope="module")
def page() -> str:
    return html_page(run_of(*KINDS))


def test_the_samples_are_what_a_run_holds() -> None:
    schema = json.loads(resources.files("boundcheck.record").joinpath("schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(run_of(*KINDS), schema)


def test_ids_are_unique_and_everything_referred_to_exists(page: str) -> None:
    root = parsed(page)
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    for element in root.iter():
        names = element.get("aria-labelledby", "").split()
        names += [element.get("href", "")[1:]] if element.get("href", "").startswith("#") else []
        names += re.findall(r"url\(#([^)]+)\)", " ".join(element.attrib.values()))
        assert set(names) <= set(ids), element.attrib


def test_nothing_is_asked_of_the_network(page: str) -> None:
    root = parsed(page)
    addresses = [value for e in root.iter() for name, value in e.attrib.items() if name in ("href", "src", "action")]
    assert addresses
    assert all(address.startswith("#") or address == "data:," for address in addresses)
    assert "default-src 'none'" in page
    assert not re.search(r"@import|url\((?!#)", page)


def test_every_claim_has_a_row_a_section_and_its_neighbours(page: str) -> None:
    root = parsed(page)
    articles = list(root.iter(f"{XHTML}article"))
    rows = [e for e in root.iter(f"{XHTML}tr") if "data-group" in e.attrib]
    links = [next(row.iter(f"{XHTML}a")).attrib["href"] for row in rows]
    assert links == [f"#{article.attrib['id']}" for article in articles]
    assert len(articles) == len(KINDS)
    turns = [
        {a.get("rel"): a.attrib["href"] for a in article.iter(f"{XHTML}a") if "rel" in a.attrib} for article in articles
    ]
    assert [turn.get("next") for turn in turns] == [*links[1:], None]
    assert [turn.get("prev") for turn in turns] == [None, *links[:-1]]


def test_headings_leave_out_no_level(page: str) -> None:
    levels = [int(e.tag[-1]) for e in parsed(page).iter() if re.fullmatch(re.escape(XHTML) + "h[1-6]", e.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_figure_has_a_name_and_the_numbers_behind_it(page: str) -> None:
    root = parsed(page)
    names = by_id(root)
    drawn = [e for e in root.iter("{http://www.w3.org/2000/svg}svg") if e.get("role") == "img"]
    assert drawn
    for svg in drawn:
        assert said(names[svg.attrib["aria-labelledby"]])
    tables = [e for article in root.iter(f"{XHTML}article") for e in article.iter(f"{XHTML}figure")]
    assert all(list(figure.iter(f"{XHTML}table")) for figure in tables)


def test_the_summary_says_what_holds_what_fell_and_what_is_true_instead() -> None:
    summary = section_of(html_page(run_of(*KINDS)), "summary")
    assert "Holds 4 Refuted 2 Undecided 0 Failing 2 Only informs 1" in summary
    assert "MY-2:printed Doe et al., On Bounds, Lemma 2, equation (3)" in summary
    assert "7 of 400 instances break it; proved twice for 4 of them." in summary
    assert "the smaller side is 1.5 and the larger 0.25." in summary
    assert "Of the same result holds MY-2:corrected." in summary
    assert "TOOTHLESS MY-7:proved" in summary
    assert "real data: 8 holds, 8 premise unverified" in summary


def test_a_claim_that_holds_says_so_in_words_and_figures() -> None:
    section = section_of(html_page(run_of(HOLDS)), "claim-MY-1-proved")
    for words in (
        "MY-1:proved",
        "HOLDS",
        "proved: true with the explicit constants given here",
        "200 instances, 0 violations.",
        "holds 200 50 %",
        "vacuous 100 25 %",
        "easy 97.5 % 390 of 400",
        "hard 75 % 150 of 200",
        "1/3 1/4 1/4 0.2475 1 % smaller",
        "A ratio of 0.999, from 0.98 where the climb began",
        "extremes/MY-1.proved.json",
        "Caught: half.",
        "Written in my_claims/lemma_1.py:12.",
        "Seed 0, profile fast, cpu, float64; 6 structures, 500 evaluations, 3 proofs in 2.5 s.",
    ):
        assert words in section, words
    assert "Counterexample" not in section


def test_a_refuted_claim_shows_its_counterexample_and_how_to_prove_it_again() -> None:
    section = section_of(html_page(run_of(REFUTED, CORRECTED)), "claim-MY-2-printed")
    for words in (
        "one instance is enough",
        "x = [1.5] y = [1]",
        "By Arb balls at 128 bits: the premises hold and the statement does not.",
        "smaller side = 1.5 = 1.5",
        "larger side = 0.25 ± 7.1e-38 = 0.25 ± 7.1e-38",
        "boundcheck replay counterexamples/MY-2.printed-1.json",
        "boundcheck replay counterexamples/MY-2.printed-2.json",
        "2 instances with a side of 0 or less cannot stand on logarithmic axes.",
        "Crosses, below the line: 1 that break it.",
    ):
        assert words in section, words


def test_the_points_that_cannot_be_drawn_are_in_the_table() -> None:
    root = parsed(html_page(run_of(REFUTED)))
    figure = next(by_id(root)["claim-MY-2-printed"].iter(f"{XHTML}figure"))
    rows = [said(row) for row in figure.iter(f"{XHTML}tr")]
    assert rows == ["instance smaller side larger side", "1 1.5 0.25", "2 0.5 1.0", "3 0.0 1.0", "4 -1.0 2.0"]


def test_points_of_which_none_can_be_drawn_are_counted_and_listed() -> None:
    section = section_of(
        html_page(run_of(HOLDS | {"hunted": None, "scatter": [[0.0, 1.0], [-2.0, -1.0]]})), "claim-MY-1-proved"
    )
    assert "2 instances with a side of 0 or less cannot stand on logarithmic axes." in section
    assert "2 -2.0 -1.0" in section


def test_a_ladder_is_told_rung_by_rung() -> None:
    section = section_of(html_page(run_of(LADDER)), "claim-MY-3-printed")
    assert "c = 1/2 it falls 8 1·10⁻⁹ counterexamples/MY-3.printed-3.json" in section
    assert "c = 1/4 it still stands – – –" in section


def test_an_identity_has_a_left_and_a_right_side() -> None:
    section = section_of(html_page(run_of(IDENTITY)), "claim-MY-4-proved")
    assert "left side" in section
    assert "smaller side" not in section


def test_what_runs_lack_is_said() -> None:
    assert "This run did not finish." in html_page(run_of(HOLDS | UNDRAWN, finished=False))
    assert "with changes that were not committed" in html_page(run_of(HOLDS | UNDRAWN))
    assert "not run inside a git repository" in html_page(run_of(HOLDS | UNDRAWN, commit_info={}))
    empty = html_page(run_of())
    parsed(empty)
    for words in ("Nothing was shown to hold.", "Nothing is refuted.", "Nothing is undecided or failing."):
        assert words in empty


def test_the_same_run_gives_the_same_characters_in_whatever_order_its_claims_stand() -> None:
    shuffled = random.Random(3).sample(KINDS, len(KINDS))
    assert html_page(run_of(*KINDS)) == html_page(run_of(*shuffled)) == html_page(run_of(*KINDS))


def test_progress_is_told() -> None:
    told: list[tuple[int, int, str]] = []
    html_page(run_of(HOLDS | UNDRAWN, IDENTITY | UNDRAWN), told=lambda *now: told.append(now))
    assert told == [(0, 2, "MY-1:proved"), (1, 2, "MY-4:proved"), (2, 2, "")]


def test_two_claims_of_one_plain_name_keep_apart() -> None:
    root = parsed(html_page(run_of(*(HOLDS | UNDRAWN | {"id": name} for name in ("A b", "A-b", "A?b", "∂")))))
    articles = [e.attrib["id"] for e in root.iter(f"{XHTML}article")]
    assert sorted(articles) == ["claim-A-b-proved", "claim-A-b-proved-2", "claim-A-b-proved-3", "claim-proved"]


def test_a_title_of_ones_own() -> None:
    root = parsed(html_page(run_of(HOLDS | UNDRAWN), title="A < B"))
    assert said(next(root.iter(f"{XHTML}h1"))) == said(next(root.iter(f"{XHTML}title"))) == "A < B"


def test_a_histogram_whose_counts_have_no_edges_is_refused() -> None:
    odd = HOLDS | {"tightness": {"p50": 0.5, "max": 0.9, "histogram": {"edges": [0.0, 1.0], "counts": [1, 2, 3]}}}
    with pytest.raises(BoundcheckError, match="3 counts and 2 edges"):
        html_page(run_of(odd))


@pytest.mark.parametrize(("proved", "uncertified", "words"), [(0, 0, "none"), (2, 0, "2"), (0, 3, "3"), (2, 3, "5")])
def test_the_summary_counts_what_broke_of_what_is_said_to_be_true(proved: int, uncertified: int, words: str) -> None:
    broken = HOLDS | {"verdict": "VIOLATED", "violated": proved, "violated_uncertified": uncertified}
    text = " ".join("".join(parsed(html_page(run_of(broken, CORRECTED, REFUTED))).itertext()).split())
    assert f" {words} broke one." in text


def test_a_hunt_without_a_larger_side_is_infinite() -> None:
    assert hunted_ratio({"hunted": None}) == "–"
    assert hunted_ratio({"hunted": {"ratio": [None, None]}}) == "∞"
    assert hunted_ratio({"hunted": {"ratio": [0.5, 0.6]}}) == "0.5"
