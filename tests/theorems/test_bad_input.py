"""Awkward instances of the papers' claims: each ends in the right word, by floats and by balls alike, and nothing is lost."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import boundcheck.theorems.local_edits  # noqa: F401 - registers the claims
from boundcheck.claim import registered_claims
from boundcheck.dynamics import FineTuning, Setup, descend
from boundcheck.errors import BoundcheckError
from boundcheck.geometry import Linear, TwoLayer
from boundcheck.search.evaluate import Evaluator
from boundcheck.search.judge import Judge
from boundcheck.strategies.fine_tunings import FineTuningRecipe, SetupRecipe
from boundcheck.verdict import Status

LANES = 4
ON_SETUPS = ("LE-def4:upper", "LE-def4:monotone", "LE-def4:rayleigh", "LE-linear:corrected")
ON_DESCENTS = (
    "LE-6i:U",
    "LE-6ii:U",
    "LE-6iii:U-lower",
    "LE-6iii:U-upper",
    "LE-15:U",
    "LE-16:U",
    "LE-7:U",
    "LE-7:adaptive",
)


def setup(samples: int = 2, inputs: int = 4, **changes: Any) -> Setup:
    problem = SetupRecipe(Linear(inputs), samples, 6, seed=3).build(LANES)
    return replace(problem, **changes)


def with_rows(problem: Setup, x_train: Tensor) -> Setup:
    """The same setups on other samples, labels and all."""
    labels = torch.ones(LANES, x_train.shape[1], 1, dtype=torch.float64)
    return replace(problem, x_train=x_train, y_train=labels)


def statuses(key: str, problem: Setup) -> set[Status]:
    judgement = Judge(registered_claims()[key], proofs=LANES)(problem)
    return {Status(int(status)) for status in judgement.status}


@pytest.mark.parametrize("key", ON_SETUPS)
def test_rank_deficient_jacobians_verify_no_premise(key: str) -> None:
    good = setup()
    twice = good.x_train[:, :1].expand(-1, 2, -1).clone()
    assert statuses(key, with_rows(good, twice)) <= {Status.PREMISE_UNVERIFIED, Status.VACUOUS}


@pytest.mark.parametrize("key", ON_SETUPS)
def test_more_rows_than_parameters(key: str) -> None:
    good = setup()
    many = torch.randn(LANES, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert statuses(key, with_rows(good, many)) <= {Status.PREMISE_UNVERIFIED, Status.VACUOUS}


@pytest.mark.parametrize("key", ON_DESCENTS)
def test_no_residual_is_vacuous(key: str) -> None:
    whole = _setup_of(FineTuningRecipe(TwoLayer(2, 3), 2, 6, seed=1).build(LANES))
    start, labels = torch.zeros_like(whole.theta0), torch.zeros_like(whole.y_train)  # tanh(0) = 0, exactly
    done = descend(replace(whole, theta0=start, y_train=labels), max_steps=64)
    assert statuses(key, done) == {Status.VACUOUS}


@pytest.mark.parametrize("key", ON_DESCENTS)
def test_a_descent_that_has_not_come_far_is_never_broken(key: str) -> None:
    whole = _setup_of(FineTuningRecipe(TwoLayer(2, 3), 2, 6, seed=1).build(LANES))
    for steps in (1, 2, 4):
        found = statuses(key, descend(whole, max_steps=steps))
        assert not found & {Status.VIOLATED_UNCERTIFIED, Status.INVALID}


@pytest.mark.parametrize("key", ON_DESCENTS)
def test_a_diverging_descent_is_vacuous_or_open(key: str) -> None:
    whole = _setup_of(FineTuningRecipe(TwoLayer(2, 3), 2, 6, seed=1).build(LANES))
    found = statuses(key, descend(replace(whole, eta=whole.eta * 1e4), max_steps=256))
    assert found <= {Status.VACUOUS, Status.PREMISE_UNVERIFIED, Status.INCONCLUSIVE}


@pytest.mark.parametrize("poison", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("leaf", ["theta0", "x_train", "y_train", "x_eval", "alpha"])
def test_a_poisoned_lane_is_invalid_and_the_others_are_as_before(leaf: str, poison: float) -> None:
    good = setup()
    before = Evaluator(registered_claims()["LE-linear:corrected"])(good)
    bad = {name: tensor.clone() for name, tensor in good.leaves().items()}
    bad[leaf][3].view(-1)[0] = poison
    after = Evaluator(registered_claims()["LE-linear:corrected"])(good.with_leaves(bad))
    assert after.status[3] == Status.INVALID
    others = torch.arange(LANES) != 3
    assert torch.equal(after.status[others], before.status[others])


def test_huge_and_tiny_numbers_are_never_broken() -> None:
    good = setup()
    for factor in (1e-200, 1e-150, 1e150, 1e200, 1e300):
        scaled = replace(good, x_train=good.x_train * factor)
        for key in ON_SETUPS:
            assert Status.VIOLATED_UNCERTIFIED not in statuses(key, scaled)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.bfloat16])
def test_narrow_floats_are_refused_in_one_sentence(dtype: torch.dtype) -> None:
    with pytest.raises(BoundcheckError, match="expected float64 tensors"):
        Evaluator(registered_claims()["LE-linear:corrected"])(setup(theta0=setup().theta0.to(dtype)))


def test_memory_layout_does_not_matter() -> None:
    good = setup()
    strided = replace(good, x_train=good.x_train.mT.contiguous().mT, theta0=good.theta0.repeat(1, 2)[:, ::2].clone())
    plain = replace(strided, x_train=strided.x_train.contiguous(), theta0=strided.theta0.contiguous())
    claim = registered_claims()["LE-linear:corrected"]
    assert not strided.x_train.is_contiguous()
    assert torch.equal(Evaluator(claim)(strided).status, Evaluator(claim)(plain).status)


def test_no_samples_at_all() -> None:
    good = setup()
    with pytest.raises((BoundcheckError, IndexError)):
        statuses("LE-linear:corrected", with_rows(good, good.x_train[:, :0]))


def _setup_of(problem: FineTuning) -> Setup:
    leaves = problem.leaves()
    frozen = {name.removeprefix("frozen."): leaf for name, leaf in leaves.items() if name.startswith("frozen.")}
    names = ("theta0", "x_train", "y_train", "x_eval", "alpha", "eta", "rho0")
    return Setup(family=problem.family, frozen=frozen, **{name: leaves[name] for name in names})
