"""What a theorem says: its sides, premises, constants, source and stance.

A claim is one function, **written for one instance**, from a Problem to `Sides` or an `Identity`; it names its premises
by calling `premise`. The framework vmaps it over lanes.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from types import FrameType
from typing import Any, Literal, get_args

from hypothesis.strategies import SearchStrategy
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.exact import Exact, exact, symbol
from boundcheck.problem import Problem, Recipe


class Stance(StrEnum):
    """Where a statement stands, and what a green run of it has to show."""

    PRINTED = "printed"
    """As the source prints it. Where it is known to be false, the claim names how it is refuted."""
    PROVED = "proved"
    """True with the explicit constants given."""
    CORRECTED = "corrected"
    """Our repaired version of a false statement; held to the same standard as a proved one."""
    CONJECTURED = "conjectured"
    """Not settled; search reports what it found."""


@dataclass(frozen=True)
class Source:
    """Where a statement is printed."""

    paper: str
    label: str
    equation: str = ""

    def __str__(self) -> str:
        return f"{self.paper}, {self.label}" + (f", equation {self.equation}" if self.equation else "")


@dataclass(frozen=True)
class Sides:
    """An inequality `smaller <= larger`, a scalar each. Tightness is smaller / larger."""

    smaller: Tensor
    larger: Tensor


@dataclass(frozen=True)
class Identity:
    """An equation `left == right`, a scalar each."""

    left: Tensor
    right: Tensor


Statement = Sides | Identity
Outcome = tuple[Statement, list["Premise"]]


@dataclass(frozen=True)
class Premise:
    """A hypothesis of the theorem as a margin: it holds where `margin >= 0` (+inf is allowed).

    `established` is False where a constant inside it is only estimated: then it can be refuted but never verified.
    """

    name: str
    margin: Tensor
    established: bool = True


_COLLECTED: ContextVar[list[Premise] | None] = ContextVar("premises", default=None)


def premise(name: str, margin: Tensor, *, established: bool = True) -> None:
    """State, inside a claim, that the theorem assumes `margin >= 0`.

    Args:
        name: what the premise says, in words; unique within the claim.
        margin: a scalar; how much room there is.
        established: False where a constant in it is only an estimate, which must never establish a premise.

    """
    collected = _COLLECTED.get()
    if collected is None:
        return  # the claim's function was called by hand
    if not isinstance(margin, Tensor):
        raise BoundcheckError(
            f"the premise {name!r} has a {type(margin).__name__} as its margin",
            expected="a scalar tensor that is >= 0 where the premise holds",
            remedy="a margin says by how much a premise holds; give `limit - quantity`, not a truth value",
        )
    if name in {earlier.name for earlier in collected}:
        raise BoundcheckError(f"the premise {name!r} is stated twice", expected="a name of its own for each premise")
    collected.append(Premise(name, margin, established))


@contextmanager
def collecting_premises() -> Iterator[list[Premise]]:
    """Collect what `premise` is told inside the block."""
    collected: list[Premise] = []
    token = _COLLECTED.set(collected)
    try:
        yield collected
    finally:
        _COLLECTED.reset(token)


@dataclass(frozen=True)
class Mutant:
    """A wrong neighbour of a claim that its check must catch: other constants, or a change to its sides."""

    name: str
    constants: Mapping[str, Fraction] = field(default_factory=dict)
    change: Callable[[Statement], Statement] | None = None


def swapped(statement: Statement) -> Statement:
    """The mutant with the two sides exchanged."""
    if isinstance(statement, Sides):
        return Sides(statement.larger, statement.smaller)
    raise BoundcheckError(
        "the mutant `swapped` on an identity", expected="an inequality", remedy="scale one side instead"
    )


def scaled(factor: "str | int | Fraction") -> Callable[[Statement], Statement]:
    """A mutant that multiplies the larger (or right) side by `factor`, an exact rational below 1 for an inequality.

    It makes an inequality between positive sides stronger; for negative sides write a function of your own.
    """
    number = exact(factor)
    if number <= 0 or number == 1:
        raise BoundcheckError(f"scaled({factor!r})", expected="a positive factor other than 1")

    def change(statement: Statement) -> Statement:
        if isinstance(statement, Sides):
            if number > 1:
                raise BoundcheckError(f"scaled({factor!r}) makes an inequality weaker", expected="a factor below 1")
            return Sides(statement.smaller * number.denominator, statement.larger * number.numerator)
        return Identity(statement.left * number.denominator, statement.right * number.numerator)

    change.__name__ = f"scaled_{number}"
    return change


Input = Literal["generated", "real"]
Refutation = Literal["instance", "order", "ladder", "statistical"]
"""How a false statement falls.

