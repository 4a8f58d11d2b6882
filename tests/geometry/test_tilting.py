"""Divergences of tilted distributions against their definition and mpmath."""

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.geometry import divergence, exponential_remainder, spread


@given(
    logs=st.lists(st.floats(-3, 3), min_size=2, max_size=5),
    data=st.data(),
)
@settings(max_examples=100)
def test_divergence_is_not_negative_and_ignores_constants(logs: list[float], data: st.DataObject) -> None:
    change = data.draw(st.lists(st.floats(-5, 5), min_size=len(logs), max_size=len(logs)))
    p, w = torch.softmax(torch.tensor(logs).double(), -1), torch.tensor(change).double()
    found = float(divergence(p, w))
    assert found >= -1e-15
    assert found == pytest.approx(float(divergence(p, w + 3)), rel=1e-9, abs=1e-14)
    q = (p * torch.exp(w)) / (p * torch.exp(w)).sum()
    assert found == pytest.approx(float((p * torch.log(p / q)).sum()), rel=1e-6, abs=1e-14)


def test_small_changes_lose_no_digits() -> None:
    p = torch.tensor([0.5, 0.5]).double()
    for size in (1e-3, 1e-6):  # KL = log cosh(size)
        w = torch.tensor([size, -size]).double()
        assert float(divergence(p, w)) == pytest.approx(size**2 / 2 - size**4 / 12, rel=1e-9)


def test_exponential_remainder() -> None:
    for u in (-20.0, -1.0, -1e-3, 1e-3, 1.0, 20.0):
        with mpmath.workdps(40):
            expected = (mpmath.expm1(mpmath.mpf(u)) - mpmath.mpf(u)) / mpmath.mpf(u) ** 2
        assert float(exponential_remainder(torch.tensor(u, dtype=torch.float64))) == pytest.approx(
            float(expected), rel=1e-9
        )


def test_the_spread_is_along_the_last_axis() -> None:
    values = torch.tensor([[3.0, -1.0, 2.0], [5.0, 5.0, 5.0]]).double()
    assert spread(values).tolist() == [4.0, 0.0]
