"""The flow of a quadratic loss against mpmath's exponential, an integrator, and closed forms."""

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy.integrate import odeint
from torch import Tensor
from torch.func import jacfwd, vmap

from boundcheck.dynamics import quadratic_flow, quadratic_motion
from boundcheck.rigor import Enclosure, trace

HESSIANS = ["definite", "indefinite", "singular", "zero", "stiff"]


def number(value: float | list[float]) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def drawn(kind: str, n: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = {
        "definite": torch.linspace(0.5, 2.0, n),
        "indefinite": torch.linspace(-1.5, 2.0, n),
        "singular": torch.cat([torch.zeros(n - 1), torch.ones(1)]),
        "zero": torch.zeros(n),
        "stiff": torch.logspace(-3, 3, n),
    }[kind].double()
    turn = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64, generator=generator)).Q
    hessian = turn @ torch.diag(values) @ turn.T
    return (hessian + hessian.T) / 2, torch.randn(n, dtype=torch.float64, generator=generator)


def exact(hessian: Tensor, gradient: Tensor, time: float) -> list[mpmath.mpf]:
    """-∫exp(-Hs)g ds by the Taylor series of the integral, in many digits: no block matrix, no scaling of ours."""
    n = len(gradient)
    with mpmath.workdps(60 + int(time * float(torch.linalg.matrix_norm(hessian, 2)))):
        H, g, t = mpmath.matrix(hessian.tolist()), mpmath.matrix(gradient.tolist()), mpmath.mpf(time)
        term, total = -t * g, mpmath.matrix(n, 1)
        for k in range(2, 20000):
            total += term
            term = -(t / k) * (H * term)
            if mpmath.mnorm(term, "inf") <= mpmath.mpf(10) ** -50 * mpmath.mnorm(total, "inf"):
                break
        return list(total)


def error(found: Tensor, hessian: Tensor, gradient: Tensor, time: float) -> float:
    truth = exact(hessian, gradient, time)
    off = mpmath.sqrt(sum((mpmath.mpf(a) - b) ** 2 for a, b in zip(found.tolist(), truth, strict=True)))
    return float(off / max(mpmath.sqrt(sum(b * b for b in truth)), mpmath.mpf(10) ** -300))


@pytest.mark.parametrize("kind", HESSIANS)
@pytest.mark.parametrize("time", [1e-8, 1e-3, 1e-2, 0.7, 5.0])
def test_the_flow_is_the_series_in_many_digits(kind: str, time: float) -> None:
    if kind == "stiff" and time == 5.0:
        time = 0.05  # the series needs thousands of terms beyond
    hessian, gradient = drawn(kind)
    allowed = 5e-15 + 2.0**-51 * time * float(torch.linalg.matrix_norm(hessian, 2))  # what rounding H alone can do
    assert error(quadratic_flow(hessian, gradient, number(time)), hessian, gradient, time) < allowed


def test_mpmath_exponentiates_the_block_matrix_to_the_same() -> None:
    hessian, gradient = drawn("indefinite")
    block = mpmath.matrix(5, 5)
    for i in range(4):
        for j in range(4):
            block[i, j] = -mpmath.mpf(float(hessian[i, j])) * mpmath.mpf(1.5)
        block[i, 4] = -mpmath.mpf(float(gradient[i])) * mpmath.mpf(1.5)
    with mpmath.workdps(40):
        column = mpmath.expm(block)[:4, 4]
    found = quadratic_flow(hessian, gradient, number(1.5))
    assert all(abs(float(a - mpmath.mpf(b))) < 1e-14 for a, b in zip(column, found.tolist(), strict=True))


@pytest.mark.parametrize("kind", HESSIANS[:4])
def test_an_integrator_ends_there(kind: str) -> None:
    hessian, gradient = drawn(kind, seed=1)
    H, g = hessian.numpy(), gradient.numpy()
    path = odeint(lambda d, _: -(g + H @ d), np.zeros(4), [0.0, 0.5, 3.0], rtol=1e-12, atol=1e-13)
    found = quadratic_flow(hessian, gradient, number([0.0, 0.5, 3.0]))
    np.testing.assert_allclose(found.numpy(), path, rtol=1e-9, atol=1e-10)


def test_without_curvature_it_is_a_straight_line_and_at_time_zero_nothing() -> None:
    hessian, gradient = drawn("zero")
    time = number([0.0, 1e-300, 0.25, -2.0])
    torch.testing.assert_close(quadratic_flow(hessian, gradient, time), -time[:, None] * gradient, rtol=1e-15, atol=0)
    hessian, gradient = drawn("indefinite")
    assert torch.equal(quadratic_flow(hessian, gradient, number(0.0)), torch.zeros(4).double())
    assert torch.equal(quadratic_flow(hessian, 0 * gradient, number(3.0)), torch.zeros(4).double())


