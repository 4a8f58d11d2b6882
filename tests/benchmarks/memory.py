"""How much memory a call takes at its peak, beyond its inputs: measured in fresh processes.

Two children are started: both import what is needed, make the same kind of call on a small net (which loads code that torch
leaves for its first use: 90 MB for its derivatives of batches alone) and make the inputs, and only one of them makes the call.
The difference of their peaks (`ru_maxrss`, the largest resident size) is what the call took.

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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

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
    call = CALLS[name]
    call.on_small_inputs()
    made = call.make()
    if mode == "call":
        made()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
    print(json.dumps({"peak": peak, "resident": _resident(peak)}))


def _resident(otherwise: int) -> int:
    """Bytes resident now, where the system says so."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return otherwise


class Call(Protocol):
    """Something whose memory is measured."""

    def make(self) -> Callable[[], Any]:
        """Its inputs, and the call on them."""

    def on_small_inputs(self) -> None:
        """The same kind of call, made at once."""


@dataclass(frozen=True)
class OfNet:
    """The overlap by one of the forms: how, of which net, of which sizes."""

    how: str
    net: str
    sizes: Mapping[str, Any] = field(default_factory=dict)

    def make(self) -> Callable[[], Any]:
        from tests.benchmarks import loops, networks, workloads

        inputs = getattr(networks, self.net)(**self.sizes)
        forms: dict[str, Callable[[Any], Any]] = {
            "module": workloads.by_module,
            "function": workloads.by_function,
            "einsum": lambda net: workloads.by_module(networks.rewritten(net, networks.EinsumLinear)),
            "generic": lambda net: workloads.by_module(networks.rewritten(net, networks.ReshapedLinear)),
            "family": workloads.by_family,
            "torch.func": loops.nets_by_torch_func if self.net == "many_nets" else loops.by_torch_func,
            "loop": loops.looped,
        }
        return lambda: forms[self.how](inputs)

    def on_small_inputs(self) -> None:
        fixed = {name: size for name, size in self.sizes.items() if name == "mean"}
        replace(self, sizes={**SMALL[self.net], **fixed}).make()()


@dataclass(frozen=True)
class Allocation:
    """A call whose extra memory is known."""

    mebibytes: int

    def make(self) -> Callable[[], Any]:
        return lambda: torch.ones(self.mebibytes * 2**17).sum()

    def on_small_inputs(self) -> None:
        torch.ones(1).sum()


def _of_net(how: str, net: str, **sizes: Any) -> OfNet:
    return OfNet(how, net, sizes)


_FEW = {"train": 8, "evaluation": 160}
SMALL: Mapping[str, Mapping[str, Any]] = {
    "two_layer": {"inputs": 100, "width": 60, **_FEW},
    "nearly_equal": {"inputs": 100, "width": 60, **_FEW},
    "attention": {"tokens": 3, "width": 40, "hidden": 30, **_FEW},
    "many_nets": {"lanes": 64},
}
"""Large enough that every decision is made as for the large ones."""

LARGE: dict[str, Any] = {"train": 320, "evaluation": 10_000}
CALLS: Mapping[str, Call] = {
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
    "64 MiB": Allocation(64),
}
REPORTED = tuple(key for key in CALLS if key != "64 MiB")

TARGETS: Mapping[str, float] = {"W1": 10e6} | dict.fromkeys(
    ("W1 einsum", "W1 generic", "W2 einsum", "W2 generic"), 64e6
)
"""Bytes."""

if __name__ == "__main__":
    main(*sys.argv[1:])
