"""Every error rule that computes is held against exact rationals, or mpmath where there are none."""

import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.errors import BoundcheckError, UnknownOperatorError
from boundcheck.rigor import Enclosure, vocabulary
from boundcheck.rigor.enclosure import frobenius_upper, gamma, rounding, widen
from boundcheck.rigor.functions import ULPS
from boundcheck.rigor.registry import lookup
from boundcheck.rigor.shapes import CREATIONS, MOVES

aten = torch.ops.aten
Number = Any  # a Fraction, an mpf, a float
BITS = 200
SEED = 20250117


def named(name: str) -> Any:
    packet, overload = name.removeprefix("aten.").split(".")
    return getattr(getattr(aten, packet), overload)


def apply(name: str, *args: Any, **kwargs: Any) -> Any:
    return lookup(named(name))(*args, **kwargs)


def ball(mid: Any, rad: Any = 0.0) -> Enclosure:
    values = torch.as_tensor(mid, dtype=torch.float64)
    return Enclosure(values, torch.as_tensor(rad, dtype=torch.float64).expand_as(values).clone())


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


# --------------------------------------------------------------------------------------------------------- elementwise


def quotient(x: Fraction, y: Fraction) -> Any:
    if y == 0:
        return None
    with mpmath.workprec(2600):
        return mpmath.mpf(x.numerator * y.denominator) / (x.denominator * y.numerator)


def positive(function: Callable[..., Any]) -> Callable[..., Any]:
    def oracle(x: Fraction) -> Any:
        return function(x) if x > 0 else None

    return oracle


def to_the(exponent: float) -> Callable[[Fraction], Any]:
    def oracle(x: Fraction) -> Any:
        if float(exponent).is_integer() and exponent >= 0:
            return x ** int(exponent)
        if x == 0 or (x < 0 and not float(exponent).is_integer()):
            return None
        return transcendental(lambda t: t ** mpmath.mpf(exponent))(x)

    return oracle


def root(x: Fraction) -> Any:
    return transcendental(mpmath.sqrt)(x) if x >= 0 else None


def huge(function: Callable[..., Any]) -> Callable[..., Any]:
    """exp and its like: an argument above 800 overflows every double, so that nothing is claimed there."""

    def oracle(x: Fraction) -> Any:
        return transcendental(function)(x) if x < 800 else None

    return oracle


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


def erf_exact(t: Any) -> Any:
    return mpmath.erf(t)


@dataclass(frozen=True)
class Case:
    """One way to call an operator elementwise, its exact value, and where its interesting arguments are."""

    name: str
    oracle: Callable[..., Any]
    tail: tuple[Any, ...] = ()
    arity: int = 1
    near: tuple[float, ...] = ()
    swap: bool = False

    def __str__(self) -> str:
        return f"{self.name.removeprefix('aten.')}{list(self.tail) or ''}"

    def __call__(self, *args: Enclosure) -> Enclosure:
        result: Enclosure = apply(self.name, *args, *self.tail)
        return result


def where_exact(c: Fraction, x: Fraction, y: Fraction) -> Fraction:
    return x if c > 0 else y


UNARY = [
    Case("aten.neg.default", operator.neg),
    Case("aten.abs.default", abs),
    Case("aten.relu.default", lambda x: max(x, 0)),
    Case("aten.clamp.default", lambda x: min(max(x, Fraction(-1.5)), Fraction(0.75)), (-1.5, 0.75), near=(-1.5, 0.75)),
    Case("aten.clamp.default", lambda x: min(x, Fraction(2)), (None, 2.0), near=(2.0,)),
    Case("aten.clamp_min.default", lambda x: max(x, Fraction(1, 4)), (0.25,), near=(0.25,)),
    Case("aten.reciprocal.default", lambda x: quotient(Fraction(1), x)),
    Case("aten.sqrt.default", root, near=(5e-324, 1e-300)),
    Case("aten.rsqrt.default", positive(transcendental(lambda t: 1 / mpmath.sqrt(t)))),
    Case("aten.tanh.default", transcendental(mpmath.tanh), near=(19.0, 20.0)),
    Case("aten.sigmoid.default", transcendental(logistic), near=(-709.8, -715.0, -744.0, -746.0, 37.0)),
    Case("aten.softplus.default", transcendental(softplus_exact), near=(20.0, -37.0, -720.0, -745.0)),
    Case("aten.softplus.default", transcendental(lambda t: softplus_exact(3 * t) / 3), (3.0,), near=(7.0, -240.0)),
    Case("aten.erf.default", transcendental(erf_exact), near=(5.9, 6.0)),
    Case("aten.sin.default", transcendental(mpmath.sin), near=(math.pi, 1e5, 1e22)),
    Case("aten.cos.default", transcendental(mpmath.cos), near=(math.pi / 2, 1e5, 1e22)),
    Case("aten.atan.default", transcendental(mpmath.atan), near=(1e16,)),
    Case("aten.exp.default", huge(mpmath.exp), near=(-700.0, -708.4, -720.0, -745.0, -800.0, 709.7)),
    Case("aten.expm1.default", huge(expm1_exact), near=(-37.0, -735.0, 709.7, 1e-10)),
    Case("aten.log.default", positive(transcendental(mpmath.log)), near=(1.0, 5e-324, 1e-310)),
    Case("aten.log1p.default", log1p_exact, near=(-1.0, -1 + 1e-10, 1e-10)),
    Case("aten.add.Scalar", lambda x: x + Fraction(0.1), (0.1,), near=(-0.1,)),
    Case("aten.sub.Scalar", lambda x: x - Fraction(0.1), (0.1,), near=(0.1,)),
    Case("aten.rsub.Scalar", lambda x: 1 - x, (1.0,), near=(1.0,)),
    Case("aten.rsub.Scalar", lambda x: 3 - Fraction(0.7) * x, (3.0, 0.7), near=(30 / 7,)),
    Case("aten.mul.Scalar", lambda x: x * Fraction(1e-200), (1e-200,), near=(1e-120, 1e-110)),
    Case("aten.div.Scalar", lambda x: quotient(x, Fraction(3)), (3.0,)),
    *(
        Case("aten.pow.Tensor_Scalar", to_the(e), (e,), near=(1.5, 1e-154, 1.0))
        for e in (0, 1, 2, 3, 7, -1, -2, 0.5, -0.5, 1.5, 0.25, 33.5, 100.5, -41.25)
    ),
]

