"""A climb without derivatives: CMA-ES from the best random lanes, for claims of ranks, or of flows that cannot be differentiated.

The covariance matrix adaptation of N. Hansen's `cma`, a generation at a time as one batch; premises are penalties.
"""

import warnings
from contextlib import suppress

import cma
import numpy as np
import torch
from torch import Tensor

from boundcheck.problem import Problem
from boundcheck.search.hunting.ascent import PENALTY, Ticked
from boundcheck.search.hunting.landscape import Landscape, repeated
from boundcheck.search.hunting.passed import NoDecompositionError, Passed
from boundcheck.search.hunting.ranges import Ranges
from boundcheck.search.judge import Judge

FIRST_SPREAD = 0.1
"""Of the first generation, in units of each leaf's size."""

GENERATION = 32
"""At most so many at once: a generation need not be as large as a batch."""

SMALLEST = 4
"""cma cannot do with fewer than two, and does little with so few."""

STARTS = 2
"""So many of the best random lanes are climbed from, with a part of the budget each."""

WORST = 1e6
"""The height of what cannot be evaluated, downwards."""

LOOK_EVERY = 8
"""Generations."""


def evolve(
    judge: Judge,
    problem: Problem,
    steps: int,
    seed: int,
    ticked: Ticked,
    *,
    ranges: Ranges | None = None,
    numbers: torch.dtype = torch.float64,
) -> Passed:
    """As many evaluations as an ascent of so many steps of the whole batch would take, in `numbers`; looks are float64."""
    ranges = ranges or Ranges.seen(problem)
    passed = Passed.nothing(problem)
    passed.look(judge, problem)
    passed.random = float(passed.ratios.max())
    best = passed.best()
    size = max(SMALLEST, min(GENERATION, problem.lanes))
    generations = max(1, steps * problem.lanes // (size * STARTS))
    for start in range(min(STARTS, len(best.ratios))):
        with suppress(NoDecompositionError):  # a matrix without a decomposition in floats
            _climb(judge, best, ranges, start, size, generations, seed, ticked, numbers)
    return best.best()


def _climb(
    judge: Judge,
    best: Passed,
    ranges: Ranges,
    lane: int,
    size: int,
    generations: int,
    seed: int,
    ticked: Ticked,
    numbers: torch.dtype,
) -> None:
    alone = best.problem.lane(lane)
    many = repeated(alone, size)
    landscape = Landscape(judge.claim, many, ranges, differentiable=False, numbers=numbers)
    shapes = [change.shape[1:] for change in landscape.still()]
    free = sum(shape.numel() for shape in shapes)
    if free < 2:
        return  # cma asks for two
    options = {"popsize": size, "seed": seed + 1, "verbose": -9, "maxiter": generations, "tolflatfitness": generations}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of cma's own settings
        strategy = cma.CMAEvolutionStrategy(np.zeros(free), FIRST_SPREAD, options)
    looked = Passed.nothing(many)
    generation = 0
    while not strategy.stop() and ticked(size):
        asked = strategy.ask()
        changes = _changes(np.stack(asked), shapes, best.ratios.device)
        strategy.tell(asked, _falls(landscape, changes))
        best.evaluations += size
        generation += 1
        if generation % LOOK_EVERY == 0:
            looked.look(judge, landscape.at(changes))
    for found in (strategy.result.xbest, strategy.result.xfavorite):
        if found is not None:
            looked.look(judge, landscape.at(_changes(np.tile(found, (size, 1)), shapes, best.ratios.device)))
    best.improve(lane, looked)


def _changes(rows: np.ndarray, shapes: list[torch.Size], device: torch.device) -> list[Tensor]:
    parts = torch.tensor(rows, dtype=torch.float64, device=device).split([s.numel() for s in shapes], dim=1)
    return [part.reshape(len(rows), *shape) for part, shape in zip(parts, shapes, strict=True)]


def _falls(landscape: Landscape, changes: list[Tensor]) -> list[float]:
    with torch.no_grad():
        terms = landscape.terms(changes)
        height = terms.height - PENALTY * landscape.missing(terms, 0.0)
    values: list[float] = (-height).nan_to_num(nan=WORST, posinf=WORST, neginf=-WORST).cpu().tolist()
    return values
