"""The Fisher information of policies and the instability condition, against loops over classes, closed forms and mpmath."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import (
    Bernoulli,
    Fisher,
    Gaussian,
    Policy,
    Softmax,
    curvature_coupling,
    fisher_information,
    instability_condition,
    output_acceleration,
)
from boundcheck.geometry.fisher import flattened
from tests.geometry.oracle import jacobian_rows

POLICIES = [Softmax(), Bernoulli(), Gaussian(0.7)]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def mlp(outputs: int = 3, width: int = 5, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, outputs)).double()


def bent(theta: Tensor, x: Tensor) -> Tensor:
    return torch.tanh(x @ theta.reshape(4, 3))


def log_likelihoods(policy: Policy, z: Tensor) -> list[tuple[float, Tensor]]:
    """Every response, its probability and its log-probability as a function of outputs z `[k]`, written out."""
    if isinstance(policy, Softmax):
        logs = z - torch.log(torch.exp(z).sum())
        return [(float(torch.exp(log.detach())), log) for log in logs]
    assert isinstance(policy, Bernoulli)
    found = []
    for answer in range(2 ** len(z)):
        bits = torch.tensor([(answer >> j) & 1 for j in range(len(z))])
        log = -torch.log(1 + torch.exp(torch.where(bits == 1, -z, z))).sum()
        found.append((float(torch.exp(log.detach())), log))
    return found


def naive_fisher(policy: Policy, f: Callable[[Tensor], Tensor], params: list[Tensor], x: Tensor, w: Tensor) -> Tensor:
    """E_x E_y of score·scoreᵀ, one automatic derivative a response; a Gaussian by its definition with J."""
    n = sum(p.numel() for p in params)
    total = torch.zeros(n, n, dtype=torch.float64)
    for i, weight in enumerate((w.double() / w.double().sum()).tolist()):
        if isinstance(policy, Gaussian):
            rows = jacobian_rows(f, params, x[i : i + 1])
            total += weight * rows.T @ rows / policy.variance
            continue
        for p, log in log_likelihoods(policy, f(x[i : i + 1])[0]):
            score = torch.cat([g.flatten() for g in torch.autograd.grad(log, params, retain_graph=True)])
            total += weight * p * score[:, None] * score
    return total


# ---------------------------------------------------------------------------------------------------------- information


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("chunk", [None, 1, 2])
def test_it_is_the_mean_of_scores_squared(policy: Policy, chunk: int | None) -> None:
    module, x, weights = mlp(), random(5, 4), torch.tensor([1.0, 2.0, 0.0, 0.5, 3.0])
    expected = naive_fisher(policy, module, list(module.parameters()), x, weights)
    found = fisher_information(module, x, policy, weights=weights, chunk=chunk)
    torch.testing.assert_close(found.matrix(), expected)
    rows = found.scores()
    assert rows.shape == (15, found.parameters) == (found.rows, 43)
    torch.testing.assert_close(rows.mT @ rows, expected)
    torch.testing.assert_close(found.gram(), rows @ rows.mT)
    v = random(43, seed=3)
    torch.testing.assert_close(found.apply(v), expected @ v)
    torch.testing.assert_close(found.along(v), rows @ v)
    assert float(found.output_norm(found.output_derivative(v)).square()) == pytest.approx(float(v @ expected @ v))


def test_a_function_of_one_tensor_and_of_a_mapping() -> None:
    theta, x = random(12), random(6, 4, seed=1)
    expected = naive_fisher(
        Softmax(), lambda z: bent(leaf, z), [leaf := theta.clone().requires_grad_()], x, torch.ones(6)
    )
    found = fisher_information(bent, x, Softmax(), params=theta)
    torch.testing.assert_close(found.matrix(), expected)
    assert isinstance(found.params, Tensor)

    def f(params: Mapping[str, Tensor], z: Tensor) -> Tensor:
        return z @ params["slope"] + params["shift"]  # [N]: one output

    params = {"shift": random(1), "slope": random(4, seed=2)}
    one = fisher_information(f, x, Bernoulli(), params=params)
    p = torch.sigmoid(f(params, x))
    rows = torch.cat([torch.ones(6, 1), x], dim=1)
    torch.testing.assert_close(one.matrix(), rows.T @ torch.diag(p * (1 - p)) @ rows / 6)


def test_closed_forms_of_linear_policies() -> None:
    """Softmax of k logits θ at uniform p: (I - 11ᵀ/k)/k; a Gaussian mean: XᵀX/(Nσ²)."""
    k = 5
    found = fisher_information(
        lambda theta, x: x[:, :1] * theta, torch.ones(1, 1), Softmax(), params=torch.zeros(k).double()
    )
    torch.testing.assert_close(found.matrix(), (torch.eye(k) - 1 / k).double() / k)
    spectrum = found.spectrum()
    assert spectrum.rank == k - 1
    torch.testing.assert_close(spectrum.eigenvalues[:4], torch.full((4,), 0.2, dtype=torch.float64))
    x = random(7, 3)
    gaussian = fisher_information(lambda theta, z: z @ theta, x, Gaussian(4.0), params=random(3))
    torch.testing.assert_close(gaussian.matrix(), x.T @ x / 28)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_one_sample_twice_is_one_sample(policy: Policy) -> None:
    module, x = mlp(), random(1, 4)
    once = fisher_information(module, x, policy)
    twice = fisher_information(module, x.expand(2, 4), policy)  # not contiguous either
    torch.testing.assert_close(once.matrix(), twice.matrix())
    assert once.spectrum().rank == twice.spectrum().rank == (2 if isinstance(policy, Softmax) else 3)
    assert twice.spectrum(form=False).rank == once.spectrum().rank


def test_inputs_that_are_not_contiguous_and_narrow_floats() -> None:
    module, x = mlp(), random(4, 10)[:, ::2].T[:4].T[:, :4]
    dense = fisher_information(module, x.contiguous(), Softmax()).matrix()
    torch.testing.assert_close(fisher_information(module, x, Softmax()).matrix(), dense)
    narrow = fisher_information(mlp().float(), x.float(), Softmax())
    for found in (narrow.matrix(), narrow.gram(), narrow.apply(random(43))):
        assert found.dtype == torch.float64
    torch.testing.assert_close(narrow.matrix(), dense, rtol=1e-5, atol=1e-6)
    tiny = 1e-60 * random(43, seed=4)
    torch.testing.assert_close(1e60 * narrow.apply(tiny), dense @ (1e60 * tiny), rtol=1e-4, atol=1e-5)
    assert narrow.spectrum().rank == 8
    assert narrow.spectrum(form=False).rank <= 8


# ------------------------------------------------------------------------------------------------------------- spectrum


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("form", [True, False])
def test_eigenspaces_are_those_of_the_matrix(policy: Policy, form: bool) -> None:
    module, x = mlp(), random(4, 4)
    found = fisher_information(module, x, policy)
    values, vectors = (part.numpy() for part in torch.linalg.eigh(found.matrix()))
    values, vectors = values[::-1], vectors[:, ::-1]
    v = random(43, seed=5)
    for d in (1, 2, 5, 8):
        space = found.spectrum(form=form).eigenspace(d)
        projector = vectors[:, :d] @ vectors[:, :d].T
        assert space.separated
        assert space.smallest == pytest.approx(values[d - 1], rel=1e-9)
        assert space.gap == pytest.approx(values[d - 1] - values[d], rel=1e-7, abs=1e-12)
        assert space.tail == pytest.approx(values[d:].sum(), rel=1e-7, abs=1e-12)
        projected = projector @ v.numpy()
        np.testing.assert_allclose(space.project(v).numpy(), projected, rtol=1e-7, atol=1e-7)
        basis = space.basis()
        np.testing.assert_allclose((basis @ basis.mT).numpy(), projector, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose((basis.mT @ basis).numpy(), np.eye(d), rtol=0, atol=1e-13)
        assert space.length(v) == pytest.approx(np.linalg.norm(projected), rel=1e-8)
        assert space.weighted_length(v) == pytest.approx(
            math.sqrt(projected @ found.matrix().numpy() @ projected), rel=1e-8
        )


@pytest.mark.parametrize("form", [True, False])
def test_a_missing_gap_is_said_and_no_space_is_passed_off(form: bool) -> None:
    """F = diag(4, 1, 1, 0.25): two of the eigenvalues are the same."""
    x = torch.diag(torch.tensor([2.0, 1.0, 1.0, 0.5]).double()) * 2
    found = fisher_information(lambda theta, z: z @ theta, x, Gaussian(), params=random(4))
    spectrum = found.spectrum(form=form)
    torch.testing.assert_close(spectrum.eigenvalues, torch.tensor([4, 1, 1, 0.25], dtype=torch.float64))
    torn = spectrum.eigenspace(2)
    assert not torn.separated
    assert torn.gap <= torn.gap_error < 1e-12
    v = random(4, seed=1)
    assert math.isnan(torn.length(v))
    assert math.isnan(torn.weighted_length(v))
    assert bool(torn.project(v).isnan().all())
    assert bool(torn.basis().isnan().all())
    assert bool(torn.weighted(v).isnan().all())
    three = spectrum.eigenspace(3)
    assert three.separated
    torch.testing.assert_close(three.project(v), v * torch.tensor([1, 1, 1, 0]))
    report = instability_condition(
        lambda theta, z: z @ theta, x, Gaussian(), lambda theta: theta.square().sum(), d=2, params=random(4), form=form
    )
    assert not report.separated
    assert math.isnan(report.coupling)
    assert math.isnan(report.epsilon)


@pytest.mark.parametrize("form", [True, False])
def test_all_of_space_is_an_eigenspace_whatever_the_rank(form: bool) -> None:
    x, v = random(2, 4), random(4, seed=1)
    found = fisher_information(lambda theta, z: z @ theta, x, Gaussian(), params=random(4))
    whole = found.spectrum(form=form).eigenspace(4)
    assert whole.separated
    assert whole.gap == math.inf
    assert whole.tail == whole.smallest == 0.0
    assert torch.equal(whole.project(v), v)
    assert whole.length(v) == pytest.approx(float(v.norm()))
    assert whole.weighted_length(v) == pytest.approx(float((x @ v).norm() / math.sqrt(2)))
    assert whole.basis().shape == (4, 4)
    twice = x.mT @ x / 2  # F, whose root is what `weighted` applies
    torch.testing.assert_close(whole.weighted(whole.weighted(v)), twice @ v)
    for d in (0, -1, 3, 5):
        with pytest.raises(
            BoundcheckError, match=f"d={d} for a Fisher information of rank 2; expected a dimension from 1 to 2"
        ):
            found.spectrum(form=form).eigenspace(d)


def test_outputs_that_do_not_move_have_no_subspace() -> None:
    found = fisher_information(lambda theta, x: 0 * (x @ theta), random(2, 3), Gaussian(), params=random(3))
    for form in (True, False):
        assert found.spectrum(form=form).rank == 0
        assert found.spectrum(form=form).eigenspace(3).weighted_length(random(3)) == 0.0
        with pytest.raises(BoundcheckError, match="d=1 for a Fisher information of rank 0; expected n = 3"):
            found.spectrum(form=form).eigenspace(1)


def test_many_parameters_need_no_long_rows() -> None:
    """20,000 parameters: the Gram matrix of linear layers, and products with A, agree with the formed rows."""
    module, x = mlp(outputs=4, width=2200, seed=1), random(6, 4)
    found = fisher_information(module, x, Softmax())
    assert found.parameters > 19_000
    dense, light = found.spectrum(form=True), found.spectrum(form=False)
    assert dense.rank == light.rank == 18
    torch.testing.assert_close(dense.eigenvalues, light.eigenvalues, rtol=1e-10, atol=1e-12)
    v = random(found.parameters, seed=2)
    for d in (1, 6, 18):
        one, other = dense.eigenspace(d), light.eigenspace(d)
        assert one.length(v) == pytest.approx(other.length(v), rel=1e-9)
        assert one.weighted_length(v) == pytest.approx(other.weighted_length(v), rel=1e-9)
        torch.testing.assert_close(one.project(v), other.project(v), rtol=1e-8, atol=1e-9)


class Mixed(nn.Module):
    """Parameters in and out of linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 5)
        self.scale = nn.Parameter(torch.ones(5))
        self.last = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.scale * self.first(x)))


