"""A run as plain text: the closing table, the constants, what fell and why."""

from collections.abc import Sequence
from textwrap import fill

from boundcheck.exact import symbol
from boundcheck.outcome import MEANING, PASSING, Verdict
from boundcheck.report.ablations import ablation_table
from boundcheck.report.plain import plain
from boundcheck.report.table import Entry, key, name, number
from boundcheck.report.tables import constants_table, real_table, verdict_table
from boundcheck.report.tightness import ranking


def closing_page(entries: Sequence[Entry]) -> str:
    """The whole page: verdicts, constants, tightness, refutations, real data, failures."""
    generated = sorted((e for e in entries if e["input"] == "generated"), key=key)
    real = sorted((e for e in entries if e["input"] == "real"), key=key)
    verdicts = verdict_table(generated)
    pages = [
        plain(verdicts.telling(), headed=False) if verdicts else "",
        plain(constants_table(generated)),
        plain(ranking(generated)),
        ablation_table(entries),
        refutations(generated),
        notes(generated),
        real_section(real),
        problems(entries),
        totals(entries),
    ]
    return "\n\n".join(page for page in pages if page)


def refutations(entries: Sequence[Entry]) -> str:
    """What fell: the statement and where its counterexample lies."""
    fallen = [e for e in entries if e["counterexample"] or any(rung["certified"] for rung in e["ladder"])]
    lines = []
    for e in fallen:
        lines += [
            f"{name(e)} {e['verdict']}: {e['statement']}",
            f"    {e['reason']}",
            *([f"    simplest: {e['counterexample']}"] if e["counterexample"] else []),
            *([f"    worst:    {e['worst_counterexample']}"] if _has_another(e) else []),
            *(_rung(rung) for rung in e["ladder"]),
        ]
    lines += ["Look at one, and prove it again, with: boundcheck replay FILE"] if fallen else []
    return "\n".join(["Counterexamples", *lines]) if lines else ""


def _rung(rung: Entry) -> str:
    """One rung of a ladder: its constants, the sides there, and the instance."""
    constants = ", ".join(f"{symbol(constant)} = {value}" for constant, value in rung["constants"].items())
    if not rung["certified"]:
        return f"    at {constants}: still stands"
    return f"    at {constants}: {number(rung['left'])} > {number(rung['right'])}, {rung['counterexample']}"


def _has_another(entry: Entry) -> bool:
    return entry["worst_counterexample"] not in (None, entry["counterexample"])


def real_section(entries: Sequence[Entry]) -> str:
    """Measured on real data: informs, never gates."""
    return "\n".join([plain(real_table(entries)), *_notes(entries)]) if entries else ""


def _notes(entries: Sequence[Entry]) -> list[str]:
    return [fill(f"{name(e)}: {e['notes']}", width=120, subsequent_indent="    ") for e in entries if e["notes"]]


def notes(entries: Sequence[Entry]) -> str:
    """What belongs beside the verdicts: figures to compare, and what no instance can decide."""
    found = _notes(entries)
    return "\n".join(["Notes", *found]) if found else ""


def problems(entries: Sequence[Entry]) -> str:
    """What is not green, with the meaning of its verdict."""
    return "\n".join(failure(e) for e in sorted(entries, key=key) if Verdict(e["verdict"]) not in PASSING)


def failure(entry: Entry) -> str:
    """Why a claim's test is red: verdict, reason, meaning and where to look."""
    verdict = Verdict(entry["verdict"])
    where = f" Counterexample: {entry['counterexample']}." if entry["counterexample"] else ""
    return f"{name(entry)} is {verdict}: {entry['reason'].rstrip('.')}. ({MEANING[verdict]}.){where}"


def totals(entries: Sequence[Entry]) -> str:
    """One line: how many claims ended how."""
    if not entries:
        return "No claim was checked."
    counts: dict[str, int] = {}
    for e in entries:
        counts[e["verdict"]] = counts.get(e["verdict"], 0) + 1
    words = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    tested = sum(e["tested"] for e in entries)
    lines = [f"{len(entries)} claim{'s' if len(entries) > 1 else ''}: {words}; {tested:,} instances judged"]
    true = [e for e in entries if e["input"] == "generated" and e["stance"] in ("proved", "corrected")]
    if true:
        lines.append(_closing_figures(true))
    return "\n".join(lines)


def _closing_figures(entries: Sequence[Entry]) -> str:
    """What was seen of the statements that are said to be true."""
    names = ("tested", "violated", "violated_uncertified", "inconclusive", "at_equality")
    tested, violated, uncertified, open_, equal = (sum(e[name] for e in entries) for name in names)
    elsewhere = tested - equal
    rate = f"{100 * (open_ - equal) / elsewhere:.2f} %" if elsewhere else "none"
    return (
        f"proved and corrected: {tested:,} instances, {violated + uncertified:,} broken; "
        f"inconclusive {rate} outside the {equal:,} that are undecided at a declared equality"
    )
