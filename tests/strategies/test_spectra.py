"""Spectra have the properties they are named after; rotations are orthogonal whatever they are made from."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck import BoundcheckError
from boundcheck.geometry import rotation
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.spectra import KINDS, SpectrumKind, eigenvalues

SEEDS = st.integers(0, 2**31 - 1)
DIMS = st.integers(1, 12)
CONDITIONS = st.floats(1.0, 1e8)
ULP = 2.0**-52


def spectrum(seed: int, kind: SpectrumKind, dim: int, condition: float) -> torch.Tensor:
    return eigenvalues(LaneStream(seed, 50), kind, dim, max_condition=condition)


@given(seed=SEEDS, kind=st.sampled_from(KINDS), dim=DIMS, condition=CONDITIONS)
@settings(max_examples=60, deadline=None)
def test_every_kind_decreases_from_one_to_the_allowed_condition(
    seed: int, kind: SpectrumKind, dim: int, condition: float
) -> None:
    values = spectrum(seed, kind, dim, condition)
    assert values.shape == (50, dim)
    assert (values[:, 0] == 1).all()
    assert (values[:, :-1] >= values[:, 1:]).all()
    assert (values >= (1 - 1e-12) / condition).all()


@given(seed=SEEDS, dim=st.integers(2, 12), condition=CONDITIONS)
@settings(max_examples=20, deadline=None)
def test_conditioned_attains_the_condition_number(seed: int, dim: int, condition: float) -> None:
    values = spectrum(seed, "conditioned", dim, condition)
    assert torch.allclose(values[:, 0] / values[:, -1], torch.tensor(condition, dtype=torch.float64), rtol=1e-12)
    steps = values[:, :-1] / values[:, 1:]
    assert torch.allclose(steps, steps[:, :1].expand_as(steps), rtol=1e-9)


@given(seed=SEEDS, dim=st.integers(4, 12))
@settings(max_examples=20, deadline=None)
def test_spiked_has_one_or_two_spikes_over_a_flat_floor(seed: int, dim: int) -> None:
    values = spectrum(seed, "spiked", dim, 100.0)
    spikes = (values == 1).sum(-1)
    assert set(spikes.tolist()) == {1, 2}
    assert (values[:, 2:] == values[:, -1:]).all()


@given(seed=SEEDS, dim=st.integers(3, 12), condition=st.floats(1.5, 1e8))
@settings(max_examples=30, deadline=None)
def test_power_law_has_one_slope(seed: int, dim: int, condition: float) -> None:
    values = spectrum(seed, "power_law", dim, condition)
    index = torch.arange(2, dim + 1, dtype=torch.float64)
    slopes = -torch.log(values[:, 1:]) / torch.log(index)
    assert torch.allclose(slopes, slopes[:, :1].expand_as(slopes), rtol=1e-9)
    steepest = min(3.0, math.log(condition) / math.log(dim))
    assert (slopes <= steepest * (1 + 1e-9)).all()
    assert (slopes >= min(0.5, steepest) * (1 - 1e-9)).all()


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_any_reaches_most_of_the_allowed_range(seed: int) -> None:
    values = spectrum(seed, "any", 6, 1e6)
    assert float(values.amin()) < 1e-4


@given(seed=SEEDS, dim=DIMS, size=st.floats(0.0, 100.0))
@settings(max_examples=40, deadline=None)
def test_rotation_is_orthogonal_to_a_few_ulp(seed: int, dim: int, size: float) -> None:
    free = size * LaneStream(seed, 20).normal(dim, dim)
    turn = rotation(free)
    identity = torch.eye(dim, dtype=torch.float64)
    skew = torch.linalg.matrix_norm(0.5 * (free - free.mT), ord=2)
    allowed = 8 * dim * ULP * (1 + skew)  # the condition number of I + S is at most 1 + ‖S‖
    assert (torch.linalg.matrix_norm(turn.mT @ turn - identity, ord=2) <= allowed).all()
    assert torch.allclose(torch.linalg.det(turn), torch.ones(20, dtype=torch.float64), rtol=1e-9)


def test_a_symmetric_matrix_rotates_nothing() -> None:
    free = torch.ones(1, 3, 3, dtype=torch.float64)
    assert torch.equal(rotation(free)[0], torch.eye(3, dtype=torch.float64))


@given(seed=SEEDS, kind=st.sampled_from(KINDS), dim=DIMS, lane=st.integers(0, 49))
@settings(max_examples=40, deadline=None)
def test_a_lane_has_the_same_bits_alone(seed: int, kind: SpectrumKind, dim: int, lane: int) -> None:
    alone = eigenvalues(LaneStream(seed, 1, lane), kind, dim)
    assert torch.equal(spectrum(seed, kind, dim, 100.0)[lane], alone[0])


def test_what_is_refused() -> None:
    stream = LaneStream(0, 1)
    with pytest.raises(BoundcheckError, match=r"max_condition=0\.5; expected a number >= 1"):
        eigenvalues(stream, "spiked", 2, max_condition=0.5)
    with pytest.raises(BoundcheckError, match="'flat'; expected one of isotropic"):
        eigenvalues(stream, "flat", 2)  # type: ignore[arg-type]


def levels(values: torch.Tensor) -> list[int]:
    """How many different values each lane has."""
    return [len(set(row.tolist())) for row in values]


@given(seed=SEEDS, dim=st.integers(4, 12))
@settings(max_examples=20, deadline=None)
def test_blocks_have_at_most_three_levels_and_reach_three(seed: int, dim: int) -> None:
    found = levels(spectrum(seed, "blocks", dim, 1e4))
    assert max(found) == 3
    assert min(found) >= 1
    sizes = {tuple((row == row[0]).tolist()).count(True) for row in spectrum(seed, "blocks", dim, 1e4)}
    assert len(sizes) >= 3, "the top level has any multiplicity"


@given(seed=SEEDS, dim=st.integers(5, 12))
@settings(max_examples=20, deadline=None)
def test_a_tail_is_flat_below_one_to_three_large_ones(seed: int, dim: int) -> None:
    values = spectrum(seed, "tail", dim, 1e4)
    assert (values[:, 3:] == values[:, -1:]).all()
    heads = (values > values[:, -1:]).sum(-1)
    assert set(heads.tolist()) == {1, 2, 3}
    uneven = values[heads == 3]
    assert (uneven[:, 1] < 1).all()
    ratios = -torch.log(values[:, -1]) / math.log(1e4)
    assert float(ratios.min()) < 0.2
    assert float(ratios.max()) > 0.8


@given(seed=SEEDS, dim=st.integers(4, 12))
@settings(max_examples=20, deadline=None)
def test_low_rank_is_signal_over_nearly_flat_noise_of_any_rank(seed: int, dim: int) -> None:
    values = spectrum(seed, "low_rank", dim, 1e6)
    above = (values > values[:, -1:] * math.exp(0.2)).sum(-1)
    assert len(set(above.tolist())) >= 3
    assert int(above.min()) >= 1
    assert int(above.max()) <= dim - 1
    assert (values[:, -1] <= 1e6**-0.25 * (1 + 1e-12)).all()


@given(seed=SEEDS, dim=st.integers(2, 8))
@settings(max_examples=20, deadline=None)
def test_a_wishart_spectrum_is_that_of_a_sample_covariance(seed: int, dim: int) -> None:
    stream = LaneStream(seed, 50)
    rows = (stream.choice(1.0, 2.0, 4.0) * dim).long()
    sample = stream.normal(4 * dim, dim)
    found = spectrum(seed, "wishart", dim, 1e8)
    for lane in range(50):
        kept = sample[lane, : int(rows[lane])].numpy()
        expected = np.linalg.eigvalsh(kept.T @ kept)[::-1]
        np.testing.assert_allclose(found[lane].numpy(), np.maximum(expected / expected[0], 1e-8), rtol=1e-6, atol=1e-12)
