"""The command line: list the claims there are, show a run again."""

import importlib.util
import sys
from importlib import metadata
from pathlib import Path

import click

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
@click.option(
    "--claims",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file or folder of your own claims; repeatable.",
)
@click.option("--stance", help="Only claims of this stance: printed, proved, corrected or conjectured.")
def list_claims(paths: tuple[Path, ...], stance: str | None) -> None:
    """List the claims: key, stance, source and statement.

    \b
    Example: boundcheck list --claims my_claims --stance proved
    """
    from boundcheck.claim import Stance, registered_claims

    if stance is not None and stance not in list(Stance):
        raise BoundcheckError(f"--stance {stance}", expected=f"one of {', '.join(Stance)}")
    for entry_point in metadata.entry_points(group="boundcheck.claims"):
        entry_point.load()
    for path in paths:
        _import_claims(path)
    claims = [c for _, c in sorted(registered_claims().items()) if stance in (None, str(c.stance))]
    for claim in claims:
        false = " (known to be false)" if claim.refuted_by else ""
        click.echo(f"{claim.key:24} {claim.stance}{false}; {claim.source}\n    {claim.statement}")
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


if __name__ == "__main__":
    main()
