"""Evidence: what one instance says of one claim, with every number needed to look at it again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boundcheck.problem import Problem
from boundcheck.rigor import Enclosure
from boundcheck.verdict import Judgement, Status

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Evidence:
    """One lane of one claim.

    Attributes:
        claim: its key. constants: their exact values as text.
        problem: the instance, a batch of one lane.
        judgement: the batch's judgement; lane: which of its lanes this is.
        drawn: what the strategy drew, as text; seed: of the campaign.

    """

    claim: str
    constants: Mapping[str, str]
    problem: Problem
    judgement: Judgement
    lane: int
    drawn: str
    seed: int

    @property
    def status(self) -> Status:
        """What this instance says."""
        return Status(int(self.judgement.status[self.lane]))

    def to_json(self) -> dict[str, Any]:
        """Everything, numbers as hexadecimal floats."""
        sides = ("left", "right") if self.judgement.identity else ("smaller", "larger")
        return {
            "schema_version": SCHEMA_VERSION,
            "claim": self.claim,
            "status": self.status.name,
            "constants": dict(self.constants),
            "sides": {
                sides[0]: self._ball(self.judgement.smaller),
                sides[1]: self._ball(self.judgement.larger),
            },
            "premises": {name: self._ball(margin) for name, (margin, _) in self.judgement.premises.items()},
            "problem": self.problem.to_json(),
            "drawn": self.drawn,
            "lane": self.lane,
            "seed": self.seed,
            "certified": False,
        }

    def _ball(self, enclosure: Enclosure) -> dict[str, str]:
        return {"mid": float(enclosure.mid[self.lane]).hex(), "rad": float(enclosure.rad[self.lane]).hex()}
