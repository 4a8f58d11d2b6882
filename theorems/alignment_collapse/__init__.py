"""Springer et al.: The Geometry of Alignment Collapse. Importing this registers all its claims."""

from boundcheck.theorems.alignment_collapse import quartic_corollary, subspace_rotation, theorem_6_1, theorem_6_2

__all__ = ["quartic_corollary", "subspace_rotation", "theorem_6_1", "theorem_6_2"]
