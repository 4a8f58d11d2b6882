"""Section 3, Lemma C.1 and Theorem 6.1 for softmax policies: how far the divergence is from its quadratic form.

Statement (not printed, the tool): for finite p with full support, q ∝ p·exp(w) and R = max w - min w, ψ(-R)·Var_p(w) <=
KL(p‖q) <= ψ(R)·Var_p(w) with ψ(u) = (exp(u) - u - 1)/u², and |KL - Var_p(w)/2| <= R³/(36·√3).
  Lemma 3.2: u(θ*) - u(θ) = E_x KL(π*‖π_θ) under Assumption 1; without it, E_x[KL(D‖π_θ) - KL(D‖π*)].
  Proposition 3.3: Δu = ½·DᵀFD + O(‖D‖³). Lemma C.1: Δu >= ½·DᵀFD - C·‖D‖³, F the expected outer product of scores.
  Theorem 6.1: Δu >= ½·‖F^½·P·D‖² - O(‖D‖³), P the projector onto the top d eigenvectors of F; here its global form.
Premises: finitely many prompts and responses, full support; Lemma 3.2 and what follows: π* = D (Assumption 1); from
Proposition 3.3 on: logits linear in the parameters.
Constants: with f(s) = log E_p[exp(s·w)], κ_s the third cumulant f'''(s) of w under p_s ∝ p·exp(s·w), KL = ∫₀¹ (1 -
s)·f''(s) ds.
  Sandwich: |κ_s| <= R·f''(s), so exp(-R·s)·Var_p(w) <= f''(s) <= exp(R·s)·Var_p(w), and ∫₀¹ (1 - s)·exp(u·s) ds = ψ(u).
  Cubic: KL - Var_p(w)/2 = ½·∫₀¹ (1 - s)²·κ_s ds, so it is at most max|κ|/6. Let x = w - E w lie in [-a, b], a + b = R.
  From (x - b)·(x + c)² <= 0 follows E x³ <= (b - 2c)·E x² + c²·b for every c >= 0. With c = a where b >= 2a, and E x²
  <= ab, it is at most ab·(b - a) <= R³/(6·√3); with c = b/2 where b < 2a it is at most b³/4 <= (2R/3)³/4, which is
  less. The same holds of -x.
  Proposition 3.3, Lemma C.1: w = Φ_x·D has R <= √2·‖w‖ <= √2·‖Φ_x‖·‖D‖, so C = (√6/54)·E‖Φ_x‖³. Printed: no constant.
  Under smoothness alone both are false for infinitely many responses: with pairs k = 1, 2, … of weight p_k ∝ k^(-1-a),
  2 < a < 3, and log-odds sin(k·θ) within a pair, every π_θ(y|x) is smooth with third derivatives bounded by a constant
  times k^(2-a), F is finite, and ½·F·θ² - Δu = Σ p_k·(k²·θ²/8 - log cosh(sin(k·θ)/2)) is of order |θ|^a, more than any
  C·|θ|³. With finitely many the C above exists, so no finite instance can show that: it is an argument, not a claim.
  Proposition 3.3 for N(f, I): Δu = ½‖JD + ½·B[D, D]‖², whose other terms are ½⟨JD, B[D, D]⟩ and ⅛‖B[D, D]‖².
  Theorem 6.1: Δu >= ψ(-R)·DᵀFD (prompt by prompt, ψ(-R) falls with R) >= ψ(-R)·‖F^½·P·D‖², as F and P commute.
Equality case: none of the sandwich for w not constant; approached by a rare outcome against all others, of the lowest w
(lower side) or the highest (upper side). Cubic: two outcomes at odds (1 - 1/√3) : (1 + 1/√3), R → 0.
Numerics: KL as log1p(E[expm1(c) - c]) with c = w - E w: nothing of size 1 cancels.
Source: The Geometry of Alignment Collapse, Lemma 3.2, Proposition 3.3, Theorem 6.1, Lemma C.1.
"""

import torch
from torch import Tensor

from boundcheck.claim import Identity, Sides, Stance, premise, scaled, theorem
from boundcheck.dynamics import SkillStep
from boundcheck.exact import constant
from boundcheck.geometry import divergence, exponential_remainder, largest_singular_value, spread
from boundcheck.strategies import linear_policies, reference_policies, shaped_policies, skill_steps, tilts
from boundcheck.strategies.policies import LinearPolicy, ReferencePolicy, ShapedPolicy
from boundcheck.strategies.tilts import Tilt
from boundcheck.theorems.alignment_collapse.setting import alignment_collapse, positive

