"""The witness of the adaptive bounds, held against exact rationals."""

import math
from fractions import Fraction

import pytest
import torch

from boundcheck.dynamics import contraction

STEP_SIZES = [0.0, 0.01, 0.0625, 0.25, 0.5, 0.9, 1.0, 1.5, 1.9, 1.99]
FINE = [Fraction(k, 2000) for k in range(1, 1001)]


def rate_exact(e: Fraction, h: Fraction) -> Fraction:
    return 2 * (1 - e) ** 2 - h * (1 + e) ** 4


def is_witness(e: Fraction, a: Fraction, h: Fraction) -> bool:
    rate = rate_exact(e, h)
    return 0 <= e <= Fraction(1, 2) and rate > 0 and a * 2 * (1 + e) <= e * rate


def largest_admissible(h: Fraction) -> Fraction:
    """A lower bound on the largest a for which some e in [0, 1/2] has A(e) > 0 and a·P(e) <= e."""
    best = Fraction(0)
    for e in [*FINE, *(Fraction(1, 2**k) for k in range(10, 40))]:
        rate = rate_exact(e, h)
        if rate > 0:
            best = max(best, e * rate / (2 * (1 + e)))
    return best


def slack(a: float, h: float) -> float:
    return float(contraction.slack(torch.tensor([a], dtype=torch.float64), torch.tensor([h], dtype=torch.float64))[0])


@pytest.mark.parametrize("h", STEP_SIZES)
def test_the_slack_is_a_witness_wherever_one_exists_with_a_little_room(h: float) -> None:
    limit = largest_admissible(Fraction(h))
    assert limit > 0
    for share in (0, 1e-300, 1e-12, 1e-6, 1e-3, 0.01, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95):
        a = float(limit) * share
        e = slack(a, h)
        assert is_witness(Fraction(e), Fraction(a), Fraction(h)), (a, h, e)


@pytest.mark.parametrize("h", STEP_SIZES)
def test_the_slack_is_near_the_smallest_witness(h: float) -> None:
    a = float(largest_admissible(Fraction(h))) / 2
    e = slack(a, h)
    assert not is_witness(Fraction(e) * Fraction(999, 1000), Fraction(a), Fraction(h))


def test_the_slack_goes_to_0_with_a() -> None:
    found = [slack(a, 0.0625) for a in (1e-2, 1e-4, 1e-8, 1e-16)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 2e-16


@pytest.mark.parametrize("h", [0.0, 0.01, 0.0625])
def test_the_slack_is_a_half_where_a_is_far_too_large(h: float) -> None:
    for a in (0.2, 1.0, 1e6):
        assert slack(a, h) == 0.5
        assert not is_witness(Fraction(1, 2), Fraction(a), Fraction(h))


@pytest.mark.parametrize("h", [0.0, 0.5, 1.9, 2.0, 3.0, math.inf, math.nan])
@pytest.mark.parametrize("a", [0.0, 1e-9, 1.0, math.inf, math.nan])
def test_the_hint_is_a_number_in_range_whatever_is_asked(a: float, h: float) -> None:
    assert 0 < slack(a, h) <= 0.5


def test_rate_and_path_factor_are_the_formulas() -> None:
    for e in (Fraction(0), Fraction(1, 8), Fraction(1, 2)):
        for h in (Fraction(0), Fraction(1, 16), Fraction(1, 4)):
            inputs = (torch.tensor(float(e), dtype=torch.float64), torch.tensor(float(h), dtype=torch.float64))
            rate = rate_exact(e, h)
            assert abs(Fraction(float(contraction.rate(*inputs))) - rate) <= Fraction(1, 2**50)
            if rate > 0:
                exact = 2 * (1 + e) / rate
                assert abs(Fraction(float(contraction.path_factor(*inputs))) - exact) <= exact / 2**48


def test_lanes_do_not_disturb_each_other() -> None:
    a = torch.tensor([1e-3, math.nan, 1e9, 0.0, 0.05], dtype=torch.float64)
    h = torch.tensor([0.1, 0.1, 0.1, 3.0, 0.0], dtype=torch.float64)
    together = contraction.slack(a, h)
    for lane in range(5):
        assert float(together[lane]) == slack(float(a[lane]), float(h[lane]))


@pytest.mark.parametrize(("a", "h"), [(0.02, 0.0625), (0.05, 0.25), (0.01, 0.9)])
def test_descents_obey_what_the_witness_promises(a: float, h: float) -> None:
    """A scalar model f = w + c·w²/2 from w = 0: J = 1 + c·w, β = c, s = S = 1, run for many steps."""
    e = slack(a, h)
    if not is_witness(Fraction(e), Fraction(a), Fraction(h)):
        pytest.fail("the grid holds only admissible pairs")
    decay = float(contraction.rate(torch.tensor(e).double(), torch.tensor(h).double()))
    factor = 2 * (1 + e) / decay
    for sign in (-1.0, 1.0):
        residual, curvature, w, length = sign, a, 0.0, 0.0
        label = -residual  # f(0) - y = residual
        for _ in range(400):
            before = abs(residual)
            move = h * (1 + curvature * w) * residual
            w, length = w - move, length + abs(move)
            residual = w + curvature * w * w / 2 - label
            assert abs(residual) <= before * math.exp(-decay * h / 2) * (1 + 1e-9) + 1e-15
        assert length <= factor * (1 + 1e-9)
