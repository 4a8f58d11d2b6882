"""Springer et al.: The Geometry of Alignment Collapse. Importing this registers all its claims."""

from boundcheck.theorems.alignment_collapse import (
    ablations,
    davis_kahan,
    fisher_rank,
    kl_geometry,
    neural_policies,
    quartic_corollary,
    subspace_rotation,
    theorem_4_1,
    theorem_6_1,
    theorem_6_2,
)

__all__ = [
    "ablations",
    "davis_kahan",
    "fisher_rank",
    "kl_geometry",
    "neural_policies",
    "quartic_corollary",
    "subspace_rotation",
    "theorem_4_1",
    "theorem_6_1",
    "theorem_6_2",
]
