"""Hypothesis strategies: models, covariances, fine-tuning sets. Each draws a small recipe that shrinks; see README.md."""

from boundcheck.strategies.covariances import CovariancePairs, Covariances, covariance_pairs, covariances
from boundcheck.strategies.fine_tunings import displacements, fine_tunings, setups
from boundcheck.strategies.instability import instabilities, relaxed_instabilities, skill_steps
from boundcheck.strategies.models import (
    curved_models,
    general_quadratic_models,
    linear_models,
    models,
    quadratic_models,
    two_layer_models,
)

__all__ = [
    "CovariancePairs",
    "Covariances",
    "covariance_pairs",
    "covariances",
    "curved_models",
    "displacements",
    "fine_tunings",
    "general_quadratic_models",
    "instabilities",
    "linear_models",
    "models",
    "quadratic_models",
    "relaxed_instabilities",
    "setups",
    "skill_steps",
    "two_layer_models",
]
