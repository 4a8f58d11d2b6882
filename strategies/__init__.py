"""Hypothesis strategies: models, covariances, fine-tuning sets, policies, flows. Each draws a small recipe; see README.md."""

from boundcheck.strategies.blocks import Blocks, blocks
from boundcheck.strategies.covariances import CovariancePairs, Covariances, covariance_pairs, covariances
from boundcheck.strategies.directions import directions, projected_lengths, turned_directions
from boundcheck.strategies.eigenspaces import spectral_pairs
from boundcheck.strategies.feature_maps import feature_moments
from boundcheck.strategies.fine_tunings import displacements, fine_tunings, setups
from boundcheck.strategies.instability import instabilities, relaxed_instabilities, skill_steps
from boundcheck.strategies.layers import linear_layers
from boundcheck.strategies.models import (
    attention_models,
    both_layers_models,
    curved_models,
    general_quadratic_models,
    linear_models,
    models,
    network_models,
    polynomial_models,
    quadratic_models,
    relu_models,
    two_layer_models,
)
from boundcheck.strategies.neural_policies import displaced_policies, policy_flows, softmax_networks
from boundcheck.strategies.policies import linear_policies, reference_policies, shaped_policies
from boundcheck.strategies.relu_neurons import layer_pairs, neuron_pairs
from boundcheck.strategies.sampled_blocks import SampledGrams, SampledRows, sampled_grams, sampled_rows
from boundcheck.strategies.scaled_setups import rescaled_setups, tunings_in_other_units
from boundcheck.strategies.tilts import tilts
from boundcheck.strategies.turned_blocks import SampledTurned, sampled_turned
from boundcheck.strategies.unmet import adam_fits, glancing_tunings, overshooting_tunings

__all__ = [
    "Blocks",
    "CovariancePairs",
    "Covariances",
    "SampledGrams",
    "SampledRows",
    "SampledTurned",
    "adam_fits",
    "attention_models",
    "blocks",
    "both_layers_models",
    "covariance_pairs",
    "covariances",
    "curved_models",
    "directions",
    "displaced_policies",
    "displacements",
    "feature_moments",
    "fine_tunings",
    "general_quadratic_models",
    "glancing_tunings",
    "instabilities",
    "layer_pairs",
    "linear_layers",
    "linear_models",
    "linear_policies",
    "models",
    "network_models",
    "neuron_pairs",
    "overshooting_tunings",
    "policy_flows",
    "polynomial_models",
    "projected_lengths",
    "quadratic_models",
    "reference_policies",
    "relaxed_instabilities",
    "relu_models",
    "rescaled_setups",
    "sampled_grams",
    "sampled_rows",
    "sampled_turned",
    "setups",
    "shaped_policies",
    "skill_steps",
    "softmax_networks",
    "spectral_pairs",
    "tilts",
    "tunings_in_other_units",
    "turned_directions",
    "two_layer_models",
]
