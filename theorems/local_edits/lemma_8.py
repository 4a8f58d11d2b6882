"""Lemma 8: the error of the linearised model.

Statement: E‖f_θ̂(x) - g_θ̂(x)‖² <= (β²/3)·‖D‖⁴ with g the linearisation at θ_0.
Premises: Assumption 5 (5) on a ball that contains the segment. Nothing about gradient descent is needed.
Constants: printed 1/3; proved 1/4, by Minkowski's inequality in L² along the segment instead of Cauchy-Schwarz:
√E‖∫(J_s - J_0)·D ds‖² <= ∫ β·s·‖D‖² ds = β·‖D‖²/2.
Equality case: the quadratic family with one parameter (or A = I): the remainder is ½·c·‖A‖·‖D‖² exactly.
Numerics: the remainder is a difference of nearly equal outputs; its computed error radius decides what is inconclusive.
Source: Local Edits, Lemma 8, (13) and (14).
"""

from torch import Tensor

from boundcheck.claim import Sides, Stance, premise, theorem
from boundcheck.dynamics import Displaced, mean_square
from boundcheck.exact import constant
from boundcheck.strategies import displacements, quadratic_models
from boundcheck.theorems.local_edits.setting import local_edits, positive

SOURCE = local_edits("Lemma 8", "(14)")


def remainder(p: Displaced) -> Tensor:
    """E‖f_θ̂(x) - f_θ0(x) - J_x(θ_0)·D‖²."""
    return mean_square(p.output_change - p.linear_change)


def bound(p: Displaced, c: Tensor) -> Sides:
    """The remainder against c·β²·‖D‖⁴."""
    premise("the step stays in the ball", p.rho0 - p.step_norm)
    positive("beta > 0", p.beta_eval, established=p.established)
    return Sides(smaller=remainder(p), larger=c * p.beta_eval.square() * p.step_norm.pow(4))


@theorem(
    "LE-8:printed",
    source=SOURCE,
    stance=Stance.PRINTED,
    over=displacements(),
    mutants={"6/25": {"c": "6/25"}},
    group="LE-setup",
)
def remainder_le_as_printed(
    p: Displaced, c: Tensor = constant("1/3", printed="1/3", scales="larger", unit="beta^2 |D|^4")
) -> Sides:
    """E‖f_θ̂ - g_θ̂‖² <= (β²/3)·‖D‖⁴."""
    return bound(p, c)


@theorem(
    "LE-8:proved",
    source=SOURCE,
    stance=Stance.PROVED,
    over=displacements(),
    mutants={"6/25": {"c": "6/25"}},
    equality=displacements(family=quadratic_models(max_dimension=1)),
    group="LE-setup",
    equality_at=lambda p: p.family.parameters == 1,
)
def remainder_le(
    p: Displaced, c: Tensor = constant("1/4", printed="1/3", scales="larger", unit="beta^2 |D|^4")
) -> Sides:
    """E‖f_θ̂ - g_θ̂‖² <= (β²/4)·‖D‖⁴."""
    return bound(p, c)
