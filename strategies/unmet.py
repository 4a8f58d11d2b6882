"""Fine-tuning problems that do not meet what the theorems assume, for taking premises away."""

from dataclasses import dataclass, fields, replace

import torch
from hypothesis import strategies as st

from boundcheck.dynamics import AdamFit, FineTuning, Setup, descend
from boundcheck.geometry import GeneralQuadratic
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


@dataclass(frozen=True)
class GlancingRecipe(SetupRecipe):
    """A Setup of one sample and one output, evaluated on affine outputs that hardly see its tangent space, and its limit.

    Their Jacobian is w + g·u, u the direction of the sample's, w ⟂ u, both of length 1 and g small of either sign: what a
    curved model moves along w is seen in full.
    """

    def build(self, lanes: int, first: int = 0) -> FineTuning:
        """Lanes first, …, first + lanes - 1."""
        setup = SetupRecipe.build(self, lanes, first)
        stream = LaneStream(self.seed + 2**33, lanes, first)
        n = self.family.parameters
        u = setup.jacobian[:, 0] / torch.linalg.vector_norm(setup.jacobian[:, 0], dim=-1, keepdim=True)
        w = stream.normal(n)
        w = w - (w * u).sum(-1, keepdim=True) * u
        w = w / torch.linalg.vector_norm(w, dim=-1, keepdim=True)
        glance = (stream.log_uniform(3e-3, 0.3) * stream.choice(-1.0, 1.0))[:, None]
        x_eval = torch.zeros_like(setup.x_eval)
        x_eval[..., :n] = (w + glance * u)[:, None]
        return descend(replace(setup, x_eval=x_eval), max_steps=DEFAULT_STEPS)


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


def glancing_tunings(*, max_dimension: int = 3) -> st.SearchStrategy[GlancingRecipe]:
    """Setups of one sample and one output of a quadratic model whose evaluation hardly sees the tangent space.

    Args:
        max_dimension: of the model, at least 2.

    """
    family = st.builds(GeneralQuadratic, dimension=st.integers(2, max_dimension))
    drawn = setups(family=family, max_samples=1, max_points=1)
    return drawn.map(
        lambda recipe: GlancingRecipe(
            **{f.name: getattr(recipe, f.name) for f in fields(SetupRecipe)} | {"placement": "edge"}
        )
    )
