"""Gradient ascent of many lanes at once, and the polish of a few.

Premises are penalties with some room at first, and less and less as the steps get shorter. What passes is looked at with error
bounds now and then (`passed`). A premise that binds makes an edge along which steps of one size only zigzag: the best lanes are
polished one by one with scipy's SLSQP, which follows it, or by L-BFGS where no premise is stated.
"""

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from boundcheck.claim import Claim
from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem
from boundcheck.search.hunting.landscape import Landscape, repeated
from boundcheck.search.hunting.passed import NoDecompositionError, Passed
from boundcheck.search.hunting.ranges import Ranges
from boundcheck.search.judge import Judge

STEP = 0.03
"""First step, in units of a leaf's size in its lane; it falls to a hundredth of that."""

LOOKS = 12
"""So often an ascent is looked at with error bounds on its way, and after each of so many last steps."""

PENALTY = 10.0
"""Weight of a missed premise, in units of its margin's size."""

DEAR_LOOKS = 4
"""The same where an instance has to be followed to a limit anew for each look, which takes longer than the steps between."""

POLISHING = 80
"""Steps of a polish."""

SAFE = 1e-9
"""What a polish leaves of a margin, relative to its size: more than rounding takes."""

PART_WAYS = (1.0, 1 - 1e-6, 1 - 1e-3, 0.9, 0.5)
"""A polish is looked at at its end, and on the way there: the end may miss a premise by a rounding."""

Ticked = Callable[[int], bool]
"""Told how many instances were evaluated; answers whether to go on."""