def test_parameters_outside_of_linear_layers_count_too() -> None:
    torch.manual_seed(0)
    module, x = Mixed().double(), random(4, 4)
    found = fisher_information(module, x, Bernoulli())
    rows = found.scores()
    torch.testing.assert_close(found.gram(), rows @ rows.mT)
    expected = naive_fisher(Bernoulli(), module, list(module.parameters()), x, torch.ones(4))
    torch.testing.assert_close(found.matrix(), expected)


# -------------------------------------------------------------------------------------------------------------- support


@pytest.mark.parametrize(
    ("policy", "outputs", "message"),
    [
        (Softmax(), [0.0, -math.inf, 1.0], "response of output 1 the probability 0"),
        (Softmax(), [0.0, -800.0, 1.0], "response of output 1 the probability 0"),
        (Bernoulli(), [0.0, 0.0, 900.0], "response of output 2 the probability 0"),
        (Bernoulli(), [0.0, -math.inf, 0.0], "response of output 1 the probability 0"),
        (Softmax(), [0.0, math.inf, 0.0], "the probability 0"),
        (Gaussian(), [0.0, math.inf, 0.0], "the output is not finite"),
        (Softmax(), [0.0, math.nan, 0.0], "the output is not finite"),
    ],
)
def test_policies_without_full_support_are_refused(policy: Policy, outputs: list[float], message: str) -> None:
    fixed = torch.tensor(outputs, dtype=torch.float64)
    with pytest.raises(BoundcheckError, match=rf"{message} at sample 0"):
        fisher_information(
            lambda theta, x: x * theta.sum() + fixed, torch.ones(1, 3).double(), policy, params=torch.ones(2).double()
        )


