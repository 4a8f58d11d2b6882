"""How the page writes numbers and sources: the examples in its documentation, and what holds of any number."""

import doctest
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boundcheck.report.figures import decades, histogram
from boundcheck.report.html import numbers, sources, text


@pytest.mark.parametrize("module", [numbers, sources, text, decades, histogram], ids=lambda module: module.__name__)
def test_the_examples_are_true(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


@given(st.floats(0, 2))
def test_only_an_exact_1_reads_1(value: float) -> None:
    assert (numbers.ratio(value) == "1") == (value == 1)


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_a_share_reads_0_or_100_only_where_it_is(part: int, whole: int) -> None:
    part = min(part, whole)
    words = numbers.share(part, whole)
    assert (words == "100 %") == (part == whole)
    assert (words == "0 %") == (part == 0)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_told_to_four_digits(value: float) -> None:
    spelt = (
        numbers.number(value)
        .replace("−", "-")
        .translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
        .replace("·10", "e")
    )
    assert float(spelt) == float(f"{value:.4g}")
