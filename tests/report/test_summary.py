"""The summary figure: what it draws of each claim, where, and what it leaves out."""

import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from boundcheck.report.figures.pages import pdf, svg
from boundcheck.report.figures.style import COLOURS
from boundcheck.report.figures.summary import (
    FARTHEST,
    ROWS_ON_A_PAGE,
    left_out,
    page_count,
    row,
    summary_figure,
    summary_figures,
)
from tests.report.runs import ALL, BROKEN, ENTRY, EQUATION, FALSE, entries

NO_RATIO = {"p50": None, "max": None, "histogram": None}


def words(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts] + [text.get_text() for text in figure.texts]


def points(line: Any) -> list[tuple[float, float]]:
    return [(float(across), float(down)) for across, down in line.get_xydata()]


def marks(figure: Figure) -> list[tuple[str, float, float]]:
    """Every mark in the axes: its shape, its decimal logarithm and its row."""
    lines = [line for axes in figure.axes for line in axes.lines if line.get_marker() not in ("None", None, "")]
    return [(str(line.get_marker()), *points(line)[0]) for line in lines]


def ratios(p50: float | None, worst: float | None) -> dict[str, Any]:
    return {"tightness": {"p50": p50, "max": worst, "histogram": None}}


def test_each_ratio_has_its_mark_at_its_logarithm() -> None:
    figure = summary_figure([ENTRY])
    assert {shape: at for shape, at, _ in marks(figure)} == pytest.approx(
        {"|": math.log10(0.5), "o": math.log10(0.99), "D": math.log10(0.999)}
    )
    assert {"MY-1:proved", "0.999", "holds"} <= set(words(figure))
    (equality,) = [line for line in figure.axes[0].lines if [at for at, _ in points(line)] == [0, 0]]
    assert equality.get_visible()


def test_a_verdict_is_told_by_shape_and_word() -> None:
    drawn = [ENTRY, FALSE, ENTRY | {"verdict": "MEASURED"}, ENTRY | {"verdict": "VIOLATED_UNCERTIFIED"}]
    figures = [summary_figure([entry | {"hunted": None}]) for entry in drawn]
    assert [next(shape for shape, _, _ in marks(figure) if shape != "|") for figure in figures] == ["o", "X", "s", "P"]
    for figure, word in zip(figures, ["holds", "refuted", "measured", "violated uncertified"], strict=True):
        assert word in words(figure)


def test_equations_and_what_was_never_decided_are_left_out_and_counted() -> None:
    assert row(EQUATION) is None
    assert row(BROKEN) is None
    assert left_out([ENTRY]) == ""
    assert left_out([EQUATION]) == "Not drawn: 1 equation."
    assert left_out([ENTRY, EQUATION, EQUATION, BROKEN]) == "Not drawn: 2 equations and 1 without a ratio."
    figure = summary_figure([ENTRY, EQUATION, BROKEN])
    assert "MY-5:proved" not in words(figure)
    assert "Not drawn: 1 equation and 1 without a ratio." in words(figure)


@pytest.mark.parametrize(
    "changes",
    [
        ratios(1e-19, 1e-15),
        {"tightness": NO_RATIO},
        {"hunted": ENTRY["hunted"] | {"ratio": [None, None]}},
        ratios(None, 1.0) | {"refuted_by": "order"},
    ],
)
def test_a_claim_that_fell_lies_beyond_the_line(changes: dict[str, Any]) -> None:
    found = row(FALSE | changes)
    assert found is not None
    assert found.worst == math.inf
    figure = summary_figure([FALSE | changes])
    assert max(at for _, at, _ in marks(figure)) > 0
    assert any(shape == ">" for shape, _, _ in marks(figure))
    assert "inf" in words(figure)


def test_a_ratio_below_1_is_never_rounded_up_to_it() -> None:
    near = ENTRY | {"hunted": None} | ratios(0.5, 1 - 2**-53)
    assert "> 0.9999" in words(summary_figure([near]))
    assert "1" in words(summary_figure([near | ratios(0.5, 1.0)]))


@given(st.lists(entries(), max_size=5))
@settings(max_examples=40, deadline=None)
def test_anything_can_be_drawn_within_the_axes(found: list[dict[str, Any]]) -> None:
    figure = summary_figure(found)
    low, high = figure.axes[0].get_xlim()
    assert -FARTHEST * 1.1 <= low < 0 < high <= FARTHEST * 1.1
    assert all(low <= at <= high for _, at, _ in marks(figure))
    drawn = [one for entry in found if (one := row(entry))]
    shown = words(figure)
    assert all(shown.count(one.label) >= 1 for one in drawn)
    assert len({place for _, _, place in marks(figure)}) == len(drawn)
    assert svg(figure).startswith(b"<?xml")


def test_dollars_and_long_names_are_only_text() -> None:
    figure = summary_figure([ENTRY | {"id": "$\\frac{", "form": "x" * 200, "source": "$unclosed"}])
    assert b"frac{" in svg(figure)
    assert max(len(text) for text in words(figure)) <= 70


@pytest.mark.parametrize("count", [0, 1, 5, ROWS_ON_A_PAGE, ROWS_ON_A_PAGE + 1, 137])
def test_pages_hold_every_claim_once(count: int) -> None:
    found = [ENTRY | {"id": f"MY-{i:03}"} for i in range(count)]
    figures = summary_figures(found)
    assert len(figures) == page_count(found)
    keys = [word for figure in figures for word in words(figure) if word.endswith(":proved")]
    assert keys == [f"MY-{i:03}:proved" for i in range(count)]
    assert all("Doe, On Bounds" in " ".join(words(figure)) for figure in figures if count)
    heights = [figure.get_figheight() * 72 for figure in figures]
    assert max(heights) <= 52 + 54 + 14 * (ROWS_ON_A_PAGE + 1)


def test_rows_keep_their_height_however_many() -> None:
    heights = [summary_figure([ENTRY | {"id": f"MY-{i}"} for i in range(n)]).get_figheight() * 72 for n in (5, 137)]
    assert heights[1] - heights[0] == pytest.approx(14 * 132)


def test_the_same_figure_gives_the_same_bytes() -> None:
    assert svg(summary_figure(ALL)) == svg(summary_figure(ALL))
    assert pdf(summary_figures(ALL)) == pdf(summary_figures(ALL))
    assert pdf(summary_figures(ALL)).startswith(b"%PDF")


def test_every_colour_is_one_of_the_pages() -> None:
    import re

    used = set(re.findall(r"#[0-9a-f]{6}", svg(summary_figure(ALL)).decode()))
    assert used <= set(COLOURS.values())


def test_no_window_system_is_asked_for() -> None:
    program = "import boundcheck.report.figures.summary, sys; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
