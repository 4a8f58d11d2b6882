"""Gradient descent in batches, run to its limit, with a certified distance to the exact limit.

The float iterates obey θ_{t+1} = T(θ_t) + δ_t with T the exact step. Two things separate the last one from the limit θ̂ of the
*exact* descent from θ_0:

* the tail: the exact descent restarted at θ_T moves at most P·‖r_T‖/(α·s), with s, S, R taken at θ_T (`contraction`);
* the roundings: the limit as a function of the start is Lipschitz with constant at most Π‖I - η∇²L‖ along the path, and
  ‖I - η∇²L(θ)‖ <= 1 + η·α·β_S·‖r‖ while η·α²·S(θ)² <= 2. So T roundings of size δ move the limit by at most
  T·δ·exp(η·α·β_S·Σ‖r_t‖).

δ is the radius of one enclosed step, the larger of the first's and the last's, doubled because the iterates between are not
enclosed one by one; the exponent is taken 2 % larger, for the exact paths beside the computed one. Both rest on β_S being a
global bound, as it is for the closed-form families; for other families every radius is infinite.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from boundcheck.dynamics import contraction
from boundcheck.dynamics.fine_tuning import FineTuning, Setup
from boundcheck.geometry import singular_values
from boundcheck.rigor import Enclosure, Traced, trace
from boundcheck.rigor.enclosure import UNIT_ROUNDOFF

CHECK_EVERY = 32
DIVERGED = 1e3


@dataclass
class _State:
    """What one descent carries, a row a lane still running."""

    theta: Tensor
    length: Tensor
    residual_sum: Tensor
    far_distance: Tensor
    farthest: Tensor
    path: Tensor
    steps: Tensor
    residual: Tensor

    def pick(self, lanes: Tensor) -> "_State":
        return _State(**{f.name: getattr(self, f.name)[lanes] for f in fields(self)})

    def put(self, lanes: Tensor, part: "_State", rows: Tensor) -> None:
        for f in fields(self):
            getattr(self, f.name)[lanes] = getattr(part, f.name)[rows]


def descend(setup: Setup, *, tolerance: float = 1e-9, max_steps: int = 8192) -> FineTuning:
    """Run θ ← θ - η·α·J_Sᵀ·r_S from θ_0 in every lane until ‖r‖ <= tolerance·‖r_0‖.

    Args:
        setup: the batch `[lanes]`.
        tolerance: relative residual at which a lane stops.
        max_steps: a lane that has not stopped by then keeps its last iterate with an infinite radius (inconclusive, not
            wrong); so does one that diverges.

    Memory: about `lanes·n·(checkpoints + 6)` doubles. Time: one forward and one backward pass of all running lanes a step.

    """
    marks = _checkpoints(max_steps)
    final, converged = _run(setup, marks, tolerance, max_steps)
    path, path_steps = _checkpoint_iterates(final, marks)
    return _certify(setup, final, path, path_steps, converged)


def _checkpoints(max_steps: int) -> list[int]:
    return [2**j for j in range(max_steps.bit_length()) if 2**j <= max_steps]


def _run(setup: Setup, marks: list[int], tolerance: float, max_steps: int) -> tuple[_State, Tensor]:
    device = setup.theta0.device
    start = torch.linalg.vector_norm(setup.residual(setup.theta0), dim=-1)
    zeros = torch.zeros_like(start)
    state = _State(
        theta=setup.theta0.clone(),
        length=zeros.clone(),
        residual_sum=zeros.clone(),
        far_distance=zeros.clone(),
        farthest=setup.theta0.clone(),
        path=setup.theta0[:, None, :].repeat(1, len(marks), 1),
        steps=zeros.clone(),
        residual=start.clone(),
    )
    converged = start == 0
    alive = torch.nonzero(~converged & start.isfinite()).squeeze(-1)
    part, live = state.pick(alive), _lanes_of(setup, alive)
    step = 0
    while step < max_steps and len(alive):
        before = _State(**{f.name: getattr(part, f.name).clone() for f in fields(part)})
        for _ in range(min(CHECK_EVERY, max_steps - step)):
            _advance(live, part)
            step += 1
            if step in marks:
                part.path[:, marks.index(step)] = part.theta
        part.residual = torch.linalg.vector_norm(live.residual(part.theta), dim=-1)
        lost = ~(part.residual <= DIVERGED * start[alive]) | ~part.theta.isfinite().all(-1)
        part.put(torch.nonzero(lost).squeeze(-1), before, torch.nonzero(lost).squeeze(-1))
        done = part.residual <= tolerance * start[alive]
        leaving = torch.nonzero(done | lost).squeeze(-1)
        state.put(alive[leaving], part, leaving)
        converged[alive[done & ~lost]] = True
        staying = torch.nonzero(~(done | lost)).squeeze(-1)
        if len(staying) < len(alive):
            alive, part = alive[staying], part.pick(staying)
            live = _lanes_of(live, staying)
    state.put(alive, part, torch.arange(len(alive), device=device))
    return state, converged


def _checkpoint_iterates(state: _State, marks: list[int]) -> tuple[Tensor, Tensor]:
    """Iterates and their step numbers; a checkpoint after a lane had stopped shows its last iterate."""
    planned = torch.tensor(marks, dtype=torch.float64, device=state.theta.device)
    beyond = planned > state.steps[:, None]
    path = torch.where(beyond[..., None], state.theta[:, None, :], state.path)
    return path, torch.where(beyond, state.steps[:, None], planned)


def _lanes_of(setup: Setup, lanes: Tensor) -> Setup:
    return setup.with_leaves({name: tensor[lanes] for name, tensor in setup.leaves().items()})


def _step(setup: Setup, theta: Tensor) -> tuple[Tensor, Tensor]:
    """η·α·J_Sᵀ·r_S and r_S at θ."""
    residual = setup.residual(theta)
    cotangent = residual.unflatten(-1, setup.y_train.shape[-2:])
    gradient = setup.family.pullback(theta, setup.frozen, setup.x_train, cotangent)
    return (setup.eta * setup.alpha)[..., None] * gradient, residual


def _advance(setup: Setup, state: _State) -> None:
    move, residual = _step(setup, state.theta)
    state.residual_sum = state.residual_sum + torch.linalg.vector_norm(residual, dim=-1)
    state.length = state.length + torch.linalg.vector_norm(move, dim=-1)
    state.theta = state.theta - move
    state.steps = state.steps + 1
    distance = torch.linalg.vector_norm(state.theta - setup.theta0, dim=-1)
    farther = distance > state.far_distance
    state.far_distance = torch.where(farther, distance, state.far_distance)
    state.farthest = torch.where(farther[:, None], state.theta, state.farthest)


def _certify(setup: Setup, state: _State, path: Tensor, path_steps: Tensor, converged: Tensor) -> FineTuning:
    traced = _trace_step(setup)
    at_start = _enclosed_step(traced, setup, setup.theta0)
    at_end = _enclosed_step(traced, setup, state.theta)
    beta = at_start.beta.upper
    moved = state.far_distance * (1 + 2.0**-40)
    curvature = setup.eta * setup.alpha.square() * (at_start.largest.upper + beta * moved).square()
    amplification = torch.exp(1.02 * setup.eta * setup.alpha * beta * state.residual_sum)
    size = torch.maximum(torch.linalg.vector_norm(setup.theta0, dim=-1), torch.linalg.vector_norm(state.theta, dim=-1))
    rounding = 2 * torch.maximum(at_start.step_radius, at_end.step_radius) + UNIT_ROUNDOFF * (size + moved)
    known = curvature <= 2 if setup.established else torch.zeros_like(converged)
    drift = torch.where(known, state.steps * rounding * amplification, torch.inf)
    drift = torch.where(state.steps == 0, 0.0, torch.nan_to_num(drift, nan=torch.inf, posinf=torch.inf))
    tail = torch.where(converged & (known | (state.steps == 0)), _tail(setup, at_end), torch.inf)
    tuned_radius = (drift + tail) * (1 + 2.0**-30)
    gross = state.steps * (2 * UNIT_ROUNDOFF * state.length + 2 * drift)
    e = contraction.slack(
        beta * at_start.residual.mid / (setup.alpha * at_start.smallest.mid.square()), _h(setup, at_start.largest.mid)
    )
    return FineTuning(
        **{f.name: getattr(setup, f.name) for f in fields(Setup)},
        tuned=state.theta,
        tuned_radius=tuned_radius,
        farthest=state.farthest,
        path=path,
        path_radius=torch.where(converged, drift, torch.inf),
        farthest_radius=torch.where(converged, drift + tail, torch.inf),
        path_steps=path_steps,
        path_length=state.length,
        length_radius=torch.nan_to_num(gross + tail, nan=torch.inf, posinf=torch.inf),
        slack=torch.nan_to_num(e, nan=0.5),
    )


def _h(setup: Setup, largest: Tensor) -> Tensor:
    return setup.eta * setup.alpha.square() * largest.square()


def _tail(setup: Setup, at: "_EnclosedStep") -> Tensor:
    """P·‖r‖/(α·s) at the last iterate, every quantity at its unfavourable end; +inf where no e is admissible."""
    smallest = at.smallest.lower.clamp(min=0)
    residual = at.residual.upper
    a = at.beta.upper * residual / (setup.alpha * smallest.square()) * (1 + 2.0**-40)
    h = _h(setup, at.largest.upper) * (1 + 2.0**-40)
    e = contraction.slack(a, h)
    factor = contraction.path_factor(e, h) * (1 + 2.0**-40)
    admissible = (contraction.rate(e, h) > 2.0**-10) & (a * factor <= e * (1 - 2.0**-40)) & (smallest > 0)
    tail = factor * residual / (setup.alpha * smallest) * (1 + 2.0**-40)
    return torch.where(residual == 0, 0.0, torch.where(admissible, tail, torch.inf))


@dataclass(frozen=True)
class _EnclosedStep:
    """One gradient step and what the tail needs, enclosed."""

    smallest: Enclosure
    largest: Enclosure
    residual: Enclosure
    beta: Enclosure
    step_radius: Tensor


def _trace_step(setup: Setup) -> Traced:
    """Singular values of J_S, residual norm, step and β_S as a function of θ and the leaves of `setup`."""
    names = list(setup.leaves())

    def evaluate(theta: Tensor, *leaves: Tensor) -> list[Tensor]:
        here = setup.with_leaves(dict(zip(names, leaves, strict=True)))
        jacobian = here.family.jacobian(theta, here.frozen, here.x_train).flatten(-3, -2)
        move, residual = _step(here, theta)
        beta = here.family.smoothness(theta, here.frozen, here.x_train)
        return [singular_values(jacobian), torch.linalg.vector_norm(residual, dim=-1), move, beta]

    return trace(evaluate, [setup.theta0, *setup.leaves().values()])


def _enclosed_step(traced: Traced, setup: Setup, theta: Tensor) -> _EnclosedStep:
    enclosures = traced.enclose(*map(Enclosure.exactly, [theta, *setup.leaves().values()]))
    values, residual, move, beta = enclosures
    full = values.mid.shape[-1] == setup.y_train.shape[-1] * setup.y_train.shape[-2]
    smallest = Enclosure(values.mid[..., -1], values.rad[..., -1])
    return _EnclosedStep(
        smallest=smallest if full else Enclosure.exactly(torch.zeros_like(smallest.mid)),
        largest=Enclosure(values.mid[..., 0], values.rad[..., 0]),
        residual=residual,
        beta=beta,
        step_radius=torch.linalg.vector_norm(move.rad, dim=-1) * (1 + 2.0**-40),
    )
