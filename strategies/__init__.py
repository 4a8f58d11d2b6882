"""Hypothesis strategies: models, covariances, fine-tuning sets. Each draws a small recipe that shrinks; see README.md."""

from boundcheck.strategies.covariances import CovariancePairs, Covariances, covariance_pairs, covariances
from boundcheck.strategies.fine_tunings import displacements, fine_tunings, setups
from boundcheck.strategies.models import (
    curved_models,
    general_quadratic_models,
    linear_models,
    models,
    quadratic_models,
    two_layer_models,
)
from boundcheck.strategies.policies import (
    directions,
    linear_layers,
    linear_policies,
    projected_lengths,
    reference_policies,
    shaped_policies,
    spectral_pairs,
    tilts,
    turned_directions,
)

__all__ = [
    "CovariancePairs",
    "Covariances",
    "covariance_pairs",
    "covariances",
    "curved_models",
    "directions",
    "displacements",
    "fine_tunings",
    "general_quadratic_models",
    "linear_layers",
    "linear_models",
    "linear_policies",
    "models",
    "projected_lengths",
    "quadratic_models",
    "reference_policies",
    "setups",
    "shaped_policies",
    "spectral_pairs",
    "tilts",
    "turned_directions",
    "two_layer_models",
]
