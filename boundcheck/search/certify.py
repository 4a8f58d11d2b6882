"""One instance of a claim, proved: traced alone, lowered to a program, run in a child process by two routes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isnan
from typing import Any

import torch

from boundcheck.claim import Claim
from boundcheck.errors import BoundcheckError, UnknownOperatorError
from boundcheck.exact import Exact
from boundcheck.problem import Problem
from boundcheck.proof.finding import Finding, Interval, Standing
from boundcheck.proof.program import Input, Program
from boundcheck.proof.prover import ProofFailedError, Prover, shared_prover
from boundcheck.rigor import trace
from boundcheck.rigor.lowering import lower
from boundcheck.search.instance import OneInstance, readable_errors
from boundcheck.verdict import Judgement, Status


@dataclass(frozen=True)
class Certificate:
    """What was proved of one instance, and by which routes.

    Attributes:
        status: VIOLATED where both routes proved it.
        findings: what each route that was run found.
        premises: the premises' names, in the order of the findings' margins.
        reason: why an instance that looks violated is not certified ("" where it is, or where it is not violated).

    """

    status: Status
    findings: tuple[Finding, ...]
    premises: tuple[str, ...]
    reason: str = ""

    @property
    def no_constant_helps(self) -> bool:
        """Whether the larger side is proved to be at most 0, and the smaller above 0: no positive factor puts that right.

        One route is enough for the 0, which only exact numbers can show; that the statement is broken takes both as always.
        """
        return self.status is Status.VIOLATED and bool(self.routes_to_zero)

    @property
    def routes_to_zero(self) -> list[str]:
        """The routes that prove the larger side to be at most 0 and the smaller above 0."""
        return [f.route for f in self.findings if f.left[0] > 0 and f.right[1] <= 0]


@dataclass(frozen=True)
class _Proposition:
    """The claim at one structure, as a program."""

    program: Program
    premises: tuple[tuple[str, bool], ...]
    identity: bool

    @property
    def established(self) -> bool:
        return all(established for _, established in self.premises)


@dataclass
class Certifier:
    """Proves instances of one claim; keeps the programs of the structures it has met.

    Attributes:
        claim: with the constants to prove it with.
        prover: the child process.
        proofs: how many were tried. contradictions: how often balls and floats excluded each other, which is a bug of ours.

    """

    claim: Claim
    prover: Prover = field(default_factory=shared_prover)
    proofs: int = 0
    contradictions: int = 0
    _programs: dict[Any, _Proposition | UnknownOperatorError] = field(default_factory=dict)

    def decide(self, problem: Problem, lane: int, screened: Judgement | None = None) -> Status:
        """The status of a lane that floats left open, by the first route alone.

        A violation found so is VIOLATED_UNCERTIFIED: see `certify`. What cannot be proved stays INCONCLUSIVE, and so does what
        contradicts the floats of `screened` (which `contradictions` counts).
        """
        try:
            proposition = self._proposition(problem)
            finding = self._prove(proposition, problem, lane)
        except (UnknownOperatorError, ProofFailedError):
            return Status.INCONCLUSIVE
        if screened is not None and _off_screen(finding, screened, lane):
            self.contradictions += 1
            return Status.INCONCLUSIVE
        return _status(finding, proposition)

    def certify(self, problem: Problem, lane: int, screened: Judgement | None = None) -> Certificate:
        """Both routes on one lane; the second only where the first finds a violation.

        Args:
            problem: the batch. lane: which of its instances.
            screened: what floats said of the batch: a route whose enclosures do not meet theirs proves nothing.

        """
        try:
            proposition = self._proposition(problem)
            first = self._prove(proposition, problem, lane)
        except (UnknownOperatorError, ProofFailedError) as error:
            return Certificate(Status.VIOLATED_UNCERTIFIED, (), (), str(error))
        names = tuple(name for name, _ in proposition.premises)
        status = _status(first, proposition)
        if status is not Status.VIOLATED_UNCERTIFIED:
            return Certificate(status, (first,), names)
        try:
            second = self._prove(proposition, problem, lane, second=True)
        except ProofFailedError as error:
            return Certificate(status, (first,), names, f"no second route: {error}")
        reason = _disagreement(first, second) or (screened and _off_screen(first, screened, lane)) or ""
        if not reason and second.standing is not Standing.VIOLATED:
            reason = f"the second route ({second.route}) leaves it open: {second.standing}"
        return Certificate(status if reason else Status.VIOLATED, (first, second), names, reason)

    def program(self, problem: Problem) -> Program:
        """The claim at this structure as a program. Raises UnknownOperatorError where it cannot be lowered."""
        return self._proposition(problem).program

    def inputs(self, problem: Problem, lane: int) -> list[Input]:
        """The numbers of one instance, and the claim's constants exactly."""
        constants = [_constant(exact) for exact in self.claim.constants.values()]
        return [*_leaves(problem.lane(lane).to("cpu")), *constants]

    def _prove(self, proposition: _Proposition, problem: Problem, lane: int, *, second: bool = False) -> Finding:
        self.proofs += 1
        return self.prover.prove(
            proposition.program,
            self.inputs(problem, lane),
            identity=proposition.identity,
            route="second" if second else "first",
        )

    def _proposition(self, problem: Problem) -> _Proposition:
        key = problem.identity()
        if key not in self._programs:
            self._programs[key] = self._lowered(problem.lane(0).to("cpu"))
        found = self._programs[key]
        if isinstance(found, UnknownOperatorError):
            raise found
        return found

    def _lowered(self, problem: Problem) -> _Proposition | UnknownOperatorError:
        one = OneInstance(self.claim, problem)
        constants = [torch.tensor(float(exact.value), dtype=torch.float64) for exact in self.claim.constants.values()]
        try:
            with readable_errors(self.claim), torch.device("cpu"):
                inputs = [*(leaf[0] for leaf in problem.leaves().values()), *constants]
                traced = trace(one, inputs, functional=True)
            return _Proposition(lower(traced.graph), one.premises, one.identity)
        except UnknownOperatorError as error:
            return error
        except BoundcheckError:
            raise
        except Exception as error:  # a lowering that cannot cope with a shape must not cost the counterexample
            return UnknownOperatorError(f"that cannot be lowered ({type(error).__name__}: {error})")


