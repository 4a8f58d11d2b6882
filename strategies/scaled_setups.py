"""Fine-tuning problems with a second output scale, and in other units of the parameters."""

from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.dynamics import FineTuning, Setup, descend
from boundcheck.strategies.fine_tunings import DEFAULT_STEPS, EDGE, NUDGE, SetupRecipe, setups
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.models import curved_models, linear_models


@dataclass(frozen=True)
class RescaledSetup(Setup):
    """A Setup with a second output scale: the leaf `other` `[]`."""

    other: Tensor

    def admissible(self) -> Tensor:
        return super().admissible() & (self.other > 0)

    @cached_property
    def start(self) -> Tensor:
        """F_S(θ_0), stacked: `[..., mk]`."""
        return self.family.outputs(self.theta0, self.frozen, self.x_train).flatten(-2)

    @cached_property
    def labels(self) -> Tensor:
        """y_S, stacked: `[..., mk]`."""
        return self.y_train.flatten(-2)

    @property
    def edit(self) -> Tensor:
        """e = y - α·F_S(θ_0), what the labels ask for beyond the scaled outputs: `[..., mk]`."""
        return self.labels - self.alpha[..., None] * self.start

    def ceiling(self, c: "Tensor | float") -> Tensor:
        """The right side of (11): c·min{γ_ov·σ_min⁴/(Λ·β_S·σ_max²), γ_ov·σ_min⁴/(β·σ_max³)}; no α is in it."""
        least, largest = self.sigma_min, self.sigma_max
        first = self.kernel_norm * self.beta_train * largest.square()
        second = self.beta_eval * largest.pow(3)
        return c * self.overlap * least.pow(4) / torch.maximum(first, second)


@dataclass(frozen=True)
class RescaledRecipe(SetupRecipe):
    """A Setup with a second output scale.

    Outputs at θ_0 are brought near a given part of the right side of (11) where that is possible by making θ_0 smaller; labels
    lie at a given part of it from the outputs: well inside, a nudge inside or outside, or far outside, as `placement` says. The
    other scale is above α by one part in 2¹⁸ up to a factor of 1,000; in an eighth of the lanes it is below.
    """

    def build(self, lanes: int, first: int = 0) -> RescaledSetup:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed + 2**33, lanes, first)
        bare = _with_small_outputs(SetupRecipe.build(self, lanes, first), stream)
        ceiling = bare.ceiling(EDGE)
        part = {
            "inside": stream.log_uniform(1e-3, 1.0),
            "edge": stream.choice(1 - NUDGE, 1 - NUDGE, 1 + NUDGE),
            "outside": stream.choice(1 + NUDGE, 1.1, 16.0),
        }[self.placement]
        rows = bare.start.shape[-1]
        along = bare.start * stream.choice(0.0, 0.0, 1.0, -1.0)[:, None]
        direction = torch.where((along == 0).all(-1, keepdim=True), stream.unit(rows), along)
        direction = direction / torch.linalg.vector_norm(direction, dim=-1, keepdim=True)
        residual = (part * torch.nan_to_num(ceiling, posinf=1.0))[:, None] * direction
        labels = bare.alpha[:, None] * (bare.start - residual)
        # Four nudges: one would cancel the nudge of the labels, and rounding would decide.
        factor = stream.choice(1 + 4 * NUDGE, 1.0005, 0.0)
        factor = torch.where(factor == 0, stream.log_uniform(1.0, 1e3), factor)
        factor = torch.where(stream.uniform() < 0.125, 1 / factor, factor)
        leaves = {"y_train": labels.unflatten(-1, bare.y_train.shape[-2:]), "other": bare.alpha * factor}
        return bare.with_leaves(bare.leaves() | leaves)


def _with_small_outputs(bare: Setup, stream: LaneStream) -> RescaledSetup:
    """The same model nearer to θ = 0, such that ‖F_S(θ_0)‖ is about a given part of the right side of (11)."""
    values = {f.name: getattr(bare, f.name) for f in fields(Setup)}
    origin = RescaledSetup(**values | {"theta0": torch.zeros_like(bare.theta0)}, other=bare.alpha)
    size = torch.linalg.vector_norm((origin.jacobian @ bare.theta0[..., None]).squeeze(-1), dim=-1)
    part = torch.where(
        stream.uniform() < 0.5, stream.log_uniform(1e-3, 1.0), stream.choice(0.999, 1.001, 4.0, torch.inf)
    )
    shrink = torch.nan_to_num(part * origin.ceiling(EDGE) / size, nan=1.0).clamp(max=1.0)
    return replace(origin, theta0=shrink[:, None] * bare.theta0)


@dataclass(frozen=True)
class OtherUnitsRecipe(SetupRecipe):
    """A Setup of a linear model with all inputs `scale` times as large, and the limit of its descent.

    Parameters in units that are `scale` times as large describe the same model: outputs, edits and spillover are those of the
    descent in the old units, γ_ov, σ_min and σ_max are `scale` times as large, the premises are as they were.
    """

    def build(self, lanes: int, first: int = 0) -> FineTuning:
        """Lanes first, …, first + lanes - 1, each descended to its limit."""
        setup = SetupRecipe.build(self, lanes, first)
        scale = LaneStream(self.seed + 2**33, lanes, first).choice(1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
        return descend(in_other_units(setup, scale), max_steps=DEFAULT_STEPS)


def in_other_units(setup: Setup, scale: Tensor) -> Setup:
    """The same linear models and descents with parameters counted in units `scale` `[lanes]` times as large."""
    return replace(
        setup,
        theta0=setup.theta0 / scale[:, None],
        x_train=setup.x_train * scale[:, None, None],
        x_eval=setup.x_eval * scale[:, None, None],
        eta=setup.eta / scale.square(),
        rho0=setup.rho0 / scale,
    )


def _as(kind: type[SetupRecipe], recipe: SetupRecipe) -> SetupRecipe:
    return kind(**{f.name: getattr(recipe, f.name) for f in fields(SetupRecipe)})


def rescaled_setups(*, max_samples: int = 2, max_points: int = 12) -> st.SearchStrategy[SetupRecipe]:
    """Setups of models with curvature, with a second output scale.

    Args:
        max_samples: largest m. max_points: largest N.

    """
    drawn = setups(family=curved_models(), max_samples=max_samples, max_points=max_points)
    return drawn.map(lambda recipe: _as(RescaledRecipe, recipe))


def tunings_in_other_units(*, max_samples: int = 3, max_points: int = 24) -> st.SearchStrategy[SetupRecipe]:
    """Descents of linear models whose parameters are counted in units from 1 to 64.

    Args:
        max_samples: largest m. max_points: largest N.

    """
    drawn = setups(family=linear_models(), max_samples=max_samples, max_points=max_points)
    return drawn.map(lambda recipe: _as(OtherUnitsRecipe, recipe))
