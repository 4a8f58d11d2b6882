"""Section 2: the gradient of the squared loss.

Statement (printed): L(θ) = E‖f_θ(X) - Y‖² has the gradient E[Jᵀ(f_θ(X) - Y)].
What is wrong: a factor 2; the printed vector is the gradient of ½·E‖f_θ(X) - Y‖², the loss of (1).
Corrected: ∇L(θ) = 2·E[Jᵀ(f_θ(X) - Y)].
Premises: none but that the sides are not 0, of which any factor is true.
Equality case: it is an identity. Tested along θ_0, which has nothing to do with the loss.
Numerics: the left side is automatic differentiation of the loss, the right one the family's own pullback. Networks have 1 or
4 hidden units: for other widths 1/√width is a rounded number, and two sides that differ by its error are never seen to be equal.
Source: Local Edits, Section 2, the display after the squared loss objective.
"""

import math

import torch
from torch import Tensor

from boundcheck.claim import Identity, Stance, scaled, theorem
from boundcheck.dynamics import Setup
from boundcheck.geometry import Family, TwoLayer
from boundcheck.strategies import models, setups
from boundcheck.theorems.local_edits.setting import local_edits, positive

SOURCE = local_edits("Section 2, gradient of the loss")


def exact_scale(family: Family) -> bool:
    """Whether the family's outputs contain no rounded constant."""
    return not isinstance(family, TwoLayer) or math.isqrt(family.width) ** 2 == family.width


EXACT = setups(family=models().filter(exact_scale))


def derivative_of_loss(p: Setup) -> Tensor:
    """⟨∇E‖f - Y‖², θ_0⟩ at θ_0, by differentiating the loss."""

    def loss(theta: Tensor) -> Tensor:
        outputs = p.family.outputs(theta, p.frozen, p.x_train)
        return (outputs - p.y_train).square().sum(-1).mean(-1)

    gradient: Tensor = torch.func.grad(loss)(p.theta0)
    return (gradient * p.theta0).sum()


def printed_derivative(p: Setup) -> Tensor:
    """⟨E[Jᵀ(f - Y)], θ_0⟩ at θ_0, by the family's pullback."""
    error = p.family.outputs(p.theta0, p.frozen, p.x_train) - p.y_train
    total = p.family.pullback(p.theta0, p.frozen, p.x_train, error)
    return (total * p.theta0).sum() / error.new_tensor(float(error.shape[-2]))


@theorem("LE-grad:printed", source=SOURCE, stance=Stance.PRINTED, over=EXACT, refuted_by="instance", group="LE-setup")
def gradient_as_printed(p: Setup) -> Identity:
    """∇E‖f - Y‖² = E[Jᵀ(f - Y)], along θ_0."""
    right = printed_derivative(p)
    positive("the derivative is not 0", right.abs())
    return Identity(left=derivative_of_loss(p), right=right)


@theorem(
    "LE-grad:corrected",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=EXACT,
    mutants={"1e-6 off": scaled("1000001/1000000"), "as printed": scaled("1/2")},
    group="LE-setup",
)
def gradient_of_loss(p: Setup) -> Identity:
    """∇E‖f - Y‖² = 2·E[Jᵀ(f - Y)], along θ_0."""
    right = printed_derivative(p)
    positive("the derivative is not 0", right.abs())
    return Identity(left=derivative_of_loss(p), right=2 * right)
