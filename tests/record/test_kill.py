"""A writer may be killed at any moment, or write beside others: what was reported is there, and what is there is whole."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boundcheck.record.store import store_counterexample
from tests.record.samples import counterexample
from tests.record.writers import faults

ROOT = Path(__file__).parents[2]
ROUNDS = 300

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")


def seen(mode: str, folder: Path, number: int = 0) -> dict[str, Any]:
    """What `tests.record.writers` saw."""
    command = [sys.executable, "-m", "tests.record.writers", mode, str(folder), str(number)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    print(mode, {name: value for name, value in result.items() if name != "faults"})
    return result


def test_killed_at_random_moments(tmp_path: Path) -> None:
    found = seen("kill", tmp_path, ROUNDS)
    assert found["faults"] == []
    assert found["rounds"] == ROUNDS
    assert found["reported"] > ROUNDS / 10, "many rounds stored something"
    assert found["left unfinished"] > 0, "some were killed in the middle of a write"
    assert found["left after sweeping"] == []


def test_killed_before_within_and_after_every_step(tmp_path: Path) -> None:
    found = seen("steps", tmp_path)
    assert found["faults"] == []
    assert (found["status"], found["said"]) == (0, 2), "the last one lived"
    assert found["moments"] > 50
    assert min(found["outcomes"].values()) > 10, "killed before the renaming, and after it"


def test_the_checks_see_a_store_that_writes_in_place(tmp_path: Path) -> None:
    assert seen("kill-in-place", tmp_path, 60)["faults"]


def test_the_checks_see_one_torn_missing_or_exchanged_file(tmp_path: Path) -> None:
    first, second = (store_counterexample(tmp_path, replace(counterexample(), seed=seed)) for seed in (1, 2))
    reported = {first: 1, second: 2}
    assert faults(tmp_path, reported) == []
    whole = first.read_bytes()
    for torn in (b"", whole[:-1], whole[: len(whole) // 2], whole + b"\n", whole[:100] + b"\0" * 100 + whole[200:]):
        first.write_bytes(torn)
        assert len(faults(tmp_path, reported)) == 1
        assert len(faults(tmp_path, {})) == 1, "a torn file is a fault also where it was not reported"
    first.write_bytes(second.read_bytes())
    assert len(faults(tmp_path, reported)) == 1
    first.unlink()
    assert len(faults(tmp_path, reported)) == 1
    assert faults(tmp_path, {second: 2}) == []


def test_four_writers_into_one_folder(tmp_path: Path) -> None:
    found = seen("together", tmp_path, 200)
    assert found["faults"] == []
    assert found["failed"] == 0
    assert found["stores"] == 800
    assert found["files"] == found["contents"] < 400
    assert found["left unfinished"] == []
    assert found["run"] == ["seed", "writer"]


def test_limits_that_the_system_sets() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own may not be entered by others
        found = seen("no-room", Path(folder))
    words = {"size": "File too large", "read-only": "Permission denied", "closed": "Permission denied"}
    for name, why in words.items():
        new, again, read, after = found[name]
        assert f"could not be written ({why})" in new
        assert after == "untouched"
        assert again.startswith("stored" if name != "closed" else "/"), "what stands there already is stored"
        assert read == "read 0" if name != "closed" else "could not be read (Permission denied)" in read
    assert found["write-only"][3] == "untouched"
