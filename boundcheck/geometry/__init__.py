"""Model families, their Jacobians and smoothness, and tangent-space overlap. Torch only."""

from boundcheck.geometry.family import Family, Linear, Quadratic, TwoLayer, softplus
from boundcheck.geometry.overlap import overlap, project, row_space, singular_values, tangent_kernel

__all__ = [
    "Family",
    "Linear",
    "Quadratic",
    "TwoLayer",
    "overlap",
    "project",
    "row_space",
    "singular_values",
    "softplus",
    "tangent_kernel",
]
