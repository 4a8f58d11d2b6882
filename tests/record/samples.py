"""Counterexamples to store, spoil and read, made by hand: nothing here has to be true."""

import hashlib
import json
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from boundcheck.dynamics import Setup
from boundcheck.geometry import TwoLayer
from boundcheck.problem import Part, Problem
from boundcheck.record.counterexample import Ball, Counterexample, Route, Screening
from boundcheck.strategies.covariances import Covariances

WRITTEN_BY = {
    "version": "0.1.0",
    "torch": "2.13.0+cpu",
    "python_flint": "0.9.0",
}


@dataclass(frozen=True)
class StoredScale(Part):
    """Structure of every sort."""

    marks: int
    reach: float
    unit: str
    strict: bool = False
    below: "StoredScale | None" = None


@dataclass(frozen=True)
class StoredPoints(Problem):
    scale: StoredScale
    x: Tensor
    extra: dict[str, Tensor]
    label: str = "é"
    limit: int | None = None


def numbers(*shape: int) -> Tensor:
    return torch.sin(torch.arange(1, math.prod(shape) + 1, dtype=torch.float64)).reshape(1, *shape)


def setup() -> Setup:
    one = torch.ones(1, dtype=torch.float64)
    return Setup(
        family=TwoLayer(2, 3),
        theta0=numbers(6),
        frozen={"head": numbers(1, 3)},
        x_train=numbers(2, 2),
        y_train=numbers(2, 1),
        x_eval=numbers(3, 2),
        alpha=one,
        eta=one / 64,
        rho0=one * math.inf,
    )


def points() -> StoredPoints:
    inner = StoredScale(3, math.inf, "m")
    return StoredPoints(
        StoredScale(7, 0.1, "cm", strict=True, below=inner), numbers(2), {"a.b": numbers(1), "": numbers().float()}
    )


def route(name: str, bits: int | None) -> Route:
    return Route(
        name,
        bits,
        left=(Fraction(5, 4), Fraction(4, 3)),
        right=(Fraction(-1, 3), Fraction(1)),
        premises={"‖x‖ ≤ 1": (Fraction(0), Fraction(1, 7)), "wide": (math.inf, math.inf)},
    )


def counterexample(seed: int = 0) -> Counterexample:
    """A certified one."""
    return Counterexample(
        claim="MY-1.a:proved",
        constants={"c": Fraction(1, 4), "k": Fraction(-3)},
        problem=setup(),
        kind="simplest",
        status="VIOLATED",
        certificate=(route("Arb balls at 128 bits", 128), route("exact rationals", None)),
        screening=Screening(
            Ball(1.25, 1e-12), Ball(1.0, 0.0), {"‖x‖ ≤ 1": Ball(0.0625, 2.0**-50), "wide": Ball(math.inf, 0.0)}
        ),
        identity=False,
        drawn="FineTuningRecipe(samples=2)",
        seed=seed,
        reason="",
        provenance=WRITTEN_BY,
    )


def counterexamples() -> list[Counterexample]:
    """One of each sort."""
    first = counterexample()
    bare = Screening(Ball(1.25, 1e-12), Ball(1.5, 0.125), {})
    return [
        first,
        replace(
            first, problem=points(), kind="worst", status="VIOLATED_UNCERTIFIED", certificate=None, reason="no rule"
        ),
        replace(
            first,
            problem=Covariances(numbers(2), numbers(2, 2)),
            status="VIOLATED_UNCERTIFIED",
            certificate=(),
            screening=bare,
            identity=True,
            constants={},
            seed=2**64,
        ),
    ]


def sealed(data: dict[str, Any]) -> bytes:
    """A file with this content and a digest that fits it, whatever the content is."""
    content = {key: value for key, value in data.items() if key != "digest"}
    compact = json.dumps(content, separators=(",", ":")).encode("ascii")
    return text_of(content | {"digest": hashlib.sha256(compact).hexdigest()})


def text_of(data: Any) -> bytes:
    return (json.dumps(data, indent=1) + "\n").encode("ascii")
