"""One instance and what was proved of it, in lines that people read."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from boundcheck.problem import Problem
from boundcheck.proof.arithmetic import Endpoint
from boundcheck.proof.finding import Finding, Interval

SHOWN_ENTRIES = 24
SHOWN_APART = 6
"""Of a larger leaf that is nearly all zeros so many entries are shown."""


def readable(problem: Problem, findings: Sequence[Finding], premises: Sequence[str], drawn: str) -> dict[str, Any]:
    """A batch of one instance as the run holds it beside a counterexample.

    Returns:
        `drawn` (what drew it), `instance` (lines, see `numbers`), and for each of `routes` its name (`route`), what it proves
        (`finding`) and the enclosures of both sides and of every premise's margin (`values`: `name` and `value`).

    """
    routes = [
        {"route": finding.route, "finding": str(finding.standing), "values": _enclosures(finding, premises)}
        for finding in findings
    ]
    return {"drawn": drawn, "instance": numbers(problem), "routes": routes}


def numbers(problem: Problem) -> list[str]:
    """Structure and free leaves of a batch of one instance, a line each; every digit of every number that fits."""
    lines = [f"{name}: {_structural(value)}" for name, value in problem.structure().items()]
    leaves = {name: leaf[0] for name, leaf in problem.leaves().items()}
    lines += [f"{name} = {_entries(leaf)}" for name, leaf in leaves.items() if name not in problem.derived]
    derived = [name for name in leaves if name in problem.derived]
    return [*lines, *([f"derived from these: {', '.join(derived)}"] if derived else [])]


def _structural(value: object) -> str:
    if isinstance(value, Mapping) and "part" in value:
        sizes = ", ".join(f"{key}={item}" for key, item in value.items() if key != "part")
        return f"{value['part']}({sizes})"
    return str(value)


def _entries(leaf: Tensor) -> str:
    apart = leaf.nonzero().tolist()
    if leaf.numel() <= SHOWN_ENTRIES:
        return str(_rounded(leaf.tolist())).replace("'", "")
    shape = tuple(leaf.shape)
    if not apart:
        return f"{shape} zeros"
    if len(apart) <= SHOWN_APART:
        entries = (f"{_number(leaf[tuple(place)].item())} at {_place(place)}" for place in apart)
        return f"{shape} zeros but for {', '.join(entries)}"
    return f"{shape} numbers, of which the file holds every digit"


def _place(place: list[int]) -> str:
    return str(place[0] if len(place) == 1 else tuple(place))


def _rounded(value: object) -> object:
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    assert isinstance(value, float)
    return _number(value)


def _number(value: float) -> str:
    """Every digit: as a whole number, as a small one times a power of 2 where that is shorter, else as a decimal."""
    decimal = str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if not math.isfinite(value) or value == 0:
        return decimal
    numerator, denominator = value.as_integer_ratio()
    twos = (numerator & -numerator).bit_length() - 1
    odd, exponent = numerator >> twos, twos - (denominator.bit_length() - 1)
    power = f"2^{exponent}" if odd == 1 else f"-2^{exponent}" if odd == -1 else f"{odd}*2^{exponent}"
    return power if abs(odd) < 100 and len(power) + 3 < len(decimal) else decimal


def _enclosures(finding: Finding, premises: Sequence[str]) -> list[dict[str, str]]:
    names = ["smaller side", "larger side", *(f"premise {name!r}" for name in premises)]
    values = [finding.left, finding.right, *finding.premises]
    return [{"name": name, "value": _interval(value)} for name, value in zip(names, values, strict=True)]


def _interval(interval: Interval) -> str:
    low, high = interval
    if low == high:
        return f"= {_decimal(low)}"
    if isinstance(low, float) or isinstance(high, float):  # an infinity
        return f"in [{_decimal(low)}, {_decimal(high)}]"
    return f"= {_decimal((low + high) / 2)} ± {_short((high - low) / 2)}"


def _short(x: Endpoint) -> str:
    try:
        return f"{float(x):.1e}"
    except OverflowError:
        return _decimal(x)


def _decimal(x: Endpoint) -> str:
    try:
        return repr(float(x))
    except OverflowError:
        return f"about {'-' if x < 0 else ''}2^{int(x).bit_length()}"
