"""A priori rounding bounds: every evaluation in the box is held against exact arithmetic, and the bounds are not absurd."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.errors import UnknownOperatorError
from boundcheck.geometry import softplus
from boundcheck.rigor import trace
from boundcheck.rigor.magnitude import Magnitude, magnitudes

SEED = 20250321
SHAPE = (3, 4)
DIGITS = 60


def box(rng: np.random.Generator, shape: Sequence[int], decades: float) -> tuple[Tensor, Tensor]:
    """Centres and radii of very different sizes, now and then a point."""
    scale = 10.0 ** rng.uniform(-decades, decades, shape)
    radius = scale * 10.0 ** rng.uniform(-3, 0.5, shape) * (rng.uniform(size=shape) < 0.8)
    return torch.from_numpy(scale * rng.standard_normal(shape)), torch.from_numpy(radius)


def points(rng: np.random.Generator, centre: Tensor, radius: Tensor, count: int) -> list[Tensor]:
    """Members of the box, both ends among them."""
    inside = [torch.from_numpy(rng.uniform(-1, 1, tuple(centre.shape))) for _ in range(count - 2)]
    ends = [torch.ones_like(centre), -torch.ones_like(centre)]
    return [(centre + share * radius).clamp(centre - radius, centre + radius) for share in [*inside, *ends]]


def exact(value: Tensor) -> Any:
    return np.vectorize(lambda v: mpmath.mpf(float(v)), otypes=[object])(value.numpy())


mp = {
    name: np.vectorize(getattr(mpmath, name), otypes=[object])
    for name in ("tanh", "exp", "log1p", "sin", "cos", "atan", "erf", "sqrt")
}
mp_softplus = np.vectorize(lambda v: mpmath.log1p(mpmath.exp(v)) if v < 0 else v + mpmath.log1p(mpmath.exp(-v)))

# name: torch, exact, decades of the inputs
EXPRESSIONS: dict[str, tuple[Callable[..., Tensor], Callable[..., Any], float]] = {
    "x + y": (lambda x, y: x + y, lambda x, y: x + y, 4),
    "x + 3y": (lambda x, y: torch.add(x, y, alpha=3), lambda x, y: x + 3 * y, 4),
    "x - y": (lambda x, y: x - y, lambda x, y: x - y, 4),
    "1 - x": (lambda x, y: 1 - x, lambda x, y: 1 - x, 4),
    "x y": (lambda x, y: x * y, lambda x, y: x * y, 4),
    "x y far down": (lambda x, y: x * y, lambda x, y: x * y, 200),
    "0.3 x": (lambda x, y: 0.3 * x, lambda x, y: mpmath.mpf(0.3) * x, 4),
    "|x| - y²": (lambda x, y: x.abs() - y.square(), lambda x, y: abs(x) - y * y, 2),
    "-x³": (lambda x, y: -(x**3), lambda x, y: -(x * x * x), 2),
    "clamp": (
        lambda x, y: (x + y).clamp(min=-1, max=2),
        lambda x, y: np.minimum(np.maximum(x + y, -1), 2),
        1,
    ),
    "tanh": (lambda x, y: torch.tanh(x + y), lambda x, y: mp["tanh"](x + y), 2),
    "1 - tanh²": (lambda x, y: 1 - torch.tanh(x + y).square(), lambda x, y: 1 - mp["tanh"](x + y) ** 2, 1),
    "sin": (lambda x, y: torch.sin(x * y), lambda x, y: mp["sin"](x * y), 1),
    "cos": (lambda x, y: torch.cos(x * y), lambda x, y: mp["cos"](x * y), 1),
    "atan": (lambda x, y: torch.atan(x - y), lambda x, y: mp["atan"](x - y), 2),
    "erf": (lambda x, y: torch.erf(x - y), lambda x, y: mp["erf"](x - y), 1),
    "exp": (lambda x, y: torch.exp(x + y), lambda x, y: mp["exp"](x + y), 1.5),
    "log1p": (lambda x, y: torch.log1p((x + y).square()), lambda x, y: mp["log1p"]((x + y) ** 2), 4),
    "softplus": (lambda x, y: softplus(x + y), lambda x, y: mp_softplus(x + y), 2),
    "x / (1 + y²)": (lambda x, y: x / (1 + y.square()), lambda x, y: x / (1 + y * y), 2),
    "√(1 + x²)": (lambda x, y: (1 + x.square()).sqrt(), lambda x, y: mp["sqrt"](1 + x * x), 2),
    "xyᵀ / √2": (
        lambda x, y: (x @ y.mT) / x.new_tensor(2.0).sqrt(),
        lambda x, y: x.dot(y.T) / mpmath.sqrt(2),
        2,
    ),
    "sum": (lambda x, y: (x * y).sum(-1), lambda x, y: (x * y).sum(-1), 4),
    "total": (lambda x, y: (x - y).sum()[None], lambda x, y: np.array([(x - y).sum()]), 4),
    "x yᵀ": (lambda x, y: x @ y.mT, lambda x, y: x.dot(y.T), 4),
    "(x + y) yᵀ": (lambda x, y: (x + y)[None] @ y.mT[None], lambda x, y: (x + y).dot(y.T)[None], 3),
    "moved": (
        lambda x, y: torch.cat([x.mT.flatten(), y[1:, 2]]).unsqueeze(0).expand(2, -1),
        lambda x, y: np.broadcast_to(np.concatenate([x.T.flatten(), y[1:, 2]]), (2, 14)),
        4,
    ),
    "split": (lambda x, y: x.unbind(0)[1] + y.split(2, -1)[0][0, 0], lambda x, y: x[1] + y[0, 0], 4),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_range_and_error_hold_everywhere_in_the_box(name: str, seed: int) -> None:
    function, oracle, decades = EXPRESSIONS[name]
    rng = np.random.default_rng([SEED, seed])
    boxes = [box(rng, SHAPE, decades), box(rng, SHAPE, decades)]
    traced = trace(lambda x, y: [function(x, y)], [centre for centre, _ in boxes])
    (found,) = magnitudes(traced, *(Magnitude.within(*part) for part in boxes))
    assert not bool(found.error.isnan().any())
    low, high, error = exact(found.low), exact(found.high), exact(found.error)
    with mpmath.workdps(DIGITS):
        for x, y in zip(*(points(rng, *part, 6) for part in boxes), strict=True):
            true = oracle(exact(x), exact(y))
            assert np.all((low <= true) & (true <= high))
            assert np.all(abs(exact(function(x, y)) - true) <= error)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_errors_are_not_absurdly_large(name: str) -> None:
    """In a box about numbers of order 1, where roundings do occur."""
    function, oracle, _ = EXPRESSIONS[name]
    rng = np.random.default_rng(SEED)
    boxes = [box(rng, SHAPE, 0.1), box(rng, SHAPE, 0.1)]
    traced = trace(lambda x, y: [function(x, y)], [centre for centre, _ in boxes])
    (found,) = magnitudes(traced, *(Magnitude.within(*part) for part in boxes))
    worst = mpmath.mpf(0)
    with mpmath.workdps(DIGITS):
        for x, y in zip(*(points(rng, *part, 20) for part in boxes), strict=True):
            off = abs(exact(function(x, y)) - oracle(exact(x), exact(y)))
            worst = max(worst, max(off.flatten() / exact(found.error.clamp(min=1e-300)).flatten()))
    assert worst <= 1
    assert worst >= 0.005 or name == "moved"


def test_what_only_moves_numbers_has_no_error() -> None:
    x = torch.randn(2, 3, dtype=torch.float64)
    traced = trace(lambda t: [t.mT.reshape(3, 2, 1).squeeze(-1)], [x])
    (found,) = magnitudes(traced, Magnitude.exactly(x))
    assert torch.equal(found.error, torch.zeros(3, 2, dtype=torch.float64))
    assert torch.equal(found.low, x.mT)


def test_signs_are_kept_where_activations_profit() -> None:
    """softplus of anything within ±50: e^(-|t|) is at most 1, not e^50; and 1 - tanh² is between 0 and 1."""
    t = Magnitude.within(torch.zeros(1, dtype=torch.float64), torch.tensor([50.0], dtype=torch.float64))
    (value,) = magnitudes(trace(lambda x: [softplus(x)], [t.low]), t)
    assert float(value.high) < 51
    assert float(value.error) < 1e-13
    (slope,) = magnitudes(trace(lambda x: [1 - torch.tanh(x).square()], [t.low]), t)
    assert float(slope.low) > -1e-12
    assert float(slope.high) < 1 + 1e-12


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
def test_nothing_is_claimed_of_what_is_not_finite(value: float) -> None:
    x = torch.tensor([value, 1.0], dtype=torch.float64)
    traced = trace(lambda t: [(t * t * t).sum(), softplus(t)[1:], torch.tanh(t)], [x])
    total, other, _ = magnitudes(traced, Magnitude.exactly(x))
    assert total.error.item() == math.inf
    assert float(other.error) < 1e-14


@pytest.mark.parametrize(
    "function", [torch.rsqrt, torch.digamma, lambda x: x.pow(0.5), lambda x: x.pow(-1), torch.relu]
)
def test_an_operator_without_a_rule_is_named(function: Callable[[Tensor], Tensor]) -> None:
    x = torch.ones(2, dtype=torch.float64)
    with pytest.raises(UnknownOperatorError, match="aten"):
        magnitudes(trace(lambda t: [function(t)], [x]), Magnitude.exactly(x))


def step_of_a_product(x: Tensor, y: Tensor) -> list[Tensor]:
    return [(x @ y.mT > 0).to(torch.float64)]


@given(seed=st.integers(0, 2**32 - 1), decades=st.sampled_from([0.0, 2.0, 150.0]))
@settings(max_examples=40, deadline=None)
def test_the_sign_of_a_product_holds_everywhere_in_the_box(seed: int, decades: float) -> None:
    rng = np.random.default_rng([SEED, seed])
    boxes = [box(rng, SHAPE, decades), box(rng, SHAPE, decades)]
    traced = trace(step_of_a_product, [centre for centre, _ in boxes])
    (found,) = magnitudes(traced, *(Magnitude.within(*part) for part in boxes))
    for x, y in zip(*(points(rng, *part, 6) for part in boxes), strict=True):
        with mpmath.workdps(700):
            true = torch.tensor((exact(x).dot(exact(y).T) > 0).astype(float))
        assert ((found.low <= true) & (true <= found.high)).all()
        assert ((step_of_a_product(x, y)[0] - true).abs() <= found.error).all()


def test_the_sign_of_a_product_is_known_in_a_small_box_and_not_in_a_large_one() -> None:
    x = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    y = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]], dtype=torch.float64)  # products 1, -2, 0
    traced = trace(step_of_a_product, [x, y])
    for radius, known in ((1e-3, [True, True, False]), (0.32, [True, True, False]), (0.34, [False, True, False])):
        within = Magnitude.within(y, torch.full_like(y, radius))
        (found,) = magnitudes(traced, Magnitude.exactly(x), within)
        assert (found.error == 0).tolist() == [known]
        assert found.low.tolist() == [[float(known[0]), 0.0, 0.0]]
    with pytest.raises(UnknownOperatorError, match="gt"):
        magnitudes(trace(lambda t: [(t > 1).to(torch.float64)], [x]), Magnitude.exactly(x))


@pytest.mark.parametrize("function", [lambda x, y: x / y, lambda x, y: y.sqrt()])
def test_what_may_divide_by_0_is_unknown(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    x = torch.ones(2, dtype=torch.float64)
    near = Magnitude.within(torch.tensor([0.5, 2.0], dtype=torch.float64), torch.ones(2, dtype=torch.float64))
    (found,) = magnitudes(trace(lambda s, t: [function(s, t)], [x, x]), Magnitude.exactly(x), near)
    assert found.error[0].item() == math.inf
    assert float(found.error[1]) < 1e-14


def test_a_logarithm_that_may_reach_its_pole_is_unknown() -> None:
    x = Magnitude.within(torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64))
    (found,) = magnitudes(trace(lambda t: [torch.log1p(t + 0)], [x.low]), x)
    assert found.error.item() == math.inf
