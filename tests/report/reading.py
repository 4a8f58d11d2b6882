"""What a reader sees of typeset text, read back without the code under test."""

import re
import unicodedata
from xml.etree import ElementTree

GREEK_NAMES = """
    alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu
    nu xi pi rho sigma tau upsilon phi chi psi omega
"""


def page(html: str) -> ElementTree.Element:
    """The output as an XML tree under one root. Raises ParseError where it is not well formed."""
    return ElementTree.fromstring(f"<root>{html}</root>")


def visible(element: ElementTree.Element) -> str:
    """The text of a tree, a fraction with its slash."""
    parts = [visible(child) for child in element]
    between = "/" if element.tag == "mfrac" else ""
    tails = [child.tail or "" for child in element]
    return (element.text or "") + between.join(part + tail for part, tail in zip(parts, tails, strict=True))


def skeleton(text: str, *, without: str) -> str:
    """The text with every documented change of spelling undone in one direction, the same for source and output."""
    text = "".join(_allowed(character) for character in text)
    text = text.translate(
        {ord("ˆ"): "\u0302", ord("ˇ"): "\u030c", ord("≤"): "<=", ord("≥"): ">=", ord("≠"): "!=", ord("→"): "->"}
    )
    text = unicodedata.normalize("NFKD", text)
    text = text.translate(_SAME | dict.fromkeys(map(ord, without)))
    text = "".join(text.split()).replace("epsilon", "eps")
    while "sqrt" in text:
        text = text.replace("sqrt", "")
    return text


def _allowed(character: str) -> str:
    code = ord(character)
    if code < 0x20 and not character.isspace():
        return chr(0x2400 + code)
    return "\ufffd" if 0xD800 <= code <= 0xDFFF or code in (0xFFFE, 0xFFFF) else character


def _named(letter: str) -> str | None:
    found = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)", unicodedata.name(letter, ""))
    if not found or (name := found[2].lower().replace("lamda", "lambda")) not in GREEK_NAMES.split():
        return None
    return name.capitalize() if found[1] == "CAPITAL" else name


_SAME: dict[int, str | None] = {code: name for code in range(0x370, 0x400) if (name := _named(chr(code)))}
_SAME |= {ord("−"): "-", ord("′"): "'", ord("’"): "'", ord("⁄"): "/", ord("∑"): "Sigma", 0xB5: "mu"}


def unescaped(latex: str, character: str) -> int:
    """How often the character stands in LaTeX without a backslash before it."""
    return re.sub(r"\\.", "", latex).count(character)


def outside_formulas(latex: str) -> str:
    """What stands in no formula; text within a formula may hold another one, deeper in braces."""
    kept, opened, depth = "", list[int](), 0
    for piece in re.findall(r"\\.|(?s:.)", latex):
        depth += {"{": 1, "}": -1}.get(piece, 0)
        if piece != "$":
            kept += "" if opened else piece
        elif opened and opened[-1] == depth:
            opened.pop()
        else:
            opened.append(depth)
    return kept


def depth_is_balanced(latex: str) -> bool:
    """Whether every brace is closed, and none before it is opened."""
    depth = 0
    for character in re.sub(r"\\[^A-Za-z]", "", latex):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return False
    return depth == 0
