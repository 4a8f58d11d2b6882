"""Files that survive: written beside the target, flushed to disk, then renamed into place."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boundcheck.errors import BoundcheckError


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write `data` to `path` atomically and durably; NaN and infinities are refused.

    Raises:
        BoundcheckError: if the folder cannot be written; what stood at `path` before is untouched.

    """
    text = json.dumps(data, indent=1, allow_nan=False, sort_keys=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise BoundcheckError(
            f"{path} could not be written ({error.strerror or error})", remedy="name another place, or free some space"
        ) from error


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises BoundcheckError, in one sentence, for a file that is missing or is not one."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BoundcheckError(
            f"{path} could not be read ({error.strerror or error})", expected="a run's JSON file"
        ) from None
    except (ValueError, RecursionError):
        raise BoundcheckError(f"{path} is not JSON", expected="a file that boundcheck wrote") from None
    if not isinstance(data, dict):
        raise BoundcheckError(f"{path} holds a {type(data).__name__}", expected="a JSON object")
    return data


def store_counterexample(folder: Path, data: Mapping[str, Any]) -> Path:
    """Store a counterexample under a name made of its claim and its content; the same one twice is one file."""
    digest = hashlib.sha256(json.dumps(data, sort_keys=True, allow_nan=False).encode()).hexdigest()[:16]
    path = folder / f"{str(data['claim']).replace(':', '.')}-{digest}.json"
    write_json(path, data)
    return path