BINARY = [
    Case("aten.add.Tensor", operator.add, arity=2),
    Case("aten.sub.Tensor", operator.sub, arity=2),
    Case("aten.rsub.Tensor", lambda x, y: y - x, arity=2),
    Case("aten.mul.Tensor", operator.mul, arity=2),
    Case("aten.div.Tensor", quotient, arity=2),
    Case("aten.maximum.default", max, arity=2),
    Case("aten.minimum.default", min, arity=2),
    Case("aten.max.other", max, arity=2),
    Case("aten.min.other", min, arity=2),
    Case("aten.tanh_backward.default", lambda g, o: g * (1 - o * o), arity=2),
    Case("aten.sigmoid_backward.default", lambda g, o: g * o * (1 - o), arity=2),
    Case(
        "aten.threshold_backward.default", lambda g, x: g if x > Fraction(0.5) else 0 * g, (0.5,), arity=2, near=(0.5,)
    ),
]

TERNARY = [Case("aten.addcmul.default", lambda x, y, z: x + y * z, arity=3)]

ELEMENTWISE = [*UNARY, *BINARY, *TERNARY]

DECISIONS = {
    f"aten.{name}.{overload}": getattr(operator, name)
    for name in ("gt", "ge", "lt", "le", "eq", "ne")
    for overload in ("Tensor", "Scalar")
}
LOGIC = {
    "aten.logical_and.default",
    "aten.logical_or.default",
    "aten.logical_not.default",
    "aten.bitwise_and.Tensor",
    "aten.bitwise_or.Tensor",
    "aten.bitwise_not.default",
    "aten.all.default",
    "aten.all.dim",
    "aten.any.default",
    "aten.any.dim",
    "aten.isnan.default",
    "aten.isinf.default",
    "aten.where.self",
}
REDUCTIONS = {
    "aten.sum.default",
    "aten.sum.dim_IntList",
    "aten.mean.default",
    "aten.mean.dim",
    "aten.cumsum.default",
    "aten.amax.default",
    "aten.amin.default",
    "aten.max.default",
    "aten.min.default",
    "aten.linalg_vector_norm.default",
}
PRODUCTS = {
    "aten.bmm.default",
    "aten.mm.default",
    "aten.matmul.default",
    "aten.mv.default",
    "aten.dot.default",
    "aten.addmm.default",
    "aten.baddbmm.default",
}
ELSEWHERE = {  # in test_linear_algebra.py
    "aten._linalg_svd.default",
    "aten.linalg_svdvals.default",
    "aten.linalg_qr.default",
    "aten._linalg_eigh.default",
    "aten._linalg_solve_ex.default",
    "aten._linalg_check_errors.default",
}
STORAGE = {
    "aten.index.Tensor",
    "aten.gather.default",
    "aten.index_select.default",
    "aten.constant_pad_nd.default",
    "aten.squeeze_.dim",
    "aten.fill_.Scalar",
    "aten.zero_.default",
    "aten.copy_.default",
    "aten._to_copy.default",
    "aten.to.dtype",
}


def test_every_operator_of_the_vocabulary_is_tested() -> None:
    tested = {case.name for case in ELEMENTWISE} | set(DECISIONS) | LOGIC | REDUCTIONS | PRODUCTS | ELSEWHERE | STORAGE
    only_move_or_create = {f"aten.{name}" for name in [*MOVES, *CREATIONS]}
    assert set(vocabulary()) - only_move_or_create == tested


def operands(case: Case, lanes: int) -> list[Enclosure]:
    rng = np.random.default_rng([SEED, *map(ord, str(case))])
    mids = [midpoints(rng, lanes) for _ in range(case.arity)]
    if case.near:
        spots = rng.choice(np.asarray(case.near), lanes)
        spots = spots + np.where(rng.random(lanes) < 0.5, 0.0, spots * 2.0 ** rng.uniform(-52, -8, lanes))
        mids[-1] = np.where(rng.random(lanes) < 0.4, spots, mids[-1])
    if case.arity == 2:  # near-cancellation, of either sign
        close = np.where(rng.random(lanes) < 0.5, -1, 1) * mids[0] * (1 + rng.integers(-4, 5, lanes) * 2.0**-52)
        mids[1] = np.where(rng.random(lanes) < 0.25, close, mids[1])
    return [ball(mid, radii(rng, mid)) for mid in mids]


