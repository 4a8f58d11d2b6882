"""Claims in tests of one's own: `check_claim(claim)` passes or raises, as any other assertion does.

    def test_lemma() -> None:
        check_claim(lemma)

    def test_its_false_neighbour() -> None:
        with pytest.raises(ClaimFailedError, match="VIOLATED"):
            check_claim(neighbour)

Importing this module costs neither torch nor Hypothesis; checking a claim does.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from boundcheck.devices import checked_device
from boundcheck.errors import BoundcheckError
from boundcheck.profiles import Climbs, Profile
from boundcheck.profiles import profile as named_profile

if TYPE_CHECKING:
    from boundcheck.claim import Claim
    from boundcheck.record import Entry

RESULTS = Path(".boundcheck")
"""Below it counterexamples and extremes go, where no other folder is named."""


class ClaimFailedError(AssertionError):
    """A claim's verdict is none of those with which its check passes. The message has the verdict, the reason and what to do.

    Attributes:
        entry: the claim's entry of the record (see `boundcheck/record/schema.json`).

    """

    def __init__(self, entry: "Entry") -> None:
        from boundcheck.report import failure

        super().__init__(failure(entry))
        self.entry = entry

    def __reduce__(self) -> tuple[Any, ...]:
        """An exception is pickled by its message, which is not what makes this one."""
        return type(self), (self.entry,)


def check_claim(
    claim: "Claim | str",
    *,
    profile: str = "fast",
    seed: int = 0,
    device: str = "cpu",
    folder: Path | str | None = None,
    hunt: str | None = None,
) -> "Entry":
    """Check one claim as `pytest` with the same options would: draw, judge, try its mutants, climb, prove what breaks it.

    Args:
        claim: a claim, or the key of one that is imported or that an installed package brings ("LE-8:proved").
        profile: how hard to look: fast, default or deep.
        seed: of all draws, at least 0.
        device: where to compute: cpu, cuda, cuda:N, or auto.
        folder: where `counterexamples/` and `extremes/` go; `.boundcheck` below the current folder, if none is named.
        hunt: the climb towards the worst case, STRUCTURESxLANESxSTEPS or off, instead of the profile's.

    Returns:
        The claim's entry of the record: `entry["verdict"]` is HOLDS, REFUTED (a printed statement known to be false) or
        MEASURED (real data or a conjecture).

    Raises:
        ClaimFailedError: for any other verdict.
        BoundcheckError: for an option that is off, or a key that no claim has.

    """
    from boundcheck.outcome import PASSING, Verdict
    from boundcheck.record import keep_out_of_git
    from boundcheck.search import Options, run_campaign

    checked = _claim(claim)
    results = RESULTS if folder is None else Path(folder)
    options = Options(
        profile=_budget(profile, hunt),
        device=checked_device(device),
        seed=_whole(seed),
        counterexamples=results / "counterexamples",
        command=f"check_claim({checked.key!r}, profile={profile!r}, seed={seed})",
    )
    keep_out_of_git(options.counterexamples)
    entry = run_campaign(checked, options)
    if Verdict(entry["verdict"]) not in PASSING:
        raise ClaimFailedError(entry)
    return entry


def _claim(given: "Claim | str") -> "Claim":
    from boundcheck.claim import Claim, registered_claims

    if isinstance(given, Claim):
        return given
    if not isinstance(given, str):
        raise BoundcheckError(
            f"check_claim was given a {type(given).__name__}",
            expected='what @theorem made, or a key such as "MY-1:proved"',
        )
    if given not in registered_claims():
        from boundcheck.cli.claims import load_claims

        load_claims(())
    if given not in registered_claims():
        raise BoundcheckError(
            f"no claim has the key {given!r}",
            expected="the key of a claim that is imported or installed",
            remedy="import the module that defines it first",
        )
    return registered_claims()[given]


def _budget(name: str, hunt: str | None) -> Profile:
    chosen = named_profile(name)
    return chosen if hunt is None else chosen.hunting(Climbs.parse(hunt))


def _whole(seed: int) -> int:
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise BoundcheckError(f"seed={seed!r}", expected="a whole number >= 0")
    return seed
