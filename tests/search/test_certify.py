"""Certification: two proofs or no counterexample; whatever goes wrong on the way is said, and never a wrong word."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.claim import Claim, Identity, Sides, Source, Stance, premise, scaled, theorem
from boundcheck.exact import constant
from boundcheck.problem import Problem
from boundcheck.proof.finding import Finding, Standing
from boundcheck.proof.prover import ProofFailedError, Prover
from boundcheck.search.certify import Certifier
from boundcheck.search.evaluate import Evaluator
from boundcheck.search.judge import Judge
from boundcheck.verdict import Status


@dataclass(frozen=True)
class Numbers(Problem):
    x: Tensor


@dataclass(frozen=True)
class Uncertain(Problem):
    """x is only known within r."""

    x: Tensor
    r: Tensor
    radius_of: ClassVar[dict[str, str]] = {"x": "r"}


def numbers(*rows: list[float]) -> Numbers:
    return Numbers(torch.tensor(rows, dtype=torch.float64))


def claim_of(check: Callable[..., Any], **options: Any) -> Claim:
    settings = {
        "source": Source("tests", "none"),
        "stance": Stance.PROVED,
        "over": st.none(),
        "mutants": {"half": scaled("1/2")},
    }
    return theorem(f"C-{check.__name__}:{abs(hash(check))}", **(settings | options))(check)  # type: ignore[arg-type]


def sum_le_norm(p: Numbers) -> Sides:
    return Sides(p.x.sum(), torch.linalg.vector_norm(p.x))


def squares(p: Numbers) -> Sides:
    return Sides(p.x.square().sum(), p.x[0] * p.x[1])


def test_a_violation_is_proved_by_two_routes() -> None:
    problem = numbers([1.0, 2.0], [1.0, -3.0])
    certifier = Certifier(claim_of(sum_le_norm))
    screened = Evaluator(certifier.claim)(problem)
    certificate = certifier.certify(problem, 0, screened)
    assert certificate.status is Status.VIOLATED
    assert [finding.route for finding in certificate.findings] == [
        "Arb balls at 128 bits",
        "intervals of 333 bits on mpmath",
    ]
    assert not certificate.reason
    assert certifier.certify(problem, 1, screened).status is Status.HOLDS


def test_an_algebraic_violation_is_proved_in_rationals() -> None:
    certificate = Certifier(claim_of(squares)).certify(numbers([0.1, 0.2]), 0)
    assert certificate.status is Status.VIOLATED
    exact = certificate.findings[1]
    assert exact.route == "exact rational numbers"
    total = Fraction(0.1) ** 2 + Fraction(0.2) ** 2
    assert exact.left[0] <= total <= exact.left[1]


def test_what_floats_cannot_tell_balls_can() -> None:
    """(1 + t)² against 1 + 2t with t = 2^-60: floats see 1 and 1."""

    def bernoulli(p: Numbers) -> Sides:
        return Sides((1 + p.x[0]).square(), 1 + 2 * p.x[0])

    problem = numbers([2.0**-60], [2.0**-61])
    claim = claim_of(bernoulli)
    assert Evaluator(claim)(problem).count(Status.INCONCLUSIVE) == 2
    assert Judge(claim, 10)(problem).count(Status.VIOLATED_UNCERTIFIED) == 2
    assert Certifier(claim).certify(problem, 0).status is Status.VIOLATED
    assert Judge(claim, 1)(problem).count(Status.INCONCLUSIVE) == 1, "the budget is kept"


def test_an_equality_is_consistent_or_exact_never_merely_close() -> None:
    def binomial(p: Numbers) -> Identity:
        return Identity(p.x.sum().square(), p.x.square().sum() + 2 * p.x[0] * p.x[1])

    def doubled_angle(p: Numbers) -> Identity:
        return Identity(2 * p.x[0].sin() * p.x[0].cos(), (2 * p.x[0]).sin())

    def nearly(p: Numbers) -> Identity:
        return Identity(p.x[0], p.x[0] * (1 + 2.0**-40) * (1 - 2.0**-40))  # off by 2^-80: not even a last bit

    problem = numbers([0.1, 0.7])
    assert (
        Judge(claim_of(doubled_angle, mutants={"off": scaled("1001/1000")}), 10)(problem).count(Status.CONSISTENT) == 1
    )
    # (0.1 + 0.7)² fits into 128 bits, so that both sides are exact.
    assert Judge(claim_of(binomial, mutants={"off": scaled("1001/1000")}), 10)(problem).count(Status.HOLDS) == 1
    assert (
        Judge(claim_of(nearly, mutants={"off": scaled("1001/1000")}), 10)(problem).count(Status.VIOLATED_UNCERTIFIED)
        == 1
    )


def test_premises_come_first_and_estimates_never_establish_one() -> None:
    def guarded(p: Numbers) -> Sides:
        premise("ordered", p.x[1] - p.x[0])
        return sum_le_norm(p)

    def estimated(p: Numbers) -> Sides:
        premise("guessed", p.x[1] - p.x[0], established=False)
        return sum_le_norm(p)

    def open_premise(p: Numbers) -> Sides:
        premise("at the edge", (p.x[0].exp() - p.x[0].sinh() - p.x[0].cosh()))
        return sum_le_norm(p)

    problem = numbers([1.0, 2.0], [2.0, 1.0])
    certifier = Certifier(claim_of(guarded))
    assert certifier.certify(problem, 0).status is Status.VIOLATED
    assert certifier.certify(problem, 1).status is Status.VACUOUS
    certifier = Certifier(claim_of(estimated))
    assert certifier.certify(problem, 0).status is Status.PREMISE_UNVERIFIED
    assert certifier.certify(problem, 1).status is Status.VACUOUS
    assert Certifier(claim_of(open_premise)).certify(problem, 0).status is Status.PREMISE_UNVERIFIED


def test_an_operator_outside_the_vocabulary_is_named_and_nothing_is_certified() -> None:
    def gamma(p: Numbers) -> Sides:
        return Sides(torch.lgamma(p.x[0]), torch.zeros_like(p.x[0]))

    claim = claim_of(gamma)
    problem = numbers([5.0], [1.5])
    judgement = Evaluator(claim)(problem)
    assert judgement.status.tolist() == [Status.VIOLATED_UNCERTIFIED, Status.INCONCLUSIVE]
    certificate = Certifier(claim).certify(problem, 0, judgement)
    assert certificate.status is Status.VIOLATED_UNCERTIFIED
    assert "aten.lgamma" in certificate.reason
    assert Certifier(claim).decide(problem, 1) is Status.INCONCLUSIVE


def test_a_leaf_with_a_radius() -> None:
    claim = claim_of(sum_le_norm)

    def uncertain(radius: float) -> Uncertain:
        return Uncertain(torch.tensor([[1.0, 2.0]]).double(), torch.tensor([radius]).double())

    assert Certifier(claim).certify(uncertain(0.1), 0).status is Status.VIOLATED
    assert Certifier(claim).certify(uncertain(3.0), 0).status is Status.INCONCLUSIVE
    assert Certifier(claim).certify(uncertain(inf), 0).status is Status.INCONCLUSIVE


def test_constants_are_exact() -> None:
    """3·(1/3) is 1, and no double of a third would make it so."""

    def thirds(p: Numbers, c: Tensor = constant("1/3")) -> Identity:
        return Identity(3 * c * p.x[0], p.x[0])

    certificate = Certifier(claim_of(thirds, mutants={"off": {"c": "1/2"}})).certify(numbers([0.7]), 0)
    assert certificate.status is Status.CONSISTENT


class _Saying(Prover):
    """A prover whose second route says what it is told to."""

    def __init__(self, change: Callable[[Finding], Finding]) -> None:
        super().__init__()
        self.change = change

    def prove(self, *args: Any, **options: Any) -> Finding:
        finding = super().prove(*args, **options)
        return self.change(finding) if options.get("route") == "second" else finding


def _fails(finding: Finding) -> Finding:
    raise ProofFailedError("the proving process ended with exit status -11")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: replace(f, left=(f.left[0] + 1, f.left[1] + 1)), "contradict each other"),
        (lambda f: replace(f, standing=Standing.OPEN), "leaves it open"),
        (_fails, "exit status -11"),
    ],
)
def test_without_an_agreeing_second_route_there_is_no_counterexample(change: Any, words: str) -> None:
    prover = _Saying(change)
    try:
        certificate = Certifier(claim_of(sum_le_norm), prover).certify(numbers([1.0, 2.0]), 0)
    finally:
        prover.close()
    assert certificate.status is Status.VIOLATED_UNCERTIFIED
    assert words in certificate.reason


def test_a_proof_that_contradicts_the_floats_is_no_proof() -> None:
    problem = numbers([1.0, 2.0])
    certifier = Certifier(claim_of(sum_le_norm))
    screened = Evaluator(certifier.claim)(problem)
    lying = replace(screened, smaller=replace(screened.smaller, mid=screened.smaller.mid + 1))
    certificate = certifier.certify(problem, 0, lying)
    assert certificate.status is Status.VIOLATED_UNCERTIFIED
    assert "contradict the floats" in certificate.reason


def test_derivatives_of_a_users_own_function() -> None:
    """A Hessian-vector product and a Jacobian, in a claim written without a thought of any of this."""

    def curvature(p: Numbers) -> Sides:
        def loss(t: Tensor) -> Tensor:
            return torch.nn.functional.gelu(t).square().sum() + torch.softmax(t, 0)[0] + torch.logsumexp(t, 0)

        gradient = torch.func.grad(loss)
        turned = torch.func.jvp(gradient, (p.x,), (p.x,))[1]
        return Sides(turned @ p.x, 0.5 * torch.func.jacrev(gradient)(p.x).abs().sum())

    problem = numbers([0.3, -1.1, 2.0])
    claim = claim_of(curvature)
    screened = Evaluator(claim)(problem)
    assert bool(screened.smaller.rad.isfinite().all())
    certificate = Certifier(claim).certify(problem, 0, screened)
    assert certificate.findings, certificate.reason
    left = certificate.findings[0].left
    assert left[1] - left[0] < Fraction(1, 2**80)
    assert float(screened.smaller.lower[0]) <= left[1]
    assert left[0] <= float(screened.smaller.upper[0])
