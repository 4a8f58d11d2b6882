"""The words: what one instance can say, what a claim can end in, what each means. Needs no torch, so that pages are quick."""

from enum import IntEnum, StrEnum


class Status(IntEnum):
    """What one instance says. Premises come before the conclusion."""

    HOLDS = 0
    VACUOUS = 1
    PREMISE_UNVERIFIED = 2
    INCONCLUSIVE = 3
    VIOLATED_UNCERTIFIED = 4
    INVALID = 5
    CONSISTENT = 6
    VIOLATED = 7


HOLDING = (Status.HOLDS, Status.CONSISTENT)
"""What counts as held: an equality whose sides agree to 100 bits is as good as one can show without exact numbers."""

BREAKING = (Status.VIOLATED_UNCERTIFIED, Status.VIOLATED)


class Verdict(StrEnum):
    """What a claim's instances say together."""

    HOLDS = "HOLDS"
    REFUTED = "REFUTED"
    VIOLATED = "VIOLATED"
    VIOLATED_UNCERTIFIED = "VIOLATED_UNCERTIFIED"
    VACUOUS = "VACUOUS"
    TOOTHLESS = "TOOTHLESS"
    UNREFUTED = "UNREFUTED"
    UNDECIDED = "UNDECIDED"
    INVALID = "INVALID"
    ERROR = "ERROR"
    MEASURED = "MEASURED"


PASSING = frozenset({Verdict.HOLDS, Verdict.REFUTED, Verdict.MEASURED})
"""The verdicts with which a claim's test is green."""

MEANING: dict[Verdict, str] = {
    Verdict.HOLDS: "no violation, enough instances with verified premises, every mutant caught",
    Verdict.REFUTED: "false as printed: two independent proofs that a stored instance breaks it",
    Verdict.VIOLATED: "two independent proofs that a stored instance breaks it: the claim or its constants are wrong",
    Verdict.VIOLATED_UNCERTIFIED: "an instance breaks it beyond its computed error bounds, but that could not be proved twice",
    Verdict.VACUOUS: "no instance met its premises; draw instances nearer to them",
    Verdict.TOOTHLESS: "a wrong neighbour of it passed the same check; draw sharper instances or drop the mutant",
    Verdict.UNREFUTED: "known to be false, but no instance was found that shows it; try a larger profile",
    Verdict.UNDECIDED: "too few decided instances with verified premises; try a larger profile, or ask for fewer",
    Verdict.INVALID: "an instance gave NaN or an infinity; look at the claim's formula there",
    Verdict.ERROR: "the claim, its strategy or its model raised; see the message",
    Verdict.MEASURED: "real data or a conjecture: informs, never gates",
}
"""What each verdict says, and the next step."""
