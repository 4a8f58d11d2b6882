"""Computed error bounds: a claim's ATen graph re-interpreted in midpoint-radius float64."""

from boundcheck.rigor import (  # register their rules
    arithmetic,
    decisions,
    decompositions,
    functions,
    linear_algebra,
    matrix_functions,
    reductions,
    shapes,
)
from boundcheck.rigor.decompositions import DECOMPOSITIONS
from boundcheck.rigor.enclosure import Enclosure
from boundcheck.rigor.registry import rule, vocabulary
from boundcheck.rigor.tracing import Traced, trace

__all__ = [
    "DECOMPOSITIONS",
    "Enclosure",
    "Traced",
    "arithmetic",
    "decisions",
    "decompositions",
    "functions",
    "linear_algebra",
    "matrix_functions",
    "reductions",
    "rule",
    "shapes",
    "trace",
    "vocabulary",
]