@pytest.mark.parametrize("case", ELEMENTWISE, ids=str)
def test_enclosures_hold_the_exact_value_at_every_magnitude(case: Case) -> None:
    lanes = 600 if case.arity == 1 else 1000
    args = operands(case, lanes)
    result = case(*args)
    rng = np.random.default_rng(SEED)
    checked = finite = 0
    for lane in range(lanes):
        finite += math.isfinite(float(result.rad[lane]))
        where = [(float(a.mid[lane]), float(a.rad[lane])) for a in args]
        weights = (
            [(w,) for w in WEIGHTS]
            if case.arity == 1
            else [tuple(WEIGHTS[i] for i in rng.integers(0, len(WEIGHTS), case.arity)) for _ in range(4)]
        )
        if math.isinf(float(result.rad[lane])):
            continue
        for chosen in weights:
            exact_points = [points(m, r, w) for (m, r), w in zip(where, chosen, strict=True)]
            checked += check(str(case), result, lane, case.oracle(*exact_points), f"{where} {chosen}")
    assert finite >= lanes // 5
    assert checked >= lanes // 2


ANY = st.floats(allow_nan=False, allow_infinity=False)
RADIUS = st.one_of(st.just(0.0), st.floats(0, allow_infinity=False), st.floats(0, 1), st.floats(0, 1e-300))
WEIGHT = st.integers(-64, 64).map(lambda n: Fraction(n, 64))


@pytest.mark.parametrize("case", ELEMENTWISE, ids=str)
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_enclosures_hold_the_exact_value_of_whatever_hypothesis_tries(case: Case, data: st.DataObject) -> None:
    one = st.tuples(ANY, RADIUS, WEIGHT)
    drawn = data.draw(st.tuples(*(one for _ in range(case.arity))))
    result = case(*(ball([mid], [rad]) for mid, rad, _ in drawn))
    if math.isfinite(float(result.rad[0])):
        check(str(case), result, 0, case.oracle(*(points(*one_drawn) for one_drawn in drawn)), str(drawn))


SHARP_AT = {
    "aten.log.default": [0.3, 2.0, 17.0],
    "aten.log1p.default": [-0.3, 0.7, 3.1],
    "aten.sqrt.default": [0.3, 2.0, 17.0],
    "aten.rsqrt.default": [0.3, 2.0, 17.0],
    "aten.pow.Tensor_Scalar": [0.3, 2.0, 7.0],
}


@pytest.mark.parametrize("case", ELEMENTWISE, ids=str)
def test_exact_arguments_give_sharp_enclosures(case: Case) -> None:
    values = SHARP_AT.get(case.name, [-2.5, -0.3, 0.7, 3.1])
    result = case(*(ball(values) for _ in range(case.arity)))
    scale = result.mid.abs().clamp(min=1e-3)
    assert bool((result.rad <= 1e-12 * scale).all())
    wide = case(*(ball(values, 1e-9) for _ in range(case.arity)))
    slope = 4 * max(abs(e) for e in case.tail if e is not None) + 100 if case.tail else 100.0
    assert bool((wide.rad <= slope * 1e-9 * wide.mid.abs().clamp(min=1.0)).all())


def test_nothing_is_known_of_a_quotient_or_logarithm_whose_argument_may_be_0() -> None:
    straddling = ball([1e-3, 0.0, -1.0], [1e-2, 1e-9, 2.0])
    for name in ("aten.reciprocal.default", "aten.rsqrt.default", "aten.log.default"):
        assert bool(apply(name, straddling).rad.isinf().all())
    assert bool(apply("aten.div.Tensor", ball([1.0, 2.0, 0.0]), straddling).rad.isinf().all())


def test_an_unknown_argument_gives_an_unknown_result_never_nan() -> None:
    unknown = ball([0.0, 1.0, -3.0], math.inf)
    for case in ELEMENTWISE:
        result = case(*(unknown for _ in range(case.arity)))
        assert not bool(result.rad.isnan().any()), case
        if str(case) != "pow.Tensor_Scalar[0]":
            assert bool(result.rad.isinf().all()), case


def test_an_exact_infinity_is_told_from_a_number_that_overflowed() -> None:
    inf, small = ball([math.inf]), ball([3.0], [1e-3])
    for kept in (
        apply("aten.add.Tensor", inf, small),
        apply("aten.sub.Tensor", inf, small),
        apply("aten.mul.Tensor", small, inf),
        apply("aten.div.Tensor", inf, small),
        apply("aten.pow.Tensor_Scalar", inf, 2),
        apply("aten.pow.Tensor_Scalar", inf, 1.5),
        apply("aten.minimum.default", inf, inf),
    ):
        assert kept.mid.tolist() == [math.inf]
        assert kept.rad.tolist() == [0.0]
    near_zero = ball([1e-3], [1e-2])
    for lost in (
        apply("aten.mul.Tensor", inf, near_zero),
        apply("aten.div.Tensor", inf, near_zero),
        apply("aten.sub.Tensor", inf, inf),
        apply("aten.mul.Tensor", ball([1e200]), ball([1e200])),
        apply("aten.exp.default", ball([1e4])),
        apply("aten.reciprocal.default", ball([0.0], [1e-300])),
        apply("aten.add.Tensor", inf, ball([1.0], [math.inf])),
    ):
        assert lost.rad.tolist() == [math.inf]


# ------------------------------------------------------------------------------------------------- accuracy of torch

GRIDS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[..., Any], list[tuple[float, float]]]] = {
    "tanh": (torch.tanh, mpmath.tanh, [(-25, 25), (-1, 1)]),
    "exp": (torch.exp, mpmath.exp, [(-745.2, 709.7), (-1, 1), (-745.2, -700)]),
    "expm1": (torch.expm1, expm1_exact, [(-50, 709.7), (-1, 1)]),
    "log": (torch.log, mpmath.log, [(0.5, 2), (1e-5, 1e5), (0.999, 1.001)]),
    "log1p": (torch.log1p, mpmath.log1p, [(-0.99, 2), (-0.01, 0.01), (1, 1e6)]),
    "sin": (torch.sin, mpmath.sin, [(-10, 10), (-1e6, 1e6), (3.1415, 3.1416)]),
    "cos": (torch.cos, mpmath.cos, [(-10, 10), (-1e6, 1e6), (1.5707, 1.5708)]),
    "atan": (torch.atan, mpmath.atan, [(-10, 10), (-1e6, 1e6)]),
    "erf": (torch.erf, erf_exact, [(-6, 6), (-1, 1)]),
    "sigmoid": (torch.sigmoid, logistic, [(-700, 40), (-5, 5)]),
    "sqrt": (torch.sqrt, mpmath.sqrt, [(0, 1e6), (1, 1.0001)]),
}
POSITIVE = {"log", "log1p", "sqrt"}


