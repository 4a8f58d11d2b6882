"""The document: what was found, the summary figure, tables for a paper, the counterexamples in numbers, where it comes from."""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from boundcheck.outcome import MEANING, Verdict
from boundcheck.report.ablations import premises_taken_away, reasons
from boundcheck.report.counterexamples import BESIDE, enclosures, finding, replay_command, rungs, stored
from boundcheck.report.figures.summary import page_count
from boundcheck.report.findings import HOW_IT_FALLS, failing, holding, refuted, upshot
from boundcheck.report.latex.tables import fragment, longtable, longtables
from boundcheck.report.latex.text import code, comment, statement, words
from boundcheck.report.provenance import UNFINISHED, provenance, stamp
from boundcheck.report.table import Entry, Table, key, name
from boundcheck.report.tables import (
    constants_table,
    premise_table,
    real_table,
    refuted_tables,
    statement_tables,
    verdict_table,
)

IN_PRINT = ("claim", "verdict", "holds", "broken", "vacuous", "inconcl.", "median", "tightest", "hunted")
"""The columns of the table of verdicts that fit a page; the premises have a table of their own."""

SCALE = 0.82
"""Of the summary figure, so that a full part of it fits a page above its caption."""


def latex_page(run: Mapping[str, Any], *, title: str | None = None, figure: str | None = None) -> str:
    """A run's record as a document that pdflatex and lualatex compile.

    Args:
        run: a run of the current schema.
        title: the document's.
        figure: the name of a PDF beside the document that holds the summary figure, one page for each of its parts.

    """
    entries: list[Entry] = sorted(run["claims"], key=key)
    generated = [entry for entry in entries if entry["input"] == "generated"]
    real = [entry for entry in entries if entry["input"] == "real"]
    fallen = refuted(entries)
    parts = [
        comment(stamp(run)),
        resources.files("boundcheck.report.latex").joinpath("preamble.tex").read_text(encoding="ascii").rstrip(),
        rf"\title{{{words(title or 'What the claims came to')}}}",
        rf"\author{{boundcheck {words(run['version'])}}}",
        rf"\date{{{words(run['datetime'][:10])}}}",
        r"\begin{document}",
        r"\maketitle",
        words(upshot(entries)),
        "" if run["finished"] else rf"\textbf{{{words(UNFINISHED)}}}",
        *_failures(failing(entries)),
        *_group("What is false as printed", refuted_tables(fallen), "refuted"),
        _how(fallen),
        *_figures(entries, figure),
        *_group("What holds", statement_tables(holding(generated)), "statements"),
        *_section("Verdicts", _printed(generated), "verdicts"),
        _meanings(generated),
        *_section("Constants", constants_table(generated), "constants"),
        *_section("Real data", real_table(real), "real"),
        *_section("Premises taken away", premises_taken_away(entries), "ablations"),
        _listed([words(reason) for reason in reasons(entries)]),
        *_notes(entries),
        *_counterexamples(fallen),
        *_section("Premises", premise_table(entries), "premises"),
        *_provenance(run),
        r"\end{document}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def fragments(run: Mapping[str, Any]) -> dict[str, str]:
    """The tables that a paper reads with \\input, by the name of the file; none that would be empty."""
    entries: list[Entry] = sorted(run["claims"], key=key)
    generated = [entry for entry in entries if entry["input"] == "generated"]
    found: dict[str, list[Table | None]] = {
        "verdicts": [_printed(generated)],
        "constants": [constants_table(generated)],
        "refuted": [*refuted_tables(refuted(entries))],
    }
    tables = {what: [table for table in several if table] for what, several in found.items()}
    return {f"{what}.tex": fragment(several, _label(what), stamp(run)) for what, several in tables.items() if several}


def _label(what: str) -> str:
    return f"tab:boundcheck-{what}"


def _printed(entries: Sequence[Entry]) -> Table | None:
    whole = verdict_table(entries)
    return whole and whole.only(*IN_PRINT)


def _section(heading: str, table: Table | None, label: str) -> list[str]:
    return _group(heading, [table], label) if table else []


def _group(heading: str, tables: Sequence[Table], label: str) -> list[str]:
    return [rf"\section{{{words(heading)}}}", longtables(tables, _label(label))] if tables else []


def _listed(items: Sequence[str]) -> str:
    return "\n".join([r"\begin{itemize}", *(rf"\item {item}" for item in items), r"\end{itemize}"]) if items else ""


def _figures(entries: Sequence[Entry], figure: str | None) -> list[str]:
    """Every part of the summary figure on a page of its own."""
    if figure is None:
        return []
    return [
        rf"\begin{{figure}}[p]\centering\includegraphics[scale={SCALE},page={page}]{{{figure}}}"
        rf"\caption{{How tight each claim is{', continued' if page > 1 else ''}.}}\end{{figure}}"
        for page in range(1, page_count(entries) + 1)
    ]


def _how(entries: Sequence[Entry]) -> str:
    kinds = sorted({entry["refuted_by"] for entry in entries} - {None})
    return _listed([rf"\emph{{{words(kind)}}}: {words(HOW_IT_FALLS[kind])}" for kind in kinds])


def _meanings(entries: Sequence[Entry]) -> str:
    verdicts = sorted({Verdict(entry["verdict"]) for entry in entries})
    return _listed([rf"{words(verdict)}: {words(MEANING[verdict])}." for verdict in verdicts])


def _failures(entries: Sequence[Entry]) -> list[str]:
    """What is red, with all that is known of why."""
    parts = [r"\section{What did not pass}"] if entries else []
    parts += [words(BESIDE)] if stored(entries) else []
    for entry in entries:
        verdict = Verdict(entry["verdict"])
        parts += [
            _heading(entry),
            rf"\textbf{{{words(verdict)}}}: {words(entry['reason'])}. {words(MEANING[verdict])}.",
        ]
        parts += _instance(entry)
    return parts


def _counterexamples(entries: Sequence[Entry]) -> list[str]:
    """What broke each false statement, in numbers."""
    parts = [r"\section{The counterexamples}", words(BESIDE)] if entries else []
    for entry in entries:
        parts += [_heading(entry), words(f"{entry['reason']}."), *_instance(entry)]
    return parts


def _heading(entry: Entry) -> str:
    """Key, source and statement."""
    return "\n".join(
        [
            rf"\subsection*{{{code(name(entry))}}}",
            rf"\noindent\emph{{{words(entry['source'])}}}",
            rf"\begin{{quote}}{statement(entry['statement'])}\end{{quote}}",
        ]
    )


def _instance(entry: Entry) -> list[str]:
    """The instance, both sides and the premises by each route, the ladder, and how to prove it again."""
    parts = []
    if entry["shown"]:
        lines = [rf"\item {code(line)}" for line in entry["shown"]["instance"]]
        parts += ["\n".join([r"\begin{instance}", *lines, r"\end{instance}"])] if lines else []
        parts += [words(finding(entry["shown"]))]
        parts += [_small(enclosures(entry["shown"]))]
    parts += [_small(rungs(entry))]
    if entry["counterexample"]:
        parts += [rf"\noindent Prove it again: {code(replay_command(entry['counterexample']))}"]
    return parts


def _small(table: Table | None) -> str:
    return longtable(table) if table else ""


def _notes(entries: Sequence[Entry]) -> list[str]:
    noted = [rf"{code(name(entry))}: {statement(entry['notes'])}" for entry in entries if entry["notes"]]
    return [r"\section{Notes}", _listed(noted)] if noted else []


def _provenance(run: Mapping[str, Any]) -> list[str]:
    rows = [
        rf"\item[{words(what)}] {code(value) if what == 'command' else words(value)}" for what, value in provenance(run)
    ]
    return [r"\section{Where this comes from}", "\n".join([r"\begin{description}", *rows, r"\end{description}"])]
