"""What is proved of the constants of Lemma 6, (15) and Theorem 7, as functions of the c of their premises (set U), in balls.

With s, S the extreme singular values of J = J_S(θ_0), R = ‖r_0‖/α, L_t the length of the descent up to step t, all of α = 1:

*The path.* Let η·‖J_t‖² <= 1 all along (J_t the Jacobian at step t). For any M = J_t·J_tᵀ with ηM <= 1 and any r,
‖r‖ - ‖(1 - ηM)r‖ >= η·σ_min(J_t)·‖J_tᵀr‖: with r of norm 1 let q be the mean of the eigenvalues of ηM, weighted by r, and x
the least of them; the mean of their squares is at most (1 + x)q - x, so that ‖(1 - ηM)r‖² <= 1 - 2q + (1 + x)q - x, which is at
most (1 - √(xq))² because (√q - √x)² >= 0. A step of length δ therefore takes at least δ·σ_min(J_t) - β_S·δ²/2 from the
residual, σ_min(J_t) >= s - β_S·L_t, and the sum telescopes: ‖r_t‖ <= R - s·L_t + β_S·L_t²/2. As it is never below 0, the
path is at most P·R/s long, with P(a) = 2/(1 + √(1 - 2a)) and a = β_S·R/s² <= 1/2; so η·‖J_t‖² <= h·(2 - √(1 - 2a))².
It holds within a step as well (a part of one is a shorter step), so the length cannot jump over P·R/s; and the ball of Assumption
5 holds the path, as R/(s·ρ_0) <= c <= 1/P. In one dimension f = s·θ - ½β_S·θ² attains P: no smaller constant is possible.

*The movement from below.* R <= S·‖D‖ + ½β_S·‖D‖² gives ‖D‖ >= (R/S)·2/(1 + √(1 + 2a)), attained by f = S·θ + ½β_S·θ².

*Outside the tangent space.* The step v = J_tᵀr_t differs from Jᵀr_t by at most β_S·L_t·‖r_t‖, and ‖Jᵀr_t‖ >= s·‖r_t‖: the sine
of the angle between them is at most β_S·L_t/s, so ‖Qv‖ <= ‖v‖·β_S·L_t/s and ‖QD‖ <= β_S·L²/(2s) <= (P²/2)·β_S·R²/s³.

*Spillover.* In units of R/S let X be ‖ΠD‖ and z be ‖QD‖, t = g/Λ, a <= t·b·s/S. From S·‖ΠD‖ >= R - ½β_S·L², X >= 1 - t·b·P²/2,
and z <= t·b·P²/2. For x in the tangent space and y outside ‖J_eval(x + y)‖ >= g·‖x‖ - √(Λ² - g²)·‖y‖: the row e·J_eval with e
along J_eval·x has norm at most Λ, and at least g of it is along x. The curvature of the outputs takes ½β·‖D‖² <=
½β·(P·R/s)·‖D‖. So √(2·Spill) >= (g·R/S)·[X - √(1/t² - 1)·z - (d'P/2)·√(X² + z²)] with d' = β·R/(g·s), where c·P²/2 = P - 1 for
P = P(c): as t + √(1 - t²) <= √2, this is c' = ½·[1 - √2·(P - 1) - c·P/2]². It takes b <= c (which has a <= c in it, because Λ
>= g) and d' <= c: one power of S/s fewer than set U's d. For one row the losses cannot be full at once to first order: what
instances reach is ½·(1 - c)².

*How far any constant can go.* One row, g = s = S = 1, f = θ_1 + β_S·θ_1·θ_2, f_eval = θ_1 - √(Λ² - 1)·θ_2 - ½β·θ_1² and Λ → ∞
at b = Λβ_S·R = c, so that a → 0: the descent goes straight, ends at θ_1 = R and θ_2 = ½β_S·R², and what is left of f_eval is
R·(1 - b/2 - d/2). So c' <= ½·(1 - c)² for every c; searches find nothing lower.
"""

from fractions import Fraction

import torch
from flint import arb, fmpq

from boundcheck.dynamics import contraction


def ball(value: Fraction | float) -> arb:
    """A rational, or a double as it is, as a ball."""
    exact = Fraction(value)
    return arb(fmpq(exact.numerator, exact.denominator))


def path(c: Fraction) -> arb:
    """P(c): how long the descent is at most, in units of R/s."""
    return 2 / (1 + (1 - 2 * ball(c)).sqrt())


def path_is_proved(c: Fraction, h: Fraction) -> bool:
    """Whether steps of size h are short enough for `path`, all along it."""
    return bool(ball(h) * (2 - (1 - 2 * ball(c)).sqrt()) ** 2 <= 1)


def movement_from_below(c: Fraction) -> arb:
    """‖D‖ in units of R/S."""
    return 2 / (1 + (1 + 2 * ball(c)).sqrt())


def outside(c: Fraction) -> arb:
    """‖QD‖ in units of β_S·R²/s³."""
    return path(c) ** 2 / 2


def spill(c: Fraction) -> arb:
    """Spill in units of (g·R/S)², 0 where nothing is proved."""
    left = 1 - arb(2).sqrt() * (path(c) - 1) - ball(c) * path(c) / 2
    return left**2 / 2 if left > 0 else arb(0)


def spill_ceiling(c: Fraction) -> arb:
    """No larger c' holds: the spillover of instances with Λ/g → ∞, in units of (g·R/S)²."""
    return (1 - ball(c)) ** 2 / 2


def witness(c: Fraction) -> arb | None:
    """The least e (up to a millionth of it) for which the adaptive forms hold at a = h = c, None where there is none."""
    at = torch.tensor(float(c), dtype=torch.float64)
    e, a = ball(float(contraction.slack(at, at))), ball(c)
    left = 2 * (1 - e) ** 2 - a * (1 + e) ** 4
    return e if left > 0 and 2 * a * (1 + e) <= e * left and e <= ball(Fraction(1, 2)) else None


def adaptive_spill(c: Fraction) -> arb:
    """The adaptive form of Theorem 7 at a = b = d = h = c: ½·[1 - c·P²/2 - c·P/A - c·P²/2]², 0 where it says nothing."""
    e, a = witness(c), ball(c)
    if e is None:
        return arb(0)
    rate = 2 * (1 - e) ** 2 - a * (1 + e) ** 4
    factor = 2 * (1 + e) / rate
    left = 1 - a * factor**2 - a * factor / rate
    return left**2 / 2 if left > 0 else arb(0)


def decimal(value: arb, *, up: bool, digits: int = 6) -> Fraction:
    """A decimal on the safe side: at least the ball's upper end, or at most its lower one."""
    scaled = (value * 10**digits).ceil() if up else (value * 10**digits).floor()
    whole = scaled.unique_fmpz()
    if whole is None:
        raise ArithmeticError(f"{value} straddles a decimal")
    return Fraction(int(whole), 10**digits)