instance: one instance breaks it. order: it leaves a constant open, and one instance has a larger side that is proved to be 0 or
less (a coefficient of a power series, say) while the smaller is above 0, so that no constant helps. ladder: it leaves constants
open, and instances break it at every rung of a ladder of values. statistical: it bounds a probability, and in independent samples
it failed so often that, were the bound true, so many failures would be less likely than the level that the claim states.
"""
Rung = Mapping[str, Fraction]
Draws = SearchStrategy[Any]
MutantSpec = Mapping[str, str | int | Fraction] | Callable[[Statement], Statement]


@dataclass(frozen=True, eq=False)
class Claim:
    """One statement of a source in one form, with all that is needed to check it. Made by `theorem`."""

    id: str
    form: str
    source: Source
    stance: Stance
    check: Callable[..., Statement]
    over: Draws
    mutants: tuple[Mutant, ...] = ()
    constants: Mapping[str, Exact] = field(default_factory=dict)
    equality: Draws | None = None
    equality_at: Callable[[Any], bool] | None = None
    refuted_by: str | None = None
    input: Input = "generated"
    group: str = ""
    notes: Callable[[Problem], str] | None = None
    undecidable: str = ""
    ladder: tuple[Rung, ...] = ()
    registered_at: tuple[Path, int] = (Path(), 0)
    dropped: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """`id:form`, unique among all claims."""
        return f"{self.id}:{self.form}"

    @property
    def statement(self) -> str:
        """What the claim says, in words: the first paragraph of its docstring, and what premises it is taken without."""
        said = " ".join(inspect.cleandoc(self.check.__doc__ or "").split("\n\n")[0].split())
        return "".join(f"Without the premise {name!r}: " for name in sorted(self.dropped)) + said

    @property
    def defined_in(self) -> Path:
        """The file in which `theorem` made this claim (its function may come from another)."""
        return self.registered_at[0]

    def with_constants(self, values: Mapping[str, Fraction]) -> "Claim":
        """The same claim with other values for some of its constants."""
        changed = {name: replace(self.constants[name], value=value) for name, value in values.items()}
        return replace(self, constants={**self.constants, **changed})

    def without(self, premise_name: str) -> "Claim":
        """The claim that does not assume one of its premises: a statement of its own that nobody proved, under a key of its own.

        The name is checked where premises are stated, that is at the first instance.
        """
        return replace(
            self,
            form=form_without(self.form, premise_name),
            stance=Stance.CONJECTURED,
            refuted_by=None,
            dropped=self.dropped | {premise_name},
        )

    def state(self, problem: Problem, constants: Mapping[str, Tensor]) -> Outcome:
        """Sides and premises of **one** instance (leaves without the lane axis).

        Raises:
            BoundcheckError: for a check that returns neither sides nor an identity, and where a dropped premise is not stated.

        """
        with collecting_premises() as premises:
            statement = self.check(problem, **constants)
        if not isinstance(statement, Sides | Identity):
            raise BoundcheckError(
                f"{self.key} returned a {type(statement).__name__}",
                expected="Sides(smaller=…, larger=…) or Identity(left=…, right=…)",
            )
        return statement, self._kept(premises)

    def _kept(self, premises: list[Premise]) -> list[Premise]:
        unknown = self.dropped - {stated.name for stated in premises}
        if unknown:
            raise BoundcheckError(
                f"{self.key} drops {sorted(unknown)}, which it does not state here",
                expected=f"one of its premises: {[stated.name for stated in premises]}",
            )
        left = [stated for stated in premises if stated.name not in self.dropped]
        estimated = [stated for stated in premises if stated.name in self.dropped and not stated.established]
        if estimated:  # that a constant is only an estimate does not go away with the premise that said so
            margin = estimated[0].margin.new_zeros(())
            left.append(Premise("constants that are more than estimates", margin, established=False))
        return left


WITHOUT = "-without-"
"""Between a claim's key and what it is taken without; in no claim's own key, so that neither is taken for the other."""


_SIGNS = {"<=": "at most", ">=": "at least", "<": "below", ">": "above", "!=": "not", "=": "is", "+": "plus"}
"""`x <= 1` and `x > 1` must not become the same key. Longer signs first."""


def form_without(form: str, dropped: str) -> str:
    """The form of a claim that lacks something, which is told in words."""
    for sign, words in _SIGNS.items():
        dropped = dropped.replace(sign, f" {words} ")
    plain = re.sub(r"[^A-Za-z0-9]+", "-", dropped).strip("-")
    if not plain:
        raise BoundcheckError(f"what a claim is taken without is {dropped!r}", expected="words")
    return f"{form}{WITHOUT}{plain}"


def in_words(rung: Rung) -> str:
    """Such as `c = 1/2, C = 1/4`."""
    return ", ".join(f"{symbol(name)} = {value}" for name, value in rung.items()) or "no constants"


_CLAIMS: dict[str, Claim] = {}


def registered_claims() -> dict[str, Claim]:
    """Every claim imported so far, by `id:form`."""
    return dict(_CLAIMS)


def theorem(
    key: str,
    *,
    source: Source,
    stance: Stance,
    over: Draws,
    mutants: Mapping[str, MutantSpec] | None = None,
    equality: Draws | None = None,
    equality_at: Callable[[Any], bool] | None = None,
    refuted_by: str | None = None,
    input: Input = "generated",  # noqa: A002 - the record's own word for it
    group: str = "",
    notes: Callable[[Problem], str] | None = None,
    undecidable: str = "",
    ladder: Mapping[str, Sequence[str | int | Fraction]] | None = None,
) -> Callable[[Callable[..., Statement]], Claim]:
    """Register the decorated function as a claim.

    Args:
        key: `id:form`, plain ASCII, unique.
        source: where the statement is printed.
        stance: `printed`, `proved`, `corrected` or `conjectured`.
        over: a Hypothesis strategy of Problems or of recipes (objects with `build(lanes)` and `label`).
        mutants: wrong neighbours, each a name and either other values for constants (`{"c": "1/5"}`) or a function from
            Sides to Sides. A check that lets one live is TOOTHLESS. At least one is needed, except on a false statement.
        equality: a strategy of instances on which both sides agree.
        equality_at: of a problem's structure, whether both sides can agree there (`lambda p: p.family.outputs_count == 1`).
            No arithmetic with errors can decide an inequality where it is an equality: such instances are counted apart.
        refuted_by: for a printed statement that is false: how it falls ("instance", "order", "ladder" or "statistical"; see
            `Refutation`).
        input: "real" for measured data: such rows inform and never gate.
        group: claims of one group share solved batches and run in one process.
        notes: of the first batch: a sentence that belongs beside the verdict (what measured premises say, what to compare).
        undecidable: what the printed statement says that no finite instance can decide, and why: listed, never faked.
        ladder: for refuted_by="ladder": values of the constants that the statement leaves open, from the easiest to break to
            the hardest, which are the defaults: `{"c": ["1/2", "1/4"]}` beside `c=constant("1/4")`.

    Raises:
        BoundcheckError: for a key that is taken, or an option that is off.

    """

    def register(check: Callable[..., Statement]) -> Claim:
        identifier, _, form = key.partition(":")
        if not re.fullmatch(r"[A-Za-z0-9][\w.+-]*:[\w.+-]+", key, flags=re.ASCII):
            raise BoundcheckError(
                f"the claim key {key!r}",
                expected='"id:form" of plain letters, digits and . _ + -, such as "MY-1:proved"',
            )
        if WITHOUT in key:
            raise BoundcheckError(
                f"the claim key {key!r}",
                expected=f"one that does not contain {WITHOUT!r}, which marks claims taken without a premise",
            )
        if not inspect.isfunction(check):
            raise BoundcheckError(f"@theorem({key!r}) on a {type(check).__name__}", expected="a function")
        if stance not in list(Stance):
            raise BoundcheckError(f"stance={stance!r} on {key}", expected=f"one of {', '.join(Stance)}")
        claim = Claim(
            id=identifier,
            form=form,
            source=source,
            stance=Stance(stance),
            check=check,
            over=over,
            mutants=tuple(_mutants(key, check, mutants or {})),
            constants=constants_of(check),
            equality=equality,
            equality_at=equality_at,
            refuted_by=refuted_by,
            input=input,
            group=group or identifier,
            notes=notes,
            undecidable=undecidable,
            ladder=_rungs(key, constants_of(check), {} if ladder is None else ladder),
            registered_at=_caller(),
        )
        _validate(claim)
        earlier = _CLAIMS.get(key)
        if earlier is not None and earlier.registered_at != claim.registered_at:
            raise BoundcheckError(
                f"the claim {key!r} at {':'.join(map(str, claim.registered_at))} is already defined at "
                f"{':'.join(map(str, earlier.registered_at))}",
                expected="a key of its own for each claim",
                remedy="rename one of them",
            )
        _CLAIMS[key] = claim
        return claim

    return register


def _caller() -> tuple[Path, int]:
    """File and line of the module that is registering a claim, whatever helper it went through."""
    frame = sys._getframe(2)
    outer: FrameType | None = frame
    while outer is not None and outer.f_code.co_name != "<module>":
        outer = outer.f_back
    # A claim made while no module is being imported has only the program that was started below it.
    names = outer.f_globals if outer is not None else {}
    importing = (
        outer is not None and names.get("__name__") != "__main__" and names.get("__file__") == outer.f_code.co_filename
    )
    found = outer if outer is not None and importing else frame
    return Path(found.f_code.co_filename).resolve(), found.f_lineno


def constants_of(check: Callable[..., Statement]) -> dict[str, Exact]:
    """The constants that a claim's function declares as defaults of its arguments."""
    parameters = list(inspect.signature(check).parameters.values())[1:]
    bad = [p.name for p in parameters if not isinstance(p.default, Exact)]
    if bad:
        raise BoundcheckError(
            f"{check.__name__} has arguments {bad} after the problem",
            expected='each to be a constant, such as c=constant("1/4")',
        )
    return {p.name: p.default for p in parameters}