def test_in_the_long_run_it_is_at_the_minimum() -> None:
    hessian, gradient = drawn("definite")
    found = quadratic_flow(hessian, gradient, number(1e3))
    torch.testing.assert_close(found, -torch.linalg.solve(hessian, gradient), rtol=1e-11, atol=0)


def test_a_large_gradient_costs_no_accuracy() -> None:
    hessian, gradient = drawn("indefinite")
    for size in (1e-200, 1e-6, 1e9, 1e150):
        found = quadratic_flow(hessian, size * gradient, number(0.7))
        assert error(found, hessian, size * gradient, 0.7) < 2e-14


def test_backwards_and_in_pieces() -> None:
    """Flowing on from D(s) with the gradient found there, and back again."""
    hessian, gradient = drawn("indefinite", seed=3)
    s, t = number(0.4), number(1.1)
    here = quadratic_motion(hessian, gradient, s)
    on = here.displacement + quadratic_flow(hessian, -here.velocity, t)
    torch.testing.assert_close(on, quadratic_flow(hessian, gradient, s + t), rtol=1e-13, atol=1e-13)
    back = here.displacement + quadratic_flow(hessian, -here.velocity, -s)
    torch.testing.assert_close(back, torch.zeros_like(back), rtol=0, atol=1e-14)


def test_its_derivatives_are_those_in_time() -> None:
    hessian, gradient = drawn("indefinite", seed=4)

    def at(t: Tensor) -> Tensor:
        return quadratic_flow(hessian, gradient, t)

    time = number(0.6)
    motion = quadratic_motion(hessian, gradient, time)
    h = 1e-3
    nodes = torch.stack([at(time + k * h) for k in (-3, -2, -1, 0, 1, 2, 3)])
    second = (number([2.0, -27, 270, -490, 270, -27, 2]) @ nodes) / (180 * h * h)
    third = (number([1.0, -8, 13, 0, -13, 8, -1]) @ nodes) / (8 * h**3)
    torch.testing.assert_close(motion.velocity, jacfwd(at)(time), rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(motion.acceleration, second, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(motion.jerk, third, rtol=1e-5, atol=1e-5)


def test_batches_lanes_and_times_agree_with_one_at_a_time() -> None:
    pairs = [drawn(kind, seed=5) for kind in HESSIANS[:4]]
    hessian, gradient = torch.stack([h for h, _ in pairs]), torch.stack([g for _, g in pairs])
    time = number([0.1, 0.2, 0.3, 0.4])
    alone = torch.stack([quadratic_flow(*args) for args in zip(hessian, gradient, time, strict=True)])
    for found in (quadratic_flow(hessian, gradient, time), vmap(quadratic_flow)(hessian, gradient, time)):
        torch.testing.assert_close(found, alone, rtol=1e-14, atol=1e-15)
    table = quadratic_flow(hessian[:, None], gradient[:, None], time)
    assert table.shape == (4, 4, 4)
    torch.testing.assert_close(table[range(4), range(4)], alone, rtol=1e-14, atol=1e-15)


def test_one_parameter_and_narrow_floats() -> None:
    found = quadratic_flow(torch.tensor([[2.0]]), torch.tensor([3.0]), torch.tensor(0.5))
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(-1.5 * -math.expm1(-1.0), rel=1e-6)


def test_what_overflows_is_not_finite() -> None:
    hessian, gradient = drawn("indefinite")
    assert not bool(quadratic_flow(hessian, gradient, number(1e4)).isfinite().all())
    assert not bool(quadratic_flow(hessian * math.nan, gradient, number(1.0)).isfinite().any())


@pytest.mark.parametrize("kind", HESSIANS)
def test_it_is_enclosed_when_traced(kind: str) -> None:
    hessian, gradient = drawn(kind)
    time = number(0.05)
    leaves = [hessian[None], gradient[None], time[None]]
    traced = trace(lambda *leaf: [vmap(quadratic_flow)(*leaf)], leaves)
    (found,) = traced.enclose(*map(Enclosure.exactly, leaves))
    truth = exact(hessian, gradient, 0.05)
    for mid, rad, value in zip(found.mid[0].tolist(), found.rad[0].tolist(), truth, strict=True):
        assert abs(mpmath.mpf(mid) - value) <= mpmath.mpf(rad)
        assert rad <= 1e-11
