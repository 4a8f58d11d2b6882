"""A gradient descent in leaps: about twenty differentiable operations for a thousand steps, for whoever climbs through its limit.

Over k steps the Jacobian is held fixed at J, its value halfway: the residual then shrinks by exactly (I - ηα²·JJᵀ)^k, and the
parameters move by -ηα·Jᵀ·X_k·r with X_k = Σ_{i<k} (I - ηα²·JJᵀ)^i. Powers and sums come by doubling, so that no eigenvector is
needed and eigenvalues may cross. Leaps of 1, 1, 2, 4, … steps end at the checkpoints of a real descent; from the last one Newton
steps in the row space of the Jacobian go to where r = 0, as in `certificate`: what is differentiated there is the equation
r(θ̂) = 0, not the steps that are left. Gradient flow is the limit of small steps: over the time τ exp(-τα²·JJᵀ) stands for the
power, ∫exp(-sα²·JJᵀ) ds for the sum, both from their series at the first τ and by doubling from there.

Nothing here is proved. A leap is off by the square of how much J turns during it (tests: below 1e-3 of the movement where the
conditions of Lemma 6 hold); what a hunt claims to have found it looks at again after a real descent.
"""

from collections.abc import Callable
from dataclasses import fields

import torch
from torch import Tensor

from boundcheck.dynamics import contraction
from boundcheck.dynamics.fine_tuning import FineTuning, Setup

NEWTON_STEPS = 2
"""Two are differentiable and leave a residual of the fourth order."""

FLOW_STEP = 1 / 16
"""The first time of a flow, in units of 1/(α²·σ_max²)."""

FLOW_LEAPS = 18
"""The last ends 2^17 times as late: for condition numbers up to some 50 the residual is gone by then; Newton does the rest."""

TERMS = 9
"""Of the series at FLOW_STEP: the next is below rounding."""

Powers = Callable[[Setup, Tensor], tuple[Tensor, Tensor]]
"""What J·Jᵀ gives for the first leap: what the residual is multiplied by, and by what it has moved the parameters."""


def leap(setup: Setup, checkpoints: int) -> FineTuning:
    """The setups with what a descent of 2^(checkpoints - 1) steps gives, approximately and differentiably; all radii are 0."""
    theta, seen, length = setup.theta0, list[Tensor](), torch.zeros_like(setup.alpha)
    for doublings in (0, *range(checkpoints - 1)):
        ahead = _leap(setup, theta, doublings, _descended)
        length = length + _norm(ahead - theta)
        theta = ahead
        seen.append(theta)
    tuned = newton(setup, theta)
    points = torch.stack([*seen, tuned], dim=-2)
    far = _norm(points.detach() - setup.theta0[..., None, :].detach()).argmax(-1)
    a = setup.beta_train * setup.residual_norm / setup.sigma_min.square()
    zero = torch.zeros_like(length)
    steps = torch.tensor([2.0**j for j in range(checkpoints)], dtype=theta.dtype, device=theta.device)
    return FineTuning(
        **{f.name: getattr(setup, f.name) for f in fields(Setup)},
        tuned=tuned,
        tuned_radius=zero,
        farthest=points.gather(-2, far[..., None, None].expand(*far.shape, 1, theta.shape[-1])).squeeze(-2),
        farthest_radius=zero,
        path=torch.stack(seen, dim=-2),
        path_radius=zero,
        path_steps=steps.expand(*zero.shape, checkpoints),
        path_length=length + _norm(tuned - theta),
        length_radius=zero,
        slack=torch.nan_to_num(contraction.slack(a, setup.step_size), nan=0.5),
    )


def newton(setup: Setup, theta: Tensor) -> Tensor:
    """Where r_S vanishes, from θ within the row space of J_S(θ)."""
    jacobian = _jacobian(setup, theta)
    gram = jacobian @ jacobian.mT
    for _ in range(NEWTON_STEPS):
        residual = setup.residual(theta) / setup.alpha[..., None]
        weights = torch.linalg.solve_ex(gram, residual[..., None]).result
        theta = theta - (jacobian.mT @ weights).squeeze(-1)
    return theta


def leap_flow(setup: Setup) -> Tensor:
    """The limit of the gradient flow from θ_0, approximately and differentiably: `[..., n]`."""
    theta = setup.theta0
    for doublings in (0, *range(FLOW_LEAPS - 1)):
        theta = _leap(setup, theta, doublings, _flowed)
    return newton(setup, theta)


def _leap(setup: Setup, theta: Tensor, doublings: int, powers: Powers) -> Tensor:
    """2^doublings first leaps from θ in one."""
    jacobian = _jacobian(setup, theta)
    if doublings > 0:
        halfway = theta + _move(setup, theta, jacobian, doublings - 1, powers)
        jacobian = _jacobian(setup, halfway)
    return theta + _move(setup, theta, jacobian, doublings, powers)


def _move(setup: Setup, theta: Tensor, jacobian: Tensor, doublings: int, powers: Powers) -> Tensor:
    """-α·Jᵀ·X·r for a fixed J."""
    power, total = powers(setup, jacobian @ jacobian.mT)
    for _ in range(doublings):
        total, power = total + power @ total, power @ power
    pulled = jacobian.mT @ (total @ setup.residual(theta)[..., None])
    return -setup.alpha[..., None] * pulled.squeeze(-1)


def _descended(setup: Setup, gram: Tensor) -> tuple[Tensor, Tensor]:
    """One step: I - ηα²·JJᵀ, and η."""
    identity = _identity(gram)
    size = setup.eta[..., None, None]
    return identity - size * setup.alpha.square()[..., None, None] * gram, size * identity.expand_as(gram)


def _flowed(setup: Setup, gram: Tensor) -> tuple[Tensor, Tensor]:
    """The time τ = FLOW_STEP: exp(-Z) with Z = τα²·JJᵀ, and τ·(I - exp(-Z))/Z = τ·Σ (-Z)^k/(k + 1)!."""
    identity = _identity(gram)
    z = FLOW_STEP * gram / setup.sigma_max.square()[..., None, None]
    share = identity.expand_as(gram)
    for k in range(TERMS, 0, -1):
        share = identity - z @ share / (k + 1)
    time = FLOW_STEP / (setup.alpha * setup.sigma_max).square()
    return identity - z @ share, time[..., None, None] * share


def _identity(gram: Tensor) -> Tensor:
    return torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)


def _jacobian(setup: Setup, theta: Tensor) -> Tensor:
    return setup.family.jacobian(theta, setup.frozen, setup.x_train).flatten(-3, -2)


def _norm(vector: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vector, dim=-1)
