"""Awasthi, Gupta, Kumar, Vijayaraghavan: Local Edits, Global Spillover. Importing this registers all its claims."""

from boundcheck.theorems.local_edits import (
    ablations,
    definition_4,
    lemma_6,
    lemma_8,
    linear_regression,
    linear_setting,
    networks,
    shorter_path,
    theorem_7,
)
from boundcheck.theorems.local_edits.experiments import digits

__all__ = [
    "ablations",
    "definition_4",
    "digits",
    "lemma_6",
    "lemma_8",
    "linear_regression",
    "linear_setting",
    "networks",
    "shorter_path",
    "theorem_7",
]
