"""The HTML page of a run that holds anything: text stays text, and every number makes a page."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.report.html import html_page
from boundcheck.report.html.sources import cited
from tests.report.samples import HOLDS, KINDS, REAL, REFUTED, TOOTHLESS, UNDRAWN, Entry, run_of
from tests.report.xhtml import XHTML, by_id, parsed, said, section_of

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "]]></style></script><b>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "a & b &lt; c\n\r\td",
    "nul \x00 and \ud800 and \u202e and \ufffe",
]


@pytest.fixture(scope="module")
def page() -> str:
    return html_page(run_of(*KINDS))


def poisoned(value: Any, text: str, fixed: frozenset[str]) -> Any:
    """Every string of an entry replaced, but for the words of the record itself."""
    if isinstance(value, dict):
        return {key: item if key in fixed else poisoned(item, text, fixed) for key, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item, text, fixed) for item in value]
    return text if isinstance(value, str) else value


WORDS = frozenset({"stance", "input", "kind", "refuted_by", "verdict", "status", "better", "at", "dtype"})


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_run_is_never_markup(page: str, text: str) -> None:
    clean, dirty = page, html_page(poisoned(run_of(*KINDS), text, WORDS))
    scripts = [[e.text for e in parsed(page).iter(f"{XHTML}script")] for page in (clean, dirty)]
    assert scripts[0] == scripts[1]
    before, after = parsed(clean), parsed(dirty)
    for name in ("img", "b", "iframe", "object", "form", "style"):
        assert len(list(after.iter(f"{XHTML}{name}"))) == len(list(before.iter(f"{XHTML}{name}")))
    for element in after.iter():
        assert not any(name.startswith("on") for name in element.attrib)
        assert element.get("href", "#").startswith(("#", "data:,"))
    dirty.encode("utf-8")
    assert "49" not in said(by_id(after)["summary"])


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_stays_well_formed_and_readable(text: str) -> None:
    entry: Entry = (REFUTED | UNDRAWN) | {
        "reason": text,
        "notes": text,
        "source": text,
        "counterexample": text or None,
        "id": text or "x",
    }
    parsed(html_page(run_of(entry, REAL | UNDRAWN, TOOTHLESS | UNDRAWN), title=text))


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=25, deadline=None)
@given(points=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=8), p50=st.none() | NUMBERS, found=st.none() | NUMBERS)
def test_any_numbers_make_a_page(points: list[tuple[float, float]], p50: float | None, found: float | None) -> None:
    constants = [HOLDS["constants"][0] | {"found": found}]
    tightness = {"p50": p50, "max": p50, "histogram": None}
    entry = HOLDS | {"scatter": [list(point) for point in points], "tightness": tightness, "constants": constants}
    section = section_of(html_page(run_of(entry)), "claim-MY-1-proved")
    for smaller, larger in points:
        assert repr(smaller) in section
        assert repr(larger) in section


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=12), max_size=6))
def test_paper_and_place_together_are_the_source(sources: list[str]) -> None:
    for source, (paper, place) in cited(sources).items():
        assert source in sources
        assert source == (f"{paper}, {place}" if place else paper) or source.endswith(", ")
