"""Lemma 6: gradient descent stays near, converges geometrically, and moves neither too much nor too little.

Statement: (i) iterates stay in B(θ_0, ρ_0); (ii) ‖r_t‖ <= exp(-c·η·α²·σ_min²·t)·‖r_0‖; (iii) R/(2σ_max) <= ‖θ̂ - θ_0‖ <=
c_2·σ_max·R/σ_min², and (10) the movement is at most ρ_0/2.
Premises: Assumption 5 (4) and (7) with c = 1/16, step size η <= c/(α²σ_max²); see `setting` for the three strengths.
Constants: U (scale-free premises): rate 3/4, movement between 0.97·R/σ_max and (7/5)·R/σ_min: no power of the condition number
is needed. Adaptive: rate A/2, path at most P·R/σ_min, movement at least (R/σ_max)·2/(1 + √(1 + 2·β_S·R/σ_max²)).
Equality case: linear models in the limit of small steps, the residual along one singular direction (not attained).
Numerics: iterates are leaves with certified radii; (ii) is checked at steps 1, 2, 4, 8, … until the residual has fallen to a
thousandth (what is left of it later is known less and less well, relative to its size), (i) at a point as far from θ_0 as the
whole exact path gets.
Source: Local Edits, Lemma 6, (7)-(10). The proof there rests on Telgarsky's Theorem 8.1; the constants here come from a
relative bound on the Jacobian's change (`boundcheck.dynamics.contraction`), re-derived for this module.
"""

import torch
from torch import Tensor

from boundcheck.claim import Sides, Stance, theorem
from boundcheck.dynamics import FineTuning
from boundcheck.exact import constant
from boundcheck.strategies import fine_tunings
from boundcheck.theorems.local_edits.setting import (
    C,
    lemma_6_adaptive,
    lemma_6_as_printed,
    lemma_6_scale_free,
    linear_or_one_parameter,
    local_edits,
)

GROUP = "LE-descent"
ITERATES = local_edits("Lemma 6 (i)")
DECAY = local_edits("Lemma 6 (ii)", "(8)")
MOVEMENT = local_edits("Lemma 6 (iii)", "(9)")
HALF_BALL = local_edits("Lemma 6 (iii)", "(10)")


def excursion(p: FineTuning) -> Tensor:
    """The largest distance from θ_0 along the descent."""
    return torch.linalg.vector_norm(p.farthest - p.theta0)


def decay(p: FineTuning, rate: Tensor) -> Sides:
    """max_t ‖r_t‖·exp(rate·η·α²·σ_min²·t) against ‖r_0‖, over the checkpoints whose residual is still well known."""
    outputs = p.family.outputs(p.path, {k: v[None] for k, v in p.frozen.items()}, p.x_train[None])
    residuals = torch.linalg.vector_norm((p.alpha * outputs - p.y_train).flatten(-2), dim=-1)
    growth = torch.exp(rate * p.eta * (p.alpha * p.sigma_min).square() * p.path_steps)
    start = p.alpha * p.residual_norm
    large = residuals > start * 2.0**-10
    return Sides(smaller=torch.where(large, residuals * growth, torch.zeros_like(growth)).amax(), larger=start)


def movement_bound(p: FineTuning, c: Tensor, upper: Tensor) -> Sides:
    """‖θ̂ - θ_0‖ against upper·R/σ_min, under set U."""
    lemma_6_scale_free(p, c)
    return Sides(smaller=p.step_norm, larger=upper * p.residual_norm / p.sigma_min)


@theorem(
    "LE-6i:printed",
    source=ITERATES,
    stance=Stance.PRINTED,
    over=fine_tunings(),
    mutants={"3/50 of the ball": {"share": "3/50"}},
    group=GROUP,
)
def iterates_stay_in_ball(
    p: FineTuning, c: Tensor = C, share: Tensor = constant(1, printed="1", scales="larger", unit="least rho0")
) -> Sides:
    """Every iterate lies within ρ_0 of θ_0: stated for the least ρ_0 that (7) allows, R·σ_max/(c·σ_min²)."""
    lemma_6_as_printed(p, c)
    least = p.residual_norm * p.sigma_max / (c * p.sigma_min.square())
    return Sides(smaller=excursion(p), larger=share * least)


@theorem(
    "LE-6i:U",
    source=ITERATES,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"R/s": {"share": "19/20"}},
    group=GROUP,
)
def iterates_stay_within_path_bound(
    p: FineTuning, c: Tensor = C, share: Tensor = constant("7/5", scales="larger", unit="R/s")
) -> Sides:
    """Every iterate lies within (7/5)·R/σ_min of θ_0 (at most 0.0875·ρ_0)."""
    lemma_6_scale_free(p, c)
    return Sides(smaller=excursion(p), larger=share * p.residual_norm / p.sigma_min)


@theorem(
    "LE-6i:adaptive",
    source=ITERATES,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"5 % less": {"share": "19/20"}},
    group=GROUP,
)
def path_length_le_path_factor(p: FineTuning, share: Tensor = constant(1, scales="larger", unit="P R/s")) -> Sides:
    """The whole path of the descent is at most P·R/σ_min long."""
    _, P = lemma_6_adaptive(p)
    return Sides(smaller=p.path_length, larger=share * P * p.residual_norm / p.sigma_min)


@theorem(
    "LE-6ii:printed",
    source=DECAY,
    stance=Stance.PRINTED,
    over=fine_tunings(),
    mutants={"rate 21/20": {"rate": "21/20"}},
    group=GROUP,
)
def residual_decays_as_printed(
    p: FineTuning, c: Tensor = C, rate: Tensor = constant("1/16", printed="c", unit="eta alpha^2 s^2")
) -> Sides:
    """‖r_t‖ <= exp(-c·η·α²·σ_min²·t)·‖r_0‖ with the c of the premises."""
    lemma_6_as_printed(p, c)
    return decay(p, rate)