def test_the_accuracy_of_every_function_in_the_table_is_measured() -> None:
    assert set(GRIDS) | {"pow"} == set(ULPS)


@pytest.mark.parametrize("name", GRIDS)
def test_torch_is_as_accurate_as_the_table_says(name: str) -> None:
    function, oracle, intervals = GRIDS[name]
    rng = np.random.default_rng(SEED)
    spread = 2.0 ** rng.uniform(-1073, -1 if name in ("exp", "expm1", "sigmoid") else 1000, 300)
    signed = spread if name in POSITIVE else spread * np.where(rng.random(300) < 0.5, -1, 1)
    grid = np.concatenate([*(rng.uniform(low, high, 500) for low, high in intervals), signed])
    together = function(torch.from_numpy(grid))
    alone = torch.stack([function(x) for x in torch.from_numpy(grid[::7])])  # the path that is not vectorised
    for values, where in ((together, grid), (alone, grid[::7])):
        allowed = rounding(values, ULPS[name])
        for x, value, radius in zip(where.tolist(), values.tolist(), allowed.tolist(), strict=True):
            exact = log1p_exact(Fraction(x)) if name == "log1p" else transcendental(oracle)(Fraction(x))
            assert inside(exact, value, radius), (name, x, value)


def test_torch_powers_are_as_accurate_as_the_table_says() -> None:
    rng = np.random.default_rng(SEED)
    for exponent in (1.5, -0.5, 0.25, 33.5, -41.25, 3, 7, -2):
        base = np.exp(rng.uniform(-15, 15, 300))
        values = torch.from_numpy(base).pow(exponent)
        for x, value, radius in zip(
            base.tolist(), values.tolist(), rounding(values, ULPS["pow"]).tolist(), strict=True
        ):
            assert inside(transcendental(lambda t, e=exponent: t ** mpmath.mpf(e))(Fraction(x)), value, radius)


# ---------------------------------------------------------------------------------------------------------- decisions


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decided_comparison_is_true_of_every_point(name: str) -> None:
    rng = np.random.default_rng(SEED)
    lanes = 300
    left = midpoints(rng, lanes)
    right = np.where(
        rng.random(lanes) < 0.6, left + rng.integers(-3, 4, lanes) * np.spacing(left), midpoints(rng, lanes)
    )
    scalar = name.endswith("Scalar")
    if scalar:
        right = np.full(lanes, 0.5)
        left = np.where(rng.random(lanes) < 0.7, 0.5 + rng.integers(-3, 4, lanes) * 2.0**-53, left)
    x, y = ball(left, radii(rng, left)), ball(right, np.zeros(lanes) if scalar else radii(rng, right))
    result = apply(name, x, 0.5 if scalar else y)
    decided = result.rad == 0
    assert int(decided.sum()) > lanes // 5
    for lane in torch.nonzero(decided).flatten().tolist():
        for v in WEIGHTS:
            for w in WEIGHTS[:3]:
                p = points(float(x.mid[lane]), float(x.rad[lane]), v)
                q = points(float(y.mid[lane]), float(y.rad[lane]), w)
                assert DECISIONS[name](p, q) == bool(result.mid[lane])


def test_a_value_that_is_not_known_decides_no_comparison() -> None:
    unknown = Enclosure(
        torch.tensor([math.nan, math.inf, -math.inf], dtype=torch.float64), torch.full((3,), math.inf).double()
    )
    for name in DECISIONS:
        other: Any = 0.5 if name.endswith("Scalar") else ball([0.5, math.inf, 0.0])
        assert bool(apply(name, unknown, other).rad.isinf().all()), name
        if name.endswith("Tensor"):
            assert bool(apply(name, other, unknown).rad.isinf().all()), name
            assert bool(apply(name, unknown, unknown).rad.isinf().all()), name
    for name in ("aten.isnan.default", "aten.isinf.default"):
        assert bool(apply(name, unknown).rad.isinf().all())


def test_infinities_and_nan_that_were_given_are_decided() -> None:
    given_so = ball([math.nan, math.inf, 1.0])
    assert apply("aten.isnan.default", given_so).mid.tolist() == [True, False, False]
    assert apply("aten.isinf.default", given_so).mid.tolist() == [False, True, False]
    finite = apply("aten.ne.Scalar", apply("aten.abs.default", ball([math.inf, 5.0], 0.0)), math.inf)
    assert finite.mid.tolist() == [False, True]
    assert finite.rad.tolist() == [0.0, 0.0]
    assert apply("aten.lt.Scalar", ball([5.0], [math.inf]), math.inf).rad.tolist() == [0.0]


def test_a_decision_does_not_depend_on_the_other_lanes() -> None:
    x = ball([1.0, math.nan, 2.0, 3.0], [0.1, math.inf, 0.0, 2.0])
    y = ball([math.inf, 0.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.5])
    for name in DECISIONS:
        if name.endswith("Tensor"):
            together = apply(name, x, y)
            for lane in range(4):
                alone = apply(
                    name,
                    Enclosure(x.mid[lane : lane + 1], x.rad[lane : lane + 1]),
                    Enclosure(y.mid[lane : lane + 1], y.rad[lane : lane + 1]),
                )
                assert alone.rad.tolist() == together.rad[lane : lane + 1].tolist(), name


