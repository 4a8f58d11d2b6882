"""How time grows with each size of a workload: ours at five points, and the loop where it takes no more than a second or two."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.benchmarks import loops, networks, workloads
from tests.benchmarks.interleaved import timed_once

POINTS = 5
LONGEST_LOOP = 1.5
"""Seconds up to which the loop is timed."""


@dataclass(frozen=True)
class Curve:
    """One size varied, all others as in the workload.

    Attributes:
        key: of the workload.
        symbol: of the size, in the figure.
        at: its values.
        made: from a value to (our call, the loop's call, the loop's rows).
        row: seconds that the loop takes for a row, roughly: to tell beforehand whether it is affordable.

    """

    key: str
    symbol: str
    at: tuple[int, ...]
    made: Callable[[int], tuple[Callable[[], Any], Callable[[], Any], int]]
    row: float = 1e-3


def measured(curve: Curve) -> dict[str, Any]:
    """Seconds by size."""
    points = [_point(curve, value) for value in curve.at]
    return {"key": curve.key, "symbol": curve.symbol, "points": points}


def _point(curve: Curve, value: int) -> dict[str, Any]:
    ours, loop, rows = curve.made(value)
    affordable = rows * curve.row <= LONGEST_LOOP
    return {
        "at": value,
        "ours": timed_once(ours),
        "loop": timed_once(loop, rounds=1) if affordable else None,
    }


def _of_net(name: str, size: str, **fixed: Any) -> Callable[[int], tuple[Callable[[], Any], Callable[[], Any], int]]:
    def made(value: int) -> tuple[Callable[[], Any], Callable[[], Any], int]:
        net = getattr(networks, name)(**{**fixed, size: value})
        outputs = net.module(net.x_train[:1]).shape[-1]
        rows = (len(net.x_train) + len(net.x_eval)) * outputs
        return (lambda: workloads.by_module(net)), (lambda: loops.looped(net)), rows

    return made


def _of_many(size: str, **fixed: int) -> Callable[[int], tuple[Callable[[], Any], Callable[[], Any], int]]:
    def made(value: int) -> tuple[Callable[[], Any], Callable[[], Any], int]:
        nets = networks.many_nets(**{**fixed, size: value})
        rows = nets.lanes * nets.family.outputs_ * (nets.x_train.shape[1] + nets.x_eval.shape[1])
        return (lambda: workloads.by_family(nets)), (lambda: loops.looped_nets(nets, nets.lanes)), rows

    return made


CURVES = (
    Curve("W1", "width (n = 402·width + 1)", (32, 64, 128, 256, 512), _of_net("two_layer", "width")),
    Curve("W1", "m", (8, 16, 32, 64, 128), _of_net("two_layer", "train")),
    Curve("W1", "k", (1, 2, 4, 8, 16), _of_net("two_layer", "outputs")),
    Curve("W1", "N", (250, 500, 1000, 2000, 4000), _of_net("two_layer", "evaluation")),
    Curve("W2 mean", "tokens", (2, 5, 10, 20, 40), _of_net("attention", "tokens", mean=True)),
    Curve("W3", "lanes", (16, 80, 400, 2000, 10_000), _of_many("lanes"), row=6e-5),
    Curve("W3", "N (100 lanes)", (16, 32, 64, 128, 256), _of_many("evaluation", lanes=100), row=6e-5),
)
