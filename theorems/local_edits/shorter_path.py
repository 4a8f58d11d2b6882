"""Lemma 6 and Theorem 7 with constants that are nearly, and partly exactly, the best: the descent takes no detour.

Statement: as Lemma 6's and Theorem 7's, with the path of the descent at most P·R/s long, P = 2/(1 + √(1 - 2a)), in the place of
the P(e) of the adaptive forms: it tends to 1 with a, and exists up to a = 1/2.
Premises: a = β_S·R/s² <= 1/2; h·(2 - √(1 - 2a))² <= 1 for the step size h = η·α²·S²; the ball holds the path; full row rank.
Not printed: it sharpens the paper's constants. At a = b = d = h = 1/16 the movement is at most 1.0334·R/s, (15) holds with 0.534,
and Theorem 7 with c' = 0.4236; for what instances leave room see `experiments.constants`.
Equality case: one parameter and f = s·θ - ½β_S·θ² for the path and the upper movement; linear models with one row for the others.

Proof. s, S are the extreme singular values of J = J_S(θ_0), R = ‖r_0‖/α, g = γ_ov, L_t the length of the descent up to step t,
all of α = 1.

*The path.* Let η·‖J_t‖² <= 1 all along (J_t the Jacobian at step t). For any M = J_t·J_tᵀ with ηM <= 1 and any r, ‖r‖ - ‖(1
- ηM)r‖ >= η·σ_min(J_t)·‖J_tᵀr‖: with r of norm 1 let q be the mean of the eigenvalues of ηM, weighted by r, and x the least
of them; the mean of their squares is at most (1 + x)q - x, so that ‖(1 - ηM)r‖² <= 1 - 2q + (1 + x)q - x, which is at most
(1 - √(xq))² because (√q - √x)² >= 0. A step of length δ therefore takes at least δ·σ_min(J_t) - β_S·δ²/2 from the residual,
σ_min(J_t) >= s - β_S·L_t, and the sum telescopes: ‖r_t‖ <= R - s·L_t + β_S·L_t²/2. As it is never below 0, the path is at
most P·R/s long, with P(a) = 2/(1 + √(1 - 2a)) and a = β_S·R/s² <= 1/2; so η·‖J_t‖² <= h·(2 - √(1 - 2a))². It holds within a
step as well (a part of one is a shorter step), so the length cannot jump over P·R/s. In one dimension f = s·θ - ½β_S·θ²
attains P: no smaller constant is possible.

*The movement from below.* R <= S·‖D‖ + ½β_S·‖D‖² gives ‖D‖ >= (R/S)·2/(1 + √(1 + 2a)), attained by f = S·θ + ½β_S·θ².

*Outside the tangent space.* The step v = J_tᵀr_t differs from Jᵀr_t by at most β_S·L_t·‖r_t‖, and ‖Jᵀr_t‖ >= s·‖r_t‖: the sine
of the angle between them is at most β_S·L_t/s, so ‖Qv‖ <= ‖v‖·β_S·L_t/s and ‖QD‖ <= β_S·L²/(2s) <= (P²/2)·β_S·R²/s³.

*Spillover.* In units of R/S let X be ‖ΠD‖ and z be ‖QD‖, and t = g/Λ. With ½a·P² = P - 1, S·‖ΠD‖ >= R - ½β_S·L² is
X >= 2 - P, and z <= (P - 1)·S/s. For x in the tangent space and y outside ‖J_eval(x + y)‖ >= g·‖x‖ - √(Λ² - g²)·‖y‖: the row
e·J_eval with e along J_eval·x has norm at most Λ, and at least g of it is along x. The curvature of the outputs takes
½β·‖D‖² <= ½β·(P·R/s)·‖D‖. So √(2·Spill) >= (g·R/S)·[X - √(1/t² - 1)·z - (d'P/2)·√(X² + z²)] with d' = β·R/(g·s): one power of
S/s fewer than set U's d. Where the bracket is above 0 it grows with X (then d'P/2 < 1), and it falls with z.
Source: ours; the statements sharpened are Local Edits, Lemma 6 (i), (9), and (12), (15), (16) of Theorem 7.
"""

import torch
from torch import Tensor

from boundcheck.claim import Sides, Stance, premise, theorem
from boundcheck.dynamics import FineTuning
from boundcheck.exact import constant
from boundcheck.strategies import fine_tunings
from boundcheck.theorems.local_edits.lemma_6 import ITERATES, MOVEMENT
from boundcheck.theorems.local_edits.setting import linear_or_one_parameter, positive, regular
from boundcheck.theorems.local_edits.theorem_7 import (
    INSIDE,
    LINEAR,
    OUTSIDE,
    SPILL,
    curved_tunings,
    inside_part,
    linear_energy,
    outside_part,
    reach,
    room_outside,
)

GROUP = "LE-descent"
CURVED = "LE-curved"


def straight_path(p: FineTuning) -> Tensor:
    """The premises, and P."""
    s, R = p.sigma_min, p.residual_norm
    regular(p)
    premise("a <= 1/2", s.square() / 2 - p.beta_train * R, established=p.established)
    root = torch.sqrt((1 - 2 * p.beta_train * R / s.square()).clamp(min=0))
    premise("short steps", 1 - p.step_size * (2 - root).square(), established=p.established)
    P = 2 / (1 + root)
    premise("ball", s - P * R / p.rho0)
    return P


