"""Theorem 7 as a researcher would check it without this package: one net at a time, in plain torch.

`script` draws nothing: it takes the numbers of a batch's lanes, so that both ways check the same instances. Each is a two-layer
net; its Jacobians are taken row by row with autograd; gradient descent runs until the residual is a relative 1e-9 or the steps
are used up; then both sides of Spill >= (1/3)·(γ_ov·R/σ_max)² in plain float64. It checks no premise and bounds no rounding.
`ours` is the whole claim LE-7:U on the same recipe, nothing kept from an earlier call: drawing, descent with certified radii,
both sides and premises in enclosures.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from boundcheck.claim import registered_claims
from boundcheck.dynamics import descend
from boundcheck.geometry import TwoLayer
from boundcheck.search.evaluate import Evaluator
from boundcheck.strategies.fine_tunings import FineTuningRecipe, SetupRecipe
from boundcheck.theorems.local_edits import theorem_7
from boundcheck.verdict import Judgement
from tests.geometry.oracle import jacobian_rows

__all__ = ["CLAIM", "RECIPE", "TOLERANCE", "Net", "ours", "script", "sides"]

CLAIM = "LE-7:U"
RECIPE = FineTuningRecipe(TwoLayer(6, 8), samples=2, points=8, seed=7)
TOLERANCE = 1e-9
assert theorem_7.spillover_ge_overlap_sq_mul_residual_sq is not None  # importing it registers the claim


class Net(nn.Module):
    """α·a·tanh(W·x)/√width, of which W is trained."""

    def __init__(self, first: Tensor, head: Tensor, alpha: float) -> None:
        super().__init__()
        self.first = nn.Parameter(first.clone())
        self.head = head
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        """Outputs `[samples, outputs]`."""
        hidden = torch.tanh(x @ self.first.T)
        return self.alpha * (hidden @ self.head.T) / math.sqrt(self.first.shape[0])


def sides(
    net: Net, x_train: Tensor, y_train: Tensor, x_eval: Tensor, eta: float, max_steps: int
) -> tuple[float, float]:
    """(1/3)·(γ_ov·R/σ_max)² at the start, and the spillover loss after gradient descent (of outputs without their scale α)."""
    alpha, weights = net.alpha, [net.first]
    train = jacobian_rows(net, weights, x_train) / alpha
    evaluation = jacobian_rows(net, weights, x_eval) / alpha
    basis = torch.linalg.qr(train.T).Q
    gamma = float(torch.linalg.svdvals(evaluation @ basis)[-1]) / math.sqrt(len(x_eval))
    sigma_max = float(torch.linalg.svdvals(train)[0])
    with torch.no_grad():
        before = net(x_eval) / alpha
        first_residual = float((net(x_train) - y_train).norm())

    optimizer = torch.optim.SGD(net.parameters(), lr=eta)
    for _ in range(max_steps):
        optimizer.zero_grad()
        residual = net(x_train) - y_train
        if float(residual.detach().norm()) <= TOLERANCE * first_residual:
            break
        (0.5 * residual.square().sum()).backward()
        optimizer.step()

    with torch.no_grad():
        change = net(x_eval) / alpha - before
    spill = 0.5 * float(change.square().sum(-1).mean())
    return (gamma * first_residual / alpha / sigma_max) ** 2 / 3, spill


def script(lanes: Sequence[int], recipe: FineTuningRecipe = RECIPE) -> list[tuple[float, float]]:
    """Both sides of these lanes' instances, one instance after another."""
    setup = SetupRecipe.build(recipe, max(lanes) + 1)
    family = setup.family
    assert isinstance(family, TwoLayer)
    found = []
    for lane in lanes:
        first = setup.theta0[lane].reshape(family.width, family.inputs)
        net = Net(first, setup.frozen["head"][lane], float(setup.alpha[lane]))
        data = setup.x_train[lane], setup.y_train[lane], setup.x_eval[lane]
        found.append(sides(net, *data, float(setup.eta[lane]), recipe.descent_steps))
    return found


def ours(lanes: int, recipe: FineTuningRecipe = RECIPE, evaluator: Evaluator | None = None) -> Judgement:
    """The whole claim on so many lanes. An evaluator that has met the structure keeps its trace, as in a campaign."""
    evaluator = evaluator or Evaluator(registered_claims()[CLAIM])
    return evaluator(descend(SetupRecipe.build(recipe, lanes), max_steps=recipe.descent_steps))
