"""`boundcheck list`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from boundcheck.cli.claims import claims_option, load_claims, named
from boundcheck.errors import BoundcheckError

if TYPE_CHECKING:
    from boundcheck.claim import Claim
    from boundcheck.report.catalogue import Row

RUNS = (Path(".boundcheck/last-run.json"), Path("reports/latest/run.json"))
"""Where the last run is looked for, the first before the second."""


@click.command("list")
@click.argument("keys", nargs=-1)
@claims_option
@click.option("--stance", help="Only claims of this stance: printed, proved, corrected or conjectured.")
@click.option("--verdict", help="Only claims with this verdict in the run, such as REFUTED.")
@click.option("--source", default="", help="Only claims whose source has this text in it, such as 'Lemma 6'.")
@click.option(
    "--run",
    "run_file",
    type=click.Path(path_type=Path),
    help=f"The run to take verdicts from.  [default: {RUNS[0]}, else {RUNS[1]}]",
)
@click.option("--no-verdicts", is_flag=True, help="Look at no run.")
@click.option("--format", "shape", default="text", show_default=True, help="text, markdown or json.")
def list_claims(
    keys: tuple[str, ...],
    paths: tuple[Path, ...],
    stance: str | None,
    verdict: str | None,
    source: str,
    run_file: Path | None,
    no_verdicts: bool,
    shape: str,
) -> None:
    """List the claims by source: key, verdict of the last run, stance, statement; of KEYS only those that start with one of them.

    A claim that is not in the run has the verdict "-". The exit code is 0, or 2 where an option is off, a file is no run, or no
    claim's key starts so.

    \b
    Example: boundcheck list AC-6 LE-7
             boundcheck list --verdict REFUTED --source "Alignment Collapse"
             boundcheck list --claims my_claims --stance proved
    """
    _check(stance, verdict, shape)
    run = None if no_verdicts else _last_run(run_file)
    if verdict is not None and run is None:
        raise BoundcheckError(
            f"--verdict {verdict} without a run",
            expected="a run to look it up in",
            remedy="run pytest, or name one: --run FILE",
        )
    load_claims(paths)
    found = _rows(keys, run)
    rows = [
        row
        for row in found
        if stance in (None, row.stance)
        and (verdict is None or row.verdict == verdict.upper())
        and source.casefold() in f"{row.paper}, {row.result}".casefold()
    ]
    click.echo(_page(rows, run, shape))


def _check(stance: str | None, verdict: str | None, shape: str) -> None:
    from boundcheck.claim import Stance
    from boundcheck.outcome import Verdict

    if stance is not None and stance not in list(Stance):
        raise BoundcheckError(f"--stance {stance}", expected=f"one of {', '.join(Stance)}")
    if verdict is not None and verdict.upper() not in list(Verdict):
        raise BoundcheckError(f"--verdict {verdict}", expected=f"one of {', '.join(Verdict)}")
    if shape not in ("text", "markdown", "json"):
        raise BoundcheckError(f"--format {shape}", expected="one of text, markdown, json")


def _last_run(named_file: Path | None) -> dict[str, Any] | None:
    """The run and the file it is from. One that nobody named and that cannot be read is told of, and left alone."""
    from boundcheck.record import read_run

    if named_file is not None:
        return read_run(named_file) | {"file": str(named_file)}
    file = next((file for file in RUNS if file.exists()), None)
    if file is None:
        return None
    try:
        return read_run(file) | {"file": str(file)}
    except BoundcheckError as error:
        click.echo(f"boundcheck: no verdicts are shown: {error}", err=True)
        return None


def _rows(keys: tuple[str, ...], run: Mapping[str, Any] | None) -> "list[Row]":
    from boundcheck.claim import registered_claims

    claims = list(registered_claims().values())
    verdicts = {f"{entry['id']}:{entry['form']}": str(entry["verdict"]) for entry in (run["claims"] if run else [])}
    return [_row(claim, verdicts) for claim in (named(keys, claims) if keys else claims)]


def _row(claim: "Claim", verdicts: Mapping[str, str]) -> "Row":
    from boundcheck.report.catalogue import NO_VERDICT, Row

    return Row(
        key=claim.key,
        paper=claim.source.paper,
        result=", ".join(filter(None, [claim.source.label, claim.source.equation])),
        stance=str(claim.stance),
        refuted_by=claim.refuted_by or "",
        input=claim.input,
        statement=claim.statement,
        undecidable=claim.undecidable,
        verdict=verdicts.get(claim.key, NO_VERDICT),
    )


def _page(rows: "list[Row]", run: Mapping[str, Any] | None, shape: str) -> str:
    from boundcheck.report.catalogue import json_page, markdown_page, text_page

    if shape == "json":
        named_by = ("file", "datetime", "version", "profile", "finished")
        return json_page(rows, run and {name: run[name] for name in named_by})
    if shape == "markdown":
        table = markdown_page(rows, verdicts=run is not None)
        return f"{table}\n\n{_told(run)}" if run else table
    closing = f"{len(rows)} claim{'' if len(rows) == 1 else 's'}. {_told(run) if run else 'No run, so no verdicts.'}"
    return f"{text_page(rows)}\n\n{closing}" if rows else closing


def _told(run: Mapping[str, Any]) -> str:
    """Which run the verdicts are of."""
    unfinished = "" if run["finished"] else ", not finished"
    return f"Verdicts of {run['file']}, {run['datetime']}, profile {run['profile']}{unfinished}."
