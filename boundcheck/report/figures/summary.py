"""Tightness at a glance: one row a claim, smaller side / larger side on a logarithmic axis with the line at 1.

Equations have no ratio, and neither has a claim of which nothing was decided: `left_out` says how many are not drawn.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from boundcheck.record.store import one_line
from boundcheck.report.figures.decades import ticks
from boundcheck.report.figures.style import (
    FALLS,
    FONT_SIZE,
    HOLDS,
    INFORMS,
    INK,
    MUTED,
    OPEN,
    PAPER,
    RULE,
    name_axes,
    sheet,
)
from boundcheck.report.findings import drawn_ratio, hunted_ratio, papers
from boundcheck.report.table import Entry, name

ROW = 14.0
"""Points from one row to the next."""

ROWS_ON_A_PAGE = 52
FARTHEST = 3
"""Decades from 1 that are drawn; what is farther is a triangle at the edge, with its value in words beside it."""

PLOT, VALUES, TOP, BOTTOM = 230.0, 122.0, 52.0, 54.0
WORST_AT, VERDICT_AT = 1.02, 1.27
LETTER, LONGEST_NAME = 5.6, 34
SMALL = FONT_SIZE - 2
MARKS = {"HOLDS": ("o", HOLDS), "REFUTED": ("X", FALLS), "MEASURED": ("s", INFORMS)}
OTHER = ("P", OPEN)


@dataclass(frozen=True)
class Row:
    """A claim's ratios: of the median instance, of the tightest drawn, of the one that a climb found; inf is a number here."""

    label: str
    verdict: str
    median: float | None
    drawn: float | None
    hunted: float | None

    @property
    def worst(self) -> float:
        """The largest ratio seen."""
        return max(ratio for ratio in (self.drawn, self.hunted) if ratio is not None)


def row(entry: Entry) -> Row | None:
    """What is drawn of a claim; None for an equation and where no ratio was seen.

    A claim that is broken although no ratio lies above 1 has a larger side of 0 or less somewhere: its worst ratio is inf.
    """
    median, drawn, hunted = entry["tightness"]["p50"], drawn_ratio(entry), hunted_ratio(entry)
    if entry["kind"] == "identity" or (drawn is None and hunted is None):
        return None
    return Row(_short(name(entry)), entry["verdict"], median, drawn, hunted)


def left_out(entries: Sequence[Entry]) -> str:
    """How many claims are not drawn, and why; nothing where all are."""
    without = [entry for entry in entries if row(entry) is None]
    equations = sum(entry["kind"] == "identity" for entry in without)
    words = [
        f"{equations} equation{'s' * (equations != 1)}" if equations else "",
        f"{len(without) - equations} without a ratio" if len(without) > equations else "",
    ]
    named = " and ".join(word for word in words if word)
    return f"Not drawn: {named}." if named else ""


def summary_figure(entries: Sequence[Entry]) -> Figure:
    """All claims in one figure, whose height grows with them."""
    return _drawn(_lines(entries), left_out(entries))


