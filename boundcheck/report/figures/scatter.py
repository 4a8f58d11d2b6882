"""Both sides of a claim against each other, on logarithmic axes, with the line on which they are equal."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from boundcheck.report.figures.decades import span, ticks
from boundcheck.report.figures.style import FALLS, FONT_SIZE, HOLDS, MUTED, name_axes, sheet

WIDTH, HEIGHT = 320.0, 300.0
Point = Sequence[float]


def positive(points: Sequence[Point]) -> list[Point]:
    """The points that have a place on logarithmic axes: both sides finite and above 0."""
    return [point for point in points if all(math.isfinite(side) and side > 0 for side in point)]


def scatter_figure(points: Sequence[Point], *, names: tuple[str, str], broken: bool) -> Figure:
    """Smaller side across, larger side up, equal scales, and the line of equality: the claim says that points lie above it.

    Args:
        points: [smaller, larger] each; only those that are `positive` are drawn.
        names: of the two sides.
        broken: draw points below the line as crosses, in the colour of what falls. Where nothing broke the claim a point can
            still lie below by the last bits of both sides, which were decided with more digits than these.

    """
    figure, axes = sheet(WIDTH, HEIGHT, left=58, right=12, top=10, bottom=46)
    drawn = [(math.log10(smaller), math.log10(larger)) for smaller, larger in positive(points)]
    low, high = span([side for point in drawn for side in point] or [0.0])
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.plot([low, high], [low, high], color=MUTED, linewidth=1, zorder=1)
    corner = low + 0.05 * (high - low)
    axes.annotate(
        "equal",
        (corner, corner),
        rotation=44,
        rotation_mode="anchor",
        verticalalignment="top",
        fontsize=FONT_SIZE - 1,
        color=MUTED,
    )
    below = [point for point in drawn if broken and point[0] > point[1]]
    above = [point for point in drawn if not (broken and point[0] > point[1])]
    axes.plot(*_columns(above), "o", color=HOLDS, markersize=4.2, markeredgewidth=0, alpha=0.75, zorder=2)
    axes.plot(*_columns(below), "x", color=FALLS, markersize=5, markeredgewidth=1.3, zorder=3)
    _mark(axes.set_xticks, low, high)
    _mark(axes.set_yticks, low, high)
    name_axes(axes, *names)
    return figure


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _mark(set_ticks: object, low: float, high: float) -> None:
    found = ticks(low, high)
    set_ticks([place for place, _ in found], [words for _, words in found])  # type: ignore[operator]
