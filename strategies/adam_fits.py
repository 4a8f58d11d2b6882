"""Linear models fitted to one sample by Adam."""

from dataclasses import dataclass, fields

from hypothesis import strategies as st

from boundcheck.dynamics import AdamFit, Setup
from boundcheck.strategies.fine_tunings import SetupRecipe, setups
from boundcheck.strategies.models import linear_models


@dataclass(frozen=True)
class AdamRecipe(SetupRecipe):
    """A Setup of a linear model and one sample, and where Adam ends on it."""

    def build(self, lanes: int, first: int = 0) -> AdamFit:
        """Lanes first, …, first + lanes - 1."""
        setup = SetupRecipe.build(self, lanes, first)
        return AdamFit(**{f.name: getattr(setup, f.name) for f in fields(Setup)})


def adam_fits(*, max_inputs: int = 4, max_outputs: int = 2, max_points: int = 4) -> st.SearchStrategy[AdamRecipe]:
    """Linear models with one sample, fitted by Adam.

    Args:
        max_inputs: of the model. max_outputs: k. max_points: largest N.

    """
    drawn = setups(
        family=linear_models(max_inputs=max_inputs, max_outputs=max_outputs), max_samples=1, max_points=max_points
    )
    return drawn.map(lambda recipe: AdamRecipe(**{f.name: getattr(recipe, f.name) for f in fields(SetupRecipe)}))