YES, NO, UNSURE = (True, 0.0), (False, 0.0), (True, math.inf)


def truth(*states: tuple[bool, float]) -> Enclosure:
    mids, rads = zip(*states, strict=True)
    return Enclosure(torch.tensor(mids), torch.tensor(rads, dtype=torch.float64))


def test_logic_is_undecided_where_an_operand_is() -> None:
    every = [YES, NO, UNSURE]
    x, y = truth(*(a for a in every for _ in every)), truth(*(b for _ in every for b in every))
    for names, function in (
        (("aten.logical_and.default", "aten.bitwise_and.Tensor", "aten.mul.Tensor"), operator.and_),
        (("aten.logical_or.default", "aten.bitwise_or.Tensor"), operator.or_),
    ):
        for name in names:
            result = apply(name, x, y)
            for lane in range(9):
                if result.rad[lane] == 0:
                    for a in [True, False] if x.rad[lane] else [bool(x.mid[lane])]:
                        for b in [True, False] if y.rad[lane] else [bool(y.mid[lane])]:
                            assert bool(result.mid[lane]) == function(a, b)
            assert bool((result.rad == 0)[[0, 1, 3, 4]].all())
    for name in ("aten.logical_not.default", "aten.bitwise_not.default"):
        result = apply(name, truth(*every))
        assert result.mid[:2].tolist() == [False, True]
        assert result.rad.tolist() == [0.0, 0.0, math.inf]
    rows = Enclosure(x.mid.reshape(3, 3), x.rad.reshape(3, 3))
    for name, function_of in (("aten.all", all), ("aten.any", any)):
        result = apply(f"{name}.dim", rows, 1)
        assert result.mid[:2].tolist() == [function_of([True] * 3), function_of([False] * 3)]
        assert result.rad.tolist() == [0.0, 0.0, math.inf]
        assert float(apply(f"{name}.default", rows).rad) == math.inf
        assert float(apply(f"{name}.default", truth(YES, NO)).rad) == 0.0


def test_bitwise_operators_on_integers_have_no_rule() -> None:
    integers = Enclosure.exactly(torch.tensor([5, 2]))
    for name in ("aten.bitwise_and.Tensor", "aten.bitwise_or.Tensor"):
        with pytest.raises(UnknownOperatorError, match="int64"):
            apply(name, integers, integers)
    with pytest.raises(UnknownOperatorError, match="int64"):
        apply("aten.bitwise_not.default", integers)


def test_where_encloses_both_branches_exactly_where_the_condition_is_undecided() -> None:
    rng = np.random.default_rng(SEED)
    lanes = 200
    c, a, b = (midpoints(rng, lanes) for _ in range(3))
    condition, x, y = ball(c, radii(rng, c)), ball(a, radii(rng, a)), ball(b, radii(rng, b))
    chosen = apply("aten.gt.Scalar", condition, 0.25)
    result = apply("aten.where.self", chosen, x, y)
    for lane in range(lanes):
        for w in WEIGHTS[:3]:
            at = points(float(condition.mid[lane]), float(condition.rad[lane]), w)
            for v in WEIGHTS[:3]:
                p = points(float(x.mid[lane]), float(x.rad[lane]), v)
                q = points(float(y.mid[lane]), float(y.rad[lane]), v)
                check("where", result, lane, p if at > Fraction(1, 4) else q, f"lane {lane}")
    decided = apply("aten.where.self", truth(YES, NO), ball([1.0, 1.0]), ball([2.0, 2.0]))
    assert decided.mid.tolist() == [1.0, 2.0]
    assert decided.rad.tolist() == [0.0, 0.0]
    unknown = apply("aten.where.self", truth(UNSURE), ball([1.0]), ball([math.nan]))
    assert unknown.rad.tolist() == [math.inf]


# --------------------------------------------------------------------------------------------- reductions and products


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


def assert_holds(name: str, result: Enclosure, exact: list[Number]) -> None:
    pairs = list(entries(result))
    assert len(pairs) == len(exact)
    for (mid, rad), value in zip(pairs, exact, strict=True):
        assert inside(value, mid, rad), f"{name}: {mid!r} ± {rad!r} does not hold {mpmath.nstr(real(value), 20)}"


def norm_exact(values: list[Fraction], order: float) -> Any:
    if order == 1:
        return sum(map(abs, values), Fraction(0))
    if order == math.inf:
        return max(map(abs, values))
    with mpmath.workprec(600):
        return mpmath.sqrt(sum((mpmath.mpf(v.numerator) / v.denominator) ** 2 for v in values))


@pytest.mark.parametrize("columns", [1, 2, 5, 9])
def test_reductions_along_an_axis_hold_the_exact_value(columns: int) -> None:
    x = matrices(columns, 42, 3, columns) if columns > 1 else ball(matrices(1, 42, 3, 2).mid[..., :1], 1e-160)
    for weight in WEIGHTS:
        rows = [row for matrix in exact_matrices(x, weight) for row in matrix]
        assert_holds("sum", apply("aten.sum.dim_IntList", x, [-1]), [sum(row, Fraction(0)) for row in rows])
        means = [quotient(sum(row, Fraction(0)), Fraction(columns)) for row in rows]
        assert_holds("mean", apply("aten.mean.dim", x, [-1]), means)
        running = [sum(row[: j + 1], Fraction(0)) for row in rows for j in range(columns)]
        assert_holds("cumsum", apply("aten.cumsum.default", x, -1), running)
        assert_holds("amax", apply("aten.amax.default", x, [-1]), [max(row) for row in rows])
        assert_holds("amin", apply("aten.amin.default", x, [-1]), [min(row) for row in rows])
        for order in (1, 2, math.inf):
            norms = apply("aten.linalg_vector_norm.default", x, order, [-1])
            assert_holds(f"norm {order}", norms, [norm_exact(row, order) for row in rows])