def test_what_is_wrong_is_told() -> None:
    module, x = mlp(), random(3, 4)
    for args, message in (
        ({"x": x[:0]}, "at least one sample"),
        ({"x": x * math.nan}, "x is not finite at sample 0"),
        ({"weights": torch.ones(2)}, r"weights of shape \[2\]"),
        ({"weights": torch.tensor([1.0, -1.0, 1.0])}, "expected a distribution"),
        ({"weights": torch.zeros(3)}, "expected a distribution"),
        ({"weights": torch.tensor([1.0, math.nan, 1.0])}, "expected a distribution"),
        ({"chunk": 0}, "chunk=0"),
    ):
        with pytest.raises(BoundcheckError, match=message):
            fisher_information(module, **({"x": x, "policy": Softmax()} | args))  # type: ignore[arg-type]
    with pytest.raises(BoundcheckError, match="use Bernoulli"):
        fisher_information(mlp(outputs=1), x, Softmax())
    for variance in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(BoundcheckError, match="variance"):
            Gaussian(variance)
    with pytest.raises(BoundcheckError, match=r"a vector of shape \[3\]; expected \[43\]"):
        fisher_information(module, x, Softmax()).apply(torch.ones(3))
    with pytest.raises(BoundcheckError, match="J·v is not finite"):
        fisher_information(module, x, Softmax()).apply(torch.full((43,), math.nan))
    with pytest.raises(BoundcheckError, match="a loss of shape"):
        curvature_coupling(lambda theta: theta, random(3))
    with pytest.raises(BoundcheckError, match="gradient of the loss is not finite"):
        curvature_coupling(lambda theta: theta.sqrt().sum(), torch.zeros(3))
    with pytest.raises(BoundcheckError, match="tuned has other"):
        fisher_information(module, x, Softmax()).divergence({"other": x})


