"""Runs that are kept: numbered files in one folder, found again by number, by name or as the last one."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from boundcheck.errors import BoundcheckError
from boundcheck.record.run import write_run
from boundcheck.record.store import UNFINISHED, keep_out_of_git, make_folder, name_of

STORAGE = Path(".boundcheck", "runs")
"""Where runs are saved, below the root directory."""

LAST = "last"
"""Names the run that was saved last."""

LONGEST_NAME = 100

_FILE = re.compile(r"(?P<number>[0-9]{4,9})_(?P<name>.+)\.json", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True, order=True)
class Saved:
    """A saved run: `NNNN_NAME.json`."""

    number: int
    name: str
    path: Path


def saved_runs(folder: Path) -> list[Saved]:
    """The runs saved in a folder, oldest first; none where there is no such folder.

    Raises BoundcheckError for a folder that cannot be read.
    """
    try:
        files = list(folder.iterdir())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:  # a ValueError is a NUL in the name
        raise BoundcheckError(
            f"{name_of(folder)} could not be read ({getattr(error, 'strerror', None) or error})",
            expected="a folder of saved runs",
        ) from None
    return sorted(
        Saved(int(match["number"]), match["name"], file) for file in files if (match := _FILE.fullmatch(file.name))
    )


def checked_name(name: str) -> str:
    """The name itself. Raises BoundcheckError for one that could not be a file's name, or that would mean another run."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise BoundcheckError(
            f"the name {name[:LONGEST_NAME]!r} for a saved run",
            expected=f"at most {LONGEST_NAME} of the characters A-Z a-z 0-9 . _ + -, a letter or a digit first",
        )
    if name == LAST or name.isdecimal():
        raise BoundcheckError(
            f"the name {name!r} for a saved run",
            expected=f"a name that is neither a number nor {LAST!r}, which name runs already",
        )
    return name


def automatic_name(run: Mapping[str, Any]) -> str:
    """The commit's id, the time, and whether there were changes on top of the commit."""
    commit = run["commit_info"]
    time = datetime.fromisoformat(run["datetime"]).strftime("%Y%m%d_%H%M%S")
    dirty = "_uncommitted-changes" if commit.get("dirty") else ""
    return f"{commit.get('id', 'no-commit')[:12]}_{time}{dirty}"


def save_run(folder: Path, name: str, run: Mapping[str, Any]) -> Path:
    """Write the run under the next number. Two that save at once get a number each, and neither overwrites the other's.

    Raises:
        BoundcheckError: for a name that is none (see `checked_name`), and where the file cannot be written.

    """
    checked_name(name)
    try:
        keep_out_of_git(folder)
        with _next_number(folder) as number:
            path = folder / f"{number:04}_{name}.json"
            write_run(path, run)
    except (OSError, ValueError) as error:  # a ValueError is a NUL in the folder's name, or a NaN in the run
        raise BoundcheckError(
            f"the run could not be saved in {name_of(folder)} ({getattr(error, 'strerror', None) or error})",
            expected="a folder that can be written",
        ) from error
    return path


@contextmanager
def _next_number(folder: Path) -> Iterator[int]:
    """A number that is nobody else's: it is claimed by a file that only one process can make, until the run stands there.

    What a killed process leaves of a claim is swept away with the temporary files (see `store`).
    """
    make_folder(folder)
    taken = saved_runs(folder)
    for number in count(taken[-1].number + 1 if taken else 1):
        claim = folder / f"{UNFINISHED}{number:04}"
        try:
            os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            continue
        try:
            # Its first owner may have written the run and let go of the number since the folder was read.
            if all(saved.number != number for saved in saved_runs(folder)):
                yield number
                return
        finally:
            claim.unlink(missing_ok=True)


def find_run(which: str, folder: Path, *, here: Path) -> Path:
    """The file of the run that `which` names.

    Args:
        which: `last`, a number such as `3` or `0003`, a file, or a name (of several runs with one name the last).
        folder: where runs are saved.
        here: where a relative path starts.

    Raises:
        BoundcheckError: where there is no such run.

    """
    numbered = which.isascii() and which.isdecimal()
    if which != LAST and not numbered and _is_file(here / which):
        return here / which
    saved = saved_runs(folder)
    if which == LAST:
        found = saved
    elif numbered:
        found = [one for one in saved if one.number == int(which)]
    else:
        found = [one for one in saved if one.name == which]
    if not found:
        raise BoundcheckError(
            f"no run {name_of(which)!r}: no such file, and {_held(saved)} saved in {name_of(folder)}",
            expected=f"a file, a saved run's number or name, or {LAST}",
            remedy="`boundcheck runs` lists them, `pytest --boundcheck-save=NAME` saves one",
        )
    return found[-1].path


def _held(saved: list[Saved]) -> str:
    return f"not among the {len(saved)} runs" if saved else "no run is"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or has a NUL in it
        return False
