"""The best constant of Lemma A.3, from the exact law of ‖Pg‖²: Beta(d/2, (n - d)/2), in ball arithmetic.

The lemma asks for c with Pr[|‖Pg‖² - d/n| >= ε·d/n] <= 2·exp(-c·ε²·d), so an instance (n, d, ε) leaves room for c(n, d, ε) =
-ln(Pr/2)/(ε²·d); a tail alone, without the factor 2, for -ln(Pr)/(ε²·d). Chernoff's bound (see `theorem_4_1`) gives c >= (1 - ln
2)/2 above and c >= 1/4 below, for every n and d; the search says how close instances come.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from flint import arb, ctx, fmpq

BITS = 256
Side = Literal["both", "above", "below"]
PROVED: dict[Side, str] = {"both": "(1 - ln 2)/2", "above": "(1 - ln 2)/2", "below": "1/4"}
DIMENSIONS = (1, 2, 4, 10, 10**2, 10**3, 10**4)
RATIOS = (2, 10, 10**4, 10**8)
GRID = 24
LARGE = 1000
"""From so many on only ambient dimensions of 10⁴·d and a few ε are tried: a tail takes a second."""

ENDS = (Fraction(1, 2**4), Fraction(1, 2**2), 1 - Fraction(1, 2**20))


@dataclass(frozen=True)
class Room:
    """The constant that one instance leaves room for, from both sides."""

    side: Side
    n: int
    d: int
    epsilon: Fraction
    low: float
    high: float


def proved(side: Side) -> arb:
    """The constant that Chernoff's bound gives."""
    return arb(1) / 4 if side == "below" else (1 - arb(2).log()) / 2


def tail(side: Side, n: int, d: int, epsilon: Fraction) -> arb:
    """The probability, as a ball."""
    with_bits = ctx.prec
    ctx.prec = BITS
    try:
        a, b = arb(d) / 2, arb(n - d) / 2
        e = arb(fmpq(epsilon.numerator, epsilon.denominator))
        upper, lower = arb(0), arb(0)
        if side != "below" and (1 + epsilon) * d < n:
            upper = (1 - (1 + e) * d / n).beta_lower(b, a, True)
        if side != "above":
            lower = ((1 - e) * d / n).beta_lower(a, b, True)
        return upper + lower
    finally:
        ctx.prec = with_bits


def room(side: Side, n: int, d: int, epsilon: Fraction) -> Room | None:
    """c(n, d, ε), or None where the event has no probability that can be enclosed (none above n)."""
    probability = tail(side, n, d, epsilon)
    if not probability > 0:
        return None
    e = arb(fmpq(epsilon.numerator, epsilon.denominator))
    c = -(probability / (2 if side == "both" else 1)).log() / (e * e * d)
    low, high = float(c.lower()), float(c.upper())
    return Room(side, n, d, epsilon, math.nextafter(low, -math.inf), math.nextafter(high, math.inf))


def least(side: Side, d: int) -> Room:
    """The least c found for this d, over n and ε: a grid of both, then ever finer around the best ε."""
    ambient, grid = ((10**4 * d,), ENDS) if d >= LARGE else (_ambient(d), _grid())
    found = [r for n in ambient for e in grid if (r := room(side, n, d, e)) is not None]
    best = min(found, key=lambda r: r.high)
    if d >= LARGE:
        return best
    width = Fraction(1, GRID)
    for _ in range(12):
        width /= 2
        near = (best.epsilon - width, best.epsilon + width)
        tried = (room(side, best.n, d, e) for e in near if 0 < e < 1)
        best = min((best, *(r for r in tried if r is not None)), key=lambda r: r.high)
    return best


def _ambient(d: int) -> Iterable[int]:
    return (d + 1, *(d * ratio for ratio in RATIOS))


def _grid() -> Iterable[Fraction]:
    return (*(Fraction(k, GRID) for k in range(1, GRID)), 1 - Fraction(1, 2**20))


def table() -> list[Room]:
    """The least c found for each sort of tail and each d."""
    sides: tuple[Side, ...] = ("both", "above", "below")
    return [least(side, d) for side in sides for d in DIMENSIONS]
