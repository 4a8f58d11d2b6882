"""Nets a second in several processes at once: each warms up, all start together, each counts what it finishes in the time."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

SECONDS = 3.0
TARGETS = {1: 45_000.0, 2: 60_000.0}
ROOT = Path(__file__).parents[2]


def nets_per_second(processes: int, seconds: float = SECONDS, lanes: int = 1000) -> dict[str, Any]:
    """How many nets of W3 that many processes measure in a second, together."""
    command = [sys.executable, "-m", "tests.benchmarks.throughput", str(seconds), str(lanes)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    children = [
        subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(processes)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()  # it is ready
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    found = [json.loads(child.communicate()[0]) for child in children]
    total = sum(one["nets"] / one["seconds"] for one in found)
    target = TARGETS.get(processes)
    return {
        "processes": processes,
        "per_second": total,
        "target": target,
        "reached": None if target is None else total >= target,
    }


def main(seconds: float, lanes: int) -> None:
    """In a child: warm up, say so, wait for the start, count."""
    from tests.benchmarks import networks, workloads

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    nets = networks.many_nets(lanes)
    for _ in range(5):
        workloads.by_family(nets)
    print("ready", flush=True)
    sys.stdin.readline()
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        workloads.by_family(nets)
        calls += 1
    print(json.dumps({"nets": calls * lanes, "seconds": elapsed}), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
