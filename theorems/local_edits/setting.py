"""What the numbered results of Local Edits share: symbols, and the premises in three strengths.

With s, S the extreme singular values of J_S(θ_0), R = ‖r_0‖/α, g = γ_ov, L = Λ and h = η·α²·S²:

* **printed**: the conditions (7) and (11) as the paper states them, with c = 1/16;
* **U**: the scale-free conditions `a = β_S·R/s² <= c`, `b = β_S·Λ·S·R/(g·s³) <= c`, `d = β·S·R/(g·s²) <= c`, h <= c with
  c = 1/16. They are weaker than the printed ones (which carry further powers of S/s), so a claim that holds under them is the
  stronger one;
* **adaptive**: some e in [0, 1/2] with A(e) > 0 and a·P(e) <= e (see `boundcheck.dynamics.contraction`); its slack goes
  to 0 with the step and the residual, so that a check of it can fail.

Conditions divide by nothing that may be 0 (β_S = 0 or β = 0 makes them hold), and by ρ_0, so that ρ_0 = +∞ is allowed even where
σ_min = 0.
"""

import torch
from torch import Tensor

from boundcheck.claim import Source, premise
from boundcheck.dynamics import FineTuning, Setup, contraction
from boundcheck.exact import constant
from boundcheck.geometry import Linear, Polynomial

C: Tensor = constant("1/16", unit="of the step size and of the conditions (7) and (11)")


def local_edits(label: str, equation: str = "") -> Source:
    """A place in the paper."""
    return Source("Awasthi et al., Local Edits, Global Spillover", label, equation)


def linear_or_one_parameter(p: Setup) -> bool:
    """Structures on which the adaptive lower bounds can be equalities: no slack is left in a linear model, and one dimension
    has one direction."""
    return isinstance(p.family, Linear | Polynomial) or p.family.parameters == 1


def one_direction(p: Setup) -> bool:
    """Structures on which every tangent vector has the same Rayleigh quotient: one row, one sample of a linear model, or one
    parameter."""
    rows = p.y_train.shape[-2] * p.y_train.shape[-1]
    one_sample = isinstance(p.family, Linear) and p.y_train.shape[-2] == 1
    return rows == 1 or one_sample or p.family.parameters == 1


def full_tangent_space(p: Setup) -> bool:
    """Structures whose fine-tuning set has as many rows as there are parameters."""
    return p.y_train.shape[-2] * p.y_train.shape[-1] == p.family.parameters


def positive(name: str, value: Tensor, *, established: bool = True) -> None:
    """The premise `value > 0` (a margin of 0 would count as holding)."""
    premise(name, torch.where(value > 0, value, -torch.ones_like(value)), established=established)


def regular(p: Setup) -> None:
    """σ_min > 0, and a residual to remove (without one both sides are 0)."""
    positive("J_S has full row rank", p.sigma_min)
    positive("the residual is not 0", p.residual_norm)


def lemma_6_as_printed(p: Setup, c: Tensor) -> None:
    """Lemma 6: step size and both parts of (7)."""
    s, S, R = p.sigma_min, p.sigma_max, p.residual_norm
    regular(p)
    premise("step size", c - p.step_size)
    premise("(7) ball", c * s.square() - R * S / p.rho0)
    premise("(7) smoothness", c * s.pow(3) - p.beta_train * S * R, established=p.established)


def lemma_6_scale_free(p: Setup, c: Tensor) -> None:
    """Set U: h, R/(s·ρ_0) and a = β_S·R/s² at most c."""
    s, R = p.sigma_min, p.residual_norm
    regular(p)
    premise("step size", c - p.step_size)
    premise("ball", c * s - R / p.rho0)
    premise("a <= c", c * s.square() - p.beta_train * R, established=p.established)


def lemma_6_adaptive(p: FineTuning) -> tuple[Tensor, Tensor]:
    """The conditions of the adaptive forms; returns A and P."""
    s, R, e, h = p.sigma_min, p.residual_norm, p.slack, p.step_size
    A, P = contraction.rate(e, h), contraction.path_factor(e, h)
    regular(p)
    positive("A(e) > 0", A)
    premise("e <= 1/2", 0.5 - e)
    premise("a P(e) <= e", e * s.square() - p.beta_train * R * P, established=p.established)
    premise("ball", s - P * R / p.rho0)
    return A, P


def theorem_7_as_printed(p: Setup, c: Tensor) -> None:
    """Theorem 7: Lemma 6's conditions, γ_ov > 0 and both parts of (11)."""
    s, S, R, g = p.sigma_min, p.sigma_max, p.residual_norm, p.overlap
    lemma_6_as_printed(p, c)
    positive("overlap > 0", g)
    premise("(11) first", c * g * s.pow(4) - p.kernel_norm * p.beta_train * S.square() * R, established=p.established)
    premise("(11) second", c * g * s.pow(4) - p.beta_eval * S.pow(3) * R, established=p.established)


def theorem_7_scale_free(p: Setup, c: Tensor) -> None:
    """Set U of Theorem 7."""
    s, S, R, g = p.sigma_min, p.sigma_max, p.residual_norm, p.overlap
    lemma_6_scale_free(p, c)
    positive("overlap > 0", g)
    premise("b <= c", c * g * s.pow(3) - p.kernel_norm * p.beta_train * S * R, established=p.established)
    premise("d <= c", c * g * s.square() - p.beta_eval * S * R, established=p.established)
