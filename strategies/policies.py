"""Softmax policies with finitely many prompts and responses, before and after an update: each built from free numbers, so that
what has structure (a distribution, an eigenbasis of the Fisher matrix) has it whatever numbers stand in the leaves.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.geometry import divergence, rotation, spread
from boundcheck.problem import Problem
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.sizes import SEEDS, require_sizes
from boundcheck.strategies.spectra import falling_roots
from boundcheck.strategies.tilts import SKEWEST


@dataclass(frozen=True)
class ReferencePolicy(Problem):
    """A reference distribution D(y|x), and a policy before and after an update, each with numbers of its own.

    Leaves: log_prompts `[X]` (D(x) is their softmax), weights `[X, Y]` > 0 (D(y|x) is each row over its sum), factors `[X]` > 0
    (a policy that agrees with D has logits log(factor·weight)), base `[X, Y]` (logits of one that need not agree), change
    `[X, Y]` (what the update adds to the logits).
    """

    log_prompts: Tensor
    weights: Tensor
    factors: Tensor
    base: Tensor
    change: Tensor

    def admissible(self) -> Tensor:
        return (self.weights > 0).all(-1).all(-1) & (self.factors > 0).all(-1)

    @property
    def prompts(self) -> Tensor:
        """D(x)."""
        return torch.softmax(self.log_prompts, -1)

    @property
    def support(self) -> Tensor:
        """The smallest of the weights and factors: D has full support where it is above 0."""
        return torch.minimum(self.weights.amin((-2, -1)), self.factors.amin(-1))

    @property
    def _positive(self) -> Tensor:
        """The weights, 1 for those that are not above 0: a premise is broken there, and no number of theirs is looked at."""
        return torch.where(self.weights > 0, self.weights, torch.ones_like(self.weights))

    @property
    def reference(self) -> Tensor:
        """D(y|x)."""
        return self._positive / self._positive.sum(-1, keepdim=True)

    @property
    def agreeing(self) -> Tensor:
        """Logits `[X, Y]` of the policy that agrees with D."""
        factors = torch.where(self.factors > 0, self.factors, torch.ones_like(self.factors))
        return torch.log(factors.unsqueeze(-1) * self._positive)

    def mean(self, per_prompt: Tensor) -> Tensor:
        """The expectation over x of `[X]`."""
        return (self.prompts * per_prompt).sum(-1)


@dataclass(frozen=True)
class ReferencePolicyRecipe:
    """The structure of a batch of ReferencePolicies: X prompts, Y responses."""

    prompts: int
    responses: int
    seed: int = 0

    @property
    def label(self) -> str:
        """Sizes."""
        return f"X={self.prompts} Y={self.responses}"

    def build(self, lanes: int, first: int = 0) -> ReferencePolicy:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        sizes = (self.prompts, self.responses)
        size = stream.log_uniform(1e-2, 4.0)[:, None, None]
        return ReferencePolicy(
            log_prompts=stream.normal(self.prompts),
            weights=torch.exp(2 * stream.normal(*sizes)),
            factors=torch.exp(stream.normal(self.prompts)),
            base=stream.normal(*sizes),
            change=size * stream.normal(*sizes),
        )


def reference_policies(*, max_prompts: int = 3, max_responses: int = 5) -> st.SearchStrategy[ReferencePolicyRecipe]:
    """Reference distributions with a policy that agrees with them and one that does not.

    Args:
        max_prompts: largest X. max_responses: largest Y.

    """
    require_sizes(least=1, max_prompts=max_prompts)
    require_sizes(max_responses=max_responses)
    return st.builds(
        ReferencePolicyRecipe,
        prompts=st.integers(1, max_prompts),
        responses=st.integers(2, max_responses),
        seed=SEEDS,
    )


@dataclass(frozen=True)
class LinearPolicy(Problem):
    """π_θ(y|x) ∝ exp(base_xy + Φ_xy·(θ - θ*)), with full support. The update is θ - θ* = D.

    Leaves: log_prompts `[X]`, base `[X, Y]`, features `[X, Y, n]` (Φ), displacement `[n]` (D).
    """

    log_prompts: Tensor
    base: Tensor
    features: Tensor
    displacement: Tensor

    @property
    def prompts(self) -> Tensor:
        """The probabilities of the prompts."""
        return torch.softmax(self.log_prompts, -1)

    @property
    def aligned(self) -> Tensor:
        """π_θ*(y|x) `[X, Y]`."""
        return torch.softmax(self.base, -1)

    @property
    def shifts(self) -> Tensor:
        """What the update adds to the logits `[X, Y]`."""
        return self.features @ self.displacement

    @property
    def drop(self) -> Tensor:
        """Δu = E_x KL(π_θ*‖π_θ), where D is π_θ* (Assumption 1)."""
        return (self.prompts * divergence(self.aligned, self.shifts)).sum(-1)

    @property
    def fisher(self) -> Tensor:
        """F = E_x Cov(Φ_x) `[n, n]`, the covariances under π_θ*(·|x)."""
        p = self.aligned.unsqueeze(-1)
        centred = self.features - (p * self.features).sum(-2, keepdim=True)
        weight = self.prompts.unsqueeze(-1).unsqueeze(-1) * p
        rows = (weight.sqrt() * centred).flatten(-3, -2)
        return rows.mT @ rows

    @property
    def length(self) -> Tensor:
        """‖D‖."""
        return torch.linalg.vector_norm(self.displacement, dim=-1)


@dataclass(frozen=True)
class LinearPolicyRecipe:
    """The structure of a batch of LinearPolicies.

    Attributes:
        prompts, responses, dim: X, Y, n. seed: of the lanes.
        kind: any: independent numbers. contrast: two responses carry the probability, at odds of any size; features tell them
            apart along one direction, and D lies along it. skewed: the same at the odds of the largest third cumulant.

    """

    prompts: int
    responses: int
    dim: int
    kind: Literal["contrast", "skewed", "any"] = "contrast"
    seed: int = 0

    @property
    def label(self) -> str:
        """Kind and sizes."""
        return f"{self.kind} X={self.prompts} Y={self.responses} n={self.dim}"

    def build(self, lanes: int, first: int = 0) -> LinearPolicy:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        X, Y, n = self.prompts, self.responses, self.dim
        log_prompts, features, along = stream.normal(X), stream.normal(X, Y, n), stream.unit(n)
        base = stream.normal(X, Y)
        size = stream.log_uniform(3e-3, 3.0)[:, None]
        if self.kind != "any":
            odds = stream.uniform(X, low=math.log(1e-3), high=math.log(0.5))
            odds = torch.exp(odds) if self.kind == "contrast" else SKEWEST + torch.zeros_like(odds)
            pair = torch.stack([torch.log(odds), torch.log(1 - odds)], -1)
            base = torch.cat([pair, -12.0 + base[..., 2:]], -1)
            contrast = torch.zeros(Y, dtype=torch.float64)
            contrast[:2] = torch.tensor([1.0, -1.0])
            sign = stream.choice(-1.0, 1.0)[:, None, None, None]
            noise = stream.choice(0.0, 1e-3, 1e-1)[:, None, None, None]
            features = sign * contrast[:, None] * along[:, None, None, :] + noise * features
        return LinearPolicy(log_prompts, base, features, size * along)


def linear_policies(
    *, max_prompts: int = 3, max_responses: int = 4, max_dim: int = 4
) -> st.SearchStrategy[LinearPolicyRecipe]:
    """Softmax policies with logits linear in the parameters, and an update of a length from 0.003 to 3.

    Args:
        max_prompts: largest X. max_responses: largest Y. max_dim: largest n.

    """
    require_sizes(least=1, max_prompts=max_prompts)
    require_sizes(max_responses=max_responses, max_dim=max_dim)
    return st.builds(
        LinearPolicyRecipe,
        prompts=st.integers(1, max_prompts),
        responses=st.integers(2, max_responses),
        dim=st.integers(1, max_dim),
        kind=st.sampled_from(["contrast", "skewed", "any"]),
        seed=SEEDS,
    )


@dataclass(frozen=True)
class ShapedPolicy(Problem):
    """A softmax-linear policy whose Fisher matrix is V·diag(λ)·Vᵀ by construction, λ_j = μ_j²·E_x[s_x²].

    Leaves: log_prompts `[X]`, base `[X, Y]`, roots `[q]` (μ >= 0, decreasing, q <= min(n, Y - 1)), scales `[X]` (s), free
    `[n, n]` (V is its Cayley transform), displacement `[n]`. Structure: top, the rank d <= q of the projector.

    With p = π_θ*(·|x), the columns of a Householder matrix that are orthogonal to √p, divided by √p, are functions of y of mean 0
    with covariance I under p. Features made of them, Φ_x = s_x·diag(1/√p)·H_x·diag(μ)·Vᵀ, have Cov(Φ_x) = s_x²·V·diag(μ²)·Vᵀ.
    """

    log_prompts: Tensor
    base: Tensor
    roots: Tensor
    scales: Tensor
    free: Tensor
    displacement: Tensor
    top: int

    def admissible(self) -> Tensor:
        falling = torch.cat([self.roots[:, :-1] - self.roots[:, 1:], self.roots[:, -1:]], -1)
        return (falling >= 0).all(-1)

    @property
    def coordinates(self) -> Tensor:
        """(Vᵀ·D)_j for j <= q."""
        return (rotation(self.free).mT @ self.displacement)[..., : self.roots.shape[-1]]

    @property
    def frame(self) -> Tensor:
        """diag(1/√p)·H_x `[X, Y, q]`: for each x, q functions of y of mean 0 and covariance I under π_θ*(·|x)."""
        root = torch.softmax(self.base, -1).sqrt()
        Y, q = self.base.shape[-1], self.roots.shape[-1]
        mirror = torch.cat([root[..., :1] + 1, root[..., 1:]], -1)
        unit = torch.eye(Y, dtype=root.dtype, device=root.device)[:, 1 : q + 1]
        columns = unit - mirror.unsqueeze(-1) * root[..., 1 : q + 1].unsqueeze(-2) / (1 + root[..., :1].unsqueeze(-1))
        return columns / root.unsqueeze(-1)

    @property
    def linear(self) -> LinearPolicy:
        """The same policy by its features."""
        V = rotation(self.free)[..., : self.roots.shape[-1]]
        mixed = self.frame @ (V * self.roots.unsqueeze(-2)).mT.unsqueeze(-3)
        features = self.scales.unsqueeze(-1).unsqueeze(-1) * mixed
        return LinearPolicy(self.log_prompts, self.base, features, self.displacement)

    @property
    def eigenvalues(self) -> Tensor:
        """λ_1, …, λ_q of F; the others are 0."""
        return self.roots.square() * (torch.softmax(self.log_prompts, -1) * self.scales.square()).sum(-1, keepdim=True)


@dataclass(frozen=True)
class ShapedPolicyRecipe:
    """The structure of a batch of ShapedPolicies: X, Y, n, the number q of nonzero eigenvalues, the rank d of the projector."""

    prompts: int
    responses: int
    dim: int
    rank: int
    top: int
    kind: Literal["rare", "any"] = "rare"
    seed: int = 0

    @property
    def label(self) -> str:
        """Kind and sizes."""
        return f"{self.kind} X={self.prompts} Y={self.responses} n={self.dim} q={self.rank} d={self.top}"

    def build(self, lanes: int, first: int = 0) -> ShapedPolicy:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        X, Y, n, q = self.prompts, self.responses, self.dim, self.rank
        base = stream.normal(X, Y)
        if self.kind == "rare":
            base[..., 1] = base[..., 1] - stream.uniform(X, low=0.0, high=14.0)
        roots = falling_roots(stream, q, self.top, "any")
        free = stream.normal(n, n)
        V = rotation(free)
        aim = torch.where(stream.uniform()[:, None] < 0.5, V[..., 0], stream.unit(n))
        sign = stream.choice(-1.0, 1.0)[:, None]
        bare = ShapedPolicy(
            stream.normal(X), base, roots, torch.exp(0.3 * stream.normal(X)), free, sign * aim, self.top
        )
        moved = bare.linear.features @ bare.displacement[:, None, :, None]
        reach = spread(moved.squeeze(-1)).amax(-1)
        size = stream.log_uniform(1e-2, 10.0) / reach.clamp(min=1e-9)
        return ShapedPolicy(
            bare.log_prompts, base, roots, bare.scales, free, size[:, None] * bare.displacement, self.top
        )


def shaped_policies(
    *, max_prompts: int = 2, max_responses: int = 4, max_dim: int = 4
) -> st.SearchStrategy[ShapedPolicyRecipe]:
    """Softmax-linear policies with a Fisher matrix of known eigenvectors, and an update that moves logits by 0.01 to 10.

    Args:
        max_prompts: largest X. max_responses: largest Y. max_dim: largest n.

    """
    require_sizes(least=1, max_prompts=max_prompts)
    require_sizes(max_responses=max_responses, max_dim=max_dim)

    @st.composite
    def draw(draw: st.DrawFn) -> ShapedPolicyRecipe:
        responses, dim = draw(st.integers(2, max_responses)), draw(st.integers(1, max_dim))
        rank = draw(st.integers(1, min(dim, responses - 1)))
        return ShapedPolicyRecipe(
            prompts=draw(st.integers(1, max_prompts)),
            responses=responses,
            dim=dim,
            rank=rank,
            top=draw(st.integers(1, rank)),
            kind=draw(st.sampled_from(["rare", "any"])),
            seed=draw(SEEDS),
        )

    return draw()
