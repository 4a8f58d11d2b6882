"""Operators that are written out in others: what the formulas give, in enclosures, against mpmath."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.rigor.formulas.numbers import IRRATIONAL
from boundcheck.rigor.registry import DECOMPOSITIONS, meant
from tests.rigor.oracle import (
    Case,
    aten,
    ball,
    bits,
    does_not_know_what_is_unknown,
    expm1_exact,
    holds_at_every_magnitude,
    holds_whatever_is_drawn,
    inside,
    is_sharp,
    logistic,
    positive,
    quotient,
    real,
    softplus_exact,
    transcendental,
    within,
    written_out,
)

Unary = Callable[[Any], Any]


def exact(function: Unary, low: float = -math.inf, high: float = math.inf) -> Callable[[Fraction], Any]:
    """The oracle of an mpmath function that is defined between two bounds."""
    return within(low, high, transcendental(function))


def of(function: Callable[..., Any]) -> Callable[..., Any]:
    """The oracle of a function of several exact numbers, in mpmath."""
    return transcendental(function)


def slope(derivative: Unary) -> Callable[[Fraction, Fraction], Any]:
    """The oracle of gradient·derivative(x)."""
    return of(lambda g, x: g * derivative(x))


def tail(t: Any) -> Any:
    """Φ(-t); far out any number below every double will do."""
    return mpmath.ldexp(1, -2000) if t > 60 else mpmath.erfc(max(t, -80) / mpmath.sqrt(2)) / 2


def log_of_tail(t: Any) -> Any:
    return mpmath.log1p(-tail(t)) if t > 0 else mpmath.log(tail(-t))


def gelu(x: Any) -> Any:
    return x * tail(-x)


def density(x: Any) -> Any:
    return mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mpmath.pi) if abs(x) < 60 else mpmath.ldexp(1, -4000)


def by_tanh(x: Any) -> Any:
    return mpmath.sqrt(8 / mpmath.pi) * (x + mpmath.mpf(44715) / 10**6 * x**3)


def gelu_tanh(x: Any) -> Any:
    return x * logistic(by_tanh(x)) if abs(x) < 1e4 else max(x, 0)


def gelu_tanh_slope(x: Any) -> Any:
    if abs(x) > 1e4:
        return mpmath.mpf(x > 0)
    s = logistic(by_tanh(x))
    return s + x * s * (1 - s) * mpmath.sqrt(8 / mpmath.pi) * (1 + mpmath.mpf(134145) / 10**6 * x * x)


def silu_slope(x: Any) -> Any:
    return logistic(x) + x * logistic(x) * logistic(-x)


def mish_slope(x: Any) -> Any:
    t = mpmath.tanh(softplus_exact(x))
    return t + x * logistic(x) * (1 - t * t)


def elu(x: Any) -> Any:
    return 3 * x / 2 if x > 0 else mpmath.mpf(3) / 4 * expm1_exact(2 * x)


def angle(y: Fraction, x: Fraction) -> Any:
    return None if x == 0 and y == 0 else of(mpmath.atan2)(y, x)


def sinc(x: Any) -> Any:
    return mpmath.sinpi(x) / (mpmath.pi * x) if x else mpmath.mpf(1)


def times_log(x: Fraction, y: Fraction) -> Any:
    return Fraction(0) if x == 0 else of(lambda a, b: a * mpmath.log(b))(x, y) if y > 0 else None


def times_log1p(x: Fraction, y: Fraction) -> Any:
    return Fraction(0) if x == 0 else None if y <= -1 else of(lambda a, b: a * mpmath.log1p(b))(x, y)


def asinh(t: Any) -> Any:
    return t - t**3 / 6 if abs(t) < mpmath.mpf(2) ** -80 else mpmath.asinh(t)


def remainder(x: Fraction, y: Fraction) -> Any:
    return None if y == 0 else x - y * math.floor(x / y)


def truncated(x: Fraction, y: Fraction) -> Any:
    return None if y == 0 else x - y * math.trunc(x / y)


def clipped(x: Any, low: Any, high: Any) -> Any:
    return min(max(x, low), high)


def near_one_half(x: Any) -> Any:
    return mpmath.log(x) - mpmath.log1p(-x)


def sign(x: Fraction) -> Fraction:
    return Fraction((x > 0) - (x < 0))


INSIDE = (-0.9, -0.3, 0.2, 0.7)
ABOVE_ONE = (1.1, 2.0, 7.0)
ORDINARY = (0.3, 0.7, 3.1)
BIG = 800

FUNCTIONS = [
    Case("aten.log2.default", positive(of(lambda t: mpmath.log(t) / mpmath.log(2))), near=(1.0, 8.0), sharp=ORDINARY),
    Case("aten.log10.default", positive(of(mpmath.log10)), near=(1.0, 1000.0), sharp=ORDINARY),
    Case("aten.exp2.default", exact(lambda t: mpmath.mpf(2) ** t, high=1100), near=(-1022.0, -1074.0, 1023.9)),
    Case(
        "aten.pow.Scalar",
        exact(lambda t: mpmath.mpf(2.5) ** t, high=BIG),
        near=(-700.0,),
        call=lambda x: torch.pow(2.5, x),
    ),
    Case("aten.sinh.default", exact(mpmath.sinh, -BIG, BIG), near=(1e-10, 710.0, -709.0)),
    Case("aten.cosh.default", exact(mpmath.cosh, -BIG, BIG), near=(1e-10, 710.0, -709.0)),
    Case("aten.asinh.default", of(asinh), near=(1e-10, 1e150)),
    Case("aten.acosh.default", exact(mpmath.acosh, 1.0), near=(1.0, 1e150), domain=(1.0, 9.0), sharp=ABOVE_ONE),
    Case("aten.atanh.default", exact(mpmath.atanh, -1 + 1e-300, 1 - 1e-300), domain=(-1.0, 1.0), sharp=INSIDE),
    Case("aten.special_entr.default", positive(of(lambda t: -t * mpmath.log(t))), near=(1.0,), sharp=ORDINARY),
    Case("aten.logit.default", exact(near_one_half, 1e-320, 1 - 1e-17), domain=(0.0, 1.0), sharp=(0.2, 0.7)),
    Case(
        "aten.logit.default",
        lambda x: of(near_one_half)(clipped(x, Fraction(0.125), Fraction(0.875))),
        (0.125,),
        domain=(0.0, 1.0),
        sharp=(0.2, 0.7),
    ),
    Case("aten.special_ndtr.default", of(lambda t: tail(-t)), near=(-8.0, -37.0, 8.0)),
    Case("aten.special_log_ndtr.default", exact(log_of_tail, -50, 60), near=(-8.0, -37.0, 8.0)),
    Case("aten.tan.default", of(mpmath.tan), near=(math.pi / 2, math.pi, 1e5)),
    Case("aten.asin.default", exact(mpmath.asin, -1.0, 1.0), near=(1.0, -1.0), domain=(-1.0, 1.0), sharp=INSIDE),
    Case("aten.acos.default", exact(mpmath.acos, -1.0, 1.0), near=(1.0, -1.0), domain=(-1.0, 1.0), sharp=INSIDE),
    Case("aten.sinc.default", of(sinc), near=(1.0, 0.0, 1e-8)),
    Case("aten.deg2rad.default", of(lambda t: t * mpmath.pi / 180)),
    Case("aten.rad2deg.default", of(lambda t: t * 180 / mpmath.pi)),
    Case("aten.sign.default", sign),
    Case("aten.sgn.default", sign),
    Case("aten.frac.default", lambda x: x - math.trunc(x), near=(3.0, -2.0), sharp=(-2.4, 0.7)),
    Case("aten.clamp_max.default", lambda x: min(x, Fraction(1, 4)), (0.25,), near=(0.25,)),
    Case("aten.logaddexp.default", of(lambda x, y: max(x, y) + softplus_exact(-abs(x - y))), arity=2),
    Case("aten.xlogy.Tensor", times_log, arity=2, sharp=ORDINARY),
    Case("aten.special_xlog1py.default", times_log1p, arity=2, sharp=ORDINARY),
    Case("aten.atan2.default", angle, arity=2),
    Case("aten.hypot.default", of(lambda x, y: mpmath.sqrt(x * x + y * y)), arity=2),
    Case("aten.copysign.Tensor", lambda x, y: None if y == 0 else abs(x) * sign(y), arity=2),
    Case("aten.heaviside.default", lambda x, v: v if x == 0 else Fraction(x > 0), arity=2),
    Case("aten.remainder.Tensor", remainder, arity=2, sharp=(7.3, -2.5), call=lambda x, y: x.remainder(y + 0 * x)),
    Case("aten.remainder.Scalar", lambda x: remainder(x, Fraction(0.7)), (0.7,), sharp=(7.3, -2.6)),
    Case("aten.fmod.Tensor", truncated, arity=2, sharp=(7.3, -2.5)),
    Case("aten.fmod.Scalar", lambda x: truncated(x, Fraction(0.7)), (0.7,), sharp=(7.3, -2.6)),
    Case("aten.floor_divide.default", lambda x, y: None if y == 0 else Fraction(math.floor(x / y)), arity=2),
    Case("aten.floor_divide.Scalar", lambda x: Fraction(math.floor(x / Fraction(0.7))), (0.7,), sharp=(7.3, -2.6)),
    Case(
        "aten.div.Tensor_mode",
        lambda x, y: None if y == 0 else Fraction(math.trunc(x / y)),
        arity=2,
        options=(("rounding_mode", "trunc"),),
    ),
    Case("aten.div.Scalar_mode", lambda x: x / Fraction(0.75), (0.75,), options=(("rounding_mode", None),)),
    Case("aten.clamp_max.Tensor", min, arity=2),
    Case("aten.clamp_min.Tensor", max, arity=2),
    Case("aten.clamp.Tensor", clipped, arity=3),
    Case("aten.fmax.default", max, arity=2),
    Case("aten.fmin.default", min, arity=2),
    Case("aten.lerp.Scalar", lambda x, y: x + Fraction(0.3) * (y - x), (0.3,), arity=2),
    Case("aten.lerp.Tensor", lambda x, y, w: x + w * (y - x), arity=3),
    Case(
        "aten.addcdiv.default",
        lambda x, y, z: None if z == 0 else of(lambda a, b, c: a - 2 * b / c)(x, y, z),
        arity=3,
        options=(("value", -2),),
    ),
    Case(
        "aten.masked_fill.Scalar",
        lambda x: Fraction(7) if x > 1 else x,
        near=(1.0,),
        call=lambda x: x.masked_fill(x > 1, 7.0),
    ),
    Case(
        "aten.masked_fill.Tensor",
        lambda x: Fraction(7) if x > 1 else x,
        near=(1.0,),
        call=lambda x: x.masked_fill(x > 1, torch.tensor(7.0).double()),
    ),
    Case(
        "aten.xlogy.Scalar_Other",
        lambda x: of(lambda t: t * mpmath.log(mpmath.mpf(2.5)))(x),
        (2.5,),
    ),
]

ACTIVATIONS = [
    Case("aten.gelu.default", of(gelu), near=(-5.0, -8.0, -38.0, 6.0)),
    Case("aten.gelu.default", of(gelu_tanh), near=(-5.0, -20.0, 6.0), options=(("approximate", "tanh"),)),
    Case("aten.gelu_backward.default", slope(lambda x: tail(-x) + x * density(x)), arity=2, near=(-5.0, -38.0, 9.0)),
    Case(
        "aten.gelu_backward.default",
        slope(gelu_tanh_slope),
        arity=2,
        near=(-5.0, -20.0, 6.0),
        options=(("approximate", "tanh"),),
    ),
    Case("aten.silu.default", of(lambda x: x * logistic(x)), near=(-20.0, -745.0)),
    Case("aten.silu_backward.default", slope(silu_slope), arity=2, near=(-20.0, -745.0)),
    Case("aten.mish.default", of(lambda x: x * mpmath.tanh(softplus_exact(x))), near=(-20.0, 20.0)),
    Case("aten.mish_backward.default", slope(mish_slope), arity=2, near=(-20.0, 20.0)),
    Case("aten.softplus_backward.default", slope(lambda x: logistic(x)), (1.0, 20.0), arity=2, near=(20.0, -37.0)),
    Case("aten.softplus_backward.default", slope(lambda x: logistic(3 * x)), (3.0, 20.0), arity=2, near=(7.0,)),
    Case("aten.log_sigmoid_forward.default", of(lambda x: -softplus_exact(-x)), near=(-20.0, 37.0)),
    Case(
        "aten.log_sigmoid_backward.default",
        slope(lambda x: logistic(-x)),
        arity=2,
        call=lambda g, x: aten.log_sigmoid_backward.default(g, x, x),
    ),
    Case(
        "aten.logit_backward.default",
        lambda g, x: None if x in (0, 1) else quotient(g, x * (1 - x)),
        arity=2,
        domain=(0.0, 1.0),
        sharp=(0.2, 0.7),
    ),
    Case("aten.elu.default", of(elu), (0.5, 1.5, 2.0), near=(-20.0, 0.0)),
    Case(
        "aten.elu_backward.default",
        of(lambda g, x: g * 3 / 2 * (1 if x > 0 else mpmath.exp(2 * x))),
        arity=2,
        near=(-20.0,),
        call=lambda g, x: aten.elu_backward.default(g, 0.5, 1.5, 2.0, False, x),
    ),
    Case(
        "aten.elu_backward.default",
        lambda g, y: g * Fraction(3, 2) if y > 0 else g * 2 * (y + Fraction(3, 4)),
        arity=2,
        call=lambda g, y: aten.elu_backward.default(g, 0.5, 1.5, 2.0, True, y),
    ),
    Case("aten.celu.default", of(lambda x: x if x > 0 else 2 * expm1_exact(x / 2)), (2.0,), near=(-20.0, 0.0)),
    Case("aten.leaky_relu.default", lambda x: x if x > 0 else x * Fraction(0.01), (0.01,)),
    Case("aten.leaky_relu_backward.default", lambda g, x: g if x > 0 else g * Fraction(0.01), (0.01, False), arity=2),
    Case("aten._prelu_kernel.default", lambda x, w: x if x > 0 else w * x, arity=2),
    Case("aten._prelu_kernel_backward.default", lambda g, x, w: g if x > 0 else w * g, arity=3),
    Case("aten.hardtanh.default", lambda x: clipped(x, Fraction(-1), Fraction(2)), (-1.0, 2.0), near=(-1.0, 2.0)),
    Case(
        "aten.hardtanh_backward.default",
        lambda g, x: g if -1 < x < 2 else 0 * g,
        (-1.0, 2.0),
        arity=2,
        near=(-1.0, 2.0),
    ),
    Case("aten.hardsigmoid.default", of(lambda x: clipped(x + 3, 0, 6) / 6), near=(-3.0, 3.0)),
    Case(
        "aten.hardsigmoid_backward.default", of(lambda g, x: g / 6 if -3 < x < 3 else 0 * g), arity=2, near=(-3.0, 3.0)
    ),
    Case("aten.hardswish.default", of(lambda x: x * clipped(x + 3, 0, 6) / 6), near=(-3.0, 3.0)),
    Case(
        "aten.hardswish_backward.default",
        of(lambda g, x: 0 * g if x <= -3 else g if x >= 3 else g * (2 * x + 3) / 6),
        arity=2,
        near=(-3.0, 3.0),
    ),
    Case("aten.hardshrink.default", lambda x: x if abs(x) > Fraction(1, 2) else 0 * x, (0.5,), near=(0.5, -0.5)),
    Case(
        "aten.hardshrink_backward.default",
        lambda g, x: g if abs(x) > Fraction(1, 2) else 0 * g,
        (0.5,),
        arity=2,
        near=(0.5, -0.5),
    ),
    Case("aten.softshrink.default", lambda x: x - clipped(x, Fraction(-1, 2), Fraction(1, 2)), (0.5,), near=(0.5,)),
    Case(
        "aten.softshrink_backward.default",
        lambda g, x: g if abs(x) > Fraction(1, 2) else 0 * g,
        (0.5,),
        arity=2,
        near=(0.5, -0.5),
    ),
    Case("aten.threshold.default", lambda x: x if x > 1 else Fraction(7), (1.0, 7.0), near=(1.0,)),
]

CASES = [*FUNCTIONS, *ACTIVATIONS]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_enclosures_hold_the_exact_value_at_every_magnitude(case: Case) -> None:
    holds_at_every_magnitude(case, 150, 0.1, 0.2)


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_enclosures_hold_the_exact_value_of_whatever_hypothesis_tries(case: Case, data: st.DataObject) -> None:
    holds_whatever_is_drawn(case, data)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_exact_arguments_give_sharp_enclosures(case: Case) -> None:
    is_sharp(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_unknown_argument_gives_an_unknown_result_never_nan(case: Case) -> None:
    does_not_know_what_is_unknown(case)


CONSTANTS: list[tuple[float, Callable[[], Any]]] = [
    (0.6931471805599453, lambda: mpmath.log(2)),
    (2.3025850929940455, lambda: mpmath.log(10)),
    (1.1283791670955126, lambda: 2 / mpmath.sqrt(mpmath.pi)),
    (0.3989422804014327, lambda: 1 / mpmath.sqrt(2 * mpmath.pi)),
    (0.7071067811865476, lambda: mpmath.sqrt(mpmath.mpf(1) / 2)),
    (0.7978845608028654, lambda: mpmath.sqrt(2 / mpmath.pi)),
    (2.5066282746310002, lambda: mpmath.sqrt(2 * mpmath.pi)),
    (3.141592653589793, lambda: mpmath.pi),
    (1 / math.sqrt(3), lambda: 1 / mpmath.sqrt(3)),
    (math.sqrt(1 / math.sqrt(12)), lambda: mpmath.mpf(12) ** (mpmath.mpf(-1) / 4)),
    (2 / 3, lambda: mpmath.mpf(2) / 3),
    (0.044715, lambda: mpmath.mpf(44715) / 10**6),
    (0.5, lambda: mpmath.mpf(1) / 2),
    (0.75, lambda: mpmath.mpf(3) / 4),
    (1e-12, lambda: mpmath.mpf(1e-12)),
]


@pytest.mark.parametrize(("double", "number"), CONSTANTS, ids=[str(c) for c, _ in CONSTANTS])
def test_a_constant_of_torchs_own_derivatives_is_the_number_that_is_meant(
    double: float, number: Callable[[], Any]
) -> None:
    x = torch.tensor([3.0, -0.7, 1e-300, 1e300], dtype=torch.float64)
    for factor in (double, -double):
        products, quotients = written_out(
            lambda t, c=factor: [aten.mul.Scalar(t, c), aten.div.Scalar(t, c)], x
        ).enclose(ball(x))
        with mpmath.workprec(300):
            for lane, value in enumerate(x.tolist()):
                constant = number() * (1 if factor > 0 else -1)
                assert inside(value * constant, float(products.mid[lane]), float(products.rad[lane]))
                assert inside(value / constant, float(quotients.mid[lane]), float(quotients.rad[lane]))
        assert bool((products.rad <= 1e-14 * products.mid.abs() + 1e-322).all())


def test_a_users_own_number_stays_the_double_it_is() -> None:
    x = torch.ones(1, dtype=torch.float64)
    traced = written_out(lambda t: t * math.pi, x)
    assert traced.operators() == ["aten.mul.Tensor"]
    (result,) = traced.enclose(ball(x))
    assert float(result.mid) == math.pi


def test_every_constant_is_within_a_last_digit_of_its_double() -> None:
    like = torch.zeros(())
    for double, constant in IRRATIONAL.items():
        assert float(constant(like)) == pytest.approx(double, rel=4e-16, abs=0.0)


def test_the_fraction_meant_is_short_and_its_nearest_double_is_the_one_given() -> None:
    assert meant(1 / 3) == Fraction(1, 3)
    assert meant(0.1) == Fraction(1, 10)
    assert meant(0.3 + 1e-16) == Fraction(0.3 + 1e-16)
    for double in (0.5, 7.0, 1e300, 5e-324, math.pi):
        assert meant(double) == Fraction(double)


def literals(function: Callable[[Tensor], Any]) -> set[float]:
    """The numbers with many digits that are written into a function's trace."""
    traced = written_out(function, torch.tensor([0.3, -1.2], dtype=torch.float64))
    numbers = {a for node in traced.graph.graph.nodes for a in node.args if isinstance(a, float) and math.isfinite(a)}
    return {a for a in numbers if Fraction(a).numerator.bit_length() > 30}


