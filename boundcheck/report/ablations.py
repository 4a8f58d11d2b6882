"""Which premises carry a claim, as a table."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from tabulate import tabulate

HEADERS = ["claim", "taken away", "verdict", "ratio with", "without", "counterexample"]

LEGEND = (
    "Each premise is taken away in turn and what is left is hunted. needed: an instance that meets all others was proved,\n"
    "by two routes, to break the claim. not shown needed: no such instance was found, which proves nothing.\n"
    "ratio with, without: the largest smaller side / larger side that was confirmed, of the whole claim and of what is left\n"
    "(inf: the larger side is 0 or less; -: no instance was confirmed; *: a clock ended the hunt)."
)


def ablation_page(entries: Sequence[Mapping[str, Any]], command: str) -> str:
    """The table as a page in Markdown."""
    table, *rest = ablation_table(entries, tablefmt="github").split(f"\n{LEGEND}")
    title, _, rows = table.partition("\n")
    reasons = "".join(rest).strip().replace("\n    ", " ").splitlines()
    parts = [f"# {title}", f"`{command}`", rows, LEGEND.replace("\n", " "), *(f"- {reason}" for reason in reasons)]
    return "\n\n".join(parts) + "\n"


def ablation_table(entries: Sequence[Mapping[str, Any]], *, tablefmt: str = "simple") -> str:
    """One row for each thing taken away from a claim; nothing where no entry has any."""
    found = [(f"{entry['id']}:{entry['form']}", one) for entry in entries for one in entry.get("ablations", [])]
    if not found:
        return ""
    rows = [
        [
            claim,
            one["premise"],
            "needed" if one["needed"] else "not shown needed",
            _ratio(one["ratio_with"]),
            _without(one),
            one["counterexample"] or "",
        ]
        for claim, one in found
    ]
    align = ["left", "left", "left", "right", "right", "left"]
    table = str(tabulate(rows, headers=HEADERS, tablefmt=tablefmt, disable_numparse=True, colalign=align))
    reasons = [
        fill(f"{claim} without {one['premise']!r}: {one['because']}.", width=120, subsequent_indent="    ")
        for claim, one in found
        if one["because"]
    ]
    return "\n".join(["Premises taken away", table, LEGEND, *reasons])


def _without(one: Mapping[str, Any]) -> str:
    ratio = "inf" if one["unbounded"] else _ratio(one["ratio"])
    return ratio + (" *" if one["truncated"] else "")


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
