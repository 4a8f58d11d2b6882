"""What is proved of the constants of Lemma 6, (15) and Theorem 7, as functions of the c of their premises (set U), in balls.

The proofs are in `boundcheck.theorems.local_edits.shorter_path`; here a <= c, b <= c, d' <= c with d' = β·R/(g·s), and h <= c.
The bound of Theorem 7 there is at least ½·[1 - √2·(P - 1) - c·P/2]² with P = P(c): c·P²/2 = P - 1, a <= b·g·s/(Λ·S), and
t + √(1 - t²) <= √2 for t = g/Λ.

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
