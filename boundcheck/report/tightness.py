"""Which claims are tight: ranked by the worst instance that a hunt found."""

from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

NOTE = (
    "hunted: smaller side / larger side of the worst instance that a climb found, from below, confirmed in ball arithmetic;\n"
    "drawn: of the tightest random instance. An instance stands in the folder extremes/ beside the run."
)


def ranking(entries: Sequence[dict[str, Any]]) -> str:
    """One row a hunted claim, the tightest first."""
    hunted = [entry for entry in entries if entry["hunted"]]
    rows = [
        [
            f"{entry['id']}:{entry['form']}",
            shown(entry["hunted"]),
            _number(entry["tightness"]["max"]),
            word(entry["hunted"]) + (" (cut short by the clock)" if entry["hunted"]["truncated"] else ""),
            entry["hunted"]["label"],
        ]
        for entry in sorted(hunted, key=lambda entry: (-_height(entry["hunted"]), entry["id"], entry["form"]))
    ]
    if not rows:
        return ""
    headers = ["claim", "hunted", "drawn", "", "structure"]
    return "How tight\n" + str(tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True)) + f"\n{NOTE}"


def shown(hunted: dict[str, Any]) -> str:
    """The ratio; inf where the larger side is 0 or less."""
    low = hunted["ratio"][0]
    return "inf" if low is None else f"{low:.6g}"


def word(hunted: dict[str, Any]) -> str:
    """What the ratio says."""
    if hunted["status"] == "VIOLATED":
        return "violated, proved by two routes"
    if hunted["status"] == "VIOLATED_UNCERTIFIED":
        return "looks violated, not proved twice"
    return "tight, attained" if hunted["attained"] else ""


def _height(hunted: dict[str, Any]) -> float:
    low = hunted["ratio"][0]
    return float("inf") if low is None else float(low)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
