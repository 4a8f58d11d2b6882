"""Tangent-space overlap: against the loop, against 60 digits where J_S is ill-conditioned, and where it has no answer."""

import copy
import itertools
import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import (
    Family,
    Linear,
    Quadratic,
    TangentOverlap,
    TwoLayer,
    family_overlaps,
    layers,
    overlap,
    project,
    row_space,
    singular_values,
    tangent_kernel,
    tangent_overlap,
    tangent_overlaps,
)
from tests.geometry.oracle import geometry, jacobian_rows

EPSILON = 2.0**-52


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


# The functions of stacked Jacobians.


@pytest.mark.parametrize("lanes", [(), (3,), (2, 3)])
def test_stacked_functions_are_numpy_lane_by_lane(lanes: tuple[int, ...]) -> None:
    train, evaluation, vector = random(*lanes, 3, 7), random(*lanes, 10, 7, seed=1), random(*lanes, 7, seed=2)
    basis = row_space(train)
    gamma, sigmas, projected = overlap(evaluation, basis), singular_values(train), project(basis, vector)
    kernel = tangent_kernel(evaluation)
    for index in itertools.product(*(range(size) for size in lanes)):
        rows = train[index].numpy()
        expected, smallest, largest = geometry(train[index], evaluation[index], 1)
        assert float(gamma[index]) == pytest.approx(expected, rel=1e-12)
        assert sigmas[index][[-1, 0]].tolist() == pytest.approx([smallest, largest], rel=1e-12)
        onto = np.linalg.pinv(rows) @ rows
        np.testing.assert_allclose(projected[index].numpy(), onto @ vector[index].numpy(), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(basis[index].numpy() @ basis[index].numpy().T, onto, atol=1e-12)
        np.testing.assert_allclose(kernel[index].numpy(), evaluation[index].numpy().T @ evaluation[index].numpy())


def test_the_overlap_is_the_least_rayleigh_quotient_on_the_tangent_space() -> None:
    """Definition 4, (3): by the eigenvalues of BᵀKB, and no vector of the space has a smaller quotient."""
    train, evaluation = random(3, 6), random(9, 6, seed=1)
    basis = row_space(train)
    gamma = float(overlap(evaluation, basis))
    kernel = tangent_kernel(evaluation)
    assert gamma**2 == pytest.approx(float(torch.linalg.eigvalsh(basis.mT @ kernel @ basis)[0]), rel=1e-10)
    vectors = random(1000, 3, seed=2) @ train
    quotients = (vectors @ kernel * vectors).sum(-1) / vectors.square().sum(-1)
    assert quotients.min() >= gamma**2 * (1 - 1e-12)


def test_fewer_evaluation_rows_than_dimensions_have_no_overlap() -> None:
    assert overlap(random(2, 2, 6), row_space(random(2, 3, 6, seed=1))).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_lane_that_is_not_finite_is_nan_and_leaves_the_others_alone(bad: float) -> None:
    matrix = random(2, 3, 6)
    expected = singular_values(matrix)[1]
    matrix[0, 1, 2] = bad
    assert singular_values(matrix)[0].isnan().all()
    assert torch.equal(singular_values(matrix)[1], expected)
    assert overlap(matrix, row_space(random(2, 2, 6))).isnan().tolist() == [True, False]


# tangent_overlap against the loop.


class Attention(nn.Module):
    """Self-attention with a residual, then an MLP on each token."""

    def __init__(self, width: int = 6, outputs: int = 2) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.up, self.down = nn.Linear(width, 5), nn.Linear(5, outputs)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.softmax(self.query(x) @ self.key(x).mT / math.sqrt(x.shape[-1]), dim=-1)
        return self.down(torch.tanh(self.up(x + weights @ self.value(x)))).mean(1)


class InPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(6, 9), nn.Linear(9, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.up(input=x)
        hidden.relu_()
        return self.down(hidden)


class Twice(nn.Module):
    """A layer applied twice, as in a recurrent net."""

    def __init__(self) -> None:
        super().__init__()
        self.step, self.down = nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(torch.tanh(self.step(torch.tanh(self.step(x)))))


class Tied(Twice):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.again = nn.Linear(6, 6)
        self.again.weight = self.step.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.down(torch.tanh(self.again(torch.tanh(self.step(x)))))


class Normalised(Twice):
    """A weight that acts outside its layer too."""

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = super().forward(x)
        return outputs * self.step.weight.norm()


class Mixing(Twice):
    """A batch whose samples influence each other: f is then what the module returns for a batch of one."""

    def forward(self, x: Tensor) -> Tensor:
        return self.down(torch.tanh(self.step(x)).cumsum(0))


class TokensFirst(Twice):
    def forward(self, x: Tensor) -> Tensor:
        return self.down(torch.tanh(self.step(x.transpose(0, 1))).mean(0))


class Unbatched(Twice):
    """A layer that sees no sample at all."""

    def forward(self, x: Tensor) -> Tensor:
        return self.down(x * self.step(torch.ones(6, dtype=x.dtype)).tanh())


class Idle(Twice):
    """A layer that is never called."""

    def forward(self, x: Tensor) -> Tensor:
        return self.down(x)


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.down = nn.TransformerEncoderLayer(6, 2, 8, batch_first=True).eval(), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.layer(x).mean(1))


def frozen_weight() -> nn.Module:
    module = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))
    module[0].weight.requires_grad_(False)
    return module


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "one output": (lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0)), (6,)),
    "no bias": (lambda: nn.Sequential(nn.Linear(6, 8, bias=False), nn.GELU(), nn.Linear(8, 3)), (6,)),
    "a layer alone": (lambda: nn.Linear(6, 2), (6,)),
    "frozen weight": (frozen_weight, (6,)),
    "attention": (Attention, (4, 6)),
    "long sequences": (lambda: Attention(2), (30, 2)),
    "in place": (InPlace, (6,)),
    "twice": (Twice, (6,)),
    "never called": (Idle, (6,)),
}
GENERIC: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "layer norm": (lambda: nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 2)), (6,)),
    "batch norm": (lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2)).eval(), (6,)),
    "convolution": (lambda: nn.Sequential(nn.Conv1d(2, 3, 3), nn.GELU(), nn.Flatten(), nn.Linear(12, 2)), (2, 6)),
    "encoder": (Encoder, (4, 6)),
    "tied": (Tied, (6,)),
    "weight used outside": (Normalised, (6,)),
    "mixing": (Mixing, (6,)),
    "tokens first": (TokensFirst, (4, 6)),
    "unbatched": (Unbatched, (6,)),
}


