"""Awasthi, Gupta, Kumar, Vijayaraghavan: Local Edits, Global Spillover. Importing this registers all its claims."""

from boundcheck.theorems.local_edits import (
    ablations,
    definition_4,
    gradient_of_loss,
    hermite_overlap,
    lemma_6,
    lemma_8,
    linear_regression,
    linear_setting,
    networks,
    output_scale,
    polynomial_regression,
    relu_kinks,
    shorter_path,
    theorem_1,
    theorem_7,
)
from boundcheck.theorems.local_edits.experiments import digits

__all__ = [
    "ablations",
    "definition_4",
    "digits",
    "gradient_of_loss",
    "hermite_overlap",
    "lemma_6",
    "lemma_8",
    "linear_regression",
    "linear_setting",
    "networks",
    "output_scale",
    "polynomial_regression",
    "relu_kinks",
    "shorter_path",
    "theorem_1",
    "theorem_7",
]
