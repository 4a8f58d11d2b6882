"""Measures everything in `tests.benchmarks`. Fails where numbers are wrong; a missed target fails only with BOUNDCHECK_STRICT=1.

    make bench

Named so that a plain `pytest` does not collect it.
"""

import os
from typing import Any

import pytest
import torch

from tests.benchmarks import claims, jax_forms, memory, networks, roofline, scaling, throughput, workloads
from tests.benchmarks.interleaved import compared
from tests.benchmarks.many_digits import overlap_to_many_digits

Record = dict[str, list[Any]]
STRICT = os.environ.get("BOUNDCHECK_STRICT", "") not in ("", "0")
ACCURACY_TARGET = 10.0
"""In units of eps·κ."""


def settle(what: str, one: dict[str, Any]) -> None:
    """A missed target ends a strict run."""
    missed = one["reached"] is False
    assert not (STRICT and missed), f"{what} misses its target {one['target']:g}"


def test_ceilings(record: Record) -> None:
    record["ceilings"] += roofline.ceilings()


@pytest.mark.parametrize("key", workloads.WORKLOADS)
def test_comparison(key: str, benchmark: Any, record: Record) -> None:
    workload = workloads.WORKLOADS[key]()
    found = compared(workload, benchmark)
    record["comparisons"].append(found)
    if workload.threads == 1:
        asked = roofline.asked_of(workload.ours.call)
        record["roofline"].append({"key": key, **asked, **roofline.binding(asked, record["ceilings"][0])})
    for other in found["others"]:
        assert other["difference"] <= other["allowed"], f"{key}: not the numbers of {other['form']}"
        settle(f"{key} beside {other['form']}", other)


def test_jax_takes_part(record: Record) -> None:
    if not jax_forms.INSTALLED:
        record["notes"].append(jax_forms.ABSENT)
        pytest.skip(jax_forms.ABSENT)


@pytest.mark.parametrize("apart", [1e-3, 1e-5, 1e-7])
def test_accuracy(apart: float, record: Record) -> None:
    net = networks.nearly_equal(apart)
    ours, exact = workloads.by_module(net)[:, 0], overlap_to_many_digits(net)[:, 0]
    condition = float(exact[2] / exact[1])
    errors = (ours - exact).abs() / exact / (torch.finfo(torch.float64).eps * condition)
    for quantity, error in zip(("γ_ov", "σ_min", "σ_max"), errors.tolist(), strict=True):
        found = {"key": f"W1, samples {apart:g} apart", "quantity": quantity, "condition": condition, "error": error}
        record["accuracy"].append({**found, "target": ACCURACY_TARGET, "reached": error <= ACCURACY_TARGET})
    stated = workloads.AGREEMENT / (torch.finfo(torch.float64).eps * condition)
    assert float(errors.max()) <= max(ACCURACY_TARGET, stated)


@pytest.mark.parametrize("processes", throughput.TARGETS)
def test_throughput(processes: int, record: Record) -> None:
    found = throughput.nets_per_second(processes)
    record["throughput"].append(found)
    settle(f"{processes} processes", found)


@pytest.mark.parametrize("key", memory.REPORTED)
def test_memory(key: str, record: Record) -> None:
    peak, target = memory.peak_of(key), memory.TARGETS.get(key)
    reached = None if target is None else peak.extra + peak.hidden <= target
    found = {"key": key, "extra": peak.extra, "hidden": peak.hidden, "target": target, "reached": reached}
    record["memory"].append(found)
    settle(f"the memory of {key}", found)


@pytest.mark.parametrize("key", claims.SCREENED)
def test_screening(key: str, record: Record) -> None:
    found = claims.screened(key)
    record["screening"].append(found)
    settle(f"the screening of {key}", found)


def test_whole_claim(record: Record) -> None:
    found = claims.beside_a_script()
    record["scripts"].append(found)
    settle("LE-7:U beside a script", found)


def test_run_of_pytest(record: Record) -> None:
    found = claims.theorems_run()
    record["runs"].append(found)
    assert found["passed"], found["command"]


@pytest.mark.parametrize("curve", scaling.CURVES, ids=lambda curve: f"{curve.key} {curve.symbol}")
def test_scaling(curve: scaling.Curve, record: Record) -> None:
    record["scaling"].append(scaling.measured(curve))