# ----------------------------------------------------------------------------------------------------------- divergence


def exact_divergence(policy: Policy, z: list[float], w: list[float]) -> Any:
    """KL of two distributions by its definition, in so many digits that nothing cancels."""
    with mpmath.workdps(50 + 400):
        before = [mpmath.mpf(v) for v in z]
        after = [a + mpmath.mpf(b) for a, b in zip(before, w, strict=True)]
        if isinstance(policy, Gaussian):
            return sum((a - b) ** 2 for a, b in zip(before, after, strict=True)) / (2 * mpmath.mpf(policy.variance))
        if isinstance(policy, Bernoulli):
            pairs = [([a, mpmath.mpf(0)], [b, mpmath.mpf(0)]) for a, b in zip(before, after, strict=True)]
        else:
            pairs = [(before, after)]
        total = mpmath.mpf(0)
        for old, new in pairs:
            norms = [mpmath.log(mpmath.fsum(mpmath.exp(v) for v in side)) for side in (old, new)]
            total += mpmath.fsum(
                mpmath.exp(a - norms[0]) * ((a - norms[0]) - (b - norms[1])) for a, b in zip(old, new, strict=True)
            )
        return total


def relative_error(policy: Policy, z: Tensor, w: Tensor) -> float:
    truth = exact_divergence(policy, z.tolist(), w.tolist())
    return float(abs(mpmath.mpf(float(policy.divergence(z, w))) / truth - 1))


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("step", [1e-120, 1e-12, 1e-8, 1e-4, 1e-2, 0.1, 0.3, 1.0, 10.0, 300.0])
def test_divergences_of_steps_of_any_size(policy: Policy, step: float) -> None:
    for seed, spread in ((0, 1.0), (1, 5.0), (2, 60.0)):
        z, w = spread * random(6, seed=seed), step * random(6, seed=seed + 10)
        assert relative_error(policy, z, w) < (1e-14 if step < 5 else 1e-12)


