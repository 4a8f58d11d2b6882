"""What each element of a line can be, beside its neighbours: part of a formula, or of the prose around one."""

from collections.abc import Sequence
from functools import lru_cache

from boundcheck.report.notation.terms import Element, Group, Term
from boundcheck.report.notation.tokens import BARS, Kind, Token
from boundcheck.report.notation.vocabulary import CITING, FUNCTIONS, GREEK, PLAIN_WORDS, SYMBOLIC_FUNCTIONS

_PREFIXES = "√∂∇∠¬"


def says_something(elements: Sequence[Element]) -> bool:
    """Whether there is more than numbers and words side by side."""
    operands = [e for e in elements if isinstance(e, Term)]
    operators = [e.text for e in elements if isinstance(e, Token) and e.kind is Kind.OPERATOR]
    if (len(operands) > 1 and operators) or (operands and operators and operators[0] in _PREFIXES):
        return True
    return any(_is_symbol(term) for term in operands) or (len(operands) > 1 and any(map(_is_greek, operands)))


def _is_symbol(term: Term) -> bool:
    if isinstance(term.base, Group):
        interval = term.base.open.text != "(" and _has(term.base, Kind.SEPARATOR)
        fenced = term.base.open.text in BARS or interval
        return fenced or bool(term.scripts) or says_something(term.base.content)
    return bool(term.scripts) or term.base.kind is Kind.LETTER


def _is_greek(term: Term) -> bool:
    return isinstance(term.base, Token) and term.base.text.rstrip("0123456789") in GREEK


