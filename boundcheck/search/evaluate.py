"""One claim on one batch: trace once a structure, then enclose both sides and every premise of each lane."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from boundcheck.claim import Claim, Identity, Mutant, Sides, Statement
from boundcheck.errors import BoundcheckError
from boundcheck.exact import Exact
from boundcheck.problem import Problem
from boundcheck.rigor import Enclosure, Traced, trace
from boundcheck.rigor.decompositions import exactly
from boundcheck.search.instance import OneInstance, check_leaves, readable_errors
from boundcheck.verdict import Judgement, judge


@dataclass(frozen=True)
class _Compiled:
    """A claim traced for one structure."""

    traced: Traced
    premises: tuple[tuple[str, bool], ...]
    identity: bool


@dataclass
class Evaluator:
    """Evaluates one claim on batch after batch; keeps the traces of the structures it has met.

    Attributes:
        claim: what is evaluated.
        evaluations: how many instances were.
        unknown: operators met that have no error rule: their results are evaluated plainly, and nothing is decided by them.

    """

    claim: Claim
    evaluations: int = 0
    unknown: set[str] = field(default_factory=set)
    _compiled: dict[Any, _Compiled] = field(default_factory=dict)

    def __call__(self, problem: Problem, mutant: Mutant | None = None) -> Judgement:
        """Judge every lane of `problem`, under the claim or one of its mutants.

        Raises:
            BoundcheckError: where the claim is not well formed (shapes, a trace that froze a value); the message names it.

        """
        check_leaves(problem)
        usable = problem.finite()
        safe = _without_nan(problem, usable)
        leaves = safe.leaves()
        compiled = self._compile(safe)
        constants = self._constants(mutant)
        inputs = [*_enclosed_leaves(safe), *(_scalar(value, leaves) for value in constants.values())]
        smaller, larger, *margins = compiled.traced.enclose(*inputs, unknown=self.unknown)
        if mutant is not None and mutant.change is not None:
            smaller, larger = _changed(mutant, smaller, larger, compiled.identity)
        self.evaluations += problem.lanes
        premises = [(name, margin, ok) for (name, ok), margin in zip(compiled.premises, margins, strict=True)]
        judgement = judge(smaller, larger, premises, usable=usable, identity=compiled.identity)
        return judgement.by_plain_floats() if self.unknown else judgement

    def _constants(self, mutant: Mutant | None) -> dict[str, Exact]:
        constants = dict(self.claim.constants)
        for name, value in (mutant.constants if mutant else {}).items():
            constants[name] = Exact(Fraction(value))
        return constants

    def _compile(self, problem: Problem) -> _Compiled:
        leaves = problem.leaves()
        key = (problem.identity(), str(next(iter(leaves.values())).device))
        if key not in self._compiled:
            self._compiled[key] = self._trace(problem, leaves)
        return self._compiled[key]

    def _trace(self, problem: Problem, leaves: Mapping[str, Tensor]) -> _Compiled:
        one = OneInstance(self.claim, problem)
        lanes = torch.vmap(one, in_dims=(*(0 for _ in leaves), *(None for _ in self.claim.constants)))
        scalars = [_scalar(exact, leaves).mid for exact in self.claim.constants.values()]
        inputs = [*leaves.values(), *scalars]
        with readable_errors(self.claim):
            traced = trace(lanes, inputs)
        _replay_elsewhere(self.claim, traced, lanes, problem, scalars)
        return _Compiled(traced, one.premises, one.identity)


def _scalar(exact: Exact, leaves: Mapping[str, Tensor]) -> Enclosure:
    like = next(iter(leaves.values()))
    value, radius = exact.nearest()
    return Enclosure(like.new_tensor(value, dtype=torch.float64), like.new_tensor(radius, dtype=torch.float64))


def _without_nan(problem: Problem, usable: Tensor) -> Problem:
    """Lanes that are not finite replaced by zeros: they are INVALID anyway, and must not disturb the others."""
    if bool(usable.all()):
        return problem
    clean = {}
    for name, tensor in problem.leaves().items():
        keep = usable.reshape(-1, *(1 for _ in tensor.shape[1:]))
        clean[name] = torch.where(keep, tensor, torch.zeros_like(tensor))
    return problem.with_leaves(clean)


def _enclosed_leaves(problem: Problem) -> list[Enclosure]:
    leaves, radii = problem.leaves(), problem.radius_of  # cloned: a claim may write in place, and batches are shared
    enclosed = []
    for name, value in leaves.items():
        if name in radii:
            radius = leaves[radii[name]]
            spread = radius.reshape(-1, *(1 for _ in value.shape[1:])).expand_as(value)
            enclosed.append(Enclosure(value.clone(), spread.clone()))
        else:
            enclosed.append(Enclosure.exactly(value.clone()))
    return enclosed


def _changed(mutant: Mutant, smaller: Enclosure, larger: Enclosure, identity: bool) -> tuple[Enclosure, Enclosure]:
    assert mutant.change is not None
    change = mutant.change

    def apply(left: Tensor, right: Tensor) -> list[Tensor]:
        before: Statement = Identity(left, right) if identity else Sides(left, right)
        after = change(before)
        return [after.left, after.right] if isinstance(after, Identity) else [after.smaller, after.larger]

    left, right = trace(apply, [smaller.mid, larger.mid]).enclose(smaller, larger)
    return left, right


def _replay_elsewhere(claim: Claim, traced: Traced, eager: Any, problem: Problem, constants: list[Tensor]) -> None:
    """A trace bakes in what it cannot see (`.item()`, numpy). Replay it on other numbers, beside the function itself."""
    leaves = [torch.roll(tensor, 1, dims=0) for tensor in problem.leaves().values()]
    replayed = traced.enclose(*map(Enclosure.exactly, [*leaves, *constants]), unknown=set())
    with exactly():
        direct = eager(*leaves, *constants)
    # In torch's own numbers on both sides: the enclosures do not follow torch where it is off (softplus above 20, say).
    plain = traced(*leaves, *constants)
    for enclosure, again, value in zip(replayed, plain, direct, strict=True):
        comparable = again.isfinite() & value.isfinite() & enclosure.rad.isfinite()
        if bool((((value - again).abs() > 4 * enclosure.rad) & comparable).any()):
            raise BoundcheckError(
                f"{claim.key} gives other numbers when its trace is replayed on a second input",
                expected="a claim in plain torch, the same formula for every instance",
                remedy="avoid .item(), .numpy(), float(tensor) and Python branches on values",
            )
