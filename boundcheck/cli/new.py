"""`boundcheck new`."""

import importlib.util
import keyword
import os
import re
import shlex
from importlib import resources
from pathlib import Path

import click

from boundcheck.cli.claims import module_at
from boundcheck.cli.places import place
from boundcheck.errors import BoundcheckError

MODULE, TEST = "_template.py", "_test_template.py"
"""In boundcheck/theorems: they run as they stand, and what is written is one of them under another name."""


@click.command("new")
@click.argument("name")
@click.option(
    "--into",
    "folder",
    default=Path("."),
    show_default=True,
    type=place("--into", "a folder"),
    help="Folder to write into; it is made where there is none.",
)
def new_claims(name: str, folder: Path) -> None:
    """Write a first theorem, NAME.py, and a test of it, test_NAME.py, to change into your own.

    NAME.py has a true claim with a premise, a constant and a mutant, and its false neighbour. Both files pass as they are.
    Nothing is ever overwritten.

    The exit code is 0 where both were written, 2 where NAME is no name for a module, one of them exists or cannot be written.

    \b
    Example: boundcheck new my_lemma
             boundcheck new my_lemma --into my_claims
    """
    _require_name(name)
    _require_folder(folder)
    files = {folder / f"{name}.py": MODULE, folder / f"test_{name}.py": TEST}
    _require_free(files)
    for file, template in files.items():
        _write(file, filled(template, name, module_at(folder, name)[1]))
        click.echo(f"wrote {file}")
    click.echo(f"\nNext:\n{_next_steps(name, *files)}")


def _next_steps(name: str, module: Path, test: Path) -> str:
    steps = {
        f"pytest {shlex.quote(str(module))}": "check both claims",
        f"pytest {shlex.quote(str(test))}": "the same inside tests of your own",
        f"boundcheck hunt {name}:proved --claims {shlex.quote(str(module))}": "climb to the worst case",
    }
    return "\n".join(f"    {command:{max(map(len, steps))}}  {words}" for command, words in steps.items())


def filled(template: str, name: str, module: str) -> str:
    """The text of a template for the theorem `name`, which is imported as `module`."""
    text = resources.files("boundcheck.theorems").joinpath(template).read_text(encoding="utf-8")
    words = {
        "boundcheck.theorems._template": module,
        "TEMPLATE": name,
        "Template": name.replace("_", " ").capitalize(),
        "template": name,
    }
    return re.sub("|".join(map(re.escape, words)), lambda found: words[found.group()], text)


def _require_name(name: str) -> None:
    expected = "a name for a Python module in plain letters, such as my_lemma"
    if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
        raise BoundcheckError(f"NAME is {name!r}", expected=expected)
    if name.startswith("_") or name == "conftest":
        raise BoundcheckError(f"NAME is {name!r}, of which pytest collects no claims", expected=expected)
    if importlib.util.find_spec(name) is not None:
        raise BoundcheckError(f"NAME is {name!r}, which is another module here", expected="a name that is free")


def _require_folder(folder: Path) -> None:
    taken = next((at for at in (folder, *folder.parents) if at.exists() and not at.is_dir()), None)
    if taken is not None:
        which = "which" if taken == folder else f"and {taken}"
        raise BoundcheckError(
            f"--into {folder}, {which} is a file", expected="a folder, or a name that is free for one"
        )


def _require_free(files: dict[Path, str]) -> None:
    for file in files:
        if os.path.lexists(file):
            raise BoundcheckError(
                f"{file} exists", remedy="choose another NAME or another folder: nothing is overwritten"
            )


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise BoundcheckError(
            f"{file} could not be written ({error.strerror})", expected="a folder that can be written"
        ) from None