def test_divergences_with_many_classes_and_large_logits() -> None:
    z, w = 30 * random(1500), random(1500, seed=1)
    for step in (1e-8, 1e-3, 1.0, 40.0):
        assert relative_error(Softmax(), 1e3 + z, step * w) < 1e-13
    near = torch.tensor([0.0, -690.0, -40.0]).double()
    for change in ([0.0, 700.0, 0.0], [0.0, 1e-3, 0.0], [0.0, 1500.0, 3.0], [5e4, 0.0, 0.0], [-5e4, 0.0, 0.0]):
        assert relative_error(Softmax(), near, torch.tensor(change).double()) < 1e-12


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.tuples(st.floats(-300, 300), st.floats(-300, 300)), min_size=2, max_size=5),
    st.sampled_from([1e-8, 1e-5, 1e-3, 1.0]),
    st.sampled_from(POLICIES),
)
def test_divergences_are_never_negative_and_always_accurate(
    pairs: list[tuple[float, float]], step: float, policy: Policy
) -> None:
    z = torch.tensor([a for a, _ in pairs], dtype=torch.float64)
    w = step * torch.tensor([b for _, b in pairs], dtype=torch.float64)
    found = float(policy.divergence(z, w))
    truth = exact_divergence(policy, z.tolist(), w.tolist())
    assert found >= 0
    assert abs(mpmath.mpf(found) - truth) <= 1e-12 * truth + mpmath.mpf(10) ** -290
    assert float(policy.divergence(z, torch.zeros_like(z))) == 0.0


