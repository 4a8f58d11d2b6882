"""A campaign: Hypothesis draws structures, every lane of each is judged, mutants are tried, a failure is shrunk."""

import time
import traceback
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import torch
from hypothesis import HealthCheck, Phase, settings

from boundcheck.claim import Claim, Draws, build
from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem, Recipe
from boundcheck.profiles import Profile
from boundcheck.record import Entry
from boundcheck.search.counterexamples import Finder
from boundcheck.search.evidence import Kind
from boundcheck.search.judge import Judge
from boundcheck.search.tally import Tally
from boundcheck.verdict import Judgement, Status, Verdict


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
    with one_thread_on(options.device):
        try:
            campaign.explore()
            campaign.look_at_equality()
            failure = ""
        except (
            Exception
        ) as error:  # a claim is somebody's code: whatever it raises is a verdict, not a crash of the run
            failure = _told(error, claim)
        ended = ""
        try:
            campaign.keep_counterexamples()
        except Exception as error:  # what was found and stored stands
            ended = f"; the search for a simpler counterexample ended: {_told(error, claim)}"
    verdict, reason = (Verdict.ERROR, failure) if failure else campaign.verdict()
    reason += ended
    if campaign.finder.unstored:
        reason = f"{reason}; the counterexample could not be stored: {campaign.finder.unstored}"
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
def one_thread_on(device: str) -> Iterator[None]:
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
        self.judge = Judge(claim, 0 if claim.input == "real" else options.profile.proofs)  # real rows only inform
        self.finder = Finder(claim, options.counterexamples, options.seed, options.device)
        self.notes = f"Not decided by instances: {claim.undecidable}" if claim.undecidable else ""
        self._seen: set[Any] = set()
        self._noted = False

    def explore(self) -> None:
        """Draw structures until the tally is done or the budget is spent."""

        def visit(drawn: Any) -> None:
            if self.tally.done(self.options.profile) or self._again(drawn):
                return
            self.tally.drawn += 1
            for first in self._offsets(drawn):
                self._count(drawn, first)

        over(self.claim.over, visit, self.options.profile.examples, self.options.seed)

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
        judgement = self.judge(problem, most=self._proofs_a_batch())
        self.tally.add(judgement, problem.identity(), can_be_equal=self.judge.can_be_equal(problem))
        self.finder.look(drawn, problem, judgement)
        self._try_mutants(problem, judgement)
        if self.claim.notes and not self._noted:
            self._noted = True
            self.notes = " ".join(filter(None, [self.claim.notes(problem), self.notes]))

    def _proofs_a_batch(self) -> int:
        """A share of what is left of the budget, so that one structure does not take it all."""
        return max(16, self.judge.proofs // 4)

    def _try_mutants(self, problem: Problem, judgement: Judgement) -> None:
        for mutant in self.claim.mutants:
            if self.tally.caught[mutant.name] or not bool(judgement.held().any()):
                continue
            # On the very instances on which the claim holds: a mutant must not be caught by letting other lanes in.
            self.tally.caught[mutant.name] = self.judge.catches(problem, mutant, judgement.held())

    def look_at_equality(self) -> None:
        """Whether both sides agree on the declared equality case: sharply somewhere, and apart nowhere."""
        if self.claim.equality is None:
            return
        sharp: list[bool] = []
        apart: list[bool] = []

        def visit(drawn: Any) -> None:
            judgement = self.judge(self._build(drawn), most=0)
            sharp.append(bool(judgement.equal().any()))
            apart.append(bool(judgement.apart().any()))

        over(self.claim.equality, visit, 4, self.options.seed)
        self.tally.attained = any(sharp) and not any(apart)

    def keep_counterexamples(self) -> None:
        """Prove what breaks the claim, make it readable, and store the worst and the simplest instance."""
        self.finder.finish()

    def verdict(self) -> tuple[Verdict, str]:
        """The claim's verdict and the reason for it."""
        self.tally.certified = self.finder.certified
        self.tally.no_constant_helps = self.finder.no_constant_helps
        self.tally.uncertified_because = self.finder.reason
        verdict, reason = self.tally.verdict(self.options.profile)
        unknown = sorted(self.judge.evaluator.unknown)
        if unknown:
            reason += f"; no rounding rule for {', '.join(unknown)}"
        if contradictions := self.judge.certifier.contradictions:
            reason += f"; on {contradictions} instances balls and floats exclude each other: please report this"
        return verdict, reason

    def _stored(self, kind: Kind) -> str | None:
        return str(self.finder.stored[kind]) if kind in self.finder.stored else None

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
            "at_equality": tally.at_equality,
            "violated": tally.certified,
            "violated_uncertified": tally.broken - tally.certified,
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
            "counterexample": self._stored("simplest") or self._stored("worst"),
            "worst_counterexample": self._stored("worst"),
            "structures": len(tally.structures),
            "seed": self.options.seed,
            "command": self.options.command,
            "device": self.options.device,
            "dtype": "float64",
            "evaluations": self.judge.evaluator.evaluations,
            "proofs": self.judge.certifier.proofs,
            "seconds": round(seconds, 3),
        }


def over(strategy: Draws, visit: Callable[[Any], None], examples: int, seed: int) -> None:
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
