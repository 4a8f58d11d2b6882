"""Both passes together: the same bits as one after the other, or a sum of the same products in another order."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.geometry import Attention, BothLayers, Family, Linear, Quadratic, ReluLayer, TwoLayer, family
from boundcheck.geometry.activations import ACTIVATIONS
from boundcheck.geometry.narrow import NarrowPasses, lanes_last
from boundcheck.rigor import trace
from boundcheck.rigor.magnitude import Magnitude, magnitudes

FAMILIES: list[Family] = [
    Linear(3, 2),
    Quadratic(4, 3),
    TwoLayer(6, 8, 1, "tanh"),
    TwoLayer(3, 5, 3, "softplus"),
    TwoLayer(1, 1, 2, "sigmoid"),
    TwoLayer(9, 40, 2, "tanh"),
    ReluLayer(3, 4, 2),
    BothLayers(3, 4, 2, "tanh"),
    BothLayers(2, 3, 1, "softplus"),
    BothLayers(1, 1, 1, "relu"),
    Attention(3, 2, 2, 3, 2, "sigmoid"),
]
NARROW = [f for f in FAMILIES if isinstance(f, TwoLayer) and f.lanes_last(4)]
SEEDS = st.integers(0, 2**31 - 1)
SCALES = st.sampled_from([1e-3, 1.0, 6.0])
ROWS = st.integers(1, 4)
DEFINITIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "tanh": (mpmath.tanh, lambda t: mpmath.sech(t) ** 2),
    "softplus": (lambda t: mpmath.log(1 + mpmath.exp(t)), lambda t: 1 / (1 + mpmath.exp(-t))),
    "sigmoid": (lambda t: 1 / (1 + mpmath.exp(-t)), lambda t: mpmath.sech(t / 2) ** 2 / 4),
    "relu": (lambda t: max(t, 0), lambda t: 1 if t > 0 else 0),
}


def drawn(model: Family, seed: int, *lanes: int, rows: int, scale: float) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """θ, frozen parameters and x."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(scale * rng.standard_normal((*lanes, *shape))))

    frozen = {name: normal(*shape) for name, shape in model.frozen_shapes().items()}
    return normal(model.parameters), frozen, normal(rows, model.features)


def bent(outputs: Tensor) -> Tensor:
    """Some cotangent that depends on the outputs."""
    return outputs * outputs.abs() - 0.3


def test_most_families_have_both_kinds_of_passes() -> None:
    assert len(NARROW) == 4
    assert not TwoLayer(9, 40, 2).lanes_last(4)
    assert not TwoLayer(9, 40, 2).lanes_last(0)


@given(
    model=st.sampled_from(FAMILIES),
    seed=SEEDS,
    lanes=st.sampled_from([(), (1,), (5,), (2, 3), (0,)]),
    rows=ROWS,
    scale=SCALES,
)
@settings(max_examples=150, deadline=None)
def test_what_is_shared_changes_no_bit(
    model: Family, seed: int, lanes: tuple[int, ...], rows: int, scale: float
) -> None:
    theta, frozen, x = drawn(model, seed, *lanes, rows=rows, scale=scale)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family, "MOST_PRODUCTS", 0)
        cotangent, pulled = model.passes(frozen, x)(theta, bent)
    apart, pulled_apart = Family.passes(model, frozen, x)(theta, bent)
    assert torch.equal(apart, bent(model.outputs(theta, frozen, x)))
    assert torch.equal(pulled_apart, model.pullback(theta, frozen, x, apart))
    assert torch.equal(cotangent, apart)
    assert torch.equal(pulled, pulled_apart)


def allowed(model: Family, theta: Tensor, frozen: dict[str, Tensor], x: Tensor, cotangent: Tensor) -> list[Tensor]:
    """What is proved of the roundings of `outputs` and `pullback`, for sums in any order."""
    names = list(frozen)

    def outputs(theta: Tensor, x: Tensor, *values: Tensor) -> list[Tensor]:
        return [model.outputs(theta, dict(zip(names, values, strict=True)), x)]

    def pullback(theta: Tensor, x: Tensor, cotangent: Tensor, *values: Tensor) -> list[Tensor]:
        return [model.pullback(theta, dict(zip(names, values, strict=True)), x, cotangent)]

    found = []
    for function, inputs in ((outputs, [theta, x]), (pullback, [theta, x, cotangent])):
        inputs = [*inputs, *frozen.values()]
        found += [m.error for m in magnitudes(trace(function, inputs), *map(Magnitude.exactly, inputs))]
    return found


