"""The command line, in this process."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from boundcheck.cli import main
from boundcheck.record import make_run, write_run
from tests.user_claims import PREAMBLE, WRONG


def call(*args: str) -> Result:
    return CliRunner().invoke(main, list(args))


def test_report_prints_a_saved_run(tmp_path: Path) -> None:
    write_run(tmp_path / "run.json", make_run([], command="pytest x", where=tmp_path, seconds=0, profile="fast"))
    result = call("report", str(tmp_path / "run.json"))
    assert result.exit_code == 0
    assert "No claim was checked." in result.output
    assert "pytest x" in result.output


def test_hunt_prints_the_tightest_and_keeps_what_it_found(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PREAMBLE + WRONG.replace("MY-wrong", "MY-hunted"))
    save = tmp_path / "out"
    small = ["--structures", "3", "--lanes", "16", "--steps", "40", "--save", str(save), "--claims", str(tmp_path)]
    result = call("hunt", "MY-hunted", *small)
    assert result.exit_code == 0, result.output
    assert "MY-hunted:proved" in result.output
    assert "violated, proved by two routes" in result.output
    found = json.loads((save / "extremes" / "MY-hunted.proved.json").read_text())
    assert found["claim"] == "MY-hunted:proved"
    assert Path(found["counterexample"]).exists()
    climbs = {file.name for file in (save / "climbs").iterdir()}
    again = call("hunt", "MY-hunted", *small, "--resume")
    assert found["drawn"] == json.loads((save / "extremes" / "MY-hunted.proved.json").read_text())["drawn"]
    assert {file.name for file in (save / "climbs").iterdir()} == climbs
    assert "MY-hunted:proved: " in again.stderr, "plain lines without a terminal"
    assert call("hunt", "NONE").exit_code == 2
    assert "lanes=0" in call("hunt", "MY-hunted", "--lanes", "0", *small[4:]).output


NEEDS = '''
@theorem("MY-needs:proved", source=HERE, stance=Stance.PROVED, over=vectors(), mutants={"halved": scaled("1/2")})
def square_le(p):
    """‖x‖² <= 2 where it is at most 1 (and above -1, which it is anyway)."""
    premise("square <= 1", 1 - p.x.square().sum())
    premise("square > -1", 1 + p.x.square().sum())
    return Sides(smaller=p.x.square().sum(), larger=p.x.new_tensor(2.0))
'''


def test_ablate_prints_what_is_needed(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PREAMBLE + NEEDS)
    small = ["--structures", "2", "--lanes", "16", "--steps", "24", "--save", str(tmp_path / "out")]
    result = call("ablate", "MY-needs", *small, "--claims", str(tmp_path))
    assert result.exit_code == 0, result.output
    rows = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert any(row.startswith("MY-needs:proved square <= 1 needed") for row in rows), result.stdout
    assert any(row.startswith("MY-needs:proved square > -1 not shown needed") for row in rows), result.stdout
    stored = json.loads((tmp_path / "out" / "ablations.json").read_text())
    needed = [one for one in stored["claims"][0]["ablations"] if one["needed"]]
    assert [one["premise"] for one in needed] == ["square <= 1"]
    assert (tmp_path / "out" / needed[0]["counterexample"]).exists()
    page = (tmp_path / "out" / "ablations.md").read_text()
    assert "| `MY-needs:proved` | square <= 1 " in page
    assert "boundcheck ablate MY-needs --structures 2 --lanes 16 --steps 24 --seed 0" in page
    assert "without" in Path(needed[0]["counterexample"]).name


@pytest.mark.parametrize("command", ["hunt", "ablate"])
def test_a_folder_that_cannot_be_made_is_refused_before_any_work(command: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    result = call(command, "LE-8:proved", "--save", str(tmp_path / "taken" / "below"))
    assert result.exit_code == 2
    assert "expected a folder that can be written" in result.output
    assert "%" not in result.stderr, "nothing was begun"


def test_what_is_local_stays_out_of_git(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PREAMBLE + NEEDS.replace("MY-needs", "MY-local"))
    save = tmp_path / ".boundcheck" / "hunt"
    small = ["--structures", "1", "--lanes", "4", "--steps", "4", "--save", str(save), "--claims", str(tmp_path)]
    assert call("hunt", "MY-local", *small).exit_code == 0
    assert (tmp_path / ".boundcheck" / ".gitignore").read_text() == "*\n"
