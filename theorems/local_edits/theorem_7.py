"""Theorem 7 and the displays of its proof: fine-tuning spills over in proportion to the tangent-space overlap.

Statement: Spill(θ̂) >= c'·(γ_ov·R/σ_max)². On the way: (15) ‖QD‖ <= c'·β_S·σ_max·R²/σ_min⁴ for the part of the movement
outside the tangent space, ‖ΠD‖ >= R/(4σ_max), (16) E‖J·D‖² >= 2c'·γ_ov²·R²/σ_max².
Premises: Lemma 6's, γ_ov > 0, Assumption 5 (5) and (11); see `setting` for the three strengths.
Constants: U: c' = 1/3; (15) with 0.87·β_S·R²/σ_min³, no factor σ_max/σ_min; 0.94 instead of 1/4; 2c' = 0.787 in (16).
Adaptive: with a = β_S·R/s², b = Λ·β_S·S·R/(g·s³), d = β·S·R/(g·s²): √(2·Spill) >= (g·R/S)·[1 - a·P²/2 - b·P/A - d·P²/2].
Where a bracket is not above 0 the bound says nothing, and the instance counts as vacuous.
Equality case: linear models with one row (c' = 1/2), which is as far as any constant can go.
Numerics: θ̂ is the last iterate with a certified radius; D_eval is a finite sample, so that every mean is exact.
Source: Local Edits, Theorem 7, (11)-(16).
"""

import torch
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from boundcheck.claim import Sides, Stance, premise, theorem
from boundcheck.dynamics import FineTuning
from boundcheck.exact import constant
from boundcheck.strategies import curved_models, fine_tunings
from boundcheck.strategies.fine_tunings import FineTuningRecipe
from boundcheck.theorems.local_edits.setting import (
    C,
    lemma_6_adaptive,
    lemma_6_as_printed,
    lemma_6_scale_free,
    linear_or_one_parameter,
    local_edits,
    positive,
    theorem_7_as_printed,
    theorem_7_scale_free,
)

GROUP = "LE-descent"
CURVED = "LE-curved"
OUTSIDE = local_edits("proof of Theorem 7", "(15)")
INSIDE = local_edits("proof of Theorem 7", "before (16)")
LINEAR = local_edits("proof of Theorem 7", "(16)")
SPILL = local_edits("Theorem 7", "(12)")


def curved_tunings() -> SearchStrategy[FineTuningRecipe]:
    """Few samples of models with curvature: without it nothing leaves the tangent space, and (15) is 0 <= 0."""
    return fine_tunings(family=curved_models(), max_samples=2)


def room_outside(p: FineTuning) -> None:
    """The premise mk < n: else every vector lies in the tangent space."""
    room = p.theta0.shape[-1] - p.jacobian.shape[-2]
    premise("mk < n", torch.full_like(p.alpha, float(room - 1)))


def outside_part(p: FineTuning) -> Tensor:
    """‖QD‖, the movement outside the tangent space."""
    return torch.linalg.vector_norm(p.step - p.project(p.step))


def inside_part(p: FineTuning) -> Tensor:
    """‖ΠD‖."""
    return torch.linalg.vector_norm(p.project(p.step))


def reach(p: FineTuning) -> Tensor:
    """γ_ov·R/σ_max."""
    return p.overlap * p.residual_norm / p.sigma_max


def linear_energy(p: FineTuning) -> Tensor:
    """E‖J_x(θ_0)·D‖² = DᵀK_eval·D."""
    return (p.jacobian_eval @ p.step).square().sum()


