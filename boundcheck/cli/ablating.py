"""`boundcheck ablate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from boundcheck.cli.budget import budget_options
from boundcheck.cli.claims import claims_option, load_claims, made, named
from boundcheck.cli.progress import progress
from boundcheck.errors import BoundcheckError

if TYPE_CHECKING:
    from boundcheck.claim import Claim
    from boundcheck.search.hunting import Hunt


@click.command("ablate")
@click.argument("keys", nargs=-1, required=True)
@budget_options(structures=6, lanes=96, steps=160)
@click.option(
    "--save",
    default=Path(".boundcheck/ablate"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the table (ablations.md, ablations.json) and for what breaks a claim (counterexamples/).",
)
@claims_option
def ablate_claims(keys: tuple[str, ...], paths: tuple[Path, ...], save: Path, **options: Any) -> None:
    """Take away each premise of the claims whose key starts with one of KEYS, and hunt what is left.

    A premise is needed where an instance on which all the others hold is proved by two routes to break the claim; else it was not
    shown to be needed. Ctrl-C keeps what was found.

    The exit code is 0 where something was found, 1 where nothing was, 2 where an option is off or no claim's key starts so.

    \b
    Example: boundcheck ablate LE-6iii:U LE-7:U
             boundcheck ablate MY-lemma --claims my_claims --minutes 1
    """
    from boundcheck.claim import registered_claims
    from boundcheck.record.store import write_bytes
    from boundcheck.report.ablations import ablation_table
    from boundcheck.report.markdown import ablation_page
    from boundcheck.search.hunting import Hunt

    load_claims(paths)
    claims = named(keys, [claim for _, claim in sorted(registered_claims().items())])
    budget, save = Hunt(**options), made(save)
    entries: list[dict[str, Any]] = []
    try:
        for claim in claims:
            entries.append({"id": claim.id, "form": claim.form, "ablations": []})
            _ablate(claim, budget, save, entries)
    except KeyboardInterrupt:  # of the hunt under way nothing is kept: half a hunt shows no premise to be unneeded
        click.echo("interrupted: what was found stands", err=True)
    if table := ablation_table(entries):
        sizes = f"--structures {budget.structures} --lanes {budget.lanes} --steps {budget.steps} --seed {budget.seed}"
        page = ablation_page(entries, f"boundcheck ablate {' '.join(keys)} {sizes}")
        write_bytes(save / "ablations.md", page.encode())
        click.echo(table)
    click.get_current_context().exit(0 if table else 1)


def _ablate(claim: "Claim", budget: "Hunt", save: Path, entries: list[dict[str, Any]]) -> None:
    """One claim's premises in turn, written as they are found. A claim that cannot be hunted takes no other with it."""
    from boundcheck.record import write_json
    from boundcheck.search.ablation import ablations
    from boundcheck.search.hunting import News

    with progress(claim.key) as show:

        def told(news: News) -> None:
            show(news.done, news.planned, f"best ratio {news.best:.6g}", phase=news.doing)

        try:
            for found in ablations(claim, budget, counterexamples=save / "counterexamples", told=told):
                entries[-1]["ablations"].append(_beside(found.to_json(), save))
                write_json(save / "ablations.json", {"budget": budget.to_json(), "claims": entries})
        except BoundcheckError as error:
            click.echo(f"{claim.key} left out: {error}", err=True)


def _beside(found: dict[str, Any], save: Path) -> dict[str, Any]:
    """The counterexample's path as seen from the table."""
    file = found["counterexample"]
    return found | {"counterexample": Path(file).relative_to(save).as_posix() if file else None}