def test_reductions_of_everything_hold_the_exact_value() -> None:
    batch = matrices(5, 30, 2, 3)
    for lane in range(30):
        x = Enclosure(batch.mid[lane], batch.rad[lane])
        for weight in WEIGHTS[:3]:
            flat = [v for row in exact_matrices(Enclosure(x.mid[None], x.rad[None]), weight)[0] for v in row]
            assert_holds("sum", apply("aten.sum.default", x), [sum(flat, Fraction(0))])
            assert_holds("mean", apply("aten.mean.default", x), [quotient(sum(flat, Fraction(0)), Fraction(6))])
            assert_holds("max", apply("aten.max.default", x), [max(flat)])
            assert_holds("min", apply("aten.min.default", x), [min(flat)])
            assert_holds("norm", apply("aten.linalg_vector_norm.default", x), [norm_exact(flat, 2)])


def test_the_norm_of_a_tiny_ball_around_0_is_not_lost_to_underflow() -> None:
    norm = apply("aten.linalg_vector_norm.default", ball(torch.zeros(2, 3), 1e-170), 2, [-1])
    assert bool((norm.rad >= 1.7e-170).all())
    beside = apply("aten.linalg_vector_norm.default", ball([[0.0, 0.0], [1.0, 1.0]], 0.0), 2, [-1])
    assert beside.rad[0] == 0
    assert 0 < beside.rad[1] < 1e-14


def test_other_norms_have_no_rule() -> None:
    with pytest.raises(UnknownOperatorError, match="ord=3"):
        apply("aten.linalg_vector_norm.default", ball([1.0]), 3)


def product_exact(a: list[list[Fraction]], b: list[list[Fraction]]) -> list[list[Fraction]]:
    return [
        [sum((x * y for x, y in zip(row, col, strict=True)), Fraction(0)) for col in zip(*b, strict=True)] for row in a
    ]


@pytest.mark.parametrize(("rows", "inner", "columns"), [(1, 1, 1), (2, 3, 2), (3, 7, 1), (1, 17, 2)])
def test_products_of_matrices_hold_the_exact_value(rows: int, inner: int, columns: int) -> None:
    count = 21
    wide = 3 if inner == 1 else inner
    a, b, c = (
        matrices(1, count, rows, wide),
        matrices(2, count, wide, max(columns, 2)),
        matrices(3, count, rows, max(columns, 2)),
    )
    for weight in WEIGHTS:
        left, right, start = (exact_matrices(x, weight) for x in (a, b, c))
        exact = [product_exact(x, y) for x, y in zip(left, right, strict=True)]
        flat = [v for matrix in exact for row in matrix for v in row]
        assert_holds("bmm", apply("aten.bmm.default", a, b), flat)
        assert_holds("matmul", apply("aten.matmul.default", a, b), flat)
        sums = [
            2 * s - Fraction(0.3) * v
            for matrix, first in zip(exact, start, strict=True)
            for row, first_row in zip(matrix, first, strict=True)
            for v, s in zip(row, first_row, strict=True)
        ]
        assert_holds("baddbmm", apply("aten.baddbmm.default", c, a, b, beta=2, alpha=-0.3), sums)
        for lane in range(0, count, 4):
            one = [Enclosure(x.mid[lane], x.rad[lane]) for x in (c, a, b)]
            lone = [v for row in exact[lane] for v in row]
            assert_holds("mm", apply("aten.mm.default", one[1], one[2]), lone)
            plus = [s + v for s, v in zip((s for row in start[lane] for s in row), lone, strict=True)]
            assert_holds("addmm", apply("aten.addmm.default", *one), plus)
            vector = Enclosure(one[2].mid[:, 0], one[2].rad[:, 0])
            assert_holds("mv", apply("aten.mv.default", one[1], vector), [row[0] for row in exact[lane]])
            first = Enclosure(one[1].mid[0], one[1].rad[0])
            assert_holds("dot", apply("aten.dot.default", first, vector), [exact[lane][0][0]])


def test_products_of_huge_and_subnormal_factors_keep_their_rounding() -> None:
    huge_row = [1.1e300, -1.3e300, 1.7e299, 1.9e300]
    tiny_column = [3.3e-310, 1.7e-311, -2.9e-310, 4.1e-312]
    exact = sum((Fraction(x) * Fraction(y) for x, y in zip(huge_row, tiny_column, strict=True)), Fraction(0))
    a, b = ball(huge_row), ball(tiny_column)
    assert_holds("dot", apply("aten.dot.default", a, b), [exact])
    assert_holds("mm", apply("aten.mm.default", ball([huge_row]), ball([[y] for y in tiny_column])), [exact])


def test_sharp_reductions_and_products() -> None:
    x = ball(np.random.default_rng(SEED).standard_normal((4, 6)))
    square = ball(np.random.default_rng(SEED).standard_normal((6, 6)))
    results = {
        "sum": apply("aten.sum.default", x),
        "mean": apply("aten.mean.dim", x, [1]),
        "cumsum": apply("aten.cumsum.default", x, 1),
        "norm": apply("aten.linalg_vector_norm.default", x, 2, [1]),
        "mm": apply("aten.mm.default", x, square),
    }
    for name, result in results.items():
        assert bool((result.rad <= 1e-13).all()), name
    for name in ("aten.max.default", "aten.min.default", "aten.amax.default", "aten.amin.default"):
        assert bool((apply(name, x).rad == 0).all())


