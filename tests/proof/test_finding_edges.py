"""The edges of what endpoints prove, and of what is kept of them."""

from fractions import Fraction
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boundcheck.proof.finding import (
    KEPT_BITS,
    Finding,
    Interval,
    Standing,
    endpoint_from_text,
    endpoint_text,
    find,
)

LEAST = Fraction(1, 2**200)
CONSISTENT = Fraction(1, 2**99)
"""The whole width, beside a magnitude of 1, at which two sides count as consistent."""


class Endpoints:
    name, bits = "plain endpoints", 128

    @staticmethod
    def endpoints(x: Any) -> Any:
        return x


def found(left: Any, right: Any, *margins: Any, identity: bool = False) -> Finding:
    arithmetic: Any = Endpoints()
    return find([left, right, *margins], arithmetic, identity=identity)


def between(low: Any, high: Any) -> Interval:
    return (low if isinstance(low, float) else Fraction(low), high if isinstance(high, float) else Fraction(high))


ONE, TWO, ZERO = between(1, 1), between(2, 2), between(0, 0)


@pytest.mark.parametrize(
    ("smaller", "larger", "expected"),
    [
        (between(0, 1), between(1, 2), Standing.HOLDS),
        (between(0, 1 + LEAST), between(1, 2), Standing.OPEN),
        (between(1, 2), between(0, 1), Standing.OPEN),
        (between(1 + LEAST, 2), between(0, 1), Standing.VIOLATED),
        (ZERO, between(0, 1), Standing.HOLDS),
        (between(-1, 0), ZERO, Standing.HOLDS),
        (between(0, 1), ZERO, Standing.OPEN),
        (between(-1, 1), between(-1, 1), Standing.OPEN),
        (ZERO, ZERO, Standing.VACUOUS),
        (between(0, inf), between(1, inf), Standing.OPEN),
        (between(-inf, 1), between(1, inf), Standing.HOLDS),
        (between(2, inf), between(-inf, 1), Standing.VIOLATED),
        (between(-inf, inf), between(inf, inf), Standing.OPEN),
    ],
)
def test_the_ends_of_an_inequality(smaller: Any, larger: Any, expected: Standing) -> None:
    assert found(smaller, larger).standing is expected
    assert found(smaller, larger, between(0, 0), between(0, inf)).standing is expected


@pytest.mark.parametrize(
    ("margins", "expected"),
    [
        ([between(0, 0)], Standing.HOLDS),
        ([between(-LEAST, 0)], Standing.UNVERIFIED),
        ([between(-1, -LEAST)], Standing.VACUOUS),
        ([between(0, 1), between(-LEAST, 1)], Standing.UNVERIFIED),
        ([between(-LEAST, 1), between(0, 1)], Standing.UNVERIFIED),
        ([between(0, 1), between(-1, -LEAST)], Standing.VACUOUS),
        ([between(-1, -LEAST), between(0, 1)], Standing.VACUOUS),
        ([between(-inf, -1)], Standing.VACUOUS),
        ([between(-inf, 1)], Standing.UNVERIFIED),
    ],
)
@pytest.mark.parametrize("identity", [False, True])
def test_the_ends_of_a_premise(margins: list[Interval], expected: Standing, identity: bool) -> None:
    assert found(ONE, ONE, *margins, identity=identity).standing is expected
    assert found(ZERO, ZERO, *margins, identity=identity).standing is (
        Standing.VACUOUS if expected is Standing.HOLDS else expected
    )


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("size", [Fraction(1), Fraction(3, 7) * 2**1500, Fraction(1, 3**900)])
def test_an_identity_is_consistent_up_to_a_width_and_no_further(sign: int, size: Fraction) -> None:
    def side(width: Fraction) -> Interval:
        ends = sorted((sign * size, sign * size * (1 - width)))
        return ends[0], ends[1]

    for first, second in (
        (CONSISTENT, Fraction(0)),
        (Fraction(0), CONSISTENT),
        (CONSISTENT / 2, CONSISTENT / 2),
        (CONSISTENT / 3, 2 * CONSISTENT / 3),
    ):
        assert found(side(first), side(second), identity=True).standing is Standing.CONSISTENT
        assert found(side(first + LEAST), side(second), identity=True).standing is Standing.OPEN
        assert found(side(first), side(second + LEAST), identity=True).standing is Standing.OPEN


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (ONE, ONE, Standing.HOLDS),
        (ONE, between(1 + LEAST, 1 + LEAST), Standing.VIOLATED),
        (between(1 + LEAST, 1 + LEAST), ONE, Standing.VIOLATED),
        (between(0, 1), between(1, 2), Standing.OPEN),
        (between(1, 2), between(0, 1), Standing.OPEN),
        (between(0, 1), between(1 + LEAST, 2), Standing.VIOLATED),
        (between(1 + LEAST, 2), between(0, 1), Standing.VIOLATED),
        (between(0, 3), between(0, 3), Standing.OPEN),
        (between(-LEAST, LEAST), ZERO, Standing.OPEN),
        (ZERO, between(-LEAST, LEAST), Standing.OPEN),
        (between(1, inf), ONE, Standing.OPEN),
        (between(-inf, 1), ONE, Standing.OPEN),
        (ONE, between(1, inf), Standing.OPEN),
        (ONE, between(-inf, 1), Standing.OPEN),
        (between(2, inf), ONE, Standing.VIOLATED),
        (ZERO, ZERO, Standing.VACUOUS),
    ],
)
def test_the_ends_of_an_identity(left: Any, right: Any, expected: Standing) -> None:
    assert found(left, right, identity=True).standing is expected