def built(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return make().double()


def by_loop(module: nn.Module, x_train: Tensor, x_eval: Tensor) -> tuple[float, float, float]:
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    rows = [jacobian_rows(module, trained, x) for x in (x_train, x_eval)]
    return geometry(rows[0], rows[1], x_eval.shape[0])


def assert_equal(found: TangentOverlap, expected: tuple[float, float, float]) -> None:
    """To 1e-11 of σ_max: the conditions here are below 10³, and no J_eval is longer than a hundred rows."""
    assert found.full_rank
    values = (found.gamma_ov, found.sigma_min, found.sigma_max)
    assert values == pytest.approx(expected, abs=1e-11 * found.sigma_max, rel=1e-11)


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # torch: attention has no batching rule on the CPU
@pytest.mark.parametrize("chunk", [None, 5])
@pytest.mark.parametrize("name", [*MODULES, *GENERIC])
def test_any_module_has_the_overlap_of_the_loop(name: str, chunk: int | None) -> None:
    make, shape = (MODULES | GENERIC)[name]
    module, x_train, x_eval = built(make), random(3, *shape, seed=1), random(23, *shape, seed=2)
    before = copy.deepcopy(module.state_dict())
    found = tangent_overlap(module, x_train, x_eval, chunk=chunk)
    assert_equal(found, by_loop(module, x_train, x_eval))
    assert found.gamma_error < 1e-11
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert not any(parameter.grad is not None for parameter in module.parameters())
    assert not any(part._forward_hooks for part in module.modules())


@pytest.mark.parametrize("name", MODULES)
def test_affine_maps_never_take_the_generic_route(name: str) -> None:
    make, shape = MODULES[name]
    assert tangent_overlap(built(make), random(3, *shape, seed=1), random(23, *shape, seed=2)).plan.formed is None


@given(seed=st.integers(0, 10**6), hidden=st.integers(1, 6), outputs=st.integers(1, 3), train=st.integers(1, 4))
@settings(deadline=None, max_examples=100)
def test_random_nets_have_the_overlap_of_the_loop(seed: int, hidden: int, outputs: int, train: int) -> None:
    module = built(lambda: nn.Sequential(nn.Linear(9, hidden), nn.Tanh(), nn.Linear(hidden, outputs)))
    x_train, x_eval = random(train, 9, seed=seed), random(11, 9, seed=seed + 1)
    found = tangent_overlap(module, x_train, x_eval)
    gamma, smallest, largest = by_loop(module, x_train, x_eval)
    if found.full_rank:
        # the loop has the same conditioning: both may be off by u·κ·Λ, with a factor for the lengths of the sums
        assert found.gamma_ov == pytest.approx(gamma, rel=1e-12, abs=1000 * found.gamma_error)
    assert found.sigma_max == pytest.approx(largest, rel=1e-12)
    assert found.sigma_min == pytest.approx(smallest if found.rows <= found.parameters else 0.0, abs=1e-12 * largest)


def test_a_function_and_other_parameters() -> None:
    def f(params: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.tanh(x @ params["0.weight"].mT + params["0.bias"]) @ params["2.weight"].mT + params["2.bias"]

    module = built(lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)))
    params = {name: random(*value.shape, seed=9) for name, value in module.named_parameters()}
    x_train, x_eval = random(3, 6), random(20, 6, seed=1)
    ours = tangent_overlap(f, x_train, x_eval, params=params, chunk=6)
    captured = tangent_overlap(module, x_train, x_eval, params=params)
    assert_equal(captured, (ours.gamma_ov, ours.sigma_min, ours.sigma_max))