def page_count(entries: Sequence[Entry]) -> int:
    """How many figures `summary_figures` makes."""
    return max(1, -(-sum(row(entry) is not None for entry in entries) // ROWS_ON_A_PAGE))


def summary_figures(entries: Sequence[Entry], *, most: int = ROWS_ON_A_PAGE) -> list[Figure]:
    """The same in figures of at most so many claims each, a page's worth; at least one."""
    drawn = [entry for group in papers(entries).values() for entry in group if row(entry)]
    pages = [drawn[start : start + most] for start in range(0, len(drawn), most)] or [[]]
    return [_drawn(_lines(page), left_out(entries) if page is pages[-1] else "") for page in pages]


def _lines(entries: Sequence[Entry]) -> list[Row | str]:
    """Rows below the headings of their papers."""
    lines: list[Row | str] = []
    for paper, group in papers(entries).items():
        rows = [found for entry in group if (found := row(entry))]
        lines += [_short(paper, 70), *rows] if rows else []
    return lines


def _short(words: str, longest: int = LONGEST_NAME) -> str:
    clean = one_line(words)
    return clean if len(clean) <= longest else f"{clean[: longest - 1]}…"


def _drawn(lines: Sequence[Row | str], note: str) -> Figure:
    rows = [line for line in lines if isinstance(line, Row)]
    left = LETTER * max([12, *(len(one.label) for one in rows)])
    height = TOP + ROW * max(1, len(lines)) + BOTTOM
    figure, axes = sheet(left + PLOT + VALUES, height, left=left, right=VALUES, top=TOP, bottom=BOTTOM)
    low, high = _limits(rows)
    axes.set_xlim(low, high)
    axes.set_ylim(len(lines) - 0.5, -0.5) if lines else axes.set_ylim(0.5, -0.5)
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    for place, line in enumerate(lines):
        if isinstance(line, Row):
            _draw_row(axes, place, line, (low, high))
        else:
            _say(axes, -left / PLOT, place, line, weight="bold", color=INK, backgroundcolor=PAPER)
    _finish(figure, axes, rows, (low, high), note)
    return figure


def _limits(rows: Sequence[Row]) -> tuple[float, float]:
    """Decimal logarithms between which the ratios lie, no farther from 0 than FARTHEST, with room for the marks."""
    ratios = [ratio for one in rows for ratio in (one.median, one.drawn, one.hunted) if ratio is not None]
    places = [min(max(_logarithm(ratio), -FARTHEST), FARTHEST) for ratio in ratios]
    low, high = min([-1.0, *places]), max([0.3, *places])
    return low - 0.04 * (high - low), high + 0.04 * (high - low)


def _logarithm(ratio: float) -> float:
    return math.log10(ratio) if ratio > 0 else -math.inf


def _draw_row(axes: Axes, place: int, one: Row, limits: tuple[float, float]) -> None:
    """A thin line from the median to the worst, a mark for each ratio, and the words at both ends."""
    marker, colour = MARKS.get(one.verdict, OTHER)
    edge = (limits[1] - limits[0]) / 50
    ends = [ratio for ratio in (one.median, one.drawn, one.hunted) if ratio is not None]
    places = [_inside(ratio, limits, edge)[0] for ratio in ends]
    axes.plot([min(places), max(places)], [place, place], color=RULE, linewidth=1.4, zorder=2, solid_capstyle="butt")
    for ratio, mark, size, filled in (
        (one.median, "|", 6.0, True),
        (one.drawn, marker, 5.0, True),
        (one.hunted, "D", 7.0, False),
    ):
        if ratio is not None:
            at, beyond = _inside(ratio, limits, edge)
            ink = MUTED if mark == "|" else colour
            face = ink if filled else "none"
            axes.plot(
                at, place, beyond or mark, color=ink, markersize=size, markerfacecolor=face, markeredgewidth=1, zorder=3
            )
    _say(axes, -0.02, place, one.label, ha="right", color=INK)
    _say(axes, WORST_AT, place, _value(one.worst), color=MUTED)
    weight = "normal" if one.verdict in ("HOLDS", "MEASURED") else "bold"
    _say(axes, VERDICT_AT, place, one.verdict.replace("_", " ").lower(), color=colour, weight=weight)


def _value(ratio: float) -> str:
    """Four digits that never round a ratio below 1 up to it; two of what is far from 1."""
    if ratio and math.isfinite(ratio) and not 1e-3 <= ratio < 1e4:
        return f"{ratio:.1e}"
    words = f"{ratio:.4g}"
    return "> 0.9999" if words == "1" and ratio < 1 else words


def _inside(ratio: float, limits: tuple[float, float], edge: float) -> tuple[float, str]:
    """Where a ratio is drawn, and the triangle that takes its mark's place where it lies beyond the axis."""
    at = _logarithm(ratio)
    if at < limits[0]:
        return limits[0] + edge, "<"
    return (limits[1] - edge, ">") if at > limits[1] else (at, "")


def _say(axes: Axes, across: float, place: float, words: str, **looks: str) -> None:
    """Words at a part of the axes' width, level with a row; a dollar sign in them is no formula."""
    kept: dict[str, Any] = {"ha": "left", "va": "center", **looks}
    axes.text(across, place, words, transform=axes.get_yaxis_transform(), fontsize=SMALL, parse_math=False, **kept)


def _finish(figure: Figure, axes: Axes, rows: Sequence[Row], limits: tuple[float, float], note: str) -> None:
    """Axis, legend and the note below."""
    found = ticks(*limits)
    axes.set_xticks([place for place, _ in found], [words for _, words in found])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=RULE, linewidth=0.5)
    axes.set_axisbelow(True)
    name_axes(axes, "smaller side / larger side (1: attained)", "")
    for across, words in ((WORST_AT, "largest"), (VERDICT_AT, "verdict")):
        _say(axes, across, -1, words, color=MUTED, style="italic")
    seen = [(word, *mark) for word, mark in MARKS.items() if any(one.verdict == word for one in rows)]
    if any(one.verdict not in MARKS for one in rows):
        seen.append(("another verdict", *OTHER))
    handles = [_handle("|", MUTED, "median")]
    handles += [_handle(marker, colour, f"tightest drawn: {word.lower()}") for word, marker, colour in seen]
    handles += [_handle("D", MUTED, "hunted", "none"), _handle(">", MUTED, "beyond the axis")]
    looks = {"frameon": False, "fontsize": SMALL, "handletextpad": 0.1, "columnspacing": 0.9, "borderaxespad": 0.2}
    figure.legend(handles=handles, loc="upper left", ncols=3, labelcolor=INK, **looks)
    if note:
        figure.text(0.99, 4 / (figure.get_figheight() * 72), note, ha="right", va="bottom", fontsize=SMALL, color=MUTED)


def _handle(marker: str, colour: str, label: str, face: str | None = None) -> Line2D:
    return Line2D(
        [], [], linestyle="", marker=marker, color=colour, markerfacecolor=face or colour, markersize=5, label=label
    )