def test_truth_values_are_counted() -> None:
    sure = truth(YES, NO, YES)
    assert float(apply("aten.sum.default", sure).mid) == 2.0
    assert float(apply("aten.sum.default", sure).rad) < 1e-14
    assert float(apply("aten.sum.default", truth(YES, UNSURE)).rad) == math.inf
    masked = apply("aten.mul.Tensor", truth(YES, NO, UNSURE), ball([2.0, 3.0, 5.0]))
    assert masked.mid[:2].tolist() == [2.0, 0.0]
    assert masked.rad[2] == math.inf
    assert (
        float(apply("aten.div.Tensor", Enclosure.exactly(torch.tensor(1)), Enclosure.exactly(torch.tensor(3))).mid)
        == 1 / 3
    )


# ------------------------------------------------------------------------------------------- entries that only move

GRID = torch.arange(1.0, 13.0, dtype=torch.float64).reshape(3, 4)
MOVE_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "view.default": ([2, 6],),
    "reshape.default": ([2, 6],),
    "_unsafe_view.default": ([2, 6],),
    "_reshape_alias.default": ([2, 6], [6, 1]),
    "expand.default": ([2, 3, 4],),
    "permute.default": ([1, 0],),
    "transpose.int": (0, 1),
    "unsqueeze.default": (1,),
    "squeeze.dim": (0,),
    "squeeze.dims": ([0, 1],),
    "select.int": (0, 1),
    "slice.Tensor": (1, 1, 3),
    "split.Tensor": (2, 1),
    "split_with_sizes.default": ([1, 3], 1),
    "flip.default": ([1],),
    "repeat.default": ([2, 1],),
    "roll.default": ([1], [1]),
    "movedim.int": (0, 1),
    "select_backward.default": ([2, 3, 4], 0, 1),
    "slice_backward.default": ([3, 6], 1, 1, 5, 1),
    "unfold.default": (1, 2, 1),
}


@pytest.mark.parametrize("move", MOVES)
def test_a_move_takes_values_and_radii_to_the_same_places(move: str) -> None:
    if f"aten.{move}" not in vocabulary():
        pytest.fail(f"{move} is listed but has no rule")
    x = Enclosure(GRID.clone(), GRID / 1024)
    listed = move in ("cat.default", "stack.default")
    result = apply(f"aten.{move}", *([[x, x]] if listed else [x]), *MOVE_ARGUMENTS.get(move, ()))
    for part in result if isinstance(result, list) else [result]:
        assert torch.equal(part.rad * 1024, part.mid)
        assert set(part.mid.flatten().tolist()) <= {0.0, *GRID.flatten().tolist()}


@pytest.mark.parametrize("creation", CREATIONS)
def test_a_created_tensor_is_exact_and_in_double(creation: str) -> None:
    like = ball([[1.0, 2.0]], 0.5)
    arguments: dict[str, tuple[Any, ...]] = {
        "scalar_tensor.default": (0.1,),
        "eye.default": (2,),
        "eye.m": (2, 3),
        "arange.default": (3,),
        "arange.start": (1, 4),
        "arange.start_step": (0, 6, 2),
        "full.default": ([2], 0.5),
        "full_like.default": (like, 0.5),
        "new_full.default": (like, [2], 0.5),
    }
    shaped = (like, [2]) if creation.startswith("new_") else (like,) if "_like" in creation else ([2],)
    result = apply(f"aten.{creation}", *arguments.get(creation, shaped))
    assert bool((result.rad == 0).all())
    assert not result.mid.is_floating_point() or result.mid.dtype == torch.float64


def test_picked_entries_keep_their_radii() -> None:
    x = Enclosure(GRID.clone(), GRID / 1024)
    where = Enclosure.exactly(torch.tensor([2, 0]))
    wide = Enclosure.exactly(torch.tensor([[0, 3], [1, 1], [2, 0]]))
    column = Enclosure(x.mid[:, :1], x.rad[:, :1])
    for result in (
        apply("aten.squeeze_.dim", column, 1),
        apply("aten.index.Tensor", x, [where]),
        apply("aten.index.Tensor", x, [None, where]),
        apply("aten.index_select.default", x, 1, where),
        apply("aten.gather.default", x, 1, wide),
    ):
        assert torch.equal(result.rad * 1024, result.mid)
    assert column.mid.shape == (3, 1)


def test_nothing_is_known_of_an_entry_picked_at_an_undecided_position() -> None:
    x = ball([10.0, 20.0])
    positions = apply("aten._to_copy.default", apply("aten.gt.Scalar", ball([0.0, 1.0], 0.5), 0.0), dtype=torch.int64)
    for name in ("aten.gather.default", "aten.index_select.default"):
        picked = apply(name, x, 0, positions)
        assert picked.rad[0] == math.inf
    assert apply("aten.index.Tensor", x, [positions]).rad[0] == math.inf


def test_a_border_has_radius_0_whatever_its_value() -> None:
    padded = apply("aten.constant_pad_nd.default", ball([1.0, 2.0], 0.5), [1, 1], -3.0)
    assert padded.mid.tolist() == [-3.0, 1.0, 2.0, -3.0]
    assert padded.rad.tolist() == [0.0, 0.5, 0.5, 0.0]


