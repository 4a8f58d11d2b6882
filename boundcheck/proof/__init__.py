"""Proofs: a claim of one instance as a program, run in Arb balls, exact rationals and intervals. Nothing here imports torch."""
