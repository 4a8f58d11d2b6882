"""What one run of a claim's program proves: premises first, then the conclusion.

The program's outputs are the two sides and then the premise margins. Everything is decided from exact endpoints; what is kept
of them is rounded outward, so that it can be printed and stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import inf, isinf
from typing import Any

from boundcheck.proof.arithmetic import Arithmetic, Endpoint

CONSISTENT_RELATIVE_RADIUS = Fraction(1, 2**100)
"""How sharp overlapping enclosures of an identity must be, relative to its size, to count as consistent."""

KEPT_BITS = 160
"""Significant bits of an endpoint that is kept."""

Interval = tuple[Endpoint, Endpoint]


class Standing(StrEnum):
    """What is proved of one instance."""

    VACUOUS = "a premise is false, or both sides are 0"
    UNVERIFIED = "a premise is open"
    HOLDS = "the premises and the statement hold"
    CONSISTENT = "the premises hold and both sides agree to 100 bits"
    VIOLATED = "the premises hold and the statement does not"
    OPEN = "the premises hold and the sides cannot be told apart"


@dataclass(frozen=True)
class Finding:
    """What one route proves.

    Attributes:
        route: the kind of number, in words. bits: its precision, None for exact numbers.
        standing: what is proved.
        left, right: the sides (smaller and larger of an inequality).
        premises: the margins.

    """

    route: str
    bits: int | None
    standing: Standing
    left: Interval
    right: Interval
    premises: tuple[Interval, ...]

    def to_json(self) -> dict[str, Any]:
        """Endpoints as `integer*2^exponent`, inf or -inf."""
        return {
            "route": self.route,
            "bits": self.bits,
            "standing": self.standing.name,
            "left": [endpoint_text(x) for x in self.left],
            "right": [endpoint_text(x) for x in self.right],
            "premises": [[endpoint_text(x) for x in margin] for margin in self.premises],
        }

    @staticmethod
    def from_json(data: Any) -> "Finding":
        """What `to_json` wrote."""
        premises = tuple(_interval(margin) for margin in data["premises"])
        standing = Standing[data["standing"]]
        left, right = _interval(data["left"]), _interval(data["right"])
        return Finding(data["route"], data["bits"], standing, left, right, premises)


def find(outputs: Sequence[Any], arithmetic: Arithmetic[Any], *, identity: bool) -> Finding:
    """Decide what the outputs (both sides, then the margins) of a program prove."""
    left, right, *margins = (arithmetic.endpoints(output) for output in outputs)
    standing = _standing(left, right, margins, identity)
    kept = [_shortened(interval) for interval in (left, right, *margins)]
    return Finding(arithmetic.name, arithmetic.bits, standing, kept[0], kept[1], tuple(kept[2:]))


def _standing(left: Interval, right: Interval, margins: Sequence[Interval], identity: bool) -> Standing:
    if any(high < 0 for _, high in margins):
        return Standing.VACUOUS
    if not all(low >= 0 for low, _ in margins):
        return Standing.UNVERIFIED
    if any(low == high and _infinite(low) for low, high in (left, right)):  # an infinity is no side of a statement
        return Standing.OPEN
    if left == right == (0, 0):  # 0 against 0 says nothing, and is never a pass
        return Standing.VACUOUS
    return _of_identity(left, right) if identity else _of_inequality(left, right)


def _of_inequality(smaller: Interval, larger: Interval) -> Standing:
    if smaller[0] > larger[1]:
        return Standing.VIOLATED
    return Standing.HOLDS if smaller[1] <= larger[0] and not _infinite(larger[0]) else Standing.OPEN


def _of_identity(left: Interval, right: Interval) -> Standing:
    if left[0] > right[1] or right[0] > left[1]:
        return Standing.VIOLATED
    if left == right and left[0] == left[1]:
        return Standing.HOLDS
    ends = [Fraction(end) for end in (*left, *right) if not _infinite(end)]
    if len(ends) < 4:
        return Standing.OPEN
    widths = (ends[1] - ends[0]) + (ends[3] - ends[2])
    sharp = widths <= 2 * CONSISTENT_RELATIVE_RADIUS * max(abs(end) for end in ends)
    return Standing.CONSISTENT if sharp else Standing.OPEN


# ------------------------------------------------------------------------------------------------ endpoints as text


def _infinite(x: Endpoint) -> bool:
    return isinstance(x, float) and isinf(x)  # of a Fraction `isinf` would make a float, which may overflow


def _shortened(interval: Interval) -> Interval:
    low, high = interval
    return _rounded(low, up=False), _rounded(high, up=True)


def _rounded(x: Endpoint, *, up: bool) -> Endpoint:
    """x as a dyadic number of at most `KEPT_BITS` bits, outward."""
    if _infinite(x) or x == 0:
        return x
    x = Fraction(x)
    shift = KEPT_BITS - (abs(x.numerator).bit_length() - x.denominator.bit_length())
    scaled = x * Fraction(2) ** shift
    whole = -(-scaled.numerator // scaled.denominator) if up else scaled.numerator // scaled.denominator
    return Fraction(whole) * Fraction(2) ** -shift


def endpoint_text(x: Endpoint) -> str:
    """A dyadic number as `integer*2^exponent`."""
    if _infinite(x):
        return "inf" if x > 0 else "-inf"
    x = Fraction(x)
    if x == 0:
        return "0*2^0"
    numerator = x.numerator
    twos = (numerator & -numerator).bit_length() - 1
    return f"{numerator >> twos}*2^{twos - (x.denominator.bit_length() - 1)}"


def endpoint_from_text(text: str) -> Endpoint:
    """What `endpoint_text` wrote. Raises ValueError for anything else."""
    if text in ("inf", "-inf"):
        return inf if text == "inf" else -inf
    whole, _, exponent = text.partition("*2^")
    if len(whole) > 64 or len(exponent) > 8:
        raise ValueError(f"an endpoint of {len(text)} characters")
    return Fraction(int(whole)) * Fraction(2) ** int(exponent)


def _interval(texts: Sequence[str]) -> Interval:
    low, high = texts
    return endpoint_from_text(low), endpoint_from_text(high)
