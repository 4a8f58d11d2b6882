"""Colours, sizes and the empty sheet that all figures share.

A figure is drawn with these colours; as it stands it suits white paper. In a page each colour becomes the CSS variable of the
same name (`variable`), so that the page's light and dark theme reach into the figures.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#1c2024"
MUTED = "#5b6470"
RULE = "#cfd5dc"
PAPER = "#fefefe"
HOLDS = "#1f62a5"
"""Blue: what holds."""
FALLS = "#b3431a"
"""Vermilion, told from the blue by every kind of colour vision: what breaks a claim."""
OPEN = "#7a5b00"
INFORMS = "#5f4b8b"

COLOURS = {
    "ink": INK,
    "muted": MUTED,
    "rule": RULE,
    "paper": PAPER,
    "holds": HOLDS,
    "falls": FALLS,
    "open": OPEN,
    "informs": INFORMS,
}

POINTS_PER_INCH = 72
FONT_SIZE = 11.0
"""In points of the drawing, which a page shows at no less than their size in pixels."""


def variable(name: str) -> str:
    """The CSS variable that stands for one of COLOURS in a page."""
    return f"var(--fig-{name})"


@contextmanager
def as_it_comes() -> Iterator[None]:
    """matplotlib with its own defaults, whatever the user's matplotlibrc says: the same run gives the same figures everywhere."""
    with matplotlib.style.context("default"):
        yield


def sheet(width: float, height: float, *, left: float, right: float, top: float, bottom: float) -> tuple[Figure, Axes]:
    """A figure with one set of axes; all lengths in points, the margins fixed so that the same numbers give the same bytes."""
    figure = Figure(figsize=(width / POINTS_PER_INCH, height / POINTS_PER_INCH), dpi=POINTS_PER_INCH)
    figure.patch.set_visible(False)
    place = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    axes = figure.add_axes(place)
    axes.patch.set_visible(False)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=FONT_SIZE, length=3, width=0.8)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(MUTED)
        spine.set_linewidth(0.8)
    return figure, axes


def name_axes(axes: Axes, across: str, up: str) -> None:
    """The words at both axes."""
    axes.set_xlabel(across, fontsize=FONT_SIZE, color=INK, labelpad=4)
    axes.set_ylabel(up, fontsize=FONT_SIZE, color=INK, labelpad=4)
