"""Saved runs: a number each whoever saves at the same time, found again by every name, files named from where they stand."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boundcheck.errors import BoundcheckError
from boundcheck.record import automatic_name, checked_name, find_run, read_run, save_run, saved, saved_runs, seen_from
from tests.report.made_runs import entry, hunted, made_run


def numbers(folder: Path) -> list[int]:
    return [one.number for one in saved_runs(folder)]


def test_numbers_count_up_and_the_run_is_read_again(tmp_path: Path) -> None:
    folder = tmp_path / ".boundcheck" / "runs"
    assert saved_runs(folder) == []
    run = made_run(entry())
    first, second = save_run(folder, "before", run), save_run(folder, "after.2", made_run())
    assert [first.name, second.name] == ["0001_before.json", "0002_after.2.json"]
    assert read_run(first) == run
    assert (tmp_path / ".boundcheck" / ".gitignore").read_text() == "*\n"
    first.unlink()
    assert save_run(folder, "before", run).name == "0003_before.json", "a number is not given twice"


def test_other_files_are_no_saved_runs(tmp_path: Path) -> None:
    for name in ("run.json", "1_x.json", "0004_x.txt", "000a_x.json", ".unfinished-0009", "0012_.json"):
        (tmp_path / name).write_text("")
    (tmp_path / "12345_x.json").write_text("")
    assert numbers(tmp_path) == [12345]
    assert save_run(tmp_path, "x", made_run()).name == "12346_x.json"


def test_many_threads_get_a_number_each(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        files = list(pool.map(lambda i: save_run(tmp_path, f"n{i % 3}", made_run(entry(id=f"MY-{i}"))), range(24)))
    assert numbers(tmp_path) == list(range(1, 25))
    assert [read_run(file)["claims"][0]["id"] for file in files] == [f"MY-{i}" for i in range(24)]


def test_many_processes_get_a_number_each(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from boundcheck.record import save_run\n"
        "from tests.report.made_runs import made_run\n"
        "for _ in range(5): save_run(Path(sys.argv[1]), 'same', made_run())"
    )
    both = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) for _ in range(3)]
    assert [one.wait() for one in both] == [0, 0, 0]
    assert numbers(tmp_path) == list(range(1, 16))
    assert not list(tmp_path.glob(".unfinished*")), "no claim to a number is left behind"


def test_a_number_that_another_process_is_writing_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".unfinished-0001").write_text("")
    assert save_run(tmp_path, "x", made_run()).name == "0002_x.json"


def test_a_number_that_was_written_since_the_folder_was_read_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = saved.saved_runs
    calls: list[Path] = []

    def late(folder: Path) -> list[saved.Saved]:
        seen = real(folder)
        if not calls:
            save_late()
        calls.append(folder)
        return seen

    def save_late() -> None:
        monkeypatch.setattr(saved, "saved_runs", real)
        save_run(tmp_path, "faster", made_run())
        monkeypatch.setattr(saved, "saved_runs", late)

    monkeypatch.setattr(saved, "saved_runs", late)
    assert save_run(tmp_path, "slower", made_run()).name == "0002_slower.json"
    assert [one.name for one in real(tmp_path)] == ["faster", "slower"]


@given(st.text(max_size=12) | st.from_regex(r"[A-Za-z0-9._+-]+", fullmatch=True))
def test_a_name_is_refused_or_is_the_name_that_is_found(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("runs")
    try:
        file = save_run(folder, name, made_run())
    except BoundcheckError:
        assert list(folder.iterdir()) == []
        return
    assert name.isascii()
    assert [(one.name, one.path) for one in saved_runs(folder)] == [(name, file)]
    assert find_run(name, folder, here=folder) == file


@pytest.mark.parametrize("name", ["", "last", "0003", "a/b", "..", ".x", "-x", "a b", "a\n", "é", "x" * 101])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(BoundcheckError, match=r"the name .* for a saved run"):
        checked_name(name)


def test_the_automatic_name_says_commit_time_and_changes() -> None:
    run = made_run()
    assert automatic_name(run) == "0123456789ab_20260102_030405"
    dirty = run | {"commit_info": run["commit_info"] | {"dirty": True}}
    assert automatic_name(dirty) == "0123456789ab_20260102_030405_uncommitted-changes"
    assert automatic_name(run | {"commit_info": {}}) == "no-commit_20260102_030405"
    assert checked_name(automatic_name(dirty))


def test_a_run_is_found_by_file_number_name_and_as_the_last(tmp_path: Path) -> None:
    storage, here = tmp_path / "runs", tmp_path / "here"
    here.mkdir()
    one, two, three = (save_run(storage, name, made_run()) for name in ("base", "other", "base"))
    (here / "mine.json").write_text("{}")
    (here / "3").write_text("{}")
    found = {
        which: find_run(which, storage, here=here) for which in ("last", "1", "0002", "base", "other", "mine.json")
    }
    assert found == {
        "last": three,
        "1": one,
        "0002": two,
        "base": three,  # the last of that name
        "other": two,
        "mine.json": here / "mine.json",
    }
    assert find_run("3", storage, here=here) == three, "a number is a saved run's, whatever files there are"
    assert find_run("./3", storage, here=here) == here / "./3"
    assert find_run(str(one), storage, here=here) == one
    assert find_run("mine.json", here / "3", here=here) == here / "mine.json", "a file needs no folder of saved runs"


@pytest.mark.parametrize("which", ["", "7", "none", "no/such.json", "x" * 5000, "a\0b", "<script>\n", "²"])
@pytest.mark.parametrize("stored", [0, 1])
def test_a_run_that_is_none_is_one_sentence(tmp_path: Path, which: str, stored: int) -> None:
    for _ in range(stored):
        save_run(tmp_path, "base", made_run())
    with pytest.raises(BoundcheckError) as error:
        find_run(which, tmp_path, here=tmp_path)
    assert str(error.value).isprintable()
    assert "`boundcheck runs` lists them" in str(error.value)


def test_last_of_none(tmp_path: Path) -> None:
    with pytest.raises(BoundcheckError, match="no run is saved"):
        find_run("last", tmp_path / "nowhere", here=tmp_path)


def test_a_folder_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "below", tmp_path / "a\0b"):
        with pytest.raises(BoundcheckError, match="could not be saved"):
            save_run(folder, "x", made_run())
    with pytest.raises(BoundcheckError, match="could not be read"):
        saved_runs(tmp_path / "taken")


names = st.text("abc. <|é", min_size=1, max_size=4).filter(lambda name: name.strip(".") == name)
folders = st.lists(names, max_size=3).map(lambda parts: Path("/", *parts))


@given(folders, folders, names)
def test_files_are_named_from_the_folder_of_the_run(folder: Path, elsewhere: Path, name: str) -> None:
    file = str(elsewhere / name)
    found = seen_from(all_files(file), folder)
    assert found["id"] == "MY-1"
    for relative in files_of(found):
        assert not PurePosixPath(relative).is_absolute()
        assert os.path.normpath(folder / relative) == file
    assert seen_from(entry(), folder) == entry(), "what is not there stays so"


def all_files(file: str) -> dict[str, Any]:
    return entry(
        counterexample=file,
        worst_counterexample=file,
        hunted=hunted(1.0) | {"instance": file},
        ladder=[{"constants": {"c": "1"}, "counterexample": file}, {"constants": {}, "counterexample": None}],
        ablations=[{"key": "x", "counterexample": file}],
    )


def files_of(found: dict[str, Any]) -> list[str]:
    return [
        found["counterexample"],
        found["worst_counterexample"],
        found["hunted"]["instance"],
        found["ladder"][0]["counterexample"],
        found["ablations"][0]["counterexample"],
    ]