@pytest.mark.parametrize("kind", ["grad", "hvp", "third"])
@pytest.mark.parametrize(
    "name",
    ["erf", "erfc", "log2", "log10", "exp2", "sinc", "gelu", "gelu_tanh", "ndtr", "log_ndtr", "var", "std", "softplus"],
)
def test_no_rounded_constant_is_left_in_a_derivative(name: str, kind: str) -> None:
    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "gelu": torch.nn.functional.gelu,
        "gelu_tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
        "ndtr": torch.special.ndtr,
        "log_ndtr": torch.special.log_ndtr,
        "var": lambda x: torch.cat([x, x * x]).var().unsqueeze(0),
        "std": lambda x: torch.cat([x, x * x]).std().unsqueeze(0),
        "softplus": torch.nn.functional.softplus,
    }
    function = functions.get(name) or getattr(torch, name)
    first = torch.func.grad(lambda x: function(x).sum())
    derivative = {
        "grad": first,
        "hvp": lambda x: torch.func.jvp(first, (x,), (x,))[1],
        "third": torch.func.grad(lambda x: torch.func.grad(lambda t: first(t).square().sum())(x).sum()),
    }[kind]
    assert literals(derivative) == set()


def test_the_second_derivative_of_softplus_knows_no_threshold() -> None:
    x = torch.tensor([0.0, 19.0, 21.0, 40.0], dtype=torch.float64)

    def bend(t: Tensor) -> Tensor:
        return torch.func.vmap(torch.func.grad(torch.func.grad(torch.nn.functional.softplus)))(t)

    (result,) = written_out(bend, x).enclose(ball(x))
    for lane, value in enumerate(x.tolist()):
        point = Fraction(value)
        with mpmath.workprec(bits(point)):
            s = logistic(real(point))
            assert inside(s * (1 - s), float(result.mid[lane]), float(result.rad[lane]))
    assert float(result.rad[2]) < 1e-14


