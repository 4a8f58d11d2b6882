"""`boundcheck replay`."""

from pathlib import Path

import click

from boundcheck.cli.claims import load_claims
from boundcheck.errors import BoundcheckError


@click.command("replay")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--claims",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file or folder of your own claims; repeatable. (Nothing that a counterexample names is ever imported.)",
)
@click.pass_context
def replay_files(ctx: click.Context, files: tuple[Path, ...], paths: tuple[Path, ...]) -> None:
    """Prove stored counterexamples again, and print both sides as enclosures.

    The exit code is 0 where every violation was proved again by two routes, 1 where one was not or the claim has other constants
    by now, 2 for a file that is none.

    \b
    Example: boundcheck replay reports/latest/counterexamples/*.json
    """
    from boundcheck.claim import registered_claims
    from boundcheck.record import read_counterexample, readable
    from boundcheck.report import instance_page
    from boundcheck.search.replay import replay

    load_claims(paths)
    refused = unproved = 0
    for file in files:
        try:
            result = replay(read_counterexample(file), registered_claims())
        except BoundcheckError as error:  # one bad file takes none of the others with it
            click.echo(f"boundcheck: {error}", err=True)
            refused += 1
            continue
        click.echo(f"{file}")
        proof = result.certificate
        click.echo(
            instance_page(result.claim, readable(result.problem, proof.findings, proof.premises, drawn=file.name))
        )
        if result.rung:
            click.echo(f"The ladder's {result.rung}.")
        for line in result.changed:
            click.echo(f"The claim has another constant by now: {line}.")
        unproved += not result.proved or bool(result.changed)
        proved = "VIOLATED: proved again by two routes" + (", with the file's constants." if result.changed else ".")
        if result.proved and proof.no_constant_helps:
            routes = " and by ".join(proof.routes_to_zero)
            proved += f" By {routes} the larger side is 0 or less: no other constant helps."
        click.echo(proved if result.proved else _not_proved(proof.reason))
        click.echo()
    ctx.exit(2 if refused else 1 if unproved else 0)


def _not_proved(reason: str) -> str:
    return f"NOT PROVED: {reason.rstrip('.') or 'the first route finds no violation here'}."
