"""Policies, directions and layers for the claims about alignment: each built from free numbers, so that what has structure (a
distribution, a unit vector, a projector, an eigenbasis) has it whatever numbers stand in the leaves.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.spectra import rotation

SEEDS = st.integers(0, 2**31 - 1)

SKEWEST = (1 - 1 / math.sqrt(3)) / 2
"""The mass of the rarer of two outcomes with the largest third cumulant."""

NUDGE = 2.0**-20
"""How far from an edge "at the edge" is."""


def divergence(probabilities: Tensor, change: Tensor) -> Tensor:
    """KL(p‖q) of p `[..., Y]` from q ∝ p·exp(change): `[...]`.

    As log1p(E[expm1(c) - c]) with c the change minus its mean: log E[exp(c)] with nothing of size 1 to cancel.
    """
    centred = change - (probabilities * change).sum(-1, keepdim=True)
    return torch.log1p((probabilities * (torch.expm1(centred) - centred)).sum(-1))


def spread(values: Tensor) -> Tensor:
    """The largest minus the smallest along the last axis."""
    return values.amax(-1) - values.amin(-1)


def _sizes(**sizes: int) -> None:
    """Refuse sizes that leave nothing to draw from: each is given as what it is called, and is at least 2 unless it says 1."""
    for name, value in sizes.items():
        least = 1 if name in ("max_prompts", "max_rank") else 2
        if not isinstance(value, int) or value < least:
            raise BoundcheckError(f"{name}={value!r}", expected=f"a whole number >= {least}")


# ------------------------------------------------------------------------------------------------------------------ tilts


@dataclass(frozen=True)
class Tilt(Problem):
    """A distribution p and another, q ∝ p·exp(w). Leaves: log_weights `[Y]` (p is their softmax), tilt `[Y]` (w)."""

    log_weights: Tensor
    tilt: Tensor

    @property
    def probabilities(self) -> Tensor:
        """p."""
        return torch.softmax(self.log_weights, -1)

    @property
    def spread(self) -> Tensor:
        """R = max w - min w."""
        return spread(self.tilt)

    @property
    def variance(self) -> Tensor:
        """Var_p(w)."""
        p = self.probabilities
        return (p * (self.tilt - (p * self.tilt).sum(-1, keepdim=True)).square()).sum(-1)

    @property
    def divergence(self) -> Tensor:
        """KL(p‖q)."""
        return divergence(self.probabilities, self.tilt)


TiltKind = Literal["two_point", "rare_low", "rare_high", "skewed", "near_duplicates", "any"]
TILT_KINDS: tuple[TiltKind, ...] = get_args(TiltKind)
RAREST = 1e-7


@dataclass(frozen=True)
class TiltRecipe:
    """The structure of a batch of Tilts.

    Attributes:
        classes: Y. seed: of the lanes.
        kind: two_point: w takes two values, at odds of any size. rare_low, rare_high: one outcome of probability down to 1e-7 has
            the smallest or the largest w, all others the other. skewed: two values at the odds of the largest third cumulant.
            near_duplicates: two values up to a few parts in 10⁶. any: independent numbers.

    """

    classes: int
    kind: TiltKind = "two_point"
    seed: int = 0

    @property
    def label(self) -> str:
        """Kind and size."""
        return f"{self.kind} Y={self.classes}"

    def build(self, lanes: int, first: int = 0) -> Tilt:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        logs, marks = _outcomes(stream, self.classes, self.kind)
        return Tilt(logs, marks * stream.log_uniform(1e-2, 20.0)[:, None])


def _outcomes(stream: LaneStream, classes: int, kind: TiltKind) -> tuple[Tensor, Tensor]:
    """Log-weights and a tilt of spread about 1 of one kind, both `[lanes, classes]`."""
    noise, weights = stream.normal(classes), stream.normal(classes)
    sign = stream.choice(-1.0, 1.0)[:, None]
    rare = torch.exp(stream.uniform(low=math.log(RAREST), high=math.log(0.5)))[:, None]
    first = (torch.arange(classes) == 0).double().expand(stream.lanes, classes)
    if kind == "any":
        return 2 * weights, noise / spread(noise)[:, None]
    if kind == "skewed":
        rare = SKEWEST * torch.exp(0.05 * weights[:, :1])
    if kind in ("rare_low", "rare_high"):
        sign = torch.full_like(sign, -1.0 if kind == "rare_low" else 1.0)
        rare = RAREST * torch.exp(-(math.log(RAREST) - math.log(1e-3)) * stream.uniform()[:, None])
    rest = (1 - rare) / (classes - 1)
    logs = torch.where(first > 0, torch.log(rare), torch.log(rest))
    jitter = 1e-6 * noise if kind == "near_duplicates" else torch.zeros_like(noise)
    return logs, sign * first + jitter


def tilts(*, max_classes: int = 8) -> st.SearchStrategy[TiltRecipe]:
    """Distributions with full support and a tilt of each: of a spread from 0.01 to 20, and as one-sided as can be.

    Args:
        max_classes: largest number of outcomes.

    Raises:
        BoundcheckError: for fewer than 2 outcomes.

    """
    _sizes(max_classes=max_classes)
    return st.builds(TiltRecipe, classes=st.integers(2, max_classes), kind=st.sampled_from(TILT_KINDS), seed=SEEDS)


# -------------------------------------------------------------------------------------------------- softmax-linear policies


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
    def reference(self) -> Tensor:
        """D(y|x)."""
        return self.weights / self.weights.sum(-1, keepdim=True)

    @property
    def agreeing(self) -> Tensor:
        """Logits `[X, Y]` of the policy that agrees with D."""
        return torch.log(self.factors.unsqueeze(-1) * self.weights)

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
    _sizes(max_prompts=max_prompts, max_responses=max_responses)
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
    _sizes(max_prompts=max_prompts, max_responses=max_responses, max_dim=max_dim)
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
        roots = _roots(stream, q, self.top, "any")
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
    _sizes(max_prompts=max_prompts, max_responses=max_responses, max_dim=max_dim)

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


# -------------------------------------------------------------------------------------------- directions, Gaussian policies

Spectrum = Literal["flat", "steps", "decaying", "any"]
SPECTRA: tuple[Spectrum, ...] = get_args(Spectrum)


def _roots(stream: LaneStream, count: int, top: int, spectrum: Spectrum) -> Tensor:
    """Positive numbers, decreasing, `[lanes, count]`: all equal; equal among the first `top` and among the rest; falling
    geometrically; or of any size. In a third of the lanes all are within a tenth of each other, whatever the kind."""
    size, ratio = stream.log_uniform(0.1, 3.0)[:, None], stream.log_uniform(1e-3, 1.0)[:, None]
    ratio = torch.where(stream.uniform()[:, None] < 1 / 3, 1 - 0.1 * ratio, ratio)
    index = torch.arange(count, dtype=torch.float64).expand(stream.lanes, count)
    drawn = stream.uniform(count)
    if spectrum == "flat":
        return size + 0 * index
    if spectrum == "steps":
        return torch.where(index < top, size, size * ratio)
    logs = index / max(count - 1, 1) if spectrum == "decaying" else drawn.sort(-1).values
    return size * torch.exp(logs * torch.log(ratio))


@dataclass(frozen=True)
class Direction(Problem):
    """A unit direction g and a Gaussian policy N(f(θ), I) with f = J·D + ½·B[D, D] and F = JᵀJ = V·diag(μ²)·Vᵀ.

    Leaves: roots `[q]` (μ >= 0, decreasing, q <= n), free `[n, n]` (V is its Cayley transform), aim `[n - 1]` (g is its inverse
    stereographic projection), eta (the step's length), epsilon, bend `[q, n, n]` (B is its symmetric part). Structure: top, the
    rank d of the projector onto the first columns of V, d <= q and d < n; spectrum, the kind of the roots.
    """

    roots: Tensor
    free: Tensor
    aim: Tensor
    eta: Tensor
    epsilon: Tensor
    bend: Tensor
    top: int
    spectrum: str

    def admissible(self) -> Tensor:
        falling = torch.cat([self.roots[:, :-1] - self.roots[:, 1:], self.roots[:, -1:]], -1)
        return (falling >= 0).all(-1) & (self.eta > 0)

    @property
    def dim(self) -> int:
        """n."""
        return self.free.shape[-1]

    @property
    def jacobian(self) -> Tensor:
        """J = diag(μ)·(V's first q columns)ᵀ."""
        q = self.roots.shape[-1]
        return self.roots.unsqueeze(-1) * rotation(self.free)[..., :q].mT

    @property
    def fisher(self) -> Tensor:
        """F = JᵀJ."""
        return self.jacobian.mT @ self.jacobian

    @property
    def largest(self) -> Tensor:
        """λ_1."""
        return self.roots[..., 0].square()

    @property
    def least_of_top(self) -> Tensor:
        """λ_d."""
        return self.roots[..., self.top - 1].square()

    @property
    def next_one(self) -> Tensor:
        """λ_{d+1}: 0 where J has no more rows."""
        return self.roots[..., self.top].square() if self.top < self.roots.shape[-1] else torch.zeros_like(self.largest)

    @property
    def direction(self) -> Tensor:
        """g = (2x, ‖x‖² - 1)/(‖x‖² + 1), of length 1 whatever x is."""
        square = self.aim.square().sum(-1, keepdim=True)
        return torch.cat([2 * self.aim, square - 1], -1) / (square + 1)

    @property
    def top_share(self) -> Tensor:
        """‖P·g‖²."""
        return (rotation(self.free)[..., : self.top].mT @ self.direction).square().sum(-1)

    @property
    def curvature(self) -> Tensor:
        """B `[q, n, n]`, symmetric in its last two indices."""
        return 0.5 * (self.bend + self.bend.mT)

    def drops(self, steps: Tensor) -> Tensor:
        """Δu of each update, rows of `[k, n]`: ½·‖f‖², the divergence of N(f, I) from N(0, I)."""
        curved = ((steps @ self.curvature) * steps).sum(-1).mT
        return 0.5 * (steps @ self.jacobian.mT + 0.5 * curved).square().sum(-1)

    def drop(self, step: Tensor) -> Tensor:
        """Δu of one update `[n]`."""
        return self.drops(step.unsqueeze(-2)).squeeze(-1)


@dataclass(frozen=True)
class DirectionRecipe:
    """The structure of a batch of Directions: n, the number q of outputs, the rank d of the projector, the kind of spectrum."""

    dim: int
    outputs: int
    top: int
    spectrum: Spectrum = "flat"
    seed: int = 0

    @property
    def label(self) -> str:
        """Kind and sizes."""
        return f"{self.spectrum} n={self.dim} q={self.outputs} d={self.top}"

    def build(self, lanes: int, first: int = 0) -> Direction:
        """Lanes first, …, first + lanes - 1."""
        return self._direction(LaneStream(self.seed, lanes, first))

    def _direction(self, stream: LaneStream) -> Direction:
        n, q, d = self.dim, self.outputs, self.top
        roots, free = _roots(stream, q, d, self.spectrum), stream.normal(n, n)
        epsilon, eta = stream.uniform(low=0.01, high=0.99), stream.log_uniform(1e-3, 3.0)
        round_one = torch.where(stream.uniform() < 0.3, 1.0, 0.0)[:, None, None, None]
        noise, along = stream.normal(q, n, n), stream.normal(q)[..., None, None]
        bend = torch.where(round_one > 0, along * torch.eye(n, dtype=torch.float64) + 0.01 * noise, noise)
        bend = bend * (stream.choice(0.0, 1.0, 1.0) * stream.log_uniform(1e-4, 3.0))[:, None, None, None]
        turned = (rotation(free).mT @ stream.unit(n)[..., None]).squeeze(-1)
        inside, outside = turned[:, :d], turned[:, d:]
        drawn = inside.square().sum(-1)
        edge = (1 + epsilon) * d / n * (1 - NUDGE)
        pick = stream.uniform()
        share = torch.where(pick < 0.5, drawn, torch.where(pick < 0.75, edge, 1 - 1e-4 * stream.uniform(low=0.1)))
        share = share.clamp(max=1 - 1e-5)[:, None]
        weakest = (torch.arange(d) == d - 1).double()
        inside = torch.where((stream.uniform() < 0.3)[:, None], weakest, inside / inside.norm(dim=-1, keepdim=True))
        mixed = torch.cat(
            [share.sqrt() * inside, (1 - share).sqrt() * outside / outside.norm(dim=-1, keepdim=True)], -1
        )
        g = (rotation(free) @ mixed[..., None]).squeeze(-1)
        g = torch.where(g[:, -1:] > 0, -g, g)
        return Direction(roots, free, g[:, :-1] / (1 - g[:, -1:]), eta, epsilon, bend, d, self.spectrum)


@dataclass(frozen=True)
class TurnedDirection(Direction):
    """A Direction with an orthonormal frame of its own to average over, and two vectors to measure with.

    Leaves besides: turn `[n, n]` (the frame is its Cayley transform), probes `[2, n]`.
    """

    turn: Tensor
    probes: Tensor

    @property
    def frame(self) -> Tensor:
        """An orthonormal basis, a vector a row."""
        return rotation(self.turn).mT


@dataclass(frozen=True)
class TurnedDirectionRecipe(DirectionRecipe):
    """The structure of a batch of TurnedDirections."""

    def build(self, lanes: int, first: int = 0) -> TurnedDirection:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        bare, n = self._direction(stream), self.dim
        leaves = {name: getattr(bare, name) for name in bare.leaves()}
        return TurnedDirection(
            **leaves, top=self.top, spectrum=self.spectrum, turn=stream.normal(n, n), probes=stream.normal(2, n)
        )


def directions(*, min_dim: int = 2, max_dim: int = 16) -> st.SearchStrategy[DirectionRecipe]:
    """Unit directions and Gaussian policies: at random, with ‖Pg‖² at the edge (1 + ε)·d/n, and inside the top subspace.

    Args:
        min_dim, max_dim: smallest and largest n, which is one of 2, 3, 4, 5, 8, 12, 16.

    """
    return _directions(DirectionRecipe, min_dim, max_dim)


def turned_directions(*, max_dim: int = 5) -> st.SearchStrategy[TurnedDirectionRecipe]:
    """Directions with a frame to average over. Args: max_dim: largest n (averages take 2n² points)."""
    return _directions(TurnedDirectionRecipe, 2, max_dim)


DIMENSIONS = (2, 3, 4, 5, 8, 12, 16)
_D = TypeVar("_D", bound=DirectionRecipe)


def _directions(kind: type[_D], min_dim: int, max_dim: int) -> st.SearchStrategy[_D]:
    _sizes(min_dim=min_dim, max_dim=max_dim)
    dims = [n for n in DIMENSIONS if min_dim <= n <= max_dim]
    if not dims:
        raise BoundcheckError(f"min_dim={min_dim}, max_dim={max_dim}", expected=f"one of {DIMENSIONS} between them")

    @st.composite
    def draw(draw: st.DrawFn) -> _D:
        dim = draw(st.sampled_from(dims))
        outputs = draw(st.one_of(st.integers(1, dim), st.just(dim)))
        return kind(
            dim=dim,
            outputs=outputs,
            top=draw(st.one_of(st.just(1), st.integers(1, min(outputs, dim - 1)))),
            spectrum=draw(st.sampled_from(SPECTRA)),
            seed=draw(SEEDS),
        )

    return draw()


@dataclass(frozen=True)
class ProjectedLength(Problem):
    """‖P·g‖² of a uniform unit vector: Beta(d/2, (n - d)/2), for even d and n - d.

    Leaf: epsilon. Structure: top_half = d/2, rest_half = (n - d)/2.
    """

    epsilon: Tensor
    top_half: int
    rest_half: int

    @property
    def top(self) -> int:
        """d."""
        return 2 * self.top_half

    @property
    def dim(self) -> int:
        """n."""
        return 2 * (self.top_half + self.rest_half)


@dataclass(frozen=True)
class ProjectedLengthRecipe:
    """The structure of a batch of ProjectedLengths: d/2 and (n - d)/2."""

    top_half: int
    rest_half: int
    seed: int = 0

    @property
    def label(self) -> str:
        """d and n."""
        return f"d={2 * self.top_half} n={2 * (self.top_half + self.rest_half)}"

    def build(self, lanes: int, first: int = 0) -> ProjectedLength:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        near_one = 1 - 0.02 * stream.uniform(low=1e-6)
        epsilon = torch.where(stream.uniform() < 0.4, near_one, stream.uniform(low=1e-3))
        return ProjectedLength(epsilon, self.top_half, self.rest_half)


def projected_lengths(*, max_top: int = 200, max_dim: int = 2000) -> st.SearchStrategy[ProjectedLengthRecipe]:
    """Ranks and dimensions for which the law of ‖P·g‖² is a finite sum: both d and n - d even.

    Args:
        max_top: largest d. max_dim: largest n.

    """
    _sizes(max_top=max_top, max_dim=max_dim)
    if max_dim <= max_top:
        raise BoundcheckError(f"max_dim={max_dim}, max_top={max_top}", expected="max_dim > max_top")

    @st.composite
    def draw(draw: st.DrawFn) -> ProjectedLengthRecipe:
        top = draw(st.one_of(st.integers(3, max(3, max_top // 2)), st.integers(max(1, max_top // 4), max_top // 2)))
        most = max(1, max_dim // 2 - top)
        rest = draw(st.one_of(st.just(most), st.integers(1, most)))
        return ProjectedLengthRecipe(top, rest, draw(SEEDS))

    return draw()


# ---------------------------------------------------------------------------------------------------------- pairs of spectra


@dataclass(frozen=True)
class SpectralPair(Problem):
    """Symmetric A = V·diag(a)·Vᵀ and B = W·diag(b)·Wᵀ with W = V·T. Leaves: first, second `[n]` (a, b: decreasing), free, turn
    `[n, n]` (V and T are their Cayley transforms). Structure: top, the rank k of the projectors onto the first columns."""

    first: Tensor
    second: Tensor
    free: Tensor
    turn: Tensor
    top: int

    def admissible(self) -> Tensor:
        return ((self.first[:, :-1] >= self.first[:, 1:]) & (self.second[:, :-1] >= self.second[:, 1:])).all(-1)

    @property
    def bases(self) -> tuple[Tensor, Tensor]:
        """V and W, an eigenvector a column."""
        V = rotation(self.free)
        return V, V @ rotation(self.turn)

    @property
    def difference(self) -> Tensor:
        """B - A."""
        V, W = self.bases
        return (W * self.second.unsqueeze(-2)) @ W.mT - (V * self.first.unsqueeze(-2)) @ V.mT

    @property
    def rotated(self) -> Tensor:
        """P_B - P_A."""
        V, W = self.bases
        top, other = V[..., : self.top], W[..., : self.top]
        return other @ other.mT - top @ top.mT

    @property
    def gap(self) -> Tensor:
        """a_k - a_{k+1}."""
        return self.first[..., self.top - 1] - self.first[..., self.top]


@dataclass(frozen=True)
class SpectralPairRecipe:
    """The structure of a batch of SpectralPairs.

    Attributes:
        dim, top: n, k. seed: of the lanes.
        kind: plane: the k-th and the next eigenvector turn in their plane, up to half a right angle, and b is what brings B
            nearest to A. swap: they change places, and both values of b lie next to the middle of the gap. any: all turn.

    """

    dim: int
    top: int
    kind: Literal["plane", "swap", "any"] = "plane"
    seed: int = 0

    @property
    def label(self) -> str:
        """Kind and sizes."""
        return f"{self.kind} n={self.dim} k={self.top}"

    def build(self, lanes: int, first: int = 0) -> SpectralPair:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        n, k = self.dim, self.top
        a = stream.normal(n).sort(-1, descending=True).values
        gap = stream.log_uniform(0.1, 2.0)[:, None]
        index = torch.arange(n)
        a = torch.where(index < k, a - a[:, k - 1 : k] + gap, a - a[:, k : k + 1])
        free, noise = stream.normal(n, n), stream.normal(n, n)
        small = stream.log_uniform(1e-6, 1e-2)[:, None]
        b, turn = a.clone(), torch.zeros_like(free)
        if self.kind == "any":
            amount = stream.log_uniform(1e-4, 3.0)
            b = (a + amount[:, None] * stream.normal(n)).sort(-1, descending=True).values
            return SpectralPair(a, b, free, noise * amount[:, None, None], k)
        angle = math.pi / 4 * torch.where(stream.uniform() < 0.5, stream.uniform(), 1 - small[:, 0])
        if self.kind == "swap":
            angle = torch.full_like(angle, math.pi / 2)
        middle, half = gap[:, 0] / 2, gap[:, 0] / 2 * (torch.cos(2 * angle).clamp(min=0) + small[:, 0])
        b[:, k - 1], b[:, k] = middle + half, middle - half
        slope = torch.tan(angle / 2)  # the Cayley transform of [[0, -t], [t, 0]] turns by 2·arctan t
        turn[:, k - 1, k], turn[:, k, k - 1] = slope, -slope
        return SpectralPair(a, b.sort(-1, descending=True).values, free, turn, k)


def spectral_pairs(*, max_dim: int = 5) -> st.SearchStrategy[SpectralPairRecipe]:
    """Two symmetric matrices with known eigenvectors: near each other, and as near as their projectors allow.

    Args:
        max_dim: largest n.

    """
    _sizes(max_dim=max_dim)

    @st.composite
    def draw(draw: st.DrawFn) -> SpectralPairRecipe:
        dim = draw(st.integers(2, max_dim))
        kind: Literal["plane", "swap", "any"] = draw(st.sampled_from(["plane", "swap", "any"]))
        return SpectralPairRecipe(dim, draw(st.integers(1, dim - 1)), kind, draw(SEEDS))

    return draw()


# ------------------------------------------------------------------------------------------------------------- linear layers


@dataclass(frozen=True)
class LinearLayer(Problem):
    """A layer W = U·Kᵀ on N inputs v_i, with error signals δ_i = U·α_i: activations and errors lie in the span of U.

    Leaves, whole numbers (others are rounded to the nearest): basis `[d, r]` (U), rows `[d, r]` (K), inputs `[N, d]` (v), errors
    `[N, r]` (α).
    """

    basis: Tensor
    rows: Tensor
    inputs: Tensor
    errors: Tensor

    def admissible(self) -> Tensor:
        whole = torch.ones(self.lanes, dtype=torch.bool)
        for leaf in self.leaves().values():
            whole = whole & (leaf.cpu() == leaf.cpu().round()).flatten(1).all(-1)
        return whole.to(self.basis.device)

    @property
    def rank(self) -> int:
        """r."""
        return self.basis.shape[-1]

    @property
    def width(self) -> int:
        """d."""
        return self.basis.shape[-2]

    @property
    def inside(self) -> Tensor:
        """Kᵀ·v_i as rows `[N, r]`, exact: where these and U have rank r, so have the activations."""
        return nearest(nearest(self.inputs) @ nearest(self.rows), 9 * self.width)

    @property
    def activations(self) -> Tensor:
        """W·v_i as rows `[N, d]`."""
        return self.inside @ nearest(self.basis).mT

    @property
    def products(self) -> Tensor:
        """G_i = δ_i·v_iᵀ `[N, d, d]`, as computed."""
        signals = nearest(self.errors) @ nearest(self.basis).mT
        return signals.unsqueeze(-1) * nearest(self.inputs).unsqueeze(-2)


def nearest(numbers: Tensor, largest: int = 3) -> Tensor:
    """The nearest whole number, without any error, of what is at most `largest` in size (else that, with its sign).

    It counts how many halves a number has passed. Sums and products of whole numbers come out of floats with a radius; from here
    without one. Rounding and integers have no rules where a claim is proved, comparing and counting have.
    """
    halves = torch.arange(1, 2 * largest, 2, dtype=numbers.dtype, device=numbers.device) / 2
    size = (numbers.abs().unsqueeze(-1) >= halves).sum(-1).to(numbers.dtype)
    return torch.where(numbers < 0, -size, size)


@dataclass(frozen=True)
class LinearLayerRecipe:
    """The structure of a batch of LinearLayers.

    Attributes:
        width, rank, inputs: d, r, N. seed: of the lanes.
        kind: coordinates: U spans r of the coordinates. copies: each row of U is one of r rows, up to its sign. any: neither.

    """

    width: int
    rank: int
    inputs: int
    kind: Literal["coordinates", "copies", "any"] = "coordinates"
    seed: int = 0

    @property
    def label(self) -> str:
        """Kind and sizes."""
        return f"{self.kind} d={self.width} r={self.rank} N={self.inputs}"

    def build(self, lanes: int, first: int = 0) -> LinearLayer:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        d, r, N = self.width, self.rank, self.inputs
        basis = _independent(stream, d, r)
        if self.kind == "coordinates":
            basis[:, r:] = 0.0
        if self.kind == "copies":
            signs = torch.where(_small(stream, d - r, 1) < 0, -1.0, 1.0)
            basis[:, r:] = signs * basis[:, torch.arange(d - r) % r]
        return LinearLayer(basis, _independent(stream, d, r), _small(stream, N, d), _small(stream, N, r))


def _independent(stream: LaneStream, rows: int, columns: int) -> Tensor:
    """Small whole numbers, the first rows with a dominant diagonal (for up to 3 columns), so that the columns are independent."""
    matrix, diagonal = _small(stream, rows, columns), torch.eye(columns, dtype=torch.float64)
    matrix[:, :columns] = (matrix[:, :columns] * (1 - diagonal)).clamp(-1, 1) + 3 * diagonal
    return matrix


def _small(stream: LaneStream, *shape: int) -> Tensor:
    """-2, -1, 0, 1 or 2."""
    return torch.floor(stream.uniform(*shape, low=-2.0, high=3.0))


def linear_layers(*, max_width: int = 4) -> st.SearchStrategy[LinearLayerRecipe]:
    """Layers of small whole numbers whose activations and errors share a subspace of dimension r < d.

    Args:
        max_width: largest d.

    """
    _sizes(max_width=max_width)

    @st.composite
    def draw(draw: st.DrawFn) -> LinearLayerRecipe:
        width = draw(st.integers(2, max_width))
        rank = draw(st.integers(1, width - 1))
        return LinearLayerRecipe(
            width=width,
            rank=rank,
            inputs=draw(st.one_of(st.just(rank * width + 2), st.integers(rank, rank * width + 2))),
            kind=draw(st.sampled_from(["coordinates", "copies", "coordinates", "copies", "coordinates", "any"])),
            seed=draw(SEEDS),
        )

    return draw()
