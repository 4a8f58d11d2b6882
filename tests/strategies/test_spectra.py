"""Spectra have the properties they are named after; rotations are orthogonal whatever they are made from."""

import math

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
