"""A claim as a function of one instance's numbers, ready to be traced: batched for screening, alone for proofs."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from boundcheck.claim import Claim, Identity, Outcome, Sides
from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem


class OneInstance:
    """The claim at the structure of `problem`: from leaves (without the lane axis) and constants to sides and margins.

    Its numbers are float64; a hunt's proposals may be made in float32 (`numbers`), where a side that stays float64 is let pass.

    Attributes:
        premises: name of each premise and whether its constants are established; known once it was called.
        identity: whether the statement is an equality; known once it was called.

    """

    def __init__(self, claim: Claim, problem: Problem, *, numbers: torch.dtype = torch.float64) -> None:
        self._claim = claim
        self._allowed = (torch.float64, numbers)
        self._problem = problem
        self._leaves = list(problem.leaves())
        self.premises: tuple[tuple[str, bool], ...] = ()
        self.identity = False

    def __call__(self, *values: Tensor) -> list[Tensor]:
        """Both sides, then the margins; values are the leaves and then the claim's constants."""
        count = len(self._leaves)
        instance = self._problem.with_leaves(dict(zip(self._leaves, values[:count], strict=True)))
        constants = dict(zip(self._claim.constants, values[count:], strict=True))
        outcome = self._claim.state(instance, constants)
        self.premises = tuple((p.name, p.established) for p in outcome[1])
        self.identity = isinstance(outcome[0], Identity)
        return _scalars(self._claim, outcome, self._allowed)


def stated_premises(claim: Claim, problem: Problem) -> tuple[str, ...]:
    """The names of the premises that a claim states at the structure of `problem`."""
    alone = problem.with_leaves({name: leaf[0] for name, leaf in problem.leaves().items()})
    like = next(iter(alone.leaves().values()))
    constants = {name: like.new_tensor(float(exact.value)) for name, exact in claim.constants.items()}
    with readable_errors(claim), torch.no_grad():
        _, premises = claim.state(alone, constants)
    return tuple(stated.name for stated in premises)


def _scalars(claim: Claim, outcome: Outcome, allowed: tuple[torch.dtype, ...]) -> list[Tensor]:
    """Sides and margins, checked to be scalars of one instance."""
    statement, premises = outcome
    sides = (statement.smaller, statement.larger) if isinstance(statement, Sides) else (statement.left, statement.right)
    labels = ["smaller", "larger"] if isinstance(statement, Sides) else ["left", "right"]
    labels += [f"the margin of {p.name!r}" for p in premises]
    values = [*sides, *(p.margin for p in premises)]
    for label, value in zip(labels, values, strict=True):
        if not isinstance(value, Tensor) or value.dim() != 0 or value.dtype not in allowed:
            got = f"{value.dtype} of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise BoundcheckError(
                f"{claim.key}: {label} is a {got} for one instance",
                expected="a float64 scalar tensor",
                remedy="write the claim for one instance (no lane axis) and reduce to a number, with .sum() or a norm",
            )
    return values


@contextmanager
def readable_errors(claim: Claim) -> Iterator[None]:
    """torch's words for a claim that reads a number out of a tensor, in ours."""
    try:
        yield
    except RuntimeError as error:
        if any(words in str(error) for words in ("data-dependent control flow", ".item()", "numpy()")):
            raise BoundcheckError(
                f"{claim.key} reads a number out of a tensor (.item(), .numpy(), float(…)) or branches on one",
                expected="a claim in plain torch, the same formula for every instance",
                remedy="keep numbers in tensors, and choose with torch.where",
            ) from error
        raise


def check_leaves(problem: Problem) -> None:
    """Raise BoundcheckError where a leaf is no float64 tensor."""
    for name, tensor in problem.leaves().items():
        if not isinstance(tensor, Tensor) or tensor.dtype != torch.float64:
            what = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
            raise BoundcheckError(
                f"the leaf {name} of {type(problem).__name__} is {what}",
                expected="float64 tensors",
                remedy="convert it with .double(); what is no number belongs into the structure",
            )
