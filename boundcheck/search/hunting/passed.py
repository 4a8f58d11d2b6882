"""The best that each lane of a climb has passed, by enclosures: a ratio of floats is easily raised by rounding alone."""

from dataclasses import dataclass

import torch
from torch import Tensor

from boundcheck.problem import Problem
from boundcheck.search.hunting.landscape import over_lanes
from boundcheck.search.judge import Judge

NoDecompositionError: type[RuntimeError] = torch.linalg.LinAlgError  # type: ignore[attr-defined, unused-ignore]
"""torch's error where LAPACK finds no decomposition of some lane's matrix."""

KEPT = 8
"""So many of the best lanes of a climb are kept."""


@dataclass
class Passed:
    """The tightest instance of every lane so far, and the lower end of its ratio (0: none had verified premises)."""

    problem: Problem
    ratios: Tensor
    random: float = 0.0
    evaluations: int = 0

    @staticmethod
    def nothing(problem: Problem) -> "Passed":
        """Before the first look."""
        return Passed(problem, torch.zeros(problem.lanes, dtype=torch.float64, device=_device(problem)))

    def look(self, judge: Judge, now: Problem) -> None:
        """Keep the lanes whose ratio is larger than before, with every premise verified."""
        try:
            now = now.settled()
            low = lower_ratios(judge, now)
        except NoDecompositionError:  # some lane's matrix has no decomposition in floats: this look saw nothing
            return
        better = low > self.ratios
        self.ratios = torch.where(better, low, self.ratios)
        before, after = self.problem.leaves(), now.leaves()
        self.problem = self.problem.with_leaves(
            {name: torch.where(over_lanes(better, after[name]), after[name], before[name]) for name in after}
        )
        self.evaluations += now.lanes

    def improve(self, lane: int, other: "Passed") -> None:
        """Put the best lane of another look in the place of this one, if it is better."""
        self.evaluations += other.evaluations
        top = int(other.ratios.argmax())
        if not other.ratios[top] > self.ratios[lane]:
            return
        self.ratios[lane] = other.ratios[top]
        better = other.problem.lane(top).leaves()
        for name, leaf in self.problem.leaves().items():
            leaf[lane] = better[name][0]

    def best(self) -> "Passed":
        """The few best lanes, the best first."""
        order = self.ratios.argsort(descending=True, stable=True)[:KEPT]
        chosen = {name: leaf[order] for name, leaf in self.problem.leaves().items()}
        return Passed(self.problem.with_leaves(chosen), self.ratios[order], self.random, self.evaluations)


def lower_ratios(judge: Judge, problem: Problem) -> Tensor:
    """smaller/larger of each lane from below, 0 where a premise is not verified, +inf where the larger side is 0 or less."""
    judged = judge.evaluator(problem)
    fit = problem.admissible() & problem.finite()
    for _, accepted in judged.premises.values():
        fit &= accepted
    smaller, larger = judged.smaller.lower, judged.larger
    low = torch.where(larger.lower > 0, smaller / larger.upper, torch.where(larger.upper <= 0, torch.inf, 0.0))
    return torch.where(fit & (smaller > 0), low, 0.0).nan_to_num(nan=0.0, posinf=torch.inf)


def _device(problem: Problem) -> torch.device:
    return next(iter(problem.leaves().values())).device
