"""What a whole claim costs: with enclosures beside the same without, beside a researcher's script, and as a pytest run."""

import importlib
import importlib.util
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from boundcheck.claim import Claim, build, registered_claims
from boundcheck.problem import Problem
from boundcheck.rigor import trace
from boundcheck.search.drawing import over
from boundcheck.search.evaluate import Evaluator
from boundcheck.search.instance import OneInstance

SCREENED = (
    "LE-6i:U",
    "LE-7:U",
    "LE-15:U",
    "LE-16:U",
    "AC-quartic:lower",
    "AC-6.2:corrected",
    "AC-B2:proved",
    "LE-R9:quadratic",
)
LANES = 1024
STRUCTURES = 3
ROUNDS = 5
SCREENING_TARGET = 2.0
RUN = ("theorems/local_edits/lemma_8.py", "theorems/local_edits/linear_setting.py")
SCRIPT = "tests.benchmarks.per_instance"
SCRIPT_TARGET = 200.0
SCRIPTED = 8
"""Instances that the script takes in a round."""

_BATCHES = itertools.count(1)


@dataclass(frozen=True)
class Screening:
    """One claim at one structure: its parts, each as a call on a batch."""

    drawn: Any
    evaluate: Evaluator
    plain: Any
    constants: list[Tensor]

    def seconds(self) -> tuple[float, float, float]:
        """To build a batch that no claim has seen (they share built batches), to evaluate it plainly, and by enclosures."""
        building, problem = _timed(lambda: build(self.drawn, LANES, next(_BATCHES) * LANES))
        plainly, _ = _timed(lambda: self.plain(*problem.leaves().values(), *self.constants))
        rigorously, _ = _timed(lambda: self.evaluate(problem))
        return building, plainly, rigorously


def screened(key: str, rounds: int = ROUNDS) -> dict[str, Any]:
    """Draw, build and evaluate a claim with computed error bounds, beside the same in plain float64."""
    claim = claims()[key]
    drawn: list[Any] = []
    over(claim.over, drawn.append, STRUCTURES, 0)
    cases = [_screening(claim, one) for one in drawn[1:]]
    turns = [[sum(part) for part in zip(*(case.seconds() for case in cases), strict=True)] for _ in range(rounds)]
    building, plainly, rigorously = (statistics.median(column) for column in zip(*turns, strict=True))
    ratio = statistics.median((b + r) / (b + p) for b, p, r in turns)
    return {
        "claim": key,
        "build": building,
        "plain": plainly,
        "enclosed": rigorously,
        "ratio": ratio,
        "target": SCREENING_TARGET,
        "reached": ratio <= SCREENING_TARGET,
        "instances_per_second": LANES * len(cases) / (building + rigorously),
    }


def _screening(claim: Claim, drawn: Any) -> Screening:
    problem = build(drawn, LANES, 0)
    evaluate = Evaluator(claim)
    evaluate(problem)  # traced now, as it is once a structure
    constants = [torch.tensor(exact.nearest()[0]) for exact in claim.constants.values()]
    return Screening(drawn, evaluate, plain_evaluation(claim, problem, constants), constants)


def plain_evaluation(claim: Claim, problem: Problem, constants: Sequence[Tensor]) -> Any:
    """The claim traced over lanes, without error bounds: sides and margins."""
    leaves = list(problem.leaves().values())
    axes = (*(0 for _ in leaves), *(None for _ in constants))
    return trace(torch.vmap(OneInstance(claim, problem), in_dims=axes), [*leaves, *constants])


def claims() -> dict[str, Claim]:
    """Those of both papers."""
    from boundcheck.theorems import alignment_collapse, local_edits

    assert alignment_collapse.__all__, "importing a package registers its claims"
    assert local_edits.__all__
    return dict(registered_claims())


def beside_a_script(rounds: int = ROUNDS) -> dict[str, Any] | None:
    """Theorem 7, descent included, beside a script that takes one instance at a time; None where there is no such script.

    Its module gives `CLAIM`, `ours(lanes, evaluator=…)`, the whole claim on a batch, and `script(lanes)`, both sides of each.
    """
    if importlib.util.find_spec(SCRIPT) is None:
        return None
    module = importlib.import_module(SCRIPT)
    evaluator = Evaluator(claims()[module.CLAIM])
    module.ours(LANES, evaluator=evaluator)  # traced now, as it is once a structure
    turns = []
    for turn in range(rounds):
        ours, _ = _timed(lambda: module.ours(LANES, evaluator=evaluator))
        chosen = range(turn * SCRIPTED, (turn + 1) * SCRIPTED)
        script, _ = _timed(lambda chosen=chosen: module.script(chosen))
        turns.append((LANES / ours, SCRIPTED / script))
    ratio = statistics.median(mine / theirs for mine, theirs in turns)
    mine, theirs = (statistics.median(column) for column in zip(*turns, strict=True))
    return {
        "claim": module.CLAIM,
        "ours_per_second": mine,
        "script_per_second": theirs,
        "ratio": ratio,
        "target": SCRIPT_TARGET,
        "reached": ratio >= SCRIPT_TARGET,
    }


def theorems_run(paths: Sequence[str] = RUN) -> dict[str, Any]:
    """`pytest` on a selection of claims under the fast profile, as a process of its own: seconds and instances a second."""
    root = Path(__file__).parents[2]
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "run.json"
        command = ["-m", "pytest", *paths, "-q", "--boundcheck-profile", "fast", "--boundcheck-json", str(saved)]
        environment = os.environ | {"PYTHONPATH": str(root)}
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - start
        if not saved.exists():
            raise RuntimeError(f"pytest left no run:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        entries = json.loads(saved.read_text(encoding="utf-8"))["claims"]
    tested = sum(entry["counts"]["tested"] if "counts" in entry else entry["tested"] for entry in entries)
    return {
        "command": " ".join(["pytest", *paths, "--boundcheck-profile fast"]),
        "seconds": seconds,
        "claims": len(entries),
        "instances": tested,
        "instances_per_second": tested / seconds,
        "passed": done.returncode == 0,
    }


def _timed(function: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    found = function()
    return time.perf_counter() - start, found
