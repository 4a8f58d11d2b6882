"""What the processor can do, what a call asks of it, and which of the two limits binds.

The ceilings are measured in the same run: float64 matrix products, and a triad a = b + s·c over buffers far larger than any
cache. What a call asks is counted operator by operator while it runs: floating-point operations by formula, and bytes as if
each operator read its inputs from memory and wrote its result there. Caches make the true traffic smaller, so the share of
time that memory explains may come out above 1: then the numbers stayed in cache.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from tests.benchmarks.interleaved import timed_once

GEMM_SIZE = 1536
TRIAD_ENTRIES = 2**25
"""256 MiB a buffer."""

TRIAD_BYTES = 24
"""An entry of a triad reads two numbers and writes one."""

VIEWS = frozenset(
    [
        *("view", "expand", "permute", "transpose", "as_strided", "slice"),
        *("select", "alias", "detach", "unsqueeze", "squeeze", "t"),
    ]
)
aten = torch.ops.aten


def ceilings(threads: Sequence[int] = (1, 2)) -> list[dict[str, float]]:
    """Peak rates, for each number of threads."""
    before = torch.get_num_threads()
    try:
        return [_ceiling(count) for count in threads]
    finally:
        torch.set_num_threads(before)


def _ceiling(threads: int) -> dict[str, float]:
    torch.set_num_threads(threads)
    a, b, out = (torch.ones(GEMM_SIZE, GEMM_SIZE, dtype=torch.float64) for _ in range(3))
    gemm = timed_once(lambda: torch.mm(a, b, out=out), rounds=5)
    x, y, z = (torch.ones(TRIAD_ENTRIES, dtype=torch.float64) for _ in range(3))
    triad = timed_once(lambda: torch.add(x, y, alpha=3.0, out=z), rounds=5)
    return {
        "threads": threads,
        "flops_per_second": 2 * GEMM_SIZE**3 / gemm,
        "bytes_per_second": TRIAD_BYTES * TRIAD_ENTRIES / triad,
    }


class Work(TorchDispatchMode):
    """Counts what runs inside: operators, floating-point operations, bytes in and out of operators."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operators = 0
        self.flops = 0.0
        self.bytes = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__.strip("_") in VIEWS:
            return out
        given = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        made = [value for value in tree_leaves(out) if isinstance(value, Tensor)]
        self.operators += 1
        self.bytes += sum(_bytes(value) for value in (*given, *made))
        self.flops += _flops(func, args, kwargs or {}, out, made)
        return out


def _bytes(value: Tensor) -> int:
    """What it holds; an expanded tensor counts its entries once."""
    distinct = [size for size, stride in zip(value.shape, value.stride(), strict=True) if stride]
    return math.prod(distinct) * value.element_size()


def _flops(func: Any, args: Any, kwargs: Any, out: Any, made: list[Tensor]) -> float:
    packet = func.overloadpacket
    if packet in flop_registry:
        return float(flop_registry[packet](*args, **kwargs, out_val=out))
    if packet in FACTORISATIONS:
        matrix = args[0]
        rows, columns = sorted(matrix.shape[-2:], reverse=True)
        return float(math.prod(matrix.shape[:-2])) * FACTORISATIONS[packet](rows, columns)
    if packet is aten.linalg_solve_triangular:
        matrix, right = args[0], args[1]
        return float(matrix.shape[-1] * right.numel())
    return float(max((value.numel() for value in made), default=0))


FACTORISATIONS: dict[Any, Callable[[int, int], float]] = {
    aten.linalg_qr: lambda m, n: 2 * m * n**2 - 2 * n**3 / 3,
    aten._linalg_svd: lambda m, n: 4 * m * n**2 - 4 * n**3 / 3,
    aten.linalg_cholesky_ex: lambda _, n: n**3 / 3,
    aten._linalg_eigh: lambda _, n: 4 * n**3 / 3,
}
"""Golub and Van Loan's counts of what LAPACK does for an m × n matrix, m >= n; of values alone, without vectors."""


def asked_of(call: Callable[[], Any]) -> dict[str, float]:
    """What one call asks of the processor, and its seconds."""
    with Work() as work:
        call()
    return {
        "operators": work.operators,
        "flops": work.flops,
        "bytes": work.bytes,
        "seconds": timed_once(call, rounds=5),
    }


def binding(asked: dict[str, float], ceiling: dict[str, float]) -> dict[str, Any]:
    """The share of the time that each ceiling explains, and the word for the larger one."""
    compute = asked["flops"] / ceiling["flops_per_second"] / asked["seconds"]
    memory = asked["bytes"] / ceiling["bytes_per_second"] / asked["seconds"]
    return {
        "compute": compute,
        "memory": memory,
        "intensity": asked["flops"] / asked["bytes"],
        "flops_per_second": asked["flops"] / asked["seconds"],
        "binds": _word(compute, memory),
    }


def _word(compute: float, memory: float) -> str:
    if max(compute, memory) < 0.5:
        return "neither: small operators and factorisations"
    if compute >= memory:
        return "matrix products"
    return "memory" if memory <= 1 else "cache"
