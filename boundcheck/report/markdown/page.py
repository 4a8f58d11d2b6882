"""The page: what was found first, then the tables, then where it comes from."""

from collections.abc import Mapping, Sequence
from typing import Any

from boundcheck.outcome import MEANING, Verdict
from boundcheck.report.ablations import premises_taken_away, reasons
from boundcheck.report.counterexamples import BESIDE, enclosures, finding, replay_command, rungs, stored
from boundcheck.report.findings import HOW_IT_FALLS, failing, holding, refuted, upshot
from boundcheck.report.markdown.text import code, code_block, markdown_table, text
from boundcheck.report.provenance import UNFINISHED, provenance
from boundcheck.report.table import Column, Entry, Table, key, name, table
from boundcheck.report.tables import (
    constants_table,
    premise_table,
    real_table,
    refuted_tables,
    statement_tables,
    verdict_table,
)
from boundcheck.report.tightness import ranking

NO_FIGURES: Mapping[str, str] = {}


def markdown_page(run: Mapping[str, Any], *, title: str | None = None, figures: Mapping[str, str] = NO_FIGURES) -> str:
    """A run's record as Markdown that GitHub renders.

    Args:
        run: a run of the current schema.
        title: the page's heading.
        figures: where a figure lies, as a link from the page: "summary" is the only one that is asked for.

    """
    entries: list[Entry] = sorted(run["claims"], key=key)
    generated = [entry for entry in entries if entry["input"] == "generated"]
    real = [entry for entry in entries if entry["input"] == "real"]
    parts = [
        f"# {text(title or 'What the claims came to')}",
        text(upshot(entries)),
        "" if run["finished"] else f"**{UNFINISHED}**",
        *_failures(failing(entries)),
        *_fallen(refuted(entries)),
        *_group("What holds", statement_tables(holding(generated))),
        *([f"![How tight each claim is]({figures['summary']})"] if "summary" in figures else []),
        *_titled(verdict_table(generated)),
        *_titled(constants_table(generated)),
        *_titled(ranking(generated)),
        *_titled(premises_taken_away(entries)),
        _listed(reasons(entries)),
        *_titled(real_table(real)),
        *_notes(entries),
        *_titled(premise_table(entries)),
        *_section("Where this comes from", _provenance(run)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(heading: str, found: Table | None) -> list[str]:
    return [f"## {text(heading)}", markdown_table(found), text(found.note)] if found else []


def _group(heading: str, found: Sequence[Table]) -> list[str]:
    """Tables that explain their headers once, under a heading each."""
    parts = [part for one in found for part in (f"### {text(one.title)}", markdown_table(one))]
    return [f"## {text(heading)}", *parts, text(found[0].note)] if found else []


def _titled(found: Table | None) -> list[str]:
    return _section(found.title, found) if found else []


def _listed(items: Sequence[str]) -> str:
    return "\n".join(f"- {text(item)}" for item in items)


def _failures(entries: Sequence[Entry]) -> list[str]:
    """What is red, with all that is known of why."""
    parts = ["## What did not pass"] if entries else []
    parts += [text(BESIDE)] if stored(entries) else []
    for entry in entries:
        verdict = Verdict(entry["verdict"])
        parts += [f"### {code(name(entry))} {text(verdict)}", *_statement(entry)]
        parts += [text(f"{_sentence(entry['reason'])} {verdict} means: {MEANING[verdict]}."), *_counterexample(entry)]
    return parts


def _fallen(entries: Sequence[Entry]) -> list[str]:
    """What is false as printed: an overview, then each with its simplest instance."""
    parts = _group("What is false as printed", refuted_tables(entries))
    if entries:
        parts += [
            _listed([f"{word}: {HOW_IT_FALLS[word]}" for word in sorted({e["refuted_by"] for e in entries} - {None})])
        ]
        parts += ["## The counterexamples", text(BESIDE)]
    for entry in entries:
        parts += [f"### {code(name(entry))}", *_statement(entry), text(_sentence(entry["reason"]))]
        parts += _counterexample(entry)
    return parts


def _statement(entry: Entry) -> list[str]:
    return [f"> {text(entry['statement'])}", text(entry["source"])]


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].rstrip('.')}." if words else ""


def _counterexample(entry: Entry) -> list[str]:
    """The instance in numbers, what is proved of it, and how to prove it again."""
    parts = []
    if entry["shown"]:
        proved = enclosures(entry["shown"])
        parts += [code_block(entry["shown"]["instance"]), text(finding(entry["shown"]))]
        parts += [markdown_table(proved)] if proved else []
    ladder = rungs(entry)
    parts += [markdown_table(ladder)] if ladder else []
    parts += [f"Prove it again: {code(replay_command(entry['counterexample']))}"] if entry["counterexample"] else []
    return parts


def _notes(entries: Sequence[Entry]) -> list[str]:
    noted = [f"- {code(name(entry))}: {text(entry['notes'])}" for entry in entries if entry["notes"]]
    return ["## Notes", "\n".join(noted)] if noted else []


def _provenance(run: Mapping[str, Any]) -> Table | None:
    return table("", (Column("what"), Column("")), provenance(run))
