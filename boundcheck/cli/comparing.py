"""`boundcheck compare` and `boundcheck runs`."""

from collections import Counter
from pathlib import Path
from typing import Any

import click

from boundcheck.cli.places import place
from boundcheck.errors import BoundcheckError

NEWEST = Path(".boundcheck", "last-run.json")
"""The run that pytest wrote last."""

storage_option = click.option(
    "--storage",
    type=click.Path(path_type=Path),
    default=Path(".boundcheck", "runs"),
    show_default=True,
    help="Where runs are saved.",
)


@click.command("compare")
@click.argument("old")
@click.argument("new", default="")
@click.option(
    "--fail",
    "fail",
    default="verdict",
    show_default=True,
    help="What counts as a regression: verdict, tightness:X%, constant:X%, with commas between.",
)
@click.option("--all", "everything", is_flag=True, help="A row for every claim, not for the changed ones alone.")
@click.option(
    "--format",
    "form",
    default="terminal",
    show_default=True,
    type=click.Choice(["terminal", "markdown", "json"]),
    help="For a terminal, for GitHub, or for other programs.",
)
@click.option("-o", "out", type=place("-o", "a file"), help="A file to write it to, instead of the terminal.")
@storage_option
@click.pass_context
def compare_runs(
    ctx: click.Context, old: str, new: str, fail: str, everything: bool, form: str, out: Path | None, storage: Path
) -> None:
    """Say what changed between two runs: verdicts, ratios, constants, premises and counts.

    A run is a file, the number or the name of a saved run, or `last` for the run that was saved last. Without NEW the run that
    pytest wrote last is compared (.boundcheck/last-run.json).

    \b
    Regressions, by --fail:
      verdict       a claim that passed does not any more, passes with another
                    verdict, or is gone
      tightness:X%  the worst ratio of smaller to larger side that was found
                    (drawn or hunted) fell by more than X %; a ratio that
                    rises is news, never a regression
      constant:X%   the value of a constant that is checked moved in its
                    weaker direction by more than X %, or the value found for
                    it in its stronger one (the tightest instance would allow
                    more than it did)
    The exit code is 0 where there is none, 1 where there is one, 2 for bad input.

    \b
    Example: boundcheck compare last --fail tightness:2%,constant:1%,verdict
             boundcheck compare 3 7 --format markdown -o changes.md
    """
    from boundcheck.record import find_run, read_run
    from boundcheck.record.store import write_bytes
    from boundcheck.report.compare import Limits, compare, page

    limits = Limits.parse(fail)
    files = [find_run(old, storage, here=Path()), find_run(new, storage, here=Path()) if new else NEWEST]
    runs = [read_run(file) for file in files]
    comparison = compare(runs[0], runs[1], limits, names=(str(files[0]), str(files[1])))
    text = page(comparison, form, everything=everything)
    if out is None:
        click.echo(text)
    else:
        write_bytes(out, (text + "\n").encode())
        click.echo(comparison.upshot())
        for one in comparison.regressions:
            click.echo(f"    {one.sentence}")
        click.echo(f"written to {out}")
    ctx.exit(1 if comparison.regressions else 0)


@click.command("runs")
@storage_option
def list_runs(storage: Path) -> None:
    """List the saved runs: number, name, date, profile, commit, and how many claims ended how.

    A run is saved by pytest --boundcheck-save=NAME or --boundcheck-autosave. The exit code is 0, or 2 for a folder that cannot be
    read.

    \b
    Example: pytest theorems --boundcheck-save=before
             boundcheck runs
    """
    from boundcheck.record import read_run, saved_runs

    found = saved_runs(storage)
    for saved in found:
        try:
            words = _words(read_run(saved.path))
        except BoundcheckError as error:  # one bad file hides none of the others
            words = str(error)
        click.echo(f"{saved.number:04}  {saved.name}: {words}")
    click.echo(f"{len(found)} run{'' if len(found) == 1 else 's'} saved in {storage}")


def _words(run: dict[str, Any]) -> str:
    verdicts = Counter(str(claim["verdict"]) for claim in run["claims"])
    totals = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())) or "no claims"
    commit = str(run["commit_info"].get("id", "none"))[:12]
    dirty = " with uncommitted changes" if run["commit_info"].get("dirty") else ""
    unfinished = "" if run["finished"] else "; it did not come to its end"
    return f"{run['datetime']}, profile {run['profile']}, commit {commit}{dirty}: {totals}{unfinished}"
