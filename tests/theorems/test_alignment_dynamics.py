"""The claims about flows and steps: each traces, and its sides agree with numpy written from the paper."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import expm

import boundcheck.theorems.alignment_collapse  # noqa: F401 - registers the claims
from boundcheck.claim import Claim, Identity, Sides, registered_claims
from boundcheck.dynamics import Instability, RelaxedInstability, SkillStep
from boundcheck.geometry import BernoulliPolicy, GaussianPolicy, HadamardPolicy
from boundcheck.problem import Problem
from boundcheck.profiles import profile
from boundcheck.proof.finding import Standing
from boundcheck.search import Evaluator, Options, run_campaign
from boundcheck.search.certify import Certifier
from boundcheck.search.judge import Judge
from boundcheck.strategies.instability import InstabilityRecipe, RelaxedRecipe, SkillRecipe
from boundcheck.verdict import Status

Array = np.ndarray
FILES = {"quartic_corollary.py", "subspace_rotation.py", "theorem_6_1.py", "theorem_6_2.py"}
CLAIMS = {
    key: claim
    for key, claim in registered_claims().items()
    if claim.defined_in.parent.name == "alignment_collapse" and claim.defined_in.name in FILES
}


def instance(problem: Problem, lane: int) -> Problem:
    return problem.with_leaves({name: leaf[lane] for name, leaf in problem.leaves().items()})


def problem_of(claim: Claim, seed: int) -> Problem:
    """A batch of the sort that the claim is about."""
    policy = GaussianPolicy(2)
    if "Relaxed" in str(claim.check.__annotations__["p"]):
        return RelaxedRecipe(policy=policy, sensitive=2, parameters=3, seed=seed, overlap="none").build(16)
    if "Step" in str(claim.check.__annotations__["p"]):
        return SkillRecipe(policy=policy, sensitive=2, parameters=4, seed=seed).build(16)
    return InstabilityRecipe(policy=policy, sensitive=2, parameters=4, seed=seed).build(16)


class Numbers:
    """One instance in numpy, from its leaves alone."""

    def __init__(self, p: SkillStep | Instability) -> None:
        leaf = {name: value.numpy() for name, value in p.leaves().items()}
        n, q, d = leaf["turn"].shape[0], len(leaf["roots"]), p.sensitive
        skew = (leaf["turn"] - leaf["turn"].T) / 2
        V = (np.eye(n) - skew) @ np.linalg.inv(np.eye(n) + skew)
        self.mu, self.d, self.q = leaf["roots"], d, q
        self.J = self.mu[:, None] * V[:, :q].T
        self.top = V[:, :d]
        self.B = (leaf["bend"] + leaf["bend"].transpose(0, 2, 1)) / 2
        self.F = self.J.T @ self.J
        values, vectors = np.linalg.eigh(self.F)
        self.root = vectors @ np.diag(np.sqrt(values.clip(0))) @ vectors.T
        self.P = vectors[:, -d:] @ vectors[:, -d:].T
        self.lam1, self.lamd = values[-1], values[-d]
        self.gap = values[-d] - (values[-d - 1] if d < n else 0)
        if isinstance(p, SkillStep):
            self.D = leaf["step"]
        if isinstance(p, Instability):
            self._moved(leaf, V)
        self.beta = np.sqrt((self.B**2).sum())

    def _moved(self, leaf: dict[str, Array], V: Array) -> None:
        def unit(x: Array) -> Array:
            return np.append(2 * x, x @ x - 1) / (x @ x + 1)

        d, n = self.d, len(V)
        self.eps, self.gamma, self.t, kappa = (float(leaf[k]) for k in ("overlap", "coupling", "time", "cancelled"))
        self.v = V @ np.concatenate([self.eps * unit(leaf["heading"]), leaf["drift"]])
        self.a = V @ np.concatenate([self.gamma * unit(leaf["steering"]) / self.mu[:d], leaf["aside"]])
        rho = self.v @ self.v
        Q = np.eye(n) - np.outer(self.v, self.v) / rho
        S = (leaf["hessian"] + leaf["hessian"].T) / 2
        cross = np.outer(self.a, self.v)
        self.A = (cross + cross.T) / rho - (self.v @ self.a) * np.outer(self.v, self.v) / rho**2 + Q @ S @ Q
        Ja = self.J @ self.a
        self.B = np.stack(
            [-kappa * Ja[k] * np.outer(self.v, self.v) / rho**2 + Q @ self.B[k] @ Q for k in range(self.q)]
        )
        block = np.zeros((n + 1, n + 1))
        block[:n, :n], block[:n, n] = -self.A * self.t, -self.v * self.t
        self.D = expm(block)[:n, n]
        self.accel = Ja + np.array([self.v @ B @ self.v for B in self.B])
        beta = np.sqrt((self.B**2).sum())
        grow = np.exp(np.linalg.norm(self.A) * self.t)
        jerk = np.linalg.norm(self.A @ self.a) * grow
        self.jerk, self.G = jerk, np.linalg.norm(self.v) * grow
        self.N3 = (np.sqrt(self.lam1) + beta * self.t * self.G) * jerk + 3 * beta * np.linalg.norm(
            self.a
        ) * grow * self.G

    def f(self, D: Array) -> Array:
        return self.J @ D + 0.5 * np.array([D @ B @ D for B in self.B])

    def drop(self, D: Array) -> float:
        return float(0.5 * self.f(D) @ self.f(D))

    def moved(self, D: Array) -> float:
        return float(np.linalg.norm(self.root @ self.P @ D))

    def order4(self) -> float:
        """The coefficient of t⁴ of ½‖f(D(t))‖², by a polynomial fit of exact truncated series."""
        D = [np.zeros_like(self.v), -self.v, self.a / 2, -self.A @ self.a / 6, self.A @ self.A @ self.a / 24]
        f = [np.zeros(self.q) for _ in range(5)]
        for i in range(1, 5):
            f[i] = f[i] + self.J @ D[i]
            for j in range(1, 5 - i):
                f[i + j] = f[i + j] + 0.5 * np.array([D[i] @ B @ D[j] for B in self.B])
        return float(0.5 * sum(f[i] @ f[4 - i] for i in range(5)))


def cubic(x: Numbers) -> float:
    return float(0.5 * x.beta * np.sqrt(x.lam1) * np.linalg.norm(x.D) ** 3)


def rotated(x: Numbers, D: Array) -> Array:
    J = x.J + np.array([B @ D for B in x.B])
    return np.asarray(np.linalg.pinv(J) @ J)


def rest(x: Numbers) -> float:
    return float(x.jerk * x.t**3 / 6)


def rho(x: Numbers, lipschitz: float, speed: float) -> float:
    return float(2 * np.sqrt(x.lam1) * lipschitz * speed**2 / x.gap)


def turning(x: Numbers) -> float:
    """The spectral norm of dF/dt at time 0, by a central difference of F(θ* - t·v)."""
    step = 1e-4

    def fisher(t: float) -> Array:
        J = x.J - t * np.array([B @ x.v for B in x.B])
        return np.asarray(J.T @ J)

    return float(np.linalg.norm((fisher(step) - fisher(-step)) / (2 * step), 2))


def slack(x: Numbers) -> float:
    return float(np.linalg.norm(x.J @ x.v) * x.t + x.N3 * x.t**3 / 6)


TINY = 2.0**-64
SIDES: dict[str, Callable[[Numbers], tuple[Any, Any]]] = {
    "AC-6.1:proved": lambda x: (0.5 * x.moved(x.D) ** 2 - cubic(x), x.drop(x.D)),
    "AC-6.1:global": lambda x: (
        0.5 * max(x.moved(x.D) - 0.5 * x.beta * np.linalg.norm(x.D) ** 2, 0.0) ** 2,
        x.drop(x.D),
    ),
    "AC-1.1:proved": lambda x: (0.5 * x.lamd * np.linalg.norm(x.P @ x.D) ** 2 - cubic(x), x.drop(x.D)),
    "AC-6.1omega:printed": lambda x: (x.lamd * np.linalg.norm(x.P @ x.D) ** 2 / 4, x.drop(x.D)),
    "AC-6.1omega:corrected": lambda x: (x.lamd * np.linalg.norm(x.P @ x.D) ** 2 / 4, x.drop(x.D)),
    "AC-A6:proved": lambda x: (
        x.gamma * x.t**2 / 2 - x.t * x.moved(x.v) - np.sqrt(x.lam1) * rest(x),
        x.moved(x.D),
    ),
    "AC-6.2:corrected": lambda x: (
        x.gamma * x.t**2 / 2 - np.sqrt(x.lam1) * (x.eps * x.t + rest(x)),
        x.moved(x.D),
    ),
    "AC-6.2:printed": lambda x: (x.gamma * x.t**2 / 2 - x.eps * x.t - np.sqrt(x.lam1) * rest(x), x.moved(x.D)),
    "AC-1.2:printed": lambda x: (x.gamma * x.t**2 / 64 - x.eps * x.t - rest(x), np.linalg.norm(x.P @ x.D)),
    "AC-1.2:corrected": lambda x: (
        x.gamma * x.t**2 / (2 * np.sqrt(x.lam1)) - x.eps * x.t - rest(x),
        np.linalg.norm(x.P @ x.D),
    ),
    "AC-6.3:printed": lambda x: (TINY * x.lamd * x.gamma**2, x.order4()),
    "AC-1.3:printed": lambda x: (TINY * x.lamd * x.gamma**2, x.order4()),
    "AC-6.3:undesigned": lambda x: (x.lamd * x.gamma**2 / 1024, x.order4()),
    "AC-6.3:corrected": lambda x: (max(x.gamma - x.beta * (x.v @ x.v), 0.0) ** 2 / 8, x.order4()),
    "AC-quartic:lower": lambda x: (
        0.5 * max(float(0.5 * x.t**2 * np.linalg.norm(x.accel) - slack(x)), 0.0) ** 2,
        x.drop(x.D),
    ),
    "AC-quartic:upper": lambda x: (x.drop(x.D), 0.5 * (0.5 * x.t**2 * np.linalg.norm(x.accel) + slack(x)) ** 2),
    "AC-quartic:window": lambda x: (
        0.5 * (np.linalg.norm(x.accel[: x.d]) * x.t**2) ** 2 / 64,
        x.drop(x.D),
    ),
    "AC-B1:printed": lambda x: (
        np.linalg.norm(x.P @ x.D),
        2 * (2 * np.sqrt(x.lam1) * x.beta + x.beta**2 * np.linalg.norm(x.D)) * np.linalg.norm(x.D) / x.gap,
    ),
    "AC-B1:corrected": lambda x: (
        np.linalg.norm(rotated(x, x.D) - x.P, 2),
        2 * (2 * np.sqrt(x.lam1) * x.beta + x.beta**2 * np.linalg.norm(x.D)) * np.linalg.norm(x.D) / x.gap,
    ),
    "AC-B3:proved": lambda x: (
        (x.gamma / 2 - rho(x, 2 * np.sqrt(x.lam1) * x.beta + x.beta**2 * x.t * x.G, x.G)) * x.t**2
        - np.sqrt(x.lam1) * (x.eps * x.t + rest(x)),
        np.linalg.norm(x.root @ x.P @ rotated(x, x.D) @ x.D),
    ),
    "AC-B4:printed": lambda x: (TINY * x.gamma**2, x.order4()),
    "AC-B4:corrected": lambda x: (
        max(x.gamma - np.sqrt(x.lam1) * turning(x) * np.linalg.norm(x.v) / x.gap, 0.0) ** 2 / 8,
        x.order4(),
    ),
    "AC-6.3:survival": lambda x: (
        max(x.gamma - turning(x) * np.linalg.norm(x.v) / np.sqrt(x.lamd), 0.0) ** 2 / 8,
        x.order4(),
    ),
}
OWN = {"AC-quartic:order", "AC-C2:6.1-proved", "AC-C2:6.2-proved", "AC-C2:6.3-printed"}  # tested below


def test_every_claim_has_an_oracle() -> None:
    assert set(SIDES) | OWN == set(CLAIMS)


def sides_of(claim: Claim, p: Problem) -> tuple[float, float]:
    constants = {name: torch.tensor(float(exact.value), dtype=torch.float64) for name, exact in claim.constants.items()}
    statement, _ = claim.state(p, constants)
    if isinstance(statement, Identity):
        return float(statement.left), float(statement.right)
    assert isinstance(statement, Sides)
    return float(statement.smaller), float(statement.larger)


@pytest.mark.parametrize("key", sorted(SIDES))
def test_sides_agree_with_numpy(key: str) -> None:
    claim = CLAIMS[key]
    batch = problem_of(claim, seed=7)
    for lane in range(8):
        p = instance(batch, lane)
        assert isinstance(p, SkillStep | Instability)
        x = Numbers(p)
        assert np.allclose(
            sides_of(claim, p), SIDES[key](x), rtol=1e-6, atol=1e-8 * x.t**2 if hasattr(x, "t") else 1e-12
        )


def test_the_relaxed_claims_agree_with_numpy() -> None:
    batch = problem_of(CLAIMS["AC-C2:6.3-printed"], seed=8)
    for lane in range(8):
        p = instance(batch, lane)
        assert isinstance(p, RelaxedInstability)
        x = Numbers(p)
        m, w = float(p.miss), p.cubic.numpy()

        def relaxed(D: Array, x: Numbers = x, m: float = m, w: Array = w) -> float:
            h = (w @ D) ** 3 / 6
            return float(0.5 * (x.f(D) @ x.f(D) + (m - h) ** 2 - m**2))

        D = x.t * x.a
        c = 0.5 * x.beta * np.sqrt(x.lam1) + abs(m) * np.linalg.norm(w) ** 3 / 6
        expected = (0.5 * x.moved(D) ** 2 - c * np.linalg.norm(D) ** 3, relaxed(D))
        assert np.allclose(sides_of(CLAIMS["AC-C2:6.1-proved"], p), expected, rtol=1e-6, atol=1e-12)
        third = m * float(w @ x.v) ** 3 / 6
        assert sides_of(CLAIMS["AC-C2:6.3-printed"], p) == pytest.approx((TINY * x.lamd * x.gamma**2, third), rel=1e-9)
        early = p.with_leaves(p.leaves() | {"time": torch.tensor(1e-5, dtype=torch.float64)})
        soon = early.displacement.numpy()
        h = (w @ soon) ** 3 / 6
        assert (0.5 * x.f(soon) @ x.f(soon) + h**2 / 2 - m * h) / 1e-15 == pytest.approx(third, rel=0.01, abs=1e-3)
        root = np.sqrt(x.lam1)
        drifted = (x.gamma * x.t**2 / 2 - root * (x.eps * x.t + rest(x)), x.moved(x.D))
        assert np.allclose(sides_of(CLAIMS["AC-C2:6.2-proved"], p), drifted, rtol=1e-6, atol=1e-12)


def test_the_fourth_order_of_the_drop_is_a_limit() -> None:
    claim = CLAIMS["AC-quartic:order"]
    batch = InstabilityRecipe(policy=GaussianPolicy(2), sensitive=2, parameters=4, seed=9, overlap="none").build(8)
    for lane in range(8):
        p = instance(batch, lane)
        assert isinstance(p, Instability)
        left, right = sides_of(claim, p)
        assert left == pytest.approx(right, rel=1e-9, abs=1e-12)
        small = p.with_leaves(p.leaves() | {"time": torch.tensor(1e-3 * float(p.time), dtype=torch.float64)})
        ratio = float(small.drop(small.displacement)) / float(small.time) ** 4
        assert ratio == pytest.approx(right, rel=0.05, abs=1e-3 * float(p.coupling) ** 2)


@pytest.mark.parametrize("key", sorted(CLAIMS))
def test_traced_batches_agree_with_single_instances(key: str) -> None:
    claim = CLAIMS[key]
    problem = problem_of(claim, seed=11)
    judged = Evaluator(claim)(problem)
    assert not bool((judged.status == int(Status.INVALID)).any())
    for lane in (0, 15):
        expected = sides_of(claim, instance(problem, lane))
        got = (float(judged.smaller.mid[lane]), float(judged.larger.mid[lane]))
        assert got == pytest.approx(expected, rel=1e-6, abs=1e-10)


def test_the_quartic_law_falls_at_an_instance_one_can_read() -> None:
    """θ* moves along the second axis, accelerates along the first; the one output is x - y²/2 and so, to the order t⁴, 0."""

    def full(value: float, *shape: int) -> torch.Tensor:
        return torch.full((1, *shape), value, dtype=torch.float64)

    p = Instability(
        policy=GaussianPolicy(1),
        sensitive=1,
        designed=True,
        turn=full(0, 2, 2),
        roots=full(1, 1),
        bend=full(0, 1, 2, 2),
        prompt={},
        overlap=full(0),
        heading=full(0, 0),
        drift=full(1, 1),
        coupling=full(1),
        steering=full(0, 0),
        aside=full(0, 1),
        hessian=full(0, 2, 2),
        cancelled=full(1),
        time=full(1),
    )
    certificate = Certifier(CLAIMS["AC-6.3:printed"]).certify(p, 0)
    assert certificate.status is Status.VIOLATED
    assert certificate.no_constant_helps
    exact = next(finding for finding in certificate.findings if finding.bits is None)
    assert exact.standing is Standing.VIOLATED
    assert exact.right == (0, 0)
    assert exact.left == (Fraction(1, 2**64),) * 2
    x = Numbers(instance(p, 0))  # type: ignore[arg-type]
    assert x.gamma == x.lamd == 1
    assert x.order4() == 0


@pytest.mark.parametrize("policy", [HadamardPolicy(2), BernoulliPolicy(2)], ids=str)
@pytest.mark.parametrize("key", ["AC-quartic:lower", "AC-quartic:upper", "AC-quartic:window", "AC-6.1:global"])
def test_finite_policies_are_judged_without_a_violation(key: str, policy: HadamardPolicy) -> None:
    claim = CLAIMS[key]
    kind = SkillRecipe if key == "AC-6.1:global" else InstabilityRecipe
    judged = Evaluator(claim)(kind(policy=policy, sensitive=1, parameters=4, seed=5).build(128))
    assert int(judged.held().sum()) > 5
    assert not bool(judged.broken().any())


BAD: dict[str, tuple[dict[str, Any], Status]] = {
    "a projector that is not top-d": ({"roots": [[1.0, 2.0]]}, Status.VACUOUS),
    "no eigengap": ({"roots": [[1.0, 1.0]]}, Status.VACUOUS),
    "no gradient": ({"overlap": [0.0], "drift": [[0.0, 0.0]]}, Status.VACUOUS),
    "no coupling": ({"coupling": [0.0]}, Status.VACUOUS),
    "no time": ({"time": [0.0]}, Status.VACUOUS),
    "NaN": ({"coupling": [float("nan")]}, Status.INVALID),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_has_the_right_word(what: str) -> None:
    leaves, expected = BAD[what]
    p = InstabilityRecipe(policy=GaussianPolicy(2), sensitive=1, parameters=3, seed=2, overlap="some").build(1)
    changed = {name: torch.tensor(value, dtype=torch.float64) for name, value in leaves.items()}
    judged = Judge(CLAIMS["AC-6.2:corrected"], proofs=1)(p.with_leaves(p.leaves() | changed))
    assert Status(int(judged.status[0])) is expected


@pytest.mark.parametrize("key", ["AC-quartic:lower", "AC-quartic:upper", "AC-quartic:window"])
def test_a_prompt_without_weight_is_a_broken_premise(key: str) -> None:
    p = InstabilityRecipe(policy=BernoulliPolicy(2), sensitive=1, parameters=3, seed=2).build(8)
    weights = torch.tensor([[1.0, 0.0]], dtype=torch.float64).expand(8, 2)
    judged = Evaluator(CLAIMS[key])(p.with_leaves(p.leaves() | {"prompt.weights": weights}))
    assert bool((judged.status == int(Status.VACUOUS)).all())


def test_d_equal_to_n_has_no_direction_outside() -> None:
    p = InstabilityRecipe(policy=GaussianPolicy(2), sensitive=2, parameters=2, seed=2, overlap="some").build(64)
    judged = Evaluator(CLAIMS["AC-A6:proved"])(
        p
    )  # the whole gradient lies in M: the first order leads, the bound says nothing
    assert bool((judged.status == int(Status.VACUOUS)).all())


def test_discovery_starts_from_the_generic_strategy(tmp_path: Path) -> None:
    entry = run_campaign(CLAIMS["AC-B1:printed"], Options(profile("fast"), counterexamples=tmp_path))
    assert entry["verdict"] == "REFUTED"
    assert entry["violated"] > 0
