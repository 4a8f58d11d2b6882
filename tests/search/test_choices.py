"""Draws depend on the seed alone, reach what strategies allow and nothing else."""

import hashlib
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.internal.intervalsets import IntervalSet

from boundcheck.search.choices import SeededChoices, ordered, seeded, unordered
from boundcheck.search.drawing import over

WHOLE = st.one_of(st.none(), st.integers())
SEEDS = st.integers(0, 2**32)


def choices(seed: int) -> SeededChoices:
    with seeded(seed):
        return SeededChoices(None)


def drawn(strategy: st.SearchStrategy[Any], count: int = 40, seed: int = 0) -> list[Any]:
    found: list[Any] = []
    over(strategy, found.append, count, seed)
    return found


@given(SEEDS, WHOLE, WHOLE)
def test_whole_numbers_keep_their_bounds(seed: int, low: int | None, high: int | None) -> None:
    assume(low is None or high is None or low <= high)
    made = choices(seed)
    for _ in range(20):
        number = made.draw_integer(low, high)
        assert low is None or low <= number
        assert high is None or number <= high


@given(
    SEEDS, st.floats(allow_nan=False), st.floats(allow_nan=False), st.booleans(), st.sampled_from([5e-324, 1e-300, 0.5])
)
def test_floats_keep_their_bounds(seed: int, one: float, other: float, nan: bool, smallest: float) -> None:
    low, high = min(one, other), max(one, other)
    assume(abs(low) >= smallest or low == 0)
    assume(abs(high) >= smallest or high == 0)
    made = choices(seed)
    for _ in range(20):
        number = made.draw_float(min_value=low, max_value=high, allow_nan=nan, smallest_nonzero_magnitude=smallest)
        if math.isnan(number):
            assert nan
        else:
            assert low <= number <= high
            assert number == 0 or abs(number) >= smallest


@given(SEEDS, st.integers(0, 9), st.integers(0, 9))
def test_texts_and_bytes_keep_their_sizes(seed: int, least: int, more: int) -> None:
    made, letters = choices(seed), IntervalSet([(48, 50), (97, 97)])
    text = made.draw_string(letters, min_size=least, max_size=least + more)
    assert least <= len(text) <= least + more
    assert set(text) <= set("012a")
    assert least <= len(made.draw_bytes(least, least + more)) <= least + more


@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
def test_truths_come_as_often_as_they_should(p: float) -> None:
    made = choices(1)
    seen = sum(made.draw_boolean(p) for _ in range(4000))
    assert abs(seen - 4000 * p) <= 5 * math.sqrt(4000 * p * (1 - p))


def test_weights_are_kept_to() -> None:
    made = choices(2)
    seen = Counter(made.draw_integer(0, 9, weights={3: 0.5, 7: 0.25}) for _ in range(4000))
    assert abs(seen[3] - 4000 * (0.5 + 0.025)) < 200
    assert abs(seen[7] - 4000 * (0.25 + 0.025)) < 200
    assert set(seen) == set(range(10))


def test_every_choice_of_a_few_comes_soon() -> None:
    assert set(drawn(st.sampled_from("abcdefgh"))) == set("abcdefgh")
    assert {0, 2**31 - 1} <= set(drawn(st.integers(0, 2**31 - 1), 200))
    assert {0.0, 1.0} <= set(drawn(st.floats(0, 1), 400))


def test_the_first_draw_is_the_simplest() -> None:
    assert drawn(st.tuples(st.integers(1, 9), st.sampled_from("abc")), 5)[0] == (1, "a")


def test_the_same_seed_gives_the_same_draws_and_another_does_not() -> None:
    anything = st.lists(st.one_of(st.integers(), st.floats(), st.text(max_size=3)))
    assert repr(drawn(anything, seed=5)) == repr(drawn(anything, seed=5))
    assert repr(drawn(anything, seed=5)) != repr(drawn(anything, seed=6))


PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
{first}
from hypothesis import strategies as st
from boundcheck.search.drawing import over
found = []
over(st.tuples(st.integers(0, 10**9), st.floats(0, 1e9), st.text()), found.append, 100, 0)
print(found)
"""


def test_what_is_imported_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "numbers_of_mine.py").write_text(f"KNOWN = {list(range(123456, 123956))!r}\nWORDS = {'abcd' * 5!r}\n")

    def draws(first: str) -> str:
        program = PROGRAM.format(folder=str(tmp_path), first=first)
        return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert draws("") == draws("import numbers_of_mine")


def test_the_ends_of_a_wide_range_come_often() -> None:
    made = choices(3)
    seen = Counter(made.draw_integer(0, 2**31 - 1) for _ in range(4000))
    assert 80 < seen[0] < 170
    assert 80 < seen[2**31 - 1] < 170


FLOATS = st.floats(allow_nan=False)


@given(FLOATS, FLOATS)
def test_places_are_in_the_order_of_the_numbers(one: float, other: float) -> None:
    assert repr(unordered(ordered(one))) == repr(one)
    if one != other:
        assert (ordered(one) < ordered(other)) == (one < other)


@given(FLOATS.filter(math.isfinite))
def test_neighbours_are_next_to_each_other(x: float) -> None:
    if x != 0:  # on the way from either zero nextafter leaves out the other
        assert ordered(math.nextafter(x, math.inf)) - ordered(x) in (1, 2 if x == -5e-324 else 1)
    assert (ordered(-0.0), ordered(0.0), ordered(5e-324)) == (-1, 0, 1)


@pytest.mark.parametrize(
    "strategy",
    [
        st.floats(min_value=1e300),
        st.floats(max_value=-1e300),
        st.floats(width=32),
        st.floats(width=16),
        st.floats(),
        st.floats(0, 1),
        st.floats(-1e308, 1e308),
        st.floats(1, 1 + 2**-40),
        st.floats(0, 1e-310),
        st.floats(0, 1, allow_subnormal=False),
    ],
    ids=str,
)
def test_floats_of_any_range_differ(strategy: st.SearchStrategy[float]) -> None:
    assert len(set(map(repr, drawn(strategy, 400)))) > 200


def test_floats_come_evenly_and_of_every_size() -> None:
    made = choices(4)
    seen = [made.draw_float(min_value=0.0, max_value=1.0, smallest_nonzero_magnitude=5e-324) for _ in range(4000)]
    even, sizes = 4000 * 15 / 32, 4000 * 15 / 32
    for low, high in ((0.25, 0.5), (0.5, 0.75), (0.75, 1.0)):
        assert abs(sum(low < x < high for x in seen) - even / 4) < 120
    for low, high in ((1e-100, 1e-50), (1e-200, 1e-150), (1e-300, 1e-250)):
        assert abs(sum(low < x < high for x in seen) - sizes * 50 / 308) < 90
    unbounded = [made.draw_float(allow_nan=False, smallest_nonzero_magnitude=5e-324) for _ in range(4000)]
    assert 1700 < sum(1e-7 < abs(x) < 1e7 for x in unbounded) < 2400


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, -0.0), (math.inf, math.inf), (-0.0, -0.0), (3.5, 3.5)])
def test_a_zero_keeps_its_sign_and_a_single_value_is_drawn(low: float, high: float) -> None:
    made = choices(5)
    for _ in range(500):
        number = made.draw_float(min_value=low, max_value=high, allow_nan=False, smallest_nonzero_magnitude=5e-324)
        assert ordered(low) <= ordered(number) <= ordered(high)


def test_what_published_runs_were_drawn_from_is_drawn_still() -> None:
    """Recorded once: runs are named by their seeds, so that other draws for a seed would make them unrepeatable."""
    made = choices(11)
    letters = IntervalSet([(48, 57), (97, 122)])
    found = [
        (
            made.draw_integer(0, 2**31 - 1),
            made.draw_integer(1, 9),
            made.draw_integer(),
            made.draw_boolean(0.3),
            made.draw_string(letters),
            made.draw_bytes(1, 5),
        )
        for _ in range(200)
    ]
    assert (
        hashlib.sha256(repr(found).encode()).hexdigest()
        == "f28ae7b95491997b2b1cfc466ebcb821f8b371b9e8f4049bdd146e169582b8ec"
    )
