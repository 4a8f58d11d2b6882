"""What a hunt found."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boundcheck.problem import Problem
from boundcheck.verdict import Status

SHARP = 1e-9
"""How narrow the ball around a ratio must be to call 1 attained: a word, no verdict."""


@dataclass(frozen=True)
class Extreme:
    """The tightest instance that a hunt found and ball arithmetic confirmed.

    Attributes:
        key: of the claim. status: HOLDS, INCONCLUSIVE (at an equality), VIOLATED (proved by both routes), VIOLATED_UNCERTIFIED.
        ratio: smaller/larger as an interval, in balls; +inf where the larger side is 0 or less.
        random: the best lower end among the random starts, in floats.
        problem: the instance, one lane. drawn: its recipe. label: that in a few words.
        evaluations: of instances, in the whole hunt. seconds: it took.
        apart: whether balls prove that the sides differ.
        truncated: whether a clock or an interruption ended it. stored: the file of a certified violation.

    """

    key: str
    status: Status
    ratio: tuple[float, float]
    random: float
    problem: Problem
    drawn: str
    label: str = ""
    evaluations: int = 0
    seconds: float = 0.0
    apart: bool = True
    truncated: bool = False
    stored: Path | None = None

    @property
    def attained(self) -> bool:
        """Whether both sides agree within balls sharper than 1e-9 of them: not where balls prove them to differ."""
        low, high = self.ratio
        return not self.apart and low <= 1 <= high and high - low < SHARP

    @property
    def word(self) -> str:
        """What the ratio says, in a few words."""
        if self.status is Status.VIOLATED:
            return "violated, proved by two routes"
        if self.status is Status.VIOLATED_UNCERTIFIED:
            return "looks violated, not proved twice"
        return "tight, attained" if self.attained else ""

    def needed(self, exact: float, scales: str | None) -> float | None:
        """The constant that this instance leaves room for, given the one the claim was stated with.

        A constant of the larger side cannot be below it, one of the smaller side not above it. None for a constant that scales
        neither side.
        """
        ratio = self.ratio[0]
        if scales is None or not ratio > 0:
            return None
        found = exact * ratio if scales == "larger" else exact / ratio
        return found if math.isfinite(found) else None

    def to_json(self) -> dict[str, Any]:
        """For a file: every number of the instance as a hexadecimal float."""
        return {
            "claim": self.key,
            "status": self.status.name,
            "ratio": [value if math.isfinite(value) else None for value in self.ratio],
            "random": self.random if math.isfinite(self.random) else None,
            "attained": self.attained,
            "evaluations": self.evaluations,
            "seconds": round(self.seconds, 3),
            "truncated": self.truncated,
            "label": self.label,
            "drawn": self.drawn,
            "counterexample": str(self.stored) if self.stored else None,
            "problem": self.problem.to_json(),
        }
