"""What a run found, in words: what holds, what fell and how, what is not as it should be."""

import math
from collections.abc import Sequence

from boundcheck.outcome import PASSING, Verdict
from boundcheck.report.table import Entry, key, name

HOW_IT_FALLS = {
    "instance": "One instance breaks it, proved by two independent routes.",
    "order": "On one instance the larger side is proved to be 0 or less while the smaller is above 0, so that no constant helps.",
    "ladder": "It leaves constants open: an instance of its own breaks it for every value that was tried.",
    "statistical": "It bounds a probability: in independent samples it failed more often than chance allows, were it true.",
}

_DOING = {Verdict.HOLDS: ("holds", "hold"), Verdict.REFUTED: ("is refuted", "are refuted")}
_DOING[Verdict.MEASURED] = ("is measured, for information", "are measured, for information")


def holding(entries: Sequence[Entry]) -> list[Entry]:
    """The claims that hold, sorted by key."""
    return _of(entries, Verdict.HOLDS)


def refuted(entries: Sequence[Entry]) -> list[Entry]:
    """The claims that are known to be false and fell, sorted by key."""
    return _of(entries, Verdict.REFUTED)


def measured(entries: Sequence[Entry]) -> list[Entry]:
    """Conjectures and real data, sorted by key."""
    return _of(entries, Verdict.MEASURED)


def failing(entries: Sequence[Entry]) -> list[Entry]:
    """The claims whose test is red, sorted by key."""
    return sorted((e for e in entries if Verdict(e["verdict"]) not in PASSING), key=key)


def _of(entries: Sequence[Entry], verdict: Verdict) -> list[Entry]:
    return sorted((e for e in entries if e["verdict"] == verdict), key=key)


def upshot(entries: Sequence[Entry]) -> str:
    """One or two sentences: how many claims, on how many instances, ended how, and which are red."""
    if not entries:
        return "No claim was checked."
    groups = {verdict: _of(entries, verdict) for verdict in _DOING}
    counts = [f"{len(group)} {_DOING[verdict][len(group) != 1]}" for verdict, group in groups.items() if group]
    red = failing(entries)
    if red:
        counts.append(f"{len(red)} did not pass")
    tested = sum(entry["tested"] for entry in entries)
    claims = "1 claim was" if len(entries) == 1 else f"{len(entries)} claims were"
    first = f"{claims} checked on {tested:,} instances: {_joined(counts)}."
    named = [f"{name(e)} ({e['verdict']})" for e in red]
    return first + (f" Not passed: {_joined(named)}." if red else "")


def _joined(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def unbounded(entry: Entry) -> bool:
    """Whether an inequality is broken although no ratio above 1 was seen: where its larger side is 0 or less there is none.

    A ratio of exactly 1 may be one above 1 that a float does not tell from it: it is no sign of such a side by itself.
    """
    hunted = entry["hunted"]["ratio"][0] if entry["hunted"] else None
    seen = max(ratio or 0.0 for ratio in (entry["tightness"]["max"], hunted))
    broken = entry["violated"] or entry["violated_uncertified"] or entry["counterexample"]
    return (
        bool(broken)
        and entry.get("kind") == "inequality"
        and (seen < 1 or (seen == 1 and entry["refuted_by"] == "order"))
    )


def drawn_ratio(entry: Entry) -> float | None:
    """The largest ratio of smaller to larger side drawn; inf where the larger side of an instance that breaks it is 0 or less."""
    drawn: float | None = entry["tightness"]["max"]
    return math.inf if unbounded(entry) else drawn


def hunted_ratio(entry: Entry) -> float | None:
    """The ratio of the worst instance that a climb found, from below; inf where its larger side is 0 or less."""
    if not entry["hunted"]:
        return None
    low: float | None = entry["hunted"]["ratio"][0]
    return math.inf if low is None else low


def worst_ratio(entry: Entry) -> float | None:
    """The larger of the two."""
    return max((ratio for ratio in (drawn_ratio(entry), hunted_ratio(entry)) if ratio is not None), default=None)


def papers(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """The entries by the paper they are from, each sorted by key.

    A source is one line, "authors, title, place", and any of the three may hold commas. Entries whose first part is the same are
    taken to be of one paper, which is called by the parts that all of them share.
    """
    groups: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=key):
        groups.setdefault(entry["source"].split(", ")[0], []).append(entry)
    return {_shared([entry["source"] for entry in group]): group for group in groups.values()}


def place(entry: Entry, paper: str) -> str:
    """Where in its paper a statement stands; its whole source where that says no more than the paper."""
    return entry["source"].removeprefix(paper).lstrip(", ") or entry["source"]


def _shared(sources: Sequence[str]) -> str:
    parts = [source.split(", ") for source in sources]
    count = next((i for i, level in enumerate(zip(*parts, strict=False)) if len(set(level)) > 1), min(map(len, parts)))
    return ", ".join(parts[0][:count])
