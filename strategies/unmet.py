"""Fine-tuning problems that do not meet what the theorems assume, for taking premises away."""

from dataclasses import dataclass, fields, replace

from hypothesis import strategies as st

from boundcheck.dynamics import AdamFit, FineTuning, Setup, descend
from boundcheck.strategies.fine_tunings import DEFAULT_STEPS, SetupRecipe, setups
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.models import Families, linear_models, models


@dataclass(frozen=True)
class AdamRecipe(SetupRecipe):
    """A Setup of a linear model and one sample, and where Adam ends on it."""

    def build(self, lanes: int, first: int = 0) -> AdamFit:
        """Lanes first, …, first + lanes - 1."""
        setup = SetupRecipe.build(self, lanes, first)
        return AdamFit(**{f.name: getattr(setup, f.name) for f in fields(Setup)})


@dataclass(frozen=True)
class OvershootingRecipe(SetupRecipe):
    """A Setup and the limit of a descent with h = η·α²·σ_max² between 1 and 2, whose steps go beyond where they aim at."""

    def build(self, lanes: int, first: int = 0) -> FineTuning:
        """Lanes first, …, first + lanes - 1."""
        setup = SetupRecipe.build(self, lanes, first)
        h = LaneStream(self.seed + 2**33, lanes, first).uniform(low=1.0, high=1.98)
        return descend(replace(setup, eta=setup.eta * h / setup.step_size), max_steps=DEFAULT_STEPS)


def adam_fits(*, max_inputs: int = 4, max_outputs: int = 2, max_points: int = 4) -> st.SearchStrategy[AdamRecipe]:
    """Linear models with one sample, fitted by Adam.

    Args:
        max_inputs: of the model. max_outputs: k. max_points: largest N.

    """
    drawn = setups(
        family=linear_models(max_inputs=max_inputs, max_outputs=max_outputs), max_samples=1, max_points=max_points
    )
    return drawn.map(lambda recipe: AdamRecipe(**{f.name: getattr(recipe, f.name) for f in fields(SetupRecipe)}))


def overshooting_tunings(
    *, family: Families | None = None, max_samples: int = 1, max_points: int = 2
) -> st.SearchStrategy[OvershootingRecipe]:
    """Setups descended to their limit by steps that are too long, though short enough to get there in a linear model.

    Args:
        family: a strategy of model families (default: every one with constants in closed form).
        max_samples: largest m. max_points: largest N.

    """
    drawn = setups(family=family if family is not None else models(), max_samples=max_samples, max_points=max_points)
    return drawn.map(
        lambda recipe: OvershootingRecipe(**{f.name: getattr(recipe, f.name) for f in fields(SetupRecipe)})
    )
