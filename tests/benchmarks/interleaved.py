"""Several ways to the same numbers, timed turn by turn in one process, so that load from elsewhere hits all alike.

In each round every way that takes part is called once untimed, where it is quick, and once timed; ratios are taken within a
round, and their median counts. Slow ways take part in fewer rounds.
"""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tests.benchmarks.workloads import Form, Workload

QUICK = 0.05
"""Seconds up to which a call is repeated, so that it finds its caches as it would in use."""

ROUNDS, FEWEST = 15, 1
BUDGET = 6.0
"""Seconds a form may take in all its rounds, as long as it takes part in the fewest."""


@dataclass
class Timed:
    """One form and what was measured of it: seconds by round."""

    form: Form
    first: float
    values: Tensor
    seconds: dict[int, float] = field(default_factory=dict)

    @property
    def rounds(self) -> int:
        """In how many rounds it can take part."""
        return max(FEWEST, min(ROUNDS, int(BUDGET / max(self.first, 1e-9))))

    def takes_part(self, turn: int, rounds: int) -> bool:
        """Its rounds, spread evenly over all.

        >>> form = Timed(None, 2.0, None)
        >>> [turn for turn in range(9) if form.takes_part(turn, 9)]
        [0, 3, 6]
        """
        mine = min(self.rounds, rounds)
        return turn * mine // rounds != (turn - 1) * mine // rounds


def call(form: Form) -> Timed:
    """The first call, which warms everything up and says how long a call takes."""
    start = time.perf_counter()
    values = form.call()
    return Timed(form, time.perf_counter() - start, values)


def take_turn(timed: Timed, turn: int) -> None:
    """One round of one form."""
    if timed.first < QUICK:
        timed.form.call()
    start = time.perf_counter()
    timed.form.call()
    timed.seconds[turn] = time.perf_counter() - start


def compared(workload: Workload, benchmark: Any) -> dict[str, Any]:
    """All forms of a workload, measured; ours by pytest-benchmark, whose `setup` gives the others their turns before it."""
    before = torch.get_num_threads()
    torch.set_num_threads(workload.threads)
    try:
        return _compared(workload, benchmark)
    finally:
        torch.set_num_threads(before)


def _compared(workload: Workload, benchmark: Any) -> dict[str, Any]:
    ours, others = call(workload.ours), [call(form) for form in workload.others]
    rounds = ours.rounds
    turns = iter(range(rounds))

    def others_first() -> None:
        turn = next(turns)
        for other in others:
            if other.takes_part(turn, rounds):
                take_turn(other, turn)
        if ours.first < QUICK:
            workload.ours.call()

    benchmark.pedantic(workload.ours.call, setup=others_first, rounds=rounds)
    ours.seconds = dict(enumerate(benchmark.stats.stats.data))
    return result(workload, ours, others)


def result(workload: Workload, ours: Timed, others: list[Timed]) -> dict[str, Any]:
    """What is saved: seconds for the whole workload, ratios, differences, targets."""
    seconds = _seconds(ours)
    return {
        "key": workload.key,
        "title": workload.title,
        "form": workload.ours.name,
        "threads": workload.threads,
        "instances": workload.instances,
        **seconds,
        "per_second": workload.instances / seconds["median"],
        "others": [_beside(workload, ours, other) for other in others],
    }


def _beside(workload: Workload, ours: Timed, other: Timed) -> dict[str, Any]:
    form = other.form
    scaled = {turn: form.scale * seconds for turn, seconds in other.seconds.items()}
    if workload.ratio_of_ours:
        ratios = [ours.seconds[turn] / seconds for turn, seconds in scaled.items()]
    else:
        ratios = [seconds / ours.seconds[turn] for turn, seconds in scaled.items()]
    ratio, least = statistics.median(ratios), min(scaled.values()) / min(ours.seconds.values())
    return {
        "form": form.name,
        "scale": form.scale,
        "compile": form.compile_seconds,
        **_seconds(other),
        "ratio": ratio,
        "ratio_of_least": 1 / least if workload.ratio_of_ours else least,
        "ratios": sorted(ratios),
        "at_most": workload.ratio_of_ours,
        "target": form.target,
        "reached": reached(ratio, form.target, at_most=workload.ratio_of_ours),
        "difference": difference(ours.values, other.values),
        "allowed": form.accuracy,
    }


def _seconds(timed: Timed) -> dict[str, float]:
    found = [timed.form.scale * seconds for seconds in timed.seconds.values()]
    return {"median": statistics.median(found), "min": min(found), "rounds": len(found)}


def reached(value: float, target: float | None, *, at_most: bool) -> bool | None:
    """Whether a figure meets its target; None where there is none."""
    if target is None:
        return None
    return value <= target if at_most else value >= target


def difference(ours: Tensor, other: Tensor) -> float:
    """The largest relative difference, over what both give; ∞ where one gives a number and the other none."""
    rows, lanes = (min(sizes) for sizes in zip(ours.shape, other.shape, strict=True))
    mine, theirs = ours[:rows, :lanes], other[:rows, :lanes]
    if not torch.equal(mine.isnan(), theirs.isnan()):
        return math.inf
    return float(((mine - theirs).abs() / theirs.abs()).nan_to_num(0.0, posinf=math.inf).max())


def timed_once(function: Callable[[], Any], rounds: int = 3) -> float:
    """Seconds of the fastest of a few calls, after one to warm up: for curves, where no other way is timed beside it."""
    function()
    best = math.inf
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best
