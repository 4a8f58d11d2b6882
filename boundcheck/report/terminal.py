"""A run as plain text: the closing table, the constants, what fell and why."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

from tabulate import tabulate

from boundcheck.exact import exact
from boundcheck.outcome import MEANING, PASSING, Verdict
from boundcheck.report.ablations import ablation_table
from boundcheck.report.tightness import ranking, shown

Entry = dict[str, Any]


def closing_page(entries: Sequence[Entry]) -> str:
    """The whole page: verdicts, constants, tightness, refutations, real data, failures."""
    generated = sorted((e for e in entries if e["input"] == "generated"), key=_key)
    real = sorted((e for e in entries if e["input"] == "real"), key=_key)
    pages = [
        verdict_table(generated) if generated else "",
        constants_table(generated),
        ranking(generated),
        ablation_table(entries),
        refutations(generated),
        notes(generated),
        real_table(real),
        problems(entries),
        totals(entries),
    ]
    return "\n\n".join(page for page in pages if page)


def _key(entry: Entry) -> tuple[str, str]:
    return entry["id"], entry["form"]


def _name(entry: Entry) -> str:
    return f"{entry['id']}:{entry['form']}"


def verdict_table(entries: Sequence[Entry]) -> str:
    """One row a claim: verdict, counts, rates, the premise most often missed, tightness, mutants."""
    rows = [
        [
            _name(e),
            e["verdict"],
            f"{e['held']:,}",
            f"{e['violated'] + e['violated_uncertified']:,}",
            _rate(e, "vacuous"),
            _rate(e, "unverified"),
            _share(e, e["inconclusive"] - e["at_equality"]),
            _share(e, e["at_equality"]),
            _number(e["tightness"]["p50"]),
            _number(e["tightness"]["max"]) + {True: " =", False: " not =", None: ""}[e["attained"]],
            _hunted(e),
            _mutants(e),
            _hardest_premise(e),
        ]
        for e in entries
    ]
    headers = ["claim", "verdict", "holds", "broken", "vacuous", "unverif.", "inconcl.", "at equality"]
    headers += ["median", "tightest", "hunted", "mutants", "hardest premise"]
    align = ["left", "left", *["right"] * 7, "left", "left", "left", "left"]
    table = tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True, colalign=align)
    return f"{table}\n{LEGEND}"


LEGEND = (
    "holds: premises verified and the inequality decided, both by computed error bounds. vacuous: a premise is false.\n"
    "unverif.: a premise is undecided or rests on an estimate. inconcl.: the sides are closer than their error bounds.\n"
    "at equality: that, on structures where the claim says its sides can be equal.\n"
    "median, tightest: smaller side / larger side (1: attained; a trailing = or not = says whether the declared\n"
    "equality case was seen to be one, within error bounds below 1e-9 of the sides). hunted: the same ratio of the worst\n"
    "instance that a climb found, confirmed in ball arithmetic (=: attained). mutants: wrong neighbours caught / tried.\n"
    "hardest premise: the one met least often, and by how many instances. Of a claim about a probability that samples\n"
    "judge, the smaller side is how surprising their failures would be, were it true, the larger how surprising they may be."
)


def _rate(entry: Entry, what: str) -> str:
    return _share(entry, entry[what])


def _share(entry: Entry, count: int) -> str:
    return f"{100 * count / entry['tested']:.1f} %" if entry["tested"] else "-"


def _hardest_premise(entry: Entry) -> str:
    if not entry["premises"] or not entry["tested"]:
        return "none stated"
    rates = {p["name"]: p["accepted"] / p["stated"] for p in entry["premises"] if p["stated"]}
    hardest = min(rates, key=lambda name: rates[name])
    return f"{100 * rates[hardest]:3.0f} %  {hardest}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _hunted(entry: Entry) -> str:
    found = entry["hunted"]
    if found is None:
        return "-"
    return shown(found) + (" =" if found["attained"] else "")


def _mutants(entry: Entry) -> str:
    caught, lived = entry["mutants"]["caught"], entry["mutants"]["lived"]
    if not caught and not lived:
        return "-"
    return f"{len(caught)}/{len(caught) + len(lived)}" + (f" lived: {', '.join(lived)}" if lived else "")


def constants_table(entries: Sequence[Entry]) -> str:
    """Printed, used and found for each constant that scales a side."""
    rows = [
        [_name(e), c["name"], c["unit"], c["printed"] or "-", c["at"], _number(c["found"]), _gap(c), c["better"]]
        for e in entries
        for c in e["constants"]
        if c["better"]
    ]
    if not rows:
        return ""
    headers = ["claim", "constant", "of", "printed", "checked", "found", "gap", "stronger if"]
    note = (
        "found: what the tightest instance would still allow, whether it was drawn or climbed to. gap: how far that is from\n"
        "what was checked."
    )
    return "Constants\n" + str(tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True)) + f"\n{note}"


def _gap(constant: Entry) -> str:
    """How far a constant could move, in per cent of it."""
    at, found = float(exact(constant["at"])), constant["found"]
    return "-" if found is None or at == 0 else f"{100 * abs(found / at - 1):.2g} %"


def refutations(entries: Sequence[Entry]) -> str:
    """What fell: the statement and where its counterexample lies."""
    fallen = [e for e in entries if e["counterexample"] or any(rung["certified"] for rung in e["ladder"])]
    lines = []
    for e in fallen:
        lines += [
            f"{_name(e)} {e['verdict']}: {e['statement']}",
            f"    {e['reason']}",
            *([f"    simplest: {e['counterexample']}"] if e["counterexample"] else []),
            *([f"    worst:    {e['worst_counterexample']}"] if _has_another(e) else []),
            *(_rung(rung) for rung in e["ladder"]),
        ]
    lines += ["Look at one, and prove it again, with: boundcheck replay FILE"] if fallen else []
    return "\n".join(["Counterexamples", *lines]) if lines else ""


def _rung(rung: Entry) -> str:
    """One rung of a ladder: its constants, the sides there, and the instance."""
    constants = ", ".join(f"{name} = {value}" for name, value in rung["constants"].items())
    if not rung["certified"]:
        return f"    at {constants}: still stands"
    return f"    at {constants}: {_number(rung['left'])} > {_number(rung['right'])}, {rung['counterexample']}"


def _has_another(entry: Entry) -> bool:
    return entry["worst_counterexample"] not in (None, entry["counterexample"])


def real_table(entries: Sequence[Entry]) -> str:
    """Measured on real data: informs, never gates."""
    if not entries:
        return ""
    rows = [
        [
            _name(e),
            e["verdict"],
            e["reason"],
            _hardest_premise(e),
            _number(e["tightness"]["p50"]),
            _number(e["tightness"]["max"]),
        ]
        for e in entries
    ]
    headers = ["claim", "verdict", "instances", "hardest premise", "median", "tightest"]
    table = str(tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True))
    return "\n".join(["Real data (these rows inform and never gate)", table, *_notes(entries)])


def _notes(entries: Sequence[Entry]) -> list[str]:
    return [fill(f"{_name(e)}: {e['notes']}", width=120, subsequent_indent="    ") for e in entries if e["notes"]]


def notes(entries: Sequence[Entry]) -> str:
    """What belongs beside the verdicts: figures to compare, and what no instance can decide."""
    found = _notes(entries)
    return "\n".join(["Notes", *found]) if found else ""


def problems(entries: Sequence[Entry]) -> str:
    """What is not green, with the meaning of its verdict."""
    return "\n".join(failure(e) for e in sorted(entries, key=_key) if Verdict(e["verdict"]) not in PASSING)


def failure(entry: Entry) -> str:
    """Why a claim's test is red: verdict, reason, meaning and where to look."""
    verdict = Verdict(entry["verdict"])
    where = f" Counterexample: {entry['counterexample']}." if entry["counterexample"] else ""
    return f"{_name(entry)} is {verdict}: {entry['reason'].rstrip('.')}. ({MEANING[verdict]}.){where}"


def totals(entries: Sequence[Entry]) -> str:
    """One line: how many claims ended how."""
    counts: dict[str, int] = {}
    for e in entries:
        counts[e["verdict"]] = counts.get(e["verdict"], 0) + 1
    words = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    tested = sum(e["tested"] for e in entries)
    lines = [f"{len(entries)} claims: {words}; {tested:,} instances judged"]
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
