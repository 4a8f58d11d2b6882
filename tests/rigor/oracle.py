"""Exact points inside enclosures, what a function is there (in rationals, or mpmath), and whether an enclosure holds it."""

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from boundcheck.rigor import DECOMPOSITIONS, Enclosure, Traced
from boundcheck.rigor.decompositions import exactly
from boundcheck.rigor.registry import lookup

aten = torch.ops.aten
Number = Any  # a Fraction, an mpf, a float
BITS = 200
SEED = 20250117


def named(name: str) -> Any:
    namespace, packet, overload = name.split(".")
    return getattr(getattr(getattr(torch.ops, namespace), packet), overload)


def apply(name: str, *args: Any, **kwargs: Any) -> Any:
    return lookup(named(name))(*args, **kwargs)


def ball(mid: Any, rad: Any = 0.0) -> Enclosure:
    values = torch.as_tensor(mid, dtype=torch.float64)
    return Enclosure(values, torch.as_tensor(rad, dtype=torch.float64).expand_as(values).clone())


def written_out(function: Callable[..., Any], *inputs: Tensor) -> Traced:
    """A function as its trace is when every operator that can be is written out in others."""

    def listed(*args: Tensor) -> list[Tensor]:
        result = function(*args)
        return list(result) if isinstance(result, list | tuple) else [result]

    with exactly():
        graph = make_fx(listed, decomposition_table=DECOMPOSITIONS)(
            *(t.clone(memory_format=torch.contiguous_format) for t in inputs)
        )
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return Traced(graph)


# ------------------------------------------------------------------------------------------- exact points and oracles


def real(x: Number) -> Any:
    """An mpf equal to a dyadic rational, whatever its size."""
    if isinstance(x, Fraction):
        assert x.denominator & (x.denominator - 1) == 0
        return mpmath.ldexp(mpmath.mpf(x.numerator), 1 - x.denominator.bit_length())
    return mpmath.mpf(x)


def bits(*points: Number) -> int:
    return BITS + max((abs(p.numerator).bit_length() for p in points if isinstance(p, Fraction)), default=0)


def transcendental(function: Callable[..., Any]) -> Callable[..., Any]:
    """The oracle of an mpmath function: exact arguments, about 200 bits in the answer."""

    def oracle(*points: Number) -> Any:
        with mpmath.workprec(bits(*points)):
            return function(*map(real, points))

    return oracle


def inside(exact: Number, mid: float, rad: float) -> bool:
    """Whether |exact - mid| <= rad; an mpf is trusted to 2^-150 of itself."""
    if math.isinf(rad):
        return True
    if not math.isfinite(mid):
        return False
    if isinstance(exact, Fraction):
        return abs(exact - Fraction(mid)) <= Fraction(rad)
    with mpmath.workprec(2400):
        return bool(abs(exact - mpmath.mpf(mid)) <= mpmath.mpf(rad) + mpmath.ldexp(abs(exact), -150))


def check(name: str, result: Enclosure, lane: int, exact: Number | None, about: str) -> bool:
    """Assert that an exact value lies within its enclosure; False where no exact value is claimed."""
    mid, rad = float(result.mid[lane]), float(result.rad[lane])
    assert rad >= 0, f"{name}: radius {rad} at {about}"
    if exact is None:
        return False
    assert inside(exact, mid, rad), f"{name} at {about}: {mid!r} ± {rad!r} does not hold {mpmath.nstr(real(exact), 20)}"
    return True


def midpoints(rng: np.random.Generator, count: int) -> np.ndarray:
    """Over all magnitudes: zeros, subnormals, huge numbers, small integers, saturated arguments, ordinary ones."""
    sign = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    kind = rng.integers(0, 10, count)
    ordinary = rng.standard_normal(count)
    small_steps = 1.0 + rng.integers(-8, 9, count) * 2.0**-52
    choices = [
        np.zeros(count),
        sign * rng.integers(1, 2**20, count) * 2.0**-1074,
        sign * 2.0 ** rng.uniform(-1074, 1023, count),
        sign * 2.0 ** rng.uniform(-60, 60, count),
        sign * rng.integers(0, 10, count).astype(float),
        sign * rng.uniform(15, 800, count),
        sign * small_steps,
        ordinary,
        ordinary,
        3 * ordinary,
    ]
    return np.asarray(np.choose(kind, choices))


