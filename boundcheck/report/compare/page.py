"""A comparison for a terminal, for GitHub and for other programs."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from tabulate import tabulate

from boundcheck.exact import readable
from boundcheck.record.store import one_line
from boundcheck.report.compare.changes import Change
from boundcheck.report.compare.figures import Figures
from boundcheck.report.compare.moves import fall, number, percent
from boundcheck.report.compare.runs import Comparison

FORMATS = ("terminal", "markdown", "json")

HEADERS = ("claim", "change", "verdict", "ratio", "also")
NOTE = "ratio: the worst smaller side / larger side found, drawn or hunted (inf: the larger side is 0 or less)."

_MARKED = re.compile(r"([\\`*_\[\]<>|~&$]|^[#+-]|^\d+(?=[.)]))")


def page(comparison: Comparison, form: str, *, everything: bool = False) -> str:
    """The comparison in one of `FORMATS`: the upshot, the two runs, notes, a row a changed claim (or a claim), regressions."""
    shown = comparison.changes if everything else comparison.changed
    if form == "json":
        return json.dumps(_data(comparison, shown), indent=1, allow_nan=False)
    return "\n".join(_markdown(comparison, shown) if form == "markdown" else _terminal(comparison, shown))


def _terminal(comparison: Comparison, shown: tuple[Change, ...]) -> Iterator[str]:
    yield comparison.upshot()
    yield f"old: {one_line(comparison.old)}"
    yield f"new: {one_line(comparison.new)}"
    yield from (one_line(note) for note in comparison.notes)
    if shown:
        rows = [[one_line(cell) for cell in _row(one)] for one in shown]
        yield ""
        yield str(tabulate(rows, headers=HEADERS, tablefmt="simple", disable_numparse=True))
        yield NOTE
    if comparison.regressions:
        yield ""
        yield "Regressions"
        yield from (f"    {one_line(one.sentence)}" for one in comparison.regressions)


def _markdown(comparison: Comparison, shown: tuple[Change, ...]) -> Iterator[str]:
    yield f"**{escaped(comparison.upshot())}**\n"
    lines = (f"old: {comparison.old}", f"new: {comparison.new}", *comparison.notes)
    yield from (f"- {escaped(line)}" for line in lines)
    if shown:
        yield "\n" + "\n".join(_pipes(row) for row in (HEADERS, ("---",) * len(HEADERS)))
        yield from (_pipes(tuple(escaped(cell) for cell in _row(one))) for one in shown)
        yield f"\n{escaped(NOTE)}"
    if comparison.regressions:
        yield "\nRegressions:\n"
        yield from (f"- {escaped(one.sentence)}" for one in comparison.regressions)


def escaped(text: str) -> str:
    """The text on one line, with what Markdown would read as a mark taken literally."""
    return _MARKED.sub(_literal, one_line(text))


def _literal(mark: re.Match[str]) -> str:
    return f"{mark[0]}\\" if mark[0].isdigit() else f"\\{mark[0]}"


def _pipes(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _row(one: Change) -> list[str]:
    kinds = ", ".join(one.kinds) or "as before"
    verdicts = _arrow(*(side.verdict for side in _sides(one)))
    ratios = _arrow(*(number(side.ratio) for side in _sides(one)))
    return [one.claim, kinds, verdicts, f"{ratios}{_by(one)}", "; ".join(one.also)]


def _sides(one: Change) -> list[Figures]:
    return [side for side in (one.old, one.new) if side is not None]


def _arrow(*words: str) -> str:
    return " → ".join(dict.fromkeys(words))


def _by(one: Change) -> str:
    """By how much of what it was a ratio fell or rose, where that can be said."""
    old, new = (side.ratio if side else None for side in (one.old, one.new))
    if old is None or new is None or old <= 0 or number(old) == number(new) or math.inf in (old, new):
        return ""
    return f" (-{percent(fall(old, new))})" if new < old else f" (+{percent((new - old) / old)})"


def _data(comparison: Comparison, shown: tuple[Change, ...]) -> dict[str, Any]:
    return {
        "upshot": comparison.upshot(),
        "old": comparison.old,
        "new": comparison.new,
        "notes": list(comparison.notes),
        "claims": [_claim(one) for one in shown],
        "limits": None if comparison.limits is None else str(comparison.limits),
        "regressions": [asdict(one) for one in comparison.regressions],
    }


def _claim(one: Change) -> dict[str, Any]:
    return {
        "claim": one.claim,
        "change": [str(kind) for kind in one.kinds],
        "old": _side(one.old),
        "new": _side(one.new),
        "also": list(one.also),
    }


def _side(side: Figures | None) -> dict[str, Any] | None:
    """The figures of one run; JSON has no infinity, so that an infinite ratio is the text "inf"."""
    if side is None:
        return None
    constants = {name: {"at": readable(one.at), "found": one.found} for name, one in side.constants.items()}
    premises = {name: {"accepted": met, "stated": stated} for name, (met, stated) in side.premises.items()}
    ratio = "inf" if side.ratio == math.inf else side.ratio
    figures = {"verdict": side.verdict, "ratio": ratio, "counts": dict(side.counts)}
    return figures | {"constants": constants, "premises": premises}
