"""What breaks a claim: kept at once, proved, then looked at again for the worst and for the simplest instance.

The first breaking instance of a campaign is stored before the campaign goes on, so that nothing that comes later can lose it.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from math import inf, isfinite
from pathlib import Path
from random import Random
from typing import Any

import hypothesis
import torch
from hypothesis import HealthCheck, settings
from torch import Tensor

from boundcheck.claim import Claim, build
from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem, Recipe
from boundcheck.record import readable, store_counterexample
from boundcheck.rigor import Enclosure
from boundcheck.search.certify import Certificate
from boundcheck.search.choices import NAME, seeded
from boundcheck.search.evidence import Kind, evidence
from boundcheck.search.instance import OneInstance
from boundcheck.search.judge import Judge
from boundcheck.search.simplify import complexity, simplify
from boundcheck.verdict import Judgement, Status

SHRINK_EVALUATIONS = 32
SHRINK_TRACES = 4
SHRINK_LANES = 64
GROSS = 1 + 1e-6
"""A ratio of the sides that plain floats cannot mistake."""

CERTIFIED_AT_ONCE = 4
"""So many lanes of the first breaking batch are certified, the worst first."""

CANDIDATES = 6_000
SETTLED = 512
"""So many simpler instances are tried; fewer where each has to be descended again."""

MOST_ATTEMPTS = 6
"""So many breaking batches are tried until one of their instances is certified."""

PROOFS = 1_000
"""Ball evaluations that shrinking and simplifying may spend where floats do not see the violation."""


@dataclass(frozen=True)
class _Instance:
    """One breaking instance: a batch of one lane, what drew it, and how badly it breaks the claim."""

    problem: Problem
    drawn: str
    badness: float


@dataclass
class Finder:
    """Collects what breaks one claim.

    Attributes:
        claim: the claim. folder: where counterexamples go. seed: of the campaign. device: of the batches.
        certified: how many of the instances tested were certified.
        no_constant_helps: whether on one of these the larger side is proved to be at most 0.
        reason: why the first was not certified, if it was not.
        stored: the files, by kind. shown: the same in numbers that people read. unstored: why a file could not be written, if one
            could not.

    """

    claim: Claim
    folder: Path
    seed: int
    device: str = "cpu"
    certified: int = 0
    no_constant_helps: bool = False
    reason: str = ""
    unstored: str = ""
    stored: dict[Kind, Path] = field(default_factory=dict)
    shown: dict[Kind, dict[str, Any]] = field(default_factory=dict)
    sides: tuple[float | None, float | None] = (None, None)
    label: str = ""
    _attempts: int = 0
    _first: float = 0.0
    _worst: _Instance | None = None

    def __post_init__(self) -> None:
        self._judge = Judge(self.claim, PROOFS, patience=inf)

    def look(self, drawn: Any, problem: Problem, judgement: Judgement) -> None:
        """Note what a batch has that breaks the claim; the first such instance is proved and stored now."""
        lanes = _worst_first(judgement)
        if not lanes:
            return
        name = str(drawn) if isinstance(drawn, Recipe | str) else type(drawn).__name__
        worst = _Instance(problem.lane(lanes[0]).to("cpu"), name, _badness(judgement, lanes[0]))
        if not self.certified and self._attempts < MOST_ATTEMPTS:
            self._attempts += 1
            self._certify_at_once(problem, lanes, judgement, name)
        if self._worst is None or worst.badness > self._worst.badness:
            self._worst = worst

    def _certify_at_once(self, problem: Problem, lanes: list[int], judgement: Judgement, name: str) -> None:
        for lane in lanes[:CERTIFIED_AT_ONCE]:
            certificate = self._judge.certifier.certify(problem, lane, judgement)
            proved = certificate.status is Status.VIOLATED
            first_proved = proved and not self.certified  # what is stored must be what was proved, if anything was
            self.certified += proved
            self.no_constant_helps |= certificate.no_constant_helps
            if lane == lanes[0]:
                self.reason = certificate.reason
            if lane == lanes[0] or first_proved:
                instance = _Instance(problem.lane(lane).to("cpu"), name, _badness(judgement, lane))
                self._store("worst", instance, certificate)
                self._first = instance.badness

    def finish(self) -> None:
        """Prove and store the worst and the simplest instance."""
        if self._worst is None:
            return
        if self._worst.badness > self._first or not self.certified:
            self._keep("worst", self._worst)
        shrunk = self._shrunk() or self._worst
        candidates = [shrunk]
        if not shrunk.problem.sampled:  # samples are as they fell
            simple = simplify(
                shrunk.problem, self._breaks, candidates=SETTLED if shrunk.problem.derived else CANDIDATES
            )
            candidates = [_Instance(simple, f"{shrunk.drawn}, simplified", 0.0), shrunk]
        for candidate in candidates:
            if self._keep("simplest", candidate):
                return

    def _keep(self, kind: Kind, instance: _Instance) -> bool:
        """Store it if it is certified, or if nothing of that kind was stored before."""
        certificate = self._judge.certifier.certify(instance.problem, 0, self._judge(instance.problem, most=0))
        good = certificate.status is Status.VIOLATED
        if self.claim.refuted_by == "order" and self.no_constant_helps:  # the others show less than what was found
            good = certificate.no_constant_helps
        self.certified = max(self.certified, int(good))
        self.no_constant_helps |= certificate.no_constant_helps
        if good or (certificate.status is Status.VIOLATED_UNCERTIFIED and kind not in self.stored):
            self._store(kind, instance, certificate)
        return good

    def _store(self, kind: Kind, instance: _Instance, certificate: Certificate) -> None:
        screened = self._judge(instance.problem, most=0)
        try:
            record = evidence(
                self.claim, kind, instance.problem, screened, certificate, drawn=instance.drawn, seed=self.seed
            )
            self.stored[kind] = store_counterexample(self.folder, record)
            self.shown[kind] = readable(
                instance.problem, certificate.findings, certificate.premises, drawn=instance.drawn
            )
            if kind == "worst":
                self.sides, self.label = (finite(screened.smaller), finite(screened.larger)), instance.drawn
        except BoundcheckError as error:  # what was found stands, stored or not
            self.unstored = str(error)

    def _breaks(self, problem: Problem) -> Tensor:
        """Which lanes break the claim: by floats, or where floats see none, by balls."""
        batch = problem.to(self.device)
        seen = self._judge(batch, most=0).broken()
        return seen if bool(seen.any()) else self._judge(batch).broken()

    def _shrunk(self) -> _Instance | None:
        """Of the simplest structure that Hypothesis finds to break the claim, the instance with the fewest bits.

        Tracing a structure costs a hundred times what evaluating it costs: where the violation is gross, plain floats lead the
        way and only what they end at is judged.
        """
        gross = self._worst is not None and self._worst.badness > GROSS
        looks_broken = self._looks_broken if gross else self._breaks
        found: list[tuple[Any, Problem]] = []
        calls = 0

        def breaks(drawn: Any) -> bool:
            nonlocal calls
            calls += 1
            if calls > (SHRINK_EVALUATIONS if gross else SHRINK_TRACES):
                return False
            problem = build(drawn, SHRINK_LANES)
            if not bool(looks_broken(problem).any()):
                return False
            found.append((drawn, problem))
            return True

        quiet = settings(
            max_examples=SHRINK_EVALUATIONS,
            database=None,
            deadline=None,
            backend=NAME,
            suppress_health_check=list(HealthCheck),
        )
        # The budget may end the shrink in an exception of Hypothesis's: the last breaking structure stands.
        with suppress(hypothesis.errors.HypothesisException), seeded(self.seed):
            hypothesis.find(self.claim.over, breaks, settings=quiet, random=Random(self.seed))
        return next(filter(None, (self._simplest_lane(*candidate) for candidate in found[:-4:-1])), None)

    def _simplest_lane(self, drawn: Any, problem: Problem) -> _Instance | None:
        lanes = torch.nonzero(self._breaks(problem)).squeeze(-1).tolist()
        if not lanes:
            return None
        alone = min((problem.lane(lane).to("cpu") for lane in lanes), key=complexity)
        return _Instance(alone, str(drawn) if isinstance(drawn, Recipe) else type(drawn).__name__, 0.0)

    def _looks_broken(self, problem: Problem) -> Tensor:
        """Which lanes break the claim grossly, in plain floats: a hint, never a verdict."""
        one = OneInstance(self.claim, problem)
        leaves = [leaf.clone() for leaf in problem.leaves().values()]
        constants = [leaves[0].new_tensor(float(exact.value)) for exact in self.claim.constants.values()]
        lanes = torch.vmap(one, in_dims=(*(0 for _ in leaves), *(None for _ in constants)))
        left, right, *margins = lanes(*leaves, *constants)
        apart = (left - right).abs() > (GROSS - 1) * torch.maximum(left.abs(), right.abs())
        broken = apart if one.identity else apart & (left > right)
        for margin in margins:
            broken &= margin >= 0
        return broken


def finite(side: Enclosure) -> float | None:
    """The middle of a side of a batch of one, where JSON can hold it."""
    value = float(side.mid[0])
    return value if isfinite(value) else None


def _worst_first(judgement: Judgement) -> list[int]:
    lanes: list[int] = torch.nonzero(judgement.broken()).squeeze(-1).tolist()
    return sorted(lanes, key=lambda lane: -_badness(judgement, lane))


def _badness(judgement: Judgement, lane: int) -> float:
    """How far the sides are on the wrong side of each other: their ratio, or an identity's relative difference."""
    left, right = float(judgement.smaller.mid[lane]), float(judgement.larger.mid[lane])
    if judgement.identity:
        return 1 + abs(left - right) / max(abs(left), abs(right), 5e-324)
    return left / right if right > 0 else float("inf")