def radii(rng: np.random.Generator, mid: np.ndarray) -> np.ndarray:
    """0, an ulp or less, tiny, moderate, wider than the midpoint, subnormal, unrelated to it."""
    count = len(mid)
    scale = np.abs(mid)
    with np.errstate(over="ignore"):
        choices = [
            np.zeros(count),
            scale * 2.0 ** rng.uniform(-56, -51, count),
            scale * 2.0 ** rng.uniform(-50, -20, count),
            scale * rng.uniform(0, 0.999, count),
            scale * rng.uniform(1, 4, count),
            rng.integers(1, 100, count) * 2.0**-1074,
            2.0 ** rng.uniform(-1074, 8, count),
        ]
    return np.nan_to_num(np.choose(rng.integers(0, 7, count), choices), posinf=1e308)


WEIGHTS = [Fraction(-1), Fraction(1), Fraction(0), Fraction(-5, 8), Fraction(1, 2)]
"""Where in an enclosure the exact points are taken: its ends, its middle, and between."""


def points(mid: float, rad: float, weight: Fraction) -> Fraction:
    return Fraction(mid) + weight * Fraction(rad)


# ------------------------------------------------------------------------------------------- functions of single numbers


@dataclass(frozen=True)
class Case:
    """One way to call an operator elementwise, its exact value, and where its interesting arguments are.

    Attributes:
        name: the operator.
        oracle: its exact value at exact points; None where none is claimed.
        tail: further arguments.
        arity: how many tensors it takes.
        near: arguments near which it is tested more often, of the last tensor.
        sharp: arguments at which its radius must be small.
        options: keywords.
        domain: where the last tensor is drawn more often.
        call: how to call it, where it is not `operator(*tensors, *tail, **options)`.

    """

    name: str
    oracle: Callable[..., Any]
    tail: tuple[Any, ...] = ()
    arity: int = 1
    near: tuple[float, ...] = ()
    sharp: tuple[float, ...] = (-2.5, -0.3, 0.7, 3.1)
    options: tuple[tuple[str, Any], ...] = ()
    domain: tuple[float, float] | None = None
    call: Callable[..., Any] | None = None

    def __str__(self) -> str:
        shown = [*self.tail, *(value for _, value in self.options)]
        return f"{self.name.removeprefix('aten.')}{shown or ''}"

    def __call__(self, *args: Enclosure) -> Enclosure:
        if named(self.name) in DECOMPOSITIONS:
            return self._traced(*args)
        result: Enclosure = apply(self.name, *args, *self.tail, **dict(self.options))
        return result

    def _traced(self, *args: Enclosure) -> Enclosure:
        return _trace_of(self, args[0].mid.shape).enclose(*args)[0]


@cache
def _trace_of(case: Case, shape: torch.Size) -> Traced:
    def function(*inputs: Tensor) -> Any:
        if case.call is not None:
            return case.call(*inputs)
        return named(case.name)(*inputs, *case.tail, **dict(case.options))

    return written_out(function, *(torch.ones(shape, dtype=torch.float64) for _ in range(case.arity)))


ANY = st.floats(allow_nan=False, allow_infinity=False)
RADIUS = st.one_of(st.just(0.0), st.floats(0, allow_infinity=False), st.floats(0, 1), st.floats(0, 1e-300))
WEIGHT = st.integers(-64, 64).map(lambda n: Fraction(n, 64))


def operands(case: Case, lanes: int) -> list[Enclosure]:
    rng = np.random.default_rng([SEED, *map(ord, str(case))])
    mids = [midpoints(rng, lanes) for _ in range(case.arity)]
    if case.near:
        spots = rng.choice(np.asarray(case.near), lanes)
        spots = spots + np.where(rng.random(lanes) < 0.5, 0.0, spots * 2.0 ** rng.uniform(-52, -8, lanes))
        mids[-1] = np.where(rng.random(lanes) < 0.4, spots, mids[-1])
    if case.domain:
        low, high = case.domain
        width = (high - low) * 2.0 ** -np.where(
            rng.random(lanes) < 0.5, rng.uniform(0, 1, lanes), rng.uniform(1, 60, lanes)
        )
        drawn = np.where(rng.random(lanes) < 0.5, low + width, high - width)
        mids[-1] = np.where(rng.random(lanes) < 0.7, np.clip(drawn, low, high), mids[-1])
    if case.arity == 2:  # near-cancellation, of either sign
        close = np.where(rng.random(lanes) < 0.5, -1, 1) * mids[0] * (1 + rng.integers(-4, 5, lanes) * 2.0**-52)
        mids[1] = np.where(rng.random(lanes) < 0.25, close, mids[1])
    return [ball(mid, radii(rng, mid)) for mid in mids]