def test_two_ways_to_one_cross_gram() -> None:
    def drawn(samples: int, tokens: int, seed: int) -> layers.Captured:
        return layers.Captured(
            random(samples, tokens, 4, seed=seed), random(samples, 2, tokens, 3, seed=seed), True, True
        )

    left, right = drawn(5, 6, 0), drawn(3, 2, 1)
    by_rows = layers._by_rows([left], [right])
    torch.testing.assert_close(layers._by_tokens([left], [right]), by_rows)
    torch.testing.assert_close(layers.cross_gram([left], [right]), by_rows)


class Largest(TorchDispatchMode):
    """The most numbers that any one tensor had."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if isinstance(found, Tensor):
            self.numbers = max(self.numbers, found.numel())
        return found


@pytest.mark.parametrize("generic", [False, True], ids=["captured", "generic"])
def test_the_evaluation_jacobian_is_never_formed(generic: bool) -> None:
    module = built(lambda: nn.Sequential(nn.Linear(60, 40), nn.Tanh(), nn.Linear(40, 1)))
    x_train, x_eval, n = random(4, 60), random(500, 60, seed=1), 60 * 40 + 81
    with Largest() as watch:
        if generic:
            params = dict(module.named_parameters())
            tangent_overlap(
                lambda p, x: torch.func.functional_call(module, p, (x,)), x_train, x_eval, params=params, chunk=10
            )
        else:
            tangent_overlap(module, x_train, x_eval)
    assert watch.numbers <= max(10 * n, x_eval.numel())


# Many nets at once.


def stacked(make: Callable[[], nn.Module], lanes: int) -> tuple[nn.Module, list[nn.Module], dict[str, Tensor]]:
    torch.manual_seed(0)
    nets = [make().double() for _ in range(lanes)]
    return nets[0], nets, torch.func.stack_module_state(nets)[0]


LANES = ["one output", "no bias", "attention", "twice", "layer norm", "convolution", "mixing", "tokens first"]


@pytest.mark.parametrize("chunk", [1, 2, 100])
@pytest.mark.parametrize("name", LANES)
def test_lanes_are_independent_nets(name: str, chunk: int) -> None:
    make, shape = (MODULES | GENERIC)[name]
    module, nets, params = stacked(make, 5)
    x_train, x_eval = random(5, 3, *shape, seed=1), random(5, 13, *shape, seed=2)
    found = tangent_overlaps(module, params, x_train, x_eval, chunk=chunk)
    for lane, net in enumerate(nets):
        alone = tangent_overlap(net, x_train[lane], x_eval[lane])
        ours = (found.gamma_ov[lane], found.sigma_min[lane], found.sigma_max[lane], found.gamma_error[lane])
        expected = (alone.gamma_ov, alone.sigma_min, alone.sigma_max, alone.gamma_error)
        assert [float(value) for value in ours] == pytest.approx(list(expected), rel=1e-10, abs=1e-11 * alone.sigma_max)
        assert (int(found.rank[lane]), found.rows, found.parameters) == (alone.rank, alone.rows, alone.parameters)


@pytest.mark.parametrize(
    "family", [TwoLayer(4, 5, 2), TwoLayer(4, 5, 1, "softplus"), Linear(4, 2), Quadratic(9, 2)], ids=repr
)
def test_members_of_a_family(family: Family) -> None:
    theta, x_train, x_eval = (
        random(6, family.parameters),
        random(6, 3, family.features),
        random(6, 8, family.features, seed=1),
    )
    frozen = {name: random(6, *shape, seed=2) for name, shape in family.frozen_shapes().items()}
    found = family_overlaps(family, theta, frozen, x_train, x_eval, chunk=4)
    train, evaluation = (family.jacobian(theta, frozen, x).flatten(-3, -2) for x in (x_train, x_eval))
    for lane in range(6):
        gamma, smallest, largest = geometry(train[lane], evaluation[lane], 8)
        ours = [float(value[lane]) for value in (found.gamma_ov, found.sigma_min, found.sigma_max)]
        assert ours == pytest.approx([gamma, smallest, largest], rel=1e-10)
    assert found.full_rank.all()


@pytest.mark.parametrize("family", [TwoLayer(4, 5, 1), Linear(4, 1)], ids=repr)
@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e-170, 1e170])
def test_a_lane_that_cannot_be_measured_is_nan_and_leaves_the_others_alone(family: Family, bad: float) -> None:
    theta, x_train, x_eval = random(3, family.parameters), random(3, 2, 4), random(3, 8, 4, seed=1)
    frozen = {name: random(3, *shape, seed=2) for name, shape in family.frozen_shapes().items()}
    expected = family_overlaps(family, theta, frozen, x_train, x_eval)
    x_eval[1] *= bad
    x_train[2, 1] = x_train[2, 0]
    found = family_overlaps(family, theta, frozen, x_train, x_eval)
    assert found.gamma_ov.isnan().tolist() == [False, True, True]
    assert found.sigma_min.isnan().tolist() == [False, True, False]
    assert found.rank.tolist() == [2, 0, 1]
    assert float(found.gamma_ov[0]) == pytest.approx(float(expected.gamma_ov[0]), rel=1e-12)


def test_a_bad_lane_of_a_module_is_nan_and_leaves_the_others_alone() -> None:
    module, _, params = stacked(lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1)), 3)
    x_train, x_eval = random(3, 2, 4), random(3, 8, 4, seed=1)
    x_train[0, 0, 0] = math.nan
    found = tangent_overlaps(module, params, x_train, x_eval)
    assert found.gamma_ov.isnan().tolist() == [True, False, False]
    assert found.full_rank.tolist() == [False, True, True]


def test_lanes_of_awkward_shape() -> None:
    theta, x_train, x_eval = random(2, 4), random(2, 6, 4), random(2, 8, 4)
    more_rows_than_parameters = family_overlaps(Linear(4), theta, {}, x_train, x_eval)
    assert more_rows_than_parameters.gamma_ov.isnan().all()
    assert more_rows_than_parameters.sigma_min.tolist() == [0.0, 0.0]
    assert more_rows_than_parameters.rank.tolist() == [4, 4]
    assert family_overlaps(Linear(4), theta, {}, x_train[:, :3], x_eval[:, :2]).gamma_ov.tolist() == [0.0, 0.0]
    with pytest.raises(BoundcheckError, match="the same number of lanes"):
        family_overlaps(Linear(4), theta[:1], {}, x_train, x_eval)
    with pytest.raises(BoundcheckError, match="at least one entry"):
        family_overlaps(Linear(4), theta, {}, x_train[:, :0], x_eval)
    with pytest.raises(BoundcheckError, match="chunk=0"):
        family_overlaps(Linear(4), theta, {}, x_train, x_eval, chunk=0)


# Ill-conditioned J_S, against 60 digits.


def exactly(train: Tensor, evaluation: Tensor) -> tuple[float, float, float, float]:
    """γ_ov, σ_min, σ_max and Λ = √λ_max(K_eval) of stored Jacobians."""
    with mpmath.workdps(60):
        rows, others = mpmath.matrix(train.tolist()), mpmath.matrix(evaluation.tolist())
        return mp_geometry(rows, others)


def mp_geometry(rows: Any, others: Any) -> tuple[float, float, float, float]:
    basis, _ = mpmath.qr(rows.T, mode="skinny")
    sigmas = mpmath.svd_r(rows, compute_uv=False)
    restricted = mpmath.svd_r(others * basis, compute_uv=False)
    samples = mpmath.sqrt(others.rows)
    largest = max(mpmath.svd_r(others, compute_uv=False)) / samples
    return float(min(restricted) / samples), float(min(sigmas)), float(max(sigmas)), float(largest)


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6, 1e8])
def test_the_error_grows_with_the_condition_and_not_with_its_square(condition: float) -> None:
    """A linear model, whose Jacobian is its data: |γ - exact| <= 100·ε·κ·Λ, and the reported error is no understatement."""
    u, _, v = torch.linalg.svd(random(3, 8), full_matrices=False)
    x_train = u * torch.tensor([1.0, condition**-0.5, 1 / condition], dtype=torch.float64) @ v
    x_eval = random(15, 8, seed=1)
    found = tangent_overlap(nn.Linear(8, 1, bias=False).double(), x_train, x_eval, accuracy=0)
    gamma, smallest, largest, scale = exactly(x_train, x_eval)
    assert found.full_rank
    assert abs(found.gamma_ov - gamma) <= 100 * EPSILON * condition * scale
    assert abs(found.gamma_ov - gamma) <= 10 * found.gamma_error <= 100 * EPSILON * condition * scale
    assert found.sigma_min == pytest.approx(smallest, rel=100 * EPSILON * condition)
    assert found.sigma_max == pytest.approx(largest, rel=100 * EPSILON)


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6])
def test_nearly_duplicated_samples_of_a_net(gap: float) -> None:
    """Two tanh layers, the whole Jacobian in 60 digits: the rounding of the network's own passes is amplified by κ too."""
    module = built(lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)))
    x = random(1, 3)
    x_train, x_eval = torch.cat([x, x + gap * random(1, 3, seed=1)]), random(9, 3, seed=2)

    def row(sample: Tensor) -> list[Any]:
        weight, bias = (mpmath.matrix(module[0].get_parameter(name).tolist()) for name in ("weight", "bias"))  # type: ignore[index]
        head = module[2].get_parameter("weight").flatten().tolist()  # type: ignore[index]
        active = [mpmath.tanh(z) for z in weight * mpmath.matrix(sample.tolist()) + bias]
        signal = [a * (1 - t * t) for a, t in zip(head, active, strict=True)]
        return [s * entry for s in signal for entry in sample.tolist()] + signal + active + [mpmath.mpf(1)]

    with mpmath.workdps(60):
        matrices = [mpmath.matrix([row(sample) for sample in batch]) for batch in (x_train, x_eval)]
        gamma, smallest, largest, scale = mp_geometry(*matrices)
    found = tangent_overlap(module, x_train, x_eval)
    condition = largest / smallest
    assert found.full_rank
    assert condition > 0.1 / gap
    assert abs(found.gamma_ov - gamma) <= 100 * EPSILON * condition * scale
    assert abs(found.gamma_ov - gamma) <= 10 * found.gamma_error
    assert found.sigma_min == pytest.approx(smallest, rel=100 * EPSILON * condition)


