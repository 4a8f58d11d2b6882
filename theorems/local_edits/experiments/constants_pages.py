"""The pages of the constants experiment, made from its numbers alone: tables in Markdown and the curve of Theorem 7."""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from flint import arb
from tabulate import tabulate

from boundcheck.theorems.alignment_collapse.experiments import projection_law
from boundcheck.theorems.local_edits.experiments import closed_forms
from boundcheck.theorems.local_edits.experiments.needed import (
    MOVEMENT_ABOVE,
    MOVEMENT_BELOW,
    OUTSIDE,
    QUANTITIES,
    SPILL,
    WEAKER,
    Quantity,
)

TITLE = "Theorem 7: the constant c' as a function of the c of its premises, found, proved, and the ceiling"
STANDARD = Fraction(1, 16)
STEADY = 2
"""A constant that changes by less than this factor from the least κ to the largest is called steady: a word, no verdict."""

Points = Sequence[Mapping[str, Any]]


def write_pages(data: Mapping[str, Any], folder: Path) -> None:
    """constants.md, and constants.svg where the curve has points."""
    found = [point for point in data["points"].values() if point]
    parts = [_opening(data), curve_table(found), movement_table(found), units_table(found), weaker_table(found)]
    if "lemma_a3" in data:
        parts.append(lemma_a3_table(data["lemma_a3"]))
    (folder / "constants.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    if of(found, SPILL, rows=1):
        draw(found, folder / "constants.svg")


def of(points: Points, quantity: Quantity, *, rows: int, weaker: str = "") -> list[Mapping[str, Any]]:
    """The points of one curve."""
    chosen = [p for p in points if (p["quantity"], p["rows"], p["weaker"]) == (quantity.name, rows, weaker)]
    return sorted(chosen, key=lambda p: (Fraction(p["c"]), p["kappa"]))


# ------------------------------------------------------------------------------------------------------------------ tables


def _opening(data: Mapping[str, Any]) -> str:
    return (
        "# The constant that is needed\n\n"
        f"`{data['command']}` (seeds {', '.join(map(str, data['seeds']))}; `make constants`). Found: a stored instance refutes "
        "this constant of a lower bound, or this one of an upper bound, in ball arithmetic; ✓ where a second route proves it "
        "too. `constants.json` holds every instance. Proved: rounded to the safe side; the derivation is in "
        "`theorems/local_edits/shorter_path.py`, the numbers in `experiments/closed_forms.py` beside it."
    )


def curve_table(points: Points) -> str:
    """Theorem 7 as a curve c ↦ c'(c)."""
    rows = []
    for point in of(points, SPILL, rows=1):
        c = Fraction(point["c"])
        rows.append(
            [
                c,
                _found(point),
                _down(closed_forms.spill(c)) if proved_at(c) else "–",
                _down(closed_forms.adaptive_spill(c)),
                _up(closed_forms.spill_ceiling(c)),
                "0.5",
            ]
        )
    heads = [
        "c",
        "found",
        "proved (sharper path)",
        "proved (adaptive form)",
        "no larger c' holds: ½(1 - c)²",
        "linear models",
    ]
    return "## Theorem 7: Spill >= c'·(γ_ov·R/σ_max)²\n\n" + _table(rows, heads)


def movement_table(points: Points) -> str:
    """Lemma 6's two bounds of the movement, and (15)."""
    curves = [of(points, q, rows=1) for q in (MOVEMENT_BELOW, MOVEMENT_ABOVE, OUTSIDE)]
    rows = []
    for below, above, out in zip(*curves, strict=False):
        c = Fraction(below["c"])
        safe = proved_at(c)
        rows.append(
            [
                c,
                _found(below),
                _down(closed_forms.movement_from_below(c)),
                _found(above),
                _up(closed_forms.path(c)) if safe else "–",
                _found(out),
                _up(closed_forms.outside(c)) if safe else "–",
            ]
        )
    heads = [
        "c",
        "from below: found",
        "proved, attained",
        "from above: found",
        "proved, attained",
        "(15): found",
        "proved",
    ]
    intro = "## Lemma 6's movement and (15)\n\nUnits: R/σ_max, R/σ_min and β_S·R²/σ_min³.\n\n"
    return intro + _table(rows, heads)


def units_table(points: Points) -> str:
    """The four constants at κ = 1, 2, 4, 8 in several units."""
    rows = []
    for quantity in QUANTITIES:
        at = of(points, quantity, rows=2)
        for unit, power in quantity.units:
            values = [Fraction(p["found"]) / Fraction(p["kappa"]) ** power for p in at]
            rows.append([quantity.name, f"`{unit}`", *(f"{float(v):.4g}" for v in values), _word(quantity, values)])
    heads = ["", "unit", *(f"κ = {k}" for k in (1, 2, 4, 8)), ""]
    intro = (
        "## Powers of κ = σ_max/σ_min in the conclusions\n\nPremises U with c = 1/16, two rows. "
        "Where a constant collapses, the power that this unit lacks is needed; where one is idle, the power of κ that it has "
        "is not.\n\n"
    )
    return intro + _table(rows, heads)


def weaker_table(points: Points) -> str:
    """The constants under premises with fewer powers of κ."""
    rows, kappas = [], sorted({p["kappa"] for p in points if p["weaker"]})
    for weaker in WEAKER:
        at = {p["kappa"]: Fraction(p["found"]) for p in of(points, weaker.quantity, rows=2, weaker=weaker.name)}
        standard = [Fraction(p["found"]) for p in of(points, weaker.quantity, rows=1) if Fraction(p["c"]) == STANDARD]
        values = [at[k] for k in kappas if k in at]
        said = "needed" if any(_beyond(weaker.quantity, value) for value in values) else "not shown needed"
        shown = [f"{float(at[k]):.4g}" if k in at else "–" for k in kappas]
        rows.append(
            [weaker.quantity.name, f"`{weaker.name}`", f"{float(standard[0]):.4g}" if standard else "–", *shown, said]
        )
    heads = ["", "premise", "at κ = 1", *(f"κ = {k}" for k in kappas), "the power left out is"]
    intro = (
        "## Powers of κ in the premises\n\nEach condition of set U with fewer powers of κ, the others as they are, c = 1/16; "
        "units as in the claims (R/σ_max, R/σ_min, (γ_ov·R/σ_max)²). Needed: an "
        "instance breaks the constant that is proved with that power. – : no descent at the edge has a limit that could be "
        "enclosed.\n\n"
    )
    return intro + _table(rows, heads)


def lemma_a3_table(rows: Points) -> str:
    """The constant of Lemma A.3 by sort of tail and d."""
    words = {"both": "both, 2·exp(-c·ε²·d)", "above": "above, exp(-c·ε²·d)", "below": "below, exp(-c·ε²·d)"}
    table = []
    for row in rows:
        proved = float(projection_law.proved(row["side"]))
        epsilon = float(Fraction(row["epsilon"]))
        table.append(
            [
                words[row["side"]],
                row["d"],
                row["n"],
                f"{epsilon:.7g}",
                f"{row['high']:.5f}",
                f"{row['proved']} = {proved:.5f}",
            ]
        )
    intro = (
        "## Lemma A.3: the best c for each d\n\nOver n and ε in (0, 1), from the exact law in ball arithmetic. The infimum is "
        "what Chernoff's bound proves: it is approached as d grows (above: ε → 1), and not attained.\n\n"
    )
    return intro + _table(table, ["tail", "d", "n", "ε", "found", "proved"])


def proved_at(c: Fraction) -> bool:
    """Whether the path's bound is proved for steps as long as the premises allow."""
    return closed_forms.path_is_proved(c, c)


def _found(point: Mapping[str, Any]) -> str:
    return f"{float(Fraction(point['found'])):.6f}{' ✓' if point['certified'] else ''}"


def _down(value: arb) -> str:
    return _shown(closed_forms.decimal(value, up=False))


def _up(value: arb) -> str:
    return _shown(closed_forms.decimal(value, up=True))


def _shown(value: Fraction) -> str:
    return f"{float(value):.6f}" if value else "nothing"


def _beyond(quantity: Quantity, value: Fraction) -> bool:
    """Whether an instance that refutes this value breaks what is proved under set U."""
    proved = {
        MOVEMENT_BELOW.name: closed_forms.movement_from_below,
        MOVEMENT_ABOVE.name: closed_forms.path,
        SPILL.name: closed_forms.spill,
    }
    bound = proved[quantity.name](STANDARD)
    return bool(closed_forms.ball(value) < bound if quantity.lower else closed_forms.ball(value) > bound)


def _word(quantity: Quantity, values: Sequence[Fraction]) -> str:
    """How a constant moves from the first κ to the last."""
    if len(values) < 2:
        return ""
    first, last = values[0], values[-1]
    weaker, stronger = (last * STEADY < first, last > STEADY * first)
    if not quantity.lower:
        weaker, stronger = stronger, weaker
    return "collapses" if weaker else "idle" if stronger else "steady"


def _table(rows: Sequence[Sequence[Any]], heads: Sequence[str]) -> str:
    return tabulate(rows, heads, tablefmt="github", disable_numparse=True)


# ----------------------------------------------------------------------------------------------------------------- picture


def draw(points: Points, path: Path) -> None:
    """The curve of Theorem 7 as an SVG file. Needs matplotlib."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "boundcheck"  # the same numbers give the same file
    from matplotlib import pyplot as plt

    curve = of(points, SPILL, rows=1)
    at = [Fraction(p["c"]) for p in curve]
    figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
    axis.set(xlabel="c of the premises", ylabel="c'", xscale="log", ylim=(0, 0.55))
    axis.set_xticks([float(c) for c in at], [str(c) for c in at])
    axis.minorticks_off()
    axis.axhline(0.5, color="tab:gray", linestyle=":", label="ceiling ½ (linear models)")
    sharp = [closed_forms.spill(c) if proved_at(c) else arb(0) for c in at]
    curves = (
        ("-", "tab:gray", "no larger c' holds: ½(1 - c)²", [closed_forms.spill_ceiling(c) for c in at]),
        ("s--", "tab:blue", "proved (sharper path)", sharp),
        ("^-.", "tab:red", "proved (adaptive form)", [closed_forms.adaptive_spill(c) for c in at]),
    )
    for style, color, label, values in curves:
        axis.plot(_floats(at), _floats(values), style, color=color, label=label)
    axis.plot(
        _floats(at), _floats([Fraction(p["found"]) for p in curve]), "o", color="black", label="found, with an instance"
    )
    axis.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None, "Title": TITLE})
    plt.close(figure)
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"<svg ", f'<svg role="img" aria-label="{TITLE}" ', text, count=1), encoding="utf-8")


def _floats(values: Sequence[Fraction] | Sequence[arb]) -> list[float]:
    return [float(v) for v in values]
