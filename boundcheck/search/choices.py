"""Choices that depend on a seed and on nothing else: a backend for Hypothesis.

Hypothesis's own also draws numbers that it finds in the source of the modules imported so far, so that a claim's instances would
depend on which other claims were collected, on what an earlier claim of the same worker had imported, and on every edit of the
code. Strategies are drawn through this one instead, the interface that Hypothesis documents for alternative backends; shrinking
stays Hypothesis's.
"""

import math
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from random import Random
from typing import Any

from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, PrimitiveProvider
from hypothesis.internal.intervalsets import IntervalSet

NAME = "boundcheck"
"""What `hypothesis.settings(backend=…)` calls it."""

EDGES = 1 / 16
"""How often a number of a wide range is one of its ends, or one that formulas trip over."""

WIDE = 127
"""Whole numbers of a narrower range are drawn evenly."""

MODERATE = 20
"""Powers of two, up and down, between which a float without bounds is moderate."""

_SIZES = (8, 8, 16, 16, 32, 64)
"""Bits of a whole number without bounds."""

_MAGNITUDE = 2**63 - 1
"""All bits of a double but its sign."""

_SEED: ContextVar[int] = ContextVar("seed", default=0)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """What is drawn inside the block depends on this seed."""
    token = _SEED.set(seed)
    try:
        yield
    finally:
        _SEED.reset(token)


def ordered(x: float) -> int:
    """The place of a double among all: neighbours are 1 apart, and -0.0, at -1, comes before 0.0, at 0. Not for NaN."""
    (bits,) = struct.unpack("<q", struct.pack("<d", x))
    return int(bits) if bits >= 0 else -1 - (int(bits) & _MAGNITUDE)


def unordered(place: int) -> float:
    """The double at a place; `unordered(ordered(x))` is x, with its sign."""
    magnitude = place if place >= 0 else -1 - place
    (size,) = struct.unpack("<d", struct.pack("<q", magnitude))
    return math.copysign(size, place)


class SeededChoices(PrimitiveProvider):
    """One generator for all choices of a run of draws."""

    lifetime = "test_function"

    def __init__(self, conjecturedata: Any, /) -> None:
        super().__init__(conjecturedata)
        self._random = Random(_SEED.get())

    def draw_boolean(self, p: float = 0.5) -> bool:
        return self._random.random() < p

    def draw_integer(
        self,
        min_value: int | None = None,
        max_value: int | None = None,
        *,
        weights: dict[int, float] | None = None,
        shrink_towards: int = 0,
    ) -> int:
        if weights and (chosen := self._weighted(weights)) is not None:
            return chosen
        if min_value is None or max_value is None:
            return self._unbounded(min_value, max_value)
        if max_value - min_value > WIDE and self._random.random() < EDGES:
            return self._random.choice([min_value, max_value])
        return self._random.randint(min_value, max_value)

    def _weighted(self, weights: dict[int, float]) -> int | None:
        """One of these, each with its probability; None with what is left."""
        left = self._random.random()
        for value, weight in weights.items():
            left -= weight
            if left < 0:
                return value
        return None

    def _unbounded(self, low: int | None, high: int | None) -> int:
        size = self._random.getrandbits(self._random.choice(_SIZES))
        if low is not None:
            return low + size
        if high is not None:
            return high - size
        return size if self._random.random() < 0.5 else -size

    def draw_float(
        self,
        *,
        min_value: float = -math.inf,
        max_value: float = math.inf,
        allow_nan: bool = True,
        smallest_nonzero_magnitude: float,
    ) -> float:
        low, high = ordered(min_value), ordered(max_value)

        def allowed(x: float) -> bool:
            if math.isnan(x):
                return allow_nan
            return low <= ordered(x) <= high and (x == 0 or abs(x) >= smallest_nonzero_magnitude)

        if self._random.random() < EDGES:
            edges = (
                min_value,
                max_value,
                0.0,
                -0.0,
                1.0,
                -1.0,
                smallest_nonzero_magnitude,
                math.inf,
                -math.inf,
                math.nan,
            )
            return self._random.choice([edge for edge in edges if allowed(edge)] or [min_value])
        for _ in range(100):
            if allowed(drawn := self._float_between(min_value, max_value)):
                return drawn
        return next((value for value in (min_value, 0.0) if allowed(value)), max_value)

    def _float_between(self, low: float, high: float) -> float:
        """Half of them even, or of moderate size where an end is missing; the others of every size alike. Finite."""
        if self._random.random() < 0.5:
            if math.isfinite(low) and math.isfinite(high):
                part = self._random.random()
                return min(max((1 - part) * low + part * high, low), high)
            moderate = self._moderate()
            for drawn in (moderate, -moderate):
                if low <= drawn <= high:
                    return drawn
        least, most = (ordered(min(max(end, -sys.float_info.max), sys.float_info.max)) for end in (low, high))
        return unordered(self._random.randint(least, most))

    def _moderate(self) -> float:
        size = math.ldexp(1 + self._random.random(), self._random.randint(-MODERATE, MODERATE))
        return size if self._random.random() < 0.5 else -size

    def draw_string(self, intervals: IntervalSet, *, min_size: int = 0, max_size: int = 10**10) -> str:
        if not len(intervals):
            return ""
        size = self._size(min_size, max_size)
        return "".join(chr(intervals[self._random.randrange(len(intervals))]) for _ in range(size))

    def draw_bytes(self, min_size: int = 0, max_size: int = 10**10) -> bytes:
        return self._random.randbytes(self._size(min_size, max_size))

    def _size(self, low: int, high: int) -> int:
        """Short texts, mostly: up to the limit where that is near."""
        return low + self._random.randint(0, min(high - low, 8 if self._random.random() < 0.9 else 64))


AVAILABLE_PROVIDERS[NAME] = SeededChoices
