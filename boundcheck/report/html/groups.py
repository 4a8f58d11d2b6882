"""What a verdict comes to for a reader, told by a word and a shape as well as by a colour."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boundcheck.outcome import MEANING, Verdict


@dataclass(frozen=True)
class Group:
    """Verdicts that mean the same for a reader.

    Attributes:
        name: of its CSS class, its shape and its choice in the filter.
        words: what the filter and the summary call it.
        path: the shape, drawn in a box of 16 by 16.

    """

    name: str
    words: str
    path: str


HOLDS = Group("holds", "holds", "M8 1a7 7 0 1 0 0 14a7 7 0 1 0 0-14z M4.6 8.2l2.4 2.4 4.6-5")
REFUTED = Group("falls", "refuted", "M2.5 2.5l11 11 M13.5 2.5l-11 11")
OPEN = Group("open", "undecided", "M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4z")
FAILS = Group("fails", "failing", "M8 1.5L15 14H1z M8 6v4 M8 11.6v.8")
INFORMS = Group("informs", "only informs", "M8 1.2L14.8 8L8 14.8L1.2 8z")
GROUPS = (HOLDS, REFUTED, OPEN, FAILS, INFORMS)

_OF = {
    Verdict.HOLDS: HOLDS,
    Verdict.REFUTED: REFUTED,
    Verdict.MEASURED: INFORMS,
    Verdict.VACUOUS: OPEN,
    Verdict.UNREFUTED: OPEN,
    Verdict.UNDECIDED: OPEN,
    Verdict.VIOLATED: FAILS,
    Verdict.VIOLATED_UNCERTIFIED: FAILS,
    Verdict.TOOTHLESS: FAILS,
    Verdict.INVALID: FAILS,
    Verdict.ERROR: FAILS,
}


def group_of(entry: Mapping[str, Any]) -> Group:
    """The group of a claim's verdict."""
    return _OF[Verdict(entry["verdict"])]


def meaning(entry: Mapping[str, Any]) -> str:
    """What the verdict says, and the next step."""
    return MEANING[Verdict(entry["verdict"])]


def verdict_words(entry: Mapping[str, Any]) -> str:
    """The verdict as people read it: VIOLATED UNCERTIFIED."""
    return str(entry["verdict"]).replace("_", " ")
