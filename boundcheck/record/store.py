"""Files that survive, and files that are read with suspicion.

Written: beside the target under a name that no reader looks at, flushed to disk, renamed into place, and the folder flushed.
Only then is a path reported. Read: regular files of a bounded size, strict JSON, and one sentence for whatever is anything else.
"""

import errno
import hashlib
import json
import math
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boundcheck.errors import BoundcheckError

if TYPE_CHECKING:
    from boundcheck.record.counterexample import Counterexample

LARGEST = 64 * 2**20
"""Bytes a file may have."""

STALE_SECONDS = 3600.0
"""After so long a temporary file belongs to nobody any more: its writer was killed."""

UNFINISHED = ".unfinished-"
"""How the name of a temporary file begins."""

_LONGEST_NUMBER = 400
_MOST_VALUES = 3_000_000
_DEEPEST = 64
_STRING = rb'"(?:[^"\\]++|\\.)*+"?'  # possessive: it never goes back, so that its time is linear
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_LONGEST_CLAIM = 100  # of a file's name: 255 bytes are the limit on most systems


# ------------------------------------------------------------------------------------------------------------- writing


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write `data` to `path` atomically and durably; NaN and infinities are refused.

    Raises:
        BoundcheckError: if the folder cannot be written; what stood at `path` before is untouched.

    """
    write_bytes(path, json_bytes(data))


def keep_out_of_git(path: Path) -> None:
    """Make the folder .boundcheck that holds `path`, if one does, with a .gitignore: what is in it is local."""
    for folder in (path, *path.parents):
        if folder.name == ".boundcheck":
            make_folder(folder)
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
            return


def json_bytes(data: Mapping[str, Any]) -> bytes:
    """The text of a file, plain ASCII. Raises ValueError for NaN and infinities."""
    return (json.dumps(data, indent=1, allow_nan=False, sort_keys=False) + "\n").encode("ascii")


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`: whole or not at all, and on disk when this returns.

    Raises:
        BoundcheckError: if it cannot be written; what stood at `path` before is untouched, unless it was the last step (the
            flush of the folder after the renaming) that failed.

    """
    try:
        make_folder(path.parent)
        _sweep(path.parent)
        with _open_folder(path.parent) as folder:
            _write_beside(path, content)
            _flush_folder(folder)
    except (OSError, ValueError) as error:  # a ValueError is a name with a NUL in it
        raise BoundcheckError(
            f"{name_of(path)} could not be written ({_why(error)})", remedy="name another place, or free some space"
        ) from error


def _write_beside(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED)
    try:
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.chmod(temporary, 0o644)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def make_folder(folder: Path) -> None:
    """The folder with its parents. A new one is flushed into the one above: else a power cut takes it and all that is in it."""
    missing = []
    at = folder
    while not at.is_dir() and at != at.parent:
        missing.append(at)
        at = at.parent
    for new in reversed(missing):
        try:
            new.mkdir(exist_ok=True)  # somebody else may just have made it
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, f"{name_of(new)} is no folder") from None
        with _open_folder(new.parent) as above:
            _flush_folder(above)


@contextmanager
def _open_folder(folder: Path) -> Iterator[int | None]:
    """A handle for flushing, opened before anything is written, so that a folder that cannot be flushed is refused in time."""
    if os.name != "posix":
        yield None
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def _flush_folder(handle: int | None) -> None:
    if handle is None:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems have no such thing
            raise


def _sweep(folder: Path) -> None:
    """Remove what writers left that were killed long ago. Nothing depends on it, so nothing is said where it fails."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(UNFINISHED):
                with suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE_SECONDS:
                        os.unlink(entry.path)  # of a link only the link; a folder stays


# ------------------------------------------------------------------------------------------------------------- reading


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises BoundcheckError, in one sentence, for a file that is missing or is not one."""
    return parse_json(read_bytes(path), name_of(path))


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file of at most `LARGEST` of them. Raises BoundcheckError for anything else, and never waits."""
    try:
        _require_regular(os.stat(path), path)  # before opening: a device may do something when it is opened
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
        handle = os.open(path, flags)
        try:
            _require_regular(os.fstat(handle), path)  # it may be another file by now
            content = bytearray()
            while len(content) <= LARGEST and (chunk := os.read(handle, 2**20)):
                content += chunk
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        raise BoundcheckError(
            f"{name_of(path)} could not be read ({_why(error)})", expected="a JSON file that boundcheck wrote"
        ) from None
    return bytes(require_size(content, name_of(path)))


def _require_regular(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, a device or a socket"
        raise BoundcheckError(f"{name_of(path)} is {kind}", expected="a JSON file that boundcheck wrote")
    if found.st_size > LARGEST:
        raise _too_large(name_of(path))


def require_size(content: bytes | bytearray, name: str) -> bytes | bytearray:
    """The content itself. Raises BoundcheckError where it is larger than any file that is read."""
    if len(content) > LARGEST:
        raise _too_large(name)
    return content


def _too_large(name: str) -> BoundcheckError:
    return BoundcheckError(f"{name} is too large", expected=f"at most {LARGEST // 2**20} MiB")


class _NotPlainError(ValueError):
    """JSON that Python's parser would take and that boundcheck never writes."""


