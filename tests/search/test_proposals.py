"""Climbs in float32 propose; what is found is judged in float64 and in balls."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from boundcheck.claim import Sides, scaled
from boundcheck.errors import BoundcheckError
from boundcheck.exact import constant
from boundcheck.record import read_counterexample
from boundcheck.search import Hunt, hunt
from boundcheck.search.hunting.landscape import Landscape
from boundcheck.search.judge import Judge
from boundcheck.verdict import Status
from tests.search.test_hunt import Prey, PreyRecipe, claim_of, sum_le_norm


def planted(p: Prey, c: Tensor = constant("99/100", scales="larger", unit="n |x|^2")) -> Sides:
    """False by one in a hundred, where all entries are equal."""
    return Sides(p.x.sum().square(), c * p.x.shape[0] * p.x.square().sum())


@pytest.mark.parametrize("method", ["gradient", "evolution"])
def test_a_float32_hunt_finds_a_planted_violation_that_float64_judges(method: str, tmp_path: Path) -> None:
    claim = claim_of(planted, f"TEST-float32:{method}")
    options = Hunt(structures=1, lanes=32, steps=150, method=method, proposals="float32")  # type: ignore[arg-type]
    found = hunt(claim, options, counterexamples=tmp_path)
    assert found is not None
    assert found.status is Status.VIOLATED
    assert found.stored is not None
    stored = read_counterexample(found.stored).problem
    assert all(leaf.dtype == torch.float64 for leaf in stored.leaves().values())
    assert bool(Judge(claim).evaluator(stored).broken().all()), "broken by float64's own enclosures"


def test_rounding_in_float32_breaks_nothing(tmp_path: Path) -> None:
    """At the equality, float32's ratio is above 1 half of the time."""
    found = hunt(
        claim_of(sum_le_norm, "TEST-float32:true"),
        Hunt(structures=1, lanes=32, steps=150, proposals="float32"),
        counterexamples=tmp_path,
    )
    assert found is not None
    assert found.status in (Status.HOLDS, Status.INCONCLUSIVE)


def test_heights_are_float32s_and_instances_float64() -> None:
    problem = PreyRecipe(5, 3).build(16)
    claim = claim_of(sum_le_norm, "TEST-float32:heights")
    single = Landscape(claim, problem, numbers=torch.float32)
    double = Landscape(claim, problem)
    a, b = single.terms(single.still()).height, double.terms(double.still()).height
    assert bool((a != b).any())
    assert bool(((a - b).abs() <= 1e-5).all())
    assert torch.equal(single.at(single.still()).leaves()["x"], problem.x)


def weighted(p: Prey) -> Sides:
    """With numbers of its own, in float64."""
    ones = torch.ones(p.x.shape[0], 1, dtype=torch.float64)
    return Sides((p.x @ ones).sum().square(), p.x.shape[0] * p.x.square().sum())


def test_a_claim_with_float64_numbers_of_its_own_climbs_in_float64() -> None:
    problem = PreyRecipe(5, 3).build(16)
    claim = claim_of(weighted, "TEST-float32:own", mutants={"half": scaled("1/2")})
    single, double = Landscape(claim, problem, numbers=torch.float32), Landscape(claim, problem)
    assert torch.equal(single.terms(single.still()).height, double.terms(double.still()).height)


def test_other_words_are_refused() -> None:
    with pytest.raises(BoundcheckError, match="float64, float32"):
        Hunt(proposals="bfloat16")  # type: ignore[arg-type]
