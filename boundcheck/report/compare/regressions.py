"""What is worse than it was, by the limits that were asked for."""

from collections.abc import Iterator
from dataclasses import dataclass

from boundcheck.exact import readable
from boundcheck.outcome import PASSING, Verdict
from boundcheck.report.compare.figures import Figures
from boundcheck.report.compare.limits import Limits
from boundcheck.report.compare.moves import fall, number, percent, receded, weakened


@dataclass(frozen=True)
class Regression:
    """One regression: the claim, the rule that it breaks, and one sentence."""

    claim: str
    rule: str
    sentence: str


def regressions(old: Figures, new: Figures | None, limits: Limits) -> list[Regression]:
    """The regressions of one claim; `new` is None where it is gone."""
    if new is None:
        gone = limits.verdict and old.verdict in PASSING
        return [Regression(old.claim, "verdict", f"{old.claim} was {old.verdict} and is gone")] if gone else []
    if old.verdict == new.verdict == Verdict.REFUTED:  # how badly the worst counterexample breaks it is chance
        return []
    return [*_verdict(old, new, limits), *_tightness(old, new, limits), *_constants(old, new, limits)]


def _verdict(old: Figures, new: Figures, limits: Limits) -> Iterator[Regression]:
    if limits.verdict and old.verdict in PASSING and new.verdict != old.verdict:
        yield Regression(old.claim, "verdict", f"{old.claim} was {old.verdict} and is {new.verdict}")


def _tightness(old: Figures, new: Figures, limits: Limits) -> Iterator[Regression]:
    fallen = fall(old.ratio, new.ratio)
    if limits.tightness is not None and fallen > limits.tightness:
        yield Regression(
            old.claim,
            "tightness",
            f"{old.claim}: the worst ratio found fell from {number(old.ratio)} to {number(new.ratio)}, by {percent(fallen)}",
        )


def _constants(old: Figures, new: Figures, limits: Limits) -> Iterator[Regression]:
    if limits.constant is None:
        return
    for name in sorted(old.constants.keys() - new.constants.keys()):
        if old.constants[name].better is not None:
            yield Regression(old.claim, "constant", f"{old.claim}: its constant {name} is gone")
    for name in sorted(old.constants.keys() & new.constants.keys()):
        before, after = old.constants[name], new.constants[name]
        weaker, further = weakened(before, after), receded(before, after, new.ratio)
        if weaker > limits.constant:
            moved = f"{readable(before.at)} to {readable(after.at)}, weaker by {percent(weaker)}"
            yield Regression(
                old.claim, "constant", f"{old.claim}: the value of {name} that is checked went from {moved}"
            )
        if further > limits.constant:
            moved = f"{number(before.found)} to {number(after.found)}, by {percent(further)}"
            yield Regression(old.claim, "constant", f"{old.claim}: what was found for {name} receded from {moved}")
