"""The figures of one claim, each with the numbers behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from boundcheck.report.figures.histogram import bins, histogram_figure
from boundcheck.report.figures.scatter import positive, scatter_figure
from boundcheck.report.figures.summary import row, summary_figure
from boundcheck.report.figures.svg import inline_svg
from boundcheck.report.html.numbers import counted
from boundcheck.report.html.text import visible


@dataclass(frozen=True)
class Picture:
    """One figure.

    Attributes:
        heading: in a few words. svg: the drawing. caption: how to read it.
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


def overall(entries: Sequence[Mapping[str, Any]]) -> Markup:
    """The tightness of all claims in one figure; empty where none has a ratio."""
    if all(row(entry) is None for entry in entries):
        return Markup()
    title = f"Smaller side / larger side of {counted(len(entries), 'claim')}: median, tightest drawn, hunted"
    return Markup(inline_svg(summary_figure(entries), prefix="tightness-of-all", title=title))


def _scatter(entry: Mapping[str, Any], anchor: str) -> list[Picture]:
    points = entry["scatter"]
    drawn = positive(points)
    if not drawn:
        return []
    identity = entry["kind"] == "identity"
    names = ("left side", "right side") if identity else ("smaller side", "larger side")
    broken = not identity and entry["violated"] + entry["violated_uncertified"] > 0
    figure = scatter_figure(drawn, names=names, broken=broken)
    title = f"{entry['id']}:{entry['form']}: {names[0]} against {names[1]} of {counted(len(drawn), 'instance')}, with the line of equality"
    svg = inline_svg(figure, prefix=f"{anchor}-sides", title=str(visible(title)))
    caption = counted(len(drawn), "instance") + "."
    caption += " On the line both sides are equal" + ("." if identity else "; the claim says that points lie above it.")
    below = sum(smaller > larger for smaller, larger in drawn)
    if broken and below:
        caption += f" Crosses, below the line: {below} that break it."
    if len(drawn) < len(points):
        caption += (
            f" {counted(len(points) - len(drawn), 'instance')} with a side of 0 or less cannot stand on these axes."
        )
    rows = [[str(place), *(repr(float(side)) for side in point)] for place, point in enumerate(points, 1)]
    return [Picture("Both sides", Markup(svg), caption, ["instance", *names], rows, 0)]


def _histogram(entry: Mapping[str, Any], anchor: str) -> list[Picture]:
    histogram = entry["tightness"]["histogram"]
    if histogram is None:
        return []
    most = entry["tightness"]["max"]
    rows = bins(histogram["edges"], histogram["counts"], most)
    if not rows:
        return []
    broken = entry["violated"] + entry["violated_uncertified"] > 0
    total = sum(count for _, _, count in rows)
    title = f"{entry['id']}:{entry['form']}: smaller side / larger side of {counted(total, 'instance')}, as a histogram"
    figure = histogram_figure(rows, broken=broken)
    svg = inline_svg(figure, prefix=f"{anchor}-tightness", title=str(visible(title)))
    caption = f"Smaller side / larger side of {counted(total, 'instance')}; 1 is equality. Bins are drawn at one width."
    data = [[words, f"{count:,}"] for _, words, count in rows]
    return [Picture("Tightness", Markup(svg), caption, ["ratio", "instances"], data, 1)]
