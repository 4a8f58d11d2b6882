"""Whole functions and their derivatives, traced and enclosed, against formulas written out by hand in mpmath."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mpmath
import pytest
import torch
from torch import Tensor
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

from boundcheck.errors import BoundcheckError, UnknownOperatorError
from boundcheck.rigor import Enclosure, trace
from boundcheck.rigor.tracing import Function

INPUTS, WIDTH, ROWS, LANES = 2, 3, 2, 5
SCALES = [0.1, 1.0, 3.0, 30.0]


@pytest.fixture(autouse=True)
def _digits() -> Iterator[None]:
    with mpmath.workdps(50):
        yield


@dataclass(frozen=True)
class Activation:
    """An activation in torch, and it with its first two derivatives in mpmath."""

    name: str
    torch: Callable[[Tensor], Tensor]
    exact: Callable[[Any], tuple[Any, Any, Any]]

    def __str__(self) -> str:
        return self.name


def tanh_exact(z: Any) -> tuple[Any, Any, Any]:
    t = mpmath.tanh(z)
    return t, 1 - t * t, -2 * t * (1 - t * t)


def sigmoid_exact(z: Any) -> tuple[Any, Any, Any]:
    s = 1 / (1 + mpmath.exp(-z))
    return s, s * (1 - s), s * (1 - s) * (1 - 2 * s)


def softplus_exact(z: Any) -> tuple[Any, Any, Any]:
    s = sigmoid_exact(z)
    return mpmath.log(1 + mpmath.exp(z)), s[0], s[1]


def sine_exact(z: Any) -> tuple[Any, Any, Any]:
    return mpmath.sin(z), mpmath.cos(z), -mpmath.sin(z)


def square_exact(z: Any) -> tuple[Any, Any, Any]:
    return z * z, 2 * z, mpmath.mpf(2)


ACTIVATIONS = [
    Activation("tanh", torch.tanh, tanh_exact),
    Activation("sigmoid", torch.sigmoid, sigmoid_exact),
    Activation("softplus", lambda z: torch.log1p(torch.exp(z)), softplus_exact),
    Activation("sine", torch.sin, sine_exact),
    Activation("square", torch.square, square_exact),
]


@dataclass(frozen=True)
class Net:
    """f(W, x) = a·φ(W·x) for each row of x, its loss ½·‖f - y‖², and a direction v in parameter space."""

    weights: Tensor
    head: Tensor
    x: Tensor
    y: Tensor
    direction: Tensor

    @staticmethod
    def random(scale: float, lanes: int = LANES) -> "Net":
        generator = torch.Generator().manual_seed(7)

        def normal(*shape: int) -> Tensor:
            return torch.randn(lanes, *shape, generator=generator, dtype=torch.float64)

        return Net(
            scale * normal(WIDTH, INPUTS), normal(WIDTH), normal(ROWS, INPUTS), normal(ROWS), normal(WIDTH, INPUTS)
        )

    def inputs(self) -> list[Tensor]:
        return [self.weights, self.head, self.x, self.y, self.direction]

    def exact(self, lane: int, activation: Activation) -> dict[str, list[Any]]:
        """Outputs, Jacobian, loss, gradient, directional derivative and Hessian-vector product, flattened."""
        w, a, x, y, v = (
            [[mpmath.mpf(e) for e in row] for row in torch.atleast_2d(t[lane]).tolist()] for t in self.inputs()
        )
        outputs, jacobian, jvps, bends = [], [], [], []
        for row in x:
            z = [sum(p * q for p, q in zip(unit, row, strict=True)) for unit in w]
            along = [sum(p * q for p, q in zip(unit, row, strict=True)) for unit in v]
            parts = [activation.exact(value) for value in z]
            outputs.append(sum(c * p[0] for c, p in zip(a[0], parts, strict=True)))
            jacobian.append([c * p[1] * e for c, p in zip(a[0], parts, strict=True) for e in row])
            jvps.append(sum(c * p[1] * d for c, p, d in zip(a[0], parts, along, strict=True)))
            bends.append([c * p[2] * d * e for c, p, d in zip(a[0], parts, along, strict=True) for e in row])
        residual = [f - label for f, label in zip(outputs, y[0], strict=True)]
        n = WIDTH * INPUTS
        gradient = [sum(r * row[i] for r, row in zip(residual, jacobian, strict=True)) for i in range(n)]
        curved = [
            sum(d * row[i] + r * bend[i] for r, row, d, bend in zip(residual, jacobian, jvps, bends, strict=True))
            for i in range(n)
        ]
        return {
            "outputs": outputs,
            "jacrev": [e for row in jacobian for e in row],
            "jacfwd": [e for row in jacobian for e in row],
            "loss": [sum(r * r for r in residual) / 2],
            "grad": gradient,
            "jvp": jvps,
            "hvp": curved,
            "hessian": [sum(p * q for p, q in zip(curved, gradient, strict=True))],
        }


def derivatives(activation: Activation) -> dict[str, Function]:
    def outputs(w: Tensor, a: Tensor, x: Tensor) -> Tensor:
        return activation.torch(x @ w.T) @ a

    def loss(w: Tensor, a: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return 0.5 * (outputs(w, a, x) - y).square().sum()

    def curvature(w: Tensor, a: Tensor, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        full = hessian(loss)(w, a, x, y).reshape(WIDTH * INPUTS, -1)
        return (full @ v.flatten()) @ grad(loss)(w, a, x, y).flatten()

    return {
        "outputs": lambda w, a, x, y, v: [outputs(w, a, x)],
        "jacrev": lambda w, a, x, y, v: [jacrev(outputs)(w, a, x)],
        "jacfwd": lambda w, a, x, y, v: [jacfwd(outputs)(w, a, x)],
        "loss": lambda w, a, x, y, v: [loss(w, a, x, y)],
        "grad": lambda w, a, x, y, v: [grad(loss)(w, a, x, y)],
        "jvp": lambda w, a, x, y, v: [jvp(lambda t: outputs(t, a, x), (w,), (v,))[1]],
        "hvp": lambda w, a, x, y, v: [jvp(lambda t: grad(loss)(t, a, x, y), (w,), (v,))[1]],
        "hessian": lambda w, a, x, y, v: [curvature(w, a, x, y, v)],
    }


@pytest.mark.parametrize("kind", ["outputs", "jacrev", "jacfwd", "loss", "grad", "jvp", "hvp", "hessian"])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_a_net_and_its_derivatives_are_enclosed(activation: Activation, kind: str) -> None:
    function = derivatives(activation)[kind]
    traced = trace(vmap(function), Net.random(1.0).inputs())
    for scale in SCALES:
        net = Net.random(scale)
        (result,) = traced.enclose(*map(Enclosure.exactly, net.inputs()))
        (plain,) = traced(*net.inputs())
        assert torch.allclose(plain, result.mid, rtol=1e-10, atol=1e-10)
        mids, rads = result.mid.reshape(LANES, -1), result.rad.reshape(LANES, -1)
        assert bool((rads <= 1e-10 * mids.abs().amax().clamp(min=1)).all())
        for lane in range(LANES):
            exact = net.exact(lane, activation)[kind]
            assert len(exact) == mids.shape[1]
            for value, mid, rad in zip(exact, mids[lane].tolist(), rads[lane].tolist(), strict=True):
                assert abs(value - mpmath.mpf(mid)) <= mpmath.mpf(rad)


@pytest.mark.parametrize("activation", ACTIVATIONS[:3], ids=str)
def test_inputs_that_are_only_known_to_a_radius_are_carried_through(activation: Activation) -> None:
    net = Net.random(1.0)
    kinds = ["outputs", "jacrev", "grad", "hvp"]
    functions = derivatives(activation)
    traced = trace(lambda *args: [part for kind in kinds for part in vmap(functions[kind])(*args)], net.inputs())
    radius = 2.0**-12
    generator = torch.Generator().manual_seed(1)
    for corner in range(3):
        # 45 bits, so that the corner itself is a double
        middle = (net.weights * 2**40).round() * 2.0**-40
        shift = radius * (2 * torch.randint(0, 2, middle.shape, generator=generator) - 1)
        inputs = [Enclosure(middle, torch.full_like(middle, radius)), *map(Enclosure.exactly, net.inputs()[1:])]
        results = traced.enclose(*inputs)
        moved = Net(middle + shift, *net.inputs()[1:])
        for lane in range(LANES):
            exact = moved.exact(lane, activation)
            for kind, result in zip(kinds, results, strict=True):
                for value, mid, rad in zip(
                    exact[kind], result.mid[lane].flatten().tolist(), result.rad[lane].flatten().tolist(), strict=True
                ):
                    assert abs(value - mpmath.mpf(mid)) <= mpmath.mpf(rad), (corner, kind)


def test_the_derivative_of_relu_is_the_hull_of_0_and_1_at_an_undecided_kink() -> None:
    def derivative(x: Tensor) -> list[Tensor]:
        return [grad(torch.relu)(x)]

    traced = trace(vmap(derivative), [torch.zeros(3, dtype=torch.float64)])
    x = Enclosure(
        torch.tensor([-1.0, 1e-9, 2.0], dtype=torch.float64), torch.tensor([0.5, 1e-8, 0.5], dtype=torch.float64)
    )
    (slope,) = traced.enclose(x)
    assert slope.mid.tolist()[::2] == [0.0, 1.0]
    assert slope.rad.tolist()[::2] == [0.0, 0.0]
    assert float(slope.lower[1]) <= 0.0 <= 1.0 <= float(slope.upper[1])


def test_an_operator_without_a_rule_is_named() -> None:
    x = torch.ones(2, dtype=torch.float64)
    functions: dict[str, Callable[[Tensor], list[Tensor]]] = {
        "aten.lgamma.default": lambda t: [torch.special.gammaln(t)],
        "aten.digamma.default": lambda t: [torch.digamma(t)],
        "aten.cummax.default": lambda t: [t.cummax(0).values],
    }
    for name, function in functions.items():
        with pytest.raises(UnknownOperatorError) as caught:
            trace(function, [x]).enclose(Enclosure.exactly(x))
        assert caught.value.operator == name
        assert name in str(caught.value)
        assert str(caught.value).count(".\n") == 0
        assert str(caught.value).endswith(".")


def test_the_operators_of_a_trace_are_listed_once_each() -> None:
    x = torch.ones(2, dtype=torch.float64)
    assert trace(lambda t: [(t * t * t).sum()], [x]).operators() == ["aten.mul.Tensor", "aten.sum.default"]


def test_dead_code_goes_and_writing_in_place_stays() -> None:
    def function(x: Tensor) -> list[Tensor]:
        torch.exp(x)  # its result is not used
        y = x.clone()
        y[0] = 7.0
        y[1:].zero_()
        z = torch.zeros_like(x)
        z.copy_(2 * x)
        return [y, z]

    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    traced = trace(function, [x])
    assert "aten.exp.default" not in traced.operators()
    assert {"aten.copy_.default", "aten.zero_.default"} <= set(traced.operators())
    other = torch.tensor([4.0, 5.0, 6.0], dtype=torch.float64)
    y, z = traced.enclose(Enclosure(other, 0.5 * torch.ones(3, dtype=torch.float64)))
    assert y.mid.tolist() == [7.0, 0.0, 0.0]
    assert y.rad.tolist() == [0.0, 0.0, 0.0]
    assert z.mid.tolist() == [8.0, 10.0, 12.0]
    assert bool(((z.rad >= 1.0) & (z.rad < 1.01)).all())
    assert other.tolist() == [4.0, 5.0, 6.0]


def test_writing_into_a_negated_tensor_leaves_the_radius_of_the_original_alone() -> None:
    def function(x: Tensor) -> list[Tensor]:
        y = -x
        y[0] = 0.0
        return [x.sum(), y.sum()]

    traced = trace(function, [torch.ones(3, dtype=torch.float64)])
    total, _ = traced.enclose(Enclosure(torch.ones(3, dtype=torch.float64), torch.full((3,), 0.5, dtype=torch.float64)))
    assert float(total.rad) >= 1.5


def test_numbers_made_inside_a_claim_count_in_double_precision() -> None:
    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)

    def mean(t: Tensor) -> list[Tensor]:
        return [(torch.ones(3) / 3 * t).sum(), (torch.arange(3) / 3 * t).sum(), (t @ torch.eye(3).double()).sum()]

    weighted, ramp, total = trace(mean, [x]).enclose(Enclosure.exactly(x))
    for result, exact in ((weighted, mpmath.mpf(2)), (ramp, mpmath.mpf(8) / 3), (total, mpmath.mpf(6))):
        assert abs(exact - mpmath.mpf(float(result.mid))) <= mpmath.mpf(float(result.rad))
        assert float(result.rad) < 1e-14


def test_a_computation_in_single_precision_is_refused() -> None:
    integers = torch.tensor([1, 2, 3])
    traced = trace(lambda n: [n.sqrt()], [integers])
    with pytest.raises(BoundcheckError, match=r"aten\.sqrt\.default in torch\.float32"):
        traced.enclose(Enclosure.exactly(integers))


def test_constants_are_the_doubles_that_were_written() -> None:
    tenth = torch.tensor([0.1, 0.25], dtype=torch.float64)
    x = torch.zeros(2, dtype=torch.float64)
    (result,) = trace(lambda t: [t + tenth], [x]).enclose(Enclosure.exactly(x))
    assert result.mid.tolist() == [0.1, 0.25]


def test_one_tensor_given_twice_stays_two_inputs() -> None:
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    traced = trace(lambda a, b: [a - b, a * b], [x, x])
    difference, product = traced.enclose(Enclosure.exactly(3 * x), Enclosure.exactly(x))
    assert difference.mid.tolist() == [2.0, 4.0]
    assert product.mid.tolist() == [3.0, 12.0]


def test_replays_are_reproducible_and_leave_their_inputs_alone() -> None:
    net = Net.random(1.0)
    traced = trace(vmap(derivatives(ACTIVATIONS[0])["hvp"]), net.inputs())
    before = [t.clone() for t in net.inputs()]
    one = traced.enclose(*map(Enclosure.exactly, net.inputs()))[0]
    two = traced.enclose(*map(Enclosure.exactly, net.inputs()))[0]
    assert torch.equal(one.mid, two.mid)
    assert torch.equal(one.rad, two.rad)
    assert all(torch.equal(a, b) for a, b in zip(before, net.inputs(), strict=True))


def test_a_lane_of_nan_or_infinity_disturbs_no_other() -> None:
    net = Net.random(1.0)
    traced = trace(vmap(derivatives(ACTIVATIONS[0])["hvp"]), net.inputs())
    (clean,) = traced.enclose(*map(Enclosure.exactly, net.inputs()))
    for bad in (math.nan, math.inf, -math.inf, 1e300):
        weights, x = net.weights.clone(), net.x.clone()
        weights[1], x[3] = bad, bad
        (spoiled,) = traced.enclose(*map(Enclosure.exactly, [weights, net.head, x, net.y, net.direction]))
        for lane in (0, 2, 4):
            assert torch.equal(spoiled.mid[lane], clean.mid[lane])
            assert torch.equal(spoiled.rad[lane], clean.rad[lane])
        assert not bool(spoiled.rad.isnan().any())


@pytest.mark.parametrize("layout", ["transposed", "strided", "expanded"])
def test_inputs_may_lie_in_memory_in_any_way(layout: str) -> None:
    base = torch.arange(1.0, 13.0, dtype=torch.float64).reshape(3, 4)
    x = {"transposed": base.T, "strided": base[:, ::2], "expanded": base[:1].expand(3, 4)}[layout]

    def function(t: Tensor) -> list[Tensor]:
        return [(t * 2).flatten().sum(), t.reshape(-1)[:4].square().sum(), t.mT.contiguous().view(-1).sum()]

    (whole, part, same) = trace(function, [x]).enclose(Enclosure.exactly(x))
    for result, exact in zip((whole, part, same), function(x), strict=True):
        assert float(result.lower) <= float(exact) <= float(result.upper)
