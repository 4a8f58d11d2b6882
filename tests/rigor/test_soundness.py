"""A sample of the soundness campaign in every run of the tests (`make soundness` compares a million), and its own mutant."""

import pytest
import torch

import boundcheck.theorems.alignment_collapse
import boundcheck.theorems.local_edits  # noqa: F401 - registers the claims
from boundcheck.claim import registered_claims
from boundcheck.rigor import Enclosure
from tests.campaigns import soundness

CLAIMS = sorted(key for key, claim in registered_claims().items() if claim.input == "generated")


def test_operators() -> None:
    figures = soundness.compare_operators(lanes=40_000, seed=11)
    assert figures.lanes >= 40_000
    assert figures.decided >= 0.8 * figures.lanes
    assert figures.unsound == []


@pytest.mark.parametrize("key", CLAIMS)
def test_claims(key: str) -> None:
    figures = soundness.compare_claim(registered_claims()[key], lanes=12, seed=5, batch=8, points=4)
    assert figures.lanes >= 24
    assert figures.unsound == []


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("half the radius of exp", lambda x: Enclosure(x.mid.exp(), 0.5 * x.mid.exp() * x.rad)),
        ("no radius at all", lambda x: Enclosure.exactly(x.mid.exp())),
    ],
)
def test_a_wrong_rule_is_noticed(name: str, wrong: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from boundcheck.rigor import registry

    monkeypatch.setitem(registry._RULES, torch.ops.aten.exp.default, wrong)
    figures = soundness.Figures()
    for seed in range(4):
        soundness.compare_operator("exp", torch.exp, 1, 600, seed, figures)
    assert figures.unsound, name
