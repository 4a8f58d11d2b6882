"""Theorem 6.2 and Lemma A.6: curvature drives the flow into the sensitive subspace.

Statement (printed): ‖F^{1/2}·P·(θ(t) - θ*)‖ >= γt²/2 - εt - O(t³) along θ' = -g(θ), θ(0) = θ*.
What is wrong: the gradient's part in M enters as F^{1/2}·P·v, whose norm is up to √λ_1·ε; Lemma A.6 has that factor, the
theorem lost it. With λ_1 > 1 and the two leading terms opposed, the printed bound fails in the uniform reading.
Corrected: Lemma A.6, with C'·t³ for the remainder, C' = √λ_1·sup‖D‴‖/6 over [0, t]; for a quadratic loss sup‖D‴‖ <=
e^{ht}·‖A·a‖ with h = ‖A‖_F.
Premises: Definition 5.1 with (d, λ, γ, ε); the bound is above 0 (below it says nothing). The ball of the theorem is all of
space here, so t_0 = ∞. Theorem 1.2 (informal) bounds the *unweighted* ‖P·D‖ by Ω(γt²) with the weighted γ of Definition 5.1:
false for a universal constant, for it loses a factor up to √λ_1; corrected: ‖P·D‖ >= γt²/(2√λ_1) - εt - C″t³, C″ = C'/√λ_1.
Equality case: A·a = 0, one sensitive direction, v and a opposed in M.
Numerics: D(t) is a matrix exponential of the loss's Hessian; no integrator.
Source: Theorem 6.2, Lemma A.6 (12), Theorem 1.2.
"""

from torch import Tensor

from boundcheck.claim import Sides, Stance, theorem
from boundcheck.dynamics import Instability
from boundcheck.exact import constant
from boundcheck.strategies import instabilities
from boundcheck.theorems.alignment_collapse.setting import alignment_collapse, instability, norm, positive

SOURCE = alignment_collapse("Theorem 6.2")
LEMMA = alignment_collapse("Lemma A.6", "(12)")
INFORMAL = alignment_collapse("Theorem 1.2")
FLOWS = instabilities(kinds=["gaussian"], cancelled=[0.0])
STEEP = instabilities(kinds=["gaussian"], cancelled=[0.0], steepest=1000.0)
DRIFTING = instabilities(kinds=["gaussian"], cancelled=[0.0], overlap="some")
GROUP = "AC-flow"


def remainder(p: Instability) -> Tensor:
    """sup‖D‴‖·t³/6, at least the distance of D(t) from -t·v + (t²/2)·a."""
    return p.jerk_bound * p.time.pow(3) / 6.0


def drift(p: Instability, smaller: Tensor) -> Sides:
    """A lower bound of ‖F^{1/2}·P·D(t)‖."""
    instability(p)
    positive("the bound is above 0", smaller)
    return Sides(smaller=smaller, larger=norm(p.weighted(p.displacement)))


@theorem(
    "AC-A6:proved",
    source=LEMMA,
    stance=Stance.PROVED,
    over=FLOWS,
    mutants={"51/100": {"c": "51/100"}},
    group=GROUP,
)
def drift_ge_first_form(
    p: Instability, c: Tensor = constant("1/2", printed="1/2", scales="smaller", unit="gamma t^2")
) -> Sides:
    """‖F^{1/2}·P·D(t)‖ >= γt²/2 - t·‖F^{1/2}·P·v‖ - C't³."""
    first_order = norm(p.weighted(p.velocity)) * p.time
    return drift(p, c * p.coupling * p.time.square() - first_order - p.lambda_max.sqrt() * remainder(p))


@theorem(
    "AC-6.2:corrected",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=FLOWS,
    mutants={"51/100": {"c": "51/100"}},
    group=GROUP,
)
def drift_ge_curvature_coupling(
    p: Instability, c: Tensor = constant("1/2", printed="1/2", scales="smaller", unit="gamma t^2")
) -> Sides:
    """‖F^{1/2}·P·D(t)‖ >= γt²/2 - √λ_1·εt - C't³, Lemma A.6 under the condition."""
    root = p.lambda_max.sqrt()
    return drift(p, c * p.coupling * p.time.square() - root * (p.overlap * p.time + remainder(p)))


@theorem(
    "AC-6.2:printed",
    source=SOURCE,
    stance=Stance.PRINTED,
    over=DRIFTING,
    refuted_by="instance",
    group=GROUP,
)
def drift_ge_as_printed(
    p: Instability, c: Tensor = constant("1/2", printed="1/2", scales="smaller", unit="gamma t^2")
) -> Sides:
    """‖F^{1/2}·P·D(t)‖ >= γt²/2 - εt - C't³."""
    first_order = p.overlap * p.time
    return drift(p, c * p.coupling * p.time.square() - first_order - p.lambda_max.sqrt() * remainder(p))


@theorem(
    "AC-1.2:printed",
    source=INFORMAL,
    stance=Stance.PRINTED,
    over=STEEP,
    refuted_by="instance",
    group=GROUP,
)
def movement_ge_as_printed(p: Instability, c: Tensor = constant("1/64", scales="smaller", unit="gamma t^2")) -> Sides:
    """‖P·D(t)‖ >= c·γt² - εt - C″t³ with a universal c: here 2^-6, and hence any larger; others fall with λ_1 above 1/c²."""
    instability(p)
    smaller = c * p.coupling * p.time.square() - p.overlap * p.time - remainder(p)
    positive("the bound is above 0", smaller)
    return Sides(smaller=smaller, larger=norm(p.inside(p.displacement)))


@theorem(
    "AC-1.2:corrected",
    source=INFORMAL,
    stance=Stance.CORRECTED,
    over=FLOWS,
    mutants={"51/100": {"c": "51/100"}},
    group=GROUP,
)
def movement_ge_over_root_of_curvature(
    p: Instability, c: Tensor = constant("1/2", scales="smaller", unit="gamma t^2/sqrt(lambda_1)")
) -> Sides:
    """‖P·D(t)‖ >= γt²/(2√λ_1) - εt - C″t³."""
    instability(p)
    smaller = c * p.coupling * p.time.square() / p.lambda_max.sqrt() - p.overlap * p.time - remainder(p)
    positive("the bound is above 0", smaller)
    return Sides(smaller=smaller, larger=norm(p.inside(p.displacement)))
