"""What Theorem 6.2 and the quartic law lose when something they assume is taken away that is no margin.

*Theorem 6.2 (corrected).* ε taken as 0 though the gradient has a part in M; γ measured along another curvature than that along
the flow, or without the projection onto M (λ_{d+1} counts then, and the movement in M knows nothing of it); no remainder.
*The quartic law.* η_1 taken as 0 though F·v is not; no remainder N_3; q without B[v, v], which is what is printed; ½ for ψ(-R),
which is right for a Gaussian policy alone.
*The coefficient of t⁴.* F with a tail outside M: f‴ meets J·v there.
"""

from torch import Tensor

from boundcheck.ablations import ablation, hunted_over, unneeded
from boundcheck.claim import Sides, premise
from boundcheck.dynamics import Instability
from boundcheck.exact import constant
from boundcheck.strategies import instabilities
from boundcheck.theorems.alignment_collapse import quartic_corollary, theorem_6_2
from boundcheck.theorems.alignment_collapse.quartic_corollary import fourth_order
from boundcheck.theorems.alignment_collapse.setting import instability, norm, positive
from boundcheck.theorems.alignment_collapse.theorem_6_2 import DRIFTING, FLOWS, drift, remainder

THEOREM_6_2 = theorem_6_2.drift_ge_curvature_coupling
QUARTIC = quartic_corollary.drop_ge_quartic
COEFFICIENT = quartic_corollary.fourth_order_ge_what_curvature_leaves

HALF = constant("1/2", scales="smaller", unit="gamma t^2")
AFFINE = instabilities(
    kinds=["softmax", "bernoulli"], tail=False, overlap="none", cancelled=[0.0], bends=[0.0], steepest=100.0
)  # a small acceleration of θ moves the outputs far then, before the remainder leads
TAILED = instabilities(kinds=["gaussian"], overlap="none", cancelled=[0.0, 0.5])


# ----------------------------------------------------------------------------------------------------------- Theorem 6.2


@ablation(THEOREM_6_2, "the part of the gradient in M, epsilon taken as 0", over=DRIFTING)
def drift_ge_without_overlap(p: Instability, c: Tensor = HALF) -> Sides:
    """‖F^{1/2}·P·D(t)‖ >= γt²/2 - C't³ for a gradient that has a part in M."""
    return drift(p, c * p.coupling * p.time.square() - p.lambda_max.sqrt() * remainder(p))


@ablation(THEOREM_6_2, "the curvature along the flow, another direction in its place", over=FLOWS)
def drift_ge_curvature_elsewhere(p: Instability, c: Tensor = HALF) -> Sides:
    """Theorem 6.2 with γ = ‖F^{1/2}·P·A·e‖·‖v‖ for a sensitive direction e in place of γ = ‖F^{1/2}·P·A·v‖."""
    turned = (p.loss_hessian @ p.eigenvectors[..., :1]).squeeze(-1)
    coupling = norm(p.weighted(turned)) * p.speed_sq.sqrt()
    root = p.lambda_max.sqrt()
    return drift(p, c * coupling * p.time.square() - root * (p.overlap * p.time + remainder(p)))


@ablation(THEOREM_6_2, "the projection onto M in gamma", over=FLOWS)
def drift_ge_coupling_of_all(p: Instability, c: Tensor = HALF) -> Sides:
    """Theorem 6.2 with γ = ‖F^{1/2}·a‖ in place of γ = ‖F^{1/2}·P·a‖."""
    root = p.lambda_max.sqrt()
    coupling = norm(p.linear(p.acceleration))
    return drift(p, c * coupling * p.time.square() - root * (p.overlap * p.time + remainder(p)))


@ablation(THEOREM_6_2, "the remainder", over=FLOWS)
def drift_ge_without_remainder(p: Instability, c: Tensor = HALF) -> Sides:
    """‖F^{1/2}·P·D(t)‖ >= γt²/2 - √λ_1·εt, for all t."""
    return drift(p, c * p.coupling * p.time.square() - p.lambda_max.sqrt() * p.overlap * p.time)


