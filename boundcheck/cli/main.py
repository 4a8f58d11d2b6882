"""The command line: one file a command."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from boundcheck.cli.ablating import ablate_claims
from boundcheck.cli.comparing import compare_runs, list_runs
from boundcheck.cli.hunting import hunt_claims
from boundcheck.cli.listing import list_claims
from boundcheck.cli.new import new_claims
from boundcheck.cli.replaying import replay_files
from boundcheck.cli.reporting import report
from boundcheck.errors import BoundcheckError
from boundcheck.record.store import one_line


class _Group(click.Group):
    """Every mistake a user can make ends in its one sentence and exit code 2."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What stands before the command."""
        if not args:  # the help itself is the answer
            return super().parse_args(ctx, args)
        with _in_one_sentence(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """The command, with what stands behind it."""
        with _in_one_sentence(ctx):
            return super().invoke(ctx)


@contextmanager
def _in_one_sentence(ctx: click.Context) -> Iterator[None]:
    try:
        yield
    except BoundcheckError as error:
        click.echo(f"boundcheck: {error}", err=True)
        raise click.exceptions.Exit(2) from None
    except click.UsageError as error:
        asked = error.ctx.command_path if error.ctx else ctx.command_path
        click.echo(f"boundcheck: {one_line(error.format_message().rstrip('.'))}; see {asked} --help.", err=True)
        raise click.exceptions.Exit(2) from None


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="boundcheck")
def main() -> None:
    """Is this theorem true, and how tight is it?

    Claims are checked by pytest: `pytest theorems`, or `pytest my_claims`.
    """


commands = (
    new_claims,
    list_claims,
    hunt_claims,
    ablate_claims,
    report,
    compare_runs,
    list_runs,
    replay_files,
)
for command in commands:
    main.add_command(command)
