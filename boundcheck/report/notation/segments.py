"""Where the formulas are in a line of prose."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from boundcheck.report.notation.line import Line, says_something
from boundcheck.report.notation.terms import Element, Group, Term, terms
from boundcheck.report.notation.tokens import Token, tokenise


@dataclass(frozen=True)
class Prose:
    """Text that stands as it is."""

    text: str


@dataclass(frozen=True)
class Formula:
    """Text that is set as mathematics, and its terms."""

    text: str
    elements: tuple[Element, ...]


def segments(text: str) -> list[Prose | Formula]:
    """The text as prose and formulas in turn; their texts joined are the text."""
    found: list[Prose | Formula] = []
    at = 0
    for elements in _formulas(terms(tokenise(text))):
        start, end = elements[0].start, elements[-1].end
        if at < start:
            found.append(Prose(text[at:start]))
        found.append(Formula(text[start:end], elements))
        at = end
    return [*found, Prose(text[at:])] if at < len(text) else found


def _formulas(elements: Sequence[Element]) -> Iterator[tuple[Element, ...]]:
    """The longest runs that can be mathematics and say something; what is within prose in parentheses likewise."""
    line = Line(elements, inside=False)
    run: list[int] = []
    for at in range(len(elements)):
        if line.is_space(at) or line.can_be_formula(at):
            run.append(at)
            continue
        yield from _trimmed(line, run)
        run = []
        yield from _within(elements[at])
    yield from _trimmed(line, run)


def _within(element: Element) -> Iterator[tuple[Element, ...]]:
    """The formulas in parentheses that are prose; a small letter alone there is a label, as in Lemma 6 (i)."""
    if isinstance(element, Term) and isinstance(element.base, Group) and not _is_enumerator(element.base):
        yield from _formulas(element.base.content)


def _is_enumerator(group: Group) -> bool:
    letters = [e.base.text for e in group.content if isinstance(e, Term) and isinstance(e.base, Token)]
    return len(group.content) == 1 and len("".join(letters)) == 1 and letters[0].islower() and letters[0].isascii()


def _trimmed(line: "Line", run: Sequence[int]) -> Iterator[tuple[Element, ...]]:
    """A run without what dangles at its ends, if it is more than a number or a word."""
    kept = list(run)
    while kept and (line.is_space(kept[-1]) or line.is_loose_end(kept[-1])):
        kept.pop()
    while kept and (line.is_space(kept[0]) or line.is_loose_start(kept[0])):
        kept.pop(0)
    elements = tuple(line.elements[at] for at in kept)
    if says_something(elements):
        yield elements
        return
    for at in run:
        yield from _within(line.elements[at])
