"""Premises taken away: the needed ones are found needed, and what breaks without one never counts against the claim."""

import importlib.util
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.ablations import _UNNEEDED, ablation, ground, hunted_over, registered_ablations, unneeded
from boundcheck.claim import (
    WITHOUT,
    Claim,
    Identity,
    Sides,
    Source,
    Stance,
    build,
    premise,
    registered_claims,
    scaled,
    theorem,
)
from boundcheck.dynamics import AdamFit
from boundcheck.errors import BoundcheckError
from boundcheck.exact import constant
from boundcheck.problem import Problem
from boundcheck.profiles import profile
from boundcheck.record import read_counterexample
from boundcheck.report.ablations import ablation_table
from boundcheck.search import Evaluator, Hunt, Options, ablate, hunt, run_campaign
from boundcheck.search.ablation import variants
from boundcheck.search.counterexamples import Finder
from boundcheck.search.drawing import over
from boundcheck.search.instance import stated_premises
from boundcheck.search.replay import replay
from boundcheck.strategies import adam_fits
from boundcheck.strategies.lanes import LaneStream
from boundcheck.theorems import alignment_collapse, local_edits
from boundcheck.verdict import Status

SMALL = Hunt(structures=1, lanes=16, steps=40)
SOURCE = Source("tests", "none")


@dataclass(frozen=True)
class TwoNumbers(Problem):
    x: Tensor


@dataclass(frozen=True)
class PairRecipe:
    seed: int
    dim: int = 2

    @property
    def label(self) -> str:
        return f"dim={self.dim}"

    def build(self, lanes: int, first: int = 0) -> TwoNumbers:
        return TwoNumbers(LaneStream(self.seed, lanes, first).normal(self.dim))


PAIRS = st.builds(PairRecipe, seed=st.integers(0, 10**6))


def product_le(p: TwoNumbers, c: Tensor = constant("41/100", scales="larger", unit="|x|^2")) -> Sides:
    """x_0·x_1 <= c·‖x‖² where x_1 is at most half of x_0: 2/5 at x = (2, 1). Without that 1/2, at x = (1, 1)."""
    premise("2 |x_1| <= |x_0|", p.x[0].abs() - 2.0 * p.x[1].abs())
    premise("x_0 <= 100", 100.0 - p.x[0])
    return Sides(p.x[0] * p.x[1], c * p.x.square().sum())


def toy(key: str, check: Any = product_le, **more: Any) -> Claim:
    given: dict[str, Any] = {
        "source": SOURCE,
        "stance": Stance.PROVED,
        "over": PAIRS,
        "mutants": {"half": scaled("1/2")},
    }
    return theorem(key, **(given | more))(check)


def test_the_needed_premise_is_needed_and_the_other_is_not(tmp_path: Path) -> None:
    claim = toy("ABLATE-1:toy")
    unneeded(claim, "x_0 <= 100", "both sides scale alike")
    unneeded(claim, "2 |x_1| <= |x_0|", "of a wrong reason, which does not count")
    carrying, idle = ablate(claim, SMALL, counterexamples=tmp_path)
    assert (carrying.premise, idle.premise) == ("2 |x_1| <= |x_0|", "x_0 <= 100")
    assert (carrying.verdict, idle.verdict) == ("needed", "not shown needed")
    assert carrying.found is not None
    assert idle.found is not None
    assert carrying.found.ratio[0] == pytest.approx(0.5 / 0.41, rel=1e-6)
    for whole in (carrying.whole, idle.whole, idle.found):
        assert whole is not None
        assert whole.ratio[0] == pytest.approx(0.4 / 0.41, rel=1e-3)
        assert whole.ratio[0] < 0.4 / 0.41 * (1 + 1e-12)
    assert carrying.counterexample is not None
    assert idle.counterexample is None
    assert idle.to_json()["because"] == "both sides scale alike"
    assert carrying.to_json()["because"] == ""
    page = ablation_table([{"id": claim.id, "form": claim.form, "ablations": [carrying.to_json(), idle.to_json()]}])
    rows = [line for line in page.splitlines() if line.startswith("ABLATE-1:toy  ")]
    assert [("not shown needed" in row, str(carrying.counterexample) in row) for row in rows] == [
        (False, True),
        (True, False),
    ]
    assert all("0.9756" in row for row in rows)
    assert "without 'x_0 <= 100': both sides scale alike." in page
    assert ablation_table([{"id": claim.id, "form": claim.form, "ablations": []}]) == ""