def holds_at_every_magnitude(case: Case, lanes: int, finite_share: float = 0.2, checked_share: float = 0.5) -> None:
    """Assert that the enclosures at many points, of all sizes and radii, hold the exact values throughout."""
    args = operands(case, lanes)
    result = case(*args)
    rng = np.random.default_rng(SEED)
    checked = finite = 0
    for lane in range(lanes):
        where = [(float(a.mid[lane]), float(a.rad[lane])) for a in args]
        if math.isinf(float(result.rad[lane])):
            continue
        finite += 1
        weights = (
            [(w,) for w in WEIGHTS]
            if case.arity == 1
            else [tuple(WEIGHTS[i] for i in rng.integers(0, len(WEIGHTS), case.arity)) for _ in range(4)]
        )
        for chosen in weights:
            exact_points = [points(m, r, w) for (m, r), w in zip(where, chosen, strict=True)]
            checked += check(str(case), result, lane, case.oracle(*exact_points), f"{where} {chosen}")
    assert finite >= lanes * finite_share
    assert checked >= lanes * checked_share


def holds_whatever_is_drawn(case: Case, data: st.DataObject) -> None:
    """The same at what Hypothesis tries."""
    one = st.tuples(ANY, RADIUS, WEIGHT)
    drawn = data.draw(st.tuples(*(one for _ in range(case.arity))))
    result = case(*(ball([mid], [rad]) for mid, rad, _ in drawn))
    if math.isfinite(float(result.rad[0])):
        check(str(case), result, 0, case.oracle(*(points(*one_drawn) for one_drawn in drawn)), str(drawn))


def is_sharp(case: Case) -> None:
    """Assert radii of a few roundings at ordinary exact arguments, and in proportion to a small radius of theirs."""
    different = [case.sharp[k % len(case.sharp) :] + case.sharp[: k % len(case.sharp)] for k in range(case.arity)]
    result = case(*map(ball, different))
    scale = result.mid.abs().clamp(min=1e-3)
    assert bool((result.rad <= 1e-12 * scale).all()), result.rad / scale
    wide = case(*(ball(values, 1e-9) for values in different))
    slope = 4 * max([abs(e) for e in case.tail if isinstance(e, int | float)], default=0) + 100
    assert bool((wide.rad <= slope * 1e-9 * wide.mid.abs().clamp(min=1.0)).all()), wide.rad


def does_not_know_what_is_unknown(case: Case) -> None:
    """Assert that arguments of infinite radius give an infinite radius, or a bounded function its bounds; never NaN."""
    result = case(*(ball([0.0, 1.0, -3.0], math.inf) for _ in range(case.arity)))
    assert not bool(result.rad.isnan().any())
    assert bool((result.rad > 0).all())
    invalid = case(*(ball([math.nan], math.inf) for _ in range(case.arity)))
    assert not bool(invalid.rad.isnan().any())
    assert bool((invalid.rad > 0).all())


# ----------------------------------------------------------------------------------------------------- common oracles


def quotient(x: Fraction, y: Fraction) -> Any:
    if y == 0:
        return None
    with mpmath.workprec(2600):
        return mpmath.mpf(x.numerator * y.denominator) / (x.denominator * y.numerator)


