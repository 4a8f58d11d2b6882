"""`boundcheck list`."""

from pathlib import Path

import click

from boundcheck.cli.claims import claims_option, load_claims, named
from boundcheck.errors import BoundcheckError


@click.command("list")
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