def _leaves(problem: Problem) -> list[Input]:
    leaves, radii = problem.leaves(), problem.radius_of
    inputs = []
    for name, value in leaves.items():
        radius = None
        if name in radii:
            beside = leaves[radii[name]]
            radius = beside.reshape(-1, *(1 for _ in value.shape[1:])).expand_as(value).flatten().tolist()
        inputs.append(Input(value.flatten().tolist(), radius))
    return inputs


def _constant(exact: Exact) -> Input:
    return Input([exact.value])


_STATUS: Mapping[Standing, Status] = {
    Standing.VACUOUS: Status.VACUOUS,
    Standing.UNVERIFIED: Status.PREMISE_UNVERIFIED,
    Standing.HOLDS: Status.HOLDS,
    Standing.CONSISTENT: Status.CONSISTENT,
    Standing.VIOLATED: Status.VIOLATED_UNCERTIFIED,
    Standing.OPEN: Status.INCONCLUSIVE,
}


def _status(finding: Finding, proposition: _Proposition) -> Status:
    status = _STATUS[finding.standing]
    if status is not Status.VACUOUS and not proposition.established:
        return Status.PREMISE_UNVERIFIED
    return status


def _meet(x: Interval, y: Interval) -> bool:
    return x[0] <= y[1] and y[0] <= x[1]


def _disagreement(first: Finding, second: Finding) -> str:
    """Two enclosures of one number that do not meet: one of the two routes is wrong."""
    pairs = zip((first.left, first.right, *first.premises), (second.left, second.right, *second.premises), strict=True)
    if all(_meet(x, y) for x, y in pairs):
        return ""
    return f"the routes contradict each other ({first.route}, {second.route}): please report this"


def _off_screen(finding: Finding, screened: Judgement, lane: int) -> str:
    enclosures = [screened.smaller, screened.larger, *(margin for margin, _ in screened.premises.values())]
    for proved, enclosure in zip((finding.left, finding.right, *finding.premises), enclosures, strict=True):
        low, high = float(enclosure.lower[lane]), float(enclosure.upper[lane])
        if not _meet(
            proved, (-inf if isnan(low) else low, inf if isnan(high) else high)
        ):  # NaN: overflowed, says nothing
            return f"{finding.route} contradict the floats' error bounds: please report this"
    return ""
