"""`boundcheck replay` by its exit code: 0 proved again, 1 not proved, 2 refused."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from torch import Tensor

from boundcheck.claim import Claim, Sides, Source, Stance, theorem
from boundcheck.cli import main
from boundcheck.exact import constant
from boundcheck.strategies import Covariances, covariances
from boundcheck.testing import ClaimFailedError, check_claim

ONE = constant(1, scales="larger")


def call(*args: Path) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, args)])


def trace_le_norm(p: Covariances, c: Tensor = ONE) -> Sides:
    """Tr(S) <= c·‖S‖, which is false from dimension 2 on where c = 1."""
    return Sides(smaller=p.trace, larger=c * p.norm)


def norm_le_trace(p: Covariances, c: Tensor = ONE) -> Sides:
    """‖S‖ <= c·Tr(S)."""
    return Sides(smaller=p.norm, larger=c * p.trace)


def registered(check: Callable[..., Sides]) -> Claim:
    """The claim with this key, whatever it said before: its file was edited."""
    source, drawn = Source("tests", "replay"), covariances(max_dim=3)
    return theorem(
        "TEST-replay:edited", source=source, stance=Stance.PROVED, over=drawn, mutants={"9/10": {"c": "9/10"}}
    )(check)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.raises(ClaimFailedError) as caught:
        check_claim(registered(trace_le_norm), folder=tmp_path_factory.mktemp("broken"))
    return Path(caught.value.entry["counterexample"])


def test_0_where_all_are_proved_again(stored: Path) -> None:
    registered(trace_le_norm)
    result = call(stored, stored)
    assert result.exit_code == 0
    assert result.stdout.count("VIOLATED: proved again by two routes.") == 2


def test_1_where_the_claim_says_something_else_by_now(stored: Path) -> None:
    registered(norm_le_trace)
    result = call(stored)
    assert result.exit_code == 1
    assert "NOT PROVED" in result.stdout


def test_1_where_the_claim_has_another_constant_by_now(tmp_path: Path) -> None:
    claim = registered(trace_le_norm)
    with pytest.raises(ClaimFailedError) as caught:
        check_claim(claim.with_constants({"c": Fraction("1/2")}), folder=tmp_path)
    result = call(Path(caught.value.entry["counterexample"]))
    assert result.exit_code == 1
    assert "The claim has another constant by now: c" in result.stdout


def test_2_where_one_is_refused_though_the_others_are_proved(stored: Path, tmp_path: Path) -> None:
    registered(trace_le_norm)
    text, changed = tmp_path / "notes.txt", tmp_path / "changed.json"
    text.write_text("Lemma 1 is fine")
    changed.write_text(stored.read_text().replace('"c": "1"', '"c": "2"'))
    for refused in (text, changed, tmp_path):
        result = call(refused, stored)
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1
        assert "VIOLATED: proved again by two routes." in result.stdout
