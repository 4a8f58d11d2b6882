"""What changed from one run to another, from their records alone."""

from boundcheck.report.compare.changes import Change, Kind
from boundcheck.report.compare.figures import Figures, figures, light
from boundcheck.report.compare.limits import Limits
from boundcheck.report.compare.moves import number
from boundcheck.report.compare.page import FORMATS, page
from boundcheck.report.compare.regressions import Regression, regressions
from boundcheck.report.compare.runs import Comparison, compare

__all__ = [
    "FORMATS",
    "Change",
    "Comparison",
    "Figures",
    "Kind",
    "Limits",
    "Regression",
    "compare",
    "figures",
    "light",
    "number",
    "page",
    "regressions",
]