def ascend(
    judge: Judge,
    problem: Problem,
    steps: int,
    ticked: Ticked,
    *,
    ranges: Ranges | None = None,
    polished: int = 0,
    numbers: torch.dtype = torch.float64,
) -> Passed:
    """Every lane climbs for so many steps by Adam; the best of what they passed, so many of them polished.

    The climb may take its heights in float32 (`numbers`); looks, and the polish, are float64.
    """
    ranges = ranges or Ranges.seen(problem)
    landscape = Landscape(judge.claim, problem, ranges, numbers=numbers)
    changes = [change.requires_grad_() for change in landscape.still()]
    ascent = torch.optim.Adam(changes, lr=STEP, maximize=True)
    fall = torch.optim.lr_scheduler.ExponentialLR(ascent, 0.01 ** (1.0 / steps))
    passed, looks = Passed.nothing(problem), DEAR_LOOKS if problem.derived else LOOKS
    with suppress(NoDecompositionError):  # a matrix without a decomposition in floats: what was passed before it stands
        for step in range(steps + 1):
            if step % max(1, steps // looks) == 0 or step > steps - looks:
                passed.look(judge, landscape.at([change.detach() for change in changes]))
                passed.random = float(passed.ratios.max()) if step == 0 else passed.random
            if not ticked(problem.lanes):
                break
            terms = landscape.terms(changes)
            room = float(fall.get_last_lr()[0])
            height = terms.height - PENALTY * landscape.missing(terms, room)
            ascent.zero_grad()
            differentiate(judge.claim, height.nan_to_num(nan=0.0).sum())
            for change in changes:
                if change.grad is not None:
                    change.grad = change.grad.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
            if changes[-1].grad is not None:
                changes[-1].grad[1::2] = (
                    0.0  # every second lane leaves the factors alone: both ways find what the other misses
                )
            ascent.step()
            fall.step()
            passed.evaluations += problem.lanes
    best = passed.best()
    for lane in range(min(polished, len(best.ratios))):
        if 0 < float(best.ratios[lane]) < torch.inf:
            with suppress(NoDecompositionError):
                _polish(judge, best, ranges, lane)
    return best.best()


def differentiate(claim: Claim, height: Tensor) -> None:
    """Gradients of `height`. Raises BoundcheckError where the claim has none."""
    try:
        height.backward()
    except NoDecompositionError:
        raise
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        raise NoDerivativeError(
            f"{claim.key} cannot be differentiated ({type(error).__name__})",
            expected="a claim whose operators have derivatives under vmap (a rank has none)",
            remedy="hunt it by evolution",
        ) from error


class NoDerivativeError(BoundcheckError):
    """The claim, or what its instances follow from, has no derivative."""


# ---------------------------------------------------------------------------------------------------------------- polish


def _polish(judge: Judge, best: Passed, ranges: Ranges, lane: int) -> None:
    """Move one lane to a local optimum under its premises, where that is better."""
    alone = best.problem.lane(lane)
    evaluate = _Evaluated(judge.claim, alone, ranges)
    start = np.zeros(evaluate.size)
    constrained = evaluate.premises > 0
    found = minimize(
        evaluate.fall,
        start,
        jac=True,
        method="SLSQP" if constrained else "L-BFGS-B",
        constraints=[{"type": "ineq", "fun": evaluate.margins, "jac": evaluate.slopes}] if constrained else (),
        options={"maxiter": POLISHING},
    )
    best.evaluations += evaluate.evaluations
    if not np.isfinite(found.x).all():
        return
    ways = torch.tensor(PART_WAYS, dtype=torch.float64, device=best.ratios.device)
    many = repeated(alone, len(ways))
    spread = Landscape(judge.claim, many, ranges)
    changes = [ways.reshape(-1, *(1 for _ in c.shape[1:])) * c for c in evaluate.split(found.x)]
    looked = Passed.nothing(many)
    looked.look(judge, spread.at(changes))
    best.improve(lane, looked)


class _Evaluated:
    """One lane's height and margins with their gradients as numpy arrays; the last point is remembered.

    The lane is repeated once for each of these numbers, so that one backward pass gives all gradients.
    """

    def __init__(self, claim: Claim, alone: Problem, ranges: Ranges) -> None:
        one = Landscape(claim, alone, ranges)
        self.premises = len(one.scale)
        self._scale = one.scale
        self._landscape = Landscape(claim, repeated(alone, 1 + self.premises), ranges)
        self._shapes = [change.shape[1:] for change in one.still()]
        self._device = one.still()[0].device
        self.size = sum(shape.numel() for shape in self._shapes)
        self.evaluations = 0
        self._at: np.ndarray | None = None
        self._values = np.empty(0)
        self._gradients = np.empty(0)

    def split(self, flat: np.ndarray) -> list[Tensor]:
        """The changes of a flat vector, for one lane."""
        parts = torch.tensor(flat, dtype=torch.float64, device=self._device).split([s.numel() for s in self._shapes])
        return [part.reshape(1, *shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def fall(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        """What is minimised, and its gradient."""
        self._evaluate(flat)
        return -float(self._values[0]), -self._gradients[0]

    def margins(self, flat: np.ndarray) -> np.ndarray:
        """What is to be at least 0."""
        self._evaluate(flat)
        return self._values[1:] - SAFE

    def slopes(self, flat: np.ndarray) -> np.ndarray:
        """Its Jacobian."""
        self._evaluate(flat)
        return self._gradients[1:]

    def _evaluate(self, flat: np.ndarray) -> None:
        if self._at is not None and np.array_equal(flat, self._at):
            return
        rows = 1 + self.premises
        changes = [c.repeat(rows, *(1 for _ in c.shape[1:])).requires_grad_() for c in self.split(flat)]
        terms = self._landscape.terms(changes)
        values = torch.cat([terms.height[None], terms.margins / self._scale]).diagonal()
        slopes = torch.autograd.grad(values.sum(), changes, allow_unused=True)
        found = [torch.zeros_like(c) if g is None else g for g, c in zip(slopes, changes, strict=True)]
        gradients = torch.cat([g.reshape(rows, -1) for g in found], dim=1)
        self._at = flat.copy()
        self._values = values.detach().nan_to_num(nan=-1e3, posinf=1e3, neginf=-1e3).cpu().numpy()
        self._gradients = gradients.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).cpu().numpy()
        self.evaluations += rows