class Line:
    """The elements at one level, and what each can be beside its neighbours."""

    def __init__(self, elements: Sequence[Element], *, inside: bool) -> None:
        self.elements = elements
        self.inside = inside

    def is_space(self, at: int) -> bool:
        return self._kind(at) is Kind.SPACE

    def can_be_formula(self, at: int) -> bool:
        """Whether this element can be part of a formula, here."""
        element = self.elements[at]
        if isinstance(element, Token):
            return self._joins(at) or (self.inside and element.kind in (Kind.SEPARATOR, Kind.BAR))
        if isinstance(element.base, Group):
            return self._is_group(at, element, element.base)
        if element.base.kind is Kind.WORD:
            return self._is_name(at, element, element.base.text)
        return self.inside or not (self._is_label(at) or self._is_article(at, element))

    def is_loose_end(self, at: int) -> bool:
        """An operator, or a number after a space: neither ends a formula."""
        if isinstance(self.elements[at], Token):
            return True
        return self._is_number(at) and self._spaced_from_term(at) and not self._is_function(at - 2)

    def is_loose_start(self, at: int) -> bool:
        """An operator that needs an operand before it; a sign right before its operand does not."""
        element = self.elements[at]
        if not isinstance(element, Token):
            return False
        prefix = element.text in _PREFIXES or (element.text in "-−+±~∼≈" and isinstance(self._at(at + 1), Term))
        return not prefix

    def _at(self, at: int) -> Element | None:
        return self.elements[at] if 0 <= at < len(self.elements) else None

    def _kind(self, at: int) -> Kind | None:
        element = self._at(at)
        if isinstance(element, Token):
            return element.kind
        return element.base.kind if element is not None and isinstance(element.base, Token) else None

    def _neighbour(self, at: int, step: int) -> int:
        """The place of the nearest element that is no space; there may be none there."""
        at += step
        return at + step if self.is_space(at) else at

    def _spaced_from_term(self, at: int) -> bool:
        return self.is_space(at - 1) and isinstance(self._at(at - 2), Term)

    def _is_function(self, at: int) -> bool:
        element = self._at(at)
        word = element.base if isinstance(element, Term) else None
        return isinstance(word, Token) and (word.text in FUNCTIONS or word.text == "sqrt")

    def _is_number(self, at: int) -> bool:
        element = self._at(at)
        return isinstance(element, Term) and not element.scripts and self._kind(at) is Kind.NUMBER

    def _joins(self, at: int) -> bool:
        """An operator; < and > only with a space on both sides or on neither, which a tag has not."""
        element = self._at(at)
        if not isinstance(element, Token) or element.kind is not Kind.OPERATOR:
            return False
        before, after = self._at(at - 1), self._at(at + 1)
        if element.text in "<>":
            return before is not None and after is not None and self.is_space(at - 1) == self.is_space(at + 1)
        return True

    def _is_label(self, at: int) -> bool:
        before = self._at(at - 2)
        named = isinstance(before, Term) and isinstance(before.base, Token) and before.base.text in CITING
        return named and self.is_space(at - 1)

    def _is_article(self, at: int, term: Term) -> bool:
        """Whether a, A or I is a word here: before a word that can follow an article, with no operator beside it."""
        if term.scripts or not isinstance(term.base, Token) or term.base.text not in ("a", "A", "I"):
            return False
        before, after = self._neighbour(at, -1), self._neighbour(at, 1)
        if after == at + 1 or self._joins(before) or (term.base.text == "A" and self._kind(before) is Kind.WORD):
            return False
        following = self._at(after)
        if isinstance(following, Term) and isinstance(following.base, Token):
            if following.base.kind is Kind.WORD:
                return following.base.text not in PLAIN_WORDS | SYMBOLIC_FUNCTIONS
            return following.base.kind is Kind.NUMBER or self._kind(before) in (Kind.WORD, Kind.PROSE)
        return self._kind(after) is Kind.PROSE

    def _is_name(self, at: int, term: Term, text: str) -> bool:
        """Whether a run of letters is a name or a product in a formula."""
        if text in PLAIN_WORDS or (text.lower() in PLAIN_WORDS and not term.scripts):
            return False
        if _is_greek(term) or self._is_applied(at, text):
            return True
        before, after = self._neighbour(at, -1), self._neighbour(at, 1)
        if self._connects(before, at) or self._connects(after, at):
            return True
        if self.inside and self._ends_here(before) and self._ends_here(after):
            return True
        if len(text) == 2 or text in FUNCTIONS:
            return bool(term.scripts) or self._touches_symbol(at)
        return False

    def _is_applied(self, at: int, text: str) -> bool:
        """Whether an argument follows: in fences, or after a function's name that is no English word."""
        following = self._at(at + 1)
        if isinstance(following, Term) and isinstance(following.base, Group):
            called = following.base.open.text == "(" or text in FUNCTIONS  # word[1] cites
            return called and _is_whole(following.base) and not _is_plural(following.base)
        after = self._neighbour(at, 1)
        symbol = self._kind(after) in (Kind.LETTER, Kind.NUMBER) or self._is_bars(after)
        return symbol and (text in SYMBOLIC_FUNCTIONS or text == "sqrt" or self._has_index(at, text))

    def _has_index(self, at: int, text: str) -> bool:
        """min_ij |w_j|: with an index, any function's name takes what follows it."""
        element = self._at(at)
        return text in FUNCTIONS and isinstance(element, Term) and bool(element.scripts)

    def _is_bars(self, at: int) -> bool:
        element = self._at(at)
        return isinstance(element, Term) and isinstance(element.base, Group) and element.base.open.text in BARS

    def _connects(self, at: int, word: int) -> bool:
        """Whether an operator here makes a word beside it a name. A minus may be a dash or a hyphen."""
        element = self._at(at)
        if not isinstance(element, Token) or not self._joins(at):
            return False
        other = self._at(self._neighbour(at, 1 if at > word else -1))
        if element.text in "-/" and not self.inside:
            hyphen = element.text == "-" and abs(at - word) == 1
            return not hyphen and isinstance(other, Term) and self._kind_of(other) is not Kind.WORD
        return other is not None or (element.text in _PREFIXES and at == word - 1)

    @staticmethod
    def _kind_of(term: Term) -> Kind | None:
        return term.base.kind if isinstance(term.base, Token) else None

    def _ends_here(self, at: int) -> bool:
        """Whether the place is a fence, a comma or an operator."""
        element = self._at(at)
        return element is None or (isinstance(element, Token) and (self._joins(at) or element.kind is Kind.SEPARATOR))

    def _touches_symbol(self, at: int) -> bool:
        """Whether a letter that is not Latin, a script or a fence is right beside it: ᵀFD, ΠAB."""
        before, after = self._at(at - 1), self._at(at + 1)
        return any(isinstance(e, Term) and _is_symbol(e) for e in (before, after))

    def _is_group(self, at: int, term: Term, group: Group) -> bool:
        """Whether a group is mathematics: all that is in it, and, of parentheses, what is around them or an operator."""
        if not _is_whole(group):
            return False
        before, after = self._neighbour(at, -1), self._neighbour(at, 1)
        if self.inside or group.open.text in BARS + "⟨⌊⌈" or term.scripts:
            return True
        if before == at - 1 and isinstance(self._at(before), Term):
            return not _is_plural(group)
        if self._joins(before) or self._joins(after):
            return True
        return _has(group, Kind.OPERATOR) or _has(group, Kind.SEPARATOR)


@lru_cache(maxsize=4096)
def _is_whole(group: Group) -> bool:
    """Whether all that is between the fences can be mathematics."""
    line = Line(group.content, inside=True)
    return all(line.is_space(at) or line.can_be_formula(at) for at in range(len(group.content)))


def _has(group: Group, kind: Kind) -> bool:
    return any(isinstance(e, Token) and e.kind is kind for e in group.content)


def _is_plural(group: Group) -> bool:
    """The (s) of instance(s)."""
    return [e.base.text for e in group.content if isinstance(e, Term) and isinstance(e.base, Token)] in (["s"], ["es"])
