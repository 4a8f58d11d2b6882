"""True claims written in ways that invite a wrong proof: none may be called broken, and a false one may not be said to hold."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.claim import Identity, Sides, Source, Stance, Statement, premise, scaled, theorem
from boundcheck.exact import constant
from boundcheck.problem import Problem
from boundcheck.profiles import profile
from boundcheck.search import Options, run_campaign
from boundcheck.strategies.lanes import LaneStream


@dataclass(frozen=True)
class Row(Problem):
    x: Tensor
    whole: Tensor


@dataclass(frozen=True)
class RowRecipe:
    seed: int

    @property
    def label(self) -> str:
        return "row"

    def build(self, lanes: int, first: int = 0) -> Row:
        x = LaneStream(self.seed, lanes, first).normal(3)
        return Row(x, (10 * x[:, 0]).round().abs() + 1)


def campaign(check: Callable[..., Statement], folder: Path, **options: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"mutants": {"half": scaled("1/2")}} | options
    claim = theorem(
        f"T-{check.__name__}:{abs(hash(check))}",
        source=Source("tests", "none"),
        stance=Stance.PROVED,
        over=st.builds(RowRecipe, st.integers(0, 9)),
        **settings,
    )(check)
    return run_campaign(claim, Options(profile("fast"), counterexamples=folder))


def nan_as_a_premise(p: Row) -> Sides:
    premise("log is defined", 0.5 - torch.log(p.x[0]).isnan().double())
    return Sides(torch.where(p.x[0] > 0, 0.5, 2.0).double() + 0 * p.x[0], 1 + 0 * p.x[0])


def nan_replaced(p: Row) -> Sides:
    ones = torch.ones_like(p.x[0])
    return Sides(3 * torch.where(torch.log(p.x[0]).isnan(), 0 * ones, ones / 3), ones)


def nan_is_not_itself(p: Row) -> Sides:
    root = torch.sqrt(p.x[0])
    ones = torch.ones_like(root)
    return Sides(torch.where(root != root, 0 * ones, ones), ones)


def a_tenth_of_ten(p: Row) -> Sides:
    return Sides(0.1 * p.whole * 10, p.whole)


def roots_of_two(p: Row) -> Sides:
    return Sides(math.sqrt(2) * (math.sqrt(2) * p.whole), 2 * p.whole)


def three_thirds(p: Row) -> Identity:
    return Identity((p.x * (1 / 3)).sum() * 3, p.x.sum())


def wrapped(p: Row) -> Sides:
    big = torch.full((2,), 2**30, dtype=torch.int32)
    return Sides((big * 2)[0].double() + 0 * p.x[0], 1 + 0 * p.x[0])


def infinite_side(p: Row) -> Sides:
    total = p.x.sum()
    premise("exactly 0", (total + 1) ** 2 - total**2 - 2 * total - 1)
    return Sides(torch.full_like(total, torch.inf), torch.ones_like(total))


def softplus_above_its_threshold(p: Row) -> Sides:
    inner = 30 * p.x[0].abs() + 15
    return Sides(inner, torch.nn.functional.softplus(inner))


TRUE = [
    nan_as_a_premise,
    nan_replaced,
    nan_is_not_itself,
    a_tenth_of_ten,
    roots_of_two,
    three_thirds,
    wrapped,
    infinite_side,
    softplus_above_its_threshold,
]


@pytest.mark.parametrize("check", TRUE, ids=[check.__name__ for check in TRUE])
def test_a_true_claim_is_never_called_broken(check: Callable[..., Statement], tmp_path: Path) -> None:
    entry = campaign(check, tmp_path, mutants={"off": scaled("1/2") if check is not three_thirds else scaled("3/2")})
    assert entry["verdict"] not in ("VIOLATED", "VIOLATED_UNCERTIFIED", "ERROR"), entry["reason"]
    assert entry["counterexample"] is None
    assert "please report" not in entry["reason"]


def test_truth_values_added_are_no_numbers(tmp_path: Path) -> None:
    """torch's sum of two truth values is one: a program that made 2 of it would let a false claim hold."""

    def either(p: Row) -> Sides:
        zero, total = 0 * p.x[0], p.x.sum()
        one = ((p.x[0].abs() >= 0) + (p.x[0].abs() > -1)).double()
        edge = (total + 1) ** 2 - total**2 - 2 * total - 1
        premise("edge or positive", torch.where(p.x[0] > 0, 1 + zero, edge))
        return Sides(torch.where(p.x[0] > 0, 0.95 + zero, 1.5 + zero), one)

    entry = campaign(either, tmp_path)
    assert entry["held"] <= 0.7 * entry["tested"], "the lanes with x_0 <= 0 break it"


@pytest.mark.parametrize(
    "count",
    [
        lambda x: x.sum(dtype=torch.long).double(),
        lambda x: (x > 0).sum() / 3,
        lambda x: x.to(torch.float32).sum().double(),
    ],
)
def test_rounding_by_type_is_not_proved(count: Any, tmp_path: Path) -> None:
    def typed(p: Row) -> Sides:
        return Sides(count(p.x).double(), count(p.x).double() - 1e-3)

    assert campaign(typed, tmp_path)["verdict"] != "VIOLATED"


def test_a_claim_that_only_balls_decide_has_its_mutants_tried_in_balls(tmp_path: Path) -> None:
    def edged(p: Row, c: Tensor = constant("999/1000", scales="smaller")) -> Sides:
        total = p.x.sum()
        premise("exactly 0", (total + 1) ** 2 - total**2 - 2 * total - 1)
        return Sides(c * p.whole, p.whole)

    entry = campaign(edged, tmp_path, mutants={"more": {"c": "1001/1000"}})
    assert entry["verdict"] == "HOLDS", entry["reason"]
    assert entry["premises"][0]["accepted"] == entry["held"]


def test_norms_of_numbers_are_lowered(tmp_path: Path) -> None:
    def of_a_number(p: Row) -> Sides:
        return Sides(torch.linalg.vector_norm(p.whole) + p.whole.sum() + p.whole.amax(), 2 * p.whole)

    assert campaign(of_a_number, tmp_path)["verdict"] == "VIOLATED"


def test_files_in_the_users_folder_do_not_get_into_the_proof(tmp_path: Path) -> None:
    (tmp_path / "numbers.py").write_text("print('hello')\n")
    code = (
        "from boundcheck.proof.program import Input, Program\n"
        "from boundcheck.proof.prover import shared_prover\n"
        "p = Program(2, (), (0, 1))\n"
        "print(shared_prover().prove(p, [Input([1.0]), Input([2.0])], identity=False).standing.name)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "HOLDS\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_starts_a_prover_of_its_own() -> None:
    code = (
        "import os\n"
        "from boundcheck.proof.program import Input, Program\n"
        "from boundcheck.proof.prover import shared_prover\n"
        "p = Program(2, (), (0, 1))\n"
        "prove = lambda: shared_prover().prove(p, [Input([1.0]), Input([2.0])], identity=False).standing.name\n"
        "prove()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(prove() != 'HOLDS')\n"
        "print(os.waitpid(child, 0)[1], prove())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "0 HOLDS\n", done.stderr
