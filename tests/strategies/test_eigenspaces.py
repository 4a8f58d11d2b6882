"""Pairs of matrices come as near to each other as the angle between their eigenspaces allows."""

import torch

from boundcheck.strategies.eigenspaces import SpectralPairRecipe
from tests.strategies.instances import one_instance

LANES = 64


def test_pairs_reach_factor_two() -> None:
    problem = SpectralPairRecipe(3, 1, "swap", 5).build(LANES)
    ratios = []
    for lane in range(LANES):
        one = one_instance(problem, lane)
        change, rotated = torch.linalg.matrix_norm(one.difference, 2), torch.linalg.matrix_norm(one.rotated, 2)
        ratios.append(float(rotated / (2 * change / one.gap)))
    assert 0.9999 < max(ratios) <= 1 + 1e-9
