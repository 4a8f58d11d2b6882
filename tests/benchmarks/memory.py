"""How much memory a call takes at its peak, beyond its inputs: measured in fresh processes.

Two children are started: both import what is needed, measure one tiny net (which loads code that torch leaves for its first use)
and make the inputs, and only one of them makes the call. The difference of their peaks (`ru_maxrss`, the largest resident size)
is what the call took.

Numerics: a process inherits the peak of the one it was started from (Linux carries it over `exec`), so a child of a large process
would look large whatever it does: the children are started by a small one in between. A peak while inputs were made can hide
a part of the call's, but no more than `hidden`: the peak before the call less what was then resident.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[2]
KIB = 1024 if sys.platform != "darwin" else 1
"""Bytes in the unit of ru_maxrss."""

LAUNCHER = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"


@dataclass(frozen=True)
class Peak:
    """What a call takes at its peak beyond its inputs, in bytes, and how much of it may be hidden."""

    extra: int
    hidden: int


def peak_of(name: str) -> Peak:
    """The extra memory of one of `CALLS`, from two fresh processes."""
    without, called = _child(name, "without"), _child(name, "call")
    return Peak(max(0, called["peak"] - without["peak"]), max(0, without["peak"] - without["resident"]))


def _child(name: str, mode: str) -> dict[str, int]:
    child = [sys.executable, "-m", "tests.benchmarks.memory", name, mode]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", LAUNCHER, *child],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"measuring the memory of {name!r} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def main(name: str, mode: str) -> None:
    """In the child: make the inputs, call or not, and print peak and resident size."""
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    CALLS["W1 tiny"]()()
    call = CALLS[name]()
    if mode == "call":
        call()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
    print(json.dumps({"peak": peak, "resident": _resident(peak)}))


def _resident(otherwise: int) -> int:
    """Bytes resident now, where the system says so."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return otherwise


def _of_net(how: str, net: str, **sizes: Any) -> Callable[[], Callable[[], Any]]:
    def made() -> Callable[[], Any]:
        from tests.benchmarks import loops, networks, workloads

        inputs = getattr(networks, net)(**sizes)
        forms: dict[str, Callable[[Any], Any]] = {
            "module": workloads.by_module,
            "function": workloads.by_function,
            "einsum": lambda net: workloads.by_module(networks.rewritten(net, networks.EinsumLinear)),
            "generic": lambda net: workloads.by_module(networks.rewritten(net, networks.HalvedLinear)),
            "family": workloads.by_family,
            "torch.func": loops.nets_by_torch_func if net == "many_nets" else loops.by_torch_func,
            "loop": loops.looped,
        }
        return lambda: forms[how](inputs)

    return made


def _allocation(mebibytes: int) -> Callable[[], Callable[[], Any]]:
    """A call whose extra memory is known."""
    return lambda: lambda: torch.ones(mebibytes * 2**17).sum()


LARGE: dict[str, Any] = {"train": 320, "evaluation": 10_000}
CALLS: Mapping[str, Callable[[], Callable[[], Any]]] = {
    "W1": _of_net("module", "two_layer"),
    "W1 tiny": _of_net("module", "two_layer", inputs=6, width=5, train=3, evaluation=7),
    "W1 function": _of_net("function", "two_layer"),
    "W1 einsum": _of_net("einsum", "two_layer"),
    "W1 generic": _of_net("generic", "two_layer"),
    "W1 torch.func": _of_net("torch.func", "two_layer"),
    "W1 loop": _of_net("loop", "two_layer"),
    "W1 accurate": _of_net("module", "nearly_equal"),
    "W1 ten times": _of_net("module", "two_layer", **LARGE),
    "W2 mean": _of_net("module", "attention", mean=True),
    "W2 flat": _of_net("module", "attention", mean=False),
    "W2 function": _of_net("function", "attention", mean=True),
    "W2 einsum": _of_net("einsum", "attention", mean=True),
    "W2 generic": _of_net("generic", "attention", mean=True),
    "W2 ten times": _of_net("module", "attention", mean=True, **LARGE),
    "W3": _of_net("family", "many_nets"),
    "W3 torch.func": _of_net("torch.func", "many_nets"),
    "W3 ten times": _of_net("family", "many_nets", lanes=10_000),
    "64 MiB": _allocation(64),
}
REPORTED = tuple(key for key in CALLS if key != "64 MiB")

TARGETS: Mapping[str, float] = {"W1": 10e6} | dict.fromkeys(
    ("W1 einsum", "W1 generic", "W2 einsum", "W2 generic"), 64e6
)
"""Bytes."""

if __name__ == "__main__":
    main(*sys.argv[1:])
