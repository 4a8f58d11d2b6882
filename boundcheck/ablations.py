"""What a theorem loses when something it assumes is taken away that is no margin: the registry beside that of claims.

A premise that a claim states as a margin is dropped by `Claim.without`. Others are built into its instances (gradient descent and
not Adam, say) or into a quantity (the smallest eigenvalue and not the average): taking them away is another function, written
like a claim's and registered with `ablation`. It is **no claim**: nothing checks it, a hunt only asks whether it breaks.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from boundcheck.claim import Claim, Draws, Stance, Statement, constants_of, form_without
from boundcheck.errors import BoundcheckError


@dataclass(frozen=True)
class Ablation:
    """A claim with something that it assumes taken away.

    Attributes:
        claim: the key of the whole claim. drops: what is taken away, in words; where it is the name of a premise that the claim
            states, hunting this takes the place of dropping that margin.
        variant: what is left, as a claim that is not registered as one.

    """

    claim: str
    drops: str
    variant: Claim


_ABLATIONS: dict[str, Ablation] = {}
_UNNEEDED: dict[tuple[str, str], str] = {}
_GROUNDS: dict[tuple[str, str], Draws] = {}


def registered_ablations(claim: str = "") -> Mapping[str, Ablation]:
    """The registered ablations by the key of what is left: all, or those of one claim."""
    return {key: found for key, found in _ABLATIONS.items() if claim in ("", found.claim)}


def ablation(whole: Claim, drops: str, *, over: Draws | None = None) -> Callable[[Callable[..., Statement]], Ablation]:
    """Register the decorated function as what a claim says when something it assumes is taken away.

    Args:
        whole: the claim.
        drops: what is taken away, in words.
        over: instances of which that is not assumed (default: the claim's own).

    Raises:
        BoundcheckError: where another function is registered for the same.

    """

    def register(check: Callable[..., Statement]) -> Ablation:
        if not inspect.isfunction(check) or not inspect.getdoc(check):
            raise BoundcheckError(
                f"@ablation({whole.key}, {drops!r}) on {check!r}",
                expected="a function that says in a docstring what is left",
            )
        variant = replace(
            whole,
            form=form_without(whole.form, drops),
            stance=Stance.CONJECTURED,
            check=check,
            over=over if over is not None else whole.over,
            mutants=(),
            constants=constants_of(check),
            equality=None,
            equality_at=None,
            refuted_by=None,
            notes=None,
            undecidable="",
        )
        earlier = _ABLATIONS.get(variant.key)
        if earlier is not None and _place(earlier.variant.check) != _place(check):
            raise BoundcheckError(
                f"the ablation {variant.key!r} is already registered by {earlier.variant.check.__qualname__}",
                expected="other words for what is taken away",
            )
        _ABLATIONS[variant.key] = Ablation(whole.key, drops, variant)
        return _ABLATIONS[variant.key]

    return register


def _place(check: Callable[..., Statement]) -> tuple[Path, int]:
    """Where a function is written, by whatever name its module is imported."""
    return Path(check.__code__.co_filename).resolve(), check.__code__.co_firstlineno


def unneeded(claim: Claim, premise: str, because: str) -> None:
    """Say why no instance can show that a claim needs a premise: it follows from others, or there is nothing to show without it.

    The hunt looks all the same; what it finds counts, not this.
    """
    _UNNEEDED[claim.key, premise] = because


def why_unneeded(claim: str, premise: str) -> str:
    """What was said to `unneeded`, or nothing."""
    return _UNNEEDED.get((claim, premise), "")


def hunted_over(claim: Claim, over: Draws, *, premise: str = "") -> None:
    """Say on which instances the premises of a claim, or one of them, are taken away (default: the claim's own).

    Small structures show the same sooner; and what a premise keeps out has to be among the instances.
    """
    _GROUNDS[claim.key, premise] = over


def ground(claim: Claim, premise: str = "") -> Draws:
    """On which instances a premise of a claim is taken away, or the whole claim is hunted for comparison."""
    common = _GROUNDS.get((claim.key, ""), claim.over)
    return _GROUNDS.get((claim.key, premise), common)
