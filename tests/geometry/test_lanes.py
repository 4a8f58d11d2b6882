"""Many nets at once: both routes and the switch between them against 60 digits, and that no lane feels how they are split."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import (
    Family,
    Linear,
    Quadratic,
    TangentOverlaps,
    TwoLayer,
    family_overlaps,
    tangent_overlap,
    tangent_overlaps,
)
from boundcheck.geometry.two_layer_lanes import slope


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


COLUMNS = [each.name for each in fields(TangentOverlaps) if each.name not in ("rows", "parameters")]


def assert_same_bits(found: TangentOverlaps, expected: TangentOverlaps, lanes: Tensor) -> None:
    for name in COLUMNS:
        mine, theirs = getattr(found, name), getattr(expected, name)[lanes]
        assert torch.equal(mine.nan_to_num(-1.0), theirs.nan_to_num(-1.0)), name


# Against 60 digits.

PHI: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "tanh": (mpmath.tanh, lambda t: 1 - mpmath.tanh(t) ** 2),
    "softplus": (lambda t: mpmath.log1p(mpmath.exp(t)), lambda t: 1 / (1 + mpmath.exp(-t))),
    "sigmoid": (lambda t: 1 / (1 + mpmath.exp(-t)), lambda t: 1 / ((1 + mpmath.exp(-t)) * (1 + mpmath.exp(t)))),
}


def exactly(family: TwoLayer, theta: Tensor, head: Tensor, x_train: Tensor, x_eval: Tensor) -> tuple[Any, ...]:
    """γ_ov, σ_min, σ_max and ‖J_eval‖/√N of one net, all of it in 60 digits."""
    weight = mpmath.matrix(theta.reshape(family.width, family.inputs).tolist())
    heads, slope_of = head.tolist(), PHI[family.activation][1]

    def rows(batch: Tensor) -> Any:
        made = []
        for sample in batch.tolist():
            slopes = [slope_of(t) for t in weight * mpmath.matrix(sample)]
            made += [
                [a * s * x / mpmath.sqrt(family.width) for a, s in zip(row, slopes, strict=True) for x in sample]
                for row in heads
            ]
        return mpmath.matrix(made)

    with mpmath.workdps(60):
        train, evaluation = rows(x_train), rows(x_eval)
        basis, _ = mpmath.qr(train.T, mode="skinny")
        sigmas = mpmath.svd_r(train, compute_uv=False)
        gamma = min(mpmath.svd_r(evaluation * basis, compute_uv=False)) / mpmath.sqrt(len(x_eval))
        return gamma, min(sigmas), max(sigmas), mpmath.norm(evaluation) / mpmath.sqrt(len(x_eval))


GAPS = [10.0**-power for power in range(11)]


@pytest.fixture(scope="module", params=["tanh", "softplus", "sigmoid"])
def nearly_equal(request: pytest.FixtureRequest) -> tuple[TwoLayer, dict[str, Tensor], list[tuple[Any, ...]]]:
    """Nets whose second fine-tuning sample comes as near to the first as 1 … 1e-10, and their geometry in 60 digits."""
    family = TwoLayer(3, 4, 2, request.param)
    lanes = len(GAPS)
    x_train = random(lanes, 2, 3, seed=1)
    x_train[:, 1] = x_train[:, 0] + torch.tensor(GAPS, dtype=torch.float64)[:, None] * x_train[:, 1]
    data = {
        "theta": random(lanes, family.parameters),
        "head": random(lanes, 2, 4, seed=2),
        "x_train": x_train,
        "x_eval": random(lanes, 5, 3, seed=3),
    }
    return family, data, [exactly(family, *(value[lane] for value in data.values())) for lane in range(lanes)]


def of_family(family: Family, data: Mapping[str, Tensor], **options: Any) -> TangentOverlaps:
    frozen = {name: data[name] for name in family.frozen_shapes()}
    return family_overlaps(family, data["theta"], frozen, data["x_train"], data["x_eval"], **options)


@pytest.mark.parametrize("accuracy", [0.0, 1e-12, 1e-9, 1e-6])
def test_both_routes_and_the_switch_are_as_accurate_as_they_say(
    accuracy: float, nearly_equal: tuple[TwoLayer, dict[str, Tensor], list[tuple[Any, ...]]]
) -> None:
    family, data, expected = nearly_equal
    found = of_family(family, data, accuracy=accuracy)
    assert found.by_gram.any() == (accuracy >= 1e-9)
    assert not found.by_gram.all()
    for lane, (gamma, smallest, largest, scale) in enumerate(expected):
        if not found.full_rank[lane]:
            assert largest / smallest > 1e9
            continue
        condition = float(largest / smallest)
        own = accuracy if found.by_gram[lane] else 0.0
        error = abs(float(found.gamma_ov[lane]) - float(gamma))
        assert error <= 10 * float(found.gamma_error[lane])
        # No route does better than u·κ·Λ: rounding the net's own slopes moves the tangent space by that much.
        assert error <= own * float(gamma) + 50 * 2.0**-53 * condition * float(scale)
        assert float(found.gamma_error[lane]) <= own * float(gamma) + 10 * 2.0**-53 * condition * float(scale)
        assert abs(float(found.sigma_min[lane]) / float(smallest) - 1) <= own + 50 * 2.0**-53 * condition
        assert abs(float(found.sigma_max[lane]) / float(largest) - 1) <= 1e-14


def test_the_better_conditioned_go_by_cholesky(
    nearly_equal: tuple[TwoLayer, dict[str, Tensor], list[tuple[Any, ...]]],
) -> None:
    family, data, expected = nearly_equal
    condition = torch.tensor([float(largest / smallest) for _, smallest, largest, _ in expected])
    by_gram = of_family(family, data).by_gram
    assert condition[by_gram].max() < condition[~by_gram].min()
    assert condition[~by_gram].min() < 1e5


@pytest.mark.parametrize("name", PHI)
@given(t=st.floats(-800.0, 800.0))
@settings(deadline=None, max_examples=200)
def test_slopes_keep_their_digits_where_a_unit_is_saturated(name: str, t: float) -> None:
    found = float(slope(name, torch.tensor([t], dtype=torch.float64)))
    with mpmath.workdps(800):
        expected = PHI[name][1](mpmath.mpf(t))
    assert found == pytest.approx(float(expected), rel=1e-13, abs=1e-300)


# No lane feels how the lanes are split.


def split(total: int) -> Iterator[tuple[Tensor, dict[str, int]]]:
    """Lanes of a call, and its options."""
    everything = torch.arange(total)
    for chunk in (1, 7, 32, 33, 64, 1000):
        yield everything, {"chunk": chunk}
    yield torch.randperm(total, generator=torch.Generator().manual_seed(0)), {}
    for lane in (0, 1, total - 1):
        yield everything[lane : lane + 1], {}
    yield everything[3:8], {}
    yield everything[::2], {}


def assert_split_alike(call: Callable[..., TangentOverlaps], data: Mapping[str, Tensor]) -> TangentOverlaps:
    """A call for all lanes gives each the bits that any call for some of them gives; on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        total = len(data["x_train"])
        expected = call(data)
        for lanes, options in split(total):
            assert_same_bits(call({name: value[lanes] for name, value in data.items()}, **options), expected, lanes)
        return expected
    finally:
        torch.set_num_threads(threads)


