"""A claim's place in the page: order, anchor, neighbours, figures, and what holds of the same result."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from boundcheck.report.html.counterexamples import enclosures, sides_in_words
from boundcheck.report.html.groups import HOLDS, Group, group_of
from boundcheck.report.html.pictures import Picture, pictures
from boundcheck.report.html.sources import cited

Entry = Mapping[str, Any]
Natural = list[tuple[int, str]]

FALLEN_BY = {
    "instance": "one instance is enough: it meets every premise and breaks the statement",
    "order": "its order is wrong: of a stored instance the larger side is proved to be 0 or less, so no constant helps",
    "ladder": "it leaves constants open, and falls for each choice of them on a ladder that runs to ever weaker ones",
    "statistical": "it speaks of a probability, and independent samples fail more often than it allows",
}
"""How a refuted claim falls, by `refuted_by`."""

STANCES = {
    "printed": "as the source prints it",
    "proved": "true with the explicit constants given here",
    "corrected": "a false statement repaired, and held to the same standard as a proved one",
    "conjectured": "not settled",
}
"""What each stance says."""

COUNTS = (
    "tested",
    "held",
    "violated",
    "violated_uncertified",
    "vacuous",
    "unverified",
    "inconclusive",
    "at_equality",
    "invalid",
)
COUNT_NAMES = {
    "held": "holds",
    "violated": "broken, proved twice",
    "violated_uncertified": "broken, beyond error bounds",
    "at_equality": "of these, at equality",
}


@dataclass(frozen=True)
class Section:
    """What the page says of one claim."""

    entry: Entry
    key: str
    anchor: str
    group: Group
    pictures: Sequence[Picture]
    paper: str
    place: str
    """Where in the paper."""
    true_instead: list[tuple[str, str]] = field(default_factory=list)
    """Key and anchor of statements of the same result that hold."""
    previous: tuple[str, str] | None = None
    next: tuple[str, str] | None = None

    @property
    def broken(self) -> int:
        """Instances that broke it."""
        return int(self.entry["violated"]) + int(self.entry["violated_uncertified"])

    @property
    def stance(self) -> str:
        """What its stance says."""
        return STANCES[self.entry["stance"]]

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many instances ended how."""
        return [(COUNT_NAMES.get(name, name), self.entry[name]) for name in COUNTS]

    @property
    def stored_sides(self) -> str:
        """Both sides at the stored counterexample, as the first route encloses them; empty where the run holds none."""
        return sides_in_words(self.entry["shown"], self.entry["kind"])

    @property
    def routes(self) -> list[tuple[str, list[str]]]:
        """What was enclosed at the stored counterexample, and each route's enclosure of it."""
        return enclosures(self.entry["shown"])

    @property
    def hunted_words(self) -> str:
        """What the ratio that a hunt found says."""
        hunted = self.entry["hunted"]
        if hunted["status"] == "VIOLATED":
            return "it breaks the statement, proved by two routes"
        if hunted["status"] == "VIOLATED_UNCERTIFIED":
            return "it looks broken there, not proved twice"
        return "the bound is attained" if hunted["attained"] else "confirmed in ball arithmetic"

    @property
    def fallen_by(self) -> str:
        """How it falls, in words."""
        return FALLEN_BY.get(self.entry["refuted_by"] or "", "")


def sections(entries: Sequence[Entry], told: Callable[[int, int, str], None] | None) -> list[Section]:
    """One section a claim: generated instances before real data, each paper by itself, in the order of the results' numbers."""
    where = cited(entry["source"] for entry in entries)
    ordered = sorted(entries, key=lambda entry: _order(entry, where[entry["source"]][0]))
    anchors = list(_anchors(ordered))
    links = [(key_of(entry), anchor) for entry, anchor in zip(ordered, anchors, strict=True)]
    made = []
    for index, (entry, (key, anchor)) in enumerate(zip(ordered, links, strict=True)):
        if told is not None:
            told(index, len(ordered), key)
        made.append(
            Section(
                entry,
                key,
                anchor,
                group_of(entry),
                pictures(entry, anchor),
                *where[entry["source"]],
                true_instead=_true_instead(entry, ordered, links),
                previous=links[index - 1] if index else None,
                next=links[index + 1] if index + 1 < len(links) else None,
            )
        )
    if told is not None:
        told(len(ordered), len(ordered), "")
    return made


def key_of(entry: Entry) -> str:
    """id:form."""
    return f"{entry['id']}:{entry['form']}"


def by_paper(sections: Sequence[Section]) -> list[tuple[str, list[Section]]]:
    """The sections, in their order, with the paper that each run of them comes from."""

    def heading(section: Section) -> str:
        return section.paper + (": real data" if section.entry["input"] == "real" else "")

    return [(paper, list(members)) for paper, members in groupby(sections, key=heading)]


def _order(entry: Entry, paper: str) -> tuple[bool, str, Natural, Natural]:
    return entry["input"] != "generated", paper, _natural(entry["id"]), _natural(entry["form"])


def _natural(name: str) -> Natural:
    """Sorts 6 before 15."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name) if part]


def _anchors(entries: Sequence[Entry]) -> Iterator[str]:
    """An id in the page for each claim: its key in plain characters, numbered where two would be the same."""
    seen: set[str] = set()
    for entry in entries:
        plain = "claim-" + (re.sub(r"[^A-Za-z0-9.]+", "-", key_of(entry)).strip("-") or "unnamed")
        anchor, number = plain, 1
        while anchor in seen:
            number += 1
            anchor = f"{plain}-{number}"
        seen.add(anchor)
        yield anchor


def _true_instead(entry: Entry, others: Sequence[Entry], links: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    if entry["verdict"] != "REFUTED":
        return []
    return [
        link
        for other, link in zip(others, links, strict=True)
        if other["id"] == entry["id"] and other["input"] == "generated" and group_of(other) is HOLDS
    ]
