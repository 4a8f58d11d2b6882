"""Numbers as people read them."""

import math
from collections.abc import Mapping
from typing import Any

from boundcheck.exact import exact
from boundcheck.report import findings
from boundcheck.report.figures.decades import SUPERSCRIPTS

NONE = "–"
NEAR = 5e-4
"""A ratio nearer to 1 than this is told by how far it is from 1: four digits would say 1."""


def number(value: float | None) -> str:
    """Four digits; a power of ten where the number is far from 1.

    >>> number(0.25), number(1234567.0), number(-1e-30), number(None), number(math.inf)
    ('0.25', '1.235·10⁶', '−1·10⁻³⁰', '–', '∞')
    """
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    power = f"·10{str(int(exponent)).translate(SUPERSCRIPTS)}" if exponent else ""
    return mantissa.replace("-", "−") + power


def ratio(value: float | None) -> str:
    """As `number`, and near 1 by the distance from it, so that only an exact 1 reads 1.

    >>> ratio(0.75), ratio(1.0), ratio(1 - 2.0**-30), ratio(1 + 1e-6)
    ('0.75', '1', '1 − 9.3·10⁻¹⁰', '1 + 1·10⁻⁶')
    """
    if value is None or value == 1 or not abs(value - 1) < NEAR:
        return number(value)
    return f"1 {'−' if value < 1 else '+'} {number(float(f'{abs(value - 1):.2g}'))}"


def drawn_ratio(entry: Mapping[str, Any]) -> str:
    """The largest ratio drawn; ∞ where the larger side of an instance that breaks the claim is 0 or less."""
    return ratio(findings.drawn_ratio(entry))


def hunted_ratio(entry: Mapping[str, Any]) -> str:
    """The ratio that a hunt confirmed, from below; ∞ where the larger side is 0 or less."""
    return ratio(findings.hunted_ratio(entry))


def share(part: int, whole: int) -> str:
    """Per cent.

    >>> share(1, 8), share(0, 0), share(99999, 100000), share(1, 10**6)
    ('12.5 %', '–', '> 99.9 %', '< 0.1 %')
    """
    if not whole:
        return NONE
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "< 0.1 %"
    if 99.9 < percent < 100:
        return "> 99.9 %"
    return f"{percent:.1f} %".replace(".0 %", " %")


def counted(count: int, thing: str) -> str:
    """How many of a thing.

    >>> counted(1, "proof"), counted(2000, "proof")
    ('1 proof', '2,000 proofs')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def percent(part: int, whole: int) -> str:
    """A share for a style sheet.

    >>> percent(1, 3), percent(0, 0)
    ('33.3', '0')
    """
    return f"{100 * part / whole:.1f}" if whole else "0"


def gap(constant: Mapping[str, Any]) -> str:
    """How far a constant could still move, in per cent of what was checked."""
    at, found = float(exact(constant["at"])), constant["found"]
    return NONE if found is None or at == 0 else f"{number(float(f'{100 * abs(found / at - 1):.2g}'))} %"


def duration(seconds: float) -> str:
    """Seconds, or minutes and seconds.

    >>> duration(2.96), duration(429.3)
    ('3.0 s', '7 min 9 s')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"
