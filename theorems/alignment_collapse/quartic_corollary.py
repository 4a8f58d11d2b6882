"""Corollary 6.3, the quartic law: refuted, and what holds instead.

Statement (printed): Δu(θ(t)) = Ω(λγ²t⁴) for small t, under the conditions of Theorems 6.1 and 6.2.
What is wrong: the remainder of Theorem 6.1 along the flow is O(t³), not O(t⁵), and hides what matters. Along the flow the
outputs are f(t) = -t·Jv + (t²/2)·q + O(t³) with q = J·a + B[v, v]: the acceleration of the *outputs*. The curvature B[v, v]
of the outputs can undo J·a while γ = ‖F^{1/2}·P·a‖ stays what it is. With F·v = 0 the coefficient of t⁴ in Δu is ‖q‖²/8
exactly; where q = 0 it is 0, and no constant helps.
Corrected: with η_1 = √(vᵀFv), N_3 >= sup‖f‴‖ over [0, t] and R the spread of the logits' change at time t,

    ψ(-R)·(½t²‖q‖ - η_1·t - N_3·t³/6)₊²  <=  Δu  <=  ψ(R)·(½t²‖q‖ + η_1·t + N_3·t³/6)²,

both sides from ‖f(t) + t·Jv - (t²/2)·q‖ <= N_3·t³/6 and the sandwich of `kl_geometry`. *Window*: with γ' = ‖Π·q‖, Π the
projection onto the outputs that M moves, and t between 4√λ_1·ε/γ' and 3γ'/(4N_3): Δu >= ψ(-R)·γ'²·t⁴/64, for then ‖Π·f‖ >=
t²γ'(½ - ¼ - ⅛).
*Survival*: ‖q‖ >= γ - ‖B[v, v]‖ where F·v = 0 and F has no tail, so Δu >= (t⁴/8)·(γ - β‖v‖²)₊² + O(t⁵). With outputs affine
in θ the printed law holds with the constant γ²/8 (without the λ).
Premises: Definition 5.1 with (d, λ, γ, ε) for all; ε = 0 and no tail for the statements about the order in t.
How the printed law falls: the coefficient of t⁴ is compared with 2^-64·λγ², by ball arithmetic and again in exact rationals,
where it is 0: so any constant in the place of 2^-64 falls on the same instance (the second form lets search find nearly
cancelling curvatures by itself: 2^-10). Appendix C relaxes Assumption 1 to Δu >= ½DᵀFD - C‖D‖³ (Assumption 4). Under it
Corollary 6.3 is false even in sign: with a reference distribution of another mean than the model's, in an output that moves
only to third order, Δu = m·(w·v)³·t³/6 + O(t⁴) is negative for all small t on half of the instances.
Source: Corollary 6.3, Theorem 1.3, Lemma C.2.
"""

from torch import Tensor

from boundcheck.claim import Identity, Sides, Stance, premise, scaled, theorem
from boundcheck.dynamics import Instability, RelaxedInstability
from boundcheck.exact import constant
from boundcheck.problem import Problem
from boundcheck.strategies import instabilities, relaxed_instabilities
from boundcheck.theorems.alignment_collapse.setting import (
    alignment_collapse,
    instability,
    no_first_order_effect,
    norm,
    positive,
    sensitive_subspace,
)
from boundcheck.theorems.alignment_collapse.theorem_6_2 import drift, remainder

SOURCE = alignment_collapse("Corollary 6.3")
RELAXED = alignment_collapse("Lemma C.2")
ALIGNED = instabilities(kinds=["gaussian"], tail=False, overlap="none")
PARTLY = instabilities(kinds=["gaussian"], tail=False, overlap="none", cancelled=[0.0, 0.5])
UNDESIGNED = instabilities(kinds=["gaussian"], tail=False, overlap="none", cancelled=[])
GROUP = "AC-flow"


def fourth_order(p: Instability) -> Tensor:
    """The coefficient of t⁴ in Δu(θ(t)) = ½‖f(D(t))‖², by power series: D = -v·t + (a/2)·t² - (A·a/6)·t³ + …."""
    first, second = -p.velocity, 0.5 * p.acceleration
    third = -(p.loss_hessian @ p.acceleration[..., None]).squeeze(-1) / 6.0
    f1 = p.linear(first)
    f2 = p.linear(second) + 0.5 * p.bent(first, first)
    f3 = p.linear(third) + p.bent(first, second)
    return 0.5 * f2.square().sum(-1) + (f1 * f3).sum(-1)


def envelope(p: Instability, sign: float) -> Tensor:
    """½t²‖q‖ ± (η_1·t + N_3·t³/6)."""
    t = p.time
    slack = norm(p.linear(p.velocity)) * t + p.output_jerk_bound * t.pow(3) / 6.0
    return 0.5 * t.square() * norm(p.output_acceleration) + sign * slack


