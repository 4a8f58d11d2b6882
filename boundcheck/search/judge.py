"""Judging a batch: floats with error bounds first, ball arithmetic for the lanes that they leave open."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from boundcheck.claim import Claim, Mutant
from boundcheck.problem import Problem
from boundcheck.search.certify import Certifier
from boundcheck.search.evaluate import Evaluator
from boundcheck.verdict import BREAKING, HOLDING, Judgement, Status

PATIENCE = 16
"""So many lanes in a row that balls leave open too end the batch: its sides are equal by nature, or its leaves too wide."""

PATIENCE_AT_EQUALITY = 4
"""The same where the claim says that its sides can be equal. Not 0: a constant wrong by 1e-20 shows nowhere else."""


UNDECIDED = (Status.INCONCLUSIVE, Status.PREMISE_UNVERIFIED)

MUTANT_PROOFS = 2
"""So many lanes a batch on which a mutant that floats do not catch is tried in balls."""


@dataclass
class Judge:
    """Judges batches of one claim.

    Attributes:
        claim: what is judged.
        proofs: how many more lanes that floats leave open may be tried in ball arithmetic (those of an identity are not counted).
        patience: after how many undecided ones in a row the rest of a batch is left open.
        evaluator: the floats. certifier: the balls.

    """

    claim: Claim
    proofs: int = 0
    patience: float = PATIENCE
    evaluator: Evaluator = field(init=False)
    certifier: Certifier = field(init=False)

    def __post_init__(self) -> None:
        self.evaluator = Evaluator(self.claim)
        self.certifier = Certifier(self.claim)

    def __call__(self, problem: Problem, *, most: int | None = None) -> Judgement:
        """Every lane by floats, then at most `most` of the open ones by balls: of an identity, which no float decides, all."""
        screened = self.evaluator(problem)
        budget = self.proofs if most is None else min(self.proofs, most)
        if screened.identity and budget > 0:
            budget = problem.lanes
        return self._sharpened(problem, screened, budget)

    def catches(self, problem: Problem, mutant: Mutant, held: Tensor) -> bool:
        """Whether the check says that a mutant fails on one of the lanes on which the claim holds.

        By floats, or where they see nothing, for other constants also by balls on a few lanes.
        """
        if bool((self.evaluator(problem, mutant).broken() & held).any()):
            return True
        if not mutant.constants:
            return False
        lanes = torch.nonzero(held).squeeze(-1).tolist()[: min(MUTANT_PROOFS, self.proofs)]
        changed = replace(self.certifier, claim=self.claim.with_constants(mutant.constants))
        self.proofs -= len(lanes)
        return any(changed.decide(problem, lane) in BREAKING for lane in lanes)

    def can_be_equal(self, problem: Problem) -> bool:
        """Whether the problem's structure belongs to the declared equality case of an inequality."""
        return self.claim.equality_at is not None and self.claim.equality_at(problem)

    def _sharpened(self, problem: Problem, screened: Judgement, budget: int) -> Judgement:
        if not all(screened.established.values()):
            return screened
        patience = min(self.patience, PATIENCE_AT_EQUALITY) if self.can_be_equal(problem) else self.patience
        beyond = (screened.status == int(Status.INVALID)) & problem.finite().to(
            screened.status.device
        )  # of doubles: e^1000, say
        open_ = (screened.open() | beyond) & _known(problem).to(screened.status.device)
        lanes = torch.nonzero(open_).squeeze(-1).tolist()
        status = screened.status.clone()
        accepted = {name: (margin, mask.clone()) for name, (margin, mask) in screened.premises.items()}
        failures = 0
        for lane in lanes[:budget]:
            decided = self.certifier.decide(problem, lane, screened)
            self.proofs -= not screened.identity
            settled = decided not in UNDECIDED
            if settled or not bool(beyond[lane]):  # else it is no number at any precision
                status[lane] = decided
            if decided in (*HOLDING, *BREAKING):
                for _, mask in accepted.values():
                    mask[lane] = True
            failures = 0 if settled else failures + 1
            if failures >= patience:
                break
        return replace(screened, status=status, premises=accepted)


def _known(problem: Problem) -> Tensor:
    """Lanes all of whose leaves have finite radii: of the others nothing more can be found out."""
    leaves = problem.leaves()
    known = torch.ones(problem.lanes, dtype=torch.bool, device="cpu")  # whatever the default device is
    for radius in problem.radius_of.values():
        known &= leaves[radius].cpu().reshape(problem.lanes, -1).isfinite().all(-1)
    return known
