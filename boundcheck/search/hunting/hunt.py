"""The hunt for one claim: explore structures, refine the best, confirm in balls, prove and store a violation.

For an inequality smaller <= larger the climb maximises log(smaller) - log(larger) over an instance's free numbers: by gradient
(`ascent`) where the claim has one, else by evolution. Structures come from the claim's own strategy. Of each climb the best lanes
are kept; refining starts from those of the best structures and from points around them. The best instances are evaluated in ball
arithmetic at the end; a violation has to be proved by both routes.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import torch

from boundcheck.claim import Claim, build
from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem
from boundcheck.proof.finding import Interval
from boundcheck.record import store_counterexample
from boundcheck.search.drawing import one_thread_on, over
from boundcheck.search.evidence import evidence
from boundcheck.search.hunting.ascent import NoDerivativeError, ascend
from boundcheck.search.hunting.evolution import evolve
from boundcheck.search.hunting.extreme import Extreme
from boundcheck.search.hunting.landscape import Landscape, require_free
from boundcheck.search.hunting.options import Hunt
from boundcheck.search.hunting.passed import KEPT, Passed
from boundcheck.search.hunting.ranges import ENOUGH, Ranges
from boundcheck.search.judge import Judge
from boundcheck.verdict import BREAKING, HOLDING, Status

DRAWS = 8
"""Hypothesis draws so many times as many recipes as structures are wanted: many repeat one."""


class Memory(Protocol):
    """Where finished climbs are kept, so that an interrupted hunt can go on."""

    def recall(self, key: str) -> Passed | None:
        """What an earlier hunt kept under this key."""
        ...

    def keep(self, key: str, passed: Passed) -> None:
        """Keep a finished climb."""
        ...


class Forgetful:
    """Keeps nothing."""

    def recall(self, key: str) -> Passed | None:
        """Nothing was kept."""
        return None

    def keep(self, key: str, passed: Passed) -> None:
        """Nothing is kept."""


@dataclass(frozen=True)
class News:
    """How far a hunt is: instances evaluated of those planned, the best ratio so far, what is being done."""

    done: int
    planned: int
    best: float
    doing: str


Told = Callable[[News], None]


class HuntInterrupted(KeyboardInterrupt):
    """Ctrl-C; `extreme` is what was confirmed of the climbs that were finished."""

    def __init__(self, extreme: Extreme | None) -> None:
        super().__init__()
        self.extreme = extreme


class CutShortError(BoundcheckError):
    """The clock ended a hunt before there was anything to confirm."""


def hunt(
    claim: Claim,
    options: Hunt,
    *,
    counterexamples: Path,
    first: Sequence[Any] = (),
    told: Told = lambda _: None,
    memory: Memory | None = None,
    judge: Judge | None = None,
) -> Extreme | None:
    """The tightest confirmed instance of a claim, or None where no instance was confirmed.

    Args:
        claim: an inequality.
        options: the budget.
        counterexamples: where a certified violation is stored.
        first: recipes to explore before others are drawn.
        told: called now and then with what is known.
        memory: where finished climbs are kept.
        judge: one that has met the claim's structures already, to save tracing them again.

    Raises:
        BoundcheckError: for an identity, which has no ratio; for a claim on real data; with method="gradient" for a claim
            without derivatives; and where the clock ended the hunt before anything was confirmed.
        HuntInterrupted: on Ctrl-C, with what was confirmed so far.

    """
    if claim.input == "real":
        raise BoundcheckError(
            f"{claim.key} speaks of real data, which is as it is", expected="a claim over generated instances"
        )
    return _Hunter(claim, options, first, told, memory or Forgetful(), judge or Judge(claim)).run(counterexamples)


@dataclass(frozen=True)
class _Found:
    """What a climb of one structure kept."""

    passed: Passed
    ranges: Ranges
    drawn: str
    label: str


class _Hunter:
    def __init__(
        self, claim: Claim, options: Hunt, first: Sequence[Any], told: Told, memory: Memory, judge: Judge
    ) -> None:
        self.claim, self.options, self.memory, self.judge = claim, options, memory, judge
        self._first, self._told = first, told
        self._began = time.perf_counter()
        self._method = options.method
        self._ticks = 0
        self._best = 0.0
        self._doing = ""
        self._truncated = False

    def run(self, folder: Path) -> Extreme | None:
        """Explore, refine, confirm."""
        with one_thread_on(self.options.device):
            explored: list[_Found] = []
            refined: list[_Found] = []
            interrupted = False
            try:
                for found in self._explored():
                    explored.append(found)
                best = sorted(explored, key=lambda found: -_top(found))[: self.options.refined]
                for index, found in enumerate(best):
                    if _top(found) > 0:
                        refined.append(self._refine(index, found))
            except KeyboardInterrupt:
                interrupted = self._truncated = True
            extreme = self._ended(explored, refined, folder)
            if interrupted:
                raise HuntInterrupted(extreme)
            if extreme is None and self._truncated:
                raise CutShortError(
                    f"{self.claim.key}: the clock ended the hunt before an instance was confirmed",
                    expected=f"more than {self.options.minutes} minutes",
                )
            return extreme

    def _ended(self, explored: list[_Found], refined: list[_Found], folder: Path) -> Extreme | None:
        """The best of all climbs, confirmed, proved and stored if it breaks the claim."""
        extreme = self._confirmed([*refined, *explored])
        if extreme is None:
            return None
        climbs = [found.passed for found in (*explored, *refined)]
        extreme = replace(
            extreme,
            random=max((found.passed.random for found in explored), default=0.0),
            evaluations=sum(passed.evaluations for passed in climbs),
            seconds=time.perf_counter() - self._began,
            truncated=self._truncated,
        )
        return self._kept(extreme, folder) if extreme.status in BREAKING else extreme

    def _structures(self) -> Iterator[Any]:
        """Different structures: those that were asked for, then as Hypothesis draws them."""
        seen: dict[Any, Any] = {}

        def visit(drawn: Any) -> None:
            if len(seen) < self.options.structures:
                problem = build(drawn, 1)
                require_free(self.claim, problem)
                seen.setdefault(problem.identity(), drawn)

        for drawn in self._first:
            visit(drawn)
        if len(seen) < self.options.structures:
            over(self.claim.over, visit, DRAWS * self.options.structures, self.options.seed)
        yield from seen.values()

    def _explored(self) -> Iterator[_Found]:
        for index, drawn in enumerate(self._structures()):
            if self._late():
                return
            yield self._explore(index, drawn)

    def _explore(self, index: int, drawn: Any) -> _Found:
        label = getattr(drawn, "label", type(drawn).__name__)
        self._say(f"exploring {label}")
        problem = self._built(drawn, self.options.lanes)
        ranges = Ranges.seen(problem if problem.lanes >= ENOUGH else self._built(drawn, ENOUGH))
        passed = self._climb(f"explore {index} {drawn}", problem, ranges, self.options.exploring, polished=0)
        return _Found(passed, ranges, str(drawn), label)

    def _built(self, drawn: Any, lanes: int) -> Problem:
        return build(drawn, lanes, self.options.seed * self.options.lanes).to(self.options.device)

    def _refine(self, index: int, found: _Found) -> _Found:
        if self._late():
            return found
        self._say(f"refining {found.label}")
        around = _around(self.claim, found.passed.problem, found.ranges, self.options.lanes, self.options.seed)
        passed = self._climb(
            f"refine {index} {found.drawn}", around, found.ranges, self.options.steps, polished=self.options.polished
        )
        return replace(found, passed=replace(passed, random=found.passed.random))

    def _climb(self, key: str, problem: Problem, ranges: Ranges, steps: int, *, polished: int) -> Passed:
        """By gradient, or where there is none by evolution; from memory where it was climbed before."""
        passed = self.memory.recall(key)
        if passed is None:
            passed = self._by_method(problem, ranges, steps, polished)
            if not self._truncated:
                self.memory.keep(key, passed)
        self._best = max(self._best, float(passed.ratios.max()))
        return passed

    def _by_method(self, problem: Problem, ranges: Ranges, steps: int, polished: int) -> Passed:
        numbers = self.options.numbers
        if self._method != "evolution":
            try:
                return ascend(self.judge, problem, steps, self._tick, ranges=ranges, polished=polished, numbers=numbers)
            except NoDerivativeError:
                if self._method == "gradient":
                    raise
                self._method = "evolution"
        return evolve(self.judge, problem, steps, self.options.seed, self._tick, ranges=ranges, numbers=numbers)

    # ------------------------------------------------------------------------------------------------------- clock

    def _tick(self, evaluated: int) -> bool:
        self._ticks += evaluated
        self._say(self._doing)
        return not self._late()

    def _late(self) -> bool:
        limit = self.options.minutes
        self._truncated |= limit is not None and time.perf_counter() - self._began > 60 * limit
        return self._truncated

    def _say(self, doing: str) -> None:
        self._doing = doing
        self._told(News(self._ticks, self.options.evaluations, self._best, doing))

    # ------------------------------------------------------------------------------------------------ confirmation

    def _confirmed(self, found: list[_Found]) -> Extreme | None:
        """Of the best lanes the one whose ratio is largest in ball arithmetic."""
        lanes = [(float(f.passed.ratios[lane]), lane, f) for f in found for lane in range(len(f.passed.ratios))]
        lanes = sorted((c for c in lanes if c[0] > 0), key=lambda candidate: -candidate[0])[:KEPT]
        self._say("confirming in ball arithmetic")
        extremes = [self._in_balls(f, lane) for _, lane, f in lanes]
        return max((e for e in extremes if e is not None), key=lambda extreme: extreme.ratio[0], default=None)

    def _in_balls(self, found: _Found, lane: int) -> Extreme | None:
        certificate = self.judge.certifier.certify(found.passed.problem, lane)
        if not certificate.findings or certificate.status not in (*HOLDING, *BREAKING, Status.INCONCLUSIVE):
            return None
        left, right = certificate.findings[0].left, certificate.findings[0].right
        if left[0] <= 0 or (right[0] <= 0 < right[1]):
            return None
        bounded = right[0] > 0 and left[1] < math.inf and right[1] < math.inf
        if right[0] > 0 and not bounded:
            return None
        ratio = _outward(left, right) if bounded else (math.inf, math.inf)
        problem = found.passed.problem.lane(lane).to("cpu")
        apart = left[1] < right[0] or right[1] < left[0]
        return Extreme(self.claim.key, certificate.status, ratio, 0.0, problem, found.drawn, found.label, apart=apart)

    def _kept(self, extreme: Extreme, folder: Path) -> Extreme:
        """A violation proved by both routes, and stored; one that is not keeps the word VIOLATED_UNCERTIFIED."""
        screened = self.judge(extreme.problem, most=0)
        certificate = self.judge.certifier.certify(extreme.problem, 0, screened)
        if certificate.status is not Status.VIOLATED:
            return replace(extreme, status=Status.VIOLATED_UNCERTIFIED)
        record = evidence(
            self.claim,
            "worst",
            extreme.problem,
            screened,
            certificate,
            drawn=f"{extreme.drawn}, hunted",
            seed=self.options.seed,
        )
        return replace(extreme, status=Status.VIOLATED, stored=store_counterexample(folder, record))


def _outward(left: Interval, right: Interval) -> tuple[float, float]:
    """left/right in doubles, rounded outward."""
    low, high = Fraction(left[0]) / Fraction(right[1]), Fraction(left[1]) / Fraction(right[0])
    below, above = float(low), float(high)
    return (
        below if below <= low else math.nextafter(below, -math.inf),
        above if above >= high else math.nextafter(above, math.inf),
    )


def _top(found: _Found) -> float:
    return float(found.passed.ratios.max())


def _around(claim: Claim, best: Problem, ranges: Ranges, lanes: int, seed: int) -> Problem:
    """The best lanes themselves, and points around them, from near to far."""
    generator = torch.Generator("cpu").manual_seed(seed)  # the same points whatever the device
    picked = torch.arange(lanes) % best.lanes
    batch = best.with_leaves({name: leaf[picked.to(leaf.device)] for name, leaf in best.leaves().items()})
    landscape = Landscape(claim, batch, ranges, differentiable=False)
    changes = []
    for still in landscape.still():
        far = 10.0 ** torch.empty(lanes, dtype=torch.float64, device="cpu").uniform_(-3.0, -0.5, generator=generator)
        far[: best.lanes] = 0.0
        noise = torch.randn(still.shape, dtype=torch.float64, generator=generator, device="cpu")
        changes.append((noise * far.reshape(-1, *(1 for _ in still.shape[1:]))).to(still.device))
    return landscape.at(changes)
