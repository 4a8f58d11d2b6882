"""ATen graphs of one instance lowered to programs that can be proved: in balls, in rationals, in intervals."""

from boundcheck.rigor.lowering import elementwise, linear_algebra, moves, reductions  # register their lowerings
from boundcheck.rigor.lowering.build import Builder, Value, lower, lowers, vocabulary

__all__ = [
    "Builder",
    "Value",
    "elementwise",
    "linear_algebra",
    "lower",
    "lowers",
    "moves",
    "reductions",
    "vocabulary",
]
