"""Aligned models with one skill, and gradient flows that leave them as the Alignment Instability Condition says.

The condition holds by construction (see `boundcheck.dynamics.Instability`); what is drawn is how strongly, and where in time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeVar, get_args

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.dynamics.instability import Instability, RelaxedInstability, SkillStep
from boundcheck.errors import BoundcheckError
from boundcheck.geometry import BernoulliPolicy, GaussianPolicy, HadamardPolicy, WhitenedPolicy, free_of_unit
from boundcheck.strategies.lanes import LaneStream

PolicyKind = Literal["gaussian", "softmax", "bernoulli"]
KINDS: tuple[PolicyKind, ...] = get_args(PolicyKind)
_POLICIES: dict[PolicyKind, type[WhitenedPolicy]] = {
    "gaussian": GaussianPolicy,
    "softmax": HadamardPolicy,
    "bernoulli": BernoulliPolicy,
}

BENDS = (0.0, 1.0, 1.0)
Overlap = Literal["none", "some", "any"]
_R = TypeVar("_R", bound="_Sizes")


@dataclass(frozen=True)
class _Sizes:
    """What the recipes of this module share.

    Attributes:
        policy: of q outputs. sensitive: d. parameters: n. bend: how strongly the outputs are curved, a factor (0: affine).
        steepest: largest √λ_1.
        seed: of the lanes.

    """

    policy: WhitenedPolicy
    sensitive: int
    parameters: int
    bend: float = 1.0
    steepest: float = 3.0
    seed: int = 0

    @property
    def label(self) -> str:
        """WhitenedPolicy and sizes."""
        return f"{type(self.policy).__name__} q={self.policy.outputs} d={self.sensitive} n={self.parameters}"


@dataclass(frozen=True)
class SkillRecipe(_Sizes):
    """The structure of a batch of skills with a displacement each; its fields are policy, sensitive, parameters, bend, seed."""

    def build(self, lanes: int, first: int = 0) -> SkillStep:
        """Lanes first, …, first + lanes - 1.

        A third of the displacements are of any size; a third are such that curvature undoes a fair part of J·D, as far as one
        output's can; the others lie in M, except where the outputs are affine and F has a tail (each bound is attained there).
        """
        stream = LaneStream(self.seed, lanes, first)
        skill = SkillStep(**_skill(self, stream), step=torch.zeros(lanes, self.parameters, dtype=torch.float64))
        n, d = self.parameters, self.sensitive
        anywhere = stream.unit(n) * stream.log_uniform(1e-3, 2.0)[:, None]
        along = skill.eigenvectors[..., 0] * stream.choice(-1.0, 1.0)[:, None]
        against = along + 0.1 * stream.choice(0.0, 1.0)[:, None] * stream.normal(n)
        linear, bent = skill.linear(against), skill.bent(against, against)
        undone = -2.0 * (linear * bent).sum(-1) / bent.square().sum(-1).clamp(min=1e-300)
        usable = (undone.abs() > 1e-3) & (undone.abs() < 1e3)
        size = torch.where(usable, undone * stream.uniform(low=0.7, high=1.2), stream.log_uniform(1e-3, 2.0))
        within = (skill.sensitive_basis @ stream.normal(d, 1)).squeeze(-1) * stream.log_uniform(1e-3, 1.0)[:, None]
        kind = stream.uniform()[:, None]
        if self.bend == 0 and d < self.policy.outputs:
            within = anywhere
        step = torch.where(kind < 1 / 3, anywhere, torch.where(kind < 2 / 3, against * size[:, None], within))
        return replace(skill, step=step)


@dataclass(frozen=True)
class InstabilityRecipe(_Sizes):
    """The structure of a batch of flows that leave θ* with parameters ε and γ.

    Attributes:
        cancelled: the κ that lanes choose from; empty: the curvature of the outputs is drawn without regard to the flow.
        overlap: "none" (ε = 0), "some" (ε > 0) or "any".

    """

    cancelled: tuple[float, ...] = (0.0, 0.5, 1.0)
    overlap: Overlap = "any"

    def build(self, lanes: int, first: int = 0) -> Instability:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        skill = _skill(self, stream)
        n, d = self.parameters, self.sensitive
        kappas = self.cancelled
        zero = torch.zeros(lanes, dtype=torch.float64)
        drift = stream.normal(n - d) * stream.log_uniform(0.1, 2.0)[:, None]
        whole = d == n  # nothing lies outside M: the gradient has to be inside
        still = Instability(
            **skill,
            designed=bool(kappas),
            overlap=stream.log_uniform(0.1, 2.0) if whole else zero,
            heading=_toward(stream, d),
            drift=drift,
            coupling=stream.log_uniform(0.1, 3.0),
            steering=_toward(stream, d),
            aside=stream.normal(n - d) * (stream.log_uniform(0.1, 2.0) * stream.choice(0.0, 1.0))[:, None],
            hessian=stream.normal(n, n) * stream.log_uniform(0.01, 1.0)[:, None, None],
            cancelled=_near(stream, kappas),
            time=zero,
        )
        time = _horizon(still) * stream.log_uniform(3e-3, 1.0)
        crossover = still.coupling * time / (2.0 * still.lambda_max.sqrt())
        ratio = stream.log_uniform(1e-2, 2.0)
        some = {"none": 0.0, "some": 1.0, "any": 0.5}[self.overlap]
        overlap = torch.where(stream.uniform() < some, crossover * ratio, zero)
        return replace(still, time=time, overlap=still.overlap if whole else overlap)


@dataclass(frozen=True)
class RelaxedRecipe(InstabilityRecipe):
    """The structure of a batch of flows away from a model that is not optimal for its skill (Assumption 4)."""

    def build(self, lanes: int, first: int = 0) -> RelaxedInstability:
        """Lanes first, …, first + lanes - 1."""
        aligned = InstabilityRecipe.build(self, lanes, first)
        stream = LaneStream(self.seed + 2**32, lanes, first)
        return RelaxedInstability(
            **{f.name: getattr(aligned, f.name) for f in fields(Instability)},
            miss=stream.normal() * stream.choice(0.01, 1.0),
            cubic=stream.normal(self.parameters),
        )


def _toward(stream: LaneStream, d: int) -> Tensor:
    """Free numbers of a uniform direction in d dimensions: `[lanes, d - 1]`."""
    return free_of_unit(stream.unit(d))


def _near(stream: LaneStream, kappas: Sequence[float]) -> Tensor:
    """Three lanes of four take one of the given numbers, the others any in [-1, 2)."""
    anything = stream.uniform(low=-1.0, high=2.0)
    given = stream.choice(*kappas) if kappas else anything
    return torch.where(stream.uniform() < 0.75, given, anything)


def _horizon(still: Instability) -> Tensor:
    """Times up to which the second-order part of the flow leads: `[lanes]`."""
    jerk = still.lambda_max.sqrt() * still.jerk_bound
    size = still.loss_hessian.flatten(-2).square().sum(-1).sqrt()
    return torch.minimum(3.0 * still.coupling / jerk.clamp(min=1e-300), 1.0 / size.clamp(min=1e-2))


def _skill(recipe: _Sizes, stream: LaneStream) -> dict[str, Any]:
    """Structure and leaves of a Skill."""
    q, n, d = recipe.policy.outputs, recipe.parameters, recipe.sensitive
    spread = stream.log_uniform(1.0, 10.0)[:, None]
    top = stream.log_uniform(0.3, recipe.steepest)[:, None]
    share = torch.cat([torch.zeros(stream.lanes, 1, dtype=torch.float64), stream.uniform(q - 1)], dim=-1)
    roots = top * torch.exp(-share * torch.log(spread))
    roots = roots.sort(dim=-1, descending=True).values
    tail = torch.arange(q) >= d
    roots = torch.where(tail, roots * stream.choice(0.01, 0.5, 0.9)[:, None], roots)  # a gap below λ_d
    bend = stream.normal(q, n, n) * (recipe.bend * stream.log_uniform(0.03, 1.0))[:, None, None, None]
    turn = stream.normal(n, n) * stream.choice(0.0, 1.0)[:, None, None]
    prompt = {name: torch.exp(0.5 * stream.normal(*shape)) for name, shape in recipe.policy.prompt_shapes.items()}
    return {
        "policy": recipe.policy, "sensitive": d, "turn": turn, "roots": roots, "bend": bend, "prompt": prompt,
    }  # fmt: skip


def skill_steps(
    *,
    kinds: Sequence[PolicyKind] = KINDS,
    max_outputs: int = 3,
    max_parameters: int = 5,
    tail: bool = True,
    bends: Sequence[float] = BENDS,
) -> st.SearchStrategy[SkillRecipe]:
    """Aligned models with a displacement.

    Args:
        kinds: policies. max_outputs: largest q. max_parameters: largest n. tail: whether F may have eigenvalues outside M. bends:
            factors of the curvature of the outputs.

    """
    return _recipes(SkillRecipe, kinds, max_outputs, max_parameters, tail, {}, bends)


def instabilities(
    *,
    kinds: Sequence[PolicyKind] = KINDS,
    max_outputs: int = 3,
    max_parameters: int = 5,
    tail: bool = True,
    overlap: Overlap = "any",
    cancelled: Sequence[float] = (0.0, 0.5, 1.0),
    bends: Sequence[float] = BENDS,
    steepest: float = 3.0,
) -> st.SearchStrategy[InstabilityRecipe]:
    """Gradient flows of quadratic losses that satisfy the Alignment Instability Condition by construction.

    Args:
        kinds: policies. max_outputs: largest q. max_parameters: largest n. tail: whether F may have eigenvalues outside M.
        overlap: of the gradient at θ* with M. cancelled: shares κ of the acceleration's effect that the curvature of the outputs
            undoes; empty: that curvature is drawn without regard to the flow. bends: factors of the rest of that curvature.
        steepest: largest √λ_1.

    """
    if overlap not in get_args(Overlap):
        raise BoundcheckError(f"overlap={overlap!r}", expected=f"one of {', '.join(get_args(Overlap))}")
    return _recipes(
        InstabilityRecipe,
        kinds,
        max_outputs,
        max_parameters,
        tail,
        {"overlap": overlap, "cancelled": tuple(map(float, cancelled)), "steepest": steepest},
        bends,
    )


def relaxed_instabilities(*, max_outputs: int = 2, max_parameters: int = 4) -> st.SearchStrategy[RelaxedRecipe]:
    """Flows as in `instabilities`, without first-order effect, from a model that meets Assumption 4 and not Assumption 1."""
    return _recipes(
        RelaxedRecipe,
        ["gaussian"],
        max_outputs,
        max_parameters,
        False,
        {"overlap": "none", "cancelled": (0.0, 0.5, 1.0)},
    )


def _recipes(
    kind: type[_R],
    kinds: Sequence[PolicyKind],
    max_outputs: int,
    max_parameters: int,
    tail: bool,
    more: dict[str, Any],
    bends: Sequence[float] = BENDS,
) -> st.SearchStrategy[_R]:
    if not set(kinds) <= set(KINDS) or not kinds:
        raise BoundcheckError(f"kinds={list(kinds)}", expected=f"some of {', '.join(KINDS)}")
    if not 1 <= max_outputs < max_parameters:
        raise BoundcheckError(
            f"max_outputs={max_outputs}, max_parameters={max_parameters}", expected="1 <= max_outputs < max_parameters"
        )

    @st.composite
    def draw(draw: st.DrawFn) -> _R:
        policy = _POLICIES[draw(st.sampled_from(list(kinds)))](draw(st.integers(1, max_outputs)))
        sensitive = draw(st.integers(1, policy.outputs)) if tail else policy.outputs
        parameters = draw(st.integers(max(policy.outputs, sensitive + 1), max_parameters))
        return kind(
            policy=policy,
            sensitive=sensitive,
            parameters=parameters,
            bend=draw(st.sampled_from(list(bends))),
            seed=draw(st.integers(0, 2**31 - 1)),
            **more,
        )

    return draw()
