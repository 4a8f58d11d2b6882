"""Runs and counterexamples on disk: durable, refused where they are not what they should be."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boundcheck.errors import BoundcheckError
from boundcheck.record import make_run, read_run, store_counterexample, write_json, write_run


def test_run_round_trip(tmp_path: Path) -> None:
    run = make_run([], command="pytest", where=tmp_path, seconds=1.5, profile="fast")
    write_run(tmp_path / "deep" / "run.json", run)
    assert read_run(tmp_path / "deep" / "run.json") == run
    assert run["commit_info"] == {}, "no repository there"


def test_writing_replaces_whole_files_and_leaves_no_litter(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"n": 1})
    write_json(tmp_path / "a.json", {"n": 2})
    assert json.loads((tmp_path / "a.json").read_text()) == {"n": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_failed_write_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(tmp_path / "a.json", {"n": 1})

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(BoundcheckError, match="No space left on device"):
        write_json(tmp_path / "a.json", {"n": 2})
    assert json.loads((tmp_path / "a.json").read_text()) == {"n": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_nan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"n": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_the_same_counterexample_is_one_file(tmp_path: Path) -> None:
    data = {"claim": "MY-1:proved", "lane": 3}
    first, second = store_counterexample(tmp_path, data), store_counterexample(tmp_path, data)
    other = store_counterexample(tmp_path, data | {"lane": 4})
    assert first == second != other
    assert first.name.startswith("MY-1.proved-")


@given(st.binary(max_size=200))
def test_whatever_bytes_a_file_holds_it_is_a_run_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("run") / "run.json"
    path.write_bytes(content)
    with pytest.raises(BoundcheckError):
        read_run(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[1]", "holds a list"),
        ("{}", "schema_version None"),
        ('{"schema_version": 2, "claims": []}', "schema_version 2"),
        ('{"schema_version": 1}', "a list of claims"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_refusals_name_the_file_and_what_was_expected(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(BoundcheckError, match=r"run\.json") as error:
        read_run(tmp_path / "run.json")
    assert words in str(error.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BoundcheckError, match="No such file"):
        read_run(tmp_path / "none.json")
