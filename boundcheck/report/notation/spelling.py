"""Text in pure ASCII as LaTeX writes it. A character that nobody mapped is shown by its number, never dropped."""

import re
import unicodedata

from boundcheck.report.notation.characters import ALPHABETS, MATH, MATH_ACCENTS, TEXT, TEXT_ACCENTS

_CLUSTER = re.compile(r"(?s:.)[\u0300-\u036f]?")


def prose(text: str) -> str:
    """Prose, every special character escaped; white space, line ends too, becomes one space."""
    composed = unicodedata.normalize("NFC", re.sub(r"[^\S\u00a0]+", " ", text))
    return "".join(_in_text(cluster) for cluster in _CLUSTER.findall(composed))


def _in_text(cluster: str) -> str:
    if cluster in TEXT:
        return TEXT[cluster]
    if cluster.isascii():
        return cluster if cluster.isprintable() else unknown(cluster)
    base, marks = _taken_apart(cluster)
    if marks in TEXT_ACCENTS and base.isascii() and base.isalnum():
        return f"{TEXT_ACCENTS[marks]}{{{base}}}"
    if inner := _in_math(cluster):
        return f"${inner}$"
    return unknown(cluster) if len(cluster) == 1 else "".join(map(_in_text, cluster))


def formula(text: str) -> str:
    """Letters and signs of a formula, one after the other, a space after a command that a letter follows."""
    written = [
        _in_math(cluster) or _unmapped(cluster) for cluster in _CLUSTER.findall(unicodedata.normalize("NFC", text))
    ]
    return joined(written)


def _unmapped(cluster: str) -> str:
    """What formulas have no command for: as text within the formula."""
    return rf"\text{{{prose(cluster)}}}"


def joined(pieces: list[str]) -> str:
    """Pieces of a formula side by side; no command runs into a letter after it."""
    line = ""
    for piece in pieces:
        line += " " + piece if re.search(r"\\[A-Za-z]+$", line) and re.match("[A-Za-z]", piece) else piece
    return line


def unknown(character: str) -> str:
    """What stands for a character that LaTeX was not told of."""
    return rf"\texttt{{U+{ord(character):04X}}}"


def _in_math(cluster: str) -> str:
    """A letter, sign or accented letter in a formula; an empty string where there is no command."""
    if cluster in MATH:
        return MATH[cluster]
    if cluster.isascii():
        return cluster if cluster.isprintable() and cluster not in TEXT else cluster if cluster in "-'<>" else ""
    base, mark = _taken_apart(cluster)
    if mark in MATH_ACCENTS and (inner := MATH.get(base) or (base if base.isascii() and base.isalnum() else "")):
        return f"{MATH_ACCENTS[mark]}{{{inner}}}"
    return _lettering(cluster) or _compatible(cluster)


def _taken_apart(cluster: str) -> tuple[str, str]:
    parts = unicodedata.normalize("NFD", cluster)
    return parts[0], parts[1:]


def _lettering(cluster: str) -> str:
    """ℝ, 𝒰, 𝐀: a letter of one of the mathematical alphabets."""
    name = unicodedata.name(cluster, "") if len(cluster) == 1 else ""
    kind, _, letter = name.removeprefix("MATHEMATICAL ").rpartition(" ")
    if kind not in ALPHABETS or len(letter) != 1:
        return ""
    return f"{ALPHABETS[kind]}{{{letter.lower() if kind.endswith('SMALL') else letter}}}"


def _compatible(cluster: str) -> str:
    """A fraction in one character, or raised or lowered characters, if LaTeX can write what they are made of."""
    kind, *codes = (unicodedata.decomposition(cluster) if len(cluster) == 1 else "").split() or [""]
    parts = [chr(int(code, 16)) for code in codes] if kind in ("<fraction>", "<super>", "<sub>") else []
    inner = [_in_math(part) for part in parts if part != "⁄"]
    if not all(inner) or not inner:
        return ""
    if kind == "<fraction>":
        over = parts.index("⁄") if "⁄" in parts else len(parts)
        return rf"\frac{{{''.join(inner[:over])}}}{{{''.join(inner[over:])}}}"
    return f"{'^' if kind == '<super>' else '_'}{{{joined(inner)}}}"