def _mutants(key: str, check: Callable[..., Statement], specs: Mapping[str, MutantSpec]) -> Iterator[Mutant]:
    known = constants_of(check)
    if not isinstance(specs, Mapping):
        raise BoundcheckError(
            f"{key} has mutants={specs!r}", expected='a name for each, such as {"halved": scaled("1/2")}'
        )
    for name, spec in specs.items():
        if callable(spec):
            yield Mutant(name, change=spec)
            continue
        if not isinstance(spec, Mapping):
            raise BoundcheckError(
                f"the mutant {name!r} of {key} is {spec!r}",
                expected='{"constant": "value"} or a function such as scaled("1/2")',
            )
        if not set(spec) <= set(known):
            raise BoundcheckError(
                f"the mutant {name!r} of {key} changes {sorted(set(spec) - set(known))}",
                expected=f"constants of the claim: {sorted(known)}",
            )
        yield Mutant(name, constants={constant: exact(value) for constant, value in spec.items()})


def _rungs(key: str, known: Mapping[str, Exact], ladder: Any) -> tuple[Rung, ...]:
    columns: dict[str, Sequence[Any]] = dict(ladder) if isinstance(ladder, Mapping) else {}
    if not isinstance(ladder, Mapping) or not all(isinstance(column, list | tuple) for column in columns.values()):
        raise BoundcheckError(
            f"{key} has ladder={ladder!r}", expected='a list of values for each constant, such as {"c": ["1/2", "1/4"]}'
        )
    if not set(columns) <= set(known):
        raise BoundcheckError(
            f"the ladder of {key} names {[name for name in columns if name not in known]}",
            expected=f"constants of the claim: {sorted(known)}",
        )
    if len({len(column) for column in columns.values()}) > 1:
        raise BoundcheckError(f"the ladder of {key} has columns of different lengths", expected="a value for each rung")
    return tuple(dict(zip(columns, map(exact, rung), strict=True)) for rung in zip(*columns.values(), strict=True))


