"""The instability condition and the quartic law, by brute force and in closed form."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import (
    Policy,
    Softmax,
    curvature_coupling,
    fisher_information,
    instability_condition,
    output_acceleration,
)
from boundcheck.geometry.fisher import flattened
from tests.geometry.fisher_oracle import POLICIES, bent, mlp, naive_fisher, random


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


def test_losses_that_are_refused() -> None:
    with pytest.raises(BoundcheckError, match="a loss of shape"):
        curvature_coupling(lambda theta: theta, random(3))
    with pytest.raises(BoundcheckError, match="gradient of the loss is not finite"):
        curvature_coupling(lambda theta: theta.sqrt().sum(), torch.zeros(3))
