"""What is certain of a batch of Setups at a point, or in a ball: traced once, enclosed wherever it is asked for.

Where a family's β_S is only an estimate, so is `Point.beta`: nothing may be concluded from it (`Setup.established`).
"""

from collections.abc import Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

from boundcheck.dynamics.fine_tuning import Setup
from boundcheck.errors import UnknownOperatorError
from boundcheck.geometry import singular_values
from boundcheck.rigor import Enclosure, Traced, trace
from boundcheck.rigor.magnitude import Magnitude, magnitudes

UP = 1 + 2.0**-30
"""Covers the roundings of a formula: up to 2^20 of them where all terms are positive."""

MOST_TRACES = 128
"""So many are kept: a climb asks for the same structure again and again."""

TINY = 2.0**-500
"""At least what underflow takes from a norm for each of its entries (squares below 2^-1074 vanish)."""


@dataclass(frozen=True)
class Point:
    """Bounds at some θ: σ_min(J_S) from below; σ_max(J_S), ‖r_S‖ and β_S from above.

    β_S holds everywhere, or on the ball of radius ρ_0 around θ_0 (`Bounds.within`).
    """

    smallest: Tensor
    largest: Tensor
    residual: Tensor
    beta: Tensor


@dataclass(frozen=True)
class Bounds:
    """The quantities of one batch as functions of θ."""

    setup: Setup
    spectrum: Traced
    residual: Traced
    pullback: Traced

    @staticmethod
    def of(setup: Setup) -> "Bounds":
        """Trace them, or take the traces of an earlier batch of the same structure and size."""
        key = (setup.identity(), str(setup.theta0.device))
        if key not in _TRACES:
            while len(_TRACES) >= MOST_TRACES:
                _TRACES.pop(next(iter(_TRACES)))  # the oldest
            _TRACES[key] = _traced(setup)
        return Bounds(setup, *_TRACES[key])

    @property
    def _leaves(self) -> list[Tensor]:
        return list(self.setup.leaves().values())

    def at(self, theta: Tensor) -> Point:
        """All bounds at θ `[lanes, n]`."""
        values, beta = self.spectrum.enclose(*map(Enclosure.exactly, [theta, *self._leaves]))
        full = values.mid.shape[-1] == self.setup.y_train[0].numel()
        smallest = torch.nan_to_num(values.lower[..., -1].clamp(min=0), nan=0.0)
        return Point(
            smallest=smallest if full else torch.zeros_like(smallest),
            largest=bound(values.upper[..., 0]),
            residual=self.residual_at(theta),
            beta=bound(beta.upper),
        )

    def within(self, reach: Tensor) -> Tensor:
        """Whether β_S holds between all points that are no farther than `reach` (an upper bound) from θ_0."""
        if self.setup.family.everywhere:
            return torch.ones_like(reach, dtype=torch.bool)
        return reach * UP <= self.setup.rho0

    def residual_at(self, theta: Tensor) -> Tensor:
        """At least ‖r_S(θ)‖."""
        (residual,) = self.residual.enclose(*map(Enclosure.exactly, [theta, *self._leaves]))
        return norm(residual.magnitude)

    def pulled(self, theta: Tensor, cotangent: Tensor) -> tuple[Tensor, Tensor]:
        """J_S(θ)ᵀ·cotangent in floats, and how far that may be off in Euclidean norm."""
        (product,) = self.pullback.enclose(*map(Enclosure.exactly, [theta, cotangent, *self._leaves]))
        return product.mid, norm(product.rad)

    def roundings(self, radius: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
        """How far off floats can be, in Euclidean norm, in the ball of this radius around θ_0: r_S, and J_Sᵀ·c for a given c.

        The entries of c are at most `residual`.
        """
        exact = [Magnitude.exactly(leaf) for leaf in self._leaves]
        theta = Magnitude.within(self.setup.theta0, radius[..., None])
        cotangent = Magnitude.within(torch.zeros_like(self.setup.y_train).flatten(-2), residual[..., None])
        try:
            (value,) = magnitudes(self.residual, theta, *exact)
            (product,) = magnitudes(self.pullback, theta, cotangent, *exact)
        except UnknownOperatorError:
            return torch.full_like(radius, torch.inf), torch.full_like(radius, torch.inf)
        return norm(value.error), norm(product.error)


_TRACES: dict[Hashable, tuple[Traced, Traced, Traced]] = {}


def _traced(setup: Setup) -> tuple[Traced, Traced, Traced]:
    names = list(setup.leaves())
    leaves = list(setup.leaves().values())

    def given(values: tuple[Tensor, ...]) -> Setup:
        return setup.with_leaves(dict(zip(names, values, strict=True)))

    def spectrum(theta: Tensor, *values: Tensor) -> list[Tensor]:
        p = given(values)
        jacobian = p.family.jacobian(theta, p.frozen, p.x_train).flatten(-3, -2)
        beta = p.family.smoothness(theta, p.frozen, p.x_train) if p.family.everywhere else p.beta_train
        return [singular_values(jacobian), beta]

    def residual(theta: Tensor, *values: Tensor) -> list[Tensor]:
        return [given(values).residual(theta)]

    def pullback(theta: Tensor, cotangent: Tensor, *values: Tensor) -> list[Tensor]:
        return [given(values).pullback(theta, cotangent)]

    return (
        trace(spectrum, [setup.theta0, *leaves]),
        trace(residual, [setup.theta0, *leaves]),
        trace(pullback, [setup.theta0, setup.y_train.flatten(-2), *leaves]),
    )


def norm(entries: Tensor) -> Tensor:
    """At least the Euclidean norm along the last axis; 0 where all is 0, +inf where an entry is NaN."""
    length = bound((torch.linalg.vector_norm(entries, dim=-1) + entries.shape[-1] * TINY) * UP)
    return torch.where((entries == 0).all(-1), 0.0, length)


def bound(value: Tensor) -> Tensor:
    """An upper bound that is NaN says nothing, as +inf does."""
    return torch.nan_to_num(value, nan=torch.inf, posinf=torch.inf)