def by_definition(
    model: TwoLayer, theta: Tensor, head: Tensor, x: Tensor, cotangent: Tensor
) -> tuple[list[Any], list[Any]]:
    """Outputs and pullback of one lane, flattened, in many digits."""
    value, slope = DEFINITIONS[model.activation]
    first = [list(map(mpmath.mpf, row)) for row in theta.reshape(model.width, model.inputs).tolist()]
    heads, rows, given = ([list(map(mpmath.mpf, row)) for row in t.tolist()] for t in (head, x, cotangent))
    hidden = [[mpmath.fdot(w, row) for w in first] for row in rows]
    root = mpmath.sqrt(model.width)
    outputs = [mpmath.fdot(a, map(value, h)) / root for h in hidden for a in heads]
    signal = [
        [slope(t) * mpmath.fdot(c, [a[j] for a in heads]) for j, t in enumerate(h)]
        for h, c in zip(hidden, given, strict=True)
    ]
    pulled = [
        sum(s[j] * row[i] for s, row in zip(signal, rows, strict=True)) / root
        for j in range(model.width)
        for i in range(model.inputs)
    ]
    return outputs, pulled


@given(
    model=st.sampled_from(NARROW),
    seed=SEEDS,
    lanes=st.sampled_from([1, 2, 5, 33]),
    rows=ROWS,
    scale=SCALES,
    last=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_narrow_passes_stay_within_the_proved_roundings_of_the_formulas(
    model: TwoLayer, seed: int, lanes: int, rows: int, scale: float, last: bool
) -> None:
    theta, frozen, x = drawn(model, seed, lanes, rows=rows, scale=scale)
    seen = []

    def cotangent_of(outputs: Tensor) -> Tensor:
        seen.append(outputs)
        return bent(outputs)

    passes = model.passes(frozen, x)
    assert isinstance(passes, NarrowPasses)
    cotangent, pulled = passes(lanes_last(theta) if last else theta, cotangent_of)
    assert cotangent.shape == (lanes, rows, model.outputs_)
    assert pulled.shape == (lanes, model.parameters)
    errors = allowed(model, theta, frozen, x, cotangent)
    lane = seed % lanes
    with mpmath.workdps(50):
        exact = by_definition(model, theta[lane], frozen["head"][lane], x[lane], cotangent[lane])
        # The rounded 1/√width is a literal of the formula, and not counted there.
        for values, right, error in zip((seen[0], pulled), exact, errors, strict=True):
            room = error[lane].flatten().tolist()
            for got, true, most in zip(values[lane].flatten().tolist(), right, room, strict=True):
                assert abs(got - true) <= most + abs(true) * mpmath.mpf(2) ** -52


@given(seed=SEEDS, lanes=st.integers(0, 5), shape=st.lists(st.integers(0, 4), max_size=2))
def test_lanes_last_moves_numbers_in_memory_only(seed: int, lanes: int, shape: list[int]) -> None:
    values = torch.from_numpy(np.asarray(np.random.default_rng(seed).standard_normal((lanes, *shape))))
    moved = lanes_last(values)
    assert torch.equal(moved, values)
    assert moved.movedim(0, -1).is_contiguous()


@given(
    name=st.sampled_from(sorted(ACTIVATIONS)),
    seed=SEEDS,
    size=st.integers(0, 70),
    scale=st.sampled_from([1e-9, 1.0, 50.0, 1e300]),
)
def test_value_and_slope_together_are_the_same_bits(name: str, seed: int, size: int, scale: float) -> None:
    t = torch.from_numpy(scale * np.random.default_rng(seed).standard_normal(size))
    value, slope = ACTIVATIONS[name].both(t)
    assert torch.equal(value, ACTIVATIONS[name].value(t))
    assert torch.equal(slope, ACTIVATIONS[name].slope(t))
