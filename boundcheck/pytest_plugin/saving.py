"""Where a run goes: the file of the last run, and the saved runs."""

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from boundcheck.errors import BoundcheckError
from boundcheck.pytest_plugin.options import autosaves, option, run_path, storage_path


def check_saving(config: pytest.Config) -> None:
    """Raises BoundcheckError for a name that no run can be saved under."""
    if name := option(config, "save"):
        from boundcheck.record import checked_name

        checked_name(name)


def check_place(config: pytest.Config) -> None:
    """Raises BoundcheckError for a file named with --boundcheck-json that cannot be written; leaves nothing behind.

    Only a place that somebody named: tests without claims run in folders that are read-only, too.
    """
    given = option(config, "json")
    if not given:
        return
    path = run_path(config)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        with tempfile.TemporaryFile(dir=_nearest_folder(path)):
            pass  # that a file can be made there is all that is asked: not even root makes one in /proc
    except (OSError, ValueError) as error:  # a ValueError is a NUL in the name
        from boundcheck.record.store import name_of

        raise BoundcheckError(
            f"--boundcheck-json={name_of(given)} cannot be written ({getattr(error, 'strerror', None) or error})",
            expected="a file in a folder that can be written, or made",
        ) from None


def _nearest_folder(path: Path) -> Path:
    """The folder in which the first thing that is missing on the way to `path` is made."""
    there = next(at for at in path.parents if os.path.lexists(at))
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{there.name} is no folder")
    return there


def write_last(config: pytest.Config, run: dict[str, Any]) -> Path:
    """Write the run over the last one.

    Args:
        config: says where.
        run: its entries name their files absolutely.

    Raises:
        BoundcheckError, OSError, ValueError, TypeError: where it cannot be written.

    """
    from boundcheck.record import keep_out_of_git, write_run

    path = run_path(config)
    keep_out_of_git(path)
    write_run(path, placed(run, path.parent))
    return path


def save(config: pytest.Config, run: dict[str, Any]) -> list[Path]:
    """Keep the run among the saved ones, if that was asked for. Raises as `write_last` does."""
    from boundcheck.record import automatic_name, save_run

    name = option(config, "save") or (automatic_name(run) if autosaves(config) else "")
    folder = storage_path(config)
    return [save_run(folder, name, placed(run, folder))] if name else []


def placed(run: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The run as a file in this folder has it: what it names is named from there."""
    from boundcheck.record import seen_from

    return run | {"claims": [seen_from(entry, folder) for entry in run["claims"]]}
