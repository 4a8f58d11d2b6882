"""Simplify: what is left is as simple as the violation allows, still breaks, and costs no more than its budget."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.problem import Problem
from boundcheck.search.simplify import complexity, simplify


@dataclass(frozen=True)
class Point(Problem):
    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Doubled(Problem):
    """`twice` follows from x."""

    x: Tensor
    twice: Tensor
    derived: ClassVar[tuple[str, ...]] = ("twice",)

    def settled(self) -> "Doubled":
        return Doubled(self.x, 2 * self.x)


def point(seed: int, size: int = 5) -> Point:
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(2, 1, size, dtype=torch.float64, generator=generator)
    return Point(x, y)


def test_what_does_not_matter_becomes_zero() -> None:
    start = point(0)
    start.x[0, 2] = 7.123
    simple = simplify(start, lambda p: p.x[:, 2] > 5.5)
    assert simple.x.tolist() in ([[0, 0, 6, 0, 0]], [[0, 0, 7, 0, 0]], [[0, 0, 8, 0, 0]])
    assert simple.y.abs().sum() == 0


@given(st.integers(0, 10_000))
def test_it_still_breaks_and_is_never_more_complex(seed: int) -> None:
    def breaks(p: Point) -> Tensor:
        return (p.x * p.y).sum(-1) > 0.01

    start = point(seed)
    if not bool(breaks(start)[0]):
        start = Point(start.x, start.x)
    simple = simplify(start, breaks)
    assert bool(breaks(simple)[0])
    assert complexity(simple) <= complexity(start)
    assert complexity(simple) <= 8  # one entry of each leaf, a small whole number or a power of two


def test_the_budget_is_kept() -> None:
    tried = 0

    def breaks(p: Point) -> Tensor:
        nonlocal tried
        tried += p.lanes
        return p.x.sum(-1) > 0.123456789

    start = Point(torch.full((1, 40), 0.1), torch.full((1, 40), 0.1))
    simplify(Point(start.x.double(), start.y.double()), breaks, candidates=100)
    assert tried <= 100


def test_a_violation_that_needs_every_bit_stays_as_it_is() -> None:
    start = point(3)
    simple = simplify(start, lambda p: (p.x == start.x).all(-1) & (p.y == start.y).all(-1))
    assert torch.equal(simple.x, start.x)
    assert torch.equal(simple.y, start.y)


def test_derived_leaves_follow() -> None:
    start = Doubled(torch.tensor([[1.2345, 6.789]]).double(), torch.tensor([[2.469, 13.578]]).double())
    simple = simplify(start, lambda p: p.twice[:, 1] > 3)
    assert isinstance(simple, Doubled)
    assert simple.x[0, 0] == 0
    assert torch.equal(simple.twice, 2 * simple.x)


def test_infinities_are_left_alone() -> None:
    start = Point(torch.tensor([[torch.inf, 2.5]]).double(), torch.zeros(1, 2).double())
    simple = simplify(start, lambda p: p.x[:, 0].isinf())
    assert simple.x.tolist() == [[torch.inf, 0.0]]
