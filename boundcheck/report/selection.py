"""The part of a run that a page is made of."""

from collections.abc import Mapping, Sequence
from typing import Any

from boundcheck.errors import BoundcheckError
from boundcheck.outcome import Verdict
from boundcheck.report.table import name


def selected(
    run: Mapping[str, Any], *, keys: Sequence[str] = (), source: str = "", verdict: str = ""
) -> Mapping[str, Any]:
    """The run with those of its claims that meet every condition given.

    Args:
        run: a run of the current schema.
        keys: beginnings of keys, of which a claim has to have one.
        source: a part of the claim's source; large and small letters are the same.
        verdict: the claim's verdict; likewise.

    Raises:
        BoundcheckError: for a word that is no verdict, and where a condition leaves no claim.

    """
    if verdict and verdict.upper() not in list(Verdict):
        raise BoundcheckError(f"--verdict {verdict}", expected=f"one of {', '.join(Verdict)}")
    claims = [
        claim
        for claim in run["claims"]
        if (not keys or name(claim).startswith(tuple(keys)))
        and source.casefold() in claim["source"].casefold()
        and verdict.upper() in ("", claim["verdict"])
    ]
    if not claims and (keys or source or verdict):
        given = [*keys, *(part for part in (source, verdict) if part)]
        raise BoundcheckError(
            f"none of the run's {len(run['claims'])} claims is chosen by {' and '.join(map(repr, given))}",
            remedy="boundcheck report RUN shows them all",
        )
    return {**run, "claims": claims}
