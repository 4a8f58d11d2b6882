"""Files that survive: what is written is whole and on disk, or there is one clear error and nothing has changed."""

import errno
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boundcheck.errors import BoundcheckError
from boundcheck.record import store, store_counterexample, write_json
from boundcheck.record.store import STALE_SECONDS, stored_counterexamples, write_bytes
from tests.record.samples import counterexample


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(BoundcheckError) as caught:
        call()
    text = str(caught.value)
    assert text.isprintable()
    assert "could not be written" in text
    assert "name another place, or free some space" in text
    return text


def test_writing_replaces_whole_files_and_leaves_no_litter(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"n": 1})
    write_json(tmp_path / "a.json", {"n": 2})
    assert json.loads((tmp_path / "a.json").read_text()) == {"n": 2}
    assert names(tmp_path) == ["a.json"]
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o644


def test_a_failed_write_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(tmp_path / "a.json", {"n": 1})

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(BoundcheckError, match="No space left on device"):
        write_json(tmp_path / "a.json", {"n": 2})
    assert json.loads((tmp_path / "a.json").read_text()) == {"n": 1}
    assert names(tmp_path) == ["a.json"]


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


# ------------------------------------------------------------------------------------------------------- what goes wrong

STEPS = ("open", "write", "chmod", "fsync", "replace", "mkdir")
WRONG = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("number", WRONG, ids=errno.errorcode.get)
def test_an_error_at_any_step_is_one_sentence_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    write_bytes(tmp_path / "a.json", b"before")

    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, step, fails)
        target = tmp_path / "new" / "a.json" if step == "mkdir" else tmp_path / "a.json"
        text = refused(lambda: write_bytes(target, b"after"))
    assert os.strerror(number) in text
    assert names(tmp_path) == ["a.json"]
    assert (tmp_path / "a.json").read_bytes() == b"before"
    write_bytes(tmp_path / "a.json", b"after")
    assert (tmp_path / "a.json").read_bytes() == b"after"


def test_a_disk_that_takes_only_a_part_is_asked_again_until_it_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, room = os.write, [10]

    def little(handle: int, data: memoryview) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        room[0] -= 1
        return write(handle, data[:1])

    monkeypatch.setattr(os, "write", little)
    write_bytes(tmp_path / "a.json", b"0123456789")
    assert (tmp_path / "a.json").read_bytes() == b"0123456789"
    room[0] = 5
    refused(lambda: write_bytes(tmp_path / "a.json", b"abcdefghij"))
    assert (tmp_path / "a.json").read_bytes() == b"0123456789"
    assert names(tmp_path) == ["a.json"]


def test_an_interrupted_writer_cleans_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "a.json", b"x")
    assert names(tmp_path) == []


def test_places_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for place in (
        "file/a.json",
        "file/deep/a.json",
        "folder",
        "loop/a.json",
        "x" * 300,
        "x" * 300 + "/a",
        "a\0b",
        "a\0b/c",
    ):
        refused(lambda place=place: write_bytes(tmp_path / place, b"x"))  # type: ignore[misc]
    assert "file is no folder" in refused(lambda: write_bytes(tmp_path / "file" / "a.json", b"x"))
    assert (tmp_path / "file").read_text() == "in the way"
    assert names(tmp_path) == ["file", "folder", "loop"]


def test_the_longest_name_that_fits_can_be_written(tmp_path: Path) -> None:
    write_bytes(tmp_path / ("x" * 255), b"x")
    assert names(tmp_path) == ["x" * 255]


def test_a_claim_with_a_long_key_has_a_file(tmp_path: Path) -> None:
    path = store_counterexample(tmp_path, replace(counterexample(), claim="A" * 400 + ":proved"))
    assert len(path.name) < 150
    assert path.is_file()


def test_a_claim_cannot_leave_the_folder(tmp_path: Path) -> None:
    path = store_counterexample(tmp_path / "in", {"claim": "../../../up:x\0\n/"})
    assert path.parent == tmp_path / "in"
    assert stored_counterexamples(tmp_path / "in") == [path]
    assert names(tmp_path) == ["in"]


def test_what_stands_there_already_needs_no_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = counterexample()
    path = store_counterexample(tmp_path, made)

    def full_disk(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full_disk)
    assert store_counterexample(tmp_path, made) == path
    path.write_bytes(path.read_bytes()[:-1])
    refused(lambda: store_counterexample(tmp_path, made))
    monkeypatch.undo()
    store_counterexample(tmp_path, made)
    assert path.read_bytes() == made.to_bytes(), "a torn file is written again"


def test_what_is_too_large_to_be_read_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LARGEST", 1000)
    with pytest.raises(BoundcheckError, match="too large"):
        store_counterexample(tmp_path, counterexample())
    assert names(tmp_path) == []


