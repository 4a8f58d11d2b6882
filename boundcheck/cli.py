"""The command line: list the claims there are, show a run again, prove a counterexample again."""

import importlib.util
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import click

from boundcheck.errors import BoundcheckError

if TYPE_CHECKING:
    from boundcheck.search.hunting import Extreme


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
@click.option(
    "--claims",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file or folder of your own claims; repeatable.",
)
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
    _load_claims(paths)
    claims = [c for _, c in sorted(registered_claims().items()) if stance in (None, str(c.stance))]
    if keys:
        claims = [c for c in claims if c.key.startswith(keys)]
        if not claims:
            raise BoundcheckError(
                f"no claim's key starts with {' or '.join(keys)}", remedy="boundcheck list shows them all"
            )
    for claim in claims:
        false = " (known to be false)" if claim.refuted_by else ""
        click.echo(f"{claim.key:24} {claim.stance}{false}; {claim.source}\n    {claim.statement}")
        if claim.undecidable:
            click.echo(f"    Not decided by instances: {claim.undecidable}")
    click.echo(f"{len(claims)} claims")


@main.command("hunt")
@click.argument("keys", nargs=-1, required=True)
@click.option(
    "--structures", default=8, show_default=True, help="Different structures (sizes, families) to start from."
)
@click.option("--lanes", default=256, show_default=True, help="Random starts of each.")
@click.option("--steps", default=400, show_default=True, help="Steps of the ascent.")
@click.option("--seed", default=0, show_default=True, help="Of the structures and the starts.")
@click.option("--device", default="cpu", show_default=True, help="A torch device.")
@click.option(
    "--save",
    default=Path(".boundcheck/hunt/extremes.json"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="The instances found; certified violations go into counterexamples/ beside it.",
)
@click.option(
    "--claims",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file or folder of your own claims; repeatable.",
)
def hunt_claims(
    keys: tuple[str, ...],
    structures: int,
    lanes: int,
    steps: int,
    seed: int,
    device: str,
    save: Path,
    paths: tuple[Path, ...],
) -> None:
    """Climb by gradient towards the worst case of the claims whose key starts with one of KEYS.

    Printed is the ratio smaller/larger of the tightest instance, as far as ball arithmetic confirms it: 1 is attained, above 1
    the claim is violated. Identities and claims about the limit of a descent are left out.

    \b
    Example: boundcheck hunt LE-8 AC-quartic:window --steps 200
    """
    from boundcheck.claim import registered_claims
    from boundcheck.record import write_json
    from boundcheck.search.hunting import Hunt, hunt

    _load_claims(paths)
    claims = [claim for key, claim in sorted(registered_claims().items()) if key.startswith(keys)]
    if not claims:
        raise BoundcheckError(
            f"no claim's key starts with {' or '.join(keys)}", remedy="boundcheck list shows them all"
        )
    options = Hunt(structures=structures, lanes=lanes, steps=steps, seed=seed, device=device)
    save.parent.mkdir(parents=True, exist_ok=True)
    found: list[Extreme] = []
    try:
        for claim in claims:
            click.echo(f"{claim.key} …", err=True)
            try:
                extreme = hunt(
                    claim,
                    options,
                    counterexamples=save.parent / "counterexamples",
                )
            except BoundcheckError as error:  # one claim that cannot be hunted takes none of the others with it
                click.echo(f"    left out: {error}", err=True)
                continue
            if extreme is None:
                click.echo("    no instance with verified premises was met", err=True)
                continue
            found.append(extreme)
            write_json(save, {"extremes": [one.to_json() for one in found]})
    except KeyboardInterrupt:
        click.echo("interrupted: what was found stands", err=True)
    click.echo(_extremes_table(found) if found else "nothing was found")


def _extremes_table(found: "list[Extreme]") -> str:
    """The tightest first."""
    from tabulate import tabulate

    rows = [
        [
            one.key,
            one.status.name,
            f"{one.random:.6g}",
            f"{one.ratio[0]:.9g}" + (" attained" if one.attained else ""),
            f"{one.evaluations:,}",
            str(one.stored or ""),
        ]
        for one in sorted(found, key=lambda one: -one.ratio[0])
    ]
    headers = ["claim", "instance", "random", "hunted", "evaluations", "counterexample"]
    return str(tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True))


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

    _load_claims(paths)
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


def _load_claims(paths: tuple[Path, ...]) -> None:
    """Import the installed claims and those of these files and folders."""
    for entry_point in metadata.entry_points(group="boundcheck.claims"):
        entry_point.load()
    for path in paths:
        _import_claims(path)


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
