"""Series in whole numbers: with no bits to spare, where a step that rounds to the wrong side shows."""

from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.proof import dense, elementary, series
from boundcheck.proof.intervals import Intervals
from tests.proof import oracle

NAMES = ("exp", "expm1", "log", "log1p", "atan", "sin", "cos", "erf")


@pytest.fixture(name="_no_bits_to_spare")
def without_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "_GUARD", 0)
    monkeypatch.setattr(elementary, "_GUARD", 0)


@pytest.mark.usefixtures("_no_bits_to_spare")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bits", [12, 30])
def test_functions_round_outward(name: str, bits: int) -> None:
    kind = Intervals(bits)
    for step in range(-120, 121):
        x = Fraction(step, 16) * (Fraction(1, 64) if step % 3 else 1)
        if x > 0 or (name == "log1p" and x > -1) or name not in ("log", "log1p"):
            found = getattr(series, name)(x.numerator, 1 - x.denominator.bit_length(), bits)
            oracle.assert_encloses(kind, found, oracle.at(name, x))


@pytest.mark.usefixtures("_no_bits_to_spare")
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus"])
def test_activations_round_outward(name: str) -> None:
    kind = Intervals(10)
    for step in range(-200, 201):
        found = kind.function(name, kind.number(step / 16))
        oracle.assert_encloses(kind, found, oracle.at(name, step / 16))


@pytest.mark.usefixtures("_no_bits_to_spare")
@given(st.integers(-31, 31), st.integers(0, 9))
def test_powers_round_outward(base: int, exponent: int) -> None:
    kind = Intervals(6)
    oracle.assert_encloses(kind, kind.whole_power(kind.number(float(base)), exponent), Fraction(base) ** exponent)


@pytest.mark.parametrize("scale", range(1, 40))
def test_constants(scale: int) -> None:
    with mpmath.workdps(60):
        values = {series._ln2: mpmath.log(2), series._half_pi: mpmath.pi / 2}
        for constant, value in values.items():
            low, high = constant(scale)
            assert low <= value * 2**scale <= high
            assert high - low < 60 + 4 * scale


@settings(max_examples=200)
@given(st.integers(0, 60), st.integers(0, 20), st.integers(0, 30), st.integers(0, 9))
def test_parts_round_outward(numerator: int, width: int, scale: int, more: int) -> None:
    x, y = (numerator, numerator + width), (more, more + 1)
    low, high = series._product(x, y, scale)
    assert Fraction(low) <= Fraction(x[0] * y[0], 2**scale) <= Fraction(x[1] * y[1], 2**scale) <= high
    low, high = series._quotient(numerator, more + 1, scale)
    assert low <= Fraction(numerator * 2**scale, more + 1) <= high
    for whole in (numerator, -numerator):
        low, high = series._fixed(whole, -scale, 3)
        assert low <= Fraction(whole) * Fraction(2) ** (3 - scale) <= high
    geometric = series._series((1 << scale, 1 << scale), (1 << scale, 1 << scale), lambda n: (1, 2), scale)
    assert geometric[0] <= 2 << scale <= geometric[1]


def test_the_tail_of_an_exponential_is_counted() -> None:
    kind = Intervals(200)
    found = dense.exponential(kind, [kind.number(1.0)], 1, 4)[0]
    oracle.assert_encloses(kind, found, oracle.at("exp", 1.0))
    lower, upper = kind.endpoints(found)
    assert upper - lower > Fraction(1, 2**60)
