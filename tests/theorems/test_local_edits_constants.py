"""The constants of set U follow from the adaptive forms at a = b = d = h = 1/16, in exact rationals."""

from fractions import Fraction as Q

import pytest

from boundcheck.claim import registered_claims
from boundcheck.theorems import local_edits

C = Q(1, 16)
E = Q(857, 10_000)  # a witness e, just above the smallest


def rate(e: Q, h: Q) -> Q:
    return 2 * (1 - e) ** 2 - h * (1 + e) ** 4


def factor(e: Q, h: Q) -> Q:
    return 2 * (1 + e) / rate(e, h)


A, P = rate(E, C), factor(E, C)


def test_the_witness_is_admissible() -> None:
    assert 0 <= E <= Q(1, 2)
    assert A > 0
    assert C * P <= E


def test_the_witness_serves_every_smaller_step_and_residual() -> None:
    for h in (Q(0), C / 7, C / 2, C):
        for a in (Q(0), C / 3, C):
            assert rate(E, h) >= A
            assert a * factor(E, h) <= E


def constant(key: str, name: str) -> Q:
    return registered_claims()[key].constants[name].value


@pytest.mark.parametrize(
    ("key", "name", "implied"),
    [
        ("LE-6i:U", "share", P),
        ("LE-6iii:U-upper", "upper", P),
        ("LE-15:U", "upper", P / A),
        ("LE-8:proved", "c", Q(1, 4)),
    ],
)
def test_upper_constants_are_at_least_what_is_proved(key: str, name: str, implied: Q) -> None:
    assert implied <= constant(key, name) <= implied * Q(103, 100)


LOST_IN_MOVEMENT = C * P**2 / 2
LOST_OUTSIDE = C * P / A


@pytest.mark.parametrize(
    ("key", "name", "implied"),
    [
        ("LE-6ii:U", "rate", A / 2),
        ("LE-Pi:U", "lower", 1 - LOST_IN_MOVEMENT),
        ("LE-16:U", "lower", (1 - LOST_IN_MOVEMENT - LOST_OUTSIDE) ** 2),
        ("LE-7:U", "lower", (1 - LOST_IN_MOVEMENT - LOST_OUTSIDE - LOST_IN_MOVEMENT) ** 2 / 2),
    ],
)
def test_lower_constants_are_at_most_what_is_proved(key: str, name: str, implied: Q) -> None:
    assert implied * Q(93, 100) <= constant(key, name) <= implied


def test_movement_from_below() -> None:
    """0.97 <= 2/(1 + √(1 + 2c)), that is √(1 + 2c) <= 2/0.97 - 1."""
    root_at_most = 2 / constant("LE-6iii:U-lower", "lower") - 1
    assert root_at_most**2 >= 1 + 2 * C
    assert (2 / (constant("LE-6iii:U-lower", "lower") + Q(1, 100)) - 1) ** 2 < 1 + 2 * C


def test_every_claim_names_its_source_and_statement() -> None:
    claims = [c for c in registered_claims().values() if c.id.startswith("LE-")]
    assert len(claims) >= 33
    assert local_edits.__all__
    for claim in claims:
        assert claim.statement, claim.key
        assert "Local Edits" in str(claim.source), claim.key
