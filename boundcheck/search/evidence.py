"""A breaking instance as the record stores it."""

from boundcheck.claim import Claim
from boundcheck.problem import Problem
from boundcheck.proof.finding import Finding
from boundcheck.record import Ball, Counterexample, Kind, Route, Screening, storable, written_by
from boundcheck.rigor import Enclosure
from boundcheck.search.certify import Certificate
from boundcheck.verdict import Judgement, Status

__all__ = ["Kind", "evidence"]


def evidence(
    claim: Claim,
    kind: Kind,
    problem: Problem,
    screened: Judgement,
    certificate: Certificate,
    *,
    drawn: str,
    seed: int,
) -> Counterexample:
    """Everything that is known of one instance that breaks a claim.

    Args:
        claim: with the constants that it was judged with.
        kind: the worst or the simplest that was found.
        problem: a batch of this one instance. screened: what floats said of it.
        certificate: what was proved. drawn, seed: where it came from.

    """
    return Counterexample(
        claim=claim.key,
        constants={name: exact.value for name, exact in claim.constants.items()},
        problem=problem.to("cpu"),
        kind=kind,
        status="VIOLATED" if certificate.status is Status.VIOLATED else "VIOLATED_UNCERTIFIED",
        certificate=tuple(_route(finding, certificate.premises) for finding in certificate.findings) or None,
        screening=Screening(
            left=_ball(screened.smaller),
            right=_ball(screened.larger),
            premises={name: _ball(margin) for name, (margin, _) in screened.premises.items()},
        ),
        identity=screened.identity,
        drawn=drawn,
        seed=seed,
        reason=certificate.reason,
        provenance=written_by(),
    )


def _route(finding: Finding, names: tuple[str, ...]) -> Route:
    return Route(
        name=finding.route,
        bits=finding.bits,
        left=storable(*finding.left),
        right=storable(*finding.right),
        premises={name: storable(*margin) for name, margin in zip(names, finding.premises, strict=True)},
    )


def _ball(enclosure: Enclosure) -> Ball:
    return Ball(float(enclosure.mid[0]), float(enclosure.rad[0]))
