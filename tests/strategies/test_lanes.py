"""A lane's numbers are its own: they do not depend on who is drawn beside it."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.strategies.lanes import LaneStream

SEEDS = st.integers(0, 2**31 - 1)


def draws(stream: LaneStream) -> list[torch.Tensor]:
    return [
        stream.normal(3, 2),
        stream.uniform(4, low=-1.0, high=2.0),
        stream.log_uniform(1e-3, 10.0),
        stream.choice(0.0, 1.0, 2.0),
        stream.unit(3),
        stream.normal(),
    ]


@given(seed=SEEDS, lanes=st.integers(1, 70), first=st.integers(0, 1000), data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_lane_is_the_same_alone_and_in_a_batch(seed: int, lanes: int, first: int, data: st.DataObject) -> None:
    lane = data.draw(st.integers(0, lanes - 1))
    together, alone = draws(LaneStream(seed, lanes, first)), draws(LaneStream(seed, 1, first + lane))
    for batch, single in zip(together, alone, strict=True):
        assert torch.equal(batch[lane], single[0])


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_lanes_and_seeds_differ(seed: int) -> None:
    values = LaneStream(seed, 200).normal()
    assert len(set(values.tolist())) == 200
    assert not torch.equal(values, LaneStream(seed + 1, 200).normal())


@given(seed=SEEDS, low=st.floats(1e-6, 1.0), factor=st.floats(1.01, 1e6))
@settings(max_examples=20, deadline=None)
def test_draws_stay_in_range(seed: int, low: float, factor: float) -> None:
    stream = LaneStream(seed, 100)
    values = stream.log_uniform(low, low * factor)
    assert (values >= low * (1 - 1e-12)).all()
    assert (values <= low * factor * (1 + 1e-12)).all()
    assert set(stream.choice(3.0, 5.0).tolist()) == {3.0, 5.0}
    assert torch.allclose(stream.unit(4).square().sum(-1), torch.ones(100, dtype=torch.float64), rtol=1e-14)


@given(
    seed=st.integers(0, 2**31 - 1),
    first=st.integers(0, 2**40),
    lanes=st.integers(0, 4),
    shapes=st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=4),
)
@settings(max_examples=50, deadline=None)
def test_each_lane_gets_the_numbers_of_a_generator_of_its_own(
    seed: int, first: int, lanes: int, shapes: list[list[int]]
) -> None:
    """Stored recipes name a seed and a lane: their numbers must stay what they are, to the bit."""
    stream = LaneStream(seed, lanes, first)
    own = [np.random.Generator(np.random.Philox(key=np.array([seed, first + k], np.uint64))) for k in range(lanes)]
    for shape in shapes:
        for drawn, draws in ((stream.normal(*shape), "standard_normal"), (stream.uniform(*shape), "random")):
            assert drawn.shape == (lanes, *shape)
            for row, generator in zip(drawn, own, strict=True):
                assert np.array_equal(row.numpy(), getattr(generator, draws)(tuple(shape)))
