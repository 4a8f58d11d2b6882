"""`check_claim` inside an ordinary test: what passes, what raises, what is refused."""

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from boundcheck.claim import Claim, Draws, Sides, Source, Stance, scaled, theorem
from boundcheck.errors import BoundcheckError
from boundcheck.profiles import profile
from boundcheck.record import read_counterexample
from boundcheck.report import failure
from boundcheck.search import Options, run_campaign
from boundcheck.strategies import Covariances, covariances
from boundcheck.testing import ClaimFailedError, check_claim

HERE = Source("tests", "check_claim")
DRAWN: Draws = covariances(max_dim=3)


def trace_against_norm(p: Covariances) -> Sides:
    """‖S‖ <= Tr(S)."""
    return Sides(smaller=p.norm, larger=p.trace)


def norm_against_trace(p: Covariances) -> Sides:
    """Tr(S) <= ‖S‖, which is false from dimension 2 on."""
    return Sides(smaller=p.trace, larger=p.norm)


def made(form: str) -> Claim:
    """One of five claims. (Made at module level they would be claims of this file, and checked by the plugin.)"""
    check = norm_against_trace if form in ("false", "printed") else trace_against_norm
    options: dict[str, dict[str, Any]] = {
        "true": {"stance": Stance.PROVED, "mutants": {"9/10": scaled("9/10")}},
        "false": {"stance": Stance.PROVED, "mutants": {"9/10": scaled("9/10")}},
        "printed": {"stance": Stance.PRINTED, "refuted_by": "instance"},
        "never-falls": {"stance": Stance.PRINTED, "refuted_by": "instance"},
        "guess": {"stance": Stance.CONJECTURED},
    }
    return theorem(f"TEST-check:{form}", source=HERE, over=DRAWN, **options[form])(check)


@pytest.mark.parametrize(("form", "verdict"), [("true", "HOLDS"), ("printed", "REFUTED"), ("guess", "MEASURED")])
def test_what_passes_returns_its_entry(form: str, verdict: str, tmp_path: Path) -> None:
    entry = check_claim(made(form), folder=tmp_path)
    assert (entry["id"], entry["form"], entry["verdict"]) == ("TEST-check", form, verdict)


@pytest.mark.parametrize(("form", "verdict"), [("false", "VIOLATED"), ("never-falls", "UNREFUTED")])
def test_what_fails_raises_with_the_reason(form: str, verdict: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=f"^TEST-check:{form} is {verdict}: ") as caught:
        check_claim(made(form), folder=tmp_path)
    error = caught.value
    assert isinstance(error, ClaimFailedError)
    assert error.entry["verdict"] == verdict
    assert str(error) == failure(error.entry)


def test_the_counterexample_lies_where_the_message_says(tmp_path: Path) -> None:
    with pytest.raises(ClaimFailedError) as caught:
        check_claim(made("false"), folder=tmp_path / "kept")
    stored = Path(caught.value.entry["counterexample"])
    assert stored.parent == tmp_path / "kept" / "counterexamples"
    assert str(stored) in str(caught.value)
    assert read_counterexample(stored).claim == "TEST-check:false"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["kept"], "nothing is written beside the folder"


def test_without_a_folder_what_is_local_stays_out_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_claim(made("true"))
    assert [file.name for file in tmp_path.iterdir()] == [".boundcheck"]
    assert (tmp_path / ".boundcheck" / ".gitignore").read_text() == "*\n"


def test_it_is_the_campaign_of_the_plugin(tmp_path: Path) -> None:
    """The same seed and profile: the same entry, but for what names the run."""
    ours = check_claim(made("true"), folder=tmp_path / "ours", seed=3)
    theirs = run_campaign(
        made("true"), Options(profile("fast"), seed=3, counterexamples=tmp_path / "theirs" / "counterexamples")
    )
    assert ours["command"] == "check_claim('TEST-check:true', profile='fast', seed=3)"
    assert _figures(ours) == _figures(theirs)


def _figures(entry: dict[str, Any]) -> str:
    naming = {"seconds", "command"}
    hunted = {name: value for name, value in entry["hunted"].items() if name != "instance"}
    return json.dumps({name: value for name, value in entry.items() if name not in naming} | {"hunted": hunted})


def test_a_hunt_can_be_switched_off(tmp_path: Path) -> None:
    assert check_claim(made("true"), folder=tmp_path, hunt="off")["hunted"] is None
    assert check_claim(made("true"), folder=tmp_path, hunt="1x8x4")["hunted"] is not None


def test_keys_of_imported_and_of_installed_claims(tmp_path: Path) -> None:
    made("true")
    assert check_claim("TEST-check:true", folder=tmp_path)["form"] == "true"
    assert check_claim("AC-A7:proved", folder=tmp_path, hunt="off")["id"] == "AC-A7"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"claim": "TEST-check:nothing"}, "no claim has the key 'TEST-check:nothing'; expected"),
        ({"claim": trace_against_norm}, "was given a function; expected what @theorem made"),
        ({"claim": None}, "was given a NoneType"),
        ({"profile": "quick"}, "the profile 'quick'; expected one of fast, default, deep"),
        ({"device": "quantum"}, "the device 'quantum'; expected one of cpu, auto"),
        ({"hunt": "far"}, "the hunt 'far'; expected off, or"),
        ({"seed": True}, "seed=True; expected a whole number >= 0"),
        ({"seed": "1"}, "seed='1'; expected a whole number >= 0"),
    ],
)
def test_mistakes_are_refused_before_any_work(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"claim": made("true"), "folder": tmp_path} | options
    with pytest.raises(BoundcheckError) as caught:
        check_claim(**given)
    assert words in str(caught.value)
    assert not list(tmp_path.iterdir())


@hypothesis.given(st.one_of(st.integers(max_value=-1), st.floats(), st.text(), st.none()))
def test_no_seed_but_a_whole_number(seed: Any) -> None:
    with pytest.raises(BoundcheckError, match="expected a whole number >= 0"):
        check_claim(made("true"), seed=seed)


def test_the_exception_survives_another_process(tmp_path: Path) -> None:
    with pytest.raises(ClaimFailedError) as caught:
        check_claim(made("false"), folder=tmp_path)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.entry) == (str(caught.value), caught.value.entry)


def test_importing_it_costs_neither_torch_nor_hypothesis() -> None:
    code = "import boundcheck.testing, sys; print([name for name in ('torch', 'hypothesis') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
