"""What changed from one run to another, from their records alone."""

from boundcheck.report.compare.changes import Change, Kind
from boundcheck.report.compare.figures import figures, light
from boundcheck.report.compare.limits import RULES, Limits
from boundcheck.report.compare.page import FORMATS, page
from boundcheck.report.compare.regressions import Regression, regressions
from boundcheck.report.compare.runs import Comparison, compare

__all__ = [
    "FORMATS",
    "RULES",
    "Change",
    "Comparison",
    "Kind",
    "Limits",
    "Regression",
    "compare",
    "figures",
    "light",
    "page",
    "regressions",
]
