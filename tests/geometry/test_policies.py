"""Divergences of policies, of any size, against their definition in mpmath."""

from typing import Any

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.geometry import Bernoulli, Gaussian, Policy, Softmax
from tests.geometry.fisher_oracle import POLICIES, random


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