def _validate_ladder(claim: Claim) -> None:
    missing = claim.refuted_by == "ladder" and not claim.ladder
    if missing or (claim.ladder and claim.refuted_by not in ("ladder", "statistical")):
        raise BoundcheckError(
            f"{claim.key} has refuted_by={claim.refuted_by!r} and a ladder of {len(claim.ladder)} rungs",
            expected='refuted_by="ladder" (or "statistical") with ladder={"c": ["1/2", "1/4", …]}, or neither',
        )
    if not claim.ladder:
        return
    hardest = {name: claim.constants[name].value for name in claim.ladder[-1]}
    if hardest != dict(claim.ladder[-1]):
        raise BoundcheckError(
            f"the last rung of {claim.key} is {in_words(claim.ladder[-1])}, its constants are {in_words(hardest)}",
            expected="the hardest rung last, and its values as the constants' defaults",
        )


def _validate(claim: Claim) -> None:
    _validate_ladder(claim)
    if claim.input not in get_args(Input):
        raise BoundcheckError(f"input={claim.input!r} on {claim.key}", expected=f"one of {', '.join(get_args(Input))}")
    for mutant in claim.mutants:
        if mutant.change is None and not mutant.constants:
            raise BoundcheckError(
                f"the mutant {mutant.name!r} of {claim.key} changes nothing", expected='{"constant": "value"}'
            )
    false_as_printed = claim.refuted_by is not None
    if false_as_printed and claim.stance is not Stance.PRINTED:
        raise BoundcheckError(
            f"{claim.key} is {claim.stance} and refuted_by={claim.refuted_by!r}", expected="stance printed"
        )
    if false_as_printed and claim.refuted_by not in get_args(Refutation):
        raise BoundcheckError(
            f"refuted_by={claim.refuted_by!r} on {claim.key}", expected=f"one of {', '.join(get_args(Refutation))}"
        )
    scaling = [exact for exact in claim.constants.values() if exact.scales == "smaller"]
    if claim.refuted_by == "order" and len(scaling) != 1:
        raise BoundcheckError(
            f'refuted_by="order" on {claim.key} with {len(scaling)} constants that scale the smaller side',
            expected="one, the constant that the statement leaves open",
            remedy='declare it as c=constant("2^-64", scales="smaller")',
        )
    gates = claim.input == "generated" and claim.stance is not Stance.CONJECTURED
    if gates and not false_as_printed and not claim.mutants:
        raise BoundcheckError(
            f"{claim.key} has no mutants",
            expected="at least one wrong neighbour that the check must catch",
            remedy='add mutants={"halved": scaled("1/2")}, or a stronger constant',
        )
    for name, strategy in {"over": claim.over, "equality": claim.equality}.items():
        if not isinstance(strategy, SearchStrategy) and not (name == "equality" and strategy is None):
            raise BoundcheckError(
                f"{claim.key} has {name}={type(strategy).__name__}",
                expected="a Hypothesis strategy of problems or recipes",
                remedy=f"call the strategy function: {name}=fine_tunings()",
            )


def build(drawn: Any, lanes: int, first: int = 0) -> Problem:
    """The batch behind what a strategy drew: a Problem as it is, a recipe built with these lanes."""
    if isinstance(drawn, Problem):
        return drawn
    if isinstance(drawn, Recipe):
        return drawn.build(lanes, first)
    raise BoundcheckError(
        f"the strategy drew a {type(drawn).__name__}",
        expected="a Problem, or a recipe with build(lanes) and label",
    )