def test_a_finding_says_where_it_comes_from_and_keeps_every_margin() -> None:
    finding = found(ONE, TWO, between(0, 1), between(Fraction(1, 2), inf))
    assert (finding.route, finding.bits) == ("plain endpoints", 128)
    assert (finding.left, finding.right) == (ONE, TWO)
    assert finding.premises == (between(0, 1), between(Fraction(1, 2), inf))
    assert finding.to_json() == {
        "route": "plain endpoints",
        "bits": 128,
        "standing": "HOLDS",
        "left": ["1*2^0", "1*2^0"],
        "right": ["1*2^1", "1*2^1"],
        "premises": [["0*2^0", "1*2^0"], ["1*2^-1", "inf"]],
    }
    assert Finding.from_json(finding.to_json()) == finding
    assert Finding.from_json({**finding.to_json(), "left": ["-inf", "-3*2^2"]}).left == (-inf, Fraction(-12))


numbers = (
    st.fractions() | st.fractions().map(lambda x: x * Fraction(2) ** 2000) | st.fractions().map(lambda x: x / 3**400)
)


@given(numbers)
def test_what_is_kept_is_a_short_number_just_outside(x: Fraction) -> None:
    low, high = found((x, x), ONE).left
    assert low <= x <= high
    assert high - low <= abs(x) / 2 ** (KEPT_BITS - 1)
    for end in (low, high):
        assert isinstance(end, Fraction)
        denominator, numerator = end.denominator, abs(end.numerator)
        assert denominator & (denominator - 1) == 0
        odd = numerator // (numerator & -numerator) if numerator else 0
        assert odd.bit_length() <= KEPT_BITS + 1
        assert endpoint_from_text(endpoint_text(end)) == end


def test_what_needs_no_more_bits_than_are_kept_is_kept_as_it_is() -> None:
    assert KEPT_BITS == 160
    for whole in (1, 3, 2**159 + 1, 2**160 - 1, -(2**160) + 1, 5 * 2**500):
        for exponent in (-700, 0, 700):
            x = Fraction(whole) * Fraction(2) ** exponent
            assert found((x, x), ONE).left == (x, x)
    third = Fraction(1, 3)
    low, high = found((third, third), ONE).left
    assert (low, high) == (Fraction(2**161 // 3, 2**161), Fraction(2**161 // 3 + 1, 2**161))
    assert found((-third, -third), ONE).left == (-high, -low)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (Fraction(0), "0*2^0"),
        (Fraction(1), "1*2^0"),
        (Fraction(-1), "-1*2^0"),
        (Fraction(6), "3*2^1"),
        (Fraction(-3, 8), "-3*2^-3"),
        (Fraction(2) ** 5000, "1*2^5000"),
        (inf, "inf"),
        (-inf, "-inf"),
        (1.5, "3*2^-1"),
    ],
)
def test_an_endpoint_has_one_text(x: Any, text: str) -> None:
    assert endpoint_text(x) == text
    assert endpoint_from_text(text) == x


def test_texts_are_read_up_to_a_length() -> None:
    assert endpoint_from_text("0" * 63 + "5*2^-0000003") == Fraction(5, 8)
    for text in ("0" * 64 + "5*2^0", "5*2^-00000003"):
        with pytest.raises(ValueError, match=f"an endpoint of {len(text)} characters"):
            endpoint_from_text(text)
    for text in ("infinity", "+inf", "5", "5*2^", "*2^3", "5*2^1.5", "5e0*2^1", "5*2^1*2^1"):
        with pytest.raises(ValueError):  # noqa: PT011 - any of Python's own words will do
            endpoint_from_text(text)
