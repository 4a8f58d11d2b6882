"""The static claims of The Geometry of Alignment Collapse: each computation against NumPy, SciPy, mpmath or a closed form."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import boundcheck.theorems.alignment_collapse as collapse
from boundcheck.claim import Claim, Identity, Sides, registered_claims
from boundcheck.geometry import GaussianPolicy, largest_singular_value
from boundcheck.problem import Problem
from boundcheck.rigor import trace
from boundcheck.search import Evaluator
from boundcheck.search.certify import Certifier
from boundcheck.strategies.directions import (
    Direction,
    DirectionRecipe,
    ProjectedLength,
    ProjectedLengthRecipe,
    TurnedDirectionRecipe,
)
from boundcheck.strategies.eigenspaces import SpectralPair, SpectralPairRecipe
from boundcheck.strategies.instability import SkillRecipe
from boundcheck.strategies.layers import LinearLayer, LinearLayerRecipe
from boundcheck.strategies.policies import (
    LinearPolicy,
    LinearPolicyRecipe,
    ReferencePolicyRecipe,
    ShapedPolicyRecipe,
)
from boundcheck.strategies.tilts import Tilt, TiltRecipe
from boundcheck.verdict import Status

RECIPES: dict[str, Any] = {
    "AC-sandwich:lower": TiltRecipe(4, "any", 1),
    "AC-sandwich:upper": TiltRecipe(3, "rare_high", 2),
    "AC-sandwich:cubic": TiltRecipe(2, "skewed", 3),
    "AC-3.2:proved": ReferencePolicyRecipe(2, 3, 4),
    "AC-3.2:general": ReferencePolicyRecipe(2, 3, 5),
    "AC-3.3:softmax": LinearPolicyRecipe(2, 3, 2, "any", 6),
    "AC-3.3:gaussian": SkillRecipe(GaussianPolicy(2), 2, 4, 1.0, 23),
    "AC-C1:proved": LinearPolicyRecipe(2, 3, 2, "contrast", 7),
    "AC-6.1:softmax": ShapedPolicyRecipe(2, 4, 3, 2, 1, "any", 8),
    "AC-A1:proved": TurnedDirectionRecipe(3, 2, 1, "any", 9),
    "AC-A2:proved": TurnedDirectionRecipe(3, 3, 1, "any", 10),
    "AC-A3:proved": ProjectedLengthRecipe(20, 40, 11),
    "AC-A3:upper": ProjectedLengthRecipe(20, 40, 12),
    "AC-A4:proved": DirectionRecipe(4, 3, 2, "any", 13),
    "AC-A5:proved": DirectionRecipe(4, 3, 2, "any", 14),
    "AC-4.1.1:proved": TurnedDirectionRecipe(3, 2, 1, "any", 15),
    "AC-4.1.1:cubic": TurnedDirectionRecipe(3, 2, 1, "any", 16),
    "AC-4.1.2:printed": DirectionRecipe(8, 8, 1, "flat", 17),
    "AC-4.1.2:corrected": DirectionRecipe(4, 4, 2, "any", 18),
    "AC-A7:proved": LinearLayerRecipe(3, 2, 8, "any", 19),
    "AC-A8:proved": LinearLayerRecipe(3, 2, 8, "copies", 20),
    "AC-B2:proved": SpectralPairRecipe(3, 1, "any", 21),
    "AC-B2:near": SpectralPairRecipe(3, 2, "plane", 22),
}
CLAIMS = {key: registered_claims()[key] for key in RECIPES}


def sides(key: str, problem: Problem, lane: int) -> tuple[float, float]:
    """Both sides of one instance, with the claim's own constants."""
    claim = CLAIMS[key]
    one = problem.with_leaves({name: tensor[lane] for name, tensor in problem.leaves().items()})
    constants = {name: torch.tensor(float(c.value), dtype=torch.float64) for name, c in claim.constants.items()}
    statement, _ = claim.state(one, constants)
    if isinstance(statement, Sides):
        return float(statement.smaller), float(statement.larger)
    assert isinstance(statement, Identity)
    return float(statement.left), float(statement.right)


def leaf(problem: Any, name: str, lane: int) -> np.ndarray:
    return np.asarray(getattr(problem, name)[lane])


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(weights / weights.sum(-1, keepdims=True))


