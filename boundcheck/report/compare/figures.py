"""The figures of a claim's entry that two runs are compared by."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from boundcheck.errors import BoundcheckError
from boundcheck.exact import exact
from boundcheck.report.findings import worst_ratio

Entry = Mapping[str, Any]
Key = tuple[str, str, str]

COUNTS = {
    "tested": ("tested",),
    "holds": ("held",),
    "broken": ("violated", "violated_uncertified"),
    "vacuous": ("vacuous",),
    "unverified": ("unverified",),
    "inconclusive": ("inconclusive",),
    "at equality": ("at_equality",),
    "invalid": ("invalid",),
}
"""What is counted, and the keys of an entry that add up to it."""

_SAID = ("id", "form", "input", "stance", "kind", "statement", "verdict", "refuted_by", "counterexample")
_NEEDED = (*_SAID, "tightness", "hunted", "constants", "premises", "mutants")
_CIRCUMSTANCES = ("seed", "device", "dtype")


@dataclass(frozen=True)
class Constant:
    """A constant: the value that is checked, which direction is stronger, and the value found for it."""

    at: Fraction
    better: str | None
    found: float | None


@dataclass(frozen=True)
class Figures:
    """What one run says of one claim.

    Attributes:
        key: input, id and form: one claim in any run.
        ratio: the worst ratio of smaller to larger side, drawn or hunted; inf where the larger side is 0 or less; None where no
            instance has one.
        premises: name to (instances that meet it, instances it was stated for).
        lived: the mutants that were not caught.

    """

    key: Key
    verdict: str
    stance: str
    statement: str
    ratio: float | None
    constants: Mapping[str, Constant]
    premises: Mapping[str, tuple[int, int]]
    counts: Mapping[str, int]
    lived: tuple[str, ...]

    @property
    def claim(self) -> str:
        """The claim's name, as the tables have it."""
        return f"{self.key[1]}:{self.key[2]}"


def figures(entry: Entry) -> Figures:
    """The figures of an entry. Raises BoundcheckError where it is not as the schema of a run has it."""
    try:
        return Figures(
            key=(str(entry["input"]), str(entry["id"]), str(entry["form"])),
            verdict=str(entry["verdict"]),
            stance=str(entry["stance"]),
            statement=str(entry["statement"]),
            ratio=worst_ratio(entry),
            constants={str(one["name"]): _constant(one) for one in entry["constants"]},
            premises=_premises(entry),
            counts={name: sum(int(entry[key]) for key in keys) for name, keys in COUNTS.items()},
            lived=tuple(sorted(map(str, entry["mutants"]["lived"]))),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        name = f"{entry.get('id')}:{entry.get('form')}"
        raise BoundcheckError(
            f"the entry of {name!r} cannot be compared ({type(error).__name__}: {error})",
            expected="a run that boundcheck wrote, see boundcheck/record/schema.json",
        ) from None


def light(run: Mapping[str, Any]) -> dict[str, Any]:
    """The run with no more of its entries than a comparison reads."""
    kept = (*_NEEDED, *_CIRCUMSTANCES, *(key for keys in COUNTS.values() for key in keys))
    return dict(run) | {"claims": [{key: entry[key] for key in kept} for entry in run["claims"]]}


def _constant(one: Entry) -> Constant:
    found = one["found"]
    return Constant(exact(str(one["at"])), one["better"], None if found is None else float(found))


def _premises(entry: Entry) -> dict[str, tuple[int, int]]:
    """Premises of one name are counted together."""
    found: dict[str, tuple[int, int]] = {}
    for one in entry["premises"]:
        accepted, stated = found.get(str(one["name"]), (0, 0))
        found[str(one["name"])] = accepted + int(one["accepted"]), stated + int(one["stated"])
    return found
