"""Lemma A.7 and Theorem A.8: low-rank representations make low-rank gradients and a low-rank Fisher matrix.

Statement: for a linear layer W `[d, d]` with inputs v_1, …, v_N, error signals δ_i and gradients G_i = δ_i·v_iᵀ, the
average gradient (Lemma A.7) has rank <= r, and the empirical Fisher matrix F(S) = (1/N)·Σ vec(G_i)·vec(G_i)ᵀ (Theorem
A.8) rank <= r·d.
Premises: Assumption 2: the activations W·v_i span a subspace 𝒰 of dimension r, and every δ_i lies in 𝒰. (Lemma A.7 is
printed "under Assumption 1"; Assumption 2 is meant, and is what its proof uses.)
Constants: none. vec by columns makes vec(δ·vᵀ) = v ⊗ δ, where the paper prints δ ⊗ v, which is vec by rows; the rank is
the same.
Equality case: both bounds are attained. r·d with r < d needs inputs that span all of R^d while the W·v_i do not: a
singular W.
Numerics: everything is a whole number: W = U·Kᵀ and δ_i = U·α_i. N·Ḡ stands for Ḡ, and the matrix whose rows are the
vec(G_i) for F(S), which is its Gram matrix divided by N: the ranks are the same. Each computed product is rounded to
its nearest whole number by counting, which leaves it without error, so that ranks are exact. Floats can show a rank to
be small only by rows or columns that are 0 or repeated; elsewhere exact arithmetic decides.
Source: The Geometry of Alignment Collapse, Lemma A.7, Theorem A.8.
"""

import torch
from torch import Tensor

from boundcheck.claim import Sides, Stance, Statement, premise, theorem
from boundcheck.geometry import rank
from boundcheck.strategies import linear_layers
from boundcheck.strategies.layers import LinearLayer, nearest
from boundcheck.theorems.alignment_collapse.setting import alignment_collapse


def one_less(statement: Statement) -> Statement:
    """The mutant whose bound is one lower."""
    assert isinstance(statement, Sides)
    return Sides(statement.smaller, statement.larger - 1)


MOST = 64
"""The largest entry of a gradient that is looked at; a sum over N of them is at most N times that."""


def gradients(p: LinearLayer) -> Tensor:
    """G_i `[N, d, d]`, exact; the premises: Assumption 2, and entries small enough to be counted.

    The activations U·Kᵀ·v_i lie in the span of U's r columns; they span r dimensions where both U and the Kᵀ·v_i do.
    """
    premise("the activations span r dimensions", torch.minimum(rank(nearest(p.basis)), rank(p.inside)) - p.rank)
    premise("the numbers are small", 3 - torch.cat([leaf.abs().flatten() for leaf in p.leaves().values()]).amax())
    premise("the gradients are small", MOST - p.products.abs().amax())
    return nearest(p.products, MOST)


def bounded_by(matrix: Tensor, bound: int) -> Sides:
    """The rank of a whole matrix against its bound; a matrix of zeros says nothing."""
    premise("a gradient that is not 0", matrix.abs().amax() - 1)
    found = rank(matrix)
    return Sides(smaller=found, larger=torch.full_like(found, float(bound)))


@theorem(
    "AC-A7:proved",
    source=alignment_collapse("Lemma A.7"),
    stance=Stance.PROVED,
    over=linear_layers(),
    mutants={"r - 1": one_less},
    equality_at=lambda p: p.inputs.shape[-2] >= p.rank,
    group="AC-rank",
)
def rank_of_average_gradient_le_r(p: LinearLayer) -> Sides:
    """rank(Ḡ) <= r."""
    total = gradients(p).sum(0)
    return bounded_by(nearest(total, MOST * p.inputs.shape[-2]), p.rank)


@theorem(
    "AC-A8:proved",
    source=alignment_collapse("Theorem A.8"),
    stance=Stance.PROVED,
    over=linear_layers(),
    mutants={"r d - 1": one_less},
    equality_at=lambda p: p.inputs.shape[-2] >= p.rank * p.width,
    group="AC-rank",
)
def rank_of_fisher_le_r_times_d(p: LinearLayer) -> Sides:
    """rank(F(S)) <= r·d."""
    return bounded_by(gradients(p).flatten(1), p.rank * p.width)
