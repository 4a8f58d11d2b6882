"""The figures of one claim, each with the numbers behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from markupsafe import Markup

from boundcheck.report.figures.histogram import bins, histogram_figure
from boundcheck.report.figures.scatter import positive, scatter_figure
from boundcheck.report.figures.summary import row, summary_figures
from boundcheck.report.figures.svg import inline_svg
from boundcheck.report.html.numbers import counted
from boundcheck.report.html.text import visible

ABOVE = "; the claim says that points lie above it."
MOST_IN_ONE = 30
"""So many rows at most has a summary figure that stands alone."""


@dataclass(frozen=True)
class Picture:
    """One figure.

    Attributes:
        heading: in a few words. svg: the drawing, empty where nothing of it can be drawn. caption: how to read it.
        headers, rows: the data behind it; the first `words` columns hold words, the others numbers.

    """

    heading: str
    svg: Markup
    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int


def pictures(entry: Mapping[str, Any], anchor: str) -> list[Picture]:
    """What can be drawn of a claim: both sides, and the histogram of its tightness."""
    return [*_scatter(entry, anchor), *_histogram(entry, anchor)]


def overall(entries: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """The tightness of all claims: one figure, two beside each other where they are many, none where no claim has a ratio."""
    drawn = sum(row(entry) is not None for entry in entries)
    if not drawn:
        return []
    figures = summary_figures(entries, most=drawn if drawn <= MOST_IN_ONE else -(-drawn // 2))
    title = f"Smaller side / larger side of {counted(drawn, 'claim')}: median, tightest drawn, hunted"
    part = (f", part {place} of {len(figures)}" if len(figures) > 1 else "" for place in count(1))
    return [
        Markup(inline_svg(figure, prefix=f"tightness-of-all-{place}", title=title + words))
        for place, figure, words in zip(count(1), figures, part, strict=False)
    ]


def _scatter(entry: Mapping[str, Any], anchor: str) -> list[Picture]:
    points = entry["scatter"]
    if not points:
        return []
    drawn = positive(points)
    identity = entry["kind"] == "identity"
    names = ("left side", "right side") if identity else ("smaller side", "larger side")
    broken = not identity and entry["violated"] + entry["violated_uncertified"] > 0
    svg = Markup()
    caption = []
    if drawn:
        shown = f"{names[0]} against {names[1]} of {counted(len(drawn), 'instance')}"
        title = f"{entry['id']}:{entry['form']}: {shown}, with the line of equality"
        figure = scatter_figure(drawn, names=names, broken=broken)
        svg = Markup(inline_svg(figure, prefix=f"{anchor}-sides", title=str(visible(title))))
        caption += [
            f"{counted(len(drawn), 'instance')}.",
            "On the line both sides are equal" + ("." if identity else ABOVE),
        ]
    below = sum(smaller > larger for smaller, larger in drawn)
    if broken and below:
        caption.append(f"Crosses, below the line: {below} that break it.")
    if len(drawn) < len(points):
        missing = counted(len(points) - len(drawn), "instance")
        caption.append(f"{missing} with a side of 0 or less cannot stand on logarithmic axes.")
    rows = [[str(place), *(repr(float(side)) for side in point)] for place, point in enumerate(points, 1)]
    return [Picture("Both sides", svg, " ".join(caption), ["instance", *names], rows, 0)]


def _histogram(entry: Mapping[str, Any], anchor: str) -> list[Picture]:
    histogram = entry["tightness"]["histogram"]
    if histogram is None:
        return []
    most = entry["tightness"]["max"]
    rows = bins(histogram["edges"], histogram["counts"], most)
    if not rows:
        return []
    broken = entry["violated"] + entry["violated_uncertified"] > 0
    total = sum(number for _, _, number in rows)
    title = f"{entry['id']}:{entry['form']}: smaller side / larger side of {counted(total, 'instance')}, as a histogram"
    figure = histogram_figure(rows, broken=broken)
    svg = inline_svg(figure, prefix=f"{anchor}-tightness", title=str(visible(title)))
    caption = f"Smaller side / larger side of {counted(total, 'instance')}; 1 is equality. Bins are drawn at one width."
    data = [[words, f"{number:,}"] for _, words, number in rows]
    return [Picture("Tightness", Markup(svg), caption, ["ratio", "instances"], data, 1)]
