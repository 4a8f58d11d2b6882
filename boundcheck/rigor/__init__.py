"""Computed error bounds: a claim's ATen graph re-interpreted in midpoint-radius float64."""

from boundcheck.rigor import (  # register their rules
    arithmetic,
    decisions,
    functions,
    linear_algebra,
    reductions,
    shapes,
)
from boundcheck.rigor.enclosure import Enclosure
from boundcheck.rigor.registry import rule, vocabulary
from boundcheck.rigor.tracing import Traced, trace

__all__ = [
    "Enclosure",
    "Traced",
    "arithmetic",
    "decisions",
    "functions",
    "linear_algebra",
    "reductions",
    "rule",
    "shapes",
    "trace",
    "vocabulary",
]
