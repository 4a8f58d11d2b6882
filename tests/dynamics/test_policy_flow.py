"""Networks as softmax policies along a gradient flow, against plain loops and an integrator."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from boundcheck.dynamics.policy_flow import PolicyFlow, gradient, mean_divergence, mean_variance, spread
from boundcheck.geometry import TwoLayer
from boundcheck.strategies.neural_policies import PolicyFlowRecipe

RECIPE = PolicyFlowRecipe(TwoLayer(2, 3, 2, "tanh"), samples=2, points=2, seed=1, aligned=False)


@pytest.fixture(scope="module")
def batch() -> PolicyFlow:
    return RECIPE.build(3)


def one(p: PolicyFlow, lane: int) -> PolicyFlow:
    return p.with_leaves({name: leaf[lane] for name, leaf in p.leaves().items()})


def logits(p: PolicyFlow, theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A loop over units, from the family's formula."""
    family = p.family
    assert isinstance(family, TwoLayer)
    W = theta.reshape(family.width, family.inputs)
    head, scale = p.frozen["head"].numpy(), np.sqrt(family.width)
    rows = []
    for row in x:
        hidden = [np.tanh(W[j] @ row) for j in range(family.width)]
        rows.append([sum(head[k, j] * hidden[j] for j in range(family.width)) / scale for k in range(len(head))])
    return np.array(rows)


def test_the_network_is_the_familys(batch: PolicyFlow) -> None:
    p = one(batch, 0)
    assert np.allclose(logits(p, p.theta0.numpy(), p.x_eval.numpy()), p.start.numpy(), rtol=1e-12)


@pytest.mark.parametrize("lane", range(3))
def test_flow_drop_and_rates(batch: PolicyFlow, lane: int) -> None:
    p = one(batch, lane)

    def loss(theta: torch.Tensor) -> torch.Tensor:
        return 0.5 * p.residual(theta).square().sum()

    slope = torch.func.grad(loss)
    assert torch.allclose(gradient(p, p.theta0), slope(p.theta0), rtol=1e-10)
    start = p.theta0.numpy()
    path = solve_ivp(
        lambda _, D: -slope(torch.from_numpy(start + D)).numpy(), (0, float(p.time)), 0 * start, rtol=1e-11, atol=1e-15,
        dense_output=True,
    )  # fmt: skip
    assert np.linalg.norm(path.y[:, -1] - p.displacement.numpy()) <= float(p.displacement_radius) + 1e-9
    before, after = p.start.numpy(), logits(p, start + p.displacement.numpy(), p.x_eval.numpy())
    kl = 0.0
    for x in range(len(before)):
        log_p = before[x] - np.log(np.exp(before[x]).sum())
        log_q = after[x] - np.log(np.exp(after[x]).sum())
        kl += float((np.exp(log_p) * (log_p - log_q)).sum()) / len(before)
    assert float(p.drop) == pytest.approx(kl, rel=1e-5, abs=1e-15)
    step = 1e-2 * float(p.time)
    at = [logits(p, start + path.sol(s * step), p.x_eval.numpy()) for s in range(4)]
    first = (-11 / 6 * at[0] + 3 * at[1] - 1.5 * at[2] + at[3] / 3) / step
    second = (2 * at[0] - 5 * at[1] + 4 * at[2] - at[3]) / step**2
    size = np.abs(first).max() / float(p.time)
    assert np.allclose(p.rates[0].numpy(), first, rtol=1e-4, atol=1e-4 * np.abs(first).max())
    assert np.allclose(p.rates[1].numpy(), second, rtol=0.05, atol=0.01 * size)
    third = torch.func.jvp(
        lambda t: torch.stack(one(batch, lane).with_leaves(p.leaves() | {"theta0": t}).rates[:2]),
        (p.theta0,),
        (-gradient(p, p.theta0),),
    )
    assert torch.allclose(third[1][0], p.rates[1], rtol=1e-9)
    assert torch.allclose(third[1][1], p.rates[2], rtol=1e-9)


def test_variance_divergence_and_spread_of_a_few_numbers() -> None:
    z = torch.tensor([[0.0, np.log(3.0)]], dtype=torch.float64)  # probabilities 1/4, 3/4
    w = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    assert float(mean_variance(z, w)) == pytest.approx(3 / 16)
    assert float(mean_divergence(z, w)) == pytest.approx(np.log(0.25 * np.e + 0.75) - 0.25)
    assert float(spread(w)) == 1
    assert float(mean_divergence(z, 0 * w)) == 0


def test_the_flow_is_derived_and_followed_again_the_same(batch: PolicyFlow) -> None:
    assert set(PolicyFlow.derived) == {"displacement", "displacement_radius"}
    assert {f.name for f in fields(PolicyFlow)} > {"time", *PolicyFlow.derived}
    assert torch.equal(batch.settled().displacement, batch.displacement)
    finer = batch.followed(128)
    assert bool((finer.displacement_radius < batch.displacement_radius).all())
    distance = torch.linalg.vector_norm(finer.displacement - batch.displacement, dim=-1)
    assert bool((distance <= finer.displacement_radius + batch.displacement_radius).all())


def test_labels_can_be_such_that_the_gradient_has_no_first_order_effect() -> None:
    p = PolicyFlowRecipe(TwoLayer(2, 4, 2, "tanh"), samples=3, points=1, seed=0).build(4)
    for lane in range(4):
        first, second, _ = one(p, lane).rates
        start = one(p, lane).start
        assert float(mean_variance(start, first)) < 1e-20
        assert float(mean_variance(start, second)) > 1e-14


def test_a_few_rough_steps_end_where_many_fine_ones_do(batch: PolicyFlow) -> None:
    fine, rough = batch.followed(64), batch.approached()
    moved = torch.linalg.vector_norm(fine.displacement, dim=-1)
    assert bool((torch.linalg.vector_norm(rough.displacement - fine.displacement, dim=-1) <= 1e-4 * moved).all())
    assert bool((rough.displacement_radius == 0).all())


def test_rough_steps_have_the_derivatives_of_fine_ones(batch: PolicyFlow) -> None:
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(batch.y_train.shape, dtype=torch.float64, generator=generator)

    def at(t: torch.Tensor) -> PolicyFlow:
        return batch.with_leaves(batch.leaves() | {"y_train": batch.y_train + t * direction})

    step = torch.tensor(1e-4, dtype=torch.float64)
    difference = (at(step).settled().displacement - at(-step).settled().displacement) / (2 * step)
    t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    entries = at(t).approached().displacement.flatten()
    slope = torch.stack([torch.autograd.grad(entry, t, retain_graph=True)[0] for entry in entries])
    assert float((slope - difference.flatten()).norm()) <= 1e-3 * float(difference.norm())
