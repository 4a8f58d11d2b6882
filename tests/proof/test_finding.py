"""What endpoints prove: premises first, then the conclusion; nothing is lost when endpoints are kept as text."""

from fractions import Fraction
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boundcheck.proof.finding import (
    CONSISTENT_RELATIVE_RADIUS,
    KEPT_BITS,
    Finding,
    Standing,
    endpoint_from_text,
    endpoint_text,
    find,
)


class Exactly:
    """Stands in for an arithmetic: its numbers are their own endpoints."""

    name = "endpoints"
    bits = None

    @staticmethod
    def endpoints(x: object) -> object:
        return x


def standing(left: object, right: object, *margins: object, identity: bool = False) -> Standing:
    return find([left, right, *margins], Exactly(), identity=identity).standing  # type: ignore[arg-type]


ONE, TWO = (Fraction(1), Fraction(1)), (Fraction(2), Fraction(2))
WIDE = (Fraction(0), Fraction(3))
UNKNOWN = (-inf, inf)
HOLDS, OPEN_, FALSE = (Fraction(0), Fraction(1)), (Fraction(-1), Fraction(1)), (Fraction(-2), Fraction(-1))


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (ONE, TWO, Standing.HOLDS),
        (ONE, ONE, Standing.HOLDS),
        (TWO, ONE, Standing.VIOLATED),
        (WIDE, TWO, Standing.OPEN),
        (UNKNOWN, TWO, Standing.OPEN),
        (ONE, UNKNOWN, Standing.OPEN),
        (ONE, (inf, inf), Standing.OPEN),
        ((Fraction(0),) * 2, (Fraction(0),) * 2, Standing.VACUOUS),
    ],
)
def test_an_inequality(left: object, right: object, expected: Standing) -> None:
    assert standing(left, right) is expected
    assert standing(left, right, HOLDS) is expected


@pytest.mark.parametrize("sides", [(ONE, TWO), (TWO, ONE), (UNKNOWN, UNKNOWN)])
def test_premises_come_first(sides: tuple[object, object]) -> None:
    assert standing(*sides, OPEN_) is Standing.UNVERIFIED
    assert standing(*sides, UNKNOWN) is Standing.UNVERIFIED
    assert standing(*sides, FALSE) is Standing.VACUOUS
    assert standing(*sides, OPEN_, FALSE) is Standing.VACUOUS
    assert standing(*sides, (inf, inf)) is standing(*sides)


def test_an_identity() -> None:
    sharp = Fraction(1, 2**101)
    near = (1 - sharp / 2, 1 + sharp / 2)
    loose = (1 - Fraction(1, 2**90), 1 + Fraction(1, 2**90))
    assert standing(ONE, ONE, identity=True) is Standing.HOLDS
    assert standing(ONE, near, identity=True) is Standing.CONSISTENT
    assert standing(ONE, loose, identity=True) is Standing.OPEN
    assert standing(ONE, TWO, identity=True) is Standing.VIOLATED
    assert standing(TWO, ONE, identity=True) is Standing.VIOLATED
    assert standing(ONE, (1 + sharp, 1 + sharp), identity=True) is Standing.VIOLATED
    assert standing(ONE, UNKNOWN, identity=True) is Standing.OPEN
    assert Fraction(1, 2**100) == CONSISTENT_RELATIVE_RADIUS


fractions = st.fractions() | st.fractions().map(lambda x: x * Fraction(2) ** 3000) | st.just(Fraction(1, 3**500))


@given(low=fractions, width=st.fractions(min_value=0))
def test_what_is_kept_encloses_what_was_proved(low: Fraction, width: Fraction) -> None:
    finding = find([(low, low + width), ONE], Exactly(), identity=False)  # type: ignore[arg-type]
    again = Finding.from_json(finding.to_json())
    assert again == finding
    assert finding.left[0] <= low
    assert low + width <= finding.left[1]
    slack = Fraction(1, 2 ** (KEPT_BITS - 1))
    assert low - finding.left[0] <= slack * abs(low)


@given(st.integers(), st.integers(-5000, 5000))
def test_endpoints_as_text(whole: int, exponent: int) -> None:
    value = Fraction(whole % 2**KEPT_BITS) * Fraction(2) ** exponent
    assert endpoint_from_text(endpoint_text(value)) == value


@pytest.mark.parametrize("text", ["", "1", "1*2^", "x*2^3", "1" * 100 + "*2^0", "1*2^1234567890", "nan"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of Python's own words will do
        endpoint_from_text(text)