@theorem(
    "LE-6ii:U",
    source=DECAY,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"rate 21/20": {"rate": "21/20"}},
    group=GROUP,
)
def residual_decays_at_three_quarters(
    p: FineTuning, c: Tensor = C, rate: Tensor = constant("3/4", printed="c", unit="eta alpha^2 s^2")
) -> Sides:
    """‖r_t‖ <= exp(-(3/4)·η·α²·σ_min²·t)·‖r_0‖."""
    lemma_6_scale_free(p, c)
    return decay(p, rate)


@theorem(
    "LE-6ii:adaptive",
    source=DECAY,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"rate 21/20 of it": {"share": "21/20"}},
    group=GROUP,
)
def residual_decays_at_half_a(p: FineTuning, share: Tensor = constant(1, unit="A/2")) -> Sides:
    """‖r_t‖ <= exp(-(A/2)·η·α²·σ_min²·t)·‖r_0‖."""
    A, _ = lemma_6_adaptive(p)
    return decay(p, share * A / 2)


@theorem(
    "LE-6iii:printed-lower",
    source=MOVEMENT,
    stance=Stance.PRINTED,
    over=fine_tunings(),
    mutants={"21/20": {"lower": "21/20"}},
    group=GROUP,
)
def movement_ge_half(
    p: FineTuning, c: Tensor = C, lower: Tensor = constant("1/2", printed="1/2", scales="smaller", unit="R/S")
) -> Sides:
    """‖θ̂ - θ_0‖ >= R/(2σ_max)."""
    lemma_6_as_printed(p, c)
    return Sides(smaller=lower * p.residual_norm / p.sigma_max, larger=p.step_norm)


@theorem(
    "LE-6iii:U-lower",
    source=MOVEMENT,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"21/20": {"lower": "21/20"}},
    group=GROUP,
)
def movement_ge(
    p: FineTuning, c: Tensor = C, lower: Tensor = constant("0.97", printed="1/2", scales="smaller", unit="R/S")
) -> Sides:
    """‖θ̂ - θ_0‖ >= 0.97·R/σ_max."""
    lemma_6_scale_free(p, c)
    return Sides(smaller=lower * p.residual_norm / p.sigma_max, larger=p.step_norm)


@theorem(
    "LE-6iii:adaptive-lower",
    source=MOVEMENT,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"1 % more": {"share": "101/100"}},
    group=GROUP,
    equality_at=linear_or_one_parameter,
)
def movement_ge_adaptive(p: FineTuning, share: Tensor = constant(1, scales="smaller", unit="adaptive bound")) -> Sides:
    """‖θ̂ - θ_0‖ >= (R/σ_max)·2/(1 + √(1 + 2·β_S·R/σ_max²)), from R <= σ_max·‖D‖ + β_S·‖D‖²/2."""
    lemma_6_adaptive(p)
    root = torch.sqrt(1 + 2 * p.beta_train * p.residual_norm / p.sigma_max.square())
    return Sides(smaller=share * 2 * p.residual_norm / (p.sigma_max * (1 + root)), larger=p.step_norm)


@theorem(
    "LE-6iii:printed-upper",
    source=MOVEMENT,
    stance=Stance.PRINTED,
    over=fine_tunings(),
    mutants={"19/20": {"upper": "19/20"}},
    group=GROUP,
)
def movement_le_as_printed(
    p: FineTuning, c: Tensor = C, upper: Tensor = constant("7/5", printed="c2", scales="larger", unit="S R/s^2")
) -> Sides:
    """‖θ̂ - θ_0‖ <= c_2·σ_max·R/σ_min² with c_2 = 7/5."""
    lemma_6_as_printed(p, c)
    return Sides(smaller=p.step_norm, larger=upper * p.sigma_max * p.residual_norm / p.sigma_min.square())


@theorem(
    "LE-6iii:U-upper",
    source=MOVEMENT,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"19/20": {"upper": "19/20"}},
    group=GROUP,
)
def movement_le(
    p: FineTuning, c: Tensor = C, upper: Tensor = constant("7/5", printed="c2 S/s", scales="larger", unit="R/s")
) -> Sides:
    """‖θ̂ - θ_0‖ <= (7/5)·R/σ_min: without the printed factor σ_max/σ_min."""
    return movement_bound(p, c, upper)


@theorem(
    "LE-6iii:adaptive-upper",
    source=MOVEMENT,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"5 % less": {"share": "19/20"}},
    group=GROUP,
)
def movement_le_adaptive(p: FineTuning, share: Tensor = constant(1, scales="larger", unit="P R/s")) -> Sides:
    """‖θ̂ - θ_0‖ <= P·R/σ_min."""
    _, P = lemma_6_adaptive(p)
    return Sides(smaller=p.step_norm, larger=share * P * p.residual_norm / p.sigma_min)


@theorem(
    "LE-6iii:half-ball",
    source=HALF_BALL,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"3/50": {"share": "3/50"}},
    group=GROUP,
)
def movement_le_half_ball(
    p: FineTuning, c: Tensor = C, share: Tensor = constant("1/2", printed="1/2", scales="larger", unit="least rho0")
) -> Sides:
    """‖θ̂ - θ_0‖ <= ρ_0/2: stated for the least ρ_0 that the premises allow, R/(c·σ_min)."""
    lemma_6_scale_free(p, c)
    least = p.residual_norm / (c * p.sigma_min)
    return Sides(smaller=p.step_norm, larger=share * least)
