"""The hunt: climb the tightness ratio by gradient, from random starts, and keep only what the rigour layer confirms.

For an inequality smaller <= larger the ascent maximises log(smaller) - log(larger) over an instance's leaves, many lanes at
once, in plain floats; each premise enters as a penalty on the negative part of its margin. A ratio of floats is easily raised
by rounding alone, so what the ascent passes is looked at with error bounds now and then, and only the lower end of a ratio
whose premises are verified counts. The best instances are evaluated in ball arithmetic at the end; a violation has to be proved
by both routes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from boundcheck.claim import Claim, build
from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem
from boundcheck.record import store_counterexample
from boundcheck.search.campaign import one_thread_on, over
from boundcheck.search.evidence import evidence
from boundcheck.search.instance import OneInstance, check_leaves, readable_errors
from boundcheck.search.judge import Judge
from boundcheck.verdict import BREAKING, HOLDING, Status

STEP = 0.03
"""First step of the ascent, in units of a leaf's size in its lane; it falls to a hundredth of that."""

LOOKS = 16
"""So often an ascent is looked at with error bounds, and after each of so many last steps."""

CONFIRMED = 8
"""So many of the best lanes of a structure are evaluated in balls."""

PENALTY = 10.0
"""Weight of a broken premise, in units of its margin's size at the start."""


