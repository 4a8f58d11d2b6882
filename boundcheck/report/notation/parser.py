"""The terms of a formula as a tree. Slashes stay slashes, so nothing here has to know what binds more tightly."""

import re
import unicodedata
from collections.abc import Sequence

from boundcheck.report.notation.terms import Element, Group, Script, Term
from boundcheck.report.notation.tokens import BIG, Kind, Token
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
from boundcheck.report.notation.vocabulary import FUNCTIONS, GREEK, INDICES

SPELLED = {"<=": "≤", ">=": "≥", "!=": "≠", "->": "→", "-": "−"}
"""Operators that are written in ASCII, and what they are set as."""

_PRIMES = {"'": "′", "’": "′", "″": "′′", "‴": "′′′", "⁗": "′′′′"}
_CLUSTER = re.compile(r"[^\W\d_][\u0300-\u036f]*[0-9]*")


def parse(elements: Sequence[Element]) -> Row:
    """The tree of these terms. Nothing is refused: what fits no rule becomes a sign of its own."""
    nodes: list[Node] = []
    at = 0
    while at < len(elements):
        element = elements[at]
        at += 1
        following = _next_term(elements, at)
        if _is_root(element) and following is not None:
            body, at = following
            nodes.append(_root(body))
        elif isinstance(element, Term):
            summed = _is_sum(element, elements, at)
            nodes.append(_sum(element) if summed else _term(element, after_script=_ends_in(nodes, Scripts)))
        elif element.kind is not Kind.SPACE:
            nodes.append(_sign(element, after_operand=bool(nodes) and not _ends_in(nodes, Operator)))
        elif nodes and not _ends_in(nodes, Operator) and at < len(elements) and isinstance(elements[at], Term):
            nodes.append(Gap())
    return Row(tuple(nodes))


def _ends_in(nodes: Sequence[Node], kind: type[Operator] | type[Scripts]) -> bool:
    return bool(nodes) and isinstance(nodes[-1], kind)


def _sign(token: Token, *, after_operand: bool) -> Node:
    """An operator in its place, or a character that nobody knows."""
    if token.kind is Kind.SEPARATOR or token.text == "!":
        return Operator(token.text, "postfix")
    if token.kind in (Kind.OPERATOR, Kind.BAR):
        return Operator(SPELLED.get(token.text, token.text), "infix" if after_operand else "prefix")
    return Name(token.text)


def _next_term(elements: Sequence[Element], at: int) -> tuple[Term, int] | None:
    """The term at this place, or after one space, and the place after it."""
    if at < len(elements) and isinstance(elements[at], Token) and _kind(elements[at]) is Kind.SPACE:
        at += 1
    element = elements[at] if at < len(elements) else None
    return (element, at + 1) if isinstance(element, Term) else None


def _kind(element: Element) -> Kind | None:
    return element.kind if isinstance(element, Token) else None


def _is_root(element: Element) -> bool:
    if isinstance(element, Token):
        return element.text == "√"
    return isinstance(element.base, Token) and element.base.text == "sqrt" and not element.scripts


def _root(body: Term) -> Node:
    """√(x)² is the square of a root, √x² the root of a square."""
    if isinstance(body.base, Group) and body.base.only_groups:
        return _scripts(Root(parse(body.base.content)), body.scripts)
    return Root(_term(body))


def _is_sum(term: Term, elements: Sequence[Element], at: int) -> bool:
    """Whether a Σ is a sum: it has a small letter as its index, and a summand after a space."""
    if not isinstance(term.base, Token) or term.base.text != "Σ" or not term.scripts or not term.scripts[0].low:
        return False
    index = "".join(_texts(term.scripts[0])).lstrip()
    spaced = at < len(elements) and _kind(elements[at]) is Kind.SPACE
    return index[:1].islower() and index[:1].isascii() and spaced and _next_term(elements, at) is not None


def _texts(script: Script) -> list[str]:
    content = (script.content,) if isinstance(script.content, Token) else script.content
    bases = [e.base if isinstance(e, Term) else e for e in content]
    return [b.text for b in bases if isinstance(b, Token)]


def _sum(term: Term) -> Node:
    return _scripts(Operator("∑", "prefix"), term.scripts)


