"""Any text as LaTeX in pure ASCII that shows it: prose, formulas, code that may be broken, numbers."""

import re

from boundcheck.record.store import one_line
from boundcheck.report.notation import latex
from boundcheck.report.notation.spelling import prose

_TYPED = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    '"': r"{\char34}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}
"""What looks otherwise, alone or beside its like, where it is just typed."""

_JOINED = re.compile(r"([-,])(?=\1)")
"""Two of these side by side become one other sign in some fonts."""

SHORT = 20
"""Letters that need no place to break the line."""

_POWER = re.compile(r"(?<![\w.])(-?\d+(?:\.\d+)?)e([+-]?\d+)(?!\w)")
_BREAKS = re.compile(r"(?<=[,/.:=_(-])(?=\S)")
_MINUS = re.compile(r"(?<![\w.)])-(?=\d)|(?<=\d )-(?= )")


def statement(words: str) -> str:
    """Prose with formulas among it, typeset."""
    return latex(_line(words))


def words(text: str) -> str:
    """Prose as it is."""
    return prose(_line(text))


def code(text: str) -> str:
    """In typewriter letters. What is long may be broken after punctuation: paths and lists of numbers have no spaces."""
    line = _line(text)
    pieces = _BREAKS.split(line) if len(line) > SHORT else [line]
    broken = r"\allowbreak{}".join(map(_verbatim, pieces))
    return rf"\texttt{{{broken}}}"


def number(text: str) -> str:
    """A number as people print it: a power of ten for an exponent."""
    if text == "inf":
        return r"$\infty$"
    parts = _POWER.split(_line(text))
    shown = ["$-$".join(map(prose, _MINUS.split(part))) for part in parts[::3]]
    powers = [rf"${factor}\cdot 10^{{{int(power)}}}$" for factor, power in zip(parts[1::3], parts[2::3], strict=True)]
    return "".join(piece for pair in zip(shown, [*powers, ""], strict=True) for piece in pair)


def comment(text: str) -> str:
    """A line of comment in pure ASCII."""
    return f"% {_line(text).encode('ascii', 'backslashreplace').decode()}"


def _verbatim(piece: str) -> str:
    typed = "".join(_TYPED.get(sign) or (sign if sign.isascii() else prose(sign)) for sign in piece)
    return _JOINED.sub(r"\1{}", typed)


def _line(text: str) -> str:
    return one_line(" ".join(text.split()))