def printed_law(p: Instability, c: Tensor) -> Sides:
    """c·λγ² against the coefficient of t⁴, where F·v = 0."""
    instability(p)
    no_first_order_effect(p)
    return Sides(smaller=c * p.lambda_d * p.coupling.square(), larger=fourth_order(p))


def compared(p: Problem) -> str:
    """The acceleration of the outputs beside the paper's γ, by how much of it curvature undoes."""
    assert isinstance(p, Instability)
    share = norm(p.output_acceleration) / p.coupling
    found = [(kappa, share[p.cancelled == kappa]) for kappa in (0.0, 0.5, 1.0)]
    words = [f"{float(values.median()):.3g} where kappa is {kappa:g}" for kappa, values in found if len(values)]
    return f"‖q‖/γ, the acceleration q = J·a + B[v, v] of the outputs beside the paper's γ, is {', '.join(words)} (medians)."


@theorem(
    "AC-6.3:printed",
    source=SOURCE,
    stance=Stance.PRINTED,
    over=ALIGNED,
    refuted_by="order",
    group=GROUP,
    notes=compared,
)
def fourth_order_ge_as_printed(
    p: Instability, c: Tensor = constant("2^-64", scales="smaller", unit="lambda gamma^2")
) -> Sides:
    """The coefficient of t⁴ in Δu(θ(t)) is at least c·λγ², for some c > 0 (here 2^-64)."""
    return printed_law(p, c)


@theorem("AC-6.3:undesigned", source=SOURCE, stance=Stance.PRINTED, over=UNDESIGNED, refuted_by="instance", group=GROUP)
def fourth_order_of_any_curvature_ge(
    p: Instability, c: Tensor = constant("1/1024", scales="smaller", unit="lambda gamma^2")
) -> Sides:
    """The same with c = 2^-10 and hence any larger one, over outputs whose curvature knows nothing of the flow."""
    return printed_law(p, c)


@theorem(
    "AC-1.3:printed",
    source=alignment_collapse("Theorem 1.3"),
    stance=Stance.PRINTED,
    over=ALIGNED,
    refuted_by="order",
    group=GROUP,
)
def fourth_order_ge_as_announced(
    p: Instability, c: Tensor = constant("2^-64", scales="smaller", unit="lambda gamma^2")
) -> Sides:
    """In early training alignment degrades as Ω(λγ²t⁴), as the introduction announces Corollary 6.3."""
    return printed_law(p, c)


@theorem(
    "AC-6.3:corrected",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=PARTLY,
    mutants={"1/7": {"c": "1/7"}},
    group=GROUP,
    equality_at=lambda p: p.designed,
)
def fourth_order_ge_what_curvature_leaves(
    p: Instability, c: Tensor = constant("1/8", scales="smaller", unit="(gamma - beta |v|^2)^2")
) -> Sides:
    """With F·v = 0 the coefficient of t⁴ in Δu(θ(t)) is at least (γ - β‖v‖²)₊²/8."""
    instability(p)
    no_first_order_effect(p)
    left = p.coupling - p.bend_norm * p.speed_sq
    positive("the bound is above 0", left)
    return Sides(smaller=c * left.clamp(min=0).square(), larger=fourth_order(p))


@theorem(
    "AC-6.3:survival",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=PARTLY,
    mutants={"1/7": {"c": "1/7"}, "a tenth less rotation": {"share": "9/10"}},
    group=GROUP,
    equality_at=lambda p: p.designed,
)
def fourth_order_ge_what_rotation_leaves(
    p: Instability,
    c: Tensor = constant("1/8", scales="smaller", unit="(gamma - L |v|^2/sqrt(lambda_d))^2"),
    share: Tensor = constant(1, unit="L |v|^2/sqrt(lambda_d)"),
) -> Sides:
    """With F·v = 0 the coefficient of t⁴ is at least (γ - L‖v‖²/√λ_d)₊²/8, L‖v‖ the rate at which F turns along the flow."""
    instability(p)
    no_first_order_effect(p)
    left = p.coupling - share * p.fisher_rate * p.speed_sq.sqrt() / p.lambda_d.sqrt()
    positive("the bound is above 0", left)
    return Sides(smaller=c * left.clamp(min=0).square(), larger=fourth_order(p))


@theorem(
    "AC-quartic:order",
    source=SOURCE,
    stance=Stance.PROVED,
    over=PARTLY,
    mutants={"1 % off": scaled("101/100"), "1e-9 off": scaled("1000000001/1000000000")},
    group=GROUP,
)
def fourth_order_eq_output_acceleration(p: Instability) -> Identity:
    """With F·v = 0 the coefficient of t⁴ in Δu(θ(t)) is ‖J·a + B[v, v]‖²/8."""
    instability(p)
    no_first_order_effect(p)
    return Identity(left=fourth_order(p), right=p.output_acceleration.square().sum(-1) / 8.0)


