"""The instability condition and the quartic law, by brute force and in closed form."""

from collections.abc import Callable, Mapping
from typing import Any

import mpmath
import pytest
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.attention import SDPBackend, sdpa_kernel

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


def networks_and_losses() -> dict[str, tuple[Callable[[dict[str, Tensor]], Tensor], dict[str, Tensor]]]:
    torch.manual_seed(0)
    deep = nn.Sequential(*[part for _ in range(4) for part in (nn.Linear(5, 5), nn.Softplus())], nn.Linear(5, 3))
    convolution = nn.Sequential(nn.Conv1d(1, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(12, 3))
    attention = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, activation="gelu", batch_first=True)
    found: dict[str, tuple[Callable[[dict[str, Tensor]], Tensor], dict[str, Tensor]]] = {}
    for name, module, x in (
        ("deep", deep, random(7, 5)),
        ("convolution", convolution, random(7, 1, 5)),
        ("attention", attention, random(3, 2, 4)),
    ):
        wide = module.double()

        def loss(params: Mapping[str, Tensor], wide: nn.Module = wide, x: Tensor = x) -> Tensor:
            out = torch.func.functional_call(wide, dict(params), (x,)).flatten(0, -2)
            return nn.functional.cross_entropy(out, torch.arange(len(out)) % 3)

        found[name] = (loss, {key: value.detach() for key, value in wide.named_parameters()})
    return found


@pytest.mark.parametrize("name", ["deep", "convolution", "attention"])
def test_coupling_of_networks_by_the_gradients_forward_derivative(name: str) -> None:
    loss, params = networks_and_losses()[name]
    with sdpa_kernel(SDPBackend.MATH):
        gradient_of = torch.func.grad(loss)
        gradient = gradient_of(params)
        bent = torch.func.jvp(gradient_of, (params,), (gradient,))[1]
        g, a = curvature_coupling(loss, params)
        with torch.no_grad():
            again = curvature_coupling(loss, params)
        with torch.inference_mode():
            inferred = curvature_coupling(loss, {key: value.clone() for key, value in params.items()})
    order = list(params)
    torch.testing.assert_close(g, flattened({key: gradient[key] for key in order}))
    torch.testing.assert_close(a, flattened({key: bent[key] for key in order}))
    for one, other in (again, inferred):
        assert torch.equal(one, g)
        assert torch.equal(other, a)


def test_coupling_in_mpmath() -> None:
    """L = log(1 + e^(u·v)) + (u - v)⁴, by hand."""
    theta = random(2)
    g, a = curvature_coupling(lambda t: nn.functional.softplus(t[0] * t[1]) + (t[0] - t[1]).pow(4), theta)
    with mpmath.workdps(50):
        u, v = (mpmath.mpf(value) for value in theta.tolist())
        s = 1 / (1 + mpmath.exp(-u * v))
        slope = [s * v + 4 * (u - v) ** 3, s * u - 4 * (u - v) ** 3]
        ds, bend = s * (1 - s), 12 * (u - v) ** 2
        hessian = [[ds * v * v + bend, ds * u * v + s - bend], [ds * u * v + s - bend, ds * u * u + bend]]
        for i in range(2):
            truth = sum(hessian[i][j] * slope[j] for j in range(2))
            assert abs(mpmath.mpf(float(g[i])) - slope[i]) <= 1e-14 * abs(slope[i])
            assert abs(mpmath.mpf(float(a[i])) - truth) <= 1e-13 * sum(abs(hessian[i][j] * slope[j]) for j in range(2))


def test_losses_of_few_derivatives() -> None:
    theta = {"a": random(3), "unused": random(2)}
    g, a = curvature_coupling(lambda p: 2 * p["a"].sum(), theta)
    assert g.tolist() == [2, 2, 2, 0, 0]
    assert a.tolist() == [0] * 5
    g, a = curvature_coupling(lambda p: torch.tensor(1.0), theta)
    assert g.tolist() == a.tolist() == [0] * 5
    mixed = {"wide": random(2), "narrow": random(2).float()}
    g, a = curvature_coupling(lambda p: (p["wide"] * p["narrow"]).square().sum(), mixed)
    assert g.dtype == a.dtype == torch.float64


class Cube(torch.autograd.Function):
    """x³ with a gradient that is not to be differentiated backwards."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.pow(3)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def jvp(ctx: Any, direction: Tensor) -> Tensor:
        return direction * 3 * ctx.saved_tensors[0].square()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * 3 * ctx.saved_tensors[0].square()


class OldCube(torch.autograd.Function):
    """The same in the form that knows no forward mode either."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.pow(3)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * 3 * ctx.saved_tensors[0].square()


def test_operators_without_a_second_derivative_backwards() -> None:
    theta = random(3)
    with pytest.warns(UserWarning, match=r"forward over reverse mode.*marked with @once_differentiable"):
        g, a = curvature_coupling(lambda t: Cube.apply(t).sum(), theta)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(g, 3 * theta.square())
    torch.testing.assert_close(a, 6 * theta * g)
    with pytest.raises(BoundcheckError, match=r"a loss without a second derivative: twice backwards, .*; forwards, "):
        curvature_coupling(lambda t: OldCube.apply(t).sum(), theta)  # type: ignore[no-untyped-call]


def test_forward_over_reverse_mode_takes_over_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object, **kwargs: object) -> None:
        raise RuntimeError("derivative for aten::fused_backward is not implemented\nand more")

    theta = random(4)
    expected = curvature_coupling(quartic, theta)
    monkeypatch.setattr("boundcheck.geometry.condition._twice_backwards", refused)
    with pytest.warns(UserWarning, match="twice backwards, derivative for aten::fused_backward is not implemented$"):
        found = curvature_coupling(quartic, theta)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_losses_that_are_refused() -> None:
    with pytest.raises(BoundcheckError, match="a loss of shape"):
        curvature_coupling(lambda theta: theta, random(3))
    with pytest.raises(BoundcheckError, match="gradient of the loss is not finite"):
        curvature_coupling(lambda theta: theta.sqrt().sum(), torch.zeros(3))