def test_writing_in_place_changes_value_and_radius() -> None:
    x = ball([1.0, 2.0], 0.5)
    apply("aten.fill_.Scalar", apply("aten.select.int", x, 0, 0), 7.0)
    assert (x.mid.tolist(), x.rad.tolist()) == ([7.0, 2.0], [0.0, 0.5])
    apply("aten.copy_.default", apply("aten.slice.Tensor", x, 0, 1, 2), ball([9.0], 0.25))
    assert (x.mid.tolist(), x.rad.tolist()) == ([7.0, 9.0], [0.0, 0.25])
    apply("aten.zero_.default", x)
    assert (x.mid.tolist(), x.rad.tolist()) == ([0.0, 0.0], [0.0, 0.0])


ALIASING = {
    "neg": lambda x: apply("aten.neg.default", x),
    "abs": lambda x: apply("aten.abs.default", x),
    "relu": lambda x: apply("aten.relu.default", x),
    "clamp": lambda x: apply("aten.clamp_min.default", x, -9.0),
    "clone": lambda x: apply("aten.clone.default", x),
    "cast": lambda x: apply("aten._to_copy.default", x, dtype=torch.float64),
    "copy": lambda x: apply("aten._to_copy.default", x),
    "sum": lambda x: apply("aten.sum.dim_IntList", x, [0], True),
    "maximum": lambda x: apply("aten.maximum.default", x, x),
    "power": lambda x: apply("aten.pow.Tensor_Scalar", x, 1),
    "where": lambda x: apply("aten.where.self", truth(YES), x, x),
    "norm": lambda x: apply("aten.linalg_vector_norm.default", x, 2, [0], True),
}


@pytest.mark.parametrize("name", ALIASING)
def test_writing_into_a_result_leaves_its_argument_alone(name: str) -> None:
    x = ball([2.0], 0.5)
    apply("aten.zero_.default", ALIASING[name](x))
    assert (x.mid.tolist(), x.rad.tolist()) == ([2.0], [0.5])


@pytest.mark.parametrize("name", ["aten._to_copy.default", "aten.to.dtype"])
def test_a_cast_to_a_narrower_type_adds_its_rounding_and_stays_in_double(name: str) -> None:
    narrow = (
        apply(name, ball([0.1, 0.5]), torch.float32)
        if "to.dtype" in name
        else apply(name, ball([0.1, 0.5]), dtype=torch.float32)
    )
    assert narrow.mid.dtype == torch.float64
    assert inside(Fraction(0.1), float(narrow.mid[0]), float(narrow.rad[0]))
    assert float(narrow.mid[0]) == float(torch.tensor(0.1))
    assert narrow.rad[1] == 0


def test_a_cast_to_integers_is_exact_or_unknown() -> None:
    cut = apply("aten._to_copy.default", ball([2.7, 2.999], [0.0, 0.01]), dtype=torch.int64)
    assert cut.mid.tolist() == [2, 2]
    assert cut.rad.tolist() == [0.0, math.inf]
    bare = apply("aten._to_copy.default", 0.1, dtype=torch.float64)
    assert float(bare.mid) == 0.1
    counted = apply("aten._to_copy.default", truth(YES, UNSURE), dtype=torch.float64)
    assert counted.rad.tolist() == [0.0, math.inf]


# --------------------------------------------------------------------------------------------------- the number type


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(mid=ANY, rad=RADIUS)
def test_ends_and_magnitude_bound_the_enclosure(mid: float, rad: float) -> None:
    x = ball([mid], [rad])
    low, high, size = (float(t) for t in (x.lower, x.upper, x.magnitude))
    for w in WEIGHTS:
        p = points(mid, rad, w)
        assert low == -math.inf or Fraction(low) <= p
        assert high == math.inf or p <= Fraction(high)
        assert size == math.inf or abs(p) <= Fraction(size)


def test_the_ends_of_an_exact_number_are_the_number() -> None:
    x = ball([0.0, 1.5, math.inf, -math.inf])
    assert torch.equal(x.lower, x.mid)
    assert torch.equal(x.upper, x.mid)


def test_widening_rounds_up_and_turns_nan_into_infinity() -> None:
    radii_given = torch.tensor([0.0, 5e-324, 1.0, 1e308, math.inf, math.nan], dtype=torch.float64)
    wide = widen(radii_given)
    assert wide[0] == 0
    assert bool((wide[1:4] >= radii_given[1:4]).all())
    assert wide[4:].tolist() == [math.inf, math.inf]


def test_gamma_bounds_the_error_of_sums_of_that_many_terms() -> None:
    for n, m in pairwise([1, 2, 10, 1000, 10**6]):
        assert gamma(n) < gamma(m)
    for n in (1, 10, 1000):
        assert Fraction(gamma(n)) * (1 + Fraction(1, 2**50)) >= Fraction(n, 2**53) / (1 - Fraction(n, 2**53))


def test_frobenius_upper_is_an_upper_bound_at_every_magnitude() -> None:
    for scale in (0.0, 5e-324, 1e-170, 1e-160, 1.0, 1e150):
        values = torch.full((1, 3, 2), scale, dtype=torch.float64)
        bound = float(frobenius_upper(values))
        assert Fraction(bound) ** 2 >= 6 * Fraction(scale) ** 2
    assert float(frobenius_upper(torch.full((1, 3, 2), 1.0).double())) < 2.4494897428


def test_an_operator_without_a_rule_is_named() -> None:
    with pytest.raises(UnknownOperatorError, match=r"aten\.lgamma\.default") as caught:
        lookup(aten.lgamma.default)
    assert isinstance(caught.value, BoundcheckError)
    assert caught.value.operator == "aten.lgamma.default"
