"""`boundcheck report`."""

from pathlib import Path

import click


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
def report(run: Path) -> None:
    """Print the closing table of a saved run again.

    The exit code is 0, or 2 for a file that is no run.

    \b
    Example: boundcheck report reports/latest/run.json
    """
    from boundcheck.record import read_run
    from boundcheck.report import closing_page

    data = read_run(run)
    click.echo(closing_page(data["claims"]))
    click.echo(f"\nprofile {data['profile']}, {data['datetime']}, boundcheck {data['version']}: {data['command']}")
