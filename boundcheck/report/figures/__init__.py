"""Figures of a report: drawn by matplotlib without pyplot, and set into a page as accessible SVG."""

from boundcheck.report.figures.histogram import histogram_figure
from boundcheck.report.figures.scatter import positive, scatter_figure
from boundcheck.report.figures.style import as_it_comes
from boundcheck.report.figures.svg import inline_svg

__all__ = ["as_it_comes", "histogram_figure", "inline_svg", "positive", "scatter_figure"]