def test_the_length_of_a_row_costs_no_accuracy() -> None:
    """A sample whose Jacobian is 10⁶ times smaller spans the same space; only σ_min tells the difference."""
    module, x_train, x_eval = nn.Linear(8, 1, bias=False).double(), random(3, 8), random(15, 8, seed=1)
    lengths = torch.tensor([[1.0], [2.0**-20], [1.0]], dtype=torch.float64)
    plain, scaled = tangent_overlap(module, x_train, x_eval), tangent_overlap(module, lengths * x_train, x_eval)
    assert scaled.gamma_ov == pytest.approx(plain.gamma_ov, rel=1e-14)
    assert scaled.gamma_error == pytest.approx(plain.gamma_error, rel=1e-10)
    assert scaled.sigma_min < 1e-5 * plain.sigma_min


# Where there is no answer, or no simple one.


def net() -> nn.Module:
    return built(lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1)))


X, Y = random(3, 4), random(12, 4, seed=1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_duplicated_samples_have_no_overlap_to_report(dtype: torch.dtype) -> None:
    found = tangent_overlap(net().to(dtype), X[[0, 1, 0]].to(dtype), Y.to(dtype))
    assert (found.rank, found.rows, found.full_rank) == (2, 3, False)
    assert math.isnan(found.gamma_ov)
    assert math.isnan(found.gamma_error)
    assert found.sigma_min < 1e-6 < found.sigma_max


def test_more_rows_than_parameters() -> None:
    found = tangent_overlap(nn.Linear(4, 1).double(), random(7, 4), Y)
    assert (found.rank, found.rows, found.parameters) == (5, 7, 5)
    assert math.isnan(found.gamma_ov)
    assert found.sigma_min == 0.0


def test_fewer_evaluation_rows_than_fine_tuning_rows() -> None:
    found = tangent_overlap(net(), X, Y[:2])
    assert found.full_rank
    assert (found.gamma_ov, found.gamma_error) == (0.0, 0.0)


def test_a_jacobian_that_cancels_has_rank_0() -> None:
    """Softmax does not see a shift of the scores: the key's bias has the exact gradient 0, and its rounding is no geometry."""
    module = built(Attention)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name == "key.bias")
    found = tangent_overlap(module, random(1, 4, 6), random(5, 4, 6, seed=1))
    assert found.rank == 0
    assert math.isnan(found.gamma_ov)


