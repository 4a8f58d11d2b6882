"""Logarithmic axes over every float64: the numbers' decimal logarithms on plain axes, with ticks of their own.

matplotlib's log scale pads its limits by factors, and so leaves float64 near 1e308 and below 1e-307; logarithms do not.
"""

import math
from collections.abc import Sequence

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MOST_TICKS = 5


def span(logarithms: Sequence[float]) -> tuple[float, float]:
    """Limits around these logarithms, at least a decade apart, with a margin of a twentieth at both ends.

    >>> span([2.0])
    (1.45, 2.55)
    """
    low, high = min(logarithms), max(logarithms)
    spare = max(0.0, 1.0 - (high - low)) / 2
    low, high = low - spare, high + spare
    margin = (high - low) / 20
    return low - margin, high + margin


def ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Places and labels between two logarithms: whole decades, or 1, 2 and 5 of each where the limits are close.

    >>> ticks(-0.1, 1.1)
    [(0.0, '1'), (0.3010299956639812, '2'), (0.6989700043360189, '5'), (1.0, '10')]
    """
    first, last = math.ceil(low), math.floor(high)
    if last - first < 2:
        found = [
            (decade + math.log10(digit), digit, decade) for decade in range(first - 1, last + 1) for digit in (1, 2, 5)
        ]
        return [(place, label(digit, decade)) for place, digit, decade in found if low <= place <= high]
    step = _step((last - first) / MOST_TICKS)
    return [(float(n), label(1, n)) for n in range(math.ceil(first / step) * step, last + 1, step)]


def label(digit: int, decade: int) -> str:
    """A digit times a power of ten.

    >>> label(5, -1), label(1, -7), label(2, 12)
    ('0.5', '10⁻⁷', '2·10¹²')
    """
    if -2 <= decade <= 3:
        return f"{digit * 10.0**decade:g}"
    power = f"10{str(decade).translate(SUPERSCRIPTS)}"
    return power if digit == 1 else f"{digit}·{power}"


def _step(least: float) -> int:
    return next(step for step in (1, 2, 5, 10, 20, 50, 100, 200) if step >= least)
