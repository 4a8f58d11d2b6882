"""What a judgement says of its lanes: which hold, are open, agree or differ, and the edges of every comparison."""

import math

import pytest
import torch

from boundcheck.rigor import Enclosure
from boundcheck.verdict import AGREEMENT, BREAKING, HOLDING, MEANING, PASSING, Judgement, Status, Verdict, judge

INF, NAN = math.inf, math.nan
TINY = 5e-324
Ball = tuple[float, float]


def ball(*balls: Ball) -> Enclosure:
    mids, rads = zip(*balls, strict=True)
    return Enclosure(torch.tensor(mids, dtype=torch.float64), torch.tensor(rads, dtype=torch.float64))


def judged(smaller: Ball, larger: Ball, *margins: Ball, identity: bool = False, established: bool = True) -> Judgement:
    premises = [(f"p{i}", ball(margin), established) for i, margin in enumerate(margins)]
    return judge(ball(smaller), ball(larger), premises, usable=torch.tensor([True]), identity=identity)


def status(judgement: Judgement) -> Status:
    assert judgement.status.dtype == torch.int8
    return Status(int(judgement.status))


def every_status(smaller: Ball, larger: Ball) -> Judgement:
    """One lane of each status, all with the same sides."""
    codes = torch.tensor([s.value for s in Status], dtype=torch.int8)
    return Judgement(codes, ball(*[smaller] * len(codes)), ball(*[larger] * len(codes)), {})


def named(mask: torch.Tensor) -> set[Status]:
    assert mask.dtype == torch.bool
    return {s for s, chosen in zip(Status, mask.tolist(), strict=True) if chosen}


def test_statuses_are_numbered_as_they_are_stored() -> None:
    assert [(s.name, s.value) for s in Status] == [
        ("HOLDS", 0),
        ("VACUOUS", 1),
        ("PREMISE_UNVERIFIED", 2),
        ("INCONCLUSIVE", 3),
        ("VIOLATED_UNCERTIFIED", 4),
        ("INVALID", 5),
        ("CONSISTENT", 6),
        ("VIOLATED", 7),
    ]
    assert set(HOLDING) == {Status.HOLDS, Status.CONSISTENT}
    assert set(BREAKING) == {Status.VIOLATED_UNCERTIFIED, Status.VIOLATED}
    assert all(verdict.value == verdict.name for verdict in Verdict)
    assert {Verdict.HOLDS, Verdict.REFUTED, Verdict.MEASURED} == PASSING
    assert len(set(MEANING.values())) == len(Verdict)


def test_lanes_by_what_was_said_of_them() -> None:
    together = every_status((1.0, 1e-12), (1.0, 1e-12))
    assert named(together.held()) == {Status.HOLDS, Status.CONSISTENT}
    assert named(together.broken()) == {Status.VIOLATED_UNCERTIFIED, Status.VIOLATED}
    assert named(together.open()) == {Status.INCONCLUSIVE, Status.PREMISE_UNVERIFIED}
    assert named(together.equal()) == {Status.INCONCLUSIVE, Status.HOLDS, Status.CONSISTENT}
    assert named(together.apart()) == set()
    for sides in (((1.0, 1e-12), (2.0, 1e-12)), ((2.0, 1e-12), (1.0, 1e-12))):
        differing = every_status(*sides)
        assert named(differing.equal()) == set()
        assert named(differing.apart()) == {*HOLDING, *BREAKING}
    assert [together.count(s) for s in Status] == [1] * len(Status)
    assert Judgement(together.status[:0], ball((1.0, 0.0)), ball((1.0, 0.0)), {}).count(Status.HOLDS) == 0


@pytest.mark.parametrize(
    ("left", "right", "agree"),
    [
        ((1.0, 2.0**-31), (1.0, 2.0**-31), True),
        ((1.0, 2.0**-30), (1.0, 0.0), True),
        ((1.0, 0.0), (1.0, 2.0**-30), True),
        ((-1.0, 2.0**-31), (-1.0, 2.0**-31), True),
        ((1.0, 2.0**-31), (1.0, 2.0**-31 * (1 + 2.0**-50)), False),
        ((1.0, 2.0**-31 * (1 + 2.0**-50)), (1.0, 2.0**-31), False),
        ((1.0, 2.0**-30), (1.0 - 2.0**-31, 0.0), True),  # the larger side is the measure
        ((1.0 - 2.0**-31, 0.0), (1.0, 2.0**-30), True),
        ((-1.0, 2.0**-30), (-1.0 + 2.0**-31, 0.0), True),
        ((-1.0 + 2.0**-31, 0.0), (-1.0, 2.0**-30), True),
        ((1.0, 0.0), (1.0, 0.0), True),
        ((1.0, 0.0), (1.0 + 2.0**-52, 0.0), False),
        ((1.0 + 2.0**-52, 0.0), (1.0, 0.0), False),
        ((1.0, INF), (1.0, 0.0), False),
        ((1e-20, 1e-15), (0.0, 0.0), False),
    ],
)
def test_sides_agree_where_they_overlap_and_are_sharp(left: Ball, right: Ball, agree: bool) -> None:
    assert AGREEMENT == 2.0**-30
    judgement = every_status(left, right)
    assert bool(judgement.equal()[Status.INCONCLUSIVE]) is agree


