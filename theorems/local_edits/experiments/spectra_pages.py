"""The page on Appendix B, made from its numbers alone: tables in Markdown, and a map of random spectra."""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from tabulate import tabulate

TITLE = "Samples of random spectra that miss the bounds on the singular values, by d_eff/m and r/m"

HEADINGS = {
    "LE-B1b:printed": "B.1, item 1: σ_max² <= (3/2)·Tr(Σ_1)",
    "LE-B1c:printed": "B.1, item 3: γ_ov² >= Tr(Σ_1·Σ_2)/(3·Tr(Σ_1))",
    "LE-B1d:printed": "B.1, display: Spill >= C·R²·Tr(Σ_1·Σ_2)/Tr(Σ_1)²",
    "LE-B2:sigma-max-printed": "B.2: σ_max² <= K·Tr(Γ_1)",
    "LE-B2:overlap-printed": "B.2: γ_ov² >= C·Tr(Γ_1·Γ_2)/Tr(Γ_1)",
    "LE-B2:display-printed": "B.2, display: Spill >= C·R²·Tr(Γ_1·Γ_2)/Tr(Γ_1)²",
}


def write_pages(data: Mapping[str, Any], folder: Path) -> None:
    """appendix-b.md and appendix-b.svg."""
    parts = [opening(data), *ladders(data["smallest"]), flat_table(data["flat"]), map_table(data["scattered"]), GATES]
    (folder / "appendix-b.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    draw(data["scattered"], folder / "appendix-b.svg")


def opening(data: Mapping[str, Any]) -> str:
    """What the page is about."""
    return (
        "# Appendix B: where d_eff(Σ) and r(Σ) part ways\n\n"
        f"`{data['command']}` (seed {data['seed']}; `make appendix`).\n\n"
        "Appendix B asks for m <= c·d_eff samples, d_eff(Σ) = Tr(Σ)²/Tr(Σ²). What the largest singular value needs is the "
        "intrinsic dimension r(Σ) = Tr(Σ)/‖Σ‖. Always √d_eff <= r <= d_eff, and a large eigenvalue over a long flat tail "
        "attains the lower end: n eigenvalues 1 below one of √n have d_eff ≈ n/2 and r ≈ √n. One column of X then has the "
        "squared length √n·m, more than the trace n once m exceeds √n, however small m/d_eff is.\n\n"
        "So every c fails. For each rung of a ladder the table shows the spectrum in the fewest dimensions that was found to "
        "break the bound with a probability of a half or more (λ, μ: eigenvalues under the source and the target; "
        "λ_2 = μ_2 = 1), with the probability of a failure, from below (Cantelli's inequality), and what exp(-c'·m) allows. "
        "Each instance is proved by two routes; `appendix-b.json` holds it. The dimension needed grows as a power of 1/c: the "
        "trend that no constant escapes."
    )


def ladders(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """One table a claim."""
    return [_ladder(key, [one for one in found if one["claim"] == key]) for key in HEADINGS]


def _ladder(key: str, rungs: Sequence[Mapping[str, Any]]) -> str:
    column = all(one["largest_column_log"] is not None for one in rungs)
    rows = [
        [
            ", ".join(f"{name} = {value}" for name, value in one["constants"].items()),
            _number(sum(one["sizes"])),
            f"{one['first'][0]:.4g} x {_number(one['sizes'][0])}, 1 x {_number(one['sizes'][1])}",
            *([] if "sigma-max" in key or "B1b" in key else [f"{one['second'][0]:.3g}"]),
            _number(one["samples"]),
            f"{one['effective'] / one['samples']:.4g}",
            f"{one['intrinsic'] / one['samples']:.4g}",
            f"{one['at_least']:.4g}",
            *([_power(one["largest_column_log"])] if column else []),
            _power(one["allowed_log"]),
        ]
        for one in rungs
    ]
    second = [] if "sigma-max" in key or "B1b" in key else ["μ_1"]
    heads = ["constants", "dimensions", "λ", *second, "m", "d_eff/m", "r/m", "fails with probability >="]
    heads += ["by the χ² law of that column", "allowed"] if column else ["allowed"]
    degrees = {one["degrees"] for one in rungs}
    said = "" if degrees <= {"11"} else f" (features of degrees {' and '.join(sorted(degrees.pop(), reverse=True))})"
    return f"## {HEADINGS[key]}{said}\n\n" + _table(rows, heads)


def flat_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """How large n/m has to be at least, from samples of flat spectra."""
    table = [[row["samples"], _above(row["smallest"]), _above(row["largest"])] for row in rows]
    intro = (
        "## How many dimensions are needed\n\nItem 1 is proved for d_eff >= 1100·m (σ_min) and r >= 200·m (σ_max). Σ = I, "
        "2,000 samples for each n: up to this n/m a bound fails more often than exp(-m), at the level 10⁻¹⁴ of the claims. The "
        "constants needed are at least as large.\n\n"
    )
    return intro + _table(table, ["m", "σ_min² < Tr/2", "σ_max² > 3·Tr/2"])


def _above(factor: int) -> str:
    return f"n = {factor}·m" if factor else "not seen"


BINS = (0.0, 1.0, 4.0, 16.0, 64.0, 256.0, math.inf)


def map_table(points: Sequence[Mapping[str, float]]) -> str:
    """The map as numbers: how often each bound is missed, by d_eff/m and by r/m."""
    intro = (
        "## Samples of random spectra\n\n![map](appendix-b.svg)\n\nm = 16, 32 samples of each spectrum: the largest share of "
        "samples that miss a bound. By d_eff/m it does not go away for σ_max, by r/m it does. (d_eff <= r², so spectra with "
        "d_eff >= 1100·m and r < m exist only for m > 1100; the tables above reach them.)\n\n"
    )
    return intro + "\n\n".join(
        _by(points, name, head) for name, head in (("effective", "d_eff/m"), ("intrinsic", "r/m"))
    )


def _by(points: Sequence[Mapping[str, float]], name: str, head: str) -> str:
    rows = []
    for low, high in pairwise(BINS):
        inside = [p for p in points if low <= p[name] < high]
        if inside:
            rows.append([_bin(low, high), len(inside), *(f"{_worst(inside, miss):.3g}" for miss in MISSES)])
    return _table(rows, [head, "spectra", "σ_min² < Tr/2", "σ_max² > 3·Tr/2"])


MISSES = ("too_small", "too_large")


def _bin(low: float, high: float) -> str:
    return f"{low:g} to {high:g}" if math.isfinite(high) else f"{low:g} and more"


def _worst(points: Sequence[Mapping[str, float]], name: str) -> float:
    return max(p[name] for p in points)


GATES = (
    "## Polynomial features need more\n\nFor linear features r in the place of d_eff repairs the statement. For polynomial "
    "features it does not: φ(x) = z·(w_1, …, w_n) has the second moment I, so d_eff = r = n, and ‖φ(x)‖² ≈ n·z² misses "
    "Tr/2 = n/2 for every second x. `LE-B2:conditioning-printed` and `LE-B2:gated-overlap-printed` fall that way. What holds "
    "is a bound by the variance v of ‖φ‖²/Tr(Γ_1): the probability is at most 4m·(v + (m - 1)/d_eff) (`LE-B2:corrected`)."
)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value < 1e6 else f"{value:.3g}"


def _power(log: float) -> str:
    """exp(log), which may be too small for a double."""
    return f"{math.exp(log):.3g}" if log > -300 else f"10^{log / math.log(10):.0f}"


def _table(rows: Sequence[Sequence[Any]], heads: Sequence[str]) -> str:
    return str(tabulate(rows, heads, tablefmt="github", disable_numparse=True))


# ----------------------------------------------------------------------------------------------------------------- picture


SHOWN = (1e6, 1e4)
"""Beyond these d_eff/m and r/m nothing happens."""


def draw(points: Sequence[Mapping[str, float]], path: Path) -> None:
    """Two maps: spectra by d_eff/m and r/m, dark where samples miss the bound. Needs matplotlib."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "boundcheck"  # the same numbers give the same file
    from matplotlib import pyplot as plt

    points = [p for p in points if p["effective"] < SHOWN[0] and p["intrinsic"] < SHOWN[1]]
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained", sharey=True)
    effective, intrinsic = ([p[name] for p in points] for name in ("effective", "intrinsic"))
    panels = (("σ_max² > (3/2)·Tr(Σ)", "too_large"), ("σ_min² < Tr(Σ)/2", "too_small"))
    for axis, (title, name) in zip(axes, panels, strict=True):
        shown = axis.scatter(effective, intrinsic, c=[p[name] for p in points], s=12, cmap="cividis_r", vmin=0, vmax=1)
        axis.set(title=f"share of samples with {title}", xlabel="d_eff/m", xscale="log", yscale="log")
    axes[0].set_ylabel("r/m")
    axes[0].axhline(200, color="tab:red", linestyle="--", label="r = 200·m: proved above")
    axes[1].axvline(1100, color="tab:red", linestyle="--", label="d_eff = 1100·m: proved to the right")
    for axis in axes:
        axis.legend(frameon=False, loc="upper left")
    figure.colorbar(shown, ax=axes, label="share")
    figure.savefig(path, metadata={"Date": None, "Title": TITLE})
    plt.close(figure)
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"<svg ", f'<svg role="img" aria-label="{TITLE}" ', text, count=1), encoding="utf-8")
