"""Definition 4, tangent-space overlap.

Statement: γ_ov² = λ_mk(B_Sᵀ·K_eval·B_S) is the least Rayleigh quotient of K_eval over the tangent space; hence (Cauchy
interlacing) λ_n(K) <= γ_ov² <= λ_mk(K), and γ_ov does not increase when a sample joins S.
Premises: J_S has full row rank.
Equality case: with one row, γ_ov² is the Rayleigh quotient of that row.
Numerics: γ_ov is the smallest singular value of J_eval·B_S/√N, not a root of an eigenvalue of BᵀKB. The n×n matrix Π·K·Π would
be a trap: n - mk of its eigenvalues are 0. A kernel of rank below mk has no overlap: then both sides of the upper bound are 0,
which no instance counts as evidence.
Source: Local Edits, Definition 4 and (3).
"""

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.claim import Sides, Stance, premise, scaled, theorem
from boundcheck.dynamics import Setup
from boundcheck.geometry import overlap, row_space, singular_values
from boundcheck.strategies import linear_models, setups
from boundcheck.theorems.local_edits.setting import full_tangent_space, local_edits, one_direction, positive

SOURCE = local_edits("Definition 4", "(3)")


def kernel_eigenvalue(p: Setup, index: int) -> Tensor:
    """λ_index(K_eval), counted from 1: 0 beyond the rank that N·k rows can have."""
    values = singular_values(p.jacobian_eval)
    return values[index - 1].square() if index <= values.shape[-1] else torch.zeros_like(values[0])


@theorem(
    "LE-def4:lower",
    source=SOURCE,
    stance=Stance.PROVED,
    over=st.one_of(setups(), setups(family=linear_models(max_inputs=2))),  # near mk = n the bound is sharp
    mutants={"doubled": scaled("1/2")},
    group="LE-setup",
    equality_at=full_tangent_space,
)
def overlap_sq_ge_least_eigenvalue(p: Setup) -> Sides:
    """λ_n(K_eval) <= γ_ov²."""
    least = kernel_eigenvalue(p, p.family.parameters)
    positive("J_S has full row rank", p.sigma_min)
    positive("K_eval is regular", least)
    return Sides(smaller=least, larger=p.overlap.square())


@theorem(
    "LE-def4:upper",
    source=SOURCE,
    stance=Stance.PROVED,
    over=setups(),
    mutants={"halved": scaled("1/2")},
    group="LE-setup",
    equality_at=full_tangent_space,
)
def overlap_sq_le_mk_th_eigenvalue(p: Setup) -> Sides:
    """γ_ov² <= λ_mk(K_eval)."""
    positive("J_S has full row rank", p.sigma_min)
    return Sides(smaller=p.overlap.square(), larger=kernel_eigenvalue(p, p.jacobian.shape[-2]))


@theorem(
    "LE-def4:monotone",
    source=SOURCE,
    stance=Stance.PROVED,
    over=setups(),
    mutants={"halved": scaled("1/2")},
    group="LE-setup",
)
def overlap_le_overlap_of_fewer_samples(p: Setup) -> Sides:
    """γ_ov of S is at most γ_ov of S without its last sample."""
    rows = p.jacobian.shape[-2] - p.family.outputs_count
    premise("at least two samples", torch.full_like(p.alpha, float(rows - 1)))
    positive("J_S has full row rank", p.sigma_min)
    fewer = overlap(p.jacobian_eval, row_space(p.jacobian[: max(rows, 1)]))
    return Sides(smaller=p.overlap, larger=fewer)


@theorem(
    "LE-def4:rayleigh",
    source=SOURCE,
    stance=Stance.PROVED,
    over=setups(),
    mutants={"halved": scaled("1/2")},
    equality=setups(family=linear_models(max_outputs=1), max_samples=1),
    group="LE-setup",
    equality_at=one_direction,
)
def overlap_sq_le_rayleigh_quotient(p: Setup) -> Sides:
    """γ_ov² <= vᵀK_eval·v/‖v‖² for v in the tangent space (here v = J_Sᵀ·r_0, the first gradient)."""
    v = p.jacobian.mT @ p.residual(p.theta0)
    positive("J_S has full row rank", p.sigma_min)
    positive("v is not 0", torch.linalg.vector_norm(v))
    return Sides(smaller=p.overlap.square(), larger=(p.jacobian_eval @ v).square().sum() / v.square().sum())
