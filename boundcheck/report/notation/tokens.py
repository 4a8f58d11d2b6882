"""A line of text as tokens: every character belongs to exactly one."""

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum, auto

from boundcheck.report.notation.vocabulary import GREEK


class Kind(Enum):
    """What a token is, before anyone asks whether it stands in a formula."""

    SPACE = auto()
    PROSE = auto()
    NUMBER = auto()
    WORD = auto()
    LETTER = auto()
    RAISED = auto()
    LOWERED = auto()
    PRIME = auto()
    SCRIPT = auto()
    OPEN = auto()
    CLOSE = auto()
    BAR = auto()
    OPERATOR = auto()
    SEPARATOR = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text, and where it starts."""

    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where the next token starts."""
        return self.start + len(self.text)


_LATIN = "A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ"
_GREEK = "µͰ-ͳͶͷΆΈ-Ͽ"
_MARK = "\u0300-\u036f"
_MATH_MARKS = "\u0302\u0303\u0304\u0306\u0307\u0308\u030c"
_L = f"(?:[{_LATIN}][{_MARK}]*)"
_NO_LETTER_BEFORE = f"(?<![{_LATIN}{_MARK}0-9])"
_NO_LETTER_AFTER = f"(?![{_LATIN}])"

# Tried in this order at each place. What is not a formula although it looks like one comes first.
_PATTERNS = (
    (Kind.SPACE, r"\s+"),
    (Kind.PROSE, r"https?://\S+"),
    (Kind.PROSE, rf"{_NO_LETTER_BEFORE}(?:{_L}\.){{2,}}"),  # e.g.
    (Kind.PROSE, rf"{_NO_LETTER_BEFORE}[A-Z]\.[0-9]+(?:\.[0-9]+)*"),  # the A.6 of a lemma
    (Kind.PROSE, r"(?<![\w.])[0-9]+(?:\.[0-9]+){2,}"),  # versions
    (Kind.PROSE, r"(?<![^\s(\[])[0-9]+(?:-[0-9]+)+(?=[\s.,;:)\]]|$)"),  # ranges, dates
    (Kind.PROSE, rf"[0-9]+(?:st|nd|rd|th){_NO_LETTER_AFTER}"),
    (Kind.PROSE, rf"{_NO_LETTER_BEFORE}{_L}{{2,}}(?:-(?:{_L}|[0-9.])*(?:{_L}|[0-9]))+"),  # two-layer, AC-3.3
    (Kind.PROSE, rf"{_NO_LETTER_BEFORE}{_L}(?:-{_L}{{2,}})+"),  # x-axis
    (Kind.PROSE, rf"{_NO_LETTER_BEFORE}{_L}{{2,}}(?:['’]{_L}+)+"),  # Gordon's
    (Kind.PROSE, rf"(?<=[{_LATIN}{_GREEK}])['’]s{_NO_LETTER_AFTER}"),
    (Kind.NUMBER, r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"),
    (Kind.WORD, rf"{_L}{{2,}}[0-9]*"),
    (Kind.LETTER, rf"[{_LATIN}{_GREEK}][{_MARK}]*[0-9]*"),
    (Kind.OPERATOR, r"<=|>=|!=|==|:=|->"),
    (Kind.OPERATOR, r"(?<=[\w)])!(?= *[-+*/·<=>≤≥)\]^])"),  # a factorial
)
_SCANNER = re.compile("|".join(f"(?P<p{at}>{pattern})" for at, (_, pattern) in enumerate(_PATTERNS)) + r"|(?s:.)")

OPEN, CLOSE = "([{⟨⌊⌈", ")]}⟩⌋⌉"
BARS = "|‖∥"
BIG = "∑∏∫"
"""Signs that take what follows them and carry scripts."""
_FIXED = (
    dict.fromkeys(OPEN, Kind.OPEN)
    | dict.fromkeys(CLOSE, Kind.CLOSE)
    | dict.fromkeys(BARS, Kind.BAR)
    | dict.fromkeys("_^", Kind.SCRIPT)
    | dict.fromkeys("′″‴⁗", Kind.PRIME)
    | dict.fromkeys(",;:…", Kind.SEPARATOR)
    | dict.fromkeys("-*/·⋅", Kind.OPERATOR)
    | dict.fromkeys("∞∅⊤" + BIG, Kind.LETTER)
)


def tokenise(text: str) -> list[Token]:
    """The tokens of a text in order; their texts joined are the text."""
    tokens: list[Token] = []
    for match in _SCANNER.finditer(text):
        kind = _PATTERNS[int(match.lastgroup[1:])][0] if match.lastgroup else _of_character(match[0])
        token = Token(_refined(kind, match[0], tokens), match[0], match.start())
        if tokens and token.kind is tokens[-1].kind and token.kind in (Kind.RAISED, Kind.LOWERED, Kind.PRIME):
            token = Token(token.kind, tokens[-1].text + token.text, tokens.pop().start)
        tokens.append(token)
    return tokens


def _of_character(character: str) -> Kind:
    """A character that no pattern knows, by what Unicode says of it."""
    if character in _FIXED:
        return _FIXED[character]
    decomposition = unicodedata.decomposition(character)
    if decomposition.startswith("<super>"):
        return Kind.RAISED
    if decomposition.startswith("<sub>"):
        return Kind.LOWERED
    if decomposition.startswith("<fraction>"):
        return Kind.NUMBER
    if decomposition.startswith("<font>") and character.isalpha():  # ℝ, ℓ, 𝒰
        return Kind.LETTER
    return Kind.OPERATOR if unicodedata.category(character) == "Sm" else Kind.PROSE


def _refined(kind: Kind, text: str, before: list[Token]) -> Kind:
    """The kind, where it depends on the letter's accent or on what stands before."""
    if kind in (Kind.PROSE, Kind.LETTER):
        decomposed = unicodedata.normalize("NFD", text)
        if len(decomposed) == 2 and decomposed[0].isalpha() and unicodedata.combining(decomposed[1]):
            return Kind.LETTER if decomposed[1] in _MATH_MARKS else Kind.PROSE
    if text in ("'", "’") and before and _takes_prime(before):
        return Kind.PRIME
    return kind


def _takes_prime(before: list[Token]) -> bool:
    last = before[-1]
    if last.kind in (Kind.LETTER, Kind.RAISED, Kind.LOWERED, Kind.PRIME, Kind.CLOSE):
        return True
    return last.text in GREEK or (len(before) > 1 and before[-2].kind is Kind.SCRIPT)