def test_what_breaks_without_a_premise_replays_and_never_counts_against_the_claim(tmp_path: Path) -> None:
    claim = toy("ABLATE-2:toy")
    found = hunt(claim.without("2 |x_1| <= |x_0|"), SMALL, counterexamples=tmp_path)
    assert found is not None
    assert found.stored is not None
    stored = read_counterexample(found.stored)
    assert stored.claim == "ABLATE-2:toy-without-2-x-1-at-most-x-0"
    assert stored.claim not in registered_claims()
    assert set(stored.certificate[0].premises) == {"x_0 <= 100"} if stored.certificate else False
    again = replay(stored, registered_claims())
    assert again.proved
    assert again.claim.stance is Stance.CONJECTURED
    assert again.claim.statement.startswith("Without the premise '2 |x_1| <= |x_0|': x_0·x_1")
    # The same numbers said to break the claim itself: the premise is false there, and nothing is proved.
    accused = replay(replace(stored, claim=claim.key), registered_claims())
    assert not accused.proved
    assert accused.certificate.status is Status.VACUOUS
    entry = run_campaign(claim, Options(profile("fast"), counterexamples=tmp_path))
    assert (entry["verdict"], entry["violated"], entry["counterexample"]) == ("HOLDS", 0, None)


def test_of_a_claim_that_is_broken_itself_no_premise_is_needed(tmp_path: Path) -> None:
    false = toy("ABLATE-9:toy").with_constants({"c": Fraction(39, 100)})
    for one in ablate(false, SMALL, counterexamples=tmp_path):
        assert one.whole is not None
        assert one.found is not None
        assert one.whole.status is one.found.status is Status.VIOLATED
        assert (one.needed, one.counterexample) == (False, None)


def test_keys_cannot_be_mixed_up(tmp_path: Path) -> None:
    claim = toy("ABLATE-3:toy")
    with pytest.raises(BoundcheckError, match="marks claims taken without a premise"):
        toy("ABLATE-3:toy-without-2-x-1-at-most-x-0")
    with pytest.raises(BoundcheckError, match="does not state here"):
        hunt(claim.without("no such premise"), SMALL, counterexamples=tmp_path)
    stored = read_counterexample(_stored(claim, tmp_path))
    for key in ("ABLATE-3:toy-without-no-such-premise", "ABLATE-none:toy-without-2-x-1-at-most-x-0"):
        with pytest.raises(BoundcheckError, match="is not known"):
            replay(replace(stored, claim=key), registered_claims())


def _stored(claim: Claim, folder: Path) -> Path:
    found = hunt(claim.without("2 |x_1| <= |x_0|"), SMALL, counterexamples=folder)
    assert found is not None
    assert found.stored is not None
    return found.stored


def test_names_that_make_one_key_are_refused(tmp_path: Path) -> None:
    def twice(p: TwoNumbers) -> Sides:
        """|x_0| <= ‖x‖."""
        premise("a: b", p.x[0])
        premise("a; b", p.x[0])
        return Sides(p.x[0].abs(), torch.linalg.vector_norm(p.x))

    with pytest.raises(BoundcheckError, match="differ in no letter or digit"):
        ablate(toy("ABLATE-4:toy", twice), SMALL, counterexamples=tmp_path)


def test_a_premise_of_some_structures_is_dropped_where_it_is_stated(tmp_path: Path) -> None:
    def sometimes(p: TwoNumbers, c: Tensor = constant("41/100", scales="larger")) -> Sides:
        """x_0·x_1 <= c·‖x‖² where x_1 is at most half of x_0, said in two ways."""
        premise(f"in dimension {len(p.x)}", p.x[0].abs() - 2.0 * p.x[1].abs())
        return Sides(p.x[0] * p.x[1], c * p.x.square().sum())

    pairs = st.builds(PairRecipe, seed=st.integers(0, 10**6), dim=st.sampled_from([2, 3]))
    claim = toy("ABLATE-5:toy", sometimes, over=pairs)
    found = ablate(claim, replace(SMALL, structures=2), counterexamples=tmp_path)
    assert {one.premise for one in found} == {"in dimension 2", "in dimension 3"}
    for one in found:
        assert one.counterexample is not None
        stored = read_counterexample(one.counterexample)
        assert f"in dimension {stored.problem.leaves()['x'].shape[-1]}" == one.premise


def test_an_ablation_of_an_identity_is_refused(tmp_path: Path) -> None:
    def same(p: TwoNumbers) -> Identity:
        """x·x = ‖x‖²."""
        return Identity((p.x * p.x).sum(), p.x.square().sum())

    claim = toy("ABLATE-6:toy", same, mutants={"2": scaled(2)})
    with pytest.raises(BoundcheckError, match="identity"):
        ablate(claim, SMALL, counterexamples=tmp_path)