SANDWICH = alignment_collapse("Proposition 3.3, sharpened")
LEMMA = alignment_collapse("Lemma 3.2")
NEAR_ONE = {"1.001": {"c": "1001/1000"}}
NOT_QUITE = {"1/55": {"c": "1/55"}}


def tilted(p: Tilt) -> Tensor:
    """R, where w is not constant (a constant w tilts nothing); 1 beside the broken premise elsewhere."""
    positive("the tilt is not constant", p.spread)
    return torch.where(p.spread > 0, p.spread, torch.ones_like(p.spread))


@theorem(
    "AC-sandwich:lower", source=SANDWICH, stance=Stance.PROVED, over=tilts(), mutants=NEAR_ONE, group="AC-sandwich"
)
def divergence_ge_variance(p: Tilt, c: Tensor = constant(1, scales="smaller", unit="psi(-R) Var")) -> Sides:
    """ψ(-R)·Var_p(w) <= KL(p‖q)."""
    return Sides(smaller=c * exponential_remainder(-tilted(p)) * p.variance, larger=p.divergence)


@theorem(
    "AC-sandwich:upper",
    source=SANDWICH,
    stance=Stance.PROVED,
    over=tilts(),
    mutants={"0.999": {"c": "999/1000"}},
    group="AC-sandwich",
)
def divergence_le_variance(p: Tilt, c: Tensor = constant(1, scales="larger", unit="psi(R) Var")) -> Sides:
    """KL(p‖q) <= ψ(R)·Var_p(w)."""
    return Sides(smaller=p.divergence, larger=c * exponential_remainder(tilted(p)) * p.variance)


@theorem(
    "AC-sandwich:cubic",
    source=SANDWICH,
    stance=Stance.PROVED,
    over=tilts(),
    mutants={"1/37": {"c": "1/37"}},
    group="AC-sandwich",
)
def divergence_is_half_the_variance(
    p: Tilt, c: Tensor = constant("1/36", scales="larger", unit="R^3 / sqrt 3")
) -> Sides:
    """|KL(p‖q) - Var_p(w)/2| <= R³/(36·√3)."""
    root = torch.sqrt(torch.full_like(p.spread, 3.0))
    return Sides(smaller=root * (p.divergence - 0.5 * p.variance).abs(), larger=c * tilted(p).pow(3))


# ------------------------------------------------------------------------------------------------------------ Lemma 3.2


def utility(p: ReferencePolicy, logits: Tensor) -> Tensor:
    """u = E_(x, y)~D log π(y|x) (Definition 3.1)."""
    return p.mean((p.reference * torch.log_softmax(logits, -1)).sum(-1))


def probabilities(logits: Tensor) -> Tensor:
    """exp(z)/Σ exp(z)."""
    weights = torch.exp(logits)
    return weights / weights.sum(-1, keepdim=True)


@theorem(
    "AC-3.2:proved",
    source=LEMMA,
    stance=Stance.PROVED,
    over=reference_policies(),
    mutants={"1e-6 off": scaled("1000001/1000000")},
)
def utility_drop_eq_divergence(p: ReferencePolicy) -> Identity:
    """Where π* = D, u(θ*) - u(θ) = E_x KL(π*‖π_θ)."""
    positive("full support", p.support)
    drop = utility(p, p.agreeing) - utility(p, p.agreeing + p.change)
    return Identity(left=drop, right=p.mean(divergence(probabilities(p.agreeing), p.change)))


@theorem(
    "AC-3.2:general",
    source=LEMMA,
    stance=Stance.PROVED,
    over=reference_policies(),
    mutants={"1e-6 off": scaled("1000001/1000000")},
)
def utility_drop_eq_difference_of_divergences(p: ReferencePolicy) -> Identity:
    """For any policy, u(θ*) - u(θ) = E_x[KL(D‖π_θ) - KL(D‖π*)]."""
    positive("full support", p.support)
    D = p.reference
    before, after = probabilities(p.base), probabilities(p.base + p.change)
    farther = (D * torch.log(D / after)).sum(-1) - (D * torch.log(D / before)).sum(-1)
    return Identity(left=utility(p, p.base) - utility(p, p.base + p.change), right=p.mean(farther))


# ------------------------------------------------------------------------------- Proposition 3.3, Lemma C.1, Theorem 6.1


def cubic_term(p: LinearPolicy) -> Tensor:
    """√6·E‖Φ_x‖³·‖D‖³."""
    sizes = (p.prompts * largest_singular_value(p.features).pow(3)).sum(-1)
    return torch.sqrt(torch.full_like(sizes, 6.0)) * sizes * p.length.pow(3)