def _term(term: Term, *, after_script: bool = False) -> Node:
    """A term: its base, and its scripts around it."""
    if isinstance(term.base, Group):
        group = term.base
        return _scripts(Fenced(group.open.text, parse(group.content), group.close.text), term.scripts)
    node = _atom(term.base, after_script)
    if isinstance(node, Row) and term.scripts:  # the scripts of a product are its last factor's
        return Row((*node.nodes[:-1], _scripts(node.nodes[-1], term.scripts)))
    return _scripts(node, term.scripts)


def _atom(token: Token, after_script: bool) -> Node:
    """A number, a letter, a name, or a product of letters."""
    text = token.text
    if token.kind is Kind.NUMBER:
        over, _, under = unicodedata.normalize("NFKC", text).partition("⁄")
        return Fraction(Number(over), Number(under)) if over and under else Number(text)
    stem = text.rstrip("0123456789")
    digits = text[len(stem) :]
    if stem in GREEK:
        return _with_digits(Letter(GREEK[stem]), digits)
    if text in BIG:
        return Operator(text, "prefix")
    if token.kind is Kind.LETTER:
        return _with_digits(_letter(stem), digits)
    if text in FUNCTIONS:
        return Name(text, function=True)
    clusters = _CLUSTER.findall(text)
    if (len(clusters) == 2 or after_script) and "".join(clusters) == text:
        return Row(tuple(_atom(Token(Kind.LETTER, c, token.start), False) for c in clusters))
    return Name(text)


def _with_digits(letter: Node, digits: str) -> Node:
    return Row((letter, Number(digits))) if digits else letter


def _letter(text: str) -> Node:
    """A letter, with its mark taken apart where it has one."""
    decomposed = unicodedata.normalize("NFD", text)
    if len(decomposed) == 2 and unicodedata.combining(decomposed[1]):
        return Accent(Letter(decomposed[0]), decomposed[1])
    return Letter(text)


def _scripts(base: Node, scripts: Sequence[Script]) -> Node:
    """The base with these scripts: one below and one above share a base, a second of a kind gets the whole as its base."""
    low: Node | None = None
    high: Node | None = None
    for script in scripts:
        node = _script(script)
        if script.low and low is None:
            low = node
        elif not script.low and high is None:
            high = node
        elif not script.low and isinstance(high, Operator) and set(high.text) == {"′"}:
            high = Row((high, node))
        else:
            base = Scripts(base, low, high)
            low, high = (node, None) if script.low else (None, node)
    return base if low is None and high is None else Scripts(base, low, high)


def _script(script: Script) -> Node:
    """What a script holds. Letters below are indices or a word: `ij`, `max`."""
    if isinstance(script.content, Token):
        return _script_characters(script.content)
    only = script.content[0] if len(script.content) == 1 else None
    if isinstance(only, Term) and isinstance(only.base, Token) and only.base.kind is Kind.WORD and not only.scripts:
        return _index(only.base)
    if isinstance(only, Token):
        return Operator(SPELLED.get(only.text, only.text), "postfix")
    node = parse(script.content)
    match node.nodes:
        case (Fraction(over, under),):  # one above the other would be too small to read
            return Row((over, Operator("/"), under))
        case (alone,):
            return alone
    return node


def _index(token: Token) -> Node:
    stem = token.text.rstrip("0123456789")
    if stem in GREEK or (set(stem) <= INDICES and token.text != "in"):
        return _atom(token, after_script=True)
    return Name(token.text)


def _script_characters(token: Token) -> Node:
    """Characters that are scripts by themselves: primes, a star, ⁻¹, ᵀ, ₊."""
    if token.kind is Kind.PRIME:
        return Operator("".join(_PRIMES.get(c, c) for c in token.text), "postfix")
    if token.kind is Kind.OPERATOR:
        return Operator(token.text, "postfix")
    nodes: list[Node] = []
    for piece in re.findall(r"[0-9]+|(?s:.)", unicodedata.normalize("NFKC", token.text)):
        if piece.isdecimal():
            nodes.append(Number(piece))
        elif piece.isalpha():
            nodes.append(Name(piece) if piece == "T" else Letter(piece))
        else:
            nodes.append(Operator(SPELLED.get(piece, piece), "prefix" if not nodes else "infix"))
    return nodes[0] if len(nodes) == 1 else Row(tuple(nodes))
