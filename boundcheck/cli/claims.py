"""Which claims a command speaks of."""

import importlib.util
import os
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import click

from boundcheck.errors import BoundcheckError

if TYPE_CHECKING:
    from boundcheck.claim import Claim

claims_option = click.option(
    "--claims",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file or folder of your own claims; repeatable.",
)


def named(keys: tuple[str, ...], claims: "Iterable[Claim]") -> "list[Claim]":
    """The claims whose key starts with one of these. Raises BoundcheckError where there is none."""
    chosen = [claim for claim in claims if claim.key.startswith(keys)]
    if not chosen:
        raise BoundcheckError(
            f"no claim's key starts with {' or '.join(keys)}", remedy="boundcheck list shows them all"
        )
    return chosen


def made(folder: Path) -> Path:
    """A folder that results can go into. Raises BoundcheckError where it cannot be, before any work is done."""
    from boundcheck.record import keep_out_of_git

    try:
        keep_out_of_git(folder)
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError as error:
        raise BoundcheckError(f"--save {folder} ({error.strerror})", expected="a folder that can be written") from None
    if not writable:
        raise BoundcheckError(f"--save {folder}", expected="a folder that can be written")
    return folder


def load_claims(paths: tuple[Path, ...]) -> None:
    """Import the installed claims and those of these files and folders."""
    for entry_point in metadata.entry_points(group="boundcheck.claims"):
        entry_point.load()
    for path in paths:
        _import_claims(path)


def _import_claims(path: Path) -> None:
    if not path.exists():
        raise BoundcheckError(f"--claims {path}", expected="a Python file or a folder that exists")
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    for file in files:
        if "theorem" not in file.read_text(encoding="utf-8", errors="replace"):
            continue
        name = f"boundcheck_claims_{abs(hash(file.resolve()))}"
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise BoundcheckError(f"--claims {file}", expected="a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BoundcheckError:
            raise
        except Exception as error:  # a user's module may raise anything
            raise BoundcheckError(f"--claims {file} raised {type(error).__name__}: {error}") from error
