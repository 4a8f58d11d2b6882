"""Instances meet Definition 5.1 with the parameters they name; flows, outputs and bounds against independent computations."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from boundcheck.dynamics import Instability, SkillStep
from boundcheck.errors import BoundcheckError
from boundcheck.geometry import BernoulliPolicy, GaussianPolicy, HadamardPolicy, WhitenedPolicy
from boundcheck.strategies.instability import InstabilityRecipe, RelaxedRecipe, SkillRecipe

RECIPES = [
    InstabilityRecipe(policy=policy, sensitive=d, parameters=n, seed=seed)
    for seed, (policy, d, n) in enumerate(
        [
            (GaussianPolicy(1), 1, 2),
            (GaussianPolicy(3), 2, 5),
            (HadamardPolicy(2), 2, 4),
            (BernoulliPolicy(3), 1, 4),
            (GaussianPolicy(2), 2, 3),
        ]
    )
]


def one(problem: Instability, lane: int) -> Instability:
    """A lane as a claim sees it."""
    return problem.with_leaves({name: leaf[lane] for name, leaf in problem.leaves().items()})


def close(left: Tensor, right: Tensor, rel: float = 1e-9) -> None:
    assert torch.allclose(left, right, rtol=rel, atol=rel * float(right.abs().max().clamp(min=1e-30)))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.label)
def test_the_condition_holds_with_the_named_parameters(recipe: InstabilityRecipe) -> None:
    p = recipe.build(32)
    J = p.jacobian
    fisher = J.mT @ J
    values, vectors = torch.linalg.eigh(fisher)
    d = recipe.sensitive
    top = vectors[..., -d:]
    close(values[..., -1], p.lambda_max)
    close(values[..., -d], p.lambda_d)
    below = values[..., -d - 1] if d < recipe.parameters else torch.zeros(32, dtype=torch.float64)
    close(values[..., -d] - below, p.gap, 1e-7)
    v, a = p.velocity, p.acceleration
    epsilon = torch.linalg.vector_norm((top.mT @ v[..., None]).squeeze(-1), dim=-1)
    assert torch.allclose(epsilon, p.overlap, atol=1e-9)
    root = top * values[..., None, -d:].clamp(min=0).sqrt() @ top.mT  # F^{1/2}·P
    close(torch.linalg.vector_norm((root @ a[..., None]).squeeze(-1), dim=-1), p.coupling, 1e-7)
    close((p.loss_hessian @ v[..., None]).squeeze(-1), a)
    close(v.square().sum(-1), p.speed_sq)
    assert torch.allclose(p.loss_hessian, p.loss_hessian.mT, atol=1e-9)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.label)
def test_curvature_undoes_its_share_of_the_output_acceleration(recipe: InstabilityRecipe) -> None:
    p = recipe.build(32)
    close(p.output_acceleration, (1 - p.cancelled[:, None]) * p.linear(p.acceleration), 1e-7)
    free = replace(recipe, cancelled=()).build(32)
    assert not free.designed
    generic = free.output_acceleration - free.linear(free.acceleration)
    expected = torch.einsum("li,lkij,lj->lk", free.velocity, free.bend, free.velocity)
    close(generic, expected, 1e-9)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.label)
def test_flow_outputs_and_bounds_against_an_integrator(recipe: InstabilityRecipe) -> None:
    p = recipe.build(8)
    for lane in range(8):
        q = one(p, lane)
        A, v, t = q.loss_hessian.numpy(), q.velocity.numpy(), float(q.time)
        path = solve_ivp(lambda _, D, v=v, A=A: -(v + A @ D), (0, t), 0 * v, rtol=1e-11, atol=1e-14, dense_output=True)
        end = path.y[:, -1]
        assert np.allclose(end, q.displacement.numpy(), rtol=1e-7, atol=1e-9 * np.abs(end).max())
        J, B = q.jacobian.numpy(), q.curvature.numpy()
        outputs = np.array([J[k] @ end + 0.5 * end @ B[k] @ end for k in range(len(J))])
        assert np.allclose(outputs, q.outputs(q.displacement).numpy(), rtol=1e-6, atol=1e-9)
        jerk = third = speed = reach = 0.0
        for s in np.linspace(0, t, 9):
            D = path.sol(s)
            D1 = -(v + A @ D)
            D2, D3 = -A @ D1, A @ A @ D1
            f3 = [J[k] @ D3 + 3 * D2 @ B[k] @ D1 + D @ B[k] @ D3 for k in range(len(J))]
            jerk, third = max(jerk, float(np.linalg.norm(D3))), max(third, float(np.linalg.norm(f3)))
            speed, reach = max(speed, float(np.linalg.norm(D1))), max(reach, float(np.linalg.norm(D)))
        for seen, bound in (
            (jerk, q.jerk_bound),
            (third, q.output_jerk_bound),
            (speed, q.top_speed),
            (reach, q.path_bound),
        ):
            assert seen <= float(bound) * (1 + 1e-6)
        directions = torch.randn(100, len(v), 2, dtype=torch.float64, generator=torch.Generator().manual_seed(lane))
        for x, y in (pair.unbind(-1) for pair in directions):
            assert float(torch.linalg.vector_norm(q.bent(x, y))) <= float(q.bend_norm * x.norm() * y.norm()) * (
                1 + 1e-12
            )


def test_the_drop_is_the_divergence_of_the_outputs() -> None:
    p = SkillRecipe(GaussianPolicy(2), sensitive=1, parameters=3, seed=4).build(16)
    f = p.outputs(p.step)
    assert torch.equal(p.drop(p.step), 0.5 * f.square().sum(-1))
    assert float(p.drop(torch.zeros_like(p.step)).abs().max()) == 0


def test_the_relaxed_drop_is_that_of_a_reference_distribution_with_another_mean() -> None:
    p = RelaxedRecipe(policy=GaussianPolicy(2), sensitive=2, parameters=3, seed=5, overlap="none").build(16)
    D = p.displacement
    f = p.outputs(D)
    h = (p.cubic * D).sum(-1) ** 3 / 6
    # E log N(y; (0,0), I) - E log N(y; (f,h), I) for y ~ N((0,m), I): half the difference of the mean squared distances
    before, after = p.miss**2, f.square().sum(-1) + (p.miss - h) ** 2
    close(p.relaxed_drop(D), 0.5 * (after - before), 1e-6)
    fisher = torch.einsum("lki,lkj->lij", p.jacobian, p.jacobian)
    slack = p.relaxed_drop(D) - 0.5 * torch.einsum("li,lij,lj->l", D, fisher, D)
    assert bool((slack >= -p.assumption_4 * torch.linalg.vector_norm(D, dim=-1) ** 3 - 1e-12).all())


def _skill(policy: WhitenedPolicy, sensitive: int, n: int, **changed: Tensor) -> SkillStep:
    leaves = {
        "turn": torch.zeros(1, n, n, dtype=torch.float64),
        "roots": torch.ones(1, policy.outputs, dtype=torch.float64),
        "bend": torch.zeros(1, policy.outputs, n, n, dtype=torch.float64),
        "step": torch.zeros(1, n, dtype=torch.float64),
    } | changed
    prompt = {name: torch.ones(1, *shape, dtype=torch.float64) for name, shape in policy.prompt_shapes.items()}
    return SkillStep(policy, sensitive, prompt=prompt, **leaves)


def test_sizes_that_do_not_fit_are_refused_in_one_sentence() -> None:
    assert _skill(GaussianPolicy(2), 2, 2).parameters == 2  # d = n is allowed: nothing lies outside M
    for policy, sensitive, n in ((GaussianPolicy(2), 3, 4), (GaussianPolicy(3), 1, 2), (GaussianPolicy(1), 0, 2)):
        with pytest.raises(BoundcheckError, match="1 <= d <= q <= n"):
            _skill(policy, sensitive, n)
    with pytest.raises(BoundcheckError, match="leaf roots"):
        _skill(GaussianPolicy(2), 1, 3, roots=torch.ones(1, 3, dtype=torch.float64))
    p = RECIPES[1].build(2)
    for name, shape in {"heading": (2, 4), "hessian": (2, 4, 4), "overlap": (2, 3), "time": (2, 1)}.items():
        wrong: dict[str, Any] = {name: torch.zeros(*shape, dtype=torch.float64)}
        with pytest.raises(BoundcheckError, match=f"leaf {name} is of shape"):
            replace(p, **wrong)
    relaxed = RelaxedRecipe(policy=GaussianPolicy(2), sensitive=2, parameters=3, seed=5, overlap="none").build(2)
    with pytest.raises(BoundcheckError, match="GaussianPolicy"):
        replace(relaxed, policy=HadamardPolicy(2))
