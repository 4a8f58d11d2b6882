"""Ladders: a statement with open constants falls only where every rung does; samples are neither chosen nor simplified."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.claim import Claim, Mutant, Sides, Source, Stance, in_words, premise, registered_claims, theorem
from boundcheck.errors import BoundcheckError
from boundcheck.exact import constant
from boundcheck.problem import Problem
from boundcheck.profiles import Climbs, profile
from boundcheck.record import Counterexample, make_run, read_counterexample
from boundcheck.report import closing_page
from boundcheck.search import Evaluator, Hunt, Options, hunt, run_campaign
from boundcheck.search.certify import Certificate, Certifier
from boundcheck.search.replay import replay
from boundcheck.strategies.lanes import LaneStream
from boundcheck.verdict import Status

RUNGS = ["1/2", "1/4", "1/8"]
SMALL = Hunt(structures=2, lanes=16, steps=20)


@dataclass(frozen=True)
class Dots(Problem):
    x: Tensor


@dataclass(frozen=True)
class DotsRecipe:
    seed: int

    @property
    def label(self) -> str:
        return "one dimension"

    def build(self, lanes: int, first: int = 0) -> Dots:
        return Dots(LaneStream(self.seed, lanes, first).normal(1))


@dataclass(frozen=True)
class Coins(Problem):
    """Tosses of a coin that shows 1 with probability 9/10; the leaf `free` says nothing."""

    free: Tensor
    tosses: Tensor

    sampled: ClassVar[tuple[str, ...]] = ("tosses",)


@dataclass(frozen=True)
class CoinsRecipe:
    seed: int

    @property
    def label(self) -> str:
        return "8 tosses"

    def build(self, lanes: int, first: int = 0) -> Coins:
        stream = LaneStream(self.seed, lanes, first)
        return Coins(stream.normal(2), (stream.uniform(8) < 0.9).double())


SEEDS = st.integers(0, 10**6)
DOTS = st.builds(DotsRecipe, seed=SEEDS)
COINS = st.builds(CoinsRecipe, seed=SEEDS)


def claim_of(check: Any, key: str, **options: Any) -> Claim:
    given: dict[str, Any] = {
        "source": Source("tests", "none"),
        "stance": Stance.PRINTED,
        "over": DOTS,
        "refuted_by": "ladder",
        "ladder": {"c": RUNGS},
    }
    return theorem(key, **(given | options))(check)


def square_ge_size(p: Dots, c: Tensor = constant(RUNGS[-1])) -> Sides:
    """c·|x| <= x², false wherever 0 < |x| < c."""
    return Sides(c * p.x.abs().sum(), p.x.square().sum())


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(profile("fast"), counterexamples=tmp_path / "counterexamples")


def validated(entry: dict[str, Any], tmp_path: Path) -> None:
    run = make_run([entry], command="pytest", where=tmp_path, seconds=1.0, profile="fast")
    schema = json.loads(resources.files("boundcheck.record").joinpath("schema.json").read_text())
    jsonschema.validate(json.loads(json.dumps(run)), schema)


def proved_again(stored: Counterexample) -> bool:
    return replay(stored, registered_claims()).proved


# -------------------------------------------------------------------------------------------------------- it falls


def test_a_statement_that_falls_on_every_rung_is_refuted(options: Options, tmp_path: Path) -> None:
    claim = claim_of(square_ge_size, "LADDER-1:falls")
    entry = run_campaign(claim, options)
    assert entry["verdict"] == "REFUTED"
    assert "it falls on every rung from c = 1/2 to c = 1/8 (3 rungs)" in entry["reason"]
    ladder = entry["ladder"]
    assert [rung["constants"] for rung in ladder] == [{"c": "1/2"}, {"c": "1/4"}, {"c": "1/8"}]
    assert all(rung["certified"] for rung in ladder)
    assert all(rung["left"] > rung["right"] > 0 for rung in ladder)
    assert all(rung["label"] for rung in ladder)
    files = {rung["counterexample"] for rung in ladder}
    assert len(files) == 3
    assert ladder[-1]["counterexample"] == entry["worst_counterexample"]
    validated(entry, tmp_path)
    page = closing_page([entry])
    for rung in ladder:
        assert f"at c = {rung['constants']['c']}: " in page
        assert rung["counterexample"] in page
    assert "still stands" not in page


def test_each_rungs_counterexample_is_proved_again_with_the_rungs_constants(options: Options) -> None:
    claim = claim_of(square_ge_size, "LADDER-2:replayed")
    entry = run_campaign(claim, options)
    for rung in entry["ladder"]:
        stored = read_counterexample(Path(rung["counterexample"]))
        value = Fraction(rung["constants"]["c"])
        assert stored.claim == claim.key
        assert stored.constants == {"c": value}
        assert stored.status == "VIOLATED"
        again = replay(stored, registered_claims())
        assert again.proved
        assert again.changed == ()
        assert again.rung == f"rung {RUNGS.index(rung['constants']['c']) + 1} of 3: c = {value}"
        assert isinstance(stored.problem, Dots)
        size = Fraction(float(stored.problem.x.abs()))
        assert 0 < size < value, "by hand, in rational numbers"
        assert rung["left"] == pytest.approx(float(value * size), rel=1e-12)
        assert rung["right"] == pytest.approx(float(size**2), rel=1e-12)


def test_what_stands_for_a_rung_is_what_was_proved(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the worst instance of a batch cannot be proved and the next one can, the next one is kept."""
    certify = Certifier.certify

    def hesitant(self: Certifier, problem: Any, lane: int, screened: Any = None) -> Certificate:
        certificate = certify(self, problem, lane, screened)
        rung = str(self.claim.constants["c"].value)
        if rung in seen or certificate.status is not Status.VIOLATED:
            return certificate
        seen.add(rung)
        return replace(certificate, status=Status.VIOLATED_UNCERTIFIED, reason="refused")

    seen: set[str] = set()
    monkeypatch.setattr(Certifier, "certify", hesitant)
    entry = run_campaign(claim_of(square_ge_size, "LADDER-hesitant:printed"), options)
    assert len(seen) == len(RUNGS), "each rung's first proof was refused"
    for rung in entry["ladder"]:
        assert rung["certified"]
        assert read_counterexample(Path(rung["counterexample"])).status == "VIOLATED"


