"""Computed error bounds: a claim's ATen graph re-interpreted in midpoint-radius float64."""

from boundcheck.rigor import linear_algebra  # registers its rules
from boundcheck.rigor.enclosure import Enclosure
from boundcheck.rigor.rules import rule, vocabulary
from boundcheck.rigor.tracing import Traced, trace

__all__ = ["Enclosure", "Traced", "linear_algebra", "rule", "trace", "vocabulary"]
