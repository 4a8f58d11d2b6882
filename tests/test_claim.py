"""Registering claims, stating premises, and what each mistake says."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck import claim as claims
from boundcheck.claim import (
    Claim,
    Identity,
    Premise,
    Sides,
    Source,
    Stance,
    build,
    collecting_premises,
    premise,
    registered_claims,
    scaled,
    swapped,
    theorem,
)
from boundcheck.errors import BoundcheckError
from boundcheck.exact import Exact, constant
from boundcheck.problem import Problem

SOURCE = Source("A paper", "Lemma 1", "(2)")


@dataclass(frozen=True)
class Pair(Problem):
    """Two numbers a lane."""

    a: Tensor
    b: Tensor


@dataclass(frozen=True)
class PairRecipe:
    """Lanes counted from `first`."""

    label: str = "pairs"

    def build(self, lanes: int, first: int = 0) -> Pair:
        count = torch.arange(first, first + lanes, dtype=torch.float64)
        return Pair(count, count + 1)


PAIRS = st.just(PairRecipe())
MUTANTS = {"halved": scaled("1/2")}


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_CLAIMS", {})


def check(p: Pair, c: Tensor = constant("1/4")) -> Sides:
    """The smaller is at most c times the larger.

    More is said here.
    """
    premise("b is positive", p.b)
    return Sides(p.a, c * p.b)


def register(key: str = "T-1:proved", function: Callable[..., Any] = check, **options: Any) -> Claim:
    given: dict[str, Any] = {"source": SOURCE, "stance": Stance.PROVED, "over": PAIRS, "mutants": MUTANTS}
    return theorem(key, **(given | options))(function)


def refused(action: Callable[[], Any]) -> str:
    """The message of the BoundcheckError that an action raises, which must be one sentence."""
    with pytest.raises(BoundcheckError) as caught:
        action()
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    return text


# ----------------------------------------------------------------------------------------------------- registration


def test_a_claim_is_registered_under_its_key() -> None:
    claim = register()
    assert registered_claims() == {"T-1:proved": claim}
    assert (claim.id, claim.form, claim.key, claim.group) == ("T-1", "proved", "T-1:proved", "T-1")
    assert claim.statement == "The smaller is at most c times the larger."
    assert claim.constants == {"c": Exact(Fraction(1, 4))}
    assert [mutant.name for mutant in claim.mutants] == ["halved"]
    assert str(claim.source) == "A paper, Lemma 1, equation (2)"
    assert str(Source("A paper", "Lemma 1")) == "A paper, Lemma 1"


def test_the_registry_that_is_handed_out_is_a_copy() -> None:
    register()
    registered_claims().clear()
    assert list(registered_claims()) == ["T-1:proved"]


@pytest.mark.parametrize(
    "key", ["", ":", "T-1", "T-1:", ":proved", "T 1:proved", "T-1:pro\tved", "Thm-α:proved", "T-1:é"]
)
def test_a_bad_key_is_refused(key: str) -> None:
    text = refused(lambda: register(key))
    assert repr(key) in text
    assert 'expected "id:form" of plain letters' in text
    assert registered_claims() == {}


def test_a_key_that_is_taken_is_refused_with_both_places() -> None:
    register()
    decorate = theorem("T-1:proved", source=SOURCE, stance=Stance.PROVED, over=PAIRS, mutants=MUTANTS)
    text = refused(lambda: decorate(check))
    assert "'T-1:proved'" in text
    assert "already defined" in text
    assert text.count("test_claim.py") == 2
    assert "expected a key of its own" in text


def test_the_same_place_may_register_again() -> None:
    for _ in range(2):  # a module that is imported twice
        theorem("T-1:proved", source=SOURCE, stance=Stance.PROVED, over=PAIRS, mutants=MUTANTS)(check)
    assert list(registered_claims()) == ["T-1:proved"]


def test_the_same_id_may_have_several_forms() -> None:
    for form in ("proved", "U", "adaptive"):
        register(f"T-1:{form}")
    assert len(registered_claims()) == 3


@pytest.mark.parametrize("mutants", [None, {}])
@pytest.mark.parametrize("stance", [Stance.PROVED, Stance.CORRECTED, Stance.PRINTED])
def test_a_claim_that_gates_needs_a_mutant(mutants: Any, stance: Stance) -> None:
    text = refused(lambda: register(mutants=mutants, stance=stance))
    assert "T-1:proved has no mutants" in text
    assert "expected at least one wrong neighbour" in text
    assert "scaled" in text


@pytest.mark.parametrize(
    "options",
    [{"stance": Stance.CONJECTURED}, {"input": "real"}, {"stance": Stance.PRINTED, "refuted_by": "instance"}],
    ids=str,
)
def test_a_claim_that_does_not_gate_needs_none(options: dict[str, Any]) -> None:
    assert register(mutants=None, **options).mutants == ()


def test_a_mutant_of_a_constant_that_is_not_there_is_refused() -> None:
    text = refused(lambda: register(mutants={"stronger": {"k": "1/5", "c": "1/5"}}))
    assert "'stronger'" in text
    assert "['k']" in text
    assert "expected constants of the claim: ['c']" in text


def test_a_mutant_with_a_float_is_refused() -> None:
    assert "is a float" in refused(lambda: register(mutants={"stronger": {"c": 0.2}}))


def test_mutants_keep_their_constants_and_changes() -> None:
    claim = register(mutants={"stronger": {"c": "1/5"}, "turned": swapped})
    assert claim.mutants[0].constants == {"c": Fraction(1, 5)}
    assert claim.mutants[0].change is None
    assert claim.mutants[1].change is swapped


@pytest.mark.parametrize(
    "over", [PairRecipe(), lambda: PAIRS, None, [PairRecipe()]], ids=["recipe", "function", "None", "list"]
)
def test_instances_must_come_from_a_strategy(over: Any) -> None:
    text = refused(lambda: register(over=over))
    assert f"over={type(over).__name__}" in text
    assert "expected a Hypothesis strategy" in text
    assert "call the strategy function" in text


@pytest.mark.parametrize("stance", [Stance.PROVED, Stance.CORRECTED, Stance.CONJECTURED])
def test_only_a_printed_claim_may_be_known_to_be_false(stance: Stance) -> None:
    text = refused(lambda: register(stance=stance, refuted_by="instance"))
    assert str(stance) in text
    assert "expected stance printed" in text


def test_a_statement_falls_in_a_known_way() -> None:
    text = refused(lambda: register(stance=Stance.PRINTED, refuted_by="hearsay"))
    assert "'hearsay'" in text
    assert "expected one of instance, order" in text


def test_a_statement_that_falls_by_its_order_leaves_one_constant_open() -> None:
    text = refused(lambda: register(stance=Stance.PRINTED, refuted_by="order", mutants={}))
    assert "0 constants that scale the smaller side" in text


@pytest.mark.parametrize("default", [0.25, "1/4", None], ids=str)
def test_every_argument_after_the_problem_is_a_constant(default: Any) -> None:
    def loose(p: Pair, c: Any = default) -> Sides:
        return Sides(p.a, p.b)

    def bare(p: Pair, c: Any) -> Sides:
        return Sides(p.a, p.b)

    for function in (loose, bare):
        text = refused(lambda f=function: register(function=f))  # type: ignore[misc]
        assert "['c']" in text
        assert 'c=constant("1/4")' in text
    assert registered_claims() == {}


# --------------------------------------------------------------------------------------------------------- premises


def one() -> Tensor:
    return torch.tensor(1.0, dtype=torch.float64)


@pytest.mark.parametrize("margin", [True, False, 0.5, 1, None, "yes"], ids=repr)
def test_a_premise_is_a_margin_and_no_truth_value(margin: Any) -> None:
    def state() -> None:
        with collecting_premises():
            premise("small", margin)

    text = refused(state)
    assert "'small'" in text
    assert type(margin).__name__ in text
    assert "expected a scalar tensor" in text
    assert "limit - quantity" in text


def test_a_premise_stated_twice_is_refused() -> None:
    def state() -> None:
        with collecting_premises():
            premise("small", one())
            premise("small", one())

    text = refused(state)
    assert "'small' is stated twice" in text
    assert "a name of its own" in text


def test_premises_are_collected_in_order_with_their_standing() -> None:
    with collecting_premises() as collected:
        premise("first", one())
        premise("second", 2 * one(), established=False)
    assert [(p.name, float(p.margin), p.established) for p in collected] == [
        ("first", 1.0, True),
        ("second", 2.0, False),
    ]


def test_collections_do_not_leak() -> None:
    with collecting_premises() as outer:
        premise("outer", one())
        with collecting_premises() as inner:
            premise("inner", one())
        premise("last", one())
    with pytest.raises(ZeroDivisionError), collecting_premises():
        _ = 1 // 0
    premise("nobody listens", one())
    assert [p.name for p in outer] == ["outer", "last"]
    assert [p.name for p in inner] == ["inner"]


def test_a_claims_function_may_be_called_by_hand() -> None:
    assert isinstance(check(PairRecipe().build(1).lane(0), one()), Sides)


# --------------------------------------------------------------------------------------------------- one instance


def test_a_claim_states_its_sides_and_premises() -> None:
    statement, premises = register().state(Pair(one(), 2 * one()), {"c": 3 * one()})
    assert isinstance(statement, Sides)
    assert (float(statement.smaller), float(statement.larger)) == (1.0, 6.0)
    assert [(type(p), p.name) for p in premises] == [(Premise, "b is positive")]


@pytest.mark.parametrize("answer", [None, True, (1, 2), 0.5], ids=repr)
def test_a_claim_that_returns_no_statement_is_named(answer: Any) -> None:
    def wrong(p: Pair) -> Any:
        return answer

    claim = register(function=wrong)
    text = refused(lambda: claim.state(Pair(one(), one()), {}))
    assert f"T-1:proved returned a {type(answer).__name__}" in text
    assert "Sides(smaller=" in text
    assert "Identity(left=" in text


def test_swapped_exchanges_the_sides_of_an_inequality_only() -> None:
    turned = swapped(Sides(one(), 2 * one()))
    assert isinstance(turned, Sides)
    assert (float(turned.smaller), float(turned.larger)) == (2.0, 1.0)
    text = refused(lambda: swapped(Identity(one(), one())))
    assert "identity" in text
    assert "scale one side" in text


def test_scaled_multiplies_by_integers_so_that_nothing_is_rounded() -> None:
    change = scaled("2/3")
    smaller = change(Sides(one(), one()))
    assert isinstance(smaller, Sides)
    assert (float(smaller.smaller), float(smaller.larger)) == (3.0, 2.0)
    same = change(Identity(one(), one()))
    assert isinstance(same, Identity)
    assert (float(same.left), float(same.right)) == (3.0, 2.0)
    assert "is a float" in refused(lambda: scaled(0.5))  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------------- build


def test_recipes_are_built_and_problems_taken_as_they_are() -> None:
    problem = PairRecipe().build(3)
    assert build(problem, 99) is problem
    built = build(PairRecipe(), 4, first=2)
    assert isinstance(built, Pair)
    assert built.a.tolist() == [2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("drawn", [None, 3, "recipe", {"build": 1}], ids=repr)
def test_a_strategy_of_anything_else_is_named(drawn: Any) -> None:
    text = refused(lambda: build(drawn, 4))
    assert f"drew a {type(drawn).__name__}" in text
    assert "expected a Problem, or a recipe" in text
