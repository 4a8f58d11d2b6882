"""What became of one claim between two runs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from boundcheck.exact import readable
from boundcheck.outcome import PASSING, Verdict
from boundcheck.report.compare.figures import Constant, Figures
from boundcheck.report.compare.moves import fall, number

SAME = 1e-6
"""Numbers that differ by no more than this share are the same: the last bits depend on the machine."""


class Kind(StrEnum):
    """What changed, the weightiest first."""

    FAILING = "newly failing"
    REFUTED = "newly refuted"
    GONE = "gone"
    LOOSER = "looser"
    VERDICT = "with another verdict"
    CONSTANTS = "with other constants"
    FIXED = "fixed"
    NEW = "new"
    TIGHTER = "tighter"
    STATEMENT = "with another statement"
    STANCE = "with another stance"
    MILDER = "with a milder counterexample"
    WORSE = "with a worse counterexample"
    COUNTS = "with other counts"


@dataclass(frozen=True)
class Change:
    """A claim in both runs, or in one of them; without `kinds` nothing changed.

    `also` says what the verdict and the ratio do not: constants, premises, counts, mutants, in words.
    """

    old: Figures | None
    new: Figures | None
    kinds: tuple[Kind, ...]
    also: tuple[str, ...] = ()

    @property
    def claim(self) -> str:
        """The claim's name."""
        either = self.new or self.old
        assert either is not None
        return either.claim


def change(old: Figures | None, new: Figures | None) -> Change:
    """What became of a claim; one of the two may be missing."""
    if old is None or new is None:
        return Change(old, new, (Kind.NEW if old is None else Kind.GONE,))
    constants, counts = tuple(_constants(old, new)), (*_premises(old, new), *_counts(old, new))
    other_words = old.statement != new.statement
    fallen = old.verdict == new.verdict == Verdict.REFUTED
    less, more = (Kind.MILDER, Kind.WORSE) if fallen else (Kind.LOOSER, Kind.TIGHTER)
    found = {
        **({_verdict(old.verdict, new.verdict): True} if old.verdict != new.verdict else {}),
        less: fall(old.ratio, new.ratio) > SAME,
        more: fall(new.ratio, old.ratio) > SAME,
        Kind.CONSTANTS: bool(constants),
        Kind.STATEMENT: other_words,
        Kind.STANCE: old.stance != new.stance,
        Kind.COUNTS: bool(counts),
    }
    stances = (f"{old.stance} → {new.stance}",) if old.stance != new.stance else ()
    also = (*stances, *constants, *(("the statement reads differently",) if other_words else ()), *counts)
    return Change(old, new, tuple(kind for kind in Kind if found.get(kind)), also)


def _verdict(old: str, new: str) -> Kind:
    if new == Verdict.REFUTED:
        return Kind.REFUTED
    if old in PASSING and new not in PASSING:
        return Kind.FAILING
    return Kind.FIXED if old not in PASSING and new in PASSING else Kind.VERDICT


def _constants(old: Figures, new: Figures) -> Iterator[str]:
    for name in sorted(old.constants.keys() | new.constants.keys()):
        before, after = old.constants.get(name), new.constants.get(name)
        if before is None or after is None:
            yield f"{name} is {'new' if before is None else 'gone'}"
        else:
            yield from _constant(name, before, after)


def _constant(name: str, before: Constant, after: Constant) -> Iterator[str]:
    if before.at != after.at:
        yield f"{name} checked at {readable(before.at)} → {readable(after.at)}"
    if before.better != after.better:
        yield f"{name} stronger if {before.better or 'neither'} → {after.better or 'neither'}"
    if not _same(before.found, after.found):
        yield f"{name} found {number(before.found)} → {number(after.found)}"


def _same(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is new
    return math.isclose(old, new, rel_tol=SAME)


def _premises(old: Figures, new: Figures) -> Iterator[str]:
    for name in sorted(old.premises.keys() | new.premises.keys()):
        before, after = (_met(one.premises.get(name)) for one in (old, new))
        if before != after:
            yield f"premise {name!r} met by {before} → {after}"


def _met(premise: tuple[int, int] | None) -> str:
    return "none (not stated)" if premise is None else f"{premise[0]:,} of {premise[1]:,}"


def _counts(old: Figures, new: Figures) -> Iterator[str]:
    for name, before in old.counts.items():
        if before != new.counts[name]:
            yield f"{name} {before:,} → {new.counts[name]:,}"
    if old.lived != new.lived:
        yield f"mutants that lived: {', '.join(old.lived) or 'none'} → {', '.join(new.lived) or 'none'}"