def cayley(free: np.ndarray) -> np.ndarray:
    skew = (free - free.T) / 2
    return np.linalg.inv(np.eye(len(free)) + skew) @ (np.eye(len(free)) - skew)


# ----------------------------------------------------------------------------------------------------------- every claim


def test_every_claim_here_has_a_recipe() -> None:
    files = {Path(getattr(collapse, name).__file__).resolve() for name in STATIC}
    assert {key for key, c in registered_claims().items() if c.defined_in in files} == set(RECIPES)


STATIC = ("davis_kahan", "fisher_rank", "kl_geometry", "theorem_4_1")


def outputs_of(claim: Claim, problem: Problem) -> Callable[..., list[Tensor]]:
    names = list(problem.leaves())
    constants = {name: torch.tensor(float(c.value), dtype=torch.float64) for name, c in claim.constants.items()}

    def one(*leaves: Tensor) -> list[Tensor]:
        statement, premises = claim.state(problem.with_leaves(dict(zip(names, leaves, strict=True))), constants)
        values = (
            [statement.smaller, statement.larger] if isinstance(statement, Sides) else [statement.left, statement.right]
        )
        return [*values, *(p.margin for p in premises)]

    return torch.vmap(one)


@pytest.mark.parametrize("key", sorted(RECIPES))
def test_a_trace_replays_on_other_lanes(key: str) -> None:
    first, second = RECIPES[key].build(6), RECIPES[key].build(6, first=6)
    function = outputs_of(CLAIMS[key], first)
    traced = trace(function, list(first.leaves().values()))
    replayed, eager = traced(*second.leaves().values()), function(*second.leaves().values())
    for a, b in zip(replayed, eager, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-14, equal_nan=True)


@pytest.mark.parametrize("key", sorted(RECIPES))
def test_claims_can_be_proved_in_balls(key: str) -> None:
    """Each lowers to a program, whose first route contradicts no float."""
    certifier, problem = Certifier(CLAIMS[key]), RECIPES[key].build(2)
    certifier.program(problem)
    screened = Evaluator(CLAIMS[key])(problem)
    decided = [certifier.decide(problem, lane, screened) for lane in range(2)]
    assert certifier.contradictions == 0
    assert Status.INVALID not in decided
    if screened.identity:
        assert decided == [Status.CONSISTENT] * 2


# -------------------------------------------------------------------------------------------------------- divergences


@pytest.mark.parametrize("kind", ["two_point", "rare_low", "rare_high", "skewed", "near_duplicates", "any"])
def test_divergence_and_sandwich_against_mpmath(kind: Any) -> None:
    problem = TiltRecipe(5, kind, 3).build(8)
    for lane in range(8):
        with mpmath.workdps(60):
            logs = [mpmath.mpf(float(x)) for x in problem.log_weights[lane]]
            w = [mpmath.mpf(float(x)) for x in problem.tilt[lane]]
            total = mpmath.fsum(mpmath.exp(x) for x in logs)
            p = [mpmath.exp(x) / total for x in logs]
            mean = mpmath.fsum(a * b for a, b in zip(p, w, strict=True))
            tilted = mpmath.fsum(a * mpmath.exp(b) for a, b in zip(p, w, strict=True))
            q = [a * mpmath.exp(b) / tilted for a, b in zip(p, w, strict=True)]
            kl = mpmath.fsum(a * mpmath.log(a / b) for a, b in zip(p, q, strict=True))
            variance = mpmath.fsum(a * (b - mean) ** 2 for a, b in zip(p, w, strict=True))
            R = max(w) - min(w)
            lower = (mpmath.exp(-R) + R - 1) / R**2 * variance
            upper = (mpmath.exp(R) - R - 1) / R**2 * variance
            cubic = abs(kl - variance / 2) * mpmath.sqrt(3), R**3 / 36
        assert sides("AC-sandwich:lower", problem, lane) == pytest.approx((float(lower), float(kl)), rel=1e-10)
        assert sides("AC-sandwich:upper", problem, lane) == pytest.approx((float(kl), float(upper)), rel=1e-10)
        found = sides("AC-sandwich:cubic", problem, lane)
        assert found == pytest.approx(tuple(map(float, cubic)), rel=1e-6, abs=1e-14)


