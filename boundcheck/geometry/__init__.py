"""Model families, their Jacobians and smoothness, and tangent-space overlap. Torch only."""

from boundcheck.geometry.family import Family, GeneralQuadratic, Linear, Quadratic, TwoLayer, softplus
from boundcheck.geometry.jacobian import TangentOverlap, per_sample_jacobian, tangent_overlap
from boundcheck.geometry.lanes import TangentOverlaps, family_overlaps, tangent_overlaps
from boundcheck.geometry.overlap import overlap, project, row_space, singular_values, tangent_kernel
from boundcheck.geometry.spectrum import (
    eigenvalues,
    largest_eigenvalue,
    largest_singular_value,
    matrix_exponential,
    project_onto_rows,
    rank,
    smallest_eigenvalue,
    smallest_singular_value,
    solve,
)

__all__ = [
    "Family",
    "GeneralQuadratic",
    "Linear",
    "Quadratic",
    "TangentOverlap",
    "TangentOverlaps",
    "TwoLayer",
    "eigenvalues",
    "family_overlaps",
    "largest_eigenvalue",
    "largest_singular_value",
    "matrix_exponential",
    "overlap",
    "per_sample_jacobian",
    "project",
    "project_onto_rows",
    "rank",
    "row_space",
    "singular_values",
    "smallest_eigenvalue",
    "smallest_singular_value",
    "softplus",
    "solve",
    "tangent_kernel",
    "tangent_overlap",
    "tangent_overlaps",
]