@pytest.mark.parametrize(
    ("left", "right", "differ"),
    [
        ((1.0, 0.0), (1.0, 0.0), False),
        ((1.0, 0.0), (1.0 + 2.0**-52, 0.0), True),
        ((1.0 + 2.0**-52, 0.0), (1.0, 0.0), True),
        ((1.0, 0.5), (2.0, 0.5), False),
        ((2.0, 0.5), (1.0, 0.5), False),
        ((1.0, 0.5), (2.0, 0.25), True),
        ((2.0, 0.25), (1.0, 0.5), True),
        ((1.0, INF), (2.0, 0.0), False),
    ],
)
def test_sides_differ_where_their_enclosures_are_disjoint(left: Ball, right: Ball, differ: bool) -> None:
    assert bool(every_status(left, right).apart()[Status.HOLDS]) is differ
    identity = status(judged(left, right, identity=True))
    assert (identity is Status.VIOLATED_UNCERTIFIED) is differ


@pytest.mark.parametrize(
    ("smaller", "larger", "expected"),
    [
        ((1.0, 0.0), (4.0, 0.0), 0.25),
        ((1.0, 0.3), (4.0, 2.0), 0.25),
        ((0.0, 0.0), (4.0, 0.0), 0.0),
        ((0.0, 1.0), (4.0, 0.0), 0.0),
        ((6.0, 0.0), (4.0, 0.0), 1.5),
        ((TINY, 0.0), (4.0, 0.0), 0.0),
        ((-TINY, 0.0), (4.0, 0.0), NAN),
        ((-1.0, 0.0), (4.0, 0.0), NAN),
        ((1.0, 0.0), (4.0, 4.0), NAN),
        ((1.0, 0.0), (0.0, 0.0), NAN),
        ((1.0, 0.0), (-1.0, 0.0), NAN),
        ((-1.0, 0.0), (-1.0, 0.0), NAN),
        ((0.0, 0.0), (TINY, 0.0), 0.0),
    ],
)
def test_tightness_needs_a_certainly_positive_larger_side(smaller: Ball, larger: Ball, expected: float) -> None:
    found = float(judged(smaller, larger).tightness())
    assert found == expected or (math.isnan(found) and math.isnan(expected))


@pytest.mark.parametrize("identity", [False, True])
def test_0_against_0_says_nothing_and_a_least_normal_radius_is_more_than_underflow(identity: bool) -> None:
    under, least = math.nextafter(2.0**-1022, 0.0), 2.0**-1022
    for x, y in (((0.0, 0.0), (0.0, 0.0)), ((0.0, under), (0.0, under)), ((0.0, 0.0), (-0.0, under))):
        assert status(judged(x, y, identity=identity)) is Status.VACUOUS
    for x, y in (((0.0, least), (0.0, under)), ((0.0, under), (0.0, least)), ((0.0, least), (0.0, least))):
        assert status(judged(x, y, identity=identity)) is Status.INCONCLUSIVE
    for x, y in (((0.0, 0.0), (TINY, under)), ((TINY, under), (0.0, 0.0))):
        assert status(judged(x, y, identity=identity)) is Status.INCONCLUSIVE
    assert status(judged((0.0, 0.0), (TINY, 0.0))) is Status.HOLDS


def test_ends_that_meet_hold_when_both_are_exact_only() -> None:
    assert status(judged((1.0, 0.0), (1.0, 0.0))) is Status.HOLDS
    for x, y in (
        ((1.0, 0.5), (1.5, 0.0)),
        ((1.0, 0.0), (1.5, 0.5)),
        ((1.5, 0.5), (1.0, 0.0)),
        ((1.5, 0.0), (1.0, 0.5)),
    ):
        assert status(judged(x, y)) is Status.INCONCLUSIVE
        assert status(judged(x, y, identity=True)) is Status.INCONCLUSIVE


def test_a_side_that_is_no_finite_number_is_invalid_unless_a_premise_is_not_verified() -> None:
    for side in ((NAN, INF), (INF, 0.0), (-INF, 0.0), (INF, INF)):
        for x, y in ((side, (1.0, 0.0)), ((1.0, 0.0), side)):
            for identity in (False, True):
                assert status(judged(x, y, identity=identity)) is Status.INVALID
                assert status(judged(x, y, (0.0, 1.0), identity=identity)) is Status.PREMISE_UNVERIFIED
                assert status(judged(x, y, (-1.0, 0.5), identity=identity)) is Status.VACUOUS
                assert status(judged(x, y, (1.0, 0.5), identity=identity)) is Status.INVALID


