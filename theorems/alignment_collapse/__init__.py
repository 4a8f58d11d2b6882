"""Springer et al.: The Geometry of Alignment Collapse. Importing this registers all its claims."""

from boundcheck.theorems.alignment_collapse import davis_kahan, fisher_rank, kl_geometry, theorem_4_1

__all__ = ["davis_kahan", "fisher_rank", "kl_geometry", "theorem_4_1"]
