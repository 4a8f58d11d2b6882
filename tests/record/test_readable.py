"""An instance in lines that people read: nothing is rounded, and what is shown can be read back."""

import math
from dataclasses import dataclass
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.problem import Problem
from boundcheck.proof.finding import Finding, Standing
from boundcheck.record import readable


@dataclass(frozen=True)
class Readable(Problem):
    """Leaves: one vector, one matrix."""

    vector: Tensor
    matrix: Tensor


def lines(vector: list[float], matrix: Tensor) -> dict[str, str]:
    problem = Readable(torch.tensor([vector], dtype=torch.float64), matrix.double().unsqueeze(0))
    return dict(line.split(" = ", 1) for line in readable(problem, [], [], drawn="")["instance"])


def value_of(text: str) -> float:
    """What a number on the page means."""
    if "2^" in text:
        factor, _, exponent = text.partition("2^")
        sign = {"": 1, "-": -1}.get(factor)
        whole = sign if sign is not None else int(factor.rstrip("*"))
        return float(whole * Fraction(2) ** int(exponent))
    return float(text)


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=24))
def test_every_number_can_be_read_back(numbers: list[float]) -> None:
    shown = lines(numbers, torch.zeros(1, 1))["vector"]
    assert [value_of(text) for text in shown.strip("[]").split(", ")] == numbers


@given(st.integers(-99, 99), st.integers(-900, 900))
def test_small_multiples_of_large_powers_are_short(factor: int, exponent: int) -> None:
    shown = lines([math.ldexp(factor, exponent)], torch.zeros(1, 1))["vector"]
    assert len(shown) <= 14


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2.0**-31, "2^-31"),
        (-(2.0**40), "-2^40"),
        (3 * 2.0**-20, "3*2^-20"),
        (0.125, "0.125"),
        (1024.0, "1024"),
        (-0.5, "-0.5"),
    ],
)
def test_examples(value: float, shown: str) -> None:
    assert lines([value], torch.zeros(1, 1))["vector"] == f"[{shown}]"


def test_large_leaves_say_what_is_in_them() -> None:
    empty, sparse, full = torch.zeros(5, 5), torch.zeros(5, 5), torch.rand(5, 5) + 1
    sparse[1, 2] = -4.0
    assert lines([0.0], empty)["matrix"] == "(5, 5) zeros"
    assert lines([0.0], sparse)["matrix"] == "(5, 5) zeros but for -4 at (1, 2)"
    assert lines([0.0], full)["matrix"] == "(5, 5) numbers, of which the file holds every digit"


def test_each_route_says_what_it_proves_with_infinities_and_huge_numbers() -> None:
    huge = Fraction(2) ** 5000
    finding = Finding(
        "balls", 128, Standing.VIOLATED, (Fraction(1), Fraction(1)), (Fraction(0), math.inf), ((huge, huge),)
    )
    problem = Readable(torch.zeros(1, 1, dtype=torch.float64), torch.zeros(1, 1, 1, dtype=torch.float64))
    (route,) = readable(problem, [finding], ["p"], drawn="a recipe")["routes"]
    assert route["finding"] == "the premises hold and the statement does not"
    assert {value["name"]: value["value"] for value in route["values"]} == {
        "smaller side": "= 1.0",
        "larger side": "in [0.0, inf]",
        "premise 'p'": "= about 2^5001",
    }
