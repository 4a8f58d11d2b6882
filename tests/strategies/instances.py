"""One lane of a batch: a Problem's quantities are written for one instance."""

from typing import Any


def one_instance(problem: Any, lane: int) -> Any:
    """The instance of one lane."""
    return problem.with_leaves({name: tensor[lane] for name, tensor in problem.leaves().items()})
