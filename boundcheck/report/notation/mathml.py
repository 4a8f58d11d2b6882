"""Formulas as MathML Core, between escaped prose: safe to put into a page."""

from html import escape

from boundcheck.report.notation.parser import parse
from boundcheck.report.notation.segments import Formula, segments
from boundcheck.report.notation.tokens import BARS
from boundcheck.report.notation.tree import (
    Accent,
    Fenced,
    Fraction,
    Gap,
    Letter,
    Name,
    Node,
    Number,
    Operator,
    Root,
    Row,
    Scripts,
)
from boundcheck.report.notation.vocabulary import GREEK

ACCENTS = {
    "\u0302": "ˆ",
    "\u0303": "˜",
    "\u0304": "¯",
    "\u0306": "˘",
    "\u0307": "˙",
    "\u0308": "¨",
    "\u030c": "ˇ",
}
"""Combining marks, and the characters that are set above a letter for them."""

_CLOSE_UP = frozenset("/_^*")
_SEPARATORS = frozenset(",;:…")
_OPENING, _CLOSING = "([{“‘", ".,;:!?)]}”’"
_UPRIGHT = frozenset(letter for letter in GREEK.values() if letter.isupper())  # as LaTeX sets them
_GAP = '<mspace width="0.17em"/>'


def mathml(text: str) -> str:
    """The text as HTML: prose escaped, each formula a `<math>` element whose `alttext` is the formula as it was written.

    What is seen is the text, with <=, >=, !=, -> and - in formulas as ≤, ≥, ≠, → and −, spelled Greek letters as letters,
    ' as ′, √(…) and sqrt(…) as a root, and scripts raised or lowered instead of marked. A control character that no page
    may hold is shown as its picture (␀), half of a surrogate pair as �. A formula and the punctuation right beside it are
    a `<span class="formula">`: give it `white-space: nowrap`, or lines will break before a comma. Never raises.
    """
    found = segments(text)
    pieces = []
    opening, closing = "", ""
    for at, segment in enumerate(found):
        following = found[at + 1].text if at + 1 < len(found) else ""
        if isinstance(segment, Formula):
            closing = following[: len(following) - len(following.lstrip(_CLOSING))]
            pieces.append(_kept_together(opening, _math(segment), closing))
            opening = ""
        else:
            rest = segment.text[len(closing) :]
            opening = rest[len(rest.rstrip(_OPENING)) :] if following else ""
            pieces.append(_escaped(rest[: len(rest) - len(opening)]))
            closing = ""
    return "".join(pieces)


def _kept_together(opening: str, math: str, closing: str) -> str:
    """A formula and the punctuation that must not be parted from it at the end of a line."""
    if not opening and not closing:
        return math
    return f'<span class="formula">{_escaped(opening)}{math}{_escaped(closing)}</span>'


def _math(formula: Formula) -> str:
    alttext = _escaped(formula.text).replace("\n", "&#10;").replace("\t", "&#9;")
    return f'<math alttext="{alttext}">{_node(parse(formula.elements))}</math>'


def _escaped(text: str) -> str:
    return escape("".join(map(_allowed, text))).replace("\r", "&#13;")


def _allowed(character: str) -> str:
    """The character, or what stands for it where XML forbids it."""
    code = ord(character)
    if code < 0x20 and character not in "\t\n\r":
        return " " if character.isspace() else chr(0x2400 + code)
    if 0xD800 <= code <= 0xDFFF or code in (0xFFFE, 0xFFFF):
        return "\ufffd"
    return character


def _node(node: Node) -> str:
    match node:
        case Number(text):
            return f"<mn>{_escaped(text)}</mn>"
        case Fraction(over, under):
            return f"<mfrac>{_node(over)}{_node(under)}</mfrac>"
        case Letter(text):
            return _name(text) if text in _UPRIGHT else f"<mi>{_escaped(text)}</mi>"
        case Name(text):
            return _name(text)
        case Operator(text, form):
            return _operator(text, form)
        case Gap():
            return _GAP
        case Accent(base, mark) if mark in ACCENTS:
            return f'<mover accent="true">{_node(base)}<mo stretchy="false">{ACCENTS[mark]}</mo></mover>'
        case Accent(base, mark):
            return f"<mi>{_escaped(base.text + mark)}</mi>"
        case Row(nodes):
            return f"<mrow>{''.join(map(_node, nodes))}</mrow>"
        case Fenced(opening, body, closing):
            return f"<mrow>{_fence(opening, 'prefix')}{_node(body)}{_fence(closing, 'postfix')}</mrow>"
        case Root(body):
            return f"<msqrt>{_node(body)}</msqrt>"
        case Scripts(base, low, high):
            return _scripts(base, low, high)


def _name(text: str) -> str:
    upright = ' mathvariant="normal"' if len(text) == 1 else ""
    return f"<mi{upright}>{_escaped(text)}</mi>"


def _operator(text: str, form: str) -> str:
    if text in BARS:
        spacing = ' lspace="0.17em" rspace="0.17em"'
        return f'<mo form="infix" stretchy="false"{spacing}>{text}</mo>'
    spacing = ""
    if text in _CLOSE_UP or "′" in text:
        spacing = ' lspace="0" rspace="0"'
    elif text in _SEPARATORS:
        spacing = ' lspace="0" rspace="0.17em"'
    return f'<mo form="{form}" stretchy="false"{spacing}>{_escaped(text)}</mo>'


def _fence(text: str, form: str) -> str:
    return f'<mo form="{form}" stretchy="false" lspace="0" rspace="0">{text}</mo>'


def _scripts(base: Node, low: Node | None, high: Node | None) -> str:
    written = "".join(_node(node) for node in (base, low, high) if node is not None)
    element = "msubsup" if low is not None and high is not None else "msub" if low is not None else "msup"
    return f"<{element}>{written}</{element}>"