def test_a_shift_common_to_all_classes_is_no_change() -> None:
    z, w = random(4), 1e-7 * random(4, seed=1)
    shifted = Softmax().divergence(z, w + 2.0**20)
    assert float(shifted) == pytest.approx(float(Softmax().divergence(z, (w + 2.0**20) - 2.0**20)), rel=1e-14)
    assert float(Softmax().divergence(z, torch.full((4,), 7.0).double())) == 0.0


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_divergences_have_derivatives(policy: Policy) -> None:
    z, w = random(4), 0.3 * random(4, seed=1)
    assert torch.autograd.gradcheck(policy.divergence, (z.requires_grad_(), w.requires_grad_()))
    curvature = torch.func.hessian(lambda v: policy.divergence(z.detach(), v))(torch.zeros(4).double())
    v = random(4, seed=2)
    assert float((v @ curvature @ v).detach()) == pytest.approx(float(policy.variance_of(z.detach(), v)), rel=1e-12)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_the_divergence_of_a_network_is_half_the_fisher_form_of_a_short_step(policy: Policy) -> None:
    module, x = mlp(), random(5, 4)
    found = fisher_information(module, x, policy, weights=torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    v = random(43, seed=9)
    half = 0.5 * float(found.along(v).square().sum())
    for size in (1e-10, 1e-8, 1e-6):
        assert float(found.divergence_after(size * v)) / size**2 == pytest.approx(half, rel=10 * size + 1e-12)
    size = 0.05
    named = found._split(flattened(found._model.params) + size * v)
    assert float(found.divergence(named)) == pytest.approx(float(found.divergence_after(size * v)), rel=1e-11)
    assert float(found.divergence(found.params)) == 0.0


def test_a_short_step_keeps_its_digits() -> None:
    """A softmax of tanh outputs, in mpmath from the parameters on."""
    theta, x = random(6), random(1, 2, seed=1)

    def f(t: Tensor, z: Tensor) -> Tensor:
        return torch.tanh(z @ t.reshape(2, 3))

    found = fisher_information(f, x, Softmax(), params=theta)
    for size in (1e-8, 1e-4):
        step = size * random(6, seed=2)
        with mpmath.workdps(80):
            sides = []
            for move in (0, 1):
                t = [mpmath.mpf(a) + move * mpmath.mpf(b) for a, b in zip(theta.tolist(), step.tolist(), strict=True)]
                sides.append(
                    [mpmath.tanh(sum(mpmath.mpf(float(x[0, i])) * t[3 * i + j] for i in range(2))) for j in range(3)]
                )
            norms = [mpmath.log(sum(mpmath.exp(v) for v in side)) for side in sides]
            pairs = zip(*sides, strict=True)
            truth = sum(mpmath.exp(a - norms[0]) * (a - norms[0] - b + norms[1]) for a, b in pairs)
            assert abs(mpmath.mpf(float(found.divergence_after(step))) / truth - 1) < 1e-14


# ---------------------------------------------------------------------------------------------------------- instability


def quartic(theta: Tensor) -> Tensor:
    return (theta.pow(4).sum() / 4 + theta.roll(1).mul(theta).sum()) + theta.sin().sum()


def test_coupling_is_the_hessian_times_the_gradient() -> None:
    theta = random(7)
    gradient, bend = curvature_coupling(quartic, theta)
    torch.testing.assert_close(gradient, torch.func.grad(quartic)(theta))
    torch.testing.assert_close(bend, torch.func.hessian(quartic)(theta) @ gradient)
    params = {"b": random(2, 2), "a": random(3, seed=1)}

    def loss(p: Mapping[str, Tensor]) -> Tensor:
        return (p["a"].sum() * p["b"]).sin().sum()

    def whole(flat: Tensor) -> Tensor:
        return loss({"b": flat[:4].reshape(2, 2), "a": flat[4:]})

    flat = flattened(params)
    gradient, bend = curvature_coupling(loss, params)
    torch.testing.assert_close(gradient, torch.func.grad(whole)(flat))
    torch.testing.assert_close(bend, torch.func.hessian(whole)(flat) @ gradient)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("form", [True, False])
def test_the_condition_of_a_network_by_brute_force(policy: Policy, form: bool) -> None:
    module, x, tuning, y = mlp(), random(5, 4), random(6, 4, seed=1), torch.tensor([0, 1, 2, 0, 1, 2])

    def loss(params: Mapping[str, Tensor]) -> Tensor:
        return nn.functional.cross_entropy(torch.func.functional_call(module, dict(params), (tuning,)), y)

    found = instability_condition(module, x, policy, loss, d=3, form=form)
    params = dict(module.named_parameters())

    def flat_loss(flat: Tensor) -> Tensor:
        parts = flat.split([p.numel() for p in params.values()])
        return loss({name: part.reshape(p.shape) for (name, p), part in zip(params.items(), parts, strict=True)})

    theta = flattened(params)
    g = torch.func.grad(flat_loss)(theta)
    a = torch.func.hessian(flat_loss)(theta) @ g
    matrix = naive_fisher(policy, module, list(params.values()), x, torch.ones(5))
    values, vectors = torch.linalg.eigh(matrix)
    top = vectors[:, -3:]
    root = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.mT
    assert found.separated
    assert found.d == 3
    assert found.smallest == pytest.approx(float(values[-3]), rel=1e-9)
    assert found.largest == pytest.approx(float(values[-1]), rel=1e-9)
    assert found.tail == pytest.approx(float(values[:-3].sum()), rel=1e-9)
    assert found.gap == pytest.approx(float(values[-3] - values[-4]), rel=1e-8)
    assert found.overlap == pytest.approx(float((top @ (top.mT @ g)).norm()), rel=1e-8)
    assert found.coupling == pytest.approx(float((root @ top @ (top.mT @ a)).norm()), rel=1e-8)
    assert found.epsilon == max(found.overlap, found.tail)
    assert found.gradient == pytest.approx(float(g.norm()))
    assert found.acceleration == pytest.approx(float(a.norm()))


def test_narrow_floats_give_the_same_condition() -> None:
    x = random(5, 4)
    reports = []
    for dtype in (torch.float64, torch.float32):
        module, tuning = mlp().to(dtype), random(6, 4, seed=1).to(dtype)

        def loss(params: Mapping[str, Tensor], module: nn.Module = module, tuning: Tensor = tuning) -> Tensor:
            return torch.func.functional_call(module, dict(params), (tuning,)).square().mean()

        reports.append(instability_condition(module, x.to(dtype), Softmax(), loss, d=2))
    wide, narrow = reports
    for name in ("smallest", "coupling", "overlap", "tail", "gap", "gradient", "acceleration", "output_acceleration"):
        assert getattr(narrow, name) == pytest.approx(getattr(wide, name), rel=1e-4)
    assert wide.gap_error < 1e-10 < narrow.gap_error < 1e-3
    assert narrow.separated


def test_outputs_accelerate_as_along_the_flow() -> None:
    """q = J·a + H[g, g] by full derivatives, and as the second difference of outputs along the curve."""
    theta, x = random(12), random(5, 4, seed=1)
    found = fisher_information(bent, x, Softmax(), params=theta, chunk=2)
    q = output_acceleration(found, quartic)
    g, a = curvature_coupling(quartic, theta)
    jacobian = torch.func.jacfwd(bent)(theta, x)
    second = torch.func.jacfwd(torch.func.jacfwd(bent))(theta, x)
    torch.testing.assert_close(q, jacobian @ a + (second @ g) @ g)
    report = instability_condition(bent, x, Softmax(), quartic, d=2, params=theta)
    assert report.output_acceleration == pytest.approx(float(found.output_norm(q)))


def test_the_quartic_law_without_first_order_motion() -> None:
    """Where F·g = 0, Δu(θ(t)) = t⁴/8·|q|_*² + O(t⁵): outputs that move along g only to second order."""

    def outputs(theta: Tensor, x: Tensor) -> Tensor:
        return x * theta[0] + 0.5 * x.square() * theta[1].square()

    def loss(theta: Tensor) -> Tensor:
        return theta[1] + theta[0] * theta[1]  # at 0: g = (0, 1), a = (1, 0)

    x = random(4, 3)
    found = fisher_information(outputs, x, Softmax(), params=torch.zeros(2).double())
    q = output_acceleration(found, loss)
    torch.testing.assert_close(q, x + x.square())  # J·a and H[g, g]
    assert float(found.output_norm(found.output_derivative(torch.tensor([0.0, 1.0]).double()))) == 0.0
    t = 1e-3
    moved = torch.tensor([t * t / 2, -t]).double()  # the flow, to third order in its first coordinate
    expected = t**4 / 8 * float(found.output_norm(q)) ** 2
    assert float(found.divergence_after(moved)) == pytest.approx(expected, rel=1e-5)


def test_a_spectrum_belongs_to_its_fisher() -> None:
    found = fisher_information(bent, random(2, 4), Softmax(), params=random(12))
    assert isinstance(found, Fisher)
    assert found.spectrum().fisher is found
