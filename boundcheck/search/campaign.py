"""A campaign: Hypothesis draws structures, every lane of each is judged, mutants are tried, a failure is shrunk."""

import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boundcheck.claim import Claim, build
from boundcheck.errors import BoundcheckError
from boundcheck.precision import require_full_precision
from boundcheck.problem import Problem, Recipe
from boundcheck.profiles import NO_CLIMBS, Climbs, Profile
from boundcheck.record import Entry, store_extreme
from boundcheck.search.ablation import ablations
from boundcheck.search.counterexamples import Finder
from boundcheck.search.drawing import one_thread_on, over
from boundcheck.search.evidence import Kind
from boundcheck.search.hunting import Extreme, Hunt, Proposals, hunt
from boundcheck.search.judge import Judge
from boundcheck.search.ladder import Ladder
from boundcheck.search.tally import Tally
from boundcheck.verdict import BREAKING, Judgement, Status, Verdict

ONLY_HUNTED = (
    "No random instance breaks it; a climb found one that does. If it lies outside of what the strategy would draw, say "
    "what is meant as a premise, or in the problem's `admissible`."
)

REPEATED = 3
"""So many times the profile's examples are drawn at most, until there are that many different ones."""


@dataclass(frozen=True)
class Options:
    """What a campaign runs with.

    Attributes:
        profile: the budget.
        device: where tensors live ("cpu", "cuda", "cuda:1").
        seed: of the draws. The same seed gives the same result with the same versions on the same kind of machine; what breaks
            a claim is stored as numbers, not as a seed.
        counterexamples: folder for what breaks a claim; the tightest instances go into the folder `extremes` beside it.
        command: the command line, for the record.
        proposals: numbers that climbs propose in, float64 or float32.
        ablate: the hunt for each premise taken away in turn (0 structures: none is).

    """

    profile: Profile
    device: str = "cpu"
    seed: int = 0
    counterexamples: Path = Path(".boundcheck/counterexamples")
    command: str = ""
    ablate: Climbs = NO_CLIMBS
    proposals: Proposals = "float64"

    @property
    def extremes(self) -> Path:
        """Where the tightest instances go."""
        return self.counterexamples.with_name("extremes")


def run_campaign(claim: Claim, options: Options) -> Entry:
    """Check one claim and return its entry of the record. Whatever the claim raises ends in the verdict ERROR."""
    started = time.perf_counter()
    campaign = _Campaign(claim, options)
    with one_thread_on(options.device):
        try:
            campaign.explore()
            campaign.look_at_equality()
            campaign.hunt()
            campaign.ablate()
            require_full_precision(options.device)
            failure = ""
        except (
            Exception
        ) as error:  # a claim is somebody's code: whatever it raises is a verdict, not a crash of the run
            failure = _told(error, claim)
        ended = ""
        try:
            campaign.keep_counterexamples()
            require_full_precision(options.device)
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


