"""Two runs, claim by claim."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from boundcheck.report.compare.changes import Change, Kind, change
from boundcheck.report.compare.figures import Figures, Key, figures
from boundcheck.report.compare.limits import Limits
from boundcheck.report.compare.regressions import Regression, regressions

Run = Mapping[str, Any]

NAMED = 5
"""So many claims are named in a note."""


@dataclass(frozen=True)
class Comparison:
    """What became of every claim of two runs.

    Attributes:
        old, new: where the runs come from, a line each.
        changes: every claim of either, those with the weightiest change first, then by name.
        regressions: what is worse than the limits allow, by claim.
        notes: what else differs between the runs, to which any difference may be due.
        limits: what counts as a regression; None where nobody asked.

    """

    old: str
    new: str
    changes: tuple[Change, ...]
    regressions: tuple[Regression, ...]
    notes: tuple[str, ...]
    limits: Limits | None

    @property
    def changed(self) -> tuple[Change, ...]:
        """The claims that something changed of."""
        return tuple(one for one in self.changes if one.kinds)

    def upshot(self) -> str:
        """The whole in one sentence, and the regressions in another."""
        counts = Counter(kind for one in self.changed for kind in one.kinds)
        same = len(self.changes) - len(self.changed)
        words = [f"{counts[kind]} {kind}" for kind in Kind if counts[kind]]
        first = (
            f"Of {_claims(len(self.changes))} {same} {'is' if same == 1 else 'are'} as before: {', '.join(words)}."
            if words
            else f"Nothing changed: {_claims(same)} with the same verdicts, ratios, constants and counts."
        )
        if self.limits is None:
            return first
        worse = len(self.regressions)
        what = "No regression" if not worse else "1 regression" if worse == 1 else f"{worse} regressions"
        return f"{first} {what} by {self.limits}."


def _claims(count: int) -> str:
    return f"{count} claim{'' if count == 1 else 's'}"


def compare(
    old: Run,
    new: Run,
    limits: Limits | None = None,
    *,
    names: tuple[str, str] = ("the old run", "the new run"),
    partial: bool = False,
) -> Comparison:
    """Compare two runs, whole or `light`. A claim that stands twice in one counts as it stood last.

    Args:
        old, new: the runs.
        limits: what counts as a regression.
        names: what to call the runs.
        partial: the new run is of some claims only: those that are not in it are named in a note, and are not gone.

    Raises:
        BoundcheckError: for an entry that is not as the schema of a run has it.

    """
    before, after = _by_key(old), _by_key(new)
    left_out = [before.pop(key).claim for key in sorted(before.keys() - after.keys())] if partial else []
    changes = [change(before.get(key), after.get(key)) for key in sorted(before.keys() | after.keys())]
    worse = chain.from_iterable(regressions(one, after.get(key), limits or Limits()) for key, one in before.items())
    order = list(Kind)
    return Comparison(
        _origin(names[0], old),
        _origin(names[1], new),
        tuple(sorted(changes, key=lambda one: (order.index(one.kinds[0]) if one.kinds else len(order), one.claim))),
        tuple(sorted(worse, key=lambda one: (one.claim, one.rule, one.sentence))),
        (
            *_left_out(left_out, names[0]),
            *_repeated(names[0], old),
            *_repeated(names[1], new),
            *_unfinished(names, old, new),
            *_differences(old, new),
        ),
        limits,
    )


def _by_key(run: Run) -> dict[Key, Figures]:
    return {one.key: one for one in map(figures, run["claims"])}


def _origin(name: str, run: Run) -> str:
    commit = run["commit_info"]
    at = [f"commit {str(commit['id'])[:12]}"] if commit.get("id") else []
    dirty = " and uncommitted changes" if commit.get("dirty") else ""
    words = [f"{name}: {run['datetime']}", f"profile {run['profile']}", f"boundcheck {run['version']}", *at]
    return f"{', '.join(words)}{dirty}, {_claims(len(_by_key(run)))}"


def _left_out(claims: Sequence[str], name: str) -> Iterator[str]:
    if claims:
        some = ", ".join([*claims[:NAMED], *(["…"] if len(claims) > NAMED else [])])
        yield f"{_claims(len(claims))} of {name} {'was' if len(claims) == 1 else 'were'} not run: {some}."


def _repeated(name: str, run: Run) -> Iterator[str]:
    times = Counter((str(one["input"]), f"{one['id']}:{one['form']}") for one in run["claims"])
    for (_, claim), count in sorted(times.items()):
        if count > 1:
            yield f"{claim} stands {count} times in {name}: its last entry is compared."


def _unfinished(names: tuple[str, str], old: Run, new: Run) -> Iterator[str]:
    for name, run in zip(names, (old, new), strict=True):
        if not run["finished"]:
            yield f"{name} did not come to its end: claims may be missing from it."


def _differences(old: Run, new: Run) -> Iterator[str]:
    """Circumstances that are not the same."""
    before, after = _circumstances(old), _circumstances(new)
    for what in sorted(before.keys() | after.keys()):
        one, two = before.get(what, "none"), after.get(what, "none")
        if one != two:
            yield f"{what}: {one} before, {two} now; differences may be due to that."


def _circumstances(run: Run) -> dict[str, str]:
    machine = run["machine_info"]
    found = {"profile": run["profile"], "boundcheck": run["version"]}
    found |= {f"version of {name}": version for name, version in dict(machine.get("versions", {})).items()}
    found |= {
        name.replace("_", " "): machine[name] for name in ("machine", "system", "python_version") if name in machine
    }
    if run["claims"]:
        found |= {
            what: ", ".join(sorted({str(one[what]) for one in run["claims"]})) for what in ("seed", "device", "dtype")
        }
    return {what: str(value) for what, value in found.items()}
