"""A campaign: Hypothesis draws structures, every lane of each is judged, mutants are tried, a failure is shrunk."""

import time
import traceback
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import hypothesis
import torch
from hypothesis import HealthCheck, Phase, settings

from boundcheck.claim import Claim, Draws, build
from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem, Recipe
from boundcheck.profiles import Profile
from boundcheck.record import Entry, Evidence, store_counterexample
from boundcheck.search.evaluate import Evaluator
from boundcheck.search.tally import Tally
from boundcheck.verdict import Judgement, Status, Verdict

SHRINK_EVALUATIONS = 24
SHRINK_LANES = 64


@dataclass(frozen=True)
class Options:
    """What a campaign runs with.

    Attributes:
        profile: the budget.
        device: where tensors live ("cpu", "cuda", "cuda:1").
        seed: of the draws. The same seed gives the same result on the same installation (Hypothesis also draws numbers it
            finds in the modules that are imported); what breaks a claim is stored as numbers, not as a seed.
        counterexamples: folder for what breaks a claim.
        command: the command line, for the record.

    """

    profile: Profile
    device: str = "cpu"
    seed: int = 0
    counterexamples: Path = Path(".boundcheck/counterexamples")
    command: str = ""


def run_campaign(claim: Claim, options: Options) -> Entry:
    """Check one claim and return its entry of the record. Whatever the claim raises ends in the verdict ERROR."""
    started = time.perf_counter()
    campaign = _Campaign(claim, options)
    with _one_thread_on(options.device):
        try:
            campaign.explore()
            campaign.look_at_equality()
            verdict, reason = campaign.tally.verdict(options.profile)
        except (
            Exception
        ) as error:  # a claim is somebody's code: whatever it raises is a verdict, not a crash of the run
            verdict, reason = Verdict.ERROR, _told(error, claim)
        try:
            campaign.keep_counterexample()
        except Exception as error:  # what was found stands, stored or not
            reason = f"{reason}; the counterexample could not be stored: {_told(error, claim)}"
    return campaign.entry(verdict, reason, time.perf_counter() - started)


def _told(error: Exception, claim: Claim) -> str:
    """The first line of an exception, with its type and the claim's own line where it is not our sentence."""
    text = (str(error).splitlines() or [""])[0]
    if isinstance(error, BoundcheckError):
        return text
    file = claim.check.__code__.co_filename
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f" (at {Path(file).name}:{lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {text}{where}"


