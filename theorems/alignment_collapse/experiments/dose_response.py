"""Dose and response: how much utility a fine-tuning flow costs as a function of time, between the corrected quartic law's bounds.

Five panels: curvature of the outputs undoes none, half or all of the acceleration (κ = 0, ½, 1) of one softmax policy over
four responses; the same policy with a first-order overlap ε > 0, where the window of the quartic law opens at t = 4√λ_1·ε/γ'
and closes at t = 3γ'/(4N_3); and a two-layer tanh network. In the first four Δu and both bounds are enclosed in ball
arithmetic (the curves are wider than the enclosures); for the network Δu is enclosed too, the flow being followed with a
proved radius, but N_3 is only estimated, and so its bounds are. With κ = 1 the coefficient of t⁴ is 0: no multiple of the
printed λγ²t⁴ stays below Δu.

    python -m boundcheck.theorems.alignment_collapse.experiments.dose_response reports

writes dose-response.svg and the numbers behind it, dose-response.json. A slope in a log-log plot decides nothing; the claims do.
Source: Corollary 6.3, as corrected in `quartic_corollary`. The instances are ours, not the paper's.
"""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from boundcheck.claim import Claim
from boundcheck.dynamics import Instability
from boundcheck.dynamics.policy_flow import PolicyFlow
from boundcheck.geometry import HadamardPolicy, TwoLayer
from boundcheck.search.certify import Certifier
from boundcheck.strategies.neural_policies import PolicyFlowRecipe
from boundcheck.theorems.alignment_collapse.neural_policies import (
    drop_of_a_network_ge_quartic,
    drop_of_a_network_le_quartic,
)
from boundcheck.theorems.alignment_collapse.quartic_corollary import drop_ge_quartic, drop_le_quartic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 41
EARLIEST, LATEST = 2.0**-10, 1.0
OVERLAP = 2.0**-8


@dataclass(frozen=True)
class Curve:
    """One panel: times, and at each the enclosed Δu, the bounds (None where one says nothing) and the printed law λγ²t⁴/8.

    `window` is the interval of times of the window form, if there is one; `certified` whether the bounds are proved.
    """

    title: str
    certified: bool
    times: list[float]
    drop: list[tuple[float, float]]
    lower: list[float | None]
    upper: list[float | None]
    printed: list[float] | None
    window: tuple[float, float] | None = None


def _times() -> Tensor:
    return torch.logspace(math.log2(EARLIEST), math.log2(LATEST), POINTS, base=2.0, dtype=torch.float64)


def instability(kappa: float, overlap: float) -> Instability:
    """One softmax policy over four responses, a lane for each time: d = q = 2, n = 3, λ = (4, 1), γ = 1, ‖w‖ = 1."""
    times = _times()

    def same(values: Sequence[Any] | float) -> Tensor:
        one = torch.tensor(values, dtype=torch.float64)
        return one.expand(len(times), *one.shape).clone()

    return Instability(
        policy=HadamardPolicy(2),
        sensitive=2,
        turn=same([[0.0, 0.5, -0.25], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]]),
        roots=same([2.0, 1.0]),
        bend=torch.zeros(len(times), 2, 3, 3, dtype=torch.float64),
        prompt={},
        designed=True,
        overlap=same(overlap),
        heading=same([0.5]),
        drift=same([1.0]),
        coupling=same(1.0),
        steering=same([-2.0]),
        aside=same([0.25]),
        hessian=same([[0.5, 0.0, 0.0], [0.0, 0.25, 0.0], [0.0, 0.0, 0.0]]),
        cancelled=same(kappa),
        time=times,
    )


def certified(title: str, p: Instability) -> Curve:
    """The curve of a batch whose lanes are times, by ball arithmetic."""
    lower, upper = _sides(drop_ge_quartic, p), _sides(drop_le_quartic, p)
    law = p.lambda_d * p.coupling.square() * p.time.pow(4) / 8.0
    return Curve(
        title=title,
        certified=True,
        times=p.time.tolist(),
        drop=[drop for _, drop, _ in lower],
        lower=[side[0] if holds else None for side, _, holds in lower],
        upper=[side[1] for _, side, _ in upper],
        printed=law.tolist(),
        window=_window(p) if bool((p.overlap > 0).all()) else None,
    )


def _sides(claim: Claim, p: Instability | PolicyFlow) -> list[tuple[tuple[float, float], tuple[float, float], bool]]:
    """Both sides of every lane as intervals of doubles, and whether every premise is proved there."""
    certifier, rows = Certifier(claim), []
    for lane in range(p.lanes):
        finding = certifier.certify(p, lane).findings[0]
        holds = all(margin[0] >= 0 for margin in finding.premises)
        rows.append((_doubles(finding.left), _doubles(finding.right), holds))
    return rows


