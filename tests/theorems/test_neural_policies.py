"""Claims on neural policies: sides against plain loops, the estimate keeps them from a verdict, a wrong bound is caught."""

from pathlib import Path

import numpy as np
import pytest
import torch

import boundcheck.theorems.alignment_collapse  # noqa: F401 - registers the claims
from boundcheck.claim import Sides, registered_claims
from boundcheck.dynamics import Displaced
from boundcheck.geometry import TwoLayer
from boundcheck.profiles import profile
from boundcheck.search import Evaluator, Options, run_campaign
from boundcheck.strategies.fine_tunings import DisplacedRecipe
from boundcheck.strategies.neural_policies import PolicyFlowRecipe
from boundcheck.verdict import Status

CLAIMS = registered_claims()


@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_the_sides_of_theorem_6_1_for_a_network(activation: str) -> None:
    claim = CLAIMS["AC-6.1:neural"]
    batch = DisplacedRecipe(TwoLayer(2, 3, 3, activation), samples=1, points=2, seed=4).build(8)
    for lane in range(8):
        p = batch.with_leaves({name: leaf[lane] for name, leaf in batch.leaves().items()})
        assert isinstance(p, Displaced)
        statement, _ = claim.state(p, {})
        assert isinstance(statement, Sides)
        D = p.tuned - p.theta0
        square = kl = worst = 0.0
        for x in p.x_eval:
            z, w = (p.family.outputs(theta, p.frozen, x[None])[0] for theta in (p.theta0, p.tuned))
            J = p.family.jacobian(p.theta0, p.frozen, x[None])[0]
            pi = torch.softmax(z, -1)
            fisher = J.mT @ (torch.diag(pi) - torch.outer(pi, pi)) @ J
            square += float(D @ fisher @ D) / len(p.x_eval)
            kl += float((pi * (torch.log_softmax(z, -1) - torch.log_softmax(w, -1))).sum()) / len(p.x_eval)
            worst = max(worst, float((w - z).max() - (w - z).min()))
        reach = max(np.sqrt(square) - float(p.beta_eval) * float(D @ D) / (2 * np.sqrt(2)), 0.0)
        psi = (np.expm1(-worst) + worst) / worst**2
        assert float(statement.larger) == pytest.approx(kl, rel=1e-8, abs=1e-12)
        assert float(statement.smaller) == pytest.approx(psi * reach**2, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("key", ["AC-quartic:neural-lower", "AC-quartic:neural-upper"])
def test_an_estimated_constant_decides_nothing_and_is_shown(key: str, tmp_path: Path) -> None:
    flow = PolicyFlowRecipe(TwoLayer(2, 3, 2, "tanh"), samples=2, points=1, seed=5).build(16)
    judged = Evaluator(CLAIMS[key])(flow)
    assert not bool(judged.held().any())
    assert not bool(judged.broken().any())
    assert int((judged.status == int(Status.PREMISE_UNVERIFIED)).sum()) > 0
    entry = run_campaign(CLAIMS[key], Options(profile("fast"), counterexamples=tmp_path))
    assert entry["verdict"] == "MEASURED"
    assert entry["tightness"]["max"] is not None
    assert entry["tested"] < 1000  # a row that only informs stops early
