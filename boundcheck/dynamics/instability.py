"""Policies that satisfy the Alignment Instability Condition by construction, and the gradient flow away from them.

Everything is made from free numbers by rational formulas (and one matrix exponential for the flow), so that the condition's
parameters (d, λ, γ, ε) are what they are said to be, exactly: nothing is rejected, and no premise is off by a rounding.
Source: Springer et al., The Geometry of Alignment Collapse, Sections 3 and 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from boundcheck.dynamics.quadratic_flow import quadratic_flow
from boundcheck.errors import BoundcheckError
from boundcheck.geometry import GaussianPolicy, WhitenedPolicy, largest_singular_value, rotation, symmetric, unit_vector
from boundcheck.problem import Problem


def _norm(vector: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vector, dim=-1)


def _require_shapes(problem: Problem, lanes: tuple[int, ...], expected: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in expected.items():
        got = tuple(getattr(problem, name).shape)
        if got != (*lanes, *shape):
            raise BoundcheckError(
                f"the leaf {name} is of shape {got}", expected=f"{(*lanes, *shape)}, as the others say"
            )


def _bilinear(form: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """B[x, y] for B `[..., q, n, n]`: `[..., q]`."""
    return ((form @ y[..., None, :, None]).squeeze(-1) * x[..., None, :]).sum(-1)


@dataclass(frozen=True)
class Skill(Problem):
    """An aligned model and one skill: outputs f(D) = J·D + ½·B[D, D] of the displacement D = θ - θ*, turned into a policy.

    The policy is whitened (`boundcheck.geometry.WhitenedPolicy`), so that the Fisher matrix at θ* is F = JᵀJ, and J = diag(μ)·Vᵀ
    with V orthonormal columns: the eigenvalues of F are μ² (and 0), its eigenvectors the columns of V. M is the span of the
    first d.

    Structure: policy (q outputs), sensitive (d, 1 <= d <= q). Leaves, without the lane axis (n >= q parameters):
        turn `[n, n]` (V is its Cayley transform), roots `[q]` (μ), bend `[q, n, n]` (B, its symmetric part), prompt (the
        policy's own numbers).
    """

    policy: WhitenedPolicy
    sensitive: int
    turn: Tensor
    roots: Tensor
    bend: Tensor
    prompt: dict[str, Tensor]

    def __post_init__(self) -> None:
        """Sizes that do not fit each other are refused here: a stored instance may say anything."""
        q, n = self.policy.outputs, self.turn.shape[-1]
        expected = {
            "turn": (self.turn, (n, n)),
            "roots": (self.roots, (q,)),
            "bend": (self.bend, (q, n, n)),
            **{name: (self.prompt.get(name), shape) for name, shape in self.policy.prompt_shapes.items()},
        }
        for name, (leaf, shape) in expected.items():
            if leaf is None or tuple(leaf.shape[-len(shape) :]) != shape:
                got = "missing" if leaf is None else f"of shape {tuple(leaf.shape)}"
                raise BoundcheckError(f"the leaf {name} is {got}", expected=f"[..., {', '.join(map(str, shape))}]")
        if not 1 <= self.sensitive <= q <= n:
            raise BoundcheckError(
                f"d={self.sensitive} sensitive directions, {q} outputs, {n} parameters", expected="1 <= d <= q <= n"
            )

    @property
    def parameters(self) -> int:
        """n."""
        return self.turn.shape[-1]

    @cached_property
    def eigenvectors(self) -> Tensor:
        """V: `[..., n, n]`, orthogonal."""
        return rotation(self.turn)

    @property
    def sensitive_basis(self) -> Tensor:
        """The first d columns of V, an orthonormal basis of M: `[..., n, d]`."""
        return self.eigenvectors[..., : self.sensitive]

    @property
    def sensitive_roots(self) -> Tensor:
        """√λ_1, …, √λ_d: `[..., d]`."""
        return self.roots[..., : self.sensitive]

    @cached_property
    def jacobian(self) -> Tensor:
        """J = diag(μ)·Vᵀ: `[..., q, n]`."""
        q = self.policy.outputs
        return self.roots[..., :, None] * self.eigenvectors[..., :q].mT

    @cached_property
    def curvature(self) -> Tensor:
        """B: `[..., q, n, n]`, symmetric in its last two axes."""
        return symmetric(self.bend)

    @property
    def lambda_max(self) -> Tensor:
        """λ_1, the largest eigenvalue of F."""
        return self.roots.square().amax(-1)

    @property
    def lambda_d(self) -> Tensor:
        """λ_d, the smallest eigenvalue of F on M (where M is the top eigenspace)."""
        return self.sensitive_roots.square().amin(-1)

    @property
    def gap(self) -> Tensor:
        """λ_d - λ_{d+1}; M is the top-d eigenspace where it is positive."""
        if self.sensitive == self.policy.outputs:
            return self.lambda_d
        return self.lambda_d - self.roots[..., self.sensitive :].square().amax(-1)

    @property
    def bend_norm(self) -> Tensor:
        """β = √Σ‖B_k‖_F², an upper bound of ‖B[x, y]‖/(‖x‖·‖y‖)."""
        return self.curvature.flatten(-3).square().sum(-1).sqrt()

    def linear(self, D: Tensor) -> Tensor:
        """J·D: `[..., q]`."""
        return (self.jacobian @ D[..., None]).squeeze(-1)

    def bent(self, x: Tensor, y: Tensor) -> Tensor:
        """B[x, y]: `[..., q]`."""
        return _bilinear(self.curvature, x, y)

    def outputs(self, D: Tensor) -> Tensor:
        """f(D) = J·D + ½·B[D, D]: `[..., q]`."""
        return self.linear(D) + 0.5 * self.bent(D, D)

    def drop(self, D: Tensor) -> Tensor:
        """Δu = E KL(π* ‖ π_θ), the loss of utility at θ* + D (Lemma 3.2)."""
        return self.policy.divergence(self.outputs(D), self.prompt)

    def inside(self, D: Tensor) -> Tensor:
        """Coordinates of P·D in M: `[..., d]`."""
        return (self.sensitive_basis.mT @ D[..., None]).squeeze(-1)

    def weighted(self, D: Tensor) -> Tensor:
        """Coordinates of F^{1/2}·P·D in M: `[..., d]`."""
        return self.sensitive_roots * self.inside(D)


@dataclass(frozen=True)
class SkillStep(Skill):
    """A Skill and some displacement, the leaf `step` `[n]`."""

    step: Tensor

    @property
    def step_norm(self) -> Tensor:
        """‖D‖."""
        return _norm(self.step)


@dataclass(frozen=True)
class Instability(Skill):
    """A Skill and a quadratic fine-tuning loss whose gradient flow leaves θ* with the parameters ε and γ of Definition 5.1.

    The gradient is g(θ* + D) = v + A·D. Leaves, beside those of a Skill:
        overlap `[]` (ε), heading `[d - 1]` (u, a unit vector by `unit_vector`), drift `[n - d]` (w): v = ε·V_d·u + V_⊥·w, so
        that ‖P·v‖ = ε; coupling `[]` (γ), steering `[d - 1]` (s, a unit vector), aside `[n - d]` (b): a = V_d·diag(γ/μ)·s +
        V_⊥·b, so that ‖F^{1/2}·P·a‖ = γ; hessian `[n, n]` (S): A = (a·vᵀ + v·aᵀ)/‖v‖² - (v·a)·v·vᵀ/‖v‖⁴ + Q·S·Q with Q = I -
        v·vᵀ/‖v‖², so that ∇g·g = A·v = a; cancelled `[]` (κ): B_k = -κ·(J·a)_k·v·vᵀ/‖v‖⁴ + Q·S_k·Q with S_k from `bend`, so
        that B[v, v] = -κ·J·a; time `[]` (t).
    Where `designed` is False, κ plays no part: B is the symmetric part of `bend`, as in a Skill.
    """

    designed: bool
    overlap: Tensor
    heading: Tensor
    drift: Tensor
    coupling: Tensor
    steering: Tensor
    aside: Tensor
    hessian: Tensor
    cancelled: Tensor
    time: Tensor

    def admissible(self) -> Tensor:
        """ε is a norm, and t comes after 0."""
        return super().admissible() & (self.overlap >= 0) & (self.time > 0)

    def __post_init__(self) -> None:
        """Sizes that do not fit each other are refused."""
        super().__post_init__()
        n, d = self.parameters, self.sensitive
        lanes = tuple(self.roots.shape[:-1])
        expected = {
            **dict.fromkeys(("heading", "steering"), (d - 1,)),
            **dict.fromkeys(("drift", "aside"), (n - d,)),
            **dict.fromkeys(("overlap", "coupling", "cancelled", "time"), ()),
            "hessian": (n, n),
        }
        _require_shapes(self, lanes, expected)

    def _placed(self, inside: Tensor, outside: Tensor) -> Tensor:
        """The parameter vector with these coordinates in M and outside: `[..., n]`."""
        return (self.eigenvectors @ torch.cat([inside, outside], dim=-1)[..., None]).squeeze(-1)

    @cached_property
    def velocity(self) -> Tensor:
        """v = g(θ*): `[..., n]`."""
        return self._placed(self.overlap[..., None] * unit_vector(self.heading), self.drift)

    @property
    def speed_sq(self) -> Tensor:
        """‖v‖² = ε² + ‖w‖²."""
        return self.overlap.square() + self.drift.square().sum(-1)

    @cached_property
    def acceleration(self) -> Tensor:
        """a = ∇g·g at θ*, the second derivative of the flow: `[..., n]`."""
        return self._placed(self.coupling[..., None] * unit_vector(self.steering) / self.sensitive_roots, self.aside)

    @cached_property
    def _across(self) -> Tensor:
        """Q, the projection onto the orthogonal complement of v."""
        v, identity = self.velocity, torch.eye(self.parameters, dtype=self.turn.dtype, device=self.turn.device)
        return identity - v[..., :, None] * v[..., None, :] / self.speed_sq[..., None, None]

    @cached_property
    def loss_hessian(self) -> Tensor:
        """A, the Hessian of the fine-tuning loss: `[..., n, n]`."""
        v, a, square = self.velocity, self.acceleration, self.speed_sq[..., None, None]
        outer = a[..., :, None] * v[..., None, :]
        along = (v * a).sum(-1)[..., None, None] / square
        free = self._across @ symmetric(self.hessian) @ self._across
        return (outer + outer.mT - along * v[..., :, None] * v[..., None, :]) / square + free

    @cached_property
    def curvature(self) -> Tensor:
        if not self.designed:
            return symmetric(self.bend)
        v, across = self.velocity, self._across[..., None, :, :]
        share = self.cancelled[..., None] * self.linear(self.acceleration) / self.speed_sq.square()[..., None]
        along = (v[..., :, None] * v[..., None, :])[..., None, :, :]
        return across @ symmetric(self.bend) @ across - share[..., None, None] * along

    @cached_property
    def displacement(self) -> Tensor:
        """D(t) = θ(t) - θ* under θ' = -g(θ), θ(0) = θ*: `[..., n]`."""
        return quadratic_flow(self.loss_hessian, self.velocity, self.time)

    @cached_property
    def output_acceleration(self) -> Tensor:
        """q = J·a + B[v, v], the second derivative of the outputs along the flow: `[..., q]`."""
        return self.linear(self.acceleration) + self.bent(self.velocity, self.velocity)

    @cached_property
    def fisher_rate(self) -> Tensor:
        """‖dF/dt‖ at time 0 along the flow, for responses N(f, I): the spectral norm of JᵀB[v, ·] + B[v, ·]ᵀJ."""
        turned = (self.curvature @ self.velocity[..., None, :, None]).squeeze(-1)
        product = self.jacobian.mT @ turned
        return largest_singular_value(product + product.mT)

    @property
    def growth(self) -> Tensor:
        """e^{h·t} with h = ‖A‖_F: by so much at most every derivative of the flow grows up to time t."""
        return torch.exp(self.loss_hessian.flatten(-2).square().sum(-1).sqrt() * self.time)

    @cached_property
    def jerk_bound(self) -> Tensor:
        """At least sup ‖D‴‖ = sup ‖A·exp(-A·s)·a‖ over 0 <= s <= t."""
        return _norm((self.loss_hessian @ self.acceleration[..., None]).squeeze(-1)) * self.growth

    @property
    def path_bound(self) -> Tensor:
        """At least sup ‖D‖ over 0 <= s <= t, namely t·sup ‖g‖."""
        return self.time * self.top_speed

    @property
    def top_speed(self) -> Tensor:
        """G, at least sup ‖g‖ = sup ‖exp(-A·s)·v‖ over 0 <= s <= t."""
        return self.speed_sq.sqrt() * self.growth

    @property
    def output_jerk_bound(self) -> Tensor:
        """N_3, at least sup ‖f‴‖ over 0 <= s <= t for f(D(s)): f‴ = (J + B[D, ·])·D‴ + 3·B[D″, D′]."""
        slope = self.lambda_max.sqrt() + self.bend_norm * self.path_bound
        turning = 3.0 * self.bend_norm * _norm(self.acceleration) * self.growth * self.top_speed
        return slope * self.jerk_bound + turning


@dataclass(frozen=True)
class RelaxedInstability(Instability):
    """An Instability whose aligned model is not optimal: Assumption 1 fails, Assumption 4 (Appendix C) holds.

    Responses are N((f, h), I) with one more output h = (w·D)³/6, of no first and second derivative at θ*, while the reference
    distribution has mean (0, m): Δu = ½‖f‖² + ½h² - m·h. Leaves, beside those of an Instability (whose policy is Gaussian):
        miss `[]` (m), cubic `[n]` (w).
    """

    miss: Tensor
    cubic: Tensor

    def __post_init__(self) -> None:
        """Sizes that do not fit each other are refused, and policies other than Gaussian ones."""
        super().__post_init__()
        _require_shapes(self, tuple(self.roots.shape[:-1]), {"miss": (), "cubic": (self.parameters,)})
        if not isinstance(self.policy, GaussianPolicy):
            raise BoundcheckError(f"a RelaxedInstability with {self.policy}", expected="a GaussianPolicy")

    def relaxed_drop(self, D: Tensor) -> Tensor:
        """Δu at θ* + D, in expectation over the reference distribution."""
        extra = (self.cubic * D).sum(-1).pow(3) / 6.0
        return 0.5 * self.outputs(D).square().sum(-1) + 0.5 * extra.square() - self.miss * extra

    @property
    def assumption_4(self) -> Tensor:
        """A C with Δu >= ½DᵀFD - C·‖D‖³ everywhere: ½·β·√λ_1 + |m|·‖w‖³/6."""
        return 0.5 * self.bend_norm * self.lambda_max.sqrt() + self.miss.abs() * _norm(self.cubic).pow(3) / 6.0
