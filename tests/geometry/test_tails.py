"""Tails: Cantelli's inequality against exact laws, the binomial law against scipy and mpmath."""

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from boundcheck.geometry import cantelli, surprise
from boundcheck.geometry.tails import binomial_logs

DIGITS = 40


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def bound(mean: float, variance: float) -> float:
    return float(cantelli(number(mean), number(variance)))


# ----------------------------------------------------------------------------------------------------------- Cantelli


@given(mean=st.floats(-1e6, 1e6), deviation=st.floats(1e-3, 1e3))
@settings(max_examples=200, deadline=None)
@example(mean=-1e6, deviation=1e-3)
@example(mean=0.0, deviation=1.0)
def test_cantelli_is_never_above_a_normal_tail(mean: float, deviation: float) -> None:
    assert bound(mean, deviation**2) <= stats.norm.cdf(-mean / deviation) + 1e-15


@given(freedom=st.integers(1, 10**6), level=st.floats(1e-3, 1e3), sign=st.sampled_from([-1, 1]))
@settings(max_examples=200, deadline=None)
@example(freedom=1, level=1.0, sign=1)
@example(freedom=1, level=0.999, sign=-1)
def test_cantelli_is_never_above_a_chi_square_tail(freedom: int, level: float, sign: int) -> None:
    """V = sign·(level·freedom - χ²), below 0 in the upper or in the lower tail."""
    tail = stats.chi2.sf if sign > 0 else stats.chi2.cdf
    found = bound(sign * (level - 1) * freedom, 2 * freedom)
    assert found <= tail(level * freedom, freedom) + 1e-12


@given(
    values=st.lists(st.tuples(st.floats(-1e3, 1e3), st.integers(1, 100)), min_size=2, max_size=6),
)
@settings(max_examples=200, deadline=None)
def test_cantelli_is_never_above_any_finite_law(values: list[tuple[float, int]]) -> None:
    points, weights = np.array([v for v, _ in values]), np.array([w for _, w in values], float)
    weights /= weights.sum()
    mean = float(weights @ points)
    variance = float(weights @ (points - mean) ** 2)
    if variance < 1e-9:
        return
    assert bound(mean, variance) <= weights[points < 0].sum() + 1e-9


@given(low=st.fractions("1/100", "99/100", max_denominator=100))
@settings(max_examples=50, deadline=None)
def test_cantelli_is_attained_by_two_points(low: Fraction) -> None:
    """V = -1 with probability p and otherwise just 0: no better bound is true of every law."""
    p = float(low)
    assert bound(-p, p * (1 - p)) == pytest.approx(p, rel=1e-14)


def test_cantelli_says_nothing_above_zero_and_certainty_without_variance() -> None:
    assert bound(0.0, 2.0) == bound(3.0, 2.0) == 0.0
    assert bound(-1e-9, 0.0) == 1.0
    assert bound(-1e150, 1.0) == 1.0
    grown = cantelli(-torch.logspace(-6, 6, 50, dtype=torch.float64), number(1.0))
    assert (grown.diff() >= 0).all()


# ------------------------------------------------------------------------------------------------------ the binomial law


def exact_surprise(count: int, trials: int, log_probability: float) -> float:
    """-log Pr[Bin(N, p) >= count] with 40 digits, term by term."""
    with mpmath.workdps(DIGITS + trials):
        p = mpmath.exp(mpmath.mpf(log_probability))
        rest = -mpmath.expm1(mpmath.mpf(log_probability))
        total = mpmath.fsum(mpmath.binomial(trials, j) * p**j * rest ** (trials - j) for j in range(count, trials + 1))
        return float(-mpmath.log(total)) + 0.0


def told(count: float, trials: int, log_probability: float) -> float:
    return float(surprise(number(count), trials, number(log_probability)))


@given(trials=st.integers(1, 64), share=st.floats(0, 1), log_p=st.floats(-700.0, -1e-6))
@settings(max_examples=200, deadline=None)
@example(trials=32, share=1.0, log_p=-700.0)
@example(trials=32, share=0.0, log_p=-1e-6)
@example(trials=1, share=1.0, log_p=-1e-6)
def test_surprise_against_mpmath(trials: int, share: float, log_p: float) -> None:
    count = round(share * trials)
    expected = exact_surprise(count, trials, log_p)
    # p near 1: 1 - p is known to 2^-53 of 1 only; the sum over j loses trials·2^-53/(1 - p).
    slack = 64 * trials * 2**-53 / -math.expm1(log_p)
    assert told(count, trials, log_p) == pytest.approx(expected, rel=1e-12, abs=1e-12 + slack)


@pytest.mark.parametrize("trials", [1, 2, 7, 32, 500])
@pytest.mark.parametrize("p", [1e-300, 1e-12, 0.01, 0.5, 0.99, 1 - 1e-9])
def test_surprise_against_scipy(trials: int, p: float) -> None:
    for count in sorted({0, 1, trials // 2, trials - 1, trials}):
        expected = -stats.binom.logsf(count - 1, trials, p)
        if np.isfinite(expected):
            assert told(count, trials, math.log(p)) == pytest.approx(expected, rel=1e-9, abs=1e-6), (count, p)


def test_all_trials_failed_and_none_did() -> None:
    for log_p in (-1e-3, -1.0, -30.0, -1e4, -1e6):
        assert told(32, 32, log_p) == pytest.approx(-32 * log_p, rel=1e-12)
        assert told(0, 32, log_p) == 0.0
    assert told(1, 1, -1e6) == pytest.approx(1e6)
    assert told(1, 32, -1e5) == pytest.approx(1e5 - math.log(32), rel=1e-12)


@given(log_p=st.floats(-50.0, -1e-3), trials=st.integers(2, 40))
@settings(max_examples=50, deadline=None)
def test_more_failures_surprise_more_and_likelier_ones_less(log_p: float, trials: int) -> None:
    by_count = [told(count, trials, log_p) for count in range(trials + 1)]
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(by_count))
    assert told(trials, trials, log_p) >= told(trials, trials, log_p / 2)


@pytest.mark.parametrize("off", [-1e-9, 1e-9, -0.25, 0.25])
def test_a_count_is_known_up_to_rounding(off: float) -> None:
    for count in (0, 1, 5, 32):
        assert told(count + off, 32, -1.5) == told(count, 32, -1.5)


@given(trials=st.integers(1, 60), log_odds=st.floats(-50.0, 50.0), data=st.data())
@settings(max_examples=60, deadline=None)
def test_binomial_logs_are_those_of_each_term(trials: int, log_odds: float, data: st.DataObject) -> None:
    most = data.draw(st.integers(0, trials))
    found = binomial_logs(trials, number(log_odds), most)
    assert found.shape == (most + 1,)
    for j in range(most + 1):
        expected = math.log(math.comb(trials, j)) + j * log_odds
        assert float(found[j]) == pytest.approx(expected, rel=1e-12, abs=1e-10)
