"""Theorem 4.1 and its lemmas: what a random update does.

Statement (printed), g uniform on the unit sphere of R^n, Δθ = η·g, F the Fisher matrix, P an orthogonal projector of
rank d:
  Lemma A.1: E[g·gᵀ] = I/n. Lemma A.2: E[gᵀAg] = Tr(A)/n for symmetric A.
  Lemma A.3: Pr[|‖Pg‖² - d/n| >= ε·d/n] <= 2·exp(-c·ε²·d) for ε in (0, 1) and some c > 0.
  Lemma A.4: gᵀFg <= λ_1·‖Pg‖² + λ_{d+1}·(1 - ‖Pg‖²). Lemma A.5: zᵀFz >= λ·‖Pz‖² where λ_d >= λ. P: onto the top d
  eigenvectors.
  Theorem 4.1: (1) E[Δu] = η²·Tr(F)/(2n) + O(η³); (2) ‖Pg‖² = Θ(d/n) for any P of rank d, with the probability of Lemma
  A.3, "this further implies" Δu = O(d·η²·(1 + ε)·λ_1/n).
What is wrong: (2). On that event the part of g outside Im P is still there, and costs up to η²·λ_{d+1}/2. For F = λ_1·I
and B = 0, Δu = η²·λ_1/2 for every g, however small d/n is: no constant K helps once n > 2·K·d·(1 + ε). The paper's (9)
keeps the term and (10) drops it, "when λ_{d+1} is negligible". Also, the last step of the proof of Lemma A.3 takes (1 +
ε)/(1 - ε) <= 1 + ε, which holds for no ε in (0, 1); the lemma is true all the same.
Corrected: on the event ‖Pg‖² <= (1 + ε)·d/n, P onto the top d eigenvectors, Δu <= (η²/2)·[λ_1·x + λ_{d+1}·(1 - x)] +
C·η³ with x = min(1, (1 + ε)·d/n); the bracket grows with x, so Lemma A.4 gives it.
Premises: 0 < ε < 1; the policy is the Gaussian N(f, I) with f = J·D + ½·B[D, D] and F = JᵀJ, so that Δu = ½·‖f‖²
exactly.
Constants: A.3 with c = (1 - ln 2)/2; printed: none. For t = 1 ± ε, Chernoff's bound for ‖Pg‖² = X/(X + Y), X and Y
independent chi-square of d and n - d degrees: Pr <= E exp(s·(n·X - t·d·(X + Y))) with s = (t - 1)/(2t·(n - t·d)), which
is t^(d/2)·(1 + (1 - t)·d/(n - d))^((n-d)/2) <= exp((d/2)·(1 - t + ln t)) (where t·d >= n the probability is 0). Below:
ε + ln(1 - ε) <= -ε²/2. Above: (ε - ln(1 + ε))/ε² falls with ε, so it is at least 1 - ln 2. Each tail is at most exp(-(1
- ln 2)·ε²·d/2). The claims leave out where the bound is not below 1: ε²·d <= 2·ln 2/(1 - ln 2) = 4.518….
  Remainders, β = sup ‖B[g, g]‖ over unit g: Δu = η²·gᵀFg/2 + η³·⟨Jg, B[g, g]⟩/2 + η⁴·‖B[g, g]‖²/8, so C = ½·β·√λ_1 +
  ⅛·β²·η. Here β² <= Σ_k ‖B_k‖², by Frobenius norms in (2), by operator norms in (1). Averaged, the odd term vanishes
  and E[g_i·g_j·g_k·g_l] = (δ_ij·δ_kl + δ_ik·δ_jl + δ_il·δ_jk)/(n(n + 2)) gives exactly E[Δu] = η²·Tr(F)/(2n) + η⁴/(8n(n
  + 2))·Σ_k (2·‖B_k‖_F² + Tr(B_k)²).
Equality case: A.4 where the top eigenvalues are equal and the others are; A.5 where the others are 0 and P·z is an
eigenvector of λ_d.
Numerics: averages over the sphere are exact: of a quadratic, over the vectors ± of any orthonormal basis (the lemmas'
proofs need no more); of a polynomial of degree 5, over the points ±e_i with weights (4 - n)/(2n(n + 2)) and (±e_i ±
e_j)/√2 with weights 1/(n(n + 2)), in any orthonormal basis. The law of ‖Pg‖² is Beta(d/2, (n - d)/2), whose
distribution function is a finite binomial sum where d and n - d are even: the claim on A.3 is restricted to those.
Source: The Geometry of Alignment Collapse, Theorem 4.1 and Lemmas A.1 to A.5.
"""

import torch
from torch import Tensor

