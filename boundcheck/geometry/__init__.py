"""Model families, their Jacobians and smoothness, tangent-space overlap, policies and their Fisher information. Torch only."""

from boundcheck.geometry.activations import softplus
from boundcheck.geometry.condition import (
    InstabilityCondition,
    curvature_coupling,
    instability_condition,
    output_acceleration,
)
from boundcheck.geometry.eigenspaces import Eigenspace, FisherSpectrum
from boundcheck.geometry.family import Family, GeneralQuadratic, Linear, Quadratic, TwoLayer
from boundcheck.geometry.fisher import Fisher, fisher_information
from boundcheck.geometry.hermite import hermite_kurtosis
from boundcheck.geometry.jacobian import per_sample_jacobian
from boundcheck.geometry.jets import Jet
from boundcheck.geometry.lanes import TangentOverlaps, family_overlaps, tangent_overlaps
from boundcheck.geometry.leading_spectrum import LeadingSpectrum
from boundcheck.geometry.networks import Attention, BothLayers, ReluLayer
from boundcheck.geometry.overlap import overlap, project, row_space, singular_values, tangent_kernel
from boundcheck.geometry.policies import Bernoulli, Gaussian, Policy, Softmax
from boundcheck.geometry.polynomials import Polynomial
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
from boundcheck.geometry.tails import binomial_logs, cantelli, surprise
from boundcheck.geometry.tangent import TangentOverlap, tangent_overlap
from boundcheck.geometry.tilting import divergence, exponential_remainder, spread
from boundcheck.geometry.whitened import BernoulliPolicy, GaussianPolicy, HadamardPolicy, WhitenedPolicy

__all__ = [
    "Attention",
    "Bernoulli",
    "BernoulliPolicy",
    "BothLayers",
    "Eigenspace",
    "Family",
    "Fisher",
    "FisherSpectrum",
    "Gaussian",
    "GaussianPolicy",
    "GeneralQuadratic",
    "HadamardPolicy",
    "InstabilityCondition",
    "Jet",
    "LeadingSpectrum",
    "Linear",
    "Policy",
    "Polynomial",
    "Quadratic",
    "ReluLayer",
    "Softmax",
    "TangentOverlap",
    "TangentOverlaps",
    "TwoLayer",
    "WhitenedPolicy",
    "binomial_logs",
    "cantelli",
    "curvature_coupling",
    "divergence",
    "eigenvalues",
    "exponential_remainder",
    "family_overlaps",
    "fisher_information",
    "free_of_unit",
    "hermite_kurtosis",
    "instability_condition",
    "largest_eigenvalue",
    "largest_singular_value",
    "matrix_exponential",
    "output_acceleration",
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
    "spread",
    "surprise",
    "symmetric",
    "tangent_kernel",
    "tangent_overlap",
    "tangent_overlaps",
    "unit_vector",
]