def test_a_premise_at_its_edge() -> None:
    sides = ((1.0, 0.0), (2.0, 0.0))
    for margin, expected in (
        ((0.0, 0.0), Status.HOLDS),
        ((TINY, 0.0), Status.HOLDS),
        ((-TINY, 0.0), Status.VACUOUS),
        ((1.0, 1.0), Status.PREMISE_UNVERIFIED),  # the ends are rounded outward
        ((-1.0, 1.0), Status.PREMISE_UNVERIFIED),
        ((1.0, 0.999), Status.HOLDS),
        ((-1.0, 0.999), Status.VACUOUS),
    ):
        assert status(judged(*sides, margin)) is expected
        assert status(judged(*sides, (1.0, 0.0), margin)) is expected
        assert status(judged(*sides, margin, (1.0, 0.0))) is expected


def test_a_judgement_keeps_what_led_to_it() -> None:
    estimated = judged((1.0, 0.0), (2.0, 0.0), (1.0, 0.0), (-1.0, 0.0), established=False)
    assert estimated.established == {"p0": False, "p1": False}
    assert [mask.tolist() for _, mask in estimated.premises.values()] == [[False], [False]]
    proved = judged((1.0, 0.25), (2.0, 0.5), (1.0, 0.0), (-1.0, 0.0), identity=True)
    assert proved.established == {"p0": True, "p1": True}
    assert [mask.tolist() for _, mask in proved.premises.values()] == [[True], [False]]
    assert [margin.mid.tolist() for margin, _ in proved.premises.values()] == [[1.0], [-1.0]]
    assert proved.identity
    assert not judged((1.0, 0.0), (2.0, 0.0)).identity
    assert not Judgement(proved.status, proved.smaller, proved.larger, {}).identity
    assert (proved.smaller.mid.item(), proved.smaller.rad.item()) == (1.0, 0.25)
    assert (proved.larger.mid.item(), proved.larger.rad.item()) == (2.0, 0.5)


@pytest.mark.parametrize(
    ("smaller", "larger", "identity", "broken"),
    [
        ((2.0, INF), (1.0, 0.0), False, True),
        ((2.0, 0.0), (1.0, INF), False, True),
        ((2.0, INF), (1.0, INF), False, True),
        ((1.0, INF), (2.0, 0.0), False, False),
        ((1.0, INF), (1.0, 0.0), False, False),
        ((1.0, INF), (2.0, 0.0), True, True),
        ((2.0, INF), (1.0, 0.0), True, True),
        ((1.0, INF), (1.0, 0.0), True, False),
        ((2.0, 3.0), (1.0, 3.0), False, False),
        ((2.0, 3.0), (1.0, 3.0), True, False),
    ],
)
def test_by_plain_floats_only_what_was_unknown_looks_broken(
    smaller: Ball, larger: Ball, identity: bool, broken: bool
) -> None:
    before = judged(smaller, larger, identity=identity)
    assert status(before) is Status.INCONCLUSIVE
    after = before.by_plain_floats()
    assert status(after) is (Status.VIOLATED_UNCERTIFIED if broken else Status.INCONCLUSIVE)
    assert after.identity is identity
    assert after.smaller is before.smaller


@pytest.mark.parametrize(
    ("margins", "expected"),
    [
        (((1.0, INF),), Status.VIOLATED_UNCERTIFIED),
        (((0.0, INF),), Status.VIOLATED_UNCERTIFIED),
        (((-0.5, INF),), Status.PREMISE_UNVERIFIED),
        (((1.0, INF), (-0.5, INF)), Status.PREMISE_UNVERIFIED),
        (((-0.5, INF), (1.0, INF)), Status.PREMISE_UNVERIFIED),
        (((-0.5, 0.0),), Status.VACUOUS),
        (((1.0, 0.0),), Status.VIOLATED_UNCERTIFIED),
    ],
)
def test_by_plain_floats_a_premise_that_looks_false_leaves_the_lane_alone(
    margins: tuple[Ball, ...], expected: Status
) -> None:
    assert status(judged((2.0, INF), (1.0, 0.0), *margins).by_plain_floats()) is expected


def test_by_plain_floats_what_was_decided_stays() -> None:
    decided = every_status((2.0, INF), (1.0, INF)).by_plain_floats().status.tolist()
    changed = {Status.INCONCLUSIVE, Status.PREMISE_UNVERIFIED}
    assert decided == [Status.VIOLATED_UNCERTIFIED if s in changed else s for s in Status]
