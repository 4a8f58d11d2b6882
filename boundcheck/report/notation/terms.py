"""Tokens as terms: what stands in one pair of fences, and what carries which scripts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from boundcheck.report.notation.tokens import CLOSE, OPEN, Kind, Token

DEEPEST = 24
"""Fences nested deeper than this are left as single characters."""

_FITS = dict(zip(OPEN, CLOSE, strict=True)) | {"(": ")]", "[": "])"}  # half-open intervals
_OPERANDS = (Kind.NUMBER, Kind.WORD, Kind.LETTER)
_SIGNS = ("", "-", "+", "−", "±", "∓")
_RAISABLE = (*_SIGNS[1:], "*", "∗", "⊥", "⟂", "†")  # what may stand alone in a script: x^+, V_⊥
_ENDS_OPERAND = (*_OPERANDS, Kind.RAISED, Kind.LOWERED, Kind.PRIME)


@dataclass(frozen=True, eq=False)
class Group:
    """What stands between two fences that fit. Two are equal only if they are one: answers about a group are cached."""

    open: Token
    content: "tuple[Element, ...]"
    close: Token

    @property
    def start(self) -> int:
        """Where its first fence starts."""
        return self.open.start

    @property
    def end(self) -> int:
        """Where its second fence ends."""
        return self.close.end

    @property
    def only_groups(self) -> bool:
        """Whether these fences can be there to hold a script or what is under a root together."""
        return self.open.text + self.close.text in ("()", "{}")


@dataclass(frozen=True)
class Script:
    """What is set below (`low`) or above a term: characters of a kind of their own, or what follows _ or ^."""

    low: bool
    content: "Token | tuple[Element, ...]"


@dataclass(frozen=True)
class Term:
    """A letter, word, number or group with its scripts."""

    base: Token | Group
    scripts: tuple[Script, ...]
    start: int
    end: int


Element: TypeAlias = Term | Token


@dataclass
class _Frame:
    """An open fence and what has followed it so far."""

    fence: Token | None
    items: "list[Token | Group]" = field(default_factory=list)

    def after_operand(self) -> bool:
        """Whether what was read last can be the end of an operand."""
        last = next((item for item in reversed(self.items) if _kind(item) is not Kind.SPACE), None)
        if isinstance(last, Token) and last.text == "*":  # π*
            return len(self.items) > 1 and self.items[-1] is last and _ends_operand(self.items[-2])
        return last is not None and _ends_operand(last)


def _kind(item: Token | Group | None) -> Kind | None:
    return item.kind if isinstance(item, Token) else None


def _ends_operand(item: Token | Group) -> bool:
    return isinstance(item, Group) or item.kind in _ENDS_OPERAND


def terms(tokens: Sequence[Token]) -> tuple[Element, ...]:
    """The tokens as terms and what stands between them. No character is lost: start and end say where each was."""
    frames = [_Frame(None)]
    for token in tokens:
        if token.kind is Kind.BAR:
            _bar(frames, token)
        elif token.kind is Kind.CLOSE:
            _close(frames, token)
        elif token.kind is Kind.OPEN and len(frames) <= DEEPEST:
            frames.append(_Frame(token))
        else:
            frames[-1].items.append(token)
    while len(frames) > 1:
        _flatten(frames)
    return _scripted(frames[0].items)


def _bar(frames: list[_Frame], token: Token) -> None:
    """A bar closes the nearest fence if that is the same bar and an operand has just ended, else it opens one."""
    top = frames[-1]
    if top.fence is not None and top.fence.text == token.text and top.after_operand():
        _pair(frames, token)
    elif len(frames) <= DEEPEST:
        frames.append(_Frame(token))
    else:
        top.items.append(token)


def _close(frames: list[_Frame], token: Token) -> None:
    """Close the nearest fence that fits; those opened since then are characters: the ‖ of KL(p‖q) is none."""
    depth = next((at for at in range(len(frames) - 1, 0, -1) if _fits(frames[at].fence, token)), 0)
    if not depth:
        frames[-1].items.append(token)
        return
    while len(frames) > depth + 1:
        _flatten(frames)
    _pair(frames, token)


def _fits(fence: Token | None, token: Token) -> bool:
    return fence is not None and token.text in _FITS.get(fence.text, "")


def _pair(frames: list[_Frame], close: Token) -> None:
    frame = frames.pop()
    assert frame.fence is not None
    frames[-1].items.append(Group(frame.fence, _scripted(frame.items), close))


def _flatten(frames: list[_Frame]) -> None:
    frame = frames.pop()
    assert frame.fence is not None
    frames[-1].items += [frame.fence, *frame.items]


def _scripted(items: "Sequence[Token | Group]") -> tuple[Element, ...]:
    """Operands joined with the scripts that follow them without a space."""
    elements: list[Element] = []
    at = 0
    while at < len(items):
        item = items[at]
        at += 1
        if isinstance(item, Token) and item.kind not in _OPERANDS:
            elements.append(item)
            continue
        scripts: list[Script] = []
        while found := _script(items, at):
            script, at = found
            scripts.append(script)
        elements.append(Term(item, tuple(scripts), item.start, items[at - 1].end))
    return tuple(elements)


def _script(items: "Sequence[Token | Group]", at: int) -> tuple[Script, int] | None:
    """The script that starts here, and the place after it; None where there is none."""
    item = items[at] if at < len(items) else None
    if not isinstance(item, Token):
        return None
    if item.kind in (Kind.RAISED, Kind.LOWERED, Kind.PRIME):
        return Script(item.kind is Kind.LOWERED, item), at + 1
    if item.text == "*" and _is_postfix(items, at):
        return Script(False, item), at + 1
    if item.kind is Kind.SCRIPT:
        return _marked_script(items, at)
    return None


def _is_postfix(items: "Sequence[Token | Group]", at: int) -> bool:
    """A star with no operand right after it: π*, and neither a*b nor a * b nor a**b."""
    after = items[at + 1] if at + 1 < len(items) else None
    return not isinstance(after, Group) and _kind(after) not in _OPERANDS and _text(after) not in ("√", "*")


def _text(item: Token | Group | None) -> str:
    return item.text if isinstance(item, Token) else ""


def _marked_script(items: "Sequence[Token | Group]", at: int) -> tuple[Script, int] | None:
    """What _ or ^ at this place sets below or above: a sign, and a letter, word, number or group."""
    low = _text(items[at]) == "_"
    end = at + 1
    sign: tuple[Token, ...] = ()
    if end < len(items) and isinstance(item := items[end], Token) and item.text in _RAISABLE:
        sign, end = (item,), end + 1
    argument = items[end] if end < len(items) else None
    if isinstance(argument, Group) and argument.only_groups and argument.content:
        return Script(low, (*sign, *argument.content)), end + 1
    if isinstance(argument, Token) and argument.kind in _OPERANDS and _text(sign[0] if sign else None) in _SIGNS:
        return Script(low, (*sign, Term(argument, (), argument.start, argument.end))), end + 1
    return (Script(low, sign), end) if sign else None
