"""The verdict lattice: what one instance says, what a claim's instances say together, and what each word means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import torch
from torch import Tensor

from boundcheck.rigor.enclosure import Enclosure

IDENTITY_RELATIVE_RADIUS = 2.0**-30
"""How sharp overlapping enclosures of an identity must be, relative to its size, to count as consistent in float64."""


class Status(IntEnum):
    """What one instance says. Premises come before the conclusion."""

    HOLDS = 0
    VACUOUS = 1
    PREMISE_UNVERIFIED = 2
    INCONCLUSIVE = 3
    VIOLATED_UNCERTIFIED = 4
    INVALID = 5


class Verdict(StrEnum):
    """What a claim's instances say together."""

    HOLDS = "HOLDS"
    REFUTED_UNCERTIFIED = "REFUTED_UNCERTIFIED"
    VIOLATED_UNCERTIFIED = "VIOLATED_UNCERTIFIED"
    VACUOUS = "VACUOUS"
    TOOTHLESS = "TOOTHLESS"
    UNREFUTED = "UNREFUTED"
    UNDECIDED = "UNDECIDED"
    INVALID = "INVALID"
    ERROR = "ERROR"
    MEASURED = "MEASURED"


PASSING = frozenset({Verdict.HOLDS, Verdict.REFUTED_UNCERTIFIED, Verdict.MEASURED})
"""The verdicts with which a claim's test is green."""

MEANING: dict[Verdict, str] = {
    Verdict.HOLDS: "no violation, enough instances with verified premises, every mutant caught",
    Verdict.REFUTED_UNCERTIFIED: "false as printed: an instance breaks it beyond its computed error bounds",
    Verdict.VIOLATED_UNCERTIFIED: "an instance breaks it beyond its computed error bounds: the claim or its constants are wrong",
    Verdict.VACUOUS: "no instance met its premises; draw instances nearer to them",
    Verdict.TOOTHLESS: "a wrong neighbour of it passed the same check; draw sharper instances or drop the mutant",
    Verdict.UNREFUTED: "known to be false, but no instance was found that shows it; try a larger profile",
    Verdict.UNDECIDED: "too few decided instances with verified premises; try a larger profile, or ask for fewer",
    Verdict.INVALID: "an instance gave NaN or an infinity; look at the claim's formula there",
    Verdict.ERROR: "the claim, its strategy or its model raised; see the message",
    Verdict.MEASURED: "real data or a conjecture: informs, never gates",
}
"""What each verdict says, and the next step."""


@dataclass(frozen=True)
class Judgement:
    """One status a lane, with what led to it.

    Attributes:
        status: int8 `[lanes]`, values of `Status`.
        smaller, larger: the two sides as enclosures `[lanes]` (left and right of an identity).
        premises: name to (margin enclosure, accepted mask).
        identity: whether the statement is an equality.

    """

    status: Tensor
    smaller: Enclosure
    larger: Enclosure
    premises: Mapping[str, tuple[Enclosure, Tensor]]
    identity: bool = False

    def count(self, status: Status) -> int:
        """How many lanes have this status."""
        return int((self.status == status).sum())

    def tightness(self) -> Tensor:
        """smaller / larger of each lane; NaN where a side is not certainly positive (0/0, or a sign that turns it round)."""
        meaningful = (self.larger.lower > 0) & (self.smaller.mid >= 0)
        return torch.where(meaningful, self.smaller.mid / self.larger.mid, torch.nan)

    def equal(self) -> Tensor:
        """Lanes with verified premises whose sides agree, within enclosures as sharp as an identity needs."""
        open_ = (self.status == Status.INCONCLUSIVE) | (self.status == Status.HOLDS)
        return open_ & ~_disjoint(self.smaller, self.larger) & _sharp(self.smaller, self.larger)

    def apart(self) -> Tensor:
        """Lanes with verified premises whose sides certainly differ."""
        decided = (self.status == Status.VIOLATED_UNCERTIFIED) | (self.status == Status.HOLDS)
        return decided & _disjoint(self.smaller, self.larger)


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
    return Judgement(status, smaller, larger, accepted, identity)


def _disjoint(x: Enclosure, y: Enclosure) -> Tensor:
    return (x.lower > y.upper) | (y.lower > x.upper)


def _sharp(x: Enclosure, y: Enclosure) -> Tensor:
    return x.rad + y.rad <= IDENTITY_RELATIVE_RADIUS * torch.maximum(x.mid.abs(), y.mid.abs())


def _zero(x: Enclosure) -> Tensor:
    """Where x is 0, or at most what underflow adds to it."""
    return (x.mid == 0) & (x.rad < 2.0**-1022)


def _conclusion(smaller: Enclosure, larger: Enclosure, identity: bool) -> Tensor:
    nothing = _zero(smaller) & _zero(larger)  # 0 against 0 says nothing, and is never a pass
    if identity:
        apart, sharp = _disjoint(smaller, larger), _sharp(smaller, larger)
        status = torch.where(apart, Status.VIOLATED_UNCERTIFIED, torch.where(sharp, Status.HOLDS, Status.INCONCLUSIVE))
    else:
        holds = smaller.upper <= larger.lower
        broken = smaller.lower > larger.upper
        status = torch.where(broken, Status.VIOLATED_UNCERTIFIED, torch.where(holds, Status.HOLDS, Status.INCONCLUSIVE))
    return torch.where(nothing, Status.VACUOUS, status)
