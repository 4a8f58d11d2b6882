"""The command line: list the claims there are, show a run again, prove a counterexample again."""

from pathlib import Path

import click

from boundcheck.cli.ablating import ablate_claims
from boundcheck.cli.claims import claims_option, load_claims, named
from boundcheck.cli.hunting import hunt_claims
from boundcheck.errors import BoundcheckError


class _Group(click.Group):
    """Every mistake a user can make ends in its one sentence and exit code 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BoundcheckError as error:
            click.echo(f"boundcheck: {error}", err=True)
            ctx.exit(2)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="boundcheck")
def main() -> None:
    """Is this theorem true, and how tight is it?

    Claims are checked by pytest: `pytest theorems`, or `pytest my_claims`.
    """


@main.command("list")
@click.argument("keys", nargs=-1)
@claims_option
@click.option("--stance", help="Only claims of this stance: printed, proved, corrected or conjectured.")
def list_claims(keys: tuple[str, ...], paths: tuple[Path, ...], stance: str | None) -> None:
    """List the claims: key, stance, source and statement; those whose key starts with one of KEYS, if any is given.

    \b
    Example: boundcheck list AC-6 LE-7
             boundcheck list --claims my_claims --stance proved
    """
    from boundcheck.claim import Stance, registered_claims

    if stance is not None and stance not in list(Stance):
        raise BoundcheckError(f"--stance {stance}", expected=f"one of {', '.join(Stance)}")
    load_claims(paths)
    claims = [c for _, c in sorted(registered_claims().items()) if stance in (None, str(c.stance))]
    if keys:
        claims = named(keys, claims)
    for claim in claims:
        false = " (known to be false)" if claim.refuted_by else ""
        click.echo(f"{claim.key:24} {claim.stance}{false}; {claim.source}\n    {claim.statement}")
        if claim.undecidable:
            click.echo(f"    Not decided by instances: {claim.undecidable}")
    click.echo(f"{len(claims)} claims")


@main.command("report")
@click.argument("run", type=click.Path(path_type=Path))
def report(run: Path) -> None:
    """Print the closing table of a saved run again.

    \b
    Example: boundcheck report reports/latest/run.json
    """
    from boundcheck.record import read_run
    from boundcheck.report import closing_page

    data = read_run(run)
    click.echo(closing_page(data["claims"]))
    click.echo(f"\nprofile {data['profile']}, {data['datetime']}, boundcheck {data['version']}: {data['command']}")


@main.command("replay")
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
    from boundcheck.record import read_counterexample
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
        click.echo(
            instance_page(result.claim, result.problem, result.certificate.findings, result.certificate.premises)
        )
        if result.rung:
            click.echo(f"The ladder's {result.rung}.")
        for line in result.changed:
            click.echo(f"The claim has another constant by now: {line}.")
        unproved += not result.proved or bool(result.changed)
        proved = "VIOLATED: proved again by two routes" + (", with the file's constants." if result.changed else ".")
        if result.proved and result.certificate.no_constant_helps:
            routes = " and by ".join(result.certificate.routes_to_zero)
            proved += f" By {routes} the larger side is 0 or less: no other constant helps."
        click.echo(proved if result.proved else _not_proved(result.certificate.reason))
        click.echo()
    ctx.exit(2 if refused else 1 if unproved else 0)


def _not_proved(reason: str) -> str:
    return f"NOT PROVED: {reason.rstrip('.') or 'the first route finds no violation here'}."


main.add_command(hunt_claims)
main.add_command(ablate_claims)
