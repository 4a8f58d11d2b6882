"""The same claims on neural policies: two-layer networks whose outputs are the logits of a softmax.

Theorem 6.1 with all of parameter space as M (d = n), with proved constants: for the network's β, E‖z_x(D) - J_x·D‖² <=
(½β‖D‖²)² (Local Edits, (5)), and the variance of w under any p is at most (max w - min w)²/4 <= ‖w‖²/2. So |z(D)|_* >=
‖F^{1/2}·D‖ - β‖D‖²/(2√2), and Δu >= ψ(-R)·|z(D)|_*².
The quartic law: the flow is followed with a proved radius, η_1 = |z'|_* and q = z'' are exact derivatives along it, but N_3
>= sup|z‴|_* is only **estimated**, as twice the larger of its values at both ends: these rows inform and decide nothing.
Source: Theorem 6.1, Corollary 6.3.
"""

import torch
from torch import Tensor

from boundcheck.claim import Sides, Stance, premise, scaled, theorem
from boundcheck.dynamics import Displaced
from boundcheck.dynamics.policy_flow import PolicyFlow, mean_divergence, mean_variance, spread
from boundcheck.geometry import exponential_remainder
from boundcheck.strategies import displaced_policies, policy_flows
from boundcheck.theorems.alignment_collapse.setting import alignment_collapse, positive


def moved(R: Tensor) -> Tensor:
    """R where it is above 0, and a premise that it is."""
    positive("a logit changes", R)
    return torch.where(R > 0, R, torch.ones_like(R))


@theorem(
    "AC-6.1:neural",
    source=alignment_collapse("Theorem 6.1"),
    stance=Stance.PROVED,
    over=displaced_policies(),
    mutants={"a tenth less": scaled("9/10")},
    group="AC-neural",
)
def drop_of_a_network_ge(p: Displaced) -> Sides:
    """Δu >= ψ(-R)·(‖F^{1/2}·D‖ - β‖D‖²/(2√2))₊² for a two-layer softmax policy (M all of parameter space)."""
    start = p.family.outputs(p.theta0, p.frozen, p.x_eval)
    premise("the step stays in the ball", p.rho0 - p.step_norm)
    bend = p.beta_eval * p.step_norm.square() / (2.0 * torch.sqrt(torch.full_like(p.step_norm, 2.0)))
    reach = mean_variance(start, p.linear_change).sqrt() - bend
    positive("the bound is above 0", reach, established=p.established)
    factor = exponential_remainder(-moved(spread(p.output_change)))
    return Sides(smaller=factor * reach.clamp(min=0).square(), larger=mean_divergence(start, p.output_change))


def envelope(p: PolicyFlow, sign: float) -> Tensor:
    """½t²|q|_* ± (η_1·t + N_3·t³/6), N_3 estimated."""
    t = p.time
    first, second, third = (mean_variance(p.start, rate).sqrt() for rate in p.rates)
    late = mean_variance(p.start, p.rates_at(p.theta0 + p.displacement)[2]).sqrt()
    third = 2.0 * torch.maximum(third, late)
    slack = first * t + third * t.pow(3) / 6.0
    premise("N_3 is a bound (it is an estimate)", third, established=False)
    return 0.5 * t.square() * second + sign * slack


@theorem(
    "AC-quartic:neural-lower",
    source=alignment_collapse("Corollary 6.3"),
    stance=Stance.CONJECTURED,
    over=policy_flows(),
    group="AC-neural",
)
def drop_of_a_network_ge_quartic(p: PolicyFlow) -> Sides:
    """Δu(θ(t)) >= ψ(-R)·(½t²|q|_* - η_1·t - N_3·t³/6)₊² for a two-layer softmax policy, N_3 estimated."""
    reach = envelope(p, -1.0)
    positive("the bound is above 0", reach)
    factor = exponential_remainder(-moved(spread(p.change)))
    return Sides(smaller=factor * reach.clamp(min=0).square(), larger=p.drop)


@theorem(
    "AC-quartic:neural-upper",
    source=alignment_collapse("Corollary 6.3"),
    stance=Stance.CONJECTURED,
    over=policy_flows(),
    group="AC-neural",
)
def drop_of_a_network_le_quartic(p: PolicyFlow) -> Sides:
    """Δu(θ(t)) <= ψ(R)·(½t²|q|_* + η_1·t + N_3·t³/6)² for a two-layer softmax policy, N_3 estimated."""
    factor = exponential_remainder(moved(spread(p.change)))
    return Sides(smaller=p.drop, larger=factor * envelope(p, 1.0).square())
