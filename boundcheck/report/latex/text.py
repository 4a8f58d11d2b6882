"""Any text as LaTeX in pure ASCII that shows it: prose, formulas, code that may be broken, numbers."""

import re

from boundcheck.record.store import one_line
from boundcheck.report.notation import latex
from boundcheck.report.notation.spelling import prose

_POWER = re.compile(r"(?<![\w.])(-?\d+(?:\.\d+)?)e([+-]?\d+)(?!\w)")
_BREAKS = re.compile(r"(?<=[,/.:=_(-])(?=\S)")
_MINUS = re.compile(r"(?<![\w.)])-(?=\d)")


def statement(words: str) -> str:
    """Prose with formulas among it, typeset."""
    return latex(_line(words))


def words(text: str) -> str:
    """Prose as it is."""
    return prose(_line(text))


def code(text: str) -> str:
    """In typewriter letters. It may be broken after punctuation, since keys, paths and lists of numbers have no spaces."""
    pieces = r"\allowbreak{}".join(_verbatim(piece) for piece in _BREAKS.split(_line(text)))
    return rf"\texttt{{{pieces}}}"


def number(text: str) -> str:
    """A number as people print it: a power of ten for an exponent."""
    if text == "inf":
        return r"$\infty$"
    parts = _POWER.split(_line(text))
    shown = [_MINUS.sub("$-$", prose(part)) for part in parts[::3]]
    powers = [rf"${factor}\cdot 10^{{{int(power)}}}$" for factor, power in zip(parts[1::3], parts[2::3], strict=True)]
    return "".join(piece for pair in zip(shown, [*powers, ""], strict=True) for piece in pair)


def comment(text: str) -> str:
    """A line of comment in pure ASCII."""
    return f"% {_line(text).encode('ascii', 'backslashreplace').decode()}"


def _verbatim(piece: str) -> str:
    """Every character as it was typed: typewriter fonts join hyphens and quotes into other signs."""
    escaped = prose(piece).replace("--", "-{}-").replace("--", "-{}-")
    return escaped.replace("''", "'{}'").replace(",,", ",{},").replace("``", "`{}`")


def _line(text: str) -> str:
    return one_line(" ".join(text.split()))
