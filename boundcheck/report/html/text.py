"""Other people's text in a page: nothing of it is markup, and every character of it can be seen."""

import re

from markupsafe import Markup

from boundcheck.report.notation import mathml

_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_MATH = re.compile("<math[ >].*?</math>", re.DOTALL)
_LATE = re.compile("[\u202a-\u202e\u2066-\u2069]")


def visible(value: object) -> object:
    r"""A string without characters that HTML cannot hold or that turn the text around them: each becomes its code in words.

    Markup and what is no string stay as they are.

    >>> visible("a\x00b")
    'a⟨U+0000⟩b'
    """
    if not isinstance(value, str):
        return value
    text = _LATE.sub(_named, _UNFIT.sub(_named, value))
    return Markup(text) if isinstance(value, Markup) else text


def typeset(statement: str) -> Markup:
    """A statement with its formulas typeset, each in a box that scrolls where a narrow window is too small for it."""
    return Markup(_MATH.sub(r'<span class="fit">\g<0></span>', mathml(str(visible(statement)))))


def sentence(text: str) -> Markup:
    """Typeset, with one full stop at its end.

    >>> sentence("56 of 384 instances break it"), sentence("So.")
    (Markup('56 of 384 instances break it.'), Markup('So.'))
    """
    return typeset(text.rstrip().rstrip(".") + ".")


def quantity(name: str) -> Markup:
    """What was enclosed: a side, or the margin of a premise, without the quotes that its name comes in.

    >>> quantity("premise 'easy'"), quantity("larger side")
    (Markup('premise: easy'), Markup('larger side'))
    """
    found = re.fullmatch(r"premise (['\"])(.*)\1", name, re.DOTALL)
    return Markup("premise: ") + typeset(found[2]) if found else typeset(name)


def _named(found: re.Match[str]) -> str:
    return f"⟨U+{ord(found[0]):04X}⟩"
