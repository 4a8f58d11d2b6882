"""The Fisher information of policies and its eigenspaces, against loops over classes, closed forms and mpmath."""

import math
from collections.abc import Mapping

import mpmath
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import (
    Bernoulli,
    Fisher,
    Gaussian,
    Policy,
    Softmax,
    fisher_information,
    instability_condition,
)
from boundcheck.geometry.fisher import flattened
from tests.geometry.fisher_oracle import POLICIES, bent, mlp, naive_fisher, random

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
    with pytest.raises(BoundcheckError, match="tuned has other"):
        fisher_information(module, x, Softmax()).divergence({"other": x})


# ----------------------------------------------------------------------------------------------------------- divergence


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


def test_a_spectrum_belongs_to_its_fisher() -> None:
    found = fisher_information(bent, random(2, 4), Softmax(), params=random(12))
    assert isinstance(found, Fisher)
    assert found.spectrum().fisher is found
