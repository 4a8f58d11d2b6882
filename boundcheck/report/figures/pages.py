"""Figures as files: SVG for a page on the web, PDF of several pages for a document. The same figure gives the same bytes."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from boundcheck.report.figures.style import PAPER

_SVG: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "boundcheck"}
_PDF: dict[Any, Any] = {"pdf.fonttype": 42}


def svg(figure: Figure) -> bytes:
    """The figure on white paper, so that it is seen on any page."""
    page = io.BytesIO()
    with matplotlib.rc_context(_SVG):
        figure.savefig(page, format="svg", metadata={"Date": None, "Creator": None}, facecolor=PAPER)
    return page.getvalue()


def pdf(figures: Sequence[Figure]) -> bytes:
    """One page a figure."""
    page = io.BytesIO()
    with (
        matplotlib.rc_context(_PDF),
        PdfPages(page, metadata={"CreationDate": None, "Producer": None, "Creator": None}) as book,
    ):
        for figure in figures:
            book.savefig(figure)
    return page.getvalue()
