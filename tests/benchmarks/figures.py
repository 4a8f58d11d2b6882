"""The figures of the page on speed: curves of time against size, and the roofline. Drawn from a record alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from boundcheck.report.figures.style import (
    FALLS,
    FONT_SIZE,
    HOLDS,
    INK,
    MUTED,
    POINTS_PER_INCH,
    RULE,
    as_it_comes,
    name_axes,
    sheet,
)

Speed = Mapping[str, Any]
PANEL_WIDTH, PANEL_HEIGHT, COLUMNS = 230.0, 200.0, 3
ROOF_WIDTH, ROOF_HEIGHT = 560.0, 400.0


def scaling_figure(curves: Sequence[Mapping[str, Any]]) -> Figure:
    """One panel a curve: seconds against a size, both logarithmic; ours in dots, the loop in crosses."""
    columns = max(1, min(COLUMNS, len(curves)))
    rows = max(1, -(-len(curves) // columns))
    size = (columns * PANEL_WIDTH / POINTS_PER_INCH, rows * PANEL_HEIGHT / POINTS_PER_INCH)
    with as_it_comes():
        figure = Figure(figsize=size, dpi=POINTS_PER_INCH, layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).flatten()
        for axes, curve in zip(panels, curves, strict=False):
            _curve(axes, curve)
        for axes in panels[len(curves) :]:
            axes.set_visible(False)
        if curves:
            panels[0].legend(frameon=False, fontsize=FONT_SIZE - 2)
        figure.canvas.draw()
    return figure


def _curve(axes: Axes, curve: Mapping[str, Any]) -> None:
    points = curve["points"]
    looped = [point for point in points if point["loop"] is not None]
    axes.loglog([p["at"] for p in points], [p["ours"] for p in points], "o-", color=HOLDS, label="ours", markersize=4)
    axes.loglog([p["at"] for p in looped], [p["loop"] for p in looped], "x--", color=FALLS, label="loop", markersize=5)
    axes.set_title(curve["key"], fontsize=FONT_SIZE, color=INK)
    axes.set_xticks([p["at"] for p in points], [f"{p['at']:,}" for p in points])
    axes.minorticks_off()
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=FONT_SIZE - 2, length=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    name_axes(axes, curve["symbol"], "seconds")


def roofline_figure(speed: Speed) -> Figure:
    """Operations a second against operations a byte, under the ceilings of one thread and of two."""
    points = speed["roofline"]
    with as_it_comes():
        figure, axes = sheet(ROOF_WIDTH, ROOF_HEIGHT, left=64, right=150, top=16, bottom=50)
        axes.set_xscale("log")
        axes.set_yscale("log")
        intensities = [point["intensity"] for point in points] or [1.0]
        low, high = min([*intensities, 0.1]) / 2, max([*intensities, 10.0]) * 4
        for ceiling in speed["ceilings"]:
            _roof(axes, ceiling, low, high)
        for point in points:
            axes.plot(point["intensity"], point["flops_per_second"] / 1e9, "o", color=HOLDS, markersize=5)
        _labels(axes, points)
        axes.grid(color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlim(low, high)
        if speed["ceilings"]:
            axes.legend(frameon=False, loc="lower right", fontsize=FONT_SIZE - 1)
        name_axes(axes, "floating-point operations a byte of operators' input and output", "GFLOP/s")
        figure.canvas.draw()
    return figure


def _roof(axes: Axes, ceiling: Mapping[str, float], low: float, high: float) -> None:
    flops, rate = ceiling["flops_per_second"] / 1e9, ceiling["bytes_per_second"] / 1e9
    ridge = flops / rate
    words = (
        f"{ceiling['threads']:g} thread{'s' if ceiling['threads'] > 1 else ''}: {flops:.0f} GFLOP/s, {rate:.0f} GB/s"
    )
    style = "-" if ceiling["threads"] == 1 else "--"
    axes.plot([low, ridge, high], [low * rate, flops, flops], style, color=MUTED, linewidth=1, label=words)


def _labels(axes: Axes, points: Sequence[Mapping[str, Any]]) -> None:
    """Names at the right, in the points' order from top to bottom, so that none covers another."""
    ordered = sorted(points, key=lambda point: -point["flops_per_second"])
    for place, point in enumerate(ordered):
        axes.annotate(
            point["key"],
            (point["intensity"], point["flops_per_second"] / 1e9),
            xytext=(1.03, 0.97 - 0.08 * place),
            textcoords="axes fraction",
            fontsize=FONT_SIZE - 1,
            color=INK,
            verticalalignment="center",
            arrowprops={"arrowstyle": "-", "color": RULE, "linewidth": 0.8},
        )
