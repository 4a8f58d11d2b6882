"""Model families, their Jacobians and smoothness, and tangent-space overlap. Torch only."""

from boundcheck.geometry.family import Family, GeneralQuadratic, Linear, Quadratic, TwoLayer, softplus
from boundcheck.geometry.jacobian import TangentOverlap, per_sample_jacobian, tangent_overlap
from boundcheck.geometry.lanes import TangentOverlaps, family_overlaps, tangent_overlaps
from boundcheck.geometry.overlap import overlap, project, row_space, singular_values, tangent_kernel

__all__ = [
    "Family",
    "GeneralQuadratic",
    "Linear",
    "Quadratic",
    "TangentOverlap",
    "TangentOverlaps",
    "TwoLayer",
    "family_overlaps",
    "overlap",
    "per_sample_jacobian",
    "project",
    "row_space",
    "singular_values",
    "softplus",
    "tangent_kernel",
    "tangent_overlap",
    "tangent_overlaps",
]
