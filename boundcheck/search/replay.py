"""A stored counterexample proved again, from its numbers alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from boundcheck.ablations import registered_ablations
from boundcheck.claim import WITHOUT, Claim, in_words
from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem
from boundcheck.record import Counterexample
from boundcheck.search.certify import Certificate, Certifier
from boundcheck.search.drawing import one_thread_on
from boundcheck.search.evaluate import Evaluator
from boundcheck.search.instance import stated_premises
from boundcheck.verdict import Status


@dataclass(frozen=True)
class Replay:
    """What came of proving a counterexample again.

    Attributes:
        claim: as it is registered now, with the constants of the file; without a premise, if the file says so.
        problem: the instance, what is derived in it computed anew.
        certificate: of this proof.
        changed: constants that the claim has other values for by now, as "name: then, now".
        rung: for a claim with a ladder, which rung of it the file's constants are ("" for another claim, or other constants).

    """

    claim: Claim
    problem: Problem
    certificate: Certificate
    changed: tuple[str, ...]
    rung: str = ""

    @property
    def proved(self) -> bool:
        """Whether two routes prove the violation again."""
        return self.certificate.status is Status.VIOLATED


def replay(stored: Counterexample, claims: Mapping[str, Claim]) -> Replay:
    """Prove a stored counterexample again. Nothing that the file says was proved is used.

    Args:
        stored: as read. claims: the registered claims, by key.

    Raises:
        BoundcheckError: where the claim is not among them, has other constants by name, or does not speak of such an instance.

    """
    claim = claims.get(stored.claim) or _ablated(stored, claims)
    if claim is None:
        raise BoundcheckError(
            f"the claim {stored.claim!r} is not known",
            expected=f"one of the {len(claims)} claims that are imported",
            remedy="name the file or folder that defines it with --claims PATH",
        )
    if set(stored.constants) != set(claim.constants):
        raise BoundcheckError(
            f"{stored.claim} was broken with the constants {sorted(stored.constants)}",
            expected=f"those that the claim has now: {sorted(claim.constants)}",
            remedy="the claim was changed since; run it again",
        )
    then = claim.with_constants(stored.constants)
    with one_thread_on("cpu"):
        problem = stored.problem.settled()
        _require_admissible(stored, problem)
        certificate = Certifier(then).certify(problem, 0, Evaluator(then)(problem))
    changed = [
        f"{name}: {stored.constants[name]} then, {exact.value} now"
        for name, exact in claim.constants.items()
        if exact.value != stored.constants[name]
    ]
    rung = _rung(claim, stored)
    return Replay(then, problem, certificate, () if rung else tuple(changed), rung)


def _rung(claim: Claim, stored: Counterexample) -> str:
    own = {name: exact.value for name, exact in claim.constants.items()}
    for number, values in enumerate(claim.ladder, start=1):
        if stored.constants == {**own, **values}:
            return f"rung {number} of {len(claim.ladder)}: {in_words(values)}"
    return ""


def _require_admissible(stored: Counterexample, problem: Problem) -> None:
    """What breaks a statement has to be something that the statement speaks of (whole numbers of samples, say)."""
    if not bool(problem.admissible().all()):
        raise BoundcheckError(
            f"the stored instance of {stored.claim} is none that it speaks of",
            expected=f"numbers that {type(problem).__name__}.admissible allows",
            remedy="the file was written by hand, or the problem was changed since",
        )


def _ablated(stored: Counterexample, claims: Mapping[str, Claim]) -> Claim | None:
    """What a key with WITHOUT in it stands for: a registered ablation, or the claim without one of the premises it states."""
    claim = claims.get(stored.claim.partition(WITHOUT)[0])
    if claim is None:
        return None
    registered = registered_ablations(claim.key).get(stored.claim)
    if registered is not None:
        return registered.variant
    variants = (claim.without(name) for name in stated_premises(claim, stored.problem))
    found = [variant for variant in variants if variant.key == stored.claim]
    return found[0] if len(found) == 1 else None