@given(masses=st.lists(st.floats(1e-3, 1), min_size=2, max_size=6), data=st.data())
@settings(max_examples=100)
def test_third_cumulants_are_bounded_as_the_docstring_says(masses: list[float], data: st.DataObject) -> None:
    values = np.array(data.draw(st.lists(st.floats(-1, 1), min_size=len(masses), max_size=len(masses))))
    p = np.array(masses) / np.sum(masses)
    centred = values - p @ values
    reach, length = np.ptp(values), np.linalg.norm(values)
    assert abs(p @ centred**3) <= reach**3 / (6 * math.sqrt(3)) + 1e-12
    assert abs(p @ centred**3) <= math.sqrt(6) / 9 * length**3 + 1e-12


def test_a_constant_tilt_is_vacuous_and_finite() -> None:
    flat = Tilt(torch.zeros(3, 4, dtype=torch.float64), torch.ones(3, 4, dtype=torch.float64))
    for key in ("AC-sandwich:lower", "AC-sandwich:upper", "AC-sandwich:cubic"):
        assert Evaluator(CLAIMS[key])(flat).count(Status.VACUOUS) == 3


def test_utility_drops_from_the_definition() -> None:
    problem = ReferencePolicyRecipe(3, 4, 8).build(6)
    for lane in range(6):
        prompts = softmax(leaf(problem, "log_prompts", lane))
        weights, change = leaf(problem, "weights", lane), leaf(problem, "change", lane)
        D = weights / weights.sum(-1, keepdims=True)
        after = D * np.exp(change)
        after /= after.sum(-1, keepdims=True)
        kl = float(prompts @ (D * np.log(D / after)).sum(-1))
        assert sides("AC-3.2:proved", problem, lane) == pytest.approx((kl, kl), rel=1e-9, abs=1e-14)
        base = leaf(problem, "base", lane)
        drop = float(prompts @ (D * np.log(softmax(base) / softmax(base + change))).sum(-1))
        assert sides("AC-3.2:general", problem, lane) == pytest.approx((drop, drop), rel=1e-9, abs=1e-13)


def test_the_identity_of_lemma_3_2_needs_its_premise() -> None:
    """With π* ≠ D the drop is not the divergence from π*: the two forms are not one."""
    problem = ReferencePolicyRecipe(2, 3, 1).build(8)
    for lane in range(8):
        base, change = leaf(problem, "base", lane), leaf(problem, "change", lane)
        before, after = softmax(base), softmax(base + change)
        kl = float(softmax(leaf(problem, "log_prompts", lane)) @ (before * np.log(before / after)).sum(-1))
        assert abs(sides("AC-3.2:general", problem, lane)[0] - kl) > 1e-6


def naive_policy(problem: LinearPolicy, lane: int) -> tuple[float, np.ndarray, float]:
    """Δu, F and E‖Φ_x‖³ by loops."""
    prompts, base = softmax(leaf(problem, "log_prompts", lane)), leaf(problem, "base", lane)
    features, D = leaf(problem, "features", lane), leaf(problem, "displacement", lane)
    drop, fisher, cubed = 0.0, np.zeros((len(D), len(D))), 0.0
    for x, weight in enumerate(prompts):
        p, q = softmax(base[x]), softmax(base[x] + features[x] @ D)
        drop += weight * float((p * np.log(p / q)).sum())
        for y, mass in enumerate(p):
            score = features[x, y] - p @ features[x]
            fisher += weight * mass * np.outer(score, score)
        cubed += weight * float(np.linalg.norm(features[x], 2)) ** 3
    return drop, fisher, cubed


@pytest.mark.parametrize("kind", ["contrast", "skewed", "any"])
def test_policies_by_loops(kind: Any) -> None:
    problem = LinearPolicyRecipe(2, 3, 3, kind, 5).build(8)
    for lane in range(8):
        drop, fisher, cubed = naive_policy(problem, lane)
        D = leaf(problem, "displacement", lane)
        half, bound = D @ fisher @ D / 2, math.sqrt(6) / 54 * cubed * np.linalg.norm(D) ** 3
        assert np.allclose(problem.lane(lane).fisher[0].numpy(), fisher, rtol=1e-9, atol=1e-12)
        smaller, larger = sides("AC-3.3:softmax", problem, lane)
        assert (smaller, larger) == pytest.approx((abs(drop - half), bound), rel=1e-4, abs=1e-13)
        assert sides("AC-C1:proved", problem, lane) == pytest.approx((half - bound, drop), rel=1e-9, abs=1e-14)