def awkward(x_train: Tensor, x_eval: Tensor) -> None:
    """Every third lane ill-conditioned, and a few that cannot be measured."""
    x_train[::3, 1] = x_train[::3, 0] + 1e-5 * x_train[::3, 1]
    x_train[4], x_train[5, 1], x_train[7], x_eval[13] = 0.0, x_train[5, 0], math.nan, math.inf
    x_eval[10] = torch.finfo(x_eval.dtype).max ** 0.6


FAMILIES: list[tuple[Family, int, int]] = [
    (TwoLayer(6, 8, 2), 4, 64),
    (TwoLayer(6, 8, 1, "softplus"), 2, 13),
    (TwoLayer(5, 7, 3, "sigmoid"), 3, 13),
    (TwoLayer(6, 33, 1), 9, 77),
    (Linear(7), 3, 9),
    (Quadratic(9, 2), 3, 11),
]


@pytest.mark.parametrize(("family", "train", "samples"), FAMILIES, ids=repr)
def test_a_member_has_the_same_bits_however_lanes_are_split(family: Family, train: int, samples: int) -> None:
    lanes = 75
    x_train, x_eval = random(lanes, train, family.features, seed=1), random(lanes, samples, family.features, seed=2)
    awkward(x_train, x_eval)
    frozen = {name: random(lanes, *shape, seed=3) for name, shape in family.frozen_shapes().items()}
    data = {**frozen, "theta": random(lanes, family.parameters), "x_train": x_train, "x_eval": x_eval}
    found = assert_split_alike(lambda some, **options: of_family(family, some, **options), data)
    assert found.by_gram.any()
    assert found.gamma_ov.isnan().nonzero().flatten().tolist() == [4, 5, 7, 10, 13]


@pytest.mark.parametrize("accuracy", [1e-9, 0.0])
def test_single_precision_is_that_of_what_is_given(accuracy: float) -> None:
    """Everything from there on is in float64, to the bit, also where fewer than 16 bytes lie between float32 matrices."""
    family, lanes = TwoLayer(6, 8, 2), 35
    x_train, x_eval = random(lanes, 4, 6, seed=1).float(), random(lanes, 13, 6, seed=2).float()
    data = {"theta": random(lanes, family.parameters).float(), "head": random(lanes, 2, 8, seed=3).float()}
    data = {**data, "x_train": x_train, "x_eval": x_eval}
    found = assert_split_alike(lambda some, **options: of_family(family, some, accuracy=accuracy, **options), data)
    expected = of_family(family, {name: value.double() for name, value in data.items()}, accuracy=accuracy)
    for name in ("gamma_ov", "sigma_min", "sigma_max"):
        assert torch.equal(getattr(found, name), getattr(expected, name))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(6, 6) for _ in range(3))
        self.down = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.softmax(self.query(x) @ self.key(x).mT, dim=-1)
        return self.down(torch.tanh(x + weights @ self.value(x))).mean(1)