# -------------------------------------------------------------------------------------------- what killed writers leave


def test_what_a_killed_writer_left_is_no_record_and_does_not_stay(tmp_path: Path) -> None:
    stale, fresh, foreign = (tmp_path / name for name in (".unfinished-old", ".unfinished-new", ".hidden"))
    for path in (stale, fresh, foreign):
        path.write_bytes(b'{"claim": "half')
        os.utime(path, (0, 0) if path != fresh else (time.time() - STALE_SECONDS + 60,) * 2)
    (tmp_path / ".unfinished-folder").mkdir()
    os.utime(tmp_path / ".unfinished-folder", (0, 0))
    (tmp_path / ".unfinished-link").symlink_to(tmp_path / ".hidden")
    assert stored_counterexamples(tmp_path) == []
    path = store_counterexample(tmp_path, counterexample())
    assert stored_counterexamples(tmp_path) == [path]
    assert names(tmp_path) == sorted(
        [".hidden", ".unfinished-folder", ".unfinished-link", ".unfinished-new", path.name]
    )


def test_temporary_files_have_the_name_that_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    replace_ = os.replace

    def watched(source: str, target: Path) -> None:
        seen.append(Path(source).name)
        assert Path(source).parent == target.parent, "a rename is atomic within a folder"
        replace_(source, target)

    monkeypatch.setattr(os, "replace", watched)
    write_bytes(tmp_path / "a.json", b"x")
    assert [name.startswith(".unfinished-") for name in seen] == [True]


def test_listing(tmp_path: Path) -> None:
    assert stored_counterexamples(tmp_path / "nowhere") == []
    for name in ("b.json", "a.json", ".c.json", "d.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "e.json").mkdir()
    (tmp_path / "f.json").symlink_to("nothing")
    assert [path.name for path in stored_counterexamples(tmp_path)] == ["a.json", "b.json"]
    for wrong in (tmp_path / "d.txt", tmp_path / "a\0b"):
        with pytest.raises(BoundcheckError, match="a folder of counterexamples"):
            stored_counterexamples(wrong)


# --------------------------------------------------------------------------------------------------- the order of steps

Step = tuple[str, str]


def recorded(monkeypatch: pytest.MonkeyPatch, call: Callable[[], object]) -> list[Step]:
    """The steps that touch the disk, each with the file or folder it touches."""
    steps: list[Step] = []
    opened: dict[int, str] = {}

    def watch(name: str, real: Callable[..., Any], about: Callable[..., str]) -> None:
        def watched(*args: Any, **kwargs: Any) -> Any:
            steps.append((name, about(*args)))
            result = real(*args, **kwargs)
            if name == "open":
                opened[result] = str(args[0])
            return result

        monkeypatch.setattr(os, name, watched)

    def role(path: object) -> str:
        text = Path(str(path)).name
        return "temporary" if text.startswith(".unfinished-") else text

    with monkeypatch.context():
        for name in ("open", "mkdir"):
            watch(name, getattr(os, name), lambda path, *_: role(path))
        for name in ("write", "fsync"):
            watch(name, getattr(os, name), lambda handle, *_: role(opened[handle]))
        watch("replace", os.replace, lambda source, target: f"{role(source)} -> {role(target)}")
        call()
        monkeypatch.undo()
    return [step for step in steps if step[0] != "open"]


def durable(steps: list[Step], folder: str, *made: Step) -> bool:
    """Whether every new folder was flushed into the one above, the file before it got its name, and its name after that."""
    wanted = [
        *made,
        ("write", "temporary"),
        ("fsync", "temporary"),
        ("replace", "temporary -> a.json"),
        ("fsync", folder),
    ]
    return steps == wanted


def test_the_file_is_flushed_before_it_gets_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = recorded(monkeypatch, lambda: write_bytes(tmp_path / "a.json", b"x"))
    assert durable(steps, tmp_path.name)
    for left_out in range(len(steps)):
        assert not durable(steps[:left_out] + steps[left_out + 1 :], tmp_path.name)


def test_a_store_that_does_not_flush_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_flush_folder", lambda handle: None)
    assert not durable(recorded(monkeypatch, lambda: write_bytes(tmp_path / "a.json", b"x")), tmp_path.name)


def test_new_folders_are_flushed_into_the_ones_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = recorded(monkeypatch, lambda: write_bytes(tmp_path / "b" / "c" / "a.json", b"x"))
    assert durable(steps, "c", ("mkdir", "b"), ("fsync", tmp_path.name), ("mkdir", "c"), ("fsync", "b"))


def test_a_folder_that_cannot_be_flushed_on_this_file_system_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def picky(handle: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{handle}"):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", picky)
    write_bytes(tmp_path / "a.json", b"x")
    assert (tmp_path / "a.json").read_bytes() == b"x"