def kept(p: FineTuning, P: Tensor) -> Tensor:
    """What the movement does to the linear model, at least, in units of g·R/S: 2 - P - √(Λ²/g² - 1)·(P - 1)·S/s."""
    steep = torch.sqrt(((p.kernel_norm / p.overlap).square() - 1).clamp(min=0))  # Λ >= g, whatever rounding says
    return 2 - P - steep * (P - 1) * p.sigma_max / p.sigma_min


@theorem(
    "LE-6i:sharp",
    source=ITERATES,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"1 % less": {"share": "99/100"}},
    group=GROUP,
    equality_at=linear_or_one_parameter,
)
def path_le(p: FineTuning, share: Tensor = constant(1, scales="larger", unit="P R/s")) -> Sides:
    """The whole path of the descent is at most R/σ_min·2/(1 + √(1 - 2a)) long."""
    P = straight_path(p)
    return Sides(smaller=p.path_length, larger=share * P * p.residual_norm / p.sigma_min)


@theorem(
    "LE-6iii:sharp-upper",
    source=MOVEMENT,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"1 % less": {"share": "99/100"}},
    group=GROUP,
    equality_at=linear_or_one_parameter,
)
def movement_le_straight(p: FineTuning, share: Tensor = constant(1, scales="larger", unit="P R/s")) -> Sides:
    """‖θ̂ - θ_0‖ <= R/σ_min·2/(1 + √(1 - 2a))."""
    P = straight_path(p)
    return Sides(smaller=p.step_norm, larger=share * P * p.residual_norm / p.sigma_min)


@theorem(
    "LE-15:sharp",
    source=OUTSIDE,
    stance=Stance.PROVED,
    over=curved_tunings(),
    mutants={"seven tenths": {"share": "7/10"}},
    group=CURVED,
)
def outside_le_straight(
    p: FineTuning, share: Tensor = constant(1, scales="larger", unit="(P^2/2) beta_S R^2/s^3")
) -> Sides:
    """‖QD‖ <= (P²/2)·β_S·R²/σ_min³."""
    P = straight_path(p)
    positive("beta_S > 0", p.beta_train)
    room_outside(p)
    size = P.square() / 2 * p.beta_train * p.residual_norm.square() / p.sigma_min.pow(3)
    return Sides(smaller=outside_part(p), larger=share * size)


@theorem(
    "LE-Pi:sharp",
    source=INSIDE,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"1 % more": {"share": "101/100"}},
    group=GROUP,
    equality_at=linear_or_one_parameter,
)
def inside_ge_straight(p: FineTuning, share: Tensor = constant(1, scales="smaller", unit="(2 - P) R/S")) -> Sides:
    """‖ΠD‖ >= (2 - P)·R/σ_max."""
    P = straight_path(p)
    positive("the bound is above 0", 2 - P)
    return Sides(smaller=share * (2 - P) * p.residual_norm / p.sigma_max, larger=inside_part(p))


@theorem(
    "LE-16:sharp",
    source=LINEAR,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"2 % more": {"share": "102/100"}},
    group=GROUP,
    equality_at=linear_or_one_parameter,
)
def linear_energy_ge_straight(
    p: FineTuning, share: Tensor = constant(1, scales="smaller", unit="(g R/S)^2 (2 - P - z)^2")
) -> Sides:
    """E‖g_θ̂ - f_θ0‖² >= (γ_ov·R/σ_max)²·[2 - P - √(Λ²/γ_ov² - 1)·(P - 1)·σ_max/σ_min]²."""
    P = straight_path(p)
    positive("overlap > 0", p.overlap)
    left = kept(p, P)
    positive("the bound is above 0", left)
    return Sides(smaller=share * (reach(p) * left.clamp(min=0)).square(), larger=linear_energy(p))


@theorem(
    "LE-7:sharp",
    source=SPILL,
    stance=Stance.PROVED,
    over=fine_tunings(),
    mutants={"1 % more": {"share": "101/100"}},
    group=GROUP,
    equality_at=linear_or_one_parameter,
)
def spillover_ge_straight(
    p: FineTuning, share: Tensor = constant(1, scales="smaller", unit="g R/S (2 - P - z - bent)")
) -> Sides:
    """√(2·Spill) >= (γ_ov·R/σ_max)·[2 - P - √(Λ²/γ_ov² - 1)·z - (d'·P/2)·√((2 - P)² + z²)] with z = (P - 1)·σ_max/σ_min and
    d' = β·R/(γ_ov·σ_min)."""
    P = straight_path(p)
    positive("overlap > 0", p.overlap)
    outside = (P - 1) * p.sigma_max / p.sigma_min
    bent = p.beta_eval * p.residual_norm / (p.overlap * p.sigma_min) * P / 2
    left = kept(p, P) - bent * torch.sqrt((2 - P).square() + outside.square())
    positive("the bound is above 0", left)
    return Sides(smaller=share * reach(p) * left, larger=torch.sqrt(2 * p.spill))
