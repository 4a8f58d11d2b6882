"""Which claims a command speaks of."""

import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
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
    for file in _files_with_claims(path) if path.is_dir() else [path]:
        _import_file(file.resolve())


def _files_with_claims(top: Path) -> Iterator[Path]:
    """What pytest would collect claims of, sorted: outside of hidden folders and environments, no private file."""
    for folder, below, names in os.walk(top):
        below[:] = sorted(name for name in below if not _is_left_out(Path(folder, name)))
        files = [Path(folder, name) for name in sorted(names) if name.endswith(".py") and name != "conftest.py"]
        yield from (file for file in files if not file.name.startswith("_") and _mentions_claims(file))


def _is_left_out(folder: Path) -> bool:
    return folder.name.startswith((".", "__")) or (folder / "pyvenv.cfg").exists()


def _mentions_claims(file: Path) -> bool:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BoundcheckError(f"--claims {file} ({error.strerror})", expected="a file that can be read") from None
    return "boundcheck" in text and "theorem" in text


def _import_file(file: Path) -> None:
    """Import a file once, with its folder at hand for what it imports from there."""
    if any(_is_of(module, file) for module in list(sys.modules.values())):
        return  # another one of the user's files has imported it: its classes must not be there twice
    root, name = module_at(file.parent, file.stem)
    added = str(root) not in sys.path
    if added:
        sys.path.append(str(root))
    importlib.invalidate_caches()
    try:
        if _means(name, file):
            importlib.import_module(name)
        else:
            _import_as(f"boundcheck_claims_{abs(hash(file))}", file)
    except BoundcheckError:
        raise
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        raise BoundcheckError(f"--claims {file} raised {type(error).__name__}: {error}") from error
    finally:
        if added and str(root) in sys.path:
            sys.path.remove(str(root))


def module_at(folder: Path, name: str) -> tuple[Path, str]:
    """What a module is imported as by those beside it, and the folder to find it from: that above the packages it is in."""
    root = folder.resolve()
    while (root / "__init__.py").is_file() and root != root.parent:
        root, name = root.parent, f"{root.name}.{name}"
    return root, name


def _is_of(module: ModuleType, file: Path) -> bool:
    known = getattr(module, "__file__", None)
    return known is not None and Path(known).name == file.name and Path(known).resolve() == file


def _means(name: str, file: Path) -> bool:
    """Whether importing by that name gives that file: it does not where another module is called so."""
    if name in sys.modules or not all(part.isidentifier() for part in name.split(".")):
        return False
    found = importlib.util.find_spec(name)
    return found is not None and found.origin == str(file)


def _import_as(name: str, file: Path) -> None:
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise BoundcheckError(f"--claims {file}", expected="a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
