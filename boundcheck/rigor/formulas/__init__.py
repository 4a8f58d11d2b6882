"""Operators written out in those that have an error rule, so that neither enclosures nor proofs need to know them.

Each formula is plain torch and holds exactly, for real numbers: where one needs π or √2, it is computed (`numbers`) and never
written as a rounded double.
"""

from boundcheck.rigor.formulas import activations, functions, losses, matrices, numbers, reductions

__all__ = ["activations", "functions", "losses", "matrices", "numbers", "reductions"]
