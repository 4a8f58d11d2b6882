"""Constants as exact rationals, and the radius of their rounding."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.errors import BoundcheckError
from boundcheck.exact import Exact, constant, exact, symbol

COMMON = settings(max_examples=300, deadline=None, derandomize=True, database=None)


def one_sentence(error: BoundcheckError) -> str:
    text = str(error)
    assert text.endswith(".")
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1/4", Fraction(1, 4)),
        ("0.87", Fraction(87, 100)),
        (3, Fraction(3)),
        ("-2", Fraction(-2)),
        ("1e-3", Fraction(1, 1000)),
        (" 1/3 ", Fraction(1, 3)),
        (Fraction(2, 7), Fraction(2, 7)),
    ],
)
def test_rationals_are_read_exactly(text: Any, value: Fraction) -> None:
    assert exact(text) == value
    assert str(constant(text)) == str(value)


def test_small_powers_of_two_are_written_as_powers() -> None:
    assert exact("2^-64") == Fraction(1, 2**64)
    assert exact("2^3") == 8
    assert str(constant("2^-64")) == "2^-64"
    assert str(constant("2^-10")) == "1/1024"
    assert exact(str(constant(Fraction(1, 2**300)))) == Fraction(1, 2**300)


@pytest.mark.parametrize("wrong", [0.25, 1.0, math.pi, math.nan, None, [1], b"1/4", 1 + 2j])
def test_a_float_or_another_type_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(BoundcheckError) as caught:
        exact(wrong)
    text = one_sentence(caught.value)
    assert type(wrong).__name__ in text
    assert "expected an exact rational" in text
    assert "write it as a string" in text


@pytest.mark.parametrize("wrong", ["", "a quarter", "1/0", "1//4", "pi", "nan", "inf", "1/4/2", "0x10"])
def test_a_text_that_is_no_rational_is_refused(wrong: str) -> None:
    with pytest.raises(BoundcheckError) as caught:
        exact(wrong)
    assert repr(wrong) in one_sentence(caught.value)


def test_a_constant_on_no_known_side_is_refused() -> None:
    with pytest.raises(BoundcheckError) as caught:
        constant("1/4", scales="both")  # type: ignore[arg-type]
    text = one_sentence(caught.value)
    assert "'both'" in text
    assert "expected" in text


@pytest.mark.parametrize(("scales", "better"), [("larger", "smaller"), ("smaller", "larger"), (None, None)])
def test_the_better_direction_of_a_constant(scales: Any, better: str | None) -> None:
    assert Exact(Fraction(1), scales=scales).better == better


def test_the_declaration_is_kept() -> None:
    declared: Any = constant("0.87", printed="c'", scales="larger", unit="R/S")
    assert declared == Exact(Fraction(87, 100), "c'", "larger", "R/S")


@COMMON
@given(
    value=st.one_of(
        st.fractions(),
        st.fractions(max_denominator=10**6),
        st.integers(-(2**80), 2**80).map(Fraction),
        st.floats(allow_nan=False, allow_infinity=False).map(Fraction),
        st.tuples(st.integers(1, 10**9), st.integers(300, 400)).map(lambda t: Fraction(t[0], 10 ** t[1])),
    )
)
def test_the_nearest_double_is_within_its_radius(value: Fraction) -> None:
    double, radius = Exact(value).nearest()
    assert abs(Fraction(double) - value) <= Fraction(radius)
    assert radius >= 0
    assert (radius == 0) == (Fraction(double) == value)
    assert radius <= max(abs(double) * 2.0**-51, 5e-324)


@COMMON
@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_have_radius_0(value: float) -> None:
    assert Exact(Fraction(value)).nearest() == (value, 0.0)


def test_a_primed_constant_is_written_with_its_prime() -> None:
    assert [symbol(name) for name in ("c", "c_prime", "primed", "prime")] == ["c", "c'", "primed", "prime"]