@given(seed=st.integers(0, 2**31 - 1), prompts=st.integers(1, 3), top=st.integers(1, 2))
@settings(max_examples=20)
def test_shaped_policies_have_the_fisher_matrix_they_say(seed: int, prompts: int, top: int) -> None:
    problem = ShapedPolicyRecipe(prompts, 4, 3, 2, top, "any", seed).build(3)
    for lane in range(3):
        one = problem.with_leaves({name: tensor[lane] for name, tensor in problem.leaves().items()})
        fisher = one.linear.fisher.numpy()
        values, vectors = np.linalg.eigh(fisher)
        assert np.allclose(values[::-1][:2], one.eigenvalues.numpy(), rtol=1e-9, atol=1e-13)
        D = one.displacement.numpy()
        inside = vectors[:, ::-1][:, :top].T @ D
        expected = float((values[::-1][:top] * inside**2).sum())
        logits = (one.linear.features @ one.displacement).numpy()
        R = float(np.ptp(logits, axis=-1).max())
        shrunk = (math.exp(-R) + R - 1) / R**2
        tied = values[::-1][top - 1] - values[::-1][top] < 1e-6 * values[-1]
        if R > 1e-3 and not tied:
            assert sides("AC-6.1:softmax", problem, lane)[0] == pytest.approx(shrunk * expected, rel=1e-5, abs=1e-13)


# ------------------------------------------------------------------------------------------------------- the sphere


def uniform_directions(n: int, count: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, n))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@pytest.mark.parametrize("n", [2, 3, 8])
def test_a_sphere_sampler_agrees_with_lemmas_a_1_and_a_2(n: int) -> None:
    """z-tests at fixed seeds; Var(gᵀAg) = 2/(n(n + 2))·(‖A‖_F² - Tr(A)²/n)."""
    rng, count = np.random.default_rng(n), 40_000
    half = rng.standard_normal((n, n))
    A = half + half.T
    g = uniform_directions(n, count, seed=100 + n)
    forms = ((g @ A) * g).sum(-1)
    variance = 2 / (n * (n + 2)) * ((A**2).sum() - np.trace(A) ** 2 / n)
    assert abs(forms.mean() - np.trace(A) / n) < 4 * math.sqrt(variance / count)
    assert forms.var() == pytest.approx(variance, rel=0.06)