def test_truth_values_and_whole_numbers() -> None:
    x = torch.tensor([-1.0, 0.5, 2.0], dtype=torch.float64)
    first, second, third = written_out(
        lambda t: [((t > 0) ^ (t > 1)).double(), torch.signbit(t).double(), (t > 0).logical_xor(t > 1).double()], x
    ).enclose(ball(x))
    assert first.mid.tolist() == third.mid.tolist() == [0.0, 1.0, 0.0]
    assert second.mid.tolist() == [1.0, 0.0, 0.0]
    assert bool((first.rad + second.rad == 0).all())


@pytest.mark.parametrize("weighted", [False, True])
def test_the_derivative_of_a_group_norm_agrees_with_torchs_operator(weighted: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    x, gradient = (torch.randn(3, 4, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    channels = torch.randn(4, generator=generator, dtype=torch.float64) if weighted else None
    operator = aten.native_group_norm_backward.default
    _, mean, scale = aten.native_group_norm(x, channels, channels, 3, 4, 5, 2, 1e-5)
    arguments = (gradient, x, mean, scale, channels, 3, 4, 5, 2, [True, weighted, weighted])
    for ours, theirs in zip(DECOMPOSITIONS[operator](*arguments), operator(*arguments), strict=True):
        assert theirs is None or torch.allclose(ours, theirs, rtol=1e-11, atol=1e-11)
