"""A false statement that leaves constants open falls rung by rung: at each value on a ladder an instance breaks it.

The claim's own constants are the last rung, the hardest to break. The others are looked at on the same batches: only the values
of the constants change, which the traced claim takes as inputs.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boundcheck.claim import Claim, Mutant, Rung, in_words
from boundcheck.problem import Problem
from boundcheck.search.counterexamples import Finder
from boundcheck.search.judge import Judge


@dataclass
class Step:
    """One rung: its constants, and what was found to break the claim there."""

    rung: Rung
    finder: Finder

    @property
    def certified(self) -> bool:
        """Whether an instance that breaks this rung was proved by two routes."""
        return self.finder.certified > 0


@dataclass
class Ladder:
    """All rungs but the last, which is the claim itself."""

    claim: Claim
    folder: Path
    seed: int
    device: str
    steps: list[Step] = field(init=False)

    def __post_init__(self) -> None:
        self.steps = [
            Step(rung, Finder(self.claim.with_constants(rung), self.folder, self.seed, self.device))
            for rung in self.claim.ladder[:-1]
        ]

    def look(self, drawn: Any, problem: Problem, judge: Judge) -> None:
        """Look at one batch on every rung that has not fallen yet."""
        for step in self.steps:
            if not step.certified:
                judgement = judge.evaluator(problem, Mutant("rung", constants=step.rung))
                step.finder.look(drawn, problem, judgement)

    @property
    def climbed(self) -> bool:
        """Whether every rung has fallen."""
        return all(step.certified for step in self.steps)

    def standing(self) -> list[str]:
        """The rungs that have not fallen, in words."""
        return [in_words(step.rung) for step in self.steps if not step.certified]

    def to_json(self, last: Finder) -> list[dict[str, Any]]:
        """One entry a rung, the claim's own (whose findings are `last`) included."""
        if not self.claim.ladder:
            return []
        steps = [*self.steps, Step(self.claim.ladder[-1], last)]
        return [_entry(step) for step in steps]


def _entry(step: Step) -> dict[str, Any]:
    left, right = step.finder.sides
    file = step.finder.stored.get("worst")
    return {
        "constants": {name: str(value) for name, value in step.rung.items()},
        "certified": step.certified,
        "left": left,
        "right": right,
        "label": step.finder.label,
        "counterexample": str(file) if file else None,
    }
