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
from boundcheck.geometry.structure import free_of_unit, rotation, symmetric, unit_vector
from boundcheck.geometry.whitened import (
    BernoulliPolicy,
    GaussianPolicy,
    HadamardPolicy,
    WhitenedPolicy,
    exponential_remainder,
)

__all__ = [
    "BernoulliPolicy",
    "Family",
    "GaussianPolicy",
    "GeneralQuadratic",
    "HadamardPolicy",
    "Linear",
    "Quadratic",
    "TangentOverlap",
    "TangentOverlaps",
    "TwoLayer",
    "WhitenedPolicy",
    "eigenvalues",
    "exponential_remainder",
    "family_overlaps",
    "free_of_unit",
    "largest_eigenvalue",
    "largest_singular_value",
    "matrix_exponential",
    "overlap",
    "per_sample_jacobian",
    "project",
    "project_onto_rows",
    "rank",
    "rotation",
    "row_space",
    "singular_values",
    "smallest_eigenvalue",
    "smallest_singular_value",
    "softplus",
    "solve",
    "symmetric",
    "tangent_kernel",
    "tangent_overlap",
    "tangent_overlaps",
    "unit_vector",
]