def test_a_registered_ablation_takes_the_place_of_the_margin_it_names(tmp_path: Path) -> None:
    claim = toy("ABLATE-7:toy")

    @ablation(claim, "x_0 <= 100")
    def of_the_sum(p: TwoNumbers) -> Sides:
        """(x_0 + x_1)² <= ‖x‖², which is false, with no premise at all."""
        return Sides(p.x.sum().square(), p.x.square().sum())

    assert of_the_sum.variant.key not in registered_claims()
    found = {one.premise: one for one in ablate(claim, SMALL, counterexamples=tmp_path)}
    assert list(found) == ["2 |x_1| <= |x_0|", "x_0 <= 100"]
    fallen = found["x_0 <= 100"]
    assert fallen.found is not None
    assert fallen.found.ratio[0] == pytest.approx(2, rel=1e-6)
    assert fallen.counterexample is not None
    again = replay(read_counterexample(fallen.counterexample), registered_claims())
    assert again.proved
    assert again.claim is not claim
    assert again.claim.statement.startswith("(x_0 + x_1)²")
    with pytest.raises(BoundcheckError, match="already registered"):

        @ablation(claim, "x_0 <= 100")
        def of_the_sum_again(p: TwoNumbers) -> Sides:
            """Another function for the same."""
            return product_le(p)


def test_premises_are_taken_away_on_the_instances_that_were_named_for_it(tmp_path: Path) -> None:
    claim = toy("ABLATE-8:toy")
    near = st.builds(PairRecipe, seed=st.just(1))
    far = st.builds(PairRecipe, seed=st.just(2), dim=st.just(3))
    hunted_over(claim, near)
    hunted_over(claim, far, premise="x_0 <= 100")
    assert {name: left.over for name, left in variants(claim, SMALL).items()} == {
        "2 |x_1| <= |x_0|": near,
        "x_0 <= 100": far,
    }


# ------------------------------------------------------------------------------------------------------------------ Adam


@given(recipe=adam_fits(), betas=st.sampled_from([(0.9, 0.999), (0.0, 0.5), (0.5, 0.9)]), seed=st.integers(0, 99))
@settings(max_examples=6)
def test_where_adam_ends_on_one_sample(recipe: Any, betas: tuple[float, float], seed: int) -> None:
    """torch's Adam with falling steps and an ε that drowns, started from the problem's own numbers."""
    p = recipe.build(4, first=seed)
    theta = p.theta0.clone().requires_grad_()
    optimiser = torch.optim.Adam([theta], lr=0.3, betas=betas, eps=1e-200)
    falling = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.98)
    unit = p.alpha[:, None] * torch.linalg.vector_norm(p.x_train[:, 0], dim=-1)[:, None]
    moves = []
    for _ in range(1500):
        optimiser.zero_grad()
        residual = p.residual(theta)
        (0.5 * (residual / unit).square()).sum().backward()
        optimiser.step()
        falling.step()
        moves.append(theta.detach() - p.theta0)
    fitted = torch.linalg.vector_norm(p.residual(theta.detach()), dim=-1) < 1e-3 * p.alpha * p.residual_norm
    assert bool(fitted.any())
    for lane in torch.nonzero(fitted).squeeze(-1).tolist():
        torch.testing.assert_close(moves[-1][lane], p.step[lane], rtol=0, atol=2e-3 * float(p.step_norm[lane]))
    # Whether it fits or not: every row of every move is a multiple of sign(x).
    sign = p.x_train[:, 0].sign()
    for move in moves[::200]:
        rows = move.unflatten(-1, (p.family.outputs_count, p.family.inputs))
        along = (rows * sign[:, None, :]).mean(-1, keepdim=True) * sign[:, None, :]
        torch.testing.assert_close(rows, along, rtol=1e-6, atol=1e-9)


def test_an_adam_fit_removes_the_residual_and_leaves_the_tangent_space() -> None:
    p = AdamFit(
        family=_linear(2),
        theta0=torch.zeros(1, 2, dtype=torch.float64),
        frozen={},
        x_train=torch.tensor([[[2.0, 1.0]]], dtype=torch.float64),
        y_train=torch.tensor([[[3.0]]], dtype=torch.float64),
        x_eval=torch.tensor([[[1.0, -1.0]]], dtype=torch.float64),
        **dict.fromkeys(("alpha", "eta", "rho0"), torch.ones(1, dtype=torch.float64)),
    )
    assert p.step.tolist() == [[1.0, 1.0]]
    assert p.residual(p.theta0 + p.step).tolist() == [[0.0]]
    assert p.spill.tolist() == [0.0]
    assert float(p.overlap) == pytest.approx(5**-0.5)
    with pytest.raises(BoundcheckError, match="one sample"):
        AdamFit(**{name: getattr(p, name) for name in ("theta0", "frozen", "alpha", "eta", "rho0", "x_eval")}, family=p.family,
                x_train=p.x_train.repeat(1, 2, 1), y_train=p.y_train.repeat(1, 2, 1))  # fmt: skip