def scores(p: LinearPolicy) -> Tensor:
    """∇ log π_θ(y|x) at θ* `[X, Y, n]`, by differentiating the policy."""

    def log_policy(moved: Tensor) -> Tensor:
        return torch.log_softmax(p.base + p.features @ moved, -1)

    return torch.func.jacrev(log_policy)(torch.zeros_like(p.displacement))


@theorem(
    "AC-3.3:softmax",
    source=alignment_collapse("Proposition 3.3", "(1)"),
    stance=Stance.PROVED,
    over=linear_policies(),
    mutants=NOT_QUITE,
    group="AC-softmax",
    undecidable=(
        "under smoothness alone, with infinitely many prompts or responses, the statement is false (a family of order |theta|^a, "
        "2 < a < 3, is in the module's text); for finitely many a constant exists, so no finite instance can show that."
    ),
)
def drop_is_quadratic(
    p: LinearPolicy, c: Tensor = constant("1/54", scales="larger", unit="sqrt 6 E|Phi|^3 |D|^3")
) -> Sides:
    """|Δu - ½·DᵀFD| <= C·‖D‖³ with C = (√6/54)·E‖Φ_x‖³, for logits linear in the parameters."""
    positive("an update", p.length)
    quadratic = p.displacement @ p.fisher @ p.displacement
    return Sides(smaller=(p.drop - 0.5 * quadratic).abs(), larger=c * cubic_term(p))


@theorem(
    "AC-3.3:gaussian",
    source=alignment_collapse("Proposition 3.3", "(1)"),
    stance=Stance.PROVED,
    over=skill_steps(kinds=["gaussian"], bends=[1.0]),
    mutants={"9/20": {"c": "9/20"}},
    group="AC-step",
)
def drop_of_a_gaussian_is_quadratic(p: SkillStep, c: Tensor = constant("1/2", unit="beta sqrt(l1) |D|^3")) -> Sides:
    """|Δu - ½·DᵀFD| <= C·‖D‖³ + ⅛·β²·‖D‖⁴ with C = ½·β·√λ_1, for responses N(f, I) with f = J·D + ½·B[D, D]."""
    positive("an update", p.step_norm)
    quadratic = 0.5 * p.linear(p.step).square().sum(-1)
    size = p.bend_norm * p.step_norm.square()
    positive("the outputs are curved", size)
    larger = c * size * p.lambda_max.sqrt() * p.step_norm + 0.125 * size.square()
    return Sides(smaller=(p.drop(p.step) - quadratic).abs(), larger=larger)


@theorem(
    "AC-C1:proved",
    source=alignment_collapse("Lemma C.1"),
    stance=Stance.PROVED,
    over=linear_policies(),
    mutants=NOT_QUITE,
    group="AC-softmax",
    undecidable="for infinitely many responses bounded third derivatives do not give Assumption 4, as for AC-3.3.",
)
def drop_ge_quadratic(p: LinearPolicy, c: Tensor = constant("1/54", unit="sqrt 6 E|Phi|^3 |D|^3")) -> Sides:
    """Δu >= ½·DᵀFD - C·‖D‖³ with F the expected outer product of scores and C = (√6/54)·E‖Φ_x‖³."""
    rows = (p.prompts[:, None] * p.aligned).sqrt().unsqueeze(-1) * scores(p)
    quadratic = (rows.flatten(0, 1) @ p.displacement).square().sum()
    bound = 0.5 * quadratic - c * cubic_term(p)
    positive("the bound says something", bound)
    return Sides(smaller=bound, larger=p.drop)


@theorem(
    "AC-6.1:softmax",
    source=alignment_collapse("Theorem 6.1"),
    stance=Stance.PROVED,
    over=shaped_policies(),
    mutants=NEAR_ONE,
    group="AC-softmax",
)
def drop_ge_what_lies_in_the_top_subspace(
    p: ShapedPolicy, c: Tensor = constant(1, printed="1/2 as R -> 0", scales="smaller", unit="psi(-R) |F^1/2 P D|^2")
) -> Sides:
    """Δu >= ψ(-R)·‖F^½·P·D‖² for every update, R the largest spread of a prompt's logit changes."""
    ordered = torch.cat([p.roots[:-1] - p.roots[1:], p.roots[-1:]])
    premise("the roots fall", ordered.amin())
    policy = p.linear
    R = spread(policy.shifts).amax()
    positive("the update changes a logit", R)
    inside = (p.eigenvalues[: p.top] * p.coordinates[: p.top].square()).sum()
    return Sides(
        smaller=c * exponential_remainder(-torch.where(R > 0, R, torch.ones_like(R))) * inside, larger=policy.drop
    )