# ------------------------------------------------------------------------------------------------------- the quartic law


def quartic(p: Instability, factor: Tensor, acceleration: Tensor, first: Tensor, third: Tensor) -> Sides:
    """factor·(½t²·‖acceleration‖ - first·t - third·t³/6)₊² against Δu."""
    instability(p)
    t = p.time
    reach = 0.5 * t.square() * norm(acceleration) - first * t - third * t.pow(3) / 6.0
    positive("the bound is above 0", reach)
    return Sides(smaller=factor * reach.clamp(min=0).square(), larger=p.drop(p.displacement))


def lower_factor(p: Instability) -> Tensor:
    """ψ(-R)."""
    return p.policy.lower_factor(p.outputs(p.displacement), p.prompt)


def first_order(p: Instability) -> Tensor:
    """η_1."""
    return norm(p.linear(p.velocity))


@ablation(QUARTIC, "the first-order term, eta_1 taken as 0")
def quartic_without_first_order(p: Instability) -> Sides:
    """Δu >= ψ(-R)·(½t²‖q‖ - N_3·t³/6)₊² though F·v is not 0."""
    return quartic(p, lower_factor(p), p.output_acceleration, 0.0 * p.time, p.output_jerk_bound)


@ablation(QUARTIC, "the remainder N_3")
def quartic_without_remainder(p: Instability) -> Sides:
    """Δu >= ψ(-R)·(½t²‖q‖ - η_1·t)₊², for all t."""
    return quartic(p, lower_factor(p), p.output_acceleration, first_order(p), 0.0 * p.time)


@ablation(QUARTIC, "the curvature of the outputs in q")
def quartic_without_curvature(p: Instability) -> Sides:
    """Δu >= ψ(-R)·(½t²‖J·a‖ - η_1·t - N_3·t³/6)₊², with J·a for q = J·a + B[v, v]."""
    return quartic(p, lower_factor(p), p.linear(p.acceleration), first_order(p), p.output_jerk_bound)


@ablation(QUARTIC, "the factor psi of minus R, one half in its place", over=AFFINE)
def quartic_with_half(p: Instability, factor: Tensor = constant("1/2", scales="smaller", unit="reach^2")) -> Sides:
    """Δu >= ½·(½t²‖q‖ - η_1·t - N_3·t³/6)₊² for a softmax policy."""
    return quartic(p, factor, p.output_acceleration, first_order(p), p.output_jerk_bound)


@ablation(COEFFICIENT, "F has no tail", over=TAILED)
def fourth_order_ge_with_tail(
    p: Instability, c: Tensor = constant("1/8", scales="smaller", unit="(gamma - beta |v|^2)^2")
) -> Sides:
    """With ε = 0, but F·v not 0, the coefficient of t⁴ in Δu(θ(t)) is at least (γ - β‖v‖²)₊²/8."""
    instability(p)
    premise("epsilon is 0", -p.overlap)
    left = p.coupling - p.bend_norm * p.speed_sq
    positive("the bound is above 0", left)
    return Sides(smaller=c * left.clamp(min=0).square(), larger=fourth_order(p))


# --------------------------------------------------------------------------------------------- what no instance can show

OVERLAPPING = instabilities(kinds=["gaussian"], tail=False, overlap="some", cancelled=[0.0, 0.5])
# The claim's own instances have ε = 0, which a climb keeps.
hunted_over(COEFFICIENT, OVERLAPPING, premise="epsilon is 0")

for _claim in (THEOREM_6_2, QUARTIC, COEFFICIENT):
    unneeded(_claim, "epsilon >= 0", "epsilon is a norm")
    unneeded(_claim, "gamma > 0", "where gamma is 0 the bound says nothing")
    unneeded(_claim, "the bound is above 0", "a bound of 0 or less holds of every norm and divergence")