class Summed(nn.Module):
    """Heads of a layer as sums over indices, the tokens neither first nor last in between."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.Parameter(torch.randn(6, 2, 3))
        self.out = nn.Parameter(torch.randn(4, 3, 2))

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.einsum("nti,iho->nhto", x, self.heads).tanh()
        return torch.einsum("koh,nhto->ntk", self.out, hidden).tanh().mean(1)[:, :2]


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "even": (lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)), (6,)),
    "odd": (lambda: nn.Sequential(nn.Linear(5, 7), nn.GELU(), nn.Linear(7, 3)), (5,)),
    "softplus": (lambda: nn.Sequential(nn.Linear(6, 8), nn.Softplus(), nn.Linear(8, 1)), (6,)),
    "attention": (Attention, (5, 6)),
    "sums": (Summed, (5, 6)),
    "layer norm": (lambda: nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.SiLU(), nn.Linear(8, 2)), (6,)),
}


def nets(name: str, lanes: int, dtype: torch.dtype = torch.float64) -> tuple[list[nn.Module], dict[str, Tensor]]:
    make, shape = MODULES[name]
    torch.manual_seed(0)
    made = [make().to(dtype) for _ in range(lanes)]
    batches = {
        "x_train": random(lanes, 3, *shape, seed=1).to(dtype),
        "x_eval": random(lanes, 13, *shape, seed=2).to(dtype),
    }
    return made, {**torch.func.stack_module_state(made)[0], **batches}


def of_modules(module: nn.Module, data: Mapping[str, Tensor], **options: Any) -> TangentOverlaps:
    params = {name: value for name, value in data.items() if name not in ("x_train", "x_eval")}
    return tangent_overlaps(module, params, data["x_train"], data["x_eval"], **options)


@pytest.mark.parametrize(("name", "dtype"), list(itertools.product(MODULES, (torch.float64, torch.float32))))
def test_a_module_has_the_same_bits_however_lanes_are_split(name: str, dtype: torch.dtype) -> None:
    made, data = nets(name, 40, dtype)
    awkward(data["x_train"], data["x_eval"])
    found = assert_split_alike(lambda some, **options: of_modules(made[0], some, **options), data)
    assert found.by_gram.any()
    assert found.gamma_ov[[7, 13]].isnan().all()


@pytest.mark.parametrize("name", MODULES)
def test_both_routes_of_a_module_are_those_of_one_net(name: str) -> None:
    made, data = nets(name, 5)
    by_gram, by_qr = of_modules(made[0], data), of_modules(made[0], data, accuracy=0.0)
    assert by_gram.by_gram.all()
    assert not by_qr.by_gram.any()
    for lane, net in enumerate(made):
        for found, accuracy in ((by_gram, 1e-9), (by_qr, 0.0)):
            alone = tangent_overlap(net, data["x_train"][lane], data["x_eval"][lane], accuracy=accuracy)
            ours = [float(column[lane]) for column in (found.gamma_ov, found.sigma_min, found.sigma_max)]
            assert ours == pytest.approx([alone.gamma_ov, alone.sigma_min, alone.sigma_max], rel=1e-9)
            assert float(found.gamma_error[lane]) >= 0.99 * alone.gamma_error


# Where factors leave the range of float64 and the rows do not.


@pytest.mark.parametrize("power", [250, 300, -250])
def test_large_inputs_of_small_signals(power: int) -> None:
    """Rows x·a·φ' of ordinary size from factors that have no product, beside a lane that has."""
    family = TwoLayer(4, 5, 1)
    x_train, x_eval, head = random(2, 2, 4, seed=1), random(2, 9, 4, seed=2), random(2, 1, 5, seed=3)
    theta = random(2, family.parameters)
    data = {"theta": theta, "head": head, "x_train": x_train, "x_eval": x_eval}
    plain = of_family(family, data)
    scale = torch.tensor([2.0**power, 1.0], dtype=torch.float64)[:, None, None]
    moved = {"theta": theta / scale[..., 0], "head": head / scale, "x_train": x_train * scale, "x_eval": x_eval * scale}
    found = of_family(family, moved)
    if power < 0:  # far above, lanes leave the route by Cholesky, and bits with it
        assert_same_bits(found, plain, torch.tensor([0, 1]))
    torch.testing.assert_close(found.gamma_ov, plain.gamma_ov, rtol=1e-12, atol=0.0)
    torch.testing.assert_close(found.sigma_min, plain.sigma_min, rtol=1e-12, atol=0.0)
    assert bool(found.by_gram[1])


def test_an_accuracy_is_a_share() -> None:
    with pytest.raises(BoundcheckError, match="accuracy=-1"):
        family_overlaps(Linear(4), random(1, 4), {}, random(1, 2, 4), random(1, 9, 4), accuracy=-1)
    with pytest.raises(BoundcheckError, match="accuracy=nan"):
        family_overlaps(Linear(4), random(1, 4), {}, random(1, 2, 4), random(1, 9, 4), accuracy=math.nan)
