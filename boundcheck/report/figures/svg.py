"""A matplotlib figure as SVG inside a page: named for screen readers, coloured by the page's theme, with ids of its own."""

import io
import re
import warnings
from itertools import count
from xml.etree import ElementTree

import matplotlib
from matplotlib.figure import Figure

from boundcheck.report.figures.style import COLOURS, POINTS_PER_INCH, variable

SVG = "http://www.w3.org/2000/svg"
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_FAMILY = re.compile(r"font-family: [^;]*;? ?")
_FONT = re.compile(r"font: ([\d.]+px) [^;]*")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_LINK = "{http://www.w3.org/1999/xlink}href"
_THEME = {colour: variable(name) for name, colour in COLOURS.items()}
_HIDDEN = ("metadata", "style")


def inline_svg(figure: Figure, *, prefix: str, title: str) -> str:
    """The figure as one `<svg role="img">` element; the same figure gives the same bytes.

    Args:
        figure: drawn with the colours of `style`, each of which becomes its CSS variable.
        prefix: what every id begins with; unlike that of any other figure in the page.
        title: what the figure shows, in one sentence.

    """
    root = _drawn(figure)
    _strip_namespaces(root)
    _number_ids(root, prefix)
    for element in root.iter():
        _lighten(element)
    _share_marker_styles(root)
    _name(root, f"{prefix}-title", title)
    width, height = (size * POINTS_PER_INCH for size in figure.get_size_inches())
    viewed = {"viewBox": f"0 0 {width:g} {height:g}", "style": f"max-width: {1.5 * width:g}px"}
    root.attrib = {"xmlns": SVG, "role": "img", "aria-labelledby": f"{prefix}-title", **viewed}
    return ElementTree.tostring(root, encoding="unicode")


def _drawn(figure: Figure) -> ElementTree.Element:
    page = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "boundcheck"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # text stays text: the reader's own fonts show it
        figure.savefig(page, format="svg", metadata=_NO_METADATA)
    return ElementTree.fromstring(page.getvalue())


def _strip_namespaces(root: ElementTree.Element) -> None:
    for parent in list(root.iter()):
        parent.tag = parent.tag.removeprefix(f"{{{SVG}}}")
        if _LINK in parent.attrib:
            parent.set("href", parent.attrib.pop(_LINK))
        for child in list(parent):
            if child.tag.removeprefix(f"{{{SVG}}}") in _HIDDEN or (child.tag.endswith("}defs") and _only_style(child)):
                parent.remove(child)


def _only_style(element: ElementTree.Element) -> bool:
    return all(child.tag == f"{{{SVG}}}style" for child in element)


def _number_ids(root: ElementTree.Element, prefix: str) -> None:
    """Keep the ids that something refers to, under new names."""
    wanted: set[str] = set()
    for element in root.iter():
        wanted |= {name for value in element.attrib.values() for name in _REFERENCE.findall(value)}
        wanted |= {element.attrib["href"].removeprefix("#")} if "href" in element.attrib else set()
    numbers = count(1)
    new: dict[str, str] = {}
    for element in root.iter():
        old = element.attrib.pop("id", None)
        if old in wanted:
            new[old] = f"{prefix}-{next(numbers)}"
            element.set("id", new[old])
    for element in root.iter():
        for name, value in element.attrib.items():
            element.set(name, _REFERENCE.sub(lambda found: f"url(#{new[found[1]]})", value))
        if "href" in element.attrib:
            element.set("href", f"#{new[element.attrib['href'].removeprefix('#')]}")


def _lighten(element: ElementTree.Element) -> None:
    """Theme colours for fixed ones, the page's typeface, and no more digits than a screen shows."""
    painted = [f"{name}: {element.attrib.pop(name)}" for name in ("fill", "stroke") if name in element.attrib]
    if painted:  # an attribute may not name a variable everywhere
        element.set("style", "; ".join([*painted, *filter(None, [element.get("style")])]))
    for name, value in element.attrib.items():
        if name == "style":
            value = _COLOUR.sub(lambda found: _THEME.get(found[0], found[0]), value)
            value = _FONT.sub(r"font-size: \1", _FAMILY.sub("", value))
        if name in ("style", "x", "y", "d", "transform", "width", "height"):
            value = _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), value)
        element.set(name, value.strip())
    element.text = element.text if element.tag == "text" or element.tag == "tspan" else None
    element.tail = None


def _share_marker_styles(root: ElementTree.Element) -> None:
    """A run of markers that all look alike says so once, on the group around them."""
    for group in root.iter("g"):
        marks = group.findall("use")
        styles = {mark.get("style") for mark in marks}
        if len(marks) > 1 and len(styles) == 1 and (style := styles.pop()):
            for mark in marks:
                del mark.attrib["style"]
            group.set("style", style)


def _name(root: ElementTree.Element, identifier: str, title: str) -> None:
    element = ElementTree.Element("title", {"id": identifier})
    element.text = title
    root.insert(0, element)
