"""Softmax policies nearly reach the constants of the bounds on their divergence."""

import math

import torch

from boundcheck.strategies.policies import LinearPolicyRecipe
from tests.strategies.instances import one_instance


def test_contrasts_come_close_to_the_cubic_constant() -> None:
    problem = LinearPolicyRecipe(1, 2, 1, "skewed", 3).build(256)
    F, D = problem.fisher, problem.displacement
    quadratic = (D[:, None] @ F @ D[..., None])[:, 0, 0]
    drops = torch.stack([one_instance(problem, lane).drop for lane in range(problem.lanes)])
    bound = math.sqrt(6) / 54 * torch.linalg.matrix_norm(problem.features[:, 0], 2) ** 3 * problem.length**3
    assert float(((drops - quadratic / 2).abs() / bound).max()) > 0.95
