"""Statements of the constants experiment: four constants, in several units, under weaker premises.

κ = S/s. Units and premises differ from the claims' own by powers of κ, to show which of the paper's are needed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from boundcheck.claim import Claim, Sides, Statement, premise
from boundcheck.dynamics import FineTuning
from boundcheck.theorems.local_edits.lemma_6 import movement_ge, movement_le
from boundcheck.theorems.local_edits.setting import positive, regular
from boundcheck.theorems.local_edits.theorem_7 import (
    outside_le,
    outside_part,
    reach,
    spillover_ge_overlap_sq_mul_residual_sq,
)

Check = Callable[..., Statement]


@dataclass(frozen=True)
class Quantity:
    """A constant of a claim: how it is called, its unit, and the powers of κ by which other units differ.

    Attributes:
        units: a unit in words, and the power of κ in (that unit)/(ours).

    """

    name: str
    claim: Claim
    constant: str
    unit: str
    units: tuple[tuple[str, int], ...]

    @property
    def lower(self) -> bool:
        """Whether the constant is one of a lower bound: instances bound it from above."""
        return self.claim.constants[self.constant].scales == "smaller"


MOVEMENT_BELOW = Quantity(
    "movement from below", movement_ge, "lower", "R/S", (("R/S (paper, ours)", 0), ("R/s (one fewer)", 1))
)
MOVEMENT_ABOVE = Quantity(
    "movement from above",
    movement_le,
    "upper",
    "R/s",
    (("S R/s^2 (paper)", 1), ("R/s (ours)", 0), ("R/S (one fewer)", -1)),
)
OUTSIDE = Quantity(
    "(15)",
    outside_le,
    "upper",
    "beta_S R^2/s^3",
    (("beta_S S R^2/s^4 (paper)", 1), ("beta_S R^2/s^3 (ours)", 0), ("beta_S R^2/(S s^2) (one fewer)", -1)),
)
SPILL = Quantity(
    "Theorem 7",
    spillover_ge_overlap_sq_mul_residual_sq,
    "lower",
    "(g R/S)^2",
    (("(g R/S)^2 (paper, ours)", 0), ("(g R/s)^2 (one fewer)", 2)),
)
QUANTITIES = (MOVEMENT_BELOW, MOVEMENT_ABOVE, OUTSIDE, SPILL)


# ------------------------------------------------------------------------------------------------- premises with fewer powers


@dataclass(frozen=True)
class Weaker:
    """Conditions of set U divided by powers of κ: a/κ^a, b/κ^b, d/κ^d instead of a, b, d."""

    name: str
    quantity: Quantity
    a: int = 0
    b: int = 0
    d: int = 0

    @property
    def claim(self) -> Claim:
        """The quantity's claim under these conditions."""
        return replace(self.quantity.claim, check=self._check())

    def _check(self) -> Check:
        conclude = _CONCLUSIONS[self.quantity.name]

        def check(p: FineTuning, c: Tensor, **constants: Tensor) -> Statement:
            _lemma_6(p, c, self.a)
            if self.quantity is SPILL:
                _theorem_7(p, c, self.b, self.d)
            if self.quantity is OUTSIDE:
                positive("beta_S > 0", p.beta_train)
            return conclude(p, **constants)

        return check


def _lemma_6(p: FineTuning, c: Tensor, a: int) -> None:
    s, R = p.sigma_min, p.residual_norm
    regular(p)
    premise("step size", c - p.step_size)
    premise("ball", c * s - R / p.rho0)
    premise("a", c * s.square() * _kappa(p, a) - p.beta_train * R)


def _theorem_7(p: FineTuning, c: Tensor, b: int, d: int) -> None:
    s, S, R, g = p.sigma_min, p.sigma_max, p.residual_norm, p.overlap
    positive("overlap > 0", g)
    premise("b", c * g * s.pow(3) * _kappa(p, b) - p.kernel_norm * p.beta_train * S * R)
    premise("d", c * g * s.square() * _kappa(p, d) - p.beta_eval * S * R)


def _kappa(p: FineTuning, power: int) -> Tensor:
    return (p.sigma_max / p.sigma_min).pow(power) if power else torch.ones_like(p.sigma_min)


def _movement(p: FineTuning, upper: Tensor) -> Statement:
    return Sides(smaller=p.step_norm, larger=upper * p.residual_norm / p.sigma_min)


def _movement_below(p: FineTuning, lower: Tensor) -> Statement:
    return Sides(smaller=lower * p.residual_norm / p.sigma_max, larger=p.step_norm)


def _outside(p: FineTuning, upper: Tensor) -> Statement:
    size = p.beta_train * p.residual_norm.square() / p.sigma_min.pow(3)
    return Sides(smaller=outside_part(p), larger=upper * size)


def _spill(p: FineTuning, lower: Tensor) -> Statement:
    return Sides(smaller=lower * reach(p).square(), larger=p.spill)


_CONCLUSIONS: dict[str, Check] = {
    MOVEMENT_ABOVE.name: _movement,
    MOVEMENT_BELOW.name: _movement_below,
    OUTSIDE.name: _outside,
    SPILL.name: _spill,
}

WEAKER = (
    Weaker("d without S/s: beta R/(g s)", SPILL, d=1),
    Weaker("b without S/s: Lambda beta_S R/(g s^2)", SPILL, b=1),
    Weaker("d with two fewer: beta R/(g S)", SPILL, d=2),
    Weaker("b with two fewer: Lambda beta_S R/(g s S)", SPILL, b=2),
    Weaker("a with one fewer: beta_S R/(s S)", MOVEMENT_ABOVE, a=1),
    Weaker("a with one fewer: beta_S R/(s S)", MOVEMENT_BELOW, a=1),
)
