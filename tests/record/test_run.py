"""Runs on disk: whole, and refused where they are not what they should be."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boundcheck.errors import BoundcheckError
from boundcheck.record import make_run, read_run, write_run


def test_run_round_trip(tmp_path: Path) -> None:
    run = make_run([], command="pytest", where=tmp_path, seconds=1.5, profile="fast")
    write_run(tmp_path / "deep" / "run.json", run)
    assert read_run(tmp_path / "deep" / "run.json") == run
    assert run["commit_info"] == {}, "no repository there"


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
        ('{"schema_version": 99, "claims": []}', "schema_version 99"),
        ('{"schema_version": 1}', "a list of claims"),
        ("[" * 100_000, "is not JSON"),
        ('{"schema_version": 1, "schema_version": 1}', "a key stands twice"),
        ('{"schema_version": NaN}', "NaN is no JSON number"),
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
