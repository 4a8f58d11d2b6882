"""What a campaign counts, and how the counts become one verdict and one entry of the record."""

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from boundcheck.claim import Claim, Stance, in_words
from boundcheck.profiles import Profile
from boundcheck.search.hunting.extreme import Extreme
from boundcheck.verdict import BREAKING, HOLDING, Judgement, Status, Verdict

SCATTER_POINTS = 200
HISTOGRAM_EDGES = [0.0, *(10.0 ** (-6 + 0.5 * step) for step in range(11)), 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0, 2.0]


INFORMING = 4
"""So many draws at least stand behind a row that only informs."""


@dataclass
class Tally:
    """Counts over all batches of one claim."""

    claim: Claim
    counts: dict[Status, int] = field(default_factory=lambda: dict.fromkeys(Status, 0))
    accepted: dict[str, int] = field(default_factory=dict)
    stated: dict[str, int] = field(default_factory=dict)
    ratios: list[np.ndarray] = field(default_factory=list)
    scatter: list[tuple[float, float]] = field(default_factory=list)
    caught: dict[str, bool] = field(default_factory=dict)
    structures: set[Hashable] = field(default_factory=set)
    drawn: int = 0
    attained: bool | None = None
    at_equality: int = 0
    certified: int = 0
    uncertified_because: str = ""
    no_constant_helps: bool = False
    standing: list[str] = field(default_factory=list)
    kind: str | None = None

    def __post_init__(self) -> None:
        self.caught = {mutant.name: False for mutant in self.claim.mutants}

    def add(self, judgement: Judgement, structure: Hashable, *, can_be_equal: bool = False) -> None:
        """Count one batch; `can_be_equal` where its structure belongs to the claim's declared equality case."""
        self.structures.add(structure)
        self.kind = "identity" if judgement.identity else "inequality"
        for status in Status:
            self.counts[status] += judgement.count(status)
        for name, (_, accepted) in judgement.premises.items():
            self.accepted[name] = self.accepted.get(name, 0) + int(accepted.sum())
            self.stated[name] = self.stated.get(name, 0) + len(accepted)
        if can_be_equal:
            self.at_equality += judgement.count(Status.INCONCLUSIVE)
        decided = judgement.held() | judgement.broken()
        if (
            self.claim.stance is Stance.CONJECTURED
        ):  # an estimated premise keeps it from a verdict, not from a look at its sides
            decided |= judgement.status == int(Status.PREMISE_UNVERIFIED)
        if not judgement.identity:
            # Where both sides agree within sharp enclosures the bound is attained: a ratio of 1, whatever the last bits say.
            # Where the claim holds, a ratio above 1 is the middle of enclosures that round up.
            ratios = torch.where(judgement.held(), judgement.tightness().clamp(max=1.0), judgement.tightness())
            ratios = torch.where(judgement.equal(), 1.0, ratios)[decided | judgement.equal()]
            self.ratios.append(ratios[~ratios.isnan()].cpu().numpy())
        self._sample(judgement, decided)

    def _sample(self, judgement: Judgement, decided: torch.Tensor) -> None:
        room = min(SCATTER_POINTS - len(self.scatter), 24)
        rows = torch.nonzero(decided).squeeze(-1)[: max(room, 0)].tolist()
        for row in rows:
            point = (float(judgement.smaller.mid[row]), float(judgement.larger.mid[row]))
            if all(map(math.isfinite, point)):
                self.scatter.append(point)

    @property
    def held(self) -> int:
        """Instances with verified premises on which the claim holds."""
        return sum(self.counts[status] for status in HOLDING)

    @property
    def broken(self) -> int:
        """Instances with verified premises that break the claim."""
        return sum(self.counts[status] for status in BREAKING)

    @property
    def tested(self) -> int:
        """All instances."""
        return sum(self.counts.values())

    def done(self, profile: Profile) -> bool:
        """Whether the campaign has seen enough to stop."""
        if self.counts[Status.INVALID]:
            return True
        if self.broken:
            return self.claim.refuted_by is None or self._varied(profile)
        if self.claim.refuted_by is not None:
            return False
        if self.claim.stance is Stance.CONJECTURED:  # informs, whatever is seen
            return self.tested >= profile.holds and self.drawn >= INFORMING
        return self.held >= profile.holds and self._varied(profile) and all(self.caught.values())

    def _varied(self, profile: Profile) -> bool:
        """Whether enough structures were seen; of a strategy that has only a few, twice as many draws will do."""
        return len(self.structures) >= profile.structures or self.drawn >= 2 * profile.structures

    def verdict(self, profile: Profile) -> tuple[Verdict, str]:
        """The claim's verdict and the reason for it."""
        counts = self.counts
        if self.claim.input == "real" or self.claim.stance is Stance.CONJECTURED:
            return Verdict.MEASURED, self._measured()
        if counts[Status.INVALID]:
            return Verdict.INVALID, f"{counts[Status.INVALID]} of {self.tested} instances gave NaN or an infinity"
        if self.claim.refuted_by is not None:
            return self._refutation(profile)
        if self.broken:
            return self._violation()
        if self.held == 0:
            return self._no_holds()
        lived = [name for name, caught in self.caught.items() if not caught]
        if lived:
            return Verdict.TOOTHLESS, f"mutants that lived: {', '.join(lived)}"
        if self.held < profile.holds:
            return (
                Verdict.UNDECIDED,
                f"{self.held:,} of the {profile.holds:,} holds that the profile {profile.name} asks for",
            )
        return Verdict.HOLDS, f"{self.held:,} instances, 0 violations"

    def _measured(self) -> str:
        words = [f"{count} {status.name.lower()}" for status, count in self.counts.items() if count]
        return ", ".join(words)

    def _violation(self) -> tuple[Verdict, str]:
        found = f"{self.broken:,} of {self.tested:,} instances break it"
        if self.certified:
            return Verdict.VIOLATED, f"{found}; proved twice for {self.certified:,} of them"
        return Verdict.VIOLATED_UNCERTIFIED, f"{found}; {self.uncertified_because or 'none was certified'}"

    def _refutation(self, profile: Profile) -> tuple[Verdict, str]:
        if not self.broken:
            return Verdict.UNREFUTED, f"no counterexample in {self.tested:,} instances (profile {profile.name})"
        verdict, reason = self._violation()
        if verdict is not Verdict.VIOLATED:
            return Verdict.UNREFUTED, reason
        if self.claim.ladder:
            return self._climbed(reason)
        if self.claim.refuted_by != "order":
            return Verdict.REFUTED, reason
        if self.no_constant_helps:
            return Verdict.REFUTED, f"{reason}; of one the larger side is proved to be 0 or less, so no constant helps"
        return (
            Verdict.UNREFUTED,
            f"{reason}, but a smaller constant may hold: its larger side was nowhere proved to be 0 or less",
        )

    def _climbed(self, reason: str) -> tuple[Verdict, str]:
        rungs = [in_words(rung) for rung in self.claim.ladder]
        if self.standing:
            return Verdict.UNREFUTED, f"{reason}, but nothing certified breaks it at {'; '.join(self.standing)}"
        return Verdict.REFUTED, f"{reason}; it falls on every rung from {rungs[0]} to {rungs[-1]} ({len(rungs)} rungs)"

    def _no_holds(self) -> tuple[Verdict, str]:
        rates = ", ".join(f"{name}: {count}/{self.stated[name]}" for name, count in self.accepted.items())
        if self.counts[Status.INCONCLUSIVE]:
            return Verdict.UNDECIDED, f"none of {self.tested} instances was decided"
        if self.counts[Status.PREMISE_UNVERIFIED]:
            open_ = self.counts[Status.PREMISE_UNVERIFIED]
            return Verdict.UNDECIDED, (
                f"no instance had all premises verified; on {open_} of {self.tested} one was undecided or rests on a constant "
                f"that is only estimated (verified {rates})"
            )
        if not rates:
            return Verdict.VACUOUS, f"both sides are 0 in each of {self.tested} instances, which says nothing"
        return Verdict.VACUOUS, f"no instance met all premises (accepted {rates})"

    def summary(self) -> dict[str, Any]:
        """Tightness of the decided instances: median, maximum and histogram."""
        ratios = np.concatenate(self.ratios) if self.ratios else np.empty(0)
        finite = ratios[np.isfinite(ratios)]
        if not len(finite):
            return {"p50": None, "max": None, "histogram": None}
        edges = [*HISTOGRAM_EDGES, max(4.0, float(finite.max()))]
        counts, _ = np.histogram(finite, bins=edges)
        return {
            "p50": float(np.median(finite)),
            "max": float(finite.max()),
            "histogram": {"edges": edges, "counts": [int(c) for c in counts]},
        }

    def constants(self, extreme: Extreme | None = None) -> list[dict[str, Any]]:
        """Each constant as used, as printed, and as far as these instances and what a hunt found would have let it move."""
        hunted = extreme.ratio[0] if extreme is not None else 0.0
        best = max(self.summary()["max"] or 0.0, hunted if math.isfinite(hunted) else 0.0)
        rows = []
        for name, exact in self.claim.constants.items():
            found = None
            if self.no_constant_helps and exact.scales == "smaller":
                found = 0.0
            elif best and exact.scales:
                found = float(exact.value) * best if exact.scales == "larger" else float(exact.value) / best
                found = found if math.isfinite(found) else None
            rows.append(
                {
                    "name": name,
                    "at": str(exact),
                    "unit": exact.unit,
                    "better": exact.better,
                    "printed": exact.printed,
                    "proved": str(exact) if self.claim.stance in (Stance.PROVED, Stance.CORRECTED) else None,
                    "found": found,
                }
            )
        return rows
