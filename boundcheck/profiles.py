"""How hard a run looks: profiles by name."""

from dataclasses import dataclass, replace

from boundcheck.errors import BoundcheckError


@dataclass(frozen=True)
class Climbs:
    """How hard a claim's worst case is looked for after its random instances (see `boundcheck.search.hunting`).

    Attributes:
        structures, lanes, steps: as those of a Hunt; 0 structures: no hunt.

    """

    structures: int
    lanes: int
    steps: int

    @staticmethod
    def parse(text: str) -> "Climbs":
        """`off`, or such as `4x128x120`: structures, lanes, steps."""
        if text == "off":
            return NO_CLIMBS
        parts = text.split("x")
        if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and int(part) > 0 for part in parts):
            raise BoundcheckError(f"the hunt {text!r}", expected="off, or structures x lanes x steps such as 4x128x120")
        return Climbs(*map(int, parts))


NO_CLIMBS = Climbs(0, 1, 1)


@dataclass(frozen=True)
class Profile:
    """A budget in evaluations, never in seconds.

    Attributes:
        holds: instances with verified premises and a decided conclusion that a proved claim needs.
        lanes: instances evaluated at once (canonical: a batch is never split).
        structures: at least so many are looked at before a claim may stop (or twice as many draws, where there are fewer).
        examples: at most so many are drawn.
        batches: batches of each structure (one trace serves them all).
        proofs: at most so many instances that floats leave open are tried in ball arithmetic.
        climbs: the hunt after it.

    """

    name: str
    holds: int
    lanes: int
    structures: int
    examples: int
    batches: int
    proofs: int
    climbs: Climbs

    def asking(self, holds: int) -> "Profile":
        """The same profile with another number of holds."""
        return replace(self, holds=holds)

    def hunting(self, climbs: Climbs) -> "Profile":
        """The same profile with another hunt."""
        return replace(self, climbs=climbs)


PROFILES = {
    "fast": Profile(
        "fast", holds=200, lanes=64, structures=6, examples=24, batches=1, proofs=600, climbs=Climbs(1, 32, 32)
    ),
    "default": Profile(
        "default",
        holds=20_000,
        lanes=1024,
        structures=16,
        examples=64,
        batches=2,
        proofs=6_000,
        climbs=Climbs(4, 128, 120),
    ),
    "deep": Profile(
        "deep",
        holds=1_000_000,
        lanes=1024,
        structures=64,
        examples=400,
        batches=8,
        proofs=100_000,
        climbs=Climbs(16, 256, 400),
    ),
}


def profile(name: str) -> Profile:
    """The profile of that name. Raises BoundcheckError for another."""
    if name not in PROFILES:
        raise BoundcheckError(f"the profile {name!r}", expected=f"one of {', '.join(PROFILES)}")
    return PROFILES[name]