@dataclass(frozen=True)
class Hunt:
    """A budget: structures·lanes·(steps + 1) evaluations in floats, and about thirty looks with error bounds at each lane."""

    structures: int = 8
    lanes: int = 256
    steps: int = 400
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Every number is at least 1."""
        for name in ("structures", "lanes", "steps"):
            if getattr(self, name) < 1:
                raise BoundcheckError(f"{name}={getattr(self, name)}", expected="a whole number >= 1")


@dataclass(frozen=True)
class Extreme:
    """The tightest instance that a hunt found and ball arithmetic confirmed.

    Attributes:
        key: of the claim. status: HOLDS, INCONCLUSIVE (at an equality), VIOLATED (proved by both routes), VIOLATED_UNCERTIFIED.
        ratio: smaller/larger as an interval, in balls. random: the best lower end among the random starts, in floats.
        problem: the instance, one lane. drawn: its recipe. evaluations: of instances, in the whole hunt.
        stored: its file, if it is a certified violation.

    """

    key: str
    status: Status
    ratio: tuple[float, float]
    random: float
    problem: Problem
    drawn: str
    evaluations: int = 0
    stored: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """For a file: every number of the instance as a hexadecimal float."""
        return {
            "claim": self.key,
            "status": self.status.name,
            "ratio": list(self.ratio),
            "random": self.random,
            "attained": self.attained,
            "evaluations": self.evaluations,
            "drawn": self.drawn,
            "counterexample": str(self.stored) if self.stored else None,
            "problem": self.problem.to_json(),
        }

    @property
    def attained(self) -> bool:
        """Whether both sides agree within balls sharper than 1e-9 of them."""
        low, high = self.ratio
        return low <= 1 <= high and high - low < 1e-9


def hunt(
    claim: Claim, options: Hunt, *, counterexamples: Path, told: Callable[[str], None] = lambda _: None
) -> Extreme | None:
    """The tightest confirmed instance of a claim, or None where no instance was confirmed.

    Args:
        claim: an inequality about free numbers.
        options: the budget.
        counterexamples: where a certified violation is stored.
        told: called with a line after each structure.

    Raises:
        BoundcheckError: for an identity, and for problems whose leaves follow from others (the limit of a descent): the ascent
            does not climb through those yet.

    """
    judge = Judge(claim)
    best: Extreme | None = None
    random, spent = 0.0, 0
    with one_thread_on(options.device):
        for drawn in _structures(claim, options):
            climb = _climb(
                judge, build(drawn, options.lanes, options.seed * options.lanes).to(options.device), options.steps
            )
            random, spent = max(random, climb.random), spent + climb.evaluations
            found = _confirmed(judge, climb, str(drawn))
            if found is not None and (best is None or found.ratio[0] > best.ratio[0]):
                best = found
            top = f"{found.ratio[0]:.9g}" if found else "nothing confirmed"
            told(f"{getattr(drawn, 'label', type(drawn).__name__)}: random {climb.random:.6g}, climbed to {top}")
    if best is None:
        return None
    best = replace(best, random=random, evaluations=spent)
    return _kept(judge, best, options, counterexamples) if best.status in BREAKING else best


def _structures(claim: Claim, options: Hunt) -> Iterator[Any]:
    """Different structures, as Hypothesis draws them."""
    seen: dict[Any, Any] = {}

    def visit(drawn: Any) -> None:
        if len(seen) < options.structures:
            seen.setdefault(build(drawn, 1).identity(), drawn)

    over(claim.over, visit, 8 * options.structures, options.seed)
    yield from seen.values()


# --------------------------------------------------------------------------------------------------------------- ascent


@dataclass
class _Climb:
    """The best instance that each lane passed, and the lower end of its ratio (0: none had verified premises)."""

    best: Problem
    ratios: Tensor
    random: float
    evaluations: int


def _climb(judge: Judge, problem: Problem, steps: int) -> _Climb:
    """Every lane climbs for so many steps."""
    claim = judge.claim
    if problem.derived:
        raise BoundcheckError(
            f"{claim.key} speaks of {', '.join(problem.derived[:3])}, which follow from other numbers",
            expected="a claim about free numbers: the hunt does not climb through a descent yet",
        )
    check_leaves(problem)
    names, leaves = list(problem.leaves()), [leaf.clone() for leaf in problem.leaves().values()]
    sides, sizes = _sides(claim, problem, leaves), [_size(leaf) for leaf in leaves]
    free = [torch.zeros_like(leaf, requires_grad=True) for leaf in leaves]
    ascent = torch.optim.Adam(free, lr=STEP, maximize=True)
    fall = torch.optim.lr_scheduler.ExponentialLR(ascent, 0.01 ** (1.0 / steps))
    climb = _Climb(problem, torch.zeros(problem.lanes, dtype=torch.float64, device=leaves[0].device), 0.0, 0)
    scale: Tensor | None = None
    for step in range(steps + 1):
        now = [leaf + size * change for leaf, size, change in zip(leaves, sizes, free, strict=True)]
        if step % max(1, steps // LOOKS) == 0 or step > steps - LOOKS:
            _look(judge, climb, problem.with_leaves(dict(zip(names, (leaf.detach() for leaf in now), strict=True))))
            climb.random = float(climb.ratios.max()) if step == 0 else climb.random
        smaller, larger, margins = sides(now)
        if scale is None:
            scale = margins.detach().abs().nan_to_num(nan=1.0, posinf=1.0).clamp(min=1e-12)
        height = torch.log(smaller.clamp(min=1e-300)) - torch.log(larger.clamp(min=1e-300))
        height = height - PENALTY * torch.relu(-margins / scale).sum(0)
        ascent.zero_grad()
        _backward(claim, height.nan_to_num(nan=0.0).sum())
        for change in free:
            if change.grad is not None:
                change.grad = change.grad.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        ascent.step()
        fall.step()
        climb.evaluations += problem.lanes
    return climb


def _backward(claim: Claim, height: Tensor) -> None:
    try:
        height.backward()
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        raise BoundcheckError(
            f"{claim.key} cannot be differentiated ({type(error).__name__})",
            expected="a claim whose operators have derivatives under vmap (a rank has none)",
        ) from error


def _look(judge: Judge, climb: _Climb, now: Problem) -> None:
    """Keep the lanes whose ratio is larger than before, by the lower end of its enclosure and with every premise verified."""
    judged = judge.evaluator(now)
    verified = torch.ones_like(climb.ratios, dtype=torch.bool)
    for _, accepted in judged.premises.values():
        verified &= accepted
    low = torch.where(verified & (judged.larger.lower > 0), judged.smaller.lower / judged.larger.upper, 0.0)
    better = low.nan_to_num(nan=0.0, posinf=0.0) > climb.ratios
    climb.ratios = torch.where(better, low, climb.ratios)
    before, after = climb.best.leaves(), now.leaves()
    climb.best = climb.best.with_leaves(
        {name: torch.where(_over(better, after[name]), after[name], before[name]) for name in after}
    )
    climb.evaluations += now.lanes


def _sides(
    claim: Claim, problem: Problem, leaves: list[Tensor]
) -> Callable[[list[Tensor]], tuple[Tensor, Tensor, Tensor]]:
    """Smaller sides, larger sides `[lanes]` and margins `[premises, lanes]` of leaves, in plain differentiable floats."""
    one = OneInstance(claim, problem)
    constants = [leaves[0].new_tensor(float(exact.value)) for exact in claim.constants.values()]
    lanes = torch.vmap(one, in_dims=(*(0 for _ in leaves), *(None for _ in constants)))

    def evaluate(values: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        with readable_errors(claim):
            smaller, larger, *margins = lanes(*values, *constants)
        if one.identity:
            raise BoundcheckError(
                f"{claim.key} is an identity", expected="an inequality: an identity has no ratio to climb"
            )
        return smaller, larger, torch.stack(margins) if margins else smaller.new_zeros(0, len(smaller))

    return evaluate


def _size(leaf: Tensor) -> Tensor:
    """The largest entry of a leaf in each lane, 1 where all are 0: what a step is measured in."""
    if leaf.numel() == 0:
        return torch.ones_like(leaf)
    size = leaf.abs().flatten(1).amax(1) if leaf.dim() > 1 else leaf.abs()
    return _over(torch.where((size > 0) & size.isfinite(), size, torch.ones_like(size)), leaf)


def _over(lanes: Tensor, leaf: Tensor) -> Tensor:
    """A number a lane, shaped to meet the leaf."""
    return lanes.reshape(-1, *(1 for _ in leaf.shape[1:]))


# ---------------------------------------------------------------------------------------------------------- confirmation


def _confirmed(judge: Judge, climb: _Climb, drawn: str) -> Extreme | None:
    """Of the best lanes the one whose ratio is largest in ball arithmetic."""
    found: list[Extreme] = []
    for lane in climb.ratios.argsort(descending=True)[:CONFIRMED].tolist():
        if float(climb.ratios[lane]) <= 0:
            break
        certificate = judge.certifier.certify(climb.best, lane)
        if not certificate.findings or certificate.status not in (*HOLDING, *BREAKING, Status.INCONCLUSIVE):
            continue
        left, right = certificate.findings[0].left, certificate.findings[0].right
        if left[0] <= 0 or right[0] <= 0:
            continue
        ratio = float(left[0] / right[1]), float(left[1] / right[0])
        found.append(Extreme(judge.claim.key, certificate.status, ratio, 0.0, climb.best.lane(lane).to("cpu"), drawn))
    return max(found, key=lambda extreme: extreme.ratio[0], default=None)


def _kept(judge: Judge, extreme: Extreme, options: Hunt, folder: Path) -> Extreme:
    """A violation proved by both routes, and stored; one that is not keeps the word VIOLATED_UNCERTIFIED."""
    screened = judge(extreme.problem)
    certificate = judge.certifier.certify(extreme.problem, 0, screened)
    if certificate.status is not Status.VIOLATED:
        return replace(extreme, status=Status.VIOLATED_UNCERTIFIED)
    record = evidence(
        judge.claim,
        "worst",
        extreme.problem,
        screened,
        certificate,
        drawn=f"{extreme.drawn}, hunted",
        seed=options.seed,
    )
    return replace(extreme, status=Status.VIOLATED, stored=store_counterexample(folder, record))