@theorem(
    "AC-quartic:lower",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=instabilities(),
    mutants={"a fiftieth less": scaled("49/50")},
    group=GROUP,
)
def drop_ge_quartic(p: Instability) -> Sides:
    """Δu(θ(t)) >= ψ(-R)·(½t²‖q‖ - η_1·t - N_3·t³/6)₊²."""
    instability(p)
    reach = envelope(p, -1.0)
    positive("the bound is above 0", reach)
    D = p.displacement
    return Sides(smaller=p.policy.lower_factor(p.outputs(D), p.prompt) * reach.clamp(min=0).square(), larger=p.drop(D))


@theorem(
    "AC-quartic:upper",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=instabilities(),
    mutants={"a fiftieth less": scaled("49/50")},
    group=GROUP,
)
def drop_le_quartic(p: Instability) -> Sides:
    """Δu(θ(t)) <= ψ(R)·(½t²‖q‖ + η_1·t + N_3·t³/6)²."""
    instability(p)
    D = p.displacement
    factor = p.policy.upper_factor(p.outputs(D), p.prompt)
    return Sides(smaller=p.drop(D), larger=factor * envelope(p, 1.0).square())


@theorem(
    "AC-quartic:window",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=instabilities(),
    mutants={"1/8": {"c": "1/8"}},
    group=GROUP,
)
def drop_ge_quartic_in_window(
    p: Instability, c: Tensor = constant("1/64", scales="smaller", unit="psi(-R) gamma'^2 t^4")
) -> Sides:
    """Δu(θ(t)) >= ψ(-R)·γ'²·t⁴/64 for t between 4√λ_1·ε/γ' and 3γ'/(4N_3), γ' = ‖Π·q‖."""
    instability(p)
    moved = norm(p.output_acceleration[..., : p.sensitive])
    positive("gamma' > 0", moved)
    premise("t >= 4 sqrt(lambda_1) epsilon/gamma'", p.time * moved - 4.0 * p.lambda_max.sqrt() * p.overlap)
    premise("t <= 3 gamma'/(4 N_3)", 0.75 * moved - p.output_jerk_bound * p.time)
    D = p.displacement
    factor = p.policy.lower_factor(p.outputs(D), p.prompt)
    return Sides(smaller=c * factor * (moved * p.time.square()).square(), larger=p.drop(D))


@theorem(
    "AC-C2:6.1-proved",
    source=RELAXED,
    stance=Stance.PROVED,
    over=relaxed_instabilities(),
    mutants={"11/20": {"c": "11/20"}},
    group=GROUP,
)
def relaxed_drop_ge_weighted_movement(
    p: RelaxedInstability, c: Tensor = constant("1/2", printed="1/2", scales="smaller", unit="|F^(1/2) P D|^2")
) -> Sides:
    """Theorem 6.1 under Assumption 4: Δu >= ½‖F^{1/2}·P·D‖² - C‖D‖³ with C = ½β√λ_1 + |m|·‖w‖³/6, at D = t·a."""
    sensitive_subspace(p)
    D = p.time[..., None] * p.acceleration
    bound = c * p.weighted(D).square().sum(-1) - p.assumption_4 * norm(D).pow(3)
    positive("the bound is above 0", bound)
    return Sides(smaller=bound, larger=p.relaxed_drop(D))


@theorem(
    "AC-C2:6.2-proved",
    source=RELAXED,
    stance=Stance.PROVED,
    over=relaxed_instabilities(),
    mutants={"51/100": {"c": "51/100"}},
    group=GROUP,
)
def relaxed_drift_ge_curvature_coupling(
    p: RelaxedInstability, c: Tensor = constant("1/2", printed="1/2", scales="smaller", unit="gamma t^2")
) -> Sides:
    """Theorem 6.2 (as corrected) needs neither assumption: ‖F^{1/2}·P·D(t)‖ >= γt²/2 - √λ_1·εt - C't³."""
    root = p.lambda_max.sqrt()
    return drift(p, c * p.coupling * p.time.square() - root * (p.overlap * p.time + remainder(p)))


@theorem(
    "AC-C2:6.3-printed",
    source=RELAXED,
    stance=Stance.PRINTED,
    over=relaxed_instabilities(),
    refuted_by="order",
    group=GROUP,
)
def third_order_is_positive(
    p: RelaxedInstability, c: Tensor = constant("2^-64", scales="smaller", unit="lambda gamma^2")
) -> Sides:
    """Corollary 6.3 under Assumption 4: where Δu(θ(t)) has a term of order t³, it has to be positive, at least c·λγ²·t³."""
    instability(p)
    no_first_order_effect(p)
    # f and h are 0 to first and second order: what is left to third is -m·h, with h = -(w·v)³·t³/6.
    third = p.miss * (p.cubic * p.velocity).sum(-1).pow(3) / 6.0
    positive("there is a term of order t^3", third.square())
    return Sides(smaller=c * p.lambda_d * p.coupling.square(), larger=third)