def _linear(inputs: int) -> Any:
    from boundcheck.geometry import Linear

    return Linear(inputs)


# ------------------------------------------------------------------------------------------------------- the two papers

PAPERS = {key: found for key, found in registered_ablations().items() if key.startswith(("LE-", "AC-"))}
STATED = [
    *(
        "LE-6i:U-without-step-size",
        "LE-6i:U-without-a-at-most-c",
        "LE-6ii:U-without-step-size",
        "LE-6ii:U-without-a-at-most-c",
    ),
    *(
        "LE-6iii:U-upper-without-a-at-most-c",
        "LE-6iii:U-lower-without-a-at-most-c",
        "LE-7:U-without-d-at-most-c",
        "LE-7:U-without-b-at-most-c",
    ),
]
NEEDED = [*sorted(PAPERS), *(pytest.param(key, marks=pytest.mark.slow) for key in STATED)]


def left_of(key: str) -> Claim:
    """What a key of an ablation stands for, over the instances that it is hunted over."""
    if key in PAPERS:
        return PAPERS[key].variant
    claim = registered_claims()[key.partition(WITHOUT)[0]]
    return next(left for left in variants(claim, Hunt(structures=2)).values() if left.key == key)


@pytest.mark.parametrize("key", NEEDED)
def test_what_the_papers_need_is_broken_without_it(key: str, tmp_path: Path) -> None:
    """No hunt: an instance among random ones, kept as a hunt keeps it, proved and proved again from its file."""
    assert local_edits.__all__
    assert alignment_collapse.__all__
    left = left_of(key)
    finder = Finder(left, tmp_path, seed=0)

    def visit(drawn: Any) -> None:
        if not finder.certified:
            problem = build(drawn, 32)
            finder.look(drawn, problem, Evaluator(left)(problem))

    over(left.over, visit, 24, seed=0)
    assert finder.certified
    stored = read_counterexample(finder.stored["worst"])
    assert stored.claim == key
    assert replay(stored, registered_claims()).proved


def test_ablations_of_the_papers_are_no_claims() -> None:
    assert PAPERS
    assert not set(PAPERS) & set(registered_claims())
    assert {found.claim for found in PAPERS.values()} <= set(registered_claims())


def test_a_module_of_ablations_may_be_imported_by_two_names() -> None:
    """As pytest does where it collects a folder of claims."""
    file = Path(str(local_edits.ablations.__file__))
    spec = importlib.util.spec_from_file_location("ablations_by_another_name", file)
    assert spec is not None
    assert spec.loader is not None
    before = set(registered_ablations()), set(registered_claims())
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert (set(registered_ablations()), set(registered_claims())) == before


UNNEEDED = sorted(_UNNEEDED)


@pytest.mark.parametrize(
    ("key", "name"), [pair for pair in UNNEEDED if pair[0].startswith(("LE-", "AC-"))], ids=" ".join
)
def test_what_is_said_to_be_unneeded_is_not_broken_by_random_instances(key: str, name: str) -> None:
    claim = registered_claims()[key]
    left = claim.without(name)
    judged = broken = 0

    def visit(drawn: Any) -> None:
        nonlocal judged, broken
        problem = build(drawn, 32)
        if judged < 3 and name in stated_premises(claim, problem):
            judged += 1
            broken += int(Evaluator(left)(problem).broken().sum())

    over(ground(claim, name), visit, 12, 0)
    assert judged > 0
    assert broken == 0


@pytest.mark.parametrize("key", [key for key in PAPERS if key.startswith("AC-")])
def test_what_breaks_an_ablation_meets_the_other_premises_of_the_whole_claim(key: str) -> None:
    """All but those whose absence is what is looked at: at most one of the whole claim's premises fails on a breaking lane."""
    found = PAPERS[key]
    whole = registered_claims()[found.claim]
    seen = 0

    def visit(drawn: Any) -> None:
        nonlocal seen
        if seen:
            return
        problem = build(drawn, 128)
        broken = Evaluator(found.variant)(problem).broken()
        if not bool(broken.any()):
            return
        lane = int(broken.nonzero()[0])
        premises = Evaluator(whole)(problem.lane(lane)).premises
        failing = [name for name, (margin, accepted) in premises.items() if not bool(accepted[0])]
        assert len([name for name in failing if name != "the bound is above 0"]) <= 1, failing
        seen += 1

    over(found.variant.over, visit, 24, 0)
    assert seen