def positive(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: function(x) if x > 0 else None


def within(low: float, high: float, function: Callable[..., Any]) -> Callable[..., Any]:
    """An oracle that claims something only between two bounds."""
    return lambda x: function(x) if low <= x <= high else None


def huge(function: Callable[..., Any]) -> Callable[..., Any]:
    """exp and its like: an argument above 800 overflows every double, so that nothing is claimed there."""
    return lambda x: transcendental(function)(x) if x < 800 else None


def logistic(t: Any) -> Any:
    return 1 / (1 + mpmath.exp(-t))


def softplus_exact(t: Any) -> Any:
    return mpmath.log1p(mpmath.exp(-abs(t))) + max(t, 0)


def expm1_exact(t: Any) -> Any:
    return mpmath.expm1(t) if abs(t) > 1e-12 else t + t * t / 2 + t**3 / 6 + t**4 / 24 + t**5 / 120 + t**6 / 720


def log1p_exact(x: Fraction) -> Any:
    if x <= -1:
        return None
    if abs(x) < Fraction(1, 2**40):
        return transcendental(lambda t: sum((-1) ** (k + 1) * t**k / k for k in range(1, 9)))(x)
    return transcendental(mpmath.log1p)(x)


# ------------------------------------------------------------------------------------------------ matrices of numbers


def matrices(seed: int, count: int, rows: int, columns: int) -> Enclosure:
    """Random matrices of every magnitude, those of one matrix near each other, with cancellation and zeros."""
    rng = np.random.default_rng([SEED, seed])
    scale = 10.0 ** rng.uniform(-150, 150, (count, 1, 1))
    scale = np.where(rng.random((count, 1, 1)) < 0.5, 1.0, scale)
    scale = np.where(rng.random((count, 1, 1)) < 0.1, 2.0**-1070, scale)
    mid = scale * rng.standard_normal((count, rows, columns))
    mid[rng.random(mid.shape) < 0.1] = 0.0
    mid[::3, :, 1:2] = -mid[::3, :, 0:1] * (1 + 2.0**-52)
    rad = np.abs(mid) * np.choose(rng.integers(0, 3, (count, 1, 1)), [0.0, 1e-15, 0.3])
    rad[1::7] = 5e-324
    rad[2::7] = 1e-170
    return ball(mid, rad)


def exact_matrices(x: Enclosure, weight: Fraction) -> list[list[list[Fraction]]]:
    mids, rads = x.mid.tolist(), x.rad.tolist()
    return [
        [
            [points(m, r, weight * (-1) ** (i + j)) for j, (m, r) in enumerate(zip(mi, ri, strict=True))]
            for i, (mi, ri) in enumerate(zip(mid, rad, strict=True))
        ]
        for mid, rad in zip(mids, rads, strict=True)
    ]


def entries(result: Enclosure) -> Iterator[tuple[float, float]]:
    assert bool((result.rad >= 0).all())
    return zip(result.mid.flatten().tolist(), result.rad.flatten().tolist(), strict=True)


def assert_holds(name: str, result: Enclosure, exact: Sequence[Number]) -> None:
    pairs = list(entries(result))
    assert len(pairs) == len(exact)
    for (mid, rad), value in zip(pairs, exact, strict=True):
        assert inside(value, mid, rad), f"{name}: {mid!r} ± {rad!r} does not hold {mpmath.nstr(real(value), 20)}"


def norm_exact(values: Sequence[Fraction], order: float) -> Any:
    if order == 0:
        return Fraction(sum(v != 0 for v in values))
    if order == 1:
        return sum(map(abs, values), Fraction(0))
    if math.isinf(order):
        return (max if order > 0 else min)(map(abs, values))
    with mpmath.workprec(600):
        powers = sum((mpmath.mpf(abs(v.numerator)) / v.denominator) ** mpmath.mpf(order) for v in values)
        return powers ** (1 / mpmath.mpf(order)) if powers else mpmath.mpf(0)


def product_exact(a: list[list[Fraction]], b: list[list[Fraction]]) -> list[list[Fraction]]:
    return [
        [sum((x * y for x, y in zip(row, col, strict=True)), Fraction(0)) for col in zip(*b, strict=True)] for row in a
    ]


# -------------------------------------------------------------------------------------------------------- truth values

YES, NO, UNSURE = (True, 0.0), (False, 0.0), (True, math.inf)


def truth(*states: tuple[bool, float]) -> Enclosure:
    mids, rads = zip(*states, strict=True)
    return Enclosure(torch.tensor(mids), torch.tensor(rads, dtype=torch.float64))


DECISIONS = {
    f"aten.{name}.{overload}": getattr(operator, name)
    for name in ("gt", "ge", "lt", "le", "eq", "ne")
    for overload in ("Tensor", "Scalar")
}
