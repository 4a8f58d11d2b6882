"""`boundcheck report`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from boundcheck.cli.places import place
from boundcheck.cli.progress import progress
from boundcheck.errors import BoundcheckError

if TYPE_CHECKING:
    from boundcheck.report.writing import Told

LAST_RUNS = (Path(".boundcheck/last-run.json"), Path("reports/latest/run.json"))


@click.command("report")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    default="terminal",
    show_default=True,
    metavar="FORMAT",
    help="terminal, markdown, latex, html or json (verdicts and figures for other programs).",
)
@click.option(
    "-o",
    "--output",
    "folder",
    type=place("-o", "a folder"),
    help="Write the page and its figures into this folder instead of standard output.",
)
@click.option("--select", "keys", multiple=True, metavar="KEY", help="Only claims whose key begins so; repeatable.")
@click.option("--source", default="", metavar="TEXT", help="Only claims whose source contains this.")
@click.option("--verdict", default="", metavar="WORD", help="Only claims of this verdict: HOLDS, REFUTED, …")
@click.option("--title", help="The page's title.")
def report(
    run: Path | None,
    form: str,
    folder: Path | None,
    keys: tuple[str, ...],
    source: str,
    verdict: str,
    title: str | None,
) -> None:
    """Make a page of a saved run; of the last one where none is named.

    The exit code is 0, or 2 for a file that is no run, for an unknown format or verdict, for a selection that matches no claim,
    and for a folder that cannot be written.

    \b
    Example: boundcheck report
             boundcheck report reports/latest/run.json --format html -o pages
             boundcheck report --format latex --source "Theorem 7" -o paper/appendix
             boundcheck report --format markdown --select AC-6 --verdict refuted
    """
    from boundcheck.record import read_run
    from boundcheck.report.selection import selected
    from boundcheck.report.writing import FORMATS, page, write_report

    if form not in FORMATS:
        raise BoundcheckError(f"--format {form}", expected=f"one of {', '.join(FORMATS)}")
    data = selected(read_run(run or _last_run()), keys=keys, source=source, verdict=verdict)
    with _telling(form) as told:
        if folder is None:
            text = page(data, form, title=title, told=told)
        else:
            text = "".join(f"{file}\n" for file in write_report(data, form, folder, title=title, told=told))
    click.echo(text, nl=False)


@contextmanager
def _telling(form: str) -> "Iterator[Told | None]":
    """Show progress where a page takes long: only the one in HTML does."""
    if form != "html":
        yield None
        return
    with progress("report") as show:

        def told(done: int, total: int, words: str) -> None:
            show(done, total, words, phase="drawing")

        yield told


def _last_run() -> Path:
    found = next((path for path in LAST_RUNS if path.is_file()), None)
    if found is None:
        raise BoundcheckError(
            f"no run was named, and neither {LAST_RUNS[0]} nor {LAST_RUNS[1]} is here",
            remedy="pytest theorems writes one",
        )
    return found
