"""Midpoint-radius numbers: their ends, and the functions that bound radii."""

import math
from fractions import Fraction
from itertools import pairwise

import torch
from hypothesis import given, settings

from boundcheck.rigor.enclosure import frobenius_upper, gamma, widen
from tests.rigor.oracle import ANY, RADIUS, WEIGHTS, ball, points


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(mid=ANY, rad=RADIUS)
def test_ends_and_magnitude_bound_the_enclosure(mid: float, rad: float) -> None:
    x = ball([mid], [rad])
    low, high, size = (float(t) for t in (x.lower, x.upper, x.magnitude))
    for w in WEIGHTS:
        p = points(mid, rad, w)
        assert low == -math.inf or Fraction(low) <= p
        assert high == math.inf or p <= Fraction(high)
        assert size == math.inf or abs(p) <= Fraction(size)


def test_the_ends_of_an_exact_number_are_the_number() -> None:
    x = ball([0.0, 1.5, math.inf, -math.inf])
    assert torch.equal(x.lower, x.mid)
    assert torch.equal(x.upper, x.mid)


def test_widening_rounds_up_and_turns_nan_into_infinity() -> None:
    radii_given = torch.tensor([0.0, 5e-324, 1.0, 1e308, math.inf, math.nan], dtype=torch.float64)
    wide = widen(radii_given)
    assert wide[0] == 0
    assert bool((wide[1:4] >= radii_given[1:4]).all())
    assert wide[4:].tolist() == [math.inf, math.inf]


def test_gamma_bounds_the_error_of_sums_of_that_many_terms() -> None:
    for n, m in pairwise([1, 2, 10, 1000, 10**6]):
        assert gamma(n) < gamma(m)
    for n in (1, 10, 1000):
        assert Fraction(gamma(n)) * (1 + Fraction(1, 2**50)) >= Fraction(n, 2**53) / (1 - Fraction(n, 2**53))


def test_frobenius_upper_is_an_upper_bound_at_every_magnitude() -> None:
    for scale in (0.0, 5e-324, 1e-170, 1e-160, 1.0, 1e150):
        values = torch.full((1, 3, 2), scale, dtype=torch.float64)
        bound = float(frobenius_upper(values))
        assert Fraction(bound) ** 2 >= 6 * Fraction(scale) ** 2
    assert float(frobenius_upper(torch.full((1, 3, 2), 1.0).double())) < 2.4494897428
