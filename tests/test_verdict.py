"""The truth table of one instance, and what each word means."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.rigor import Enclosure
from boundcheck.verdict import MEANING, PASSING, Status, Verdict, judge

Ball = tuple[float, float]
Margin = tuple[float, float, bool]

NAN, INF = math.nan, math.inf
HELD, BROKEN, EMPTY = ((1.0, 0.1), (2.0, 0.1)), ((2.0, 0.1), (1.0, 0.1)), ((0.0, 0.0), (0.0, 0.0))
STRADDLING, UNDEFINED = ((1.0, 0.1), (1.05, 0.1)), ((NAN, INF), (1.0, 0.0))
TRUE, FALSE, UNSURE = (1.0, 0.5, True), (-1.0, 0.5, True), (0.1, 0.5, True)
ESTIMATED, ESTIMATED_FALSE = (1.0, 0.5, False), (-1.0, 0.5, False)
NO_NUMBER, UNBOUNDED, UNKNOWN = (NAN, INF, True), (INF, 0.0, True), (1.0, INF, True)


def ball(value: Ball) -> Enclosure:
    return Enclosure(torch.tensor([value[0]], dtype=torch.float64), torch.tensor([value[1]], dtype=torch.float64))


def status(
    smaller: Ball, larger: Ball, premises: tuple[Margin, ...] = (), *, usable: bool = True, identity: bool = False
) -> Status:
    margins = [(f"premise {i}", ball((mid, rad)), ok) for i, (mid, rad, ok) in enumerate(premises)]
    judgement = judge(ball(smaller), ball(larger), margins, usable=torch.tensor([usable]), identity=identity)
    return Status(int(judgement.status[0]))


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        (HELD, Status.HOLDS),
        (BROKEN, Status.VIOLATED_UNCERTIFIED),
        (STRADDLING, Status.INCONCLUSIVE),
        (EMPTY, Status.VACUOUS),
        (((0.0, 1e-9), (0.0, 1e-12)), Status.INCONCLUSIVE),
        (((0.0, 1e-320), (0.0, 1e-320)), Status.VACUOUS),
        (((0.0, 0.0), (1.0, 0.1)), Status.HOLDS),
        (((1.0, 0.0), (0.0, 0.0)), Status.VIOLATED_UNCERTIFIED),
        (((1.0, 0.0), (1.0, 0.0)), Status.HOLDS),
        (((1.0, 0.0), (1.0, 1e-300)), Status.INCONCLUSIVE),
        (((1.0, 0.0), (1.0 + 2.0**-52, 0.0)), Status.HOLDS),
        (((1.0 + 2.0**-52, 0.0), (1.0, 0.0)), Status.VIOLATED_UNCERTIFIED),
        (((-2.0, 0.5), (-1.0, 0.4)), Status.HOLDS),
        (((5e-324, 0.0), (0.0, 0.0)), Status.VIOLATED_UNCERTIFIED),
        (((1.0, INF), (2.0, 0.0)), Status.INCONCLUSIVE),
        (((1.0, 0.0), (2.0, INF)), Status.INCONCLUSIVE),
        (UNDEFINED, Status.INVALID),
        (((1.0, 0.0), (INF, 0.0)), Status.INVALID),
        (((-INF, 0.0), (1.0, 0.0)), Status.INVALID),
    ],
)
def test_the_conclusion_of_an_inequality(sides: tuple[Ball, Ball], expected: Status) -> None:
    assert status(*sides) is expected


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        (((1.0, 0.0), (1.0, 0.0)), Status.HOLDS),
        (((1.0, 1e-12), (1.0 + 1e-13, 1e-12)), Status.INCONCLUSIVE),  # floats that agree are no proof of an equality
        (((1.0, 1e-3), (1.0, 1e-3)), Status.INCONCLUSIVE),
        (((1.0, 0.0), (1.0, 5e-324)), Status.INCONCLUSIVE),
        (((1e-20, 1e-15), (0.0, 0.0)), Status.INCONCLUSIVE),
        (((1.0, 1e-12), (1.1, 1e-12)), Status.VIOLATED_UNCERTIFIED),
        (((1.1, 1e-12), (1.0, 1e-12)), Status.VIOLATED_UNCERTIFIED),
        (((1.0, 0.0), (1.0 + 2.0**-52, 0.0)), Status.VIOLATED_UNCERTIFIED),
        (((1.0, INF), (1.0, 0.0)), Status.INCONCLUSIVE),
        (((0.0, 0.0), (0.0, 0.0)), Status.VACUOUS),
        (((NAN, INF), (1.0, 0.0)), Status.INVALID),
    ],
)
def test_the_conclusion_of_an_identity(sides: tuple[Ball, Ball], expected: Status) -> None:
    assert status(*sides, identity=True) is expected


@pytest.mark.parametrize("sides", [HELD, BROKEN, STRADDLING, UNDEFINED, EMPTY])
@pytest.mark.parametrize("identity", [False, True])
def test_a_false_premise_goes_before_everything_the_sides_say(sides: tuple[Ball, Ball], identity: bool) -> None:
    for premises in (
        (FALSE,),
        (ESTIMATED_FALSE,),
        (TRUE, FALSE),
        (FALSE, UNSURE),
        (NO_NUMBER, FALSE),
        (UNBOUNDED, FALSE),
    ):
        assert status(*sides, premises, identity=identity) is Status.VACUOUS


@pytest.mark.parametrize("sides", [HELD, BROKEN, STRADDLING, UNDEFINED, EMPTY])
def test_a_premise_that_is_not_verified_goes_before_the_sides(sides: tuple[Ball, Ball]) -> None:
    for premises in ((UNSURE,), (ESTIMATED,), (UNKNOWN,), (TRUE, UNSURE), (UNBOUNDED, ESTIMATED)):
        assert status(*sides, premises) is Status.PREMISE_UNVERIFIED


@pytest.mark.parametrize("sides", [HELD, BROKEN, STRADDLING, UNDEFINED, EMPTY])
def test_a_margin_that_is_no_number_is_invalid_unless_another_premise_is_false(sides: tuple[Ball, Ball]) -> None:
    for premises in ((NO_NUMBER,), (NO_NUMBER, TRUE), ((NAN, INF, False),)):
        assert status(*sides, premises) is Status.INVALID


@pytest.mark.parametrize("sides", [HELD, BROKEN, STRADDLING, UNDEFINED, EMPTY])
def test_verified_premises_leave_the_word_to_the_sides(sides: tuple[Ball, Ball]) -> None:
    for premises in ((), (TRUE,), (UNBOUNDED,), (TRUE, UNBOUNDED), ((0.0, 0.0, True),), ((0.5, 0.25, True),)):
        assert status(*sides, premises) is status(*sides)


def test_a_margin_of_minus_infinity_is_false() -> None:
    assert status(*HELD, ((-INF, 0.0, True),)) is Status.VACUOUS
    assert status(*HELD, ((INF, INF, True),)) is Status.PREMISE_UNVERIFIED
    assert status(*HELD, (UNSURE, NO_NUMBER)) is Status.PREMISE_UNVERIFIED


def test_the_edge_of_a_premise_counts_as_holding_only_when_it_is_exact() -> None:
    assert status(*HELD, ((0.0, 0.0, True),)) is Status.HOLDS
    assert status(*HELD, ((0.0, 5e-324, True),)) is Status.PREMISE_UNVERIFIED
    assert status(*HELD, ((-5e-324, 0.0, True),)) is Status.VACUOUS


@pytest.mark.parametrize("sides", [HELD, BROKEN, STRADDLING, UNDEFINED, EMPTY])
def test_an_instance_that_is_not_usable_is_invalid_whatever_else(sides: tuple[Ball, Ball]) -> None:
    for premises in ((), (TRUE,), (FALSE,), (UNSURE,), (NO_NUMBER,)):
        assert status(*sides, premises, usable=False) is Status.INVALID


FINITE = st.floats(-1e6, 1e6)
RADIUS = st.floats(0, 10)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(a=FINITE, r=RADIUS, b=FINITE, s=RADIUS, identity=st.booleans())
def test_a_decided_conclusion_is_true_of_every_pair_of_points(
    a: float, r: float, b: float, s: float, identity: bool
) -> None:
    found = status((a, r), (b, s), identity=identity)
    corners = [(a + v * r, b + w * s) for v, w in itertools.product((-1, 0, 1), repeat=2)]
    if found is Status.HOLDS and not identity:
        assert all(x <= y for x, y in corners)
    if found is Status.VIOLATED_UNCERTIFIED:
        assert all(x != y if identity else x > y for x, y in corners)


def test_lanes_are_judged_one_by_one() -> None:
    cases = [
        (sides, premise, usable)
        for sides in (HELD, BROKEN, STRADDLING, UNDEFINED, EMPTY)
        for premise in (TRUE, FALSE, UNSURE, NO_NUMBER, UNBOUNDED)
        for usable in (True, False)
    ]

    def column(values: list[Ball]) -> Enclosure:
        mids, rads = zip(*values, strict=True)
        return Enclosure(torch.tensor(mids, dtype=torch.float64), torch.tensor(rads, dtype=torch.float64))

    judgement = judge(
        column([sides[0] for sides, _, _ in cases]),
        column([sides[1] for sides, _, _ in cases]),
        [("p", column([(premise[0], premise[1]) for _, premise, _ in cases]), True)],
        usable=torch.tensor([usable for _, _, usable in cases]),
    )
    for lane, (sides, premise, usable) in enumerate(cases):
        assert int(judgement.status[lane]) == status(*sides, (premise,), usable=usable)
    assert sum(judgement.count(s) for s in Status) == len(cases)
    _, accepted = judgement.premises["p"]
    assert accepted.tolist() == [premise in (TRUE, UNBOUNDED) for _, premise, _ in cases]


def test_an_estimated_premise_is_never_counted_as_accepted() -> None:
    judgement = judge(ball((1.0, 0.0)), ball((2.0, 0.0)), [("p", ball((1.0, 0.0)), False)], usable=torch.tensor([True]))
    assert judgement.premises["p"][1].tolist() == [False]


def test_tightness_is_smaller_over_larger_and_nothing_for_nothing() -> None:
    judgement = judge(ball((1.0, 0.0)), ball((4.0, 0.0)), [], usable=torch.tensor([True]))
    assert judgement.tightness().tolist() == [0.25]
    empty = judge(ball((0.0, 0.0)), ball((0.0, 0.0)), [], usable=torch.tensor([True]))
    assert empty.tightness().isnan().tolist() == [True]


def test_every_verdict_has_a_meaning_in_one_line() -> None:
    assert set(MEANING) == set(Verdict)
    assert all(text and "\n" not in text for text in MEANING.values())
    assert not {Verdict.VIOLATED, Verdict.VIOLATED_UNCERTIFIED} & PASSING
    assert {v for v in Verdict if v in PASSING} == {Verdict.HOLDS, Verdict.REFUTED, Verdict.MEASURED}