class _Campaign:
    def __init__(self, claim: Claim, options: Options) -> None:
        self.claim = claim
        self.options = options
        self.tally = Tally(claim)
        self.judge = Judge(claim, 0 if claim.input == "real" else options.profile.proofs)  # real rows only inform
        self.finder = Finder(claim, options.counterexamples, options.seed, options.device)
        self.ladder = Ladder(claim, options.counterexamples, options.seed, options.device)
        self.notes = f"Not decided by instances: {claim.undecidable}" if claim.undecidable else ""
        self.extreme: Extreme | None = None
        self.extreme_file: Path | None = None
        self.ablations: list[dict[str, Any]] = []
        self._seen: set[Any] = set()
        self._tightest: list[tuple[float, Any]] = []
        self._noted = False
        self._sampled = False

    def explore(self) -> None:
        """Draw structures until the tally is done or the budget is spent."""

        def visit(drawn: Any) -> None:
            if self.tally.drawn >= most or self._seen_enough() or self._again(drawn):
                return
            self.tally.drawn += 1
            for first in self._offsets(drawn):
                self._count(drawn, first)

        most = self.options.profile.examples
        over(self.claim.over, visit, REPEATED * most, self.options.seed)

    def _seen_enough(self) -> bool:
        return self.tally.done(self.options.profile) and self.ladder.climbed

    def _again(self, drawn: Any) -> bool:
        """Whether this recipe was drawn before: the same lanes are no new evidence."""
        if not isinstance(drawn, Recipe):
            return False
        try:
            again = drawn in self._seen
            self._seen.add(drawn)
        except TypeError:  # a frozen dataclass with a list in it has a hash by its type, but none by its value
            return False
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
        self.ladder.look(drawn, problem, self.judge)
        self._sampled |= bool(problem.sampled)
        self._note_tightness(drawn, judgement)
        self._try_mutants(problem, judgement)
        require_full_precision(self.options.device)
        if self.claim.notes and not self._noted:
            self._noted = True
            self.notes = " ".join(filter(None, [self.claim.notes(problem), self.notes]))

    def _note_tightness(self, drawn: Any, judgement: Judgement) -> None:
        """Where a hunt begins: at the structures whose instances came closest."""
        ratios = judgement.tightness()[judgement.held()]
        if not judgement.identity and len(ratios):
            self._tightest.append((float(ratios.nan_to_num(nan=0.0).max()), drawn))

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

    def hunt(self) -> None:
        """Climb towards the worst case. What is found is judged and counted like any other instance."""
        climbs = self.options.profile.climbs
        wanted = self._movable and climbs.structures > 0 and not self.tally.broken
        if not wanted or self.judge.evaluator.unknown or not (self._tightest or self.claim.refuted_by):
            return
        budget = self._budget(climbs)
        first = [drawn for _, drawn in sorted(self._tightest, key=lambda pair: -pair[0]) if isinstance(drawn, Recipe)]
        folder = self.options.counterexamples
        try:
            self.extreme = hunt(self.claim, budget, counterexamples=folder, first=first, judge=self.judge)
        except Exception as error:  # a claim is somebody's code; what its random instances showed stands
            self.notes = f"{self.notes} The hunt ended early: {_told(error, self.claim)}.".strip()
        if self.extreme is None:
            return
        self.extreme_file = store_extreme(self.options.extremes, self.claim.key, self.extreme.to_json())
        if self.extreme.status in BREAKING:
            self.notes = f"{self.notes} {ONLY_HUNTED}".strip()
            problem = self.extreme.problem.to(self.options.device)
            judgement = self.judge(problem)
            self.tally.add(judgement, problem.identity())
            self.finder.look(f"{self.extreme.drawn}, hunted", problem, judgement)

    def ablate(self) -> None:
        """Take away each premise in turn, if that is asked for, and hunt what is left."""
        wanted = self._movable and self.claim.refuted_by is None and self.tally.held > 0
        if not (wanted and self.options.ablate.structures):
            return
        budget, folder = self._budget(self.options.ablate), self.options.counterexamples
        try:
            for found in ablations(self.claim, budget, counterexamples=folder):
                self.ablations.append(found.to_json())
        except Exception as error:  # what was found stands
            self.notes = f"{self.notes} Taking premises away ended early: {_told(error, self.claim)}.".strip()

    @property
    def _movable(self) -> bool:
        """Whether the instances' numbers may be chosen."""
        return self.claim.input == "generated" and not self._sampled

    def _budget(self, climbs: Climbs) -> Hunt:
        o = self.options
        return Hunt(climbs.structures, climbs.lanes, climbs.steps, o.seed, o.device, proposals=o.proposals)

    def keep_counterexamples(self) -> None:
        """Prove what breaks the claim, make it readable, and store the worst and the simplest instance."""
        self.finder.finish()

    def verdict(self) -> tuple[Verdict, str]:
        """The claim's verdict and the reason for it."""
        self.tally.certified = self.finder.certified
        self.tally.no_constant_helps = self.finder.no_constant_helps
        self.tally.uncertified_because = self.finder.reason
        self.tally.standing = self.ladder.standing()
        verdict, reason = self.tally.verdict(self.options.profile)
        unknown = sorted(self.judge.evaluator.unknown)
        if unknown:
            reason += f"; no rounding rule for {', '.join(unknown)}"
        if contradictions := self.judge.certifier.contradictions:
            reason += f"; on {contradictions} instances balls and floats exclude each other: please report this"
        return verdict, reason

    def _hunted(self) -> dict[str, Any] | None:
        """What the hunt found, without its numbers: they are in a file of their own."""
        if self.extreme is None:
            return None
        kept = ("status", "ratio", "random", "attained", "evaluations", "truncated", "label")
        data = self.extreme.to_json()
        return {name: data[name] for name in kept} | {"instance": str(self.extreme_file)}

    def _shown(self) -> dict[str, Any] | None:
        """The counterexample that the entry names, in numbers that people read."""
        return self.finder.shown.get("simplest") or self.finder.shown.get("worst")

    def _place(self) -> str:
        """Where the claim is written: from where the run was started, or the last two names of the path."""
        file, line = self.claim.registered_at
        below = file.is_relative_to(Path.cwd())
        return f"{(file.relative_to(Path.cwd()) if below else Path(*file.parts[-2:])).as_posix()}:{line}"

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
            "file": self._place(),
            "kind": tally.kind,
            "refuted_by": claim.refuted_by,
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
            "hunted": self._hunted(),
            "constants": tally.constants(self.extreme),
            "mutants": {
                "caught": [name for name, caught in tally.caught.items() if caught],
                "lived": [name for name, caught in tally.caught.items() if not caught],
            },
            "ablations": self.ablations,
            "ladder": self.ladder.to_json(self.finder),
            "notes": self.notes,
            "counterexample": self._stored("simplest") or self._stored("worst"),
            "worst_counterexample": self._stored("worst"),
            "shown": self._shown(),
            "structures": len(tally.structures),
            "seed": self.options.seed,
            "command": self.options.command,
            "device": self.options.device,
            "dtype": "float64",
            "evaluations": self.judge.evaluator.evaluations,
            "proofs": self.judge.certifier.proofs,
            "seconds": round(seconds, 3),
        }
