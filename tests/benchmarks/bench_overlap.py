"""How much faster γ_ov, σ_min and σ_max are than the obvious loop, in float64 on one thread.

    python -m pytest tests/benchmarks/bench_overlap.py

Named so that a plain `pytest` does not collect it. The loop takes one automatic derivative a row (`torch.autograd.grad`, each
sample alone), stacks the rows, and finishes with the QR and SVD that we use too. Both run in this process, on one thread: two
threads gain nothing for matrices of this size, and a loop of small operators cannot use them. The loop over 1,000 nets is
timed on 20 of them and scaled. Times are the best of a few rounds.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from tabulate import tabulate
from torch import Tensor, nn

from boundcheck.geometry import TwoLayer, family_overlaps, tangent_overlap
from tests.geometry.oracle import jacobian_rows

THREADS = 1
ROUNDS = 15
LOOP_ROUNDS = 2
AGREEMENT = 1e-10
"""Largest relative difference between our quantities and the loop's; all condition numbers here are below 10³."""

NETS, TIMED_NETS = 1000, 20


@dataclass(frozen=True)
class Workload:
    """One set of instances, both ways: functions to (γ_ov, σ_min, σ_max), each `[lanes]`."""

    ours: Callable[[], Tensor]
    loop: Callable[[], Tensor]
    required: float
    scale: float = 1.0


@dataclass
class Table:
    rows: list[tuple[str, float, float, float, float]] = field(default_factory=list)


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Collects the ratios and prints them once all are measured."""
    made = Table()
    yield made
    heads = ["workload", "ours [ms]", "loop [ms]", "ratio", "required"]
    text = tabulate(made.rows, heads, floatfmt=("", ".1f", ".0f", ".1f", ".0f"))
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled():  # type: ignore[union-attr]
        print(f"\n\nγ_ov, σ_min and σ_max in float64, {THREADS} thread\n{text}\n")


def finish(train: Tensor, evaluation: Tensor, samples: int) -> Tensor:
    """γ_ov, σ_min and σ_max of stacked Jacobians."""
    basis, triangle = torch.linalg.qr(train.mT)
    sigmas = torch.linalg.svdvals(triangle)
    gamma = torch.linalg.svdvals(evaluation @ basis)[-1] / math.sqrt(samples)
    return torch.stack([gamma, sigmas[-1], sigmas[0]])


def of_module(module: nn.Module, shape: tuple[int, ...], required: float) -> Workload:
    x_train, x_eval = torch.randn(32, *shape), torch.randn(1000, *shape)
    params = list(module.parameters())

    def ours() -> Tensor:
        found = tangent_overlap(module, x_train, x_eval)
        return torch.tensor([found.gamma_ov, found.sigma_min, found.sigma_max])

    def loop() -> Tensor:
        return finish(jacobian_rows(module, params, x_train), jacobian_rows(module, params, x_eval), 1000)

    return Workload(ours, loop, required)


class AttentionNet(nn.Module):
    """Self-attention of one head on 5 tokens of width 80, then an MLP of 48 hidden units on their mean or on all of them."""

    def __init__(self, *, mean: bool) -> None:
        super().__init__()
        self.mean = mean
        self.query, self.key, self.value = (nn.Linear(80, 80) for _ in range(3))
        self.mlp = nn.Sequential(nn.Linear(80 if mean else 400, 48), nn.Tanh(), nn.Linear(48, 1))

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.softmax(self.query(x) @ self.key(x).mT / math.sqrt(80), dim=-1)
        attended = x + weights @ self.value(x)
        return self.mlp(attended.mean(1) if self.mean else attended.flatten(1))


def two_layer() -> Workload:
    return of_module(nn.Sequential(nn.Linear(400, 128), nn.Tanh(), nn.Linear(128, 1)), (400,), 10)


def attention_flat() -> Workload:
    return of_module(AttentionNet(mean=False), (5, 80), 10)


def attention_mean() -> Workload:
    return of_module(AttentionNet(mean=True), (5, 80), 10)


def many_nets() -> Workload:
    family = TwoLayer(6, 8, 2)
    theta, head = torch.randn(NETS, family.parameters), torch.randn(NETS, 2, 8)
    x_train, x_eval = torch.randn(NETS, 4, 6), torch.randn(NETS, 64, 6)

    def ours() -> Tensor:
        found = family_overlaps(family, theta, {"head": head}, x_train, x_eval)
        return torch.stack([found.gamma_ov, found.sigma_min, found.sigma_max])[:, :TIMED_NETS]

    def one(lane: int) -> Tensor:
        parameters = theta[lane].clone().requires_grad_()

        def rows(x: Tensor) -> Tensor:
            return jacobian_rows(lambda z: family.outputs(parameters, {"head": head[lane]}, z), [parameters], x)

        return finish(rows(x_train[lane]), rows(x_eval[lane]), 64)

    def loop() -> Tensor:
        return torch.stack([one(lane) for lane in range(TIMED_NETS)], dim=-1)

    return Workload(ours, loop, 200, NETS / TIMED_NETS)


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "W1 two-layer 400-128-1, m=32, N=1000": two_layer,
    "W2 attention 5x80 + MLP 48 on all tokens, m=32, N=1000": attention_flat,
    "W2 attention 5x80 + MLP 48 on their mean, m=32, N=1000": attention_mean,
    "W3 1,000 nets 6-8-2, m=4, N=64": many_nets,
}


def best_of(rounds: int, function: Callable[[], Tensor]) -> tuple[float, Tensor]:
    """Seconds of the fastest round, and the result."""
    best, result = math.inf, torch.empty(0)
    for _ in range(rounds):
        start = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - start)
    return best, result


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    torch.set_num_threads(THREADS)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", WORKLOADS)
def test_faster_than_the_loop(name: str, benchmark: Any, table: Table) -> None:
    torch.manual_seed(0)
    work = WORKLOADS[name]()
    before, expected = best_of(LOOP_ROUNDS, work.loop)
    found = benchmark.pedantic(work.ours, rounds=ROUNDS, warmup_rounds=2)
    ours = benchmark.stats.stats.min
    loop = min(
        before, best_of(LOOP_ROUNDS, work.loop)[0]
    )  # on both sides of ours, so that a busy machine favours neither
    torch.testing.assert_close(found, expected, rtol=AGREEMENT, atol=0.0)
    ratio = work.scale * loop / ours
    benchmark.extra_info["ratio"] = ratio
    table.rows.append((name, 1e3 * ours, 1e3 * work.scale * loop, ratio, work.required))
    assert ratio >= work.required, f"{ratio:.1f} times as fast as the loop; expected {work.required:g} times"
