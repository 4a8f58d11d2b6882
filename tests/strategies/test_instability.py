"""What the strategies of skills and instabilities reach, and that lanes do not depend on their batch."""

from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import Phase, settings

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import BernoulliPolicy, GaussianPolicy, HadamardPolicy
from boundcheck.strategies import instabilities, relaxed_instabilities, skill_steps
from boundcheck.strategies.instability import InstabilityRecipe, RelaxedRecipe, SkillRecipe

QUIET = settings(max_examples=100, database=None, deadline=None, phases=[Phase.generate], derandomize=True)

REACHED: dict[str, Callable[[Any], bool]] = {
    "gaussian": lambda r: isinstance(r.policy, GaussianPolicy),
    "softmax": lambda r: isinstance(r.policy, HadamardPolicy),
    "bernoulli": lambda r: isinstance(r.policy, BernoulliPolicy),
    "one sensitive direction": lambda r: r.sensitive == 1,
    "a tail": lambda r: r.sensitive < r.policy.outputs,
    "no tail": lambda r: r.sensitive == r.policy.outputs > 1,
    "affine outputs": lambda r: r.bend == 0,
    "as many parameters as allowed": lambda r: r.parameters == 5,
}


@pytest.mark.parametrize("strategy", [skill_steps(), instabilities()], ids=["skill_steps", "instabilities"])
@pytest.mark.parametrize("what", REACHED)
def test_each_structure_is_reached_within_a_hundred_examples(strategy: Any, what: str) -> None:
    hypothesis.find(strategy, REACHED[what], settings=QUIET)


@pytest.mark.parametrize("kind", [SkillRecipe, InstabilityRecipe, RelaxedRecipe])
def test_a_lane_is_the_same_whatever_batch_it_is_in(kind: Any) -> None:
    recipe = kind(policy=GaussianPolicy(2), sensitive=1, parameters=4, seed=3)
    batch, alone = recipe.build(8).leaves(), recipe.build(1, first=5).leaves()
    for name, leaf in batch.items():
        assert torch.allclose(leaf[5], alone[name][0], rtol=1e-12, atol=0), name  # LAPACK's last bits


def test_numbers_reach_what_the_claims_need() -> None:
    p = InstabilityRecipe(policy=GaussianPolicy(2), sensitive=2, parameters=4, seed=1).build(512)
    first_order = p.lambda_max.sqrt() * p.overlap
    second_order = 0.5 * p.coupling * p.time
    assert 0.3 < float((p.overlap == 0).double().mean()) < 0.7
    assert float((first_order > second_order).double().mean()) > 0.02
    assert float(((first_order > 0) & (first_order < 0.1 * second_order)).double().mean()) > 0.1
    for kappa in (0.0, 0.5, 1.0):
        assert float((p.cancelled == kappa).double().mean()) > 0.1
    assert float((p.lambda_max > 1).double().mean()) > 0.2
    assert float((p.lambda_max < 1).double().mean()) > 0.2
    assert float(p.time.min()) < 0.05 * float(p.time.max())
    none = InstabilityRecipe(policy=GaussianPolicy(2), sensitive=2, parameters=4, seed=1, overlap="none").build(64)
    assert not bool(none.overlap.any())


def test_steps_reach_where_curvature_undoes_what_moving_costs() -> None:
    p = SkillRecipe(GaussianPolicy(1), sensitive=1, parameters=2, seed=2).build(512)
    undone = p.drop(p.step) < 0.1 * 0.5 * p.linear(p.step).square().sum(-1)
    assert float(undone.double().mean()) > 0.02
    inside = torch.linalg.vector_norm(p.inside(p.step), dim=-1) > (1 - 1e-12) * p.step_norm
    assert float(inside.double().mean()) > 0.2


def test_options_that_fit_nothing_are_refused() -> None:
    for wrong in (
        lambda: skill_steps(kinds=["laplace"]),  # type: ignore[list-item]
        lambda: skill_steps(kinds=[]),
        lambda: instabilities(overlap="all"),  # type: ignore[arg-type]
        lambda: instabilities(max_outputs=5, max_parameters=5),
        lambda: relaxed_instabilities(max_outputs=0),
    ):
        with pytest.raises(BoundcheckError, match="expected"):
            wrong()
