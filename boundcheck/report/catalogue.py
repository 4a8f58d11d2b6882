"""The claims there are, by the result they are about: as text, as a table in Markdown, as JSON."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

NO_VERDICT = "-"


@dataclass(frozen=True)
class Row:
    """One claim as it is listed.

    Attributes:
        key: `id:form`.
        paper, result: the source's paper, and the numbered result in it.
        stance: printed, proved, corrected or conjectured.
        refuted_by: how a printed statement that is known to be false falls; "" for any other.
        input: generated or real.
        statement: in words.
        undecidable: what no finite instance can decide about it; "" for nothing.
        verdict: of the run that is shown; `NO_VERDICT` where it has none.

    """

    key: str
    paper: str
    result: str
    stance: str
    refuted_by: str
    input: str
    statement: str
    undecidable: str = ""
    verdict: str = NO_VERDICT

    @property
    def standing(self) -> str:
        """The stance, and what else a reader has to know beside it."""
        false = ", known to be false" if self.refuted_by else ""
        return f"{self.stance}{false}{', real data' if self.input == 'real' else ''}"


def in_order(rows: Iterable[Row]) -> list[Row]:
    """By paper and result, numbers by their size; within a result by key."""
    return sorted(rows, key=lambda row: (row.paper, _natural(row.result), row.key))


def _natural(text: str) -> list[Any]:
    """Text and numbers in turn, so that Lemma 8 comes before Lemma 10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]


def _papers(rows: Iterable[Row]) -> Iterator[tuple[str, list[tuple[str, list[Row]]]]]:
    for paper, of_paper in groupby(in_order(rows), key=lambda row: row.paper):
        yield paper, [(result, list(group)) for result, group in groupby(of_paper, key=lambda row: row.result)]


def text_page(rows: Iterable[Row]) -> str:
    """For a terminal: a heading a paper and a result, two lines a claim."""
    lines: list[str] = []
    for paper, results in _papers(rows):
        lines += [paper, ""]
        for result, claims in results:
            lines.append(f"  {result}")
            for row in claims:
                lines.append(f"    {row.key:28} {row.verdict:12} {row.standing}")
                lines.append(f"        {row.statement}")
                if row.undecidable:
                    lines.append(f"        Not decided by instances: {row.undecidable}")
            lines.append("")
    return "\n".join(lines).rstrip()


def markdown_page(rows: Iterable[Row], *, verdicts: bool) -> str:
    """A table a paper, a row a claim, the result named at its first; a column for verdicts where they are asked for."""
    pages = []
    for paper, results in _papers(rows):
        headers = ["result", "claim", "stance", *(["verdict"] if verdicts else []), "statement"]
        lines = [f"**{_cell(paper)}**", "", _line(headers), _line(["---"] * len(headers))]
        for result, claims in results:
            for place, row in enumerate(claims):
                shown = [row.verdict] if verdicts else []
                cells = [
                    _cell(result) if place == 0 else "",
                    f"`{row.key}`",
                    row.standing,
                    *shown,
                    _cell(row.statement),
                ]
                lines.append(_line(cells))
        pages.append("\n".join(lines))
    return "\n\n".join(pages)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


_SPECIAL = re.compile(r"([\\|`*~$]|\](?=[(\[])|(?<!\w)_|_(?!\w)|<(?=[A-Za-z/!?])|&(?=[#\w]))")
"""What Markdown would take for markup: `λ_1` and `a <= b` are none."""


def _cell(text: str) -> str:
    """On one line, and as it stands: nothing in it is markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def json_page(rows: Iterable[Row], run: Mapping[str, Any] | None) -> str:
    """An object with `run` (which one the verdicts are of, or null) and `claims`."""
    claims = [asdict(row) | {"verdict": None if row.verdict == NO_VERDICT else row.verdict} for row in in_order(rows)]
    return json.dumps({"run": run, "claims": claims}, indent=1, ensure_ascii=False)