from boundcheck.claim import Identity, Sides, Stance, premise, scaled, theorem
from boundcheck.exact import constant
from boundcheck.geometry import largest_singular_value
from boundcheck.strategies import directions, projected_lengths, turned_directions
from boundcheck.strategies.directions import Direction, ProjectedLength, TurnedDirection
from boundcheck.theorems.alignment_collapse.setting import alignment_collapse, positive

THEOREM_1 = alignment_collapse("Theorem 4.1 (1)")
THEOREM_2 = alignment_collapse("Theorem 4.1 (2)")


def eigenvalues_fall(p: Direction) -> None:
    """The first d columns of V are the top eigenvectors of F: μ_1 >= … >= μ_q >= 0, and μ_1 > 0."""
    premise("the roots fall", torch.cat([p.roots[:-1] - p.roots[1:], p.roots[-1:]]).amin())
    positive("F is not 0", p.roots[0])


def one_value_on_top(p: Direction) -> bool:
    """Structures whose d largest eigenvalues are equal."""
    return p.top == 1 or p.spectrum in ("flat", "steps")


def one_value_on_either_side(p: Direction) -> bool:
    """Structures whose d largest eigenvalues are equal, and whose others are."""
    q, n = p.roots.shape[-1], p.dim
    rest = q == p.top or n - p.top == 1 or (q == n and p.spectrum in ("flat", "steps"))
    return one_value_on_top(p) and rest


# ------------------------------------------------------------------------------------------------------ Lemmas A.1 and A.2


@theorem(
    "AC-A1:proved",
    source=alignment_collapse("Lemma A.1"),
    stance=Stance.PROVED,
    over=turned_directions(),
    mutants={"1e-6 off": scaled("1000001/1000000")},
    group="AC-sphere",
)
def second_moment_eq_identity(p: TurnedDirection) -> Identity:
    """aᵀ·E[g·gᵀ]·b = ⟨a, b⟩/n for all a and b."""
    points = torch.cat([p.frame, -p.frame])
    products = (points @ p.probes[0]) * (points @ p.probes[1])
    return Identity(left=products.mean(), right=(p.probes[0] * p.probes[1]).sum() / p.dim)


@theorem(
    "AC-A2:proved",
    source=alignment_collapse("Lemma A.2"),
    stance=Stance.PROVED,
    over=turned_directions(),
    mutants={"1e-6 off": scaled("1000001/1000000")},
    group="AC-sphere",
)
def mean_of_form_eq_trace(p: TurnedDirection) -> Identity:
    """E[gᵀAg] = Tr(A)/n for symmetric A."""
    A = p.fisher - torch.outer(p.probes[0], p.probes[0])
    points = torch.cat([p.frame, -p.frame])
    return Identity(left=((points @ A) * points).sum(-1).mean(), right=torch.trace(A) / p.dim)


# --------------------------------------------------------------------------------------------------------------- Lemma A.3


def binomial(p: ProjectedLength, x: Tensor, most: int) -> Tensor:
    """Pr[Bin(N, x) = j] for j = 0, …, most, with N = n/2 - 1 and 0 < x < 1."""
    N = p.top_half + p.rest_half - 1
    j = torch.arange(1, most + 1, dtype=x.dtype, device=x.device)
    steps = torch.log((N + 1 - j) / j) + (torch.log(x) - torch.log1p(-x))
    logs = torch.cat([torch.zeros_like(x).unsqueeze(0), torch.cumsum(steps, 0)])
    return torch.exp(N * torch.log1p(-x) + logs)  # products would overflow and underflow


def upper_tail(p: ProjectedLength) -> Tensor:
    """Pr[‖Pg‖² >= (1 + ε)·d/n]: with a = d/2 and N = n/2 - 1, Pr[Beta(a, N + 1 - a) >= x] = Pr[Bin(N, x) <= a - 1]."""
    above = (1 + p.epsilon) * p.top / p.dim
    inside = torch.where(above < 1, above, torch.full_like(above, 0.5))
    tail = binomial(p, inside, p.top_half - 1).sum()
    return torch.where(above < 1, tail, torch.zeros_like(tail))


def lower_tail(p: ProjectedLength) -> Tensor:
    """Pr[‖Pg‖² <= (1 - ε)·d/n]."""
    below = (1 - p.epsilon) * p.top / p.dim
    return binomial(p, below, p.top_half + p.rest_half - 1)[p.top_half :].sum()


def rate(p: ProjectedLength, c: Tensor) -> Tensor:
    """c·(1 - ln 2)·ε²·d; the premises of Lemma A.3."""
    positive("epsilon > 0", p.epsilon)
    positive("epsilon < 1", 1 - p.epsilon)
    return c * (1 - torch.log(torch.full_like(p.epsilon, 2.0))) * p.epsilon.square() * p.top


