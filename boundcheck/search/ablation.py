"""Which premises carry a claim: each is taken away in turn, and what is left is hunted.

A premise is *needed* where an instance on which all others hold is proved to break the claim, by both routes. Where the hunt
finds none it is *not shown needed*: no proof that the claim holds without it.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from boundcheck.ablations import ground, registered_ablations, why_unneeded
from boundcheck.claim import Claim, build
from boundcheck.errors import BoundcheckError
from boundcheck.search.drawing import one_thread_on, over
from boundcheck.search.hunting.extreme import Extreme
from boundcheck.search.hunting.hunt import DRAWS, CutShortError, News, Told, hunt
from boundcheck.search.hunting.options import Hunt
from boundcheck.search.instance import stated_premises
from boundcheck.verdict import Status

Hunter = Callable[..., Extreme | None]


@dataclass(frozen=True)
class Ablated:
    """What became of a claim without one of the things that it assumes.

    Attributes:
        claim: key of the whole claim. key: of what is left. premise: what was taken away.
        found: the tightest confirmed instance of what is left. whole: that of the whole claim, hunted as hard.
        because: why no instance can show the premise to be needed, where that is known.
        cut: whether the clock ended the hunt before anything was confirmed.

    """

    claim: str
    key: str
    premise: str
    found: Extreme | None
    whole: Extreme | None
    because: str = ""
    cut: bool = False

    @property
    def needed(self) -> bool:
        """Whether an instance was proved by both routes to break what is left; of a claim that is broken itself, nothing is."""
        return _broken(self.found) and self.whole is not None and not _broken(self.whole)

    @property
    def verdict(self) -> str:
        """In words."""
        return "needed" if self.needed else "not shown needed"

    @property
    def counterexample(self) -> Path | None:
        """The file of that instance."""
        return self.found.stored if self.needed and self.found is not None else None

    def to_json(self) -> dict[str, Any]:
        """For the entry of the claim in a record. A ratio is None where no instance was confirmed, or the larger side is 0."""
        return {
            "key": self.key,
            "premise": self.premise,
            "needed": self.needed,
            "ratio": _finite(self.found),
            "unbounded": self.found is not None and math.isinf(self.found.ratio[0]),
            "ratio_with": _finite(self.whole),
            "because": "" if self.needed else self.because,
            "counterexample": str(self.counterexample) if self.counterexample else None,
            "evaluations": self.found.evaluations if self.found else 0,
            "seconds": round(self.found.seconds, 3) if self.found else 0.0,
            "truncated": self.cut or (self.found is not None and self.found.truncated),
        }


def ablate(claim: Claim, options: Hunt, *, counterexamples: Path, told: Told = lambda _: None) -> list[Ablated]:
    """Every premise of a claim, and every registered ablation, taken away in turn.

    Args:
        claim: an inequality; it and what is left of it are hunted over the instances named by `hunted_over`, if any are.
        options: the budget of each hunt; the whole claim is hunted once with the same.
        counterexamples: where instances that break what is left are stored, under its own key.
        told: called now and then with what is known.

    Raises:
        BoundcheckError: for an identity, which has no ratio, and for two premises whose names differ in no letter or digit.

    """
    return list(ablations(claim, options, counterexamples=counterexamples, told=told))


def ablations(
    claim: Claim, options: Hunt, *, counterexamples: Path, told: Told = lambda _: None, hunter: Hunter = hunt
) -> Iterator[Ablated]:
    """The same one by one, as they are found: an interrupted ablation keeps what it has."""
    whole = hunter(replace(claim, over=ground(claim)), options, counterexamples=counterexamples, told=told)
    for premise, left in variants(claim, options).items():
        found, cut = None, False
        try:
            found = hunter(left, options, counterexamples=counterexamples, told=_prefixed(told, premise))
        except CutShortError:
            cut = True
        yield Ablated(claim.key, left.key, premise, found, whole, why_unneeded(claim.key, premise), cut)


def variants(claim: Claim, options: Hunt) -> Mapping[str, Claim]:
    """What is left of a claim, by what is taken away: the registered ablations, and each other premise that it states."""
    registered = {found.drops: found.variant for found in registered_ablations(claim.key).values()}
    stated, everywhere = _stated(claim, options)
    left = {name: replace(claim.without(name), over=ground(claim, name)) for name in stated if name not in registered}
    for name in left.keys() - everywhere:
        left[name] = replace(left[name], over=ground(claim, name).filter(_states(claim, name)))
    left |= registered
    keys = [variant.key for variant in left.values()]
    if len(set(keys)) < len(keys):
        raise BoundcheckError(
            f"{claim.key} has premises whose names differ in no letter or digit",
            expected="names that still differ as part of a key",
            remedy=f"rename one of {sorted(left)}",
        )
    return left


def _stated(claim: Claim, options: Hunt) -> tuple[list[str], set[str]]:
    """The premises stated by some of the structures that a hunt would explore, in order, and those stated by all of them."""
    names: dict[str, None] = {}
    each: dict[Any, set[str]] = {}

    def visit(drawn: Any) -> None:
        problem = build(drawn, 1)
        if len(each) < options.structures and problem.identity() not in each:
            stated = stated_premises(claim, problem)
            each[problem.identity()] = set(stated)
            names.update(dict.fromkeys(stated))

    with one_thread_on("cpu"):
        over(ground(claim), visit, DRAWS * options.structures, options.seed)
    return list(names), set.intersection(*each.values()) if each else set()


def _states(claim: Claim, name: str) -> Callable[[Any], bool]:
    """Whether the claim states this premise at the structure of what was drawn."""
    return lambda drawn: name in stated_premises(claim, build(drawn, 1))


def _prefixed(told: Told, premise: str) -> Told:
    def tell(news: News) -> None:
        told(replace(news, doing=f"without {premise!r}: {news.doing}"))

    return tell


def _broken(extreme: Extreme | None) -> bool:
    return extreme is not None and extreme.status is Status.VIOLATED


def _finite(extreme: Extreme | None) -> float | None:
    return extreme.ratio[0] if extreme is not None and math.isfinite(extreme.ratio[0]) else None
