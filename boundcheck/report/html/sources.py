"""Sources, told apart into the paper and the place in it."""

from collections.abc import Iterable, Mapping, Sequence

SEPARATOR = ", "


def cited(sources: Iterable[str]) -> Mapping[str, tuple[str, str]]:
    """Paper and place of each source.

    A source is one line, "authors, title, place", and any of the three may hold commas. Sources that begin alike are taken to be
    of one paper, whose name is all that they share, but for what they end with.

    >>> found = cited(["Doe, On Bounds, Lemma 1", "Doe, On Bounds, Lemma 2, equation (3)", "folklore"])
    >>> found["Doe, On Bounds, Lemma 2, equation (3)"], found["folklore"]
    (('Doe, On Bounds', 'Lemma 2, equation (3)'), ('folklore', ''))
    """
    alike: dict[str, list[list[str]]] = {}
    for source in dict.fromkeys(sources):
        parts = source.split(SEPARATOR)
        alike.setdefault(parts[0], []).append(parts)
    return {
        SEPARATOR.join(parts): (SEPARATOR.join(parts[:count]), SEPARATOR.join(parts[count:]))
        for group in alike.values()
        for count in [_shared(group)]
        for parts in group
    }


def _shared(group: Sequence[Sequence[str]]) -> int:
    """How many first parts all have in common, fewer than any of them has, and at least one."""
    least = min(map(len, group)) - 1
    same = next((place for place in range(least) if len({parts[place] for parts in group}) > 1), least)
    return max(same, 1)