@contextmanager
def _one_thread_on(device: str) -> Iterator[None]:
    """One thread: sums then do not depend on the machine, and small batches run faster. New tensors go to the device.

    Both are put back afterwards.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with nullcontext() if device == "cpu" else torch.device(device):
            yield
    finally:
        torch.set_num_threads(before)


class _Campaign:
    def __init__(self, claim: Claim, options: Options) -> None:
        self.claim = claim
        self.options = options
        self.tally = Tally(claim)
        self.evaluator = Evaluator(claim)
        self.counterexample: str | None = None
        self.notes = ""
        self._breaking: Any = None
        self._seen: set[Any] = set()

    def explore(self) -> None:
        """Draw structures until the tally is done or the budget is spent."""

        def visit(drawn: Any) -> None:
            if self.tally.done(self.options.profile) or self._again(drawn):
                return
            for first in self._offsets(drawn):
                self._count(drawn, first)

        _over(self.claim.over, visit, self.options.profile.examples, self.options.seed)

    def _again(self, drawn: Any) -> bool:
        """Whether this recipe was drawn before: the same lanes are no new evidence."""
        if not isinstance(drawn, Recipe) or not isinstance(drawn, Hashable):
            return False
        again = drawn in self._seen
        self._seen.add(drawn)
        return again

    def _offsets(self, drawn: Any) -> list[int]:
        lanes = self.options.profile.lanes
        fixed = self.claim.input == "real" or not isinstance(drawn, Recipe)  # there is one batch, whatever is asked for
        batches = 1 if fixed else self.options.profile.batches
        return [lanes * batch for batch in range(batches)]

    def _build(self, drawn: Any, first: int = 0) -> Problem:
        problem = build(drawn, self.options.profile.lanes, first)
        asked = isinstance(drawn, Recipe) and self.claim.input == "generated"
        if asked and problem.lanes != self.options.profile.lanes:
            raise BoundcheckError(
                f"{type(drawn).__name__}.build({self.options.profile.lanes}) made {problem.lanes} lanes",
                expected="as many lanes as were asked for, as the first axis of every leaf",
            )
        return problem.to(self.options.device)

    def _count(self, drawn: Any, first: int) -> None:
        problem = self._build(drawn, first)
        judgement = self.evaluator(problem)
        self.tally.add(judgement, problem.identity())
        if judgement.count(Status.VIOLATED_UNCERTIFIED) and self._breaking is None:
            self._breaking = drawn
        self._try_mutants(problem, judgement)
        if self.claim.notes and not self.notes:
            self.notes = self.claim.notes(problem)

    def _try_mutants(self, problem: Problem, judgement: Judgement) -> None:
        for mutant in self.claim.mutants:
            if self.tally.caught[mutant.name] or not judgement.count(Status.HOLDS):
                continue
            changed = self.evaluator(problem, mutant).status == Status.VIOLATED_UNCERTIFIED
            # On the very instances on which the claim holds: a mutant must not be caught by letting other lanes in.
            self.tally.caught[mutant.name] = bool((changed & (judgement.status == Status.HOLDS)).any())

    def look_at_equality(self) -> None:
        """Whether both sides agree on the declared equality case: sharply somewhere, and apart nowhere."""
        if self.claim.equality is None:
            return
        sharp: list[bool] = []
        apart: list[bool] = []

        def visit(drawn: Any) -> None:
            judgement = self.evaluator(self._build(drawn))
            sharp.append(bool(judgement.equal().any()))
            apart.append(bool(judgement.apart().any()))

        _over(self.claim.equality, visit, 4, self.options.seed)
        self.tally.attained = any(sharp) and not any(apart)

    def keep_counterexample(self) -> None:
        """Shrink the structure that broke the claim, pick its worst lane, and store it."""
        if self._breaking is None:
            return
        drawn, problem, judgement = self._shrunk()
        lane = _worst_lane(judgement)
        evidence = Evidence(
            claim=self.claim.key,
            constants={name: str(exact) for name, exact in self.claim.constants.items()},
            problem=problem.lane(lane).to("cpu"),
            judgement=judgement,
            lane=lane,
            drawn=str(drawn) if isinstance(drawn, Recipe) else type(drawn).__name__,
            seed=self.options.seed,
        )
        self.counterexample = str(store_counterexample(self.options.counterexamples, evidence.to_json()))

    def _shrunk(self) -> tuple[Any, Problem, Judgement]:
        best: list[tuple[Any, Problem, Judgement]] = []
        calls = 0

        def breaks(drawn: Any) -> bool:
            nonlocal calls
            calls += 1
            if calls > SHRINK_EVALUATIONS:
                return False
            problem = build(drawn, SHRINK_LANES).to(self.options.device)
            judgement = self.evaluator(problem)
            if judgement.count(Status.VIOLATED_UNCERTIFIED):
                best.append((drawn, problem, judgement))
                return True
            return False

        quiet = settings(
            max_examples=self.options.profile.examples,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        # The budget may end the shrink in an exception of Hypothesis's: the last breaking structure stands.
        with suppress(hypothesis.errors.HypothesisException):
            hypothesis.find(self.claim.over, breaks, settings=quiet, random=Random(self.options.seed))
        if not best:
            problem = self._build(self._breaking)
            for first in self._offsets(self._breaking):
                problem = self._build(self._breaking, first)
                judgement = self.evaluator(problem)
                if judgement.count(Status.VIOLATED_UNCERTIFIED):
                    break
            best.append((self._breaking, problem, judgement))
        return best[-1]

    def entry(self, verdict: Verdict, reason: str, seconds: float) -> Entry:
        """The claim's entry of the record."""
        claim, tally = self.claim, self.tally
        return {
            "id": claim.id,
            "form": claim.form,
            "stance": str(claim.stance),
            "input": claim.input,
            "source": str(claim.source),
            "statement": claim.statement,
            "verdict": str(verdict),
            "reason": reason,
            "tested": tally.tested,
            "held": tally.held,
            "vacuous": tally.counts[Status.VACUOUS],
            "unverified": tally.counts[Status.PREMISE_UNVERIFIED],
            "inconclusive": tally.counts[Status.INCONCLUSIVE],
            "violated": 0,
            "violated_uncertified": tally.counts[Status.VIOLATED_UNCERTIFIED],
            "invalid": tally.counts[Status.INVALID],
            "premises": [
                {"name": name, "accepted": count, "stated": tally.stated[name]}
                for name, count in tally.accepted.items()
            ],
            "tightness": tally.summary(),
            "attained": tally.attained,
            "scatter": [list(point) for point in tally.scatter],
            "constants": tally.constants(),
            "mutants": {
                "caught": [name for name, caught in tally.caught.items() if caught],
                "lived": [name for name, caught in tally.caught.items() if not caught],
            },
            "ablations": [],
            "notes": self.notes,
            "counterexample": self.counterexample,
            "structures": len(tally.structures),
            "seed": self.options.seed,
            "command": self.options.command,
            "device": self.options.device,
            "dtype": "float64",
            "evaluations": self.evaluator.evaluations,
            "seconds": round(seconds, 3),
        }


def _over(strategy: Draws, visit: Callable[[Any], None], examples: int, seed: int) -> None:
    """Let Hypothesis draw `examples` times; no database, no deadline, the user's own settings untouched.

    The first exception of `visit` is raised as it is: Hypothesis would run the example again and call it flaky.
    """
    raised: list[Exception] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(strategy)
    def draw(drawn: Any) -> None:
        if raised:
            return
        try:
            visit(drawn)
        except hypothesis.errors.HypothesisException:
            raise
        except Exception as error:
            raised.append(error)

    draw()
    if raised:
        raise raised[0]


def _worst_lane(judgement: Judgement) -> int:
    broken = judgement.status == Status.VIOLATED_UNCERTIFIED
    gap = (judgement.smaller.mid - judgement.larger.mid).abs() if judgement.identity else judgement.tightness()
    return int(torch.where(broken, torch.nan_to_num(gap, nan=0.0), -torch.inf).argmax())
