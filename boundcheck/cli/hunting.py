"""`boundcheck hunt`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from boundcheck.cli.budget import budget_options
from boundcheck.cli.claims import claims_option, load_claims, made, named
from boundcheck.cli.progress import progress
from boundcheck.errors import BoundcheckError
from boundcheck.exact import symbol

if TYPE_CHECKING:
    from boundcheck.claim import Claim
    from boundcheck.search.hunting import Extreme, Hunt


@click.command("hunt")
@click.argument("keys", nargs=-1, required=True)
@budget_options(structures=12, lanes=128, steps=200)
@click.option(
    "--resume", is_flag=True, help="Take up the climbs that an interrupted hunt with the same options finished."
)
@click.option(
    "--save",
    default=Path(".boundcheck/hunt"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the instances found (extremes/) and for certified violations (counterexamples/).",
)
@claims_option
def hunt_claims(keys: tuple[str, ...], paths: tuple[Path, ...], save: Path, resume: bool, **options: Any) -> None:
    """Climb towards the worst case of the claims whose key starts with one of KEYS.

    Printed is the ratio smaller/larger of the tightest instance, as far as ball arithmetic confirms it (1 is attained, above 1
    the claim is violated), the tightest claim first, and for each constant what that instance leaves room for. Identities have no
    ratio and are left out, as are claims on real data. Ctrl-C ends the hunt and keeps what was found; --resume goes on. A climb
    moves every number of an instance, within what its premises and its class admit; whole numbers stay as they are, and numbers
    that are always of one sign, or shares between 0 and 1, stay so.

    The exit code is 0 where something was found, 1 where nothing was, 2 where an option is off or no claim's key starts so.

    \b
    Example: boundcheck hunt LE-8 LE-7:U --structures 8
             boundcheck hunt MY-lemma --claims my_claims --minutes 5
    """
    from boundcheck.claim import registered_claims
    from boundcheck.record import store_extreme
    from boundcheck.search.hunting import Hunt, HuntInterrupted

    load_claims(paths)
    claims = named(keys, [claim for _, claim in sorted(registered_claims().items())])
    budget, save = Hunt(**options), made(save)
    found: list[tuple[Claim, Extreme]] = []
    try:
        for claim in claims:
            extreme = _hunted(claim, budget, save, resume)
            if extreme is not None:
                found.append((claim, extreme))
    except HuntInterrupted as ended:
        if ended.extreme is not None:
            store_extreme(save / "extremes", claim.key, ended.extreme.to_json())
            found.append((claim, ended.extreme))
        click.echo("interrupted: what was found stands, and --resume goes on from here", err=True)
    if found:  # of each claim without a find the reason was said
        click.echo(_table(found))
    click.get_current_context().exit(0 if found else 1)


def _hunted(claim: "Claim", budget: "Hunt", save: Path, resume: bool) -> "Extreme | None":
    """One claim's extreme, stored. One that cannot be hunted takes none of the others with it."""
    from boundcheck.record import store_extreme
    from boundcheck.search.hunting import News, hunt
    from boundcheck.search.hunting.memory import Climbs

    with progress(claim.key) as show:

        def told(news: News) -> None:
            show(news.done, news.planned, f"best ratio {news.best:.6g}", phase=news.doing)

        memory = Climbs(save / "climbs", claim, budget, resume=resume)
        try:
            extreme = hunt(claim, budget, counterexamples=save / "counterexamples", told=told, memory=memory)
        except BoundcheckError as error:
            click.echo(f"{claim.key} left out: {error}", err=True)
            return None
    if extreme is None:
        click.echo(f"{claim.key}: no instance with verified premises was met", err=True)
        return None
    store_extreme(save / "extremes", claim.key, extreme.to_json())
    return extreme


def _table(found: "list[tuple[Claim, Extreme]]") -> str:
    """The tightest first."""
    from tabulate import tabulate

    rows = [
        [
            one.key,
            f"{one.ratio[0]:.9g}" + (f" {one.word}" if one.word else ""),
            f"{one.random:.6g}",
            _constants(claim, one),
            f"{one.evaluations:,}" + (" (cut short)" if one.truncated else ""),
            f"{one.evaluations / one.seconds:,.0f}",
            one.label,
            str(one.stored or ""),
        ]
        for claim, one in sorted(found, key=lambda pair: -pair[1].ratio[0])
    ]
    headers = ["claim", "hunted", "random", "constants", "evaluations", "a second", "structure", "counterexample"]
    table = str(tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True))
    return (
        f"{table}\nhunted, random: smaller side / larger side, from below; of the instance found, and of the best random start.\n"
        "constants: as stated -> as far as the instance found lets it move."
    )


def _constants(claim: "Claim", one: "Extreme") -> str:
    moved = [
        f"{symbol(name)} {exact} -> {needed:.6g}"
        for name, exact in claim.constants.items()
        if (needed := one.needed(float(exact.value), exact.scales)) is not None
    ]
    return ", ".join(moved)
