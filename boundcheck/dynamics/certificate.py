"""How far the iterates of a descent in floats are from the exact ones, and where the exact ones end: the proof.

θ_0, …, θ_T are the computed iterates, T(θ) = θ - η·∇L(θ) with ∇L = α·Jᵀr the exact step, θ*_t = Tᵗ(θ_0) the exact iterates,
d_t = ‖θ_t - θ*_t‖, and β bounds the Lipschitz constant of J, everywhere or between any two points of the ball B_0 of radius ρ_0
around θ_0. All θ_t lie within M of θ_0. B is the ball of radius M + D around θ_0 for a D yet to be justified, and
S = ‖J(θ_0)‖ + β·(M + D), so that ‖J‖ <= S on B.

*Ball.* Where β holds on B_0 only, each part below is proved only if all points that it speaks of lie in B_0, and is unknown
(+inf) elsewhere: for *Drift*, M + D <= ρ_0. For *Tail*, ‖θ_T - θ_0‖ + D + P·ρ/(αs) <= ρ_0: from any p of the segment the descent
runs at most P·ρ/(αs) far, and the argument in `contraction` looks only at points no farther from p than that. For *Prediction*,
‖θ_T - θ_0‖ + λ <= ρ_0, since the mean of J is taken on a segment between two points within λ of θ_T. A ball is convex, so with
two points it holds the segment between them.

*Rounding.* ‖θ_{t+1} - T(θ_t)‖ <= δ, and computed residuals are within ε of the exact ones at θ_t: a priori bounds for every θ
within M of θ_0 (`boundcheck.rigor.magnitude`), so for every step. They are proved of the formulas of `outputs` and `pullback`,
whichever way a product of matrices sums its terms; what runs is `Family.passes`, which may differ from these in nothing else.

*Drift.* The derivative of T is I - ηα²·JᵀJ - ηα·Σ r_i·∇²f_i. Where ηα²S² <= 2 the first two terms have norm at most 1; the
last has norm at most ηαβ‖r‖. On the segment from θ_t to θ*_t, ‖r‖ <= ‖r_t‖ + αS·d_t. So as long as d_t <= D,
`d_{t+1} <= (1 + ηαβ(‖r_t‖ + αS·D))·d_t + δ`, and by induction `d_t <= T·δ·exp(X)`, X = ηαβ·Σ_{t<T}(‖r_t‖ + αS·D).
A D that is at least this bound (in which it occurs) has justified itself.

*Tail.* Now let s, S, ρ bound σ_min(J) from below, ‖J‖ and ‖r‖ from above on the ball of radius D around θ_T, which holds θ*_T,
and let e be a witness for a = βρ/(αs²) and h = ηα²S² (see `contraction`). From every point p of the segment [θ_T, θ*_T] the
exact descent then converges, to Φ(p) say; on its way ‖J‖ <= (1 + e)S, hence ηα²‖J‖² < 2 as A > 0, and the residuals shrink by
exp(-A·ηα²s²/2) a step. So Φ has the Lipschitz constant exp(ηαβ·Σ‖r‖) <= exp(a(h + 2/A)) on the segment, and
‖Φ(θ_T) - θ_T‖ <= ℓ = P‖r_T‖/(αs). The exact limit is Φ(θ*_T): within `D·exp(a(h + 2/A)) + ℓ` of θ_T, as are all exact iterates
that were not computed. The rest of the exact path is at most P·ρ/(αs) long. Whether the lane had reached its tolerance is
not asked.

*Prediction.* The limit is known much better. With J = J(θ_T), Π the projection onto its row space and t counted from θ_T, the
part of Φ(θ_T) - θ_T outside the row space is -ηα·Σ(I - Π)(J_t - J)ᵀr_t, of norm at most ηαβ·Σ‖θ_t - θ_T‖·‖r_t‖. There
‖θ_t - θ_T‖ <= P(‖r_T‖ - ‖r_t‖)/(αs) and A·ηα²s²‖r_t‖/2 <= ‖r_t‖ - ‖r_{t+1}‖, so what is summed is a lower Riemann sum of a
triangle, and the part is at most q = (P/A)·β(‖r_T‖/α)²/s³. Let θ̂ be any point with θ̂ - θ_T within ω of the row space: the
part of x = θ̂ - Φ(θ_T) outside it is at most q + ω, and since r(Φ(θ_T)) = 0, the mean of J between both points gives
(s - βλ)·‖Πx‖ <= ‖r(θ̂)‖/α + βλ(q + ω), λ being the larger of ℓ and ‖θ̂ - θ_T‖. So a few Newton steps from θ_T, all within the
row space of one J, end within about q of Φ(θ_T): quadratically closer than θ_T itself, and for a linear model (β = 0) at
Φ(θ_T) itself, however far off that was.

With compensation (`running.run`) θ_t stands for the sum of the iterate and what rounding has cut off it, of norm at most
C = u·max‖θ_t‖: this sum is rounded by less, but its steps are evaluated C beside it. Gradient flow is the case η = 0 of *Tail*
and *Prediction*, with integrals for sums.

Every formula is evaluated at the unfavourable ends of what it is made of; `UP` covers its own roundings.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from boundcheck.dynamics import contraction
from boundcheck.dynamics.bounds import TINY, UP, Bounds, Point, bound, norm
from boundcheck.dynamics.fine_tuning import FineTuning, Setup
from boundcheck.dynamics.running import Run
from boundcheck.rigor.enclosure import UNIT_ROUNDOFF

NEWTON_STEPS = 3
"""More would only help far from the limit, where q is large anyway."""


@dataclass(frozen=True)
class Drift:
    """What T steps have accumulated.

    Attributes:
        distance: D, from every computed iterate to the exact one of the same number.
        moves: how far the lengths of all steps together may be off.

    """

    distance: Tensor
    moves: Tensor


@dataclass(frozen=True)
class Limit:
    """Where a descent that is `distance` from θ_T goes.

    Attributes:
        centre, radius: the limit is within `radius` of `centre`.
        reach: no later iterate is farther than this from θ_T.
        length: nor is the rest of the path longer than this.

    """

    centre: Tensor
    radius: Tensor
    reach: Tensor
    length: Tensor


def certified(bounds: Bounds, run: Run, marks: list[int]) -> FineTuning:
    """The run with the radii that are proved: none for a lane whose steps are not positive."""
    setup = bounds.setup
    start = bounds.at(setup.theta0)
    drift = drift_of(bounds, run, start)
    descending = torch.where(setup.eta > 0, drift.distance, torch.inf)
    limit = limit_from(bounds, run.theta, descending, setup.eta)
    n = setup.theta0.shape[-1]
    a = start.beta * start.residual / (setup.alpha * start.smallest.square())
    h = setup.eta * (setup.alpha * start.largest).square()
    picked = reach_of(run) * (n + 8) * 2.0**-51 + n * TINY  # a farther iterate may have looked nearer by so much
    summed = run.length * (run.steps + n + 8) * 2.0**-51 + run.steps * n * TINY
    path, path_steps = run.shown(marks)
    return FineTuning(
        **{f.name: getattr(setup, f.name) for f in fields(Setup)},
        tuned=limit.centre,
        tuned_radius=limit.radius,
        farthest=run.farthest,
        farthest_radius=bound((limit.reach + picked) * UP),
        path=path,
        path_radius=drift.distance,
        path_steps=path_steps,
        path_length=run.length,
        length_radius=bound((drift.moves + summed + limit.length) * UP),
        slack=torch.nan_to_num(contraction.slack(a, h), nan=0.5),
    )


def drift_of(bounds: Bounds, run: Run, start: Point) -> Drift:
    """*Rounding* and *Drift*."""
    setup, steps, M = bounds.setup, run.steps, reach_of(run)
    underflow = setup.y_train[0].numel() * TINY
    top = run.residual_top * UP + underflow
    off, pulled_off = bounds.roundings(M, top)
    residual_sum = run.residual_sum * UP + steps * (underflow + off)
    cut = UNIT_ROUNDOFF * (norm(setup.theta0) + M) * UP  # of a sum θ - step
    carried = torch.where(run.compensated, cut, 0.0)
    rate = setup.eta * setup.alpha * UP + 2.0**-1000

    def attempt(D: Tensor) -> Drift:
        S = start.largest + start.beta * (M + D + carried)
        curvature = setup.eta * (setup.alpha * S).square() * UP
        step_off = rate * (pulled_off + S * (off + 2.0**-51 * (top + off))) + underflow
        X = rate * start.beta * (residual_sum + steps * setup.alpha * S * (D + carried)) * UP
        kept = steps * (curvature + 2.0**-50) * cut + X * cut + 2.0**-52 * run.length
        total = steps * step_off + torch.where(run.compensated, kept, steps * cut)
        bounded = torch.where(curvature <= 2, total * torch.exp(X) * UP, torch.inf)
        return Drift(bounded, steps * step_off + (steps * curvature + X) * (bounded + carried))

    D = 2 * attempt(torch.zeros_like(M)).distance
    proved = attempt(D)
    itself = (proved.distance <= D) & setup.established & bounds.within((M + D + carried) * UP)
    distance = torch.where(itself, (proved.distance + carried) * UP, torch.inf)
    moves = torch.where(itself, proved.moves * UP, torch.inf)
    return Drift(torch.where(steps == 0, 0.0, bound(distance)), torch.where(steps == 0, 0.0, bound(moves)))


def limit_from(bounds: Bounds, theta: Tensor, distance: Tensor, eta: Tensor) -> Limit:
    """*Tail* and *Prediction*, for an exact iterate within `distance` of θ_T and steps of size η."""
    setup, end = bounds.setup, bounds.at(theta)
    alpha = setup.alpha
    s = (end.smallest - end.beta * distance * UP) / UP
    S = (end.largest + end.beta * distance) * UP
    residual = (end.residual + alpha * S * distance) * UP
    a = end.beta * residual / (alpha * s.square()) * UP
    h = eta * (alpha * S).square() * UP
    e = contraction.slack(a, h)
    A, P = contraction.rate(e, h) / UP, contraction.path_factor(e, h) * UP
    admissible = (s > 0) & (A > 2.0**-10) & (a * P <= e / UP) & setup.established
    apart = distance * torch.exp(a * (h + 2 / A) * UP) * UP
    tail = P * end.residual / (alpha * s) * UP
    rest = P * residual / (alpha * s) * UP
    gone = norm(theta - setup.theta0)
    admissible &= bounds.within((gone + distance + rest) * UP)
    centre, radius = _predicted(bounds, theta, end, s, tail, P / A * UP)
    better = radius < tail
    centre = torch.where(better[..., None], centre, theta)
    radius = torch.where(better, radius, tail) + apart
    still = (end.residual == 0) & (distance == 0)
    admissible &= (alpha > 0) & (eta >= 0)

    def where_known(value: Tensor) -> Tensor:
        return torch.where(still, 0.0, torch.where(admissible, bound(value * UP), torch.inf))

    known = (admissible & ~still)[..., None]
    return Limit(torch.where(known, centre, theta), where_known(radius), where_known(tail + apart), where_known(rest))


def _predicted(
    bounds: Bounds, theta: Tensor, end: Point, s: Tensor, tail: Tensor, factor: Tensor
) -> tuple[Tensor, Tensor]:
    """*Prediction*: a point near Φ(θ_T), and how near."""
    alpha = bounds.setup.alpha
    centre, wrong = _newton(bounds, theta)
    farther = torch.maximum(tail, norm(centre - theta))
    outside = factor * end.beta * (end.residual / alpha).square() / s.pow(3) * UP + wrong + TINY
    slower = s - end.beta * farther * UP
    inside = (bounds.residual_at(centre) / alpha + end.beta * farther * outside) / slower
    known = (slower > 0) & bounds.within((norm(theta - bounds.setup.theta0) + farther) * UP)
    return centre, torch.where(known, bound((outside + inside) * UP * UP), torch.inf)


def _newton(bounds: Bounds, theta: Tensor) -> tuple[Tensor, Tensor]:
    """A point where r_S nearly vanishes, and how far it is at most from θ plus the row space of J_S(θ).

    How well the equations are solved only decides how near to 0 the residual gets.
    """
    setup = bounds.setup
    jacobian = setup.family.jacobian(theta, setup.frozen, setup.x_train).flatten(-3, -2)
    gram = jacobian @ jacobian.mT
    centre, wrong = theta, torch.zeros_like(setup.alpha)
    for _ in range(NEWTON_STEPS):
        residual = setup.residual(centre) / setup.alpha[..., None]
        weights = torch.linalg.solve_ex(gram, residual[..., None]).result.squeeze(-1)
        step, off = bounds.pulled(theta, weights)
        ahead = centre - step
        taken = ahead.isfinite().all(-1) & off.isfinite()
        centre = torch.where(taken[..., None], ahead, centre)
        wrong = wrong + torch.where(taken, off + UNIT_ROUNDOFF * norm(centre), 0.0) * UP
    return centre, wrong


def reach_of(run: Run) -> Tensor:
    """M: at least ‖θ_t - θ_0‖ for every iterate."""
    return run.far_distance * UP + run.theta.shape[-1] * TINY
