"""How accurate torch's functions are: the last column of the table beside `ULPS`, measured against Arb at 200 bits."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from flint import arb, ctx
from torch import Tensor

from boundcheck.rigor.enclosure import UNDERFLOW, UNIT_ROUNDOFF
from boundcheck.rigor.functions import SMALLEST_NORMAL, ULPS, stable_softplus
from tests.rigor.oracle import SEED

COUNT = 40_000
Draw = Callable[[np.random.Generator, int], np.ndarray]


def uniform(low: float, high: float) -> Draw:
    return lambda rng, n: rng.uniform(low, high, n)


def around(centre: float, width: float) -> Draw:
    return lambda rng, n: centre + width * rng.standard_normal(n)


def sizes(low: float, high: float, signed: bool = True) -> Draw:
    """Of every size from 2^low to 2^high."""

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        size = 2.0 ** rng.uniform(low, high, n)
        return np.asarray(size * np.where(rng.random(n) < 0.5, -1, 1) if signed else size)

    return draw


def subnormal(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.asarray(rng.integers(1, 2**52, n) * UNDERFLOW)


def multiples(of: float) -> Draw:
    """Near multiples of a number, where a periodic function nearly vanishes."""
    return lambda rng, n: rng.integers(-(10**6), 10**6, n) * of * (1 + rng.integers(-3, 4, n) * 2.0**-52)


def above(low: float) -> Draw:
    """From a pole on, mostly near it."""
    return lambda rng, n: low + 2.0 ** rng.uniform(-52, 1, n)


TINY = [sizes(-1074, -1), sizes(-60, 2), subnormal]


@dataclass(frozen=True)
class Measured:
    """A function of torch (or of our own), its value in Arb, and where it is measured."""

    torch: Callable[[Tensor], Tensor]
    exact: Callable[[arb], arb]
    where: list[Draw]
    absolute: float = 0.0


def exact_softplus(x: arb) -> arb:
    rest = (-abs(x)).exp().log1p()
    return rest + x if x > 0 else rest


FUNCTIONS = {
    "tanh": Measured(
        torch.tanh,
        lambda x: x.tanh(),
        [uniform(-25, 25), uniform(-1, 1), around(0.55, 0.1), around(19, 0.5), around(22, 0.5), *TINY, sizes(0, 1023)],
    ),
    "exp": Measured(
        torch.exp,
        lambda x: x.exp(),
        [uniform(-745.2, 709.78), uniform(-1, 1), uniform(-745.2, -700), uniform(700, 709.78), uniform(-40, 40), *TINY],
    ),
    "expm1": Measured(
        torch.expm1,
        lambda x: x.expm1(),
        [uniform(-50, 709.78), uniform(-1, 1), uniform(-745, -30), around(0.3, 0.3), around(-0.3, 0.3), *TINY],
    ),
    "log": Measured(
        torch.log,
        lambda x: x.log(),
        [uniform(0.5, 2), around(1, 1e-3), around(1, 1e-9), sizes(-1074, 1023, signed=False), subnormal],
    ),
    "log1p": Measured(
        torch.log1p,
        lambda x: x.log1p(),
        [
            above(-1),
            uniform(-0.3, 0.5),
            uniform(-1, 2),
            uniform(1, 1e6),
            sizes(0, 1023, signed=False),
            sizes(-1074, -1),
            subnormal,
        ],
    ),
    "sin": Measured(
        torch.sin,
        lambda x: x.sin(),
        [uniform(-10, 10), uniform(-1e6, 1e6), multiples(math.pi / 2), sizes(0, 1023), sizes(10, 60), *TINY],
    ),
    "cos": Measured(
        torch.cos,
        lambda x: x.cos(),
        [uniform(-10, 10), uniform(-1e6, 1e6), multiples(math.pi / 2), sizes(0, 1023), sizes(10, 60), *TINY],
    ),
    "atan": Measured(
        torch.atan,
        lambda x: x.atan(),
        [uniform(-10, 10), uniform(-1, 1), sizes(0, 1023), around(1, 0.1), around(2.4, 0.5), around(0.41, 0.1), *TINY],
    ),
    "erf": Measured(
        torch.erf,
        lambda x: x.erf(),
        [uniform(-6.5, 6.5), uniform(-1, 1), around(0.84, 0.05), around(1.25, 0.05), around(5.9, 0.1), *TINY],
    ),
    "erfc": Measured(
        torch.erfc,
        lambda x: x.erfc(),
        [uniform(-6.5, 6.5), uniform(5, 27.5), uniform(26, 27.5), around(0.84, 0.05), around(1.25, 0.05), *TINY],
    ),
    "sigmoid": Measured(
        torch.sigmoid,
        lambda x: 1 / (1 + (-x).exp()),
        [uniform(-745.2, 710), uniform(-40, 40), uniform(-750, -700), around(37, 0.5), around(-708.4, 0.5), *TINY],
        2 * SMALLEST_NORMAL,
    ),
    "softplus": Measured(
        stable_softplus,
        exact_softplus,
        [uniform(-745.2, 710), uniform(-40, 40), around(20, 0.5), around(-36.7, 0.5), around(-708.4, 0.5), *TINY],
    ),
    "sqrt": Measured(
        torch.sqrt,
        lambda x: x.sqrt(),
        [uniform(0, 1e6), uniform(1, 1.0001), sizes(-1074, 1023, signed=False), subnormal],
    ),
}


def test_the_accuracy_of_every_function_in_the_table_is_measured() -> None:
    assert set(FUNCTIONS) | {"pow"} == set(ULPS)


def layouts(function: Callable[[Tensor], Tensor], x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Arguments beside results: in one piece, in short ones (vectors and what is left over), one by one, with gaps."""
    yield x, function(x)
    for length in (1000, 8, 3, 1):
        pieces = x[: min(len(x), 400 * length) // length * length].reshape(-1, length)
        yield pieces.flatten(), torch.cat([function(piece.clone()) for piece in pieces])
    spaced = torch.zeros(len(x), 3, dtype=torch.float64)
    spaced[:, 1] = x
    yield x, function(spaced[:, 1])
    yield x[:2000], function(x[:2000, None].expand(-1, 3))[:, 1]


def doubled(values: list[arb]) -> tuple[Tensor, Tensor]:
    """Each as the sum of two doubles."""
    high = [float(value) for value in values]
    low = [float(value - first) if math.isfinite(first) else 0.0 for value, first in zip(values, high, strict=True)]
    return torch.tensor(high, dtype=torch.float64), torch.tensor(low, dtype=torch.float64)


def worst(
    function: Callable[[Tensor], Tensor], x: Tensor, exact: list[arb], absolute: float = 0.0
) -> tuple[float, float]:
    """The largest error in units of 2^-53 of the result (2^-1074 where it is subnormal), and the argument there."""
    high, low = doubled(exact)
    order = {value: index for index, value in enumerate(x.tolist())}
    found = (0.0, 0.0)
    for arguments, values in layouts(function, x):
        index = torch.tensor([order[value] for value in arguments.tolist()])
        error = ((values - high[index]) - low[index]).abs() - absolute
        units = error / (values.abs() * UNIT_ROUNDOFF + UNDERFLOW)
        assert bool(values.isfinite().all())
        place = int(units.argmax())
        found = max(found, (float(units[place]), float(arguments[place])))
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_torch_is_as_accurate_as_the_table_says(name: str) -> None:
    measured = FUNCTIONS[name]
    rng = np.random.default_rng([SEED, len(name), *name.encode()])
    share = COUNT // len(measured.where) + 1
    x = torch.from_numpy(np.unique(np.concatenate([draw(rng, share) for draw in measured.where])))
    x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))]
    precision = ctx.prec
    try:
        ctx.prec = 1300 if name in ("sin", "cos") else 220
        exact = [measured.exact(arb(value)) for value in x.tolist()]
    finally:
        ctx.prec = precision
    units, where = worst(measured.torch, x, exact, measured.absolute)
    assert units <= ULPS[name] / 1.5, f"{name} is off by {units} units at {where!r}"


