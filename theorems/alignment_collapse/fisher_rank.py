"""Lemma A.7 and Theorem A.8: low-rank representations make low-rank gradients and a low-rank Fisher matrix.

Statement: for a linear layer W `[d, d]` with inputs v_1, …, v_N, error signals δ_i and gradients G_i = δ_i·v_iᵀ, the average
gradient (Lemma A.7) has rank <= r, and the empirical Fisher matrix F(S) = (1/N)·Σ vec(G_i)·vec(G_i)ᵀ (Theorem A.8) rank <= r·d.
Premises: Assumption 2: the activations W·v_i span a subspace 𝒰 of dimension r, and every δ_i lies in 𝒰. (Lemma A.7 is printed "under
Assumption 1"; Assumption 2 is meant, and is what its proof uses.)
Constants: none. vec by columns makes vec(δ·vᵀ) = v ⊗ δ, where the paper prints δ ⊗ v, which is vec by rows; the rank is the same.
Equality case: both bounds are attained. r·d with r < d needs inputs that span all of R^d while the W·v_i do not: a singular W.
Numerics: everything is a whole number: W = U·Kᵀ, δ_i = U·α_i, and N·Ḡ and N²·F(S)/N in place of Ḡ and F(S), whose ranks are the
same. Ranks are exact. The leaves' whole parts count, so that no rounding can break the premise.
Source: The Geometry of Alignment Collapse, Lemma A.7, Theorem A.8.
"""

import torch
from torch import Tensor

from boundcheck.claim import Sides, Stance, Statement, premise, theorem
from boundcheck.geometry import rank
from boundcheck.strategies import linear_layers
from boundcheck.strategies.policies import LinearLayer
from boundcheck.theorems.alignment_collapse.setting import alignment_collapse, positive


def one_less(statement: Statement) -> Statement:
    """The mutant whose bound is one lower."""
    assert isinstance(statement, Sides)
    return Sides(statement.smaller, statement.larger - 1)


def activations_span(p: LinearLayer) -> None:
    """The activations lie in the span of U's r columns; they span it where their rank is r."""
    premise("the activations span r dimensions", rank(p.activations.double()) - p.rank)


def bounded_by(found: Tensor, bound: int) -> Sides:
    """A rank against its bound; a matrix of zeros says nothing."""
    positive("a gradient that is not 0", found)
    return Sides(smaller=found, larger=torch.full_like(found, float(bound)))


@theorem(
    "AC-A7:proved",
    source=alignment_collapse("Lemma A.7"),
    stance=Stance.PROVED,
    over=linear_layers(),
    mutants={"r - 1": one_less},
    group="AC-rank",
)
def rank_of_average_gradient_le_r(p: LinearLayer) -> Sides:
    """rank(Ḡ) <= r."""
    activations_span(p)
    return bounded_by(rank(p.gradients.sum(0).double()), p.rank)


@theorem(
    "AC-A8:proved",
    source=alignment_collapse("Theorem A.8"),
    stance=Stance.PROVED,
    over=linear_layers(),
    mutants={"r d - 1": one_less},
    group="AC-rank",
)
def rank_of_fisher_le_r_times_d(p: LinearLayer) -> Sides:
    """rank(F(S)) <= r·d."""
    activations_span(p)
    flat = p.gradients.flatten(1)
    fisher = (flat.unsqueeze(-1) * flat.unsqueeze(-2)).sum(0)
    return bounded_by(rank(fisher.double()), p.rank * p.width)