def test_averages_are_those_of_the_sphere() -> None:
    problem = TurnedDirectionRecipe(4, 3, 2, "any", 5).build(3)
    for lane in range(3):
        probes = leaf(problem, "probes", lane)
        left, right = sides("AC-A1:proved", problem, lane)
        assert left == pytest.approx(right, rel=1e-9, abs=1e-13)
        assert right == pytest.approx(float(probes[0] @ probes[1]) / 4, rel=1e-12)
        A = problem.lane(lane).fisher[0].numpy() - np.outer(probes[0], probes[0])
        assert sides("AC-A2:proved", problem, lane) == pytest.approx((np.trace(A) / 4, np.trace(A) / 4), rel=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_mean_drop_by_sampling(n: int) -> None:
    problem = TurnedDirectionRecipe(n, 2, 1, "any", 6).build(4)
    g = uniform_directions(n, 40_000, seed=n)
    for lane in range(4):
        eta, bend = float(problem.eta[lane]), leaf(problem, "bend", lane)
        J = leaf(problem, "roots", lane)[:, None] * cayley(leaf(problem, "free", lane))[:, :2].T
        outputs = eta * g @ J.T + eta**2 / 2 * np.einsum("kij,ai,aj->ak", bend, g, g)
        drops = (outputs**2).sum(-1) / 2
        left, right = sides("AC-4.1.1:proved", problem, lane)
        assert left == pytest.approx(right, rel=1e-10)
        assert abs(drops.mean() - right) < 5 * drops.std() / 200


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_design_integrates_every_monomial_of_degree_4(n: int) -> None:
    """E[g_i·g_j·g_k·g_l] of the weighted points, against the closed form."""
    axes = np.eye(n)
    points = [(s * axes[i], (4 - n) / (2 * n * (n + 2))) for i in range(n) for s in (1, -1)]
    for i in range(n):
        for j in range(i):
            for s in (1, -1):
                for t in (1, -1):
                    points.append(((s * axes[i] + t * axes[j]) / math.sqrt(2), 1 / (n * (n + 2))))
    fourth = sum(w * np.einsum("i,j,k,l->ijkl", g, g, g, g) for g, w in points)
    d = np.eye(n)
    closed = sum(np.einsum(f"{a},{b}->ijkl", d, d) for a, b in (("ij", "kl"), ("ik", "jl"), ("il", "jk")))
    assert np.allclose(fourth, closed / (n * (n + 2)), atol=1e-14)
    assert sum(w for _, w in points) == pytest.approx(1)


def test_a_bend_of_identities_nearly_attains_the_cubic_remainder() -> None:
    one = TurnedDirectionRecipe(3, 1, 1, "flat", 2).build(1)
    leaves = dict(one.leaves())
    leaves |= {
        "roots": torch.full((1, 1), 1e-3).double(),
        "bend": torch.eye(3).double()[None, None],
        "eta": torch.ones(1).double(),
    }
    smaller, larger = sides("AC-4.1.1:cubic", one.with_leaves(leaves), 0)
    assert 0.99 < smaller / larger < 1


FAR_TAIL = 1e-5
"""What cancels in plain floats where a tail is of the order of 1e-38; verdicts rest on enclosures."""


@given(
    half=st.integers(1, 60),
    rest=st.integers(1, 300),
    epsilon=st.floats(1e-3, 0.999),
)
@settings(max_examples=60)
def test_tails_of_the_beta_law_against_mpmath_and_scipy(half: int, rest: int, epsilon: float) -> None:
    problem = ProjectedLength(torch.tensor([epsilon], dtype=torch.float64), half, rest)
    with mpmath.workdps(40):
        mean, eps = mpmath.mpf(half) / (half + rest), mpmath.mpf(epsilon)
        above = min((1 + eps) * mean, 1)
        upper = float(mpmath.betainc(half, rest, above, 1, regularized=True))
        lower = float(mpmath.betainc(half, rest, 0, (1 - eps) * mean, regularized=True))
    if upper > 1e-30:  # farther out SciPy has few digits left
        assert upper == pytest.approx(float(scipy.stats.beta(half, rest).sf(float(above))), rel=1e-6)
    assert sides("AC-A3:proved", problem, 0)[0] == pytest.approx(upper + lower, rel=FAR_TAIL, abs=1e-290)
    assert sides("AC-A3:upper", problem, 0)[0] == pytest.approx(upper, rel=FAR_TAIL, abs=1e-290)
    bound = math.exp(-(1 - math.log(2)) / 2 * epsilon**2 * 2 * half)
    assert sides("AC-A3:proved", problem, 0)[1] == pytest.approx(2 * bound, rel=1e-12)
    assert max(upper, lower) <= bound * (1 + 1e-12), "each tail alone, as the docstring proves"


def test_far_tails_neither_overflow_nor_vanish() -> None:
    for half, rest in ((100, 900), (300, 499_700)):
        problem = ProjectedLength(torch.tensor([1e-3, 0.999, 1 - 1e-12]).double(), half, rest)
        for key in ("AC-A3:upper", *(["AC-A3:proved"] if rest < 1000 else [])):
            assert Evaluator(CLAIMS[key])(problem).count(Status.INVALID) == 0
        assert 0 < sides("AC-A3:upper", problem, 2)[0] < sides("AC-A3:upper", problem, 2)[1]


def test_the_chernoff_bound_of_the_docstring() -> None:
    """t^(d/2)·(1 + (1 - t)·d/(n - d))^((n - d)/2) bounds the tail, and is below exp(-(1 - ln 2)·ε²·d/2)."""
    for d, n in ((2, 4), (6, 10), (40, 400), (200, 202)):
        for epsilon in np.linspace(0.01, 0.99, 50):
            for t in (1 - epsilon, 1 + epsilon):
                law = scipy.stats.beta(d / 2, (n - d) / 2)
                tail = float(law.cdf(t * d / n) if t < 1 else law.sf(t * d / n))
                room = max(1 + (1 - t) * d / (n - d), 0.0)
                bound = t ** (d / 2) * room ** ((n - d) / 2)
                assert tail <= bound * (1 + 1e-9)
                assert bound <= math.exp(-(1 - math.log(2)) * epsilon**2 * d / 2) * (1 + 1e-9)


def test_the_bound_of_lemma_a_3_says_nothing_below_4_518() -> None:
    d = 20
    for factor, status in ((0.999, Status.VACUOUS), (1.001, Status.HOLDS)):
        epsilon = math.sqrt(factor * 2 * math.log(2) / (1 - math.log(2)) / d)
        judgement = Evaluator(CLAIMS["AC-A3:proved"])(ProjectedLength(torch.tensor([epsilon]).double(), d // 2, 50))
        assert judgement.count(status) == 1


# ---------------------------------------------------------------------------------------------------- directions


def numpy_direction(problem: Direction, lane: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """F, its projector, g and Δu(η·g) from the leaves."""
    V, roots, x = cayley(leaf(problem, "free", lane)), leaf(problem, "roots", lane), leaf(problem, "aim", lane)
    g = np.append(2 * x, x @ x - 1) / (x @ x + 1)
    J = roots[:, None] * V[:, : len(roots)].T
    P = V[:, : problem.top] @ V[:, : problem.top].T
    step = float(problem.eta[lane]) * g
    outputs = J @ step + np.einsum("kij,i,j->k", leaf(problem, "bend", lane), step, step) / 2
    return J.T @ J, P, g, float(outputs @ outputs / 2)


@given(
    seed=st.integers(0, 2**31 - 1),
    sizes=st.sampled_from([(2, 1, 1), (3, 3, 2), (5, 3, 1), (5, 5, 4)]),
    spectrum=st.sampled_from(["flat", "steps", "decaying", "any"]),
)
@settings(max_examples=25)
def test_directions_against_numpy(seed: int, sizes: tuple[int, int, int], spectrum: Any) -> None:
    n, q, d = sizes
    problem = DirectionRecipe(n, q, d, spectrum, seed).build(3)
    for lane in range(3):
        F, P, g, drop = numpy_direction(problem, lane)
        spectrum_of = np.sort(np.linalg.eigvalsh(F))[::-1]
        x, eta, epsilon = float(g @ P @ g), float(problem.eta[lane]), float(problem.epsilon[lane])
        assert np.linalg.norm(g) == pytest.approx(1, abs=1e-14)
        largest, following = spectrum_of[0], spectrum_of[d]
        levels = largest * x + following * (1 - x)
        assert sides("AC-A4:proved", problem, lane) == pytest.approx((g @ F @ g, levels), rel=1e-8, abs=1e-13)
        weak = spectrum_of[d - 1] * eta**2 * x
        assert sides("AC-A5:proved", problem, lane) == pytest.approx((weak, eta**2 * g @ F @ g), rel=1e-7, abs=1e-16)
        edge = (1 + epsilon) * d / n
        printed = 4 * edge * eta**2 * largest
        assert sides("AC-4.1.2:printed", problem, lane) == pytest.approx((drop, printed), rel=1e-8, abs=1e-15)
        symmetric = (leaf(problem, "bend", lane) + leaf(problem, "bend", lane).swapaxes(-1, -2)) / 2
        beta, t = math.sqrt((symmetric**2).sum()), min(1.0, edge)
        C = beta * math.sqrt(largest) / 2 + beta**2 * eta / 8
        corrected = eta**2 / 2 * (largest * t + following * (1 - t)) + C * eta**3
        assert sides("AC-4.1.2:corrected", problem, lane)[1] == pytest.approx(corrected, rel=1e-8)


def test_a_multiple_of_the_identity_refutes_the_printed_bound() -> None:
    """F = I, no curvature: Δu = η²/2 for every direction, and n > 8·d·(1 + ε)."""
    n = 16
    problem = Direction(
        roots=torch.ones(1, n).double(),
        free=torch.zeros(1, n, n).double(),
        aim=torch.cat([torch.zeros(1, n - 2), torch.ones(1, 1)], -1).double(),
        eta=torch.tensor([0.5]).double(),
        epsilon=torch.tensor([0.5]).double(),
        bend=torch.zeros(1, n, n, n).double(),
        top=1,
        spectrum="flat",
    )
    assert sides("AC-4.1.2:printed", problem, 0) == pytest.approx((0.125, 4 * 1.5 / 16 * 0.25))
    assert Evaluator(CLAIMS["AC-4.1.2:printed"])(problem).count(Status.VIOLATED_UNCERTIFIED) == 1
    assert Certifier(CLAIMS["AC-4.1.2:printed"]).certify(problem, 0).status is Status.VIOLATED
    assert Evaluator(CLAIMS["AC-4.1.2:corrected"])(problem).count(Status.VIOLATED_UNCERTIFIED) == 0


@pytest.mark.parametrize("key", ["AC-A4:proved", "AC-A5:proved", "AC-4.1.2:printed", "AC-4.1.2:corrected"])
def test_roots_that_rise_or_vanish_are_vacuous(key: str) -> None:
    problem = DirectionRecipe(3, 3, 1, "any", 3).build(4)
    for roots in (torch.tensor([1.0, 2.0, 3.0]), torch.zeros(3), torch.tensor([1.0, 0.5, -0.5])):
        changed = problem.with_leaves({**problem.leaves(), "roots": roots.double().expand(4, 3).clone()})
        judgement = Evaluator(CLAIMS[key])(changed)
        assert judgement.count(Status.VACUOUS) == 4


@pytest.mark.parametrize("recipe", [DirectionRecipe(2, 1, 1, "any", 4), DirectionRecipe(4, 2, 2, "flat", 5)])
@pytest.mark.parametrize("key", ["AC-A4:proved", "AC-A5:proved"])
def test_declared_equality_cases_are_equalities(key: str, recipe: DirectionRecipe) -> None:
    claim, problem = CLAIMS[key], recipe.build(16)
    assert claim.equality_at is not None
    assert claim.equality_at(problem)
    judgement = Evaluator(claim)(problem)
    assert int(judgement.equal().sum()) == 16
    assert int(judgement.apart().sum()) == 0


def test_a_second_eigenvalue_on_either_side_is_no_equality() -> None:
    for recipe in (DirectionRecipe(4, 4, 1, "any", 6), DirectionRecipe(4, 4, 2, "any", 7)):
        for key in ("AC-A4:proved", "AC-A5:proved"):
            claim, problem = CLAIMS[key], recipe.build(16)
            assert claim.equality_at is not None
            assert not claim.equality_at(problem)
            assert int(Evaluator(claim)(problem).apart().sum()) > 0


# ---------------------------------------------------------------------------------------------- ranks and rotations


@given(
    seed=st.integers(0, 2**31 - 1),
    sizes=st.sampled_from([(2, 1, 3), (3, 2, 8), (4, 3, 5), (4, 1, 6)]),
    kind=st.sampled_from(["coordinates", "copies", "any"]),
)
@settings(max_examples=25)
def test_ranks_against_numpy(seed: int, sizes: tuple[int, int, int], kind: Any) -> None:
    d, r, N = sizes
    problem = LinearLayerRecipe(d, r, N, kind, seed).build(3)
    for lane in range(3):
        U, K, v, alpha = (leaf(problem, name, lane) for name in ("basis", "rows", "inputs", "errors"))
        W, gradients = U @ K.T, [np.outer(U @ a, x) for a, x in zip(alpha, v, strict=True)]
        average = sum(gradients) / N
        fisher = sum(np.outer(G.flatten("F"), G.flatten("F")) for G in gradients) / N
        smaller, larger = sides("AC-A7:proved", problem, lane)
        assert (smaller, larger) == (np.linalg.matrix_rank(average, tol=1e-9), r)
        smaller, larger = sides("AC-A8:proved", problem, lane)
        assert (smaller, larger) == (np.linalg.matrix_rank(fisher, tol=1e-7), r * d)
        assert np.array_equal(problem.lane(lane).activations[0].numpy(), v @ W.T)


def test_the_rank_is_attained_with_a_singular_layer() -> None:
    problem = LinearLayerRecipe(3, 2, 8, "coordinates", 1).build(64)
    attained = [lane for lane in range(64) if sides("AC-A8:proved", problem, lane)[0] == 6]
    assert len(attained) > 16
    assert Evaluator(CLAIMS["AC-A8:proved"])(problem).count(Status.HOLDS) > 32


def test_layers_of_zeros_or_of_large_numbers_are_vacuous() -> None:
    problem = LinearLayerRecipe(3, 2, 8, "any", 1).build(2)
    zeros = problem.with_leaves({name: torch.zeros_like(tensor) for name, tensor in problem.leaves().items()})
    large = problem.with_leaves({name: 100 * tensor for name, tensor in problem.leaves().items()})
    for key in ("AC-A7:proved", "AC-A8:proved"):
        for broken in (zeros, large):
            judgement = Evaluator(CLAIMS[key])(broken)
            assert judgement.count(Status.HOLDS) + judgement.count(Status.VIOLATED_UNCERTIFIED) == 0
            assert judgement.count(Status.INVALID) == 0


@given(
    seed=st.integers(0, 2**31 - 1),
    sizes=st.sampled_from([(2, 1), (3, 1), (4, 2), (5, 4)]),
    kind=st.sampled_from(["plane", "swap", "any"]),
)
@settings(max_examples=25)
def test_rotations_against_numpy(seed: int, sizes: tuple[int, int], kind: Any) -> None:
    n, k = sizes
    problem = SpectralPairRecipe(n, k, kind, seed).build(3)
    for lane in range(3):
        V = cayley(leaf(problem, "free", lane))
        W = V @ cayley(leaf(problem, "turn", lane))
        a, b = leaf(problem, "first", lane), leaf(problem, "second", lane)
        change = np.linalg.norm((W * b) @ W.T - (V * a) @ V.T, 2)
        rotated = np.linalg.norm(W[:, :k] @ W[:, :k].T - V[:, :k] @ V[:, :k].T, 2)
        gap = np.sort(a)[::-1][k - 1] - np.sort(a)[::-1][k]
        assert sides("AC-B2:proved", problem, lane) == pytest.approx((rotated, 2 * change / gap), rel=1e-7, abs=1e-9)
        assert sides("AC-B2:near", problem, lane)[1] == pytest.approx(2 * (change / gap) ** 2, rel=1e-6, abs=1e-15)


def test_factor_two_is_best_possible_and_root_two_near() -> None:
    """An exchanged pair just above half the gap; a turn by nearly 45 degrees just below it."""

    def pair(second: list[float], slope: float) -> SpectralPair:
        turn = torch.tensor([[0.0, slope], [-slope, 0.0]]).double()
        first = torch.tensor([[1.0, 0.0]]).double()
        return SpectralPair(first, torch.tensor([second]).double(), torch.zeros(1, 2, 2).double(), turn[None], 1)

    smaller, larger = sides("AC-B2:proved", pair([0.5 + 1e-6, 0.5 - 1e-6], 1.0), 0)
    assert 0.99999 < smaller / larger < 1
    theta = math.pi / 4 * (1 - 1e-6)
    half = math.cos(2 * theta) / 2
    smaller, larger = sides("AC-B2:near", pair([0.5 + half, 0.5 - half], math.tan(theta / 2)), 0)
    assert 0.99999 < smaller / larger <= 1 + 1e-12


def test_operator_norms_of_features_are_those_of_numpy() -> None:
    problem = LinearPolicyRecipe(2, 3, 2, "any", 4).build(3)
    ours = largest_singular_value(problem.features).numpy()
    assert np.allclose(ours, np.linalg.norm(problem.features.numpy(), 2, axis=(-2, -1)))


def test_layers_round_what_is_not_whole() -> None:
    problem = LinearLayerRecipe(3, 2, 4, "any", 2).build(2)
    moved = LinearLayer(*(tensor + 0.25 for tensor in problem.leaves().values()))
    assert torch.equal(moved.activations, problem.activations)
    assert problem.admissible().all()
    assert not moved.admissible().any()