def lazy_losses(p: FineTuning, A: Tensor, P: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What curvature takes away, each relative to g·R/S: a·P²/2, b·P/A and d·P²/2."""
    s, S, R, g = p.sigma_min, p.sigma_max, p.residual_norm, p.overlap
    a = p.beta_train * R / s.square()
    b = p.kernel_norm * p.beta_train * S * R / (g * s.pow(3))
    d = p.beta_eval * S * R / (g * s.square())
    return a * P.square() / 2, b * P / A, d * P.square() / 2


def spill_bound(p: FineTuning, c: Tensor, lower: Tensor) -> Sides:
    """lower·(γ_ov·R/σ_max)² against Spill, under set U."""
    theorem_7_scale_free(p, c)
    return Sides(smaller=lower * reach(p).square(), larger=p.spill)


@theorem(
    "LE-15:printed",
    source=OUTSIDE,
    stance=Stance.PRINTED,
    over=curved_tunings(),
    mutants={"1/4": {"upper": "1/4"}},
    group=CURVED,
)
def outside_le_as_printed(
    p: FineTuning,
    c: Tensor = C,
    upper: Tensor = constant("0.87", printed="c'", scales="larger", unit="beta_S S R^2/s^4"),
) -> Sides:
    """‖QD‖ <= c'·β_S·σ_max·R²/σ_min⁴ with c' = 0.87."""
    lemma_6_as_printed(p, c)
    positive("beta_S > 0", p.beta_train)
    room_outside(p)
    size = p.beta_train * p.sigma_max * p.residual_norm.square() / p.sigma_min.pow(4)
    return Sides(smaller=outside_part(p), larger=upper * size)


@theorem(
    "LE-15:U",
    source=OUTSIDE,
    stance=Stance.PROVED,
    over=curved_tunings(),
    mutants={"3/10": {"upper": "3/10"}},
    group=CURVED,
)
def outside_le(
    p: FineTuning,
    c: Tensor = C,
    upper: Tensor = constant("0.87", printed="c' S/s", scales="larger", unit="beta_S R^2/s^3"),
) -> Sides:
    """‖QD‖ <= 0.87·β_S·R²/σ_min³: without the printed factor σ_max/σ_min."""
    lemma_6_scale_free(p, c)
    positive("beta_S > 0", p.beta_train)
    room_outside(p)
    size = p.beta_train * p.residual_norm.square() / p.sigma_min.pow(3)
    return Sides(smaller=outside_part(p), larger=upper * size)


@theorem(
    "LE-15:adaptive",
    source=OUTSIDE,
    stance=Stance.PROVED,
    over=curved_tunings(),
    mutants={"half": {"share": "1/2"}},
    group=CURVED,
)
def outside_le_adaptive(
    p: FineTuning, share: Tensor = constant(1, scales="larger", unit="(P/A) beta_S R^2/s^3")
) -> Sides:
    """‖QD‖ <= (P/A)·β_S·R²/σ_min³."""
    A, P = lemma_6_adaptive(p)
    positive("beta_S > 0", p.beta_train)
    room_outside(p)
    size = P / A * p.beta_train * p.residual_norm.square() / p.sigma_min.pow(3)
    return Sides(smaller=outside_part(p), larger=share * size)


@theorem(
    "LE-Pi:printed",
    source=INSIDE,
    stance=Stance.PRINTED,
    over=fine_tunings(),
    mutants={"21/20": {"lower": "21/20"}},
    group=GROUP,
)
def inside_ge_quarter(
    p: FineTuning, c: Tensor = C, lower: Tensor = constant("1/4", printed="1/4", scales="smaller", unit="R/S")
) -> Sides:
    """‖ΠD‖ >= R/(4σ_max)."""
    lemma_6_as_printed(p, c)
    return Sides(smaller=lower * p.residual_norm / p.sigma_max, larger=inside_part(p))


@theorem(
    "LE-Pi:U",
    source=INSIDE,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"21/20": {"lower": "21/20"}},
    group=GROUP,
)
def inside_ge(
    p: FineTuning, c: Tensor = C, lower: Tensor = constant("0.94", printed="1/4", scales="smaller", unit="R/S")
) -> Sides:
    """‖ΠD‖ >= 0.94·R/σ_max."""
    lemma_6_scale_free(p, c)
    return Sides(smaller=lower * p.residual_norm / p.sigma_max, larger=inside_part(p))


@theorem(
    "LE-Pi:adaptive",
    source=INSIDE,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"1 % more": {"share": "101/100"}},
    group=GROUP,
    equality_at=linear_or_one_parameter,
)
def inside_ge_adaptive(p: FineTuning, share: Tensor = constant(1, scales="smaller", unit="R/S (1 - a P^2/2)")) -> Sides:
    """‖ΠD‖ >= (R/σ_max)·[1 - a·P²/2], from σ_max·‖ΠD‖ >= R - β_S·‖D‖²/2."""
    _, P = lemma_6_adaptive(p)
    left = 1 - p.beta_train * p.residual_norm / p.sigma_min.square() * P.square() / 2
    positive("the bound is above 0", left)
    return Sides(smaller=share * p.residual_norm / p.sigma_max * left, larger=inside_part(p))


@theorem(
    "LE-16:printed",
    source=LINEAR,
    stance=Stance.PRINTED,
    over=fine_tunings(),
    mutants={"23/20": {"lower": "23/20"}},
    group=GROUP,
)
def linear_energy_ge_as_printed(
    p: FineTuning, c: Tensor = C, lower: Tensor = constant("0.787", printed="2c'", scales="smaller", unit="(g R/S)^2")
) -> Sides:
    """E‖g_θ̂ - f_θ0‖² >= 2c'·(γ_ov·R/σ_max)² under (7) and (11) as printed, with c = 1/16 and 2c' = 0.787."""
    theorem_7_as_printed(p, c)
    return Sides(smaller=lower * reach(p).square(), larger=linear_energy(p))


@theorem(
    "LE-16:U",
    source=LINEAR,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"23/20": {"lower": "23/20"}},
    group=GROUP,
)
def linear_energy_ge(
    p: FineTuning, c: Tensor = C, lower: Tensor = constant("0.787", printed="2c'", scales="smaller", unit="(g R/S)^2")
) -> Sides:
    """E‖g_θ̂ - f_θ0‖² >= 0.787·(γ_ov·R/σ_max)²."""
    theorem_7_scale_free(p, c)
    return Sides(smaller=lower * reach(p).square(), larger=linear_energy(p))


@theorem(
    "LE-16:adaptive",
    source=LINEAR,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"2 % more": {"share": "102/100"}},
    group=GROUP,
    equality_at=linear_or_one_parameter,
)
def linear_energy_ge_adaptive(
    p: FineTuning, share: Tensor = constant(1, scales="smaller", unit="(g R/S)^2 (1 - a P^2/2 - b P/A)^2")
) -> Sides:
    """E‖g_θ̂ - f_θ0‖² >= (γ_ov·R/σ_max)²·[1 - a·P²/2 - b·P/A]²."""
    A, P = lemma_6_adaptive(p)
    positive("overlap > 0", p.overlap)
    turned, outside, _ = lazy_losses(p, A, P)
    left = 1 - turned - outside
    positive("the bound is above 0", left)
    return Sides(smaller=share * (reach(p) * left.clamp(min=0)).square(), larger=linear_energy(p))


@theorem(
    "LE-7:printed",
    source=SPILL,
    stance=Stance.PRINTED,
    over=fine_tunings(),
    mutants={"51/100": {"lower": "51/100"}},
    group=GROUP,
)
def spill_ge_as_printed(
    p: FineTuning, c: Tensor = C, lower: Tensor = constant("1/3", printed="c'", scales="smaller", unit="(g R/S)^2")
) -> Sides:
    """Spill >= c'·(γ_ov·R/σ_max)² under (7) and (11) as printed, with c = 1/16 and c' = 1/3."""
    theorem_7_as_printed(p, c)
    return Sides(smaller=lower * reach(p).square(), larger=p.spill)


@theorem(
    "LE-7:U",
    source=SPILL,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"51/100": {"lower": "51/100"}},
    group=GROUP,
)
def spillover_ge_overlap_sq_mul_residual_sq(
    p: FineTuning, c: Tensor = C, lower: Tensor = constant("1/3", printed="c'", scales="smaller", unit="(g R/S)^2")
) -> Sides:
    """Spill >= (1/3)·(γ_ov·R/σ_max)² under the scale-free conditions with c = 1/16."""
    return spill_bound(p, c, lower)


@theorem(
    "LE-7:adaptive",
    source=SPILL,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"1 % more": {"share": "101/100"}},
    group=GROUP,
    equality_at=linear_or_one_parameter,
)
def spillover_ge_adaptive(
    p: FineTuning, share: Tensor = constant(1, scales="smaller", unit="g R/S (1 - a P^2/2 - b P/A - d P^2/2)")
) -> Sides:
    """√(2·Spill) >= (γ_ov·R/σ_max)·[1 - a·P²/2 - b·P/A - d·P²/2]."""
    A, P = lemma_6_adaptive(p)
    positive("overlap > 0", p.overlap)
    turned, outside, bent = lazy_losses(p, A, P)
    left = 1 - turned - outside - bent
    positive("the bound is above 0", left)
    return Sides(smaller=share * reach(p) * left, larger=torch.sqrt(2 * p.spill))
