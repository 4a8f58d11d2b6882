"""Reading an HTML page that is well-formed XML, too."""

from xml.etree import ElementTree

XHTML = "{http://www.w3.org/1999/xhtml}"
BLOCKS = tuple(f"{XHTML}{name}" for name in ("td", "th", "dt", "dd", "li", "p", "br"))


def parsed(page: str) -> ElementTree.Element:
    """The page as XML: whatever is not well-formed raises."""
    return ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))


def said(element: ElementTree.Element) -> str:
    """Its text as it is read: cells and items apart, runs of white space as one blank."""
    return " ".join(spelt(element).split())


def spelt(element: ElementTree.Element) -> str:
    inner = (element.text or "") + "".join(spelt(child) + (child.tail or "") for child in element)
    return f" {inner} " if element.tag in BLOCKS else inner


def by_id(root: ElementTree.Element) -> dict[str, ElementTree.Element]:
    return {element.attrib["id"]: element for element in root.iter() if "id" in element.attrib}


def section_of(page: str, anchor: str) -> str:
    return said(by_id(parsed(page))[anchor])