def test_a_rung_moves_premises_and_several_constants_at_once(options: Options) -> None:
    """x² <= rate·|x| under the premise |x| >= c: rung by rung, other instances meet the premise."""

    def bounded(p: Dots, c: Tensor = constant(2), rate: Tensor = constant("3/2")) -> Sides:
        premise("large", p.x.abs().sum() - c)
        return Sides(p.x.square().sum(), rate * p.x.abs().sum())

    ladder = {"c": ["1/8", 1, 2], "rate": ["1/2", "5/4", "3/2"]}
    entry = run_campaign(claim_of(bounded, "LADDER-3:premise", ladder=ladder), options)
    assert entry["verdict"] == "REFUTED"
    assert "from c = 1/8, rate = 1/2 to c = 2, rate = 3/2 (3 rungs)" in entry["reason"]
    for rung in entry["ladder"]:
        stored = read_counterexample(Path(rung["counterexample"]))
        assert proved_again(stored)
        assert isinstance(stored.problem, Dots)
        size = Fraction(float(stored.problem.x.abs()))
        assert size >= Fraction(rung["constants"]["c"])
        assert size > Fraction(rung["constants"]["rate"])


def test_the_same_seed_climbs_the_same_ladder(options: Options, tmp_path: Path) -> None:
    claim = claim_of(square_ge_size, "LADDER-4:again")
    first = run_campaign(claim, options)["ladder"]
    again = run_campaign(claim, replace(options, counterexamples=tmp_path / "elsewhere"))["ladder"]

    def bare(ladder: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [rung | {"counterexample": Path(rung["counterexample"]).name} for rung in ladder]

    assert bare(first) == bare(again)


def test_a_statistical_refutation_may_have_a_ladder_and_needs_none(options: Options) -> None:
    def ones(p: Coins, most: Tensor = constant("9/2")) -> Sides:
        """At most so many ones."""
        return Sides(p.tosses.sum(), most + 0 * p.free.sum())

    kinds: list[tuple[str, Mapping[str, Any]]] = [("with", {"most": [2, 3, "9/2"]}), ("without", {})]
    for name, ladder in kinds:
        claim = claim_of(ones, f"LADDER-5:{name}", over=COINS, refuted_by="statistical", ladder=ladder)
        entry = run_campaign(claim, options)
        assert entry["verdict"] == "REFUTED"
        assert len(entry["ladder"]) == (3 if ladder else 0)
        assert all(proved_again(read_counterexample(Path(rung["counterexample"]))) for rung in entry["ladder"])


def test_a_claim_without_a_ladder_has_an_empty_one(options: Options, tmp_path: Path) -> None:
    claim = claim_of(square_ge_size, "LADDER-6:none", refuted_by="instance", ladder={})
    entry = run_campaign(claim, options)
    assert entry["verdict"] == "REFUTED"
    assert entry["ladder"] == []
    assert "rung" not in entry["reason"]
    validated(entry, tmp_path)


# ------------------------------------------------------------------------------------------------------- it stands


def test_one_rung_that_stands_leaves_it_unrefuted(options: Options, tmp_path: Path) -> None:
    """|x| < 2^-90 is never drawn: this rung is harder than the last."""
    claim = claim_of(square_ge_size, "LADDER-7:stands", ladder={"c": ["1/2", Fraction(1, 2**90), "1/8"]})
    entry = run_campaign(claim, options)
    assert entry["verdict"] == "UNREFUTED"
    assert f"but nothing certified breaks it at c = 1/{2**90}" in entry["reason"]
    assert [rung["certified"] for rung in entry["ladder"]] == [True, False, True]
    standing = entry["ladder"][1]
    assert (standing["left"], standing["right"], standing["label"], standing["counterexample"]) == (
        None,
        None,
        "",
        None,
    )
    validated(entry, tmp_path)
    assert f"at c = 1/{2**90}: still stands" in closing_page([entry])


def test_the_last_rung_stands(options: Options, tmp_path: Path) -> None:
    def small(p: Dots, c: Tensor = constant(1)) -> Sides:
        return Sides(p.x.abs().sum(), c * 100 + p.x.square().sum())

    claim = claim_of(small, "LADDER-8:last", ladder={"c": ["1/1000000", 1]})
    entry = run_campaign(claim, options)
    assert entry["verdict"] == "UNREFUTED"
    assert "no counterexample in" in entry["reason"]
    assert [rung["certified"] for rung in entry["ladder"]] == [True, False]
    assert entry["ladder"][-1]["counterexample"] is None
    validated(entry, tmp_path)


def test_a_campaign_goes_on_while_a_rung_stands(options: Options) -> None:
    """The claims themselves fall at once; the first rung of one of them never does."""
    stands = claim_of(square_ge_size, "LADDER-9:stands", ladder={"c": [Fraction(1, 2**90), "1/8"]})
    falls = claim_of(square_ge_size, "LADDER-10:falls", ladder={"c": ["1/4", "1/8"]})
    tested = [run_campaign(claim, options)["tested"] for claim in (falls, stands)]
    assert tested[0] < tested[1]
    assert tested[1] == options.profile.examples * options.profile.lanes


def test_a_rung_judges_like_a_claim_with_its_constants() -> None:
    claim = claim_of(square_ge_size, "LADDER-11:judged")
    problem = DotsRecipe(5).build(256)
    for rung in claim.ladder:
        mutated = Evaluator(claim)(problem, Mutant("rung", constants=rung))
        stated = Evaluator(claim.with_constants(rung))(problem)
        assert torch.equal(mutated.broken(), stated.broken())
        by_hand = problem.x.abs().squeeze(-1) < float(rung["c"])
        assert torch.equal(stated.broken(), by_hand)


# ------------------------------------------------------------------------------------------------ ladders that are off


def one_sentence(told: str) -> None:
    assert "\n" not in told
    assert told.endswith(".")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"ladder": {"c": ["1/2", "1/4"]}}, "the last rung of LADDER-0:bad is c = 1/4, its constants are c = 1/8"),
        ({"ladder": {"c": ["1/8", "1/2"]}}, "the last rung of LADDER-0:bad is c = 1/2, its constants are c = 1/8"),
        (
            {"ladder": {"d": ["1/2", "1/8"]}},
            "the ladder of LADDER-0:bad names ['d']; expected constants of the claim: ['c']",
        ),
        ({"ladder": {"c": RUNGS, "d": RUNGS, "p": RUNGS}}, "the ladder of LADDER-0:bad names ['d', 'p']"),
        (
            {"ladder": {"c": RUNGS, 1: RUNGS}},
            "the ladder of LADDER-0:bad names [1]; expected constants of the claim: ['c']",
        ),
        ({"ladder": {"c": "1/8"}}, "LADDER-0:bad has ladder={'c': '1/8'}; expected a list of values for each constant"),
        ({"ladder": {"c": Fraction(1, 8)}}, "LADDER-0:bad has ladder={'c': Fraction(1, 8)}; expected a list of values"),
        ({"ladder": {"c": None}}, "LADDER-0:bad has ladder={'c': None}; expected a list of values"),
        ({"ladder": {"c": {"1/2", "1/8"}}}, "expected a list of values for each constant, such as"),
        ({"ladder": ["1/2", "1/4", "1/8"]}, "LADDER-0:bad has ladder=['1/2', '1/4', '1/8']; expected a list of values"),
        ({"ladder": [{"c": "1/2"}]}, "LADDER-0:bad has ladder=[{'c': '1/2'}]; expected a list of values"),
        ({"ladder": []}, "LADDER-0:bad has ladder=[]; expected a list of values"),
        ({"ladder": "1/8"}, "LADDER-0:bad has ladder='1/8'; expected a list of values"),
        ({"ladder": {"c": ["1/2", 0.125]}}, "the constant 0.125 is a float; expected an exact rational"),
        ({"ladder": {"c": ["1/2", "an eighth"]}}, "the constant 'an eighth' is no rational number"),
        ({"ladder": {}}, "refuted_by='ladder' and a ladder of 0 rungs"),
        ({"ladder": {"c": []}}, "refuted_by='ladder' and a ladder of 0 rungs"),
        ({"refuted_by": "instance"}, "refuted_by='instance' and a ladder of 3 rungs"),
        ({"refuted_by": "order"}, "refuted_by='order' and a ladder of 3 rungs"),
        ({"refuted_by": None, "mutants": {"m": {"c": 1}}}, "refuted_by=None and a ladder of 3 rungs"),
        ({"stance": Stance.PROVED}, "LADDER-0:bad is proved and refuted_by='ladder'"),
    ],
)
def test_a_ladder_that_is_off_is_told_in_one_sentence(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(BoundcheckError) as error:
        claim_of(square_ge_size, "LADDER-0:bad", **wrong)
    assert told in str(error.value)
    one_sentence(str(error.value))
    assert "LADDER-0:bad" not in registered_claims()


def test_columns_of_different_lengths_are_told_in_one_sentence() -> None:
    def bounded(p: Dots, c: Tensor = constant(2), rate: Tensor = constant("3/2")) -> Sides:
        """Two constants are left open."""
        return Sides(c * p.x.abs().sum(), rate * p.x.square().sum())

    with pytest.raises(BoundcheckError, match="the ladder of LADDER-0:bad has columns of different lengths") as error:
        claim_of(bounded, "LADDER-0:bad", ladder={"c": ["1/8", 1, 2], "rate": ["3/2"]})
    one_sentence(str(error.value))


def test_rungs_are_exact_and_told_in_words() -> None:
    claim = claim_of(square_ge_size, "LADDER-12:exact", ladder={"c": ["1/3", "0.1", "1/8"]})
    assert [rung["c"] for rung in claim.ladder] == [Fraction(1, 3), Fraction(1, 10), Fraction(1, 8)]
    assert [in_words(rung) for rung in claim.ladder] == ["c = 1/3", "c = 1/10", "c = 1/8"]
    assert claim.with_constants(claim.ladder[0]).constants["c"].value == Fraction(1, 3)
    assert claim.constants["c"].value == Fraction(1, 8)


# --------------------------------------------------------------------------------------------------------- samples


def few_ones(p: Coins, most: Tensor = constant("9/2")) -> Sides:
    """At most so many ones, and a little of a number that is free."""
    return Sides(p.tosses.sum(), most + p.free.square().sum() / 64)


def drawn_as_they_are(stored: Counterexample) -> bool:
    """Whether a counterexample is one of the lanes that its recipe draws, to the last bit."""
    assert isinstance(stored.problem, Coins)
    recipe = eval(stored.drawn, {"CoinsRecipe": CoinsRecipe})
    batch = recipe.build(64)
    alone = stored.problem.leaves()
    same = [(leaf == alone[name]).flatten(1).all(1) for name, leaf in batch.leaves().items()]
    return bool(torch.stack(same).all(0).any())


def test_samples_are_neither_climbed_nor_simplified(options: Options) -> None:
    assert options.profile.climbs.structures > 0, "else nothing would be hunted anyway"
    claim = claim_of(few_ones, "SAMPLED-1:fallen", over=COINS, refuted_by="statistical", ladder={})
    entry = run_campaign(claim, options)
    assert entry["verdict"] == "REFUTED"
    assert entry["hunted"] is None
    for file in (entry["counterexample"], entry["worst_counterexample"]):
        stored = read_counterexample(Path(file))
        assert "simplified" not in stored.drawn
        assert drawn_as_they_are(stored)
        assert proved_again(stored)


def test_what_is_free_beside_samples_is_not_simplified_but_would_be_alone(options: Options) -> None:
    """The same claim on numbers that are not called samples ends at 0s and 1s."""

    @dataclass(frozen=True)
    class FreeNumbers(Problem):
        free: Tensor
        tosses: Tensor

    @dataclass(frozen=True)
    class FreeNumbersRecipe(CoinsRecipe):
        def build(self, lanes: int, first: int = 0) -> Any:
            return FreeNumbers(*CoinsRecipe(self.seed).build(lanes, first).leaves().values())

    over = st.builds(FreeNumbersRecipe, seed=SEEDS)
    entry = run_campaign(claim_of(few_ones, "SAMPLED-2:free", over=over, refuted_by="instance", ladder={}), options)
    stored = read_counterexample(Path(entry["counterexample"]))
    assert "simplified" in stored.drawn
    assert stored.problem.leaves()["free"].tolist() == [[0.0, 0.0]]


def test_a_claim_that_holds_of_samples_is_not_hunted_and_keeps_its_premises(options: Options) -> None:
    def as_many_as_there_are(p: Coins, most: Tensor = constant(8)) -> Sides:
        premise("free", p.free.square().sum())
        return Sides(p.tosses.sum(), most + 0 * p.free.sum())

    ablating = replace(options, ablate=Climbs(2, 16, 20))
    claim = claim_of(
        as_many_as_there_are, "SAMPLED-3:holds", over=COINS, stance=Stance.PROVED, refuted_by=None, ladder={},
        mutants={"7": {"most": 7}},
    )  # fmt: skip
    entry = run_campaign(claim, ablating)
    assert entry["verdict"] == "HOLDS"
    assert entry["hunted"] is None
    assert entry["ablations"] == []
    assert entry["notes"] == "", "nothing was tried that ended early"


def test_a_hunt_over_samples_is_refused_in_one_sentence(options: Options) -> None:
    claim = claim_of(few_ones, "SAMPLED-4:hunted", over=COINS, refuted_by="statistical", ladder={})
    with pytest.raises(BoundcheckError, match=r"SAMPLED-4:hunted is judged by random samples \(tosses\)") as error:
        hunt(claim, SMALL, counterexamples=options.counterexamples)
    one_sentence(str(error.value))
    assert not options.counterexamples.exists()