@theorem(
    "AC-A3:proved",
    source=alignment_collapse("Lemma A.3"),
    stance=Stance.PROVED,
    over=projected_lengths(),
    mutants={"exponent half as large again": {"c": "3/4"}},
)
def projected_length_concentrates(
    p: ProjectedLength, c: Tensor = constant("1/2", printed="some c > 0", unit="(1 - ln 2) eps^2 d in the exponent")
) -> Sides:
    """Pr[|‖Pg‖² - d/n| >= ε·d/n] <= 2·exp(-c·ε²·d) with c = (1 - ln 2)/2, for even d and n - d."""
    bound = 2 * torch.exp(-rate(p, c))
    positive("the bound is below 1", 1 - bound)
    return Sides(smaller=lower_tail(p) + upper_tail(p), larger=bound)


@theorem(
    "AC-A3:upper",
    source=alignment_collapse("Lemma A.3"),
    stance=Stance.PROVED,
    over=projected_lengths(max_top=600, max_dim=10**6),
    mutants={"exponent a fifth larger": {"c": "3/5"}},
)
def projected_length_is_not_long(
    p: ProjectedLength, c: Tensor = constant("1/2", unit="(1 - ln 2) eps^2 d in the exponent")
) -> Sides:
    """Pr[‖Pg‖² >= (1 + ε)·d/n] <= exp(-c·ε²·d) with c = (1 - ln 2)/2, for even d and n - d: the half that Theorem 4.1 needs."""
    positive("such a length is possible", p.dim - (1 + p.epsilon) * p.top)
    return Sides(smaller=upper_tail(p), larger=torch.exp(-rate(p, c)))


# ------------------------------------------------------------------------------------------------------ Lemmas A.4 and A.5


def form(p: Direction, z: Tensor) -> Tensor:
    """zᵀFz as ‖J·z‖², which keeps its digits in weak directions."""
    return (p.jacobian @ z).square().sum()


@theorem(
    "AC-A4:proved",
    source=alignment_collapse("Lemma A.4"),
    stance=Stance.PROVED,
    over=directions(max_dim=8),
    mutants={"0.999": {"c": "999/1000"}},
    equality_at=one_value_on_either_side,
    group="AC-direction",
)
def form_le_two_levels(p: Direction, c: Tensor = constant(1, scales="larger", unit="the bound")) -> Sides:
    """gᵀFg <= λ_1·‖Pg‖² + λ_{d+1}·(1 - ‖Pg‖²) for unit g, P onto the top d eigenvectors."""
    eigenvalues_fall(p)
    x = p.top_share
    return Sides(smaller=form(p, p.direction), larger=c * (p.largest * x + p.next_one * (1 - x)))


@theorem(
    "AC-A5:proved",
    source=alignment_collapse("Lemma A.5"),
    stance=Stance.PROVED,
    over=directions(max_dim=8),
    mutants={"1.001": {"c": "1001/1000"}},
    equality_at=lambda p: p.roots.shape[-1] == p.top,
    group="AC-direction",
)
def form_ge_top_share(p: Direction, c: Tensor = constant(1, scales="smaller", unit="lambda |Pz|^2")) -> Sides:
    """zᵀFz >= λ·‖Pz‖² for every z, with λ = λ_d, P onto the top d eigenvectors."""
    eigenvalues_fall(p)
    positive("lambda > 0", p.least_of_top)
    z = p.eta * p.direction
    return Sides(smaller=c * p.least_of_top * p.eta.square() * p.top_share, larger=form(p, z))


# -------------------------------------------------------------------------------------------------------- Theorem 4.1 (1)


def mean_drop(p: TurnedDirection) -> Tensor:
    """E[Δu(η·g)], by a design of degree 5: Δu without its odd part is a polynomial of degree 4."""
    n, frame = p.dim, p.frame
    pairs = torch.triu_indices(n, n, 1, device=frame.device)
    first, second = frame[pairs[0]], frame[pairs[1]]
    half = torch.sqrt(torch.full_like(p.eta, 0.5))
    diagonals = half * torch.cat([first + second, first - second, -first + second, -first - second])
    axes = torch.cat([frame, -frame])
    on_axes = p.drops(p.eta * axes).sum() * (4 - n) / (2 * n * (n + 2))
    return on_axes + p.drops(p.eta * diagonals).sum() / (n * (n + 2))


def leading(p: Direction) -> Tensor:
    """η²·Tr(F)/(2n)."""
    return p.eta.square() * p.roots.square().sum() / (2 * p.dim)