EXPONENTS = [1.5, -0.5, 0.25, 1 / 3, -1.7, 33.5, -41.25, 100.5, 3.0, 7.0, -2.0, 1e-3, 0.999]


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_powers_are_as_accurate_as_the_table_says(exponent: float) -> None:
    rng = np.random.default_rng([SEED, 7])
    reach = min(1000.0, 1000.0 / abs(exponent))
    parts = [2.0 ** rng.uniform(-reach, reach, 700), np.exp(rng.uniform(-2, 2, 500)), around(1, 1e-3)(rng, 400)]
    x = torch.from_numpy(np.unique(np.concatenate(parts)))
    exact = [power(value, exponent) for value in x.tolist()]
    for function in (lambda t: t.pow(exponent), lambda t: torch.pow(t, torch.full_like(t, exponent))):
        units, where = worst(function, x, exact)
        assert units <= ULPS["pow"] / 1.5, f"x^{exponent} is off by {units} units at {where!r}"


def power(base: float, exponent: float) -> Any:
    precision = ctx.prec
    try:
        ctx.prec = 220
        return arb(base) ** arb(exponent)
    finally:
        ctx.prec = precision


def test_whole_powers_of_negative_numbers_are_as_accurate() -> None:
    rng = np.random.default_rng(SEED)
    x = -np.exp(rng.uniform(-9, 9, 1500))
    whole = rng.integers(-20, 21, 1500).astype(float)
    values = torch.pow(torch.from_numpy(x), torch.from_numpy(whole))
    high, low = doubled([power(-base, n) * (-1) ** int(n) for base, n in zip(x.tolist(), whole.tolist(), strict=True)])
    units = ((values - high) - low).abs() / (values.abs() * UNIT_ROUNDOFF)
    assert float(units.max()) <= ULPS["pow"] / 1.5