def _doubles(interval: tuple[Any, Any]) -> tuple[float, float]:
    """An interval of doubles around one of any ends."""
    low, high = float(interval[0]), float(interval[1])
    return math.nextafter(low, -math.inf), math.nextafter(high, math.inf)


def _window(p: Instability) -> tuple[float, float]:
    """From the first to the last of the lanes' times that lie in the window 4√λ_1·ε/γ' <= t <= 3γ'/(4N_3)."""
    moved = torch.linalg.vector_norm(p.output_acceleration[..., : p.sensitive], dim=-1)
    opened = p.time * moved >= 4.0 * p.lambda_max.sqrt() * p.overlap
    still = 0.75 * moved >= p.output_jerk_bound * p.time
    times = p.time[opened & still]
    return (float(times.min()), float(times.max())) if len(times) else (math.nan, math.nan)


def network() -> Curve:
    """A tanh network with two logits, a lane for each time; its bounds rest on an estimate, its Δu does not."""
    times = torch.logspace(-7, -1, POINTS, base=2.0, dtype=torch.float64)
    start = PolicyFlowRecipe(TwoLayer(2, 4, 2, "tanh"), samples=3, points=1, seed=0).build(1, first=1)
    leaves = {name: leaf.expand(len(times), *leaf.shape[1:]).clone() for name, leaf in start.leaves().items()}
    flow = start.with_leaves(leaves | {"time": times}).followed(256)
    lower, upper = _sides(drop_of_a_network_ge_quartic, flow), _sides(drop_of_a_network_le_quartic, flow)
    return Curve(
        title="tanh network (bounds estimated)",
        certified=False,
        times=times.tolist(),
        drop=[drop for _, drop, _ in lower],
        lower=[side[0] if holds else None for side, _, holds in lower],
        upper=[side[1] for _, side, _ in upper],
        printed=None,
    )


def curves() -> list[Curve]:
    """All five panels."""
    shares = {"κ = 0: outputs accelerate as γ says": 0.0, "κ = ½": 0.5, "κ = 1: curvature undoes it all": 1.0}
    return [
        *(certified(title, instability(kappa, 0.0)) for title, kappa in shares.items()),
        certified("κ = 0, ε = 2⁻⁸: the window", instability(0.0, OVERLAP)),
        network(),
    ]


def draw(found: Sequence[Curve], path: Path) -> None:
    """The picture as an SVG file. Needs matplotlib."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "boundcheck"  # the same numbers give the same file
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
    for axis, curve in zip(axes.flat, found, strict=False):
        _panel(axis, curve)
    for axis in list(axes.flat)[len(found) :]:
        axis.axis("off")
        axis.legend(*axes.flat[3].get_legend_handles_labels(), loc="center", frameon=False)
    figure.savefig(
        path, metadata={"Date": None, "Title": "Loss of utility along a fine-tuning flow, between its bounds"}
    )
    plt.close(figure)


def _panel(axis: "Axes", curve: Curve) -> None:
    times = curve.times
    middle = [(low + high) / 2 for low, high in curve.drop]
    axis.set(xscale="log", yscale="log", title=curve.title, xlabel="time t", ylabel="loss of utility Δu")
    sort = "certified" if curve.certified else "estimated"
    axis.plot(times, middle, color="black", linewidth=2, label="Δu along the flow")
    axis.plot(times, _gaps(curve.upper), color="tab:red", linestyle="--", label=f"upper bound ({sort})")
    axis.plot(times, _gaps(curve.lower), color="tab:blue", linestyle="-.", label=f"lower bound ({sort})")
    if curve.printed:
        axis.plot(times, curve.printed, color="tab:gray", linestyle=":", label="printed law λγ²t⁴, with ⅛")
    if curve.window:
        axis.axvspan(*curve.window, color="tab:green", alpha=0.15, label="window of the quartic law")


def _gaps(values: Sequence[float | None]) -> list[float]:
    return [math.nan if value is None or value <= 0 else value for value in values]


def main(folder: Path) -> None:
    """Write the picture and its numbers."""
    found = curves()
    folder.mkdir(parents=True, exist_ok=True)
    numbers = folder / "dose-response.json"
    numbers.write_text(json.dumps([asdict(curve) for curve in found], indent=1) + "\n", encoding="utf-8")
    draw(found, folder / "dose-response.svg")
    print(f"{folder / 'dose-response.svg'} and {numbers}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "reports"))
