"""How far a ratio fell and a constant moved, each as a share of what it was."""

import math
from fractions import Fraction

from boundcheck.report.compare.figures import Constant

Share = Fraction | float
"""Of what there was before: 1/50 for 2 %. Infinite where there was 0."""

STRONGER = {"smaller": -1, "larger": 1}


def fall(old: float | None, new: float | None) -> float:
    """By what share of itself a ratio fell, from 0 (it did not) to 1.

    A ratio of 0 or less cannot fall: its bound is as far away as can be. One that is not found any more has fallen by all of it,
    and so has an infinite one that is finite now.
    """
    if old is None or old <= 0:
        return 0.0
    if new is None:
        return 1.0
    if new >= old:
        return 0.0
    return 1.0 if math.isinf(old) else (old - max(new, 0.0)) / old


def weakened(old: Constant, new: Constant) -> Share:
    """By what share the value that is checked moved in the weaker direction; 0 where it did not, or where neither is weaker."""
    return _move(old.at, new.at, towards=-STRONGER.get(str(old.better), 0))


def receded(old: Constant, new: Constant, new_ratio: float | None) -> Share:
    """By what share the value found moved in the stronger direction: the tightest instance allows more than it did.

    Of a claim that holds that is away from the value that is checked. A value that is not found any more has moved without
    end, unless an instance breaks the claim so badly that no value would do.
    """
    if old.found is None or old.better is None:
        return Fraction(0)
    if new.found is None:
        return Fraction(0) if new_ratio is not None and new_ratio > 1 else math.inf
    return _move(Fraction(old.found), Fraction(new.found), towards=STRONGER.get(str(old.better), 0))


def _move(old: Fraction, new: Fraction, *, towards: int) -> Share:
    if (new - old) * towards <= 0:
        return Fraction(0)
    return abs((new - old) / old) if old else math.inf


def number(value: float | None) -> str:
    """Six digits of it; `none` where there is no such number."""
    return "none" if value is None else f"{value:.6g}"


def percent(share: Share) -> str:
    """A share in words."""
    if share > 100:
        return "more than 10,000 %"
    return f"{float(100 * share):.3g} %"
