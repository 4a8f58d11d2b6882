"""Formulas between dollar signs, among escaped prose."""

from boundcheck.report.notation.parser import parse
from boundcheck.report.notation.segments import Formula, segments
from boundcheck.report.notation.spelling import formula, joined, prose
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
from boundcheck.report.notation.vocabulary import words

_COMMANDS = words("exp log ln min max sup inf lim det dim ker arg sin cos tan sinh cosh tanh Pr")
_FENCES = {"|": (r"\lvert", r"\rvert"), "‖": (r"\lVert", r"\rVert"), "∥": (r"\lVert", r"\rVert")}


def latex(text: str) -> str:
    """The text as LaTeX in pure ASCII, to be read with amsmath and amssymb: prose escaped, formulas as $…$.

    What is seen is what `mathml` shows. A character that no command is known for becomes its number, \\texttt{U+2603}; white
    space in prose, line ends too, becomes one space, so that no paragraph ends here. Never raises.
    """
    return "".join(_math(s) if isinstance(s, Formula) else prose(s.text) for s in segments(text))


def _math(segment: Formula) -> str:
    return f"${_node(parse(segment.elements))}$"


def _node(node: Node) -> str:
    match node:
        case Number(text) | Letter(text):
            return formula(text)
        case Fraction(over, under):
            return rf"\frac{{{_node(over)}}}{{{_node(under)}}}"
        case Name(text, function):
            return _name(text, function)
        case Operator(text, form):
            return _operator(text, form)
        case Gap():
            return r"\,"
        case Accent(base, mark):
            return formula(base.text + mark)
        case Row(nodes):
            return _row(nodes)
        case Fenced(opening, body, closing):
            left, right = _FENCES.get(opening, (formula(opening), formula(closing)))
            return joined([left, _node(body), right])
        case Root(body):
            return rf"\sqrt{{{_node(body)}}}"
        case Scripts(base, low, high):
            return _scripts(base, low, high)


def _row(nodes: tuple[Node, ...]) -> str:
    """The nodes side by side. A function's name brings its own gap."""
    pieces = []
    for before, node in zip((None, *nodes), nodes, strict=False):
        named = before.base if isinstance(before, Scripts) else before
        if not (isinstance(node, Gap) and isinstance(named, Name) and named.function):
            pieces.append(_node(node))
    return joined(pieces)


def _name(text: str, function: bool) -> str:
    if text in _COMMANDS:
        return f"\\{text}"
    if text.isascii() and text.isalnum():
        return rf"\{'operatorname' if function else 'mathrm'}{{{text}}}"
    return rf"\text{{{prose(text)}}}"


def _operator(text: str, form: str) -> str:
    if text in _FENCES:
        return r"\mid " if text == "|" else r"\,\|\,"
    if form == "postfix" and set(text) == {"′"}:
        return r"\prime" * len(text)
    if form == "postfix" and text in "∗*":
        return "*"
    return formula(text)


def _scripts(base: Node, low: Node | None, high: Node | None) -> str:
    """Braces around a base that has scripts of its own, and around every script of more than one character."""
    written = _node(base)
    if isinstance(base, Scripts):
        written = f"{{{written}{{}}}}"  # TeX sees through braces around an accented letter alone
    elif isinstance(base, Row):
        written = f"{{{written}}}"
    return written + _script("_", low) + _script("^", high)


def _script(mark: str, node: Node | None) -> str:
    if node is None:
        return ""
    written = _node(node)
    return mark + (written if len(written) == 1 else f"{{{written}}}")
