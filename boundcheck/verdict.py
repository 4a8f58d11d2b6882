"""What one instance says: premises first, then the conclusion, both from enclosures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from boundcheck.outcome import BREAKING, HOLDING, MEANING, PASSING, Status, Verdict
from boundcheck.rigor.enclosure import Enclosure

__all__ = ["AGREEMENT", "BREAKING", "HOLDING", "MEANING", "PASSING", "Judgement", "Status", "Verdict", "judge"]

AGREEMENT = 2.0**-30
"""How sharp overlapping enclosures in float64 must be, relative to their size, to say that two sides agree."""


@dataclass(frozen=True)
class Judgement:
    """One status a lane, with what led to it.

    Attributes:
        status: int8 `[lanes]`, values of `Status`.
        smaller, larger: the two sides as enclosures `[lanes]` (left and right of an identity).
        premises: name to (margin enclosure, accepted mask).
        identity: whether the statement is an equality.
        established: name to whether the premise's constants are established.

    """

    status: Tensor
    smaller: Enclosure
    larger: Enclosure
    premises: Mapping[str, tuple[Enclosure, Tensor]]
    identity: bool = False
    established: Mapping[str, bool] = field(default_factory=dict)

    def count(self, status: Status) -> int:
        """How many lanes have this status."""
        return int((self.status == status).sum())

    def tightness(self) -> Tensor:
        """smaller / larger of each lane; NaN where a side is not certainly positive (0/0, or a sign that turns it round)."""
        meaningful = (self.larger.lower > 0) & (self.smaller.mid >= 0)
        return torch.where(meaningful, self.smaller.mid / self.larger.mid, torch.nan)

    def held(self) -> Tensor:
        """Lanes with verified premises on which the statement holds."""
        return self._any_of(*HOLDING)

    def broken(self) -> Tensor:
        """Lanes with verified premises on which the statement fails."""
        return self._any_of(*BREAKING)

    def open(self) -> Tensor:
        """Lanes that sharper enclosures might decide."""
        return self._any_of(Status.INCONCLUSIVE, Status.PREMISE_UNVERIFIED)

    def equal(self) -> Tensor:
        """Lanes with verified premises whose sides agree, within enclosures as sharp as an identity needs."""
        undecided = self._any_of(Status.INCONCLUSIVE, *HOLDING)
        return undecided & ~_disjoint(self.smaller, self.larger) & _sharp(self.smaller, self.larger)

    def apart(self) -> Tensor:
        """Lanes with verified premises whose sides certainly differ."""
        return (self.held() | self.broken()) & _disjoint(self.smaller, self.larger)

    def by_plain_floats(self) -> "Judgement":
        """For a claim with an operator whose rounding is not known: what looks broken is VIOLATED_UNCERTIFIED.

        Only lanes that are open for an infinite radius are touched; nothing is ever said to hold in this way.
        """
        blind = self.open() & (self.smaller.rad.isinf() | self.larger.rad.isinf())
        for margin, _ in self.premises.values():
            blind &= ~(margin.mid < 0)
        different = self.smaller.mid != self.larger.mid
        looks_broken = different if self.identity else self.smaller.mid > self.larger.mid
        status = torch.where(blind & looks_broken, Status.VIOLATED_UNCERTIFIED, self.status).to(torch.int8)
        return replace(self, status=status)

    def _any_of(self, *statuses: Status) -> Tensor:
        result = torch.zeros_like(self.status, dtype=torch.bool)
        for status in statuses:
            result |= self.status == status
        return result


def judge(
    smaller: Enclosure,
    larger: Enclosure,
    premises: Sequence[tuple[str, Enclosure, bool]],
    *,
    usable: Tensor,
    identity: bool = False,
) -> Judgement:
    """Judge every lane: premises first, then the conclusion.

    Args:
        smaller, larger: the sides `[lanes]` (left and right of an identity).
        premises: name, margin `[lanes]`, and whether its constants are established.
        usable: False for a lane whose drawn numbers were not finite: INVALID.
        identity: judge `smaller == larger` instead of `smaller <= larger`.

    """
    status = _conclusion(smaller, larger, identity)
    refuted = torch.zeros_like(usable)
    unverified = torch.zeros_like(usable)
    undefined = torch.zeros_like(usable)
    accepted: dict[str, tuple[Enclosure, Tensor]] = {}
    for name, margin, established in premises:
        holds = margin.lower >= 0  # an exact +inf, which has radius 0, included
        fails = margin.upper < 0
        refuted |= fails
        unverified |= ~fails & ~(holds & established) & ~margin.mid.isnan()
        undefined |= margin.mid.isnan()
        accepted[name] = (margin, holds & established)
    sides_undefined = ~(smaller.mid.isfinite() & larger.mid.isfinite())
    # Where a premise is open or false, what rests on it may be undefined (a division by σ_min = 0): that is no mistake.
    status = torch.where(sides_undefined | undefined, Status.INVALID, status)
    status = torch.where(unverified, Status.PREMISE_UNVERIFIED, status)
    status = torch.where(refuted, Status.VACUOUS, status)
    status = torch.where(usable, status, Status.INVALID).to(torch.int8)
    known = {name: established for name, _, established in premises}
    return Judgement(status, smaller, larger, accepted, identity, known)


def _disjoint(x: Enclosure, y: Enclosure) -> Tensor:
    return (x.lower > y.upper) | (y.lower > x.upper)


def _sharp(x: Enclosure, y: Enclosure) -> Tensor:
    return x.rad + y.rad <= AGREEMENT * torch.maximum(x.mid.abs(), y.mid.abs())


def _zero(x: Enclosure) -> Tensor:
    """Where x is 0, or at most what underflow adds to it."""
    return (x.mid == 0) & (x.rad < 2.0**-1022)


def _conclusion(smaller: Enclosure, larger: Enclosure, identity: bool) -> Tensor:
    nothing = _zero(smaller) & _zero(larger)  # 0 against 0 says nothing, and is never a pass
    if identity:  # that two floats agree is no proof of an equality, unless both are exact
        exact = (smaller.rad == 0) & (larger.rad == 0) & (smaller.mid == larger.mid)
        apart = _disjoint(smaller, larger)
        status = torch.where(apart, Status.VIOLATED_UNCERTIFIED, torch.where(exact, Status.HOLDS, Status.INCONCLUSIVE))
    else:
        holds = smaller.upper <= larger.lower
        broken = smaller.lower > larger.upper
        status = torch.where(broken, Status.VIOLATED_UNCERTIFIED, torch.where(holds, Status.HOLDS, Status.INCONCLUSIVE))
    return torch.where(nothing, Status.VACUOUS, status)