def parse_json(content: bytes, name: str) -> dict[str, Any]:
    """The JSON object in `content`; `name` is for the message.

    Raises:
        BoundcheckError: for what is not UTF-8 or not JSON, and for JSON with a key that stands twice, a NaN, an infinity, or a
            number too long to be one of ours.

    """
    expected = "a file that boundcheck wrote"
    if content.count(b",") + content.count(b"[") + content.count(b"{") > _MOST_VALUES:
        raise BoundcheckError(f"{name} holds more than {_MOST_VALUES:,} values", expected=expected)
    if _is_deep(content):
        raise BoundcheckError(f"{name} is not JSON of ours (it is nested too deeply)", expected=expected)
    try:
        text = content.decode("utf-8")
        data = json.loads(
            text, object_pairs_hook=_object, parse_int=_whole, parse_float=_number, parse_constant=_constant
        )
    except UnicodeDecodeError as error:
        raise BoundcheckError(f"{name} is not UTF-8 text (byte {error.start})", expected=expected) from None
    except _NotPlainError as error:
        raise BoundcheckError(f"{name} is not JSON as boundcheck writes it ({error})", expected=expected) from None
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        why = "it ends too early" if cut else f"line {error.lineno}: {error.msg}"
        raise BoundcheckError(f"{name} is not JSON ({why})", expected=expected) from None
    except (RecursionError, MemoryError):
        raise BoundcheckError(f"{name} does not fit into memory", expected=expected) from None
    if not isinstance(data, dict):
        raise BoundcheckError(f"{name} holds a {type(data).__name__}", expected="a JSON object")
    return data


def _is_deep(content: bytes) -> bool:
    """Whether lists and objects are nested too deeply for a parser that calls itself, whatever limit Python was given.

    Of the brackets outside of strings every innermost pair is removed, again and again.
    """
    brackets = re.sub(_STRING, b"", content).translate(None, _NO_BRACKETS)
    for _ in range(_DEEPEST):
        fewer = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if fewer == brackets:  # nothing closes any more: this is no JSON, and still must not be too deep
            return brackets.count(b"[") + brackets.count(b"{") > _DEEPEST
        brackets = fewer
    return bool(brackets)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _NotPlainError("a key stands twice in one object")
    return result


def _whole(text: str) -> int:
    return int(_short(text))


def _number(text: str) -> float:
    value = float(_short(text))
    if not math.isfinite(value):
        raise _NotPlainError("a number is larger than any double")
    return value


def _short(text: str) -> str:
    if len(text) > _LONGEST_NUMBER:
        raise _NotPlainError(f"a number has {len(text)} digits")
    return text


def _constant(text: str) -> float:
    raise _NotPlainError(f"{text} is no JSON number")


def one_line(text: str) -> str:
    """The text with what cannot be printed (a newline, a terminal's control codes) escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def name_of(path: Path | str) -> str:
    """A path for a message: on one line, and only its end where it is long."""
    text = str(path)
    return one_line(text if len(text) <= 300 else f"…{text[-300:]}")


def _why(error: OSError | ValueError) -> str:
    return str(getattr(error, "strerror", None) or error)


# ------------------------------------------------------------------------------------------------------ counterexamples


def store_counterexample(folder: Path, counterexample: "Counterexample | Mapping[str, Any]") -> Path:
    """Store a counterexample under a name made of its claim and its content; the same one twice is one file.

    Once this has returned the file is on disk. Raises BoundcheckError where it cannot be written.
    """
    if isinstance(counterexample, Mapping):
        data, content = counterexample, json_bytes(counterexample)
        digest = hashlib.sha256(json.dumps(data, sort_keys=True, allow_nan=False).encode()).hexdigest()
        claim = str(data["claim"])
    else:
        claim, digest, content = counterexample.claim, counterexample.digest, counterexample.to_bytes()
    path = folder / f"{file_name_of(claim)}-{digest[:16]}.json"
    require_size(content, name_of(path))
    if not _stands(path, content):
        write_bytes(path, content)
    return path


def store_extreme(folder: Path, key: str, data: Mapping[str, Any]) -> Path:
    """Write what a hunt found for the claim of this key, in the place of what an earlier one found."""
    path = folder / f"{file_name_of(key)}.json"
    write_json(path, data)
    return path


def file_name_of(key: str) -> str:
    """A claim's key as the name of a file."""
    return re.sub(r"[^\w.+-]", ".", key, flags=re.ASCII)[:_LONGEST_CLAIM].lstrip(".")


def _stands(path: Path, content: bytes) -> bool:
    """Whether the file is there already, whole and flushed: then a full disk is no reason to say that it is not stored."""
    try:
        if os.name != "posix" or read_bytes(path) != content:
            return False
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        with _open_folder(path.parent) as folder:
            _flush_folder(folder)
    except (OSError, BoundcheckError):
        return False
    return True


def stored_counterexamples(folder: Path) -> list[Path]:
    """The counterexamples in a folder, sorted by name; none where there is no such folder. What a killed writer left is not one.

    Raises BoundcheckError for a folder that cannot be read.
    """
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if path.suffix == ".json" and not path.name.startswith(".") and path.is_file()
        )
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise BoundcheckError(
            f"{name_of(folder)} could not be read ({_why(error)})", expected="a folder of counterexamples"
        ) from None