@theorem(
    "AC-4.1.1:proved",
    source=THEOREM_1,
    stance=Stance.PROVED,
    over=turned_directions(max_dim=4),
    mutants={"1e-6 off": scaled("1000001/1000000")},
    group="AC-sphere",
)
def mean_drop_eq_trace_and_curvature(p: TurnedDirection) -> Identity:
    """E[Δu(η·g)] = η²·Tr(F)/(2n) + η⁴/(8n(n + 2))·Σ_k (2·‖B_k‖_F² + Tr(B_k)²) for a Gaussian policy."""
    B, n = p.curvature, p.dim
    traces = B.diagonal(dim1=-2, dim2=-1).sum(-1)
    quartic = (2 * B.square().sum((-1, -2)) + traces.square()).sum()
    return Identity(left=mean_drop(p), right=leading(p) + p.eta.pow(4) * quartic / (8 * n * (n + 2)))


@theorem(
    "AC-4.1.1:cubic",
    source=THEOREM_1,
    stance=Stance.PROVED,
    over=turned_directions(max_dim=4),
    mutants={"half the curvature": {"c": "1/16"}},
    group="AC-sphere",
)
def mean_drop_is_half_the_trace(p: TurnedDirection, c: Tensor = constant("1/8", unit="beta^2 eta in C")) -> Sides:
    """|E[Δu(η·g)] - η²·Tr(F)/(2n)| <= C·η³ with C = ½·β·√λ_1 + ⅛·β²·η, β² = Σ_k ‖B_k‖², for a Gaussian policy."""
    positive("the roots are not negative", p.roots.amin())
    beta = largest_singular_value(p.curvature).square().sum().sqrt()
    positive("B is not 0", p.bend.abs().amax())
    C = 0.5 * beta * p.roots.amax() + c * beta.square() * p.eta
    return Sides(smaller=(mean_drop(p) - leading(p)).abs(), larger=C * p.eta.pow(3))


# -------------------------------------------------------------------------------------------------------- Theorem 4.1 (2)


def on_the_event(p: Direction) -> Tensor:
    """(1 + ε)·d/n, where ‖Pg‖² is at most that; the premises of (2)."""
    eigenvalues_fall(p)
    positive("epsilon > 0", p.epsilon)
    positive("epsilon < 1", 1 - p.epsilon)
    positive("eta > 0", p.eta)
    edge = (1 + p.epsilon) * p.top / p.dim
    premise("|Pg|^2 <= (1 + eps) d/n", edge - p.top_share)
    return edge


def frobenius(p: Direction) -> Tensor:
    """An upper bound on β = sup ‖B[g, g]‖ over unit g."""
    return p.curvature.square().sum().sqrt()


@theorem(
    "AC-4.1.2:printed",
    source=THEOREM_2,
    stance=Stance.PRINTED,
    over=directions(min_dim=8),
    refuted_by="instance",
    group="AC-direction",
)
def drop_le_top_share(
    p: Direction, K: Tensor = constant(4, printed="O(1)", scales="larger", unit="d eta^2 (1 + eps) l1 / n")
) -> Sides:
    """Δu <= K·d·η²·(1 + ε)·λ_1/n on the event ‖Pg‖² <= (1 + ε)·d/n, for small η, any P of rank d, with K = 4."""
    edge = on_the_event(p)
    premise("eta is small: curvature moves outputs by at most a tenth", 0.1 * p.roots[0] - frobenius(p) * p.eta)
    return Sides(smaller=p.drop(p.eta * p.direction), larger=K * edge * p.eta.square() * p.largest)


@theorem(
    "AC-4.1.2:corrected",
    source=THEOREM_2,
    stance=Stance.CORRECTED,
    over=directions(max_dim=8),
    mutants={"0.49": {"c": "49/100"}, "half the curvature": {"k": "1/4"}},
    equality_at=one_value_on_either_side,
    group="AC-direction",
)
def drop_le_two_levels(
    p: Direction,
    c: Tensor = constant("1/2", unit="eta^2 (l1 x + l_{d+1} (1 - x)), beside C eta^3"),
    k: Tensor = constant("1/2", unit="beta sqrt(l1) in C"),
) -> Sides:
    """Δu <= (η²/2)·[λ_1·x + λ_{d+1}·(1 - x)] + C·η³ on the event, x = min(1, (1 + ε)·d/n), C = ½·β·√λ_1 + ⅛·β²·η."""
    x = torch.clamp(on_the_event(p), max=1.0)
    levels = p.largest * x + p.next_one * (1 - x)
    beta = frobenius(p)
    C = k * beta * p.roots[0] + 0.125 * beta.square() * p.eta
    return Sides(smaller=p.drop(p.eta * p.direction), larger=c * p.eta.square() * levels + C * p.eta.pow(3))