class Constant(Twice):
    """Outputs that no parameter reaches."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.0


def test_a_jacobian_of_zeros() -> None:
    found = tangent_overlap(built(Constant), random(1, 6), random(9, 6))
    assert (found.rank, found.sigma_max) == (0, 0.0)
    assert math.isnan(found.gamma_ov)
    assert tangent_overlap(nn.Linear(4, 1, bias=False).double(), X, 0.0 * Y).gamma_ov == 0.0


def test_a_float32_net_is_as_accurate_as_its_passes() -> None:
    single, double = tangent_overlap(net().float(), X.float(), Y.float()), tangent_overlap(net(), X, Y)
    assert single.full_rank
    assert single.gamma_ov == pytest.approx(double.gamma_ov, abs=10 * single.gamma_error)
    assert 1e-8 < single.gamma_error < 1e-4


@pytest.mark.parametrize("scale", [1e-50, 1e50])
def test_a_scaled_jacobian_has_a_scaled_overlap(scale: float) -> None:
    module = net()
    expected = tangent_overlap(module, X, Y)

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, x: Tensor) -> Tensor:
            return scale * self.inner(x)

    found = tangent_overlap(Scaled(), X, Y)
    assert found.gamma_ov == pytest.approx(scale * expected.gamma_ov, rel=1e-12)
    assert found.sigma_min == pytest.approx(scale * expected.sigma_min, rel=1e-12)


@pytest.mark.parametrize("inputs", [1e-320, 1e-170, 1e-100, 1e80, 1e170])
def test_products_that_would_leave_float64_are_refused_and_never_0(inputs: float) -> None:
    module = nn.Linear(4, 1, bias=False).double()
    with pytest.raises(BoundcheckError, match=r"Jacobian of size .*; expected a size between|not finite"):
        tangent_overlap(module, X, inputs * Y)
    with pytest.raises(BoundcheckError, match=r"Jacobian of size .*; expected a size between|not finite"):
        tangent_overlap(module, inputs * X, Y)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tangent_overlap(net(), X * math.nan, Y), "x_train is not finite at sample 0"),
        (lambda: tangent_overlap(net(), X, Y * math.inf), "x_eval is not finite"),
        (lambda: tangent_overlap(net(), X[:0], Y), "x_train of shape"),
        (lambda: tangent_overlap(net(), X, Y[:0]), "x_eval of shape"),
        (lambda: tangent_overlap(net(), X, Y, chunk=-1), "chunk=-1"),
        (lambda: tangent_overlap(net(), X, Y, params={}), "no parameter"),
        (lambda: tangent_overlap(lambda p, x: x, X, Y), "without params"),
        (lambda: tangent_overlap(nn.Linear(4, 2).double(), X[:, None], Y[:, None]), "outputs of shape"),
        (lambda: tangent_overlap(nn.Sequential(net(), nn.Dropout(0.5)), X, Y), "training mode"),
        (lambda: tangent_overlap(net(), X, Y, params={"0.bias": X[0] * math.nan}), "'0.bias' is not finite"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(call: Callable[[], TangentOverlap], message: str) -> None:
    with pytest.raises(BoundcheckError, match=message):
        call()
