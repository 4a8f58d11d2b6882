"""A formula as a tree: what both renderers read."""

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True)
class Number:
    """Digits."""

    text: str


@dataclass(frozen=True)
class Fraction:
    """A fraction that is one character in the text."""

    over: Number
    under: Number


@dataclass(frozen=True)
class Letter:
    """One letter that stands for a quantity: set in italics."""

    text: str


@dataclass(frozen=True)
class Name:
    """A word that stands for a quantity, set upright; `function` where it applies to what follows."""

    text: str
    function: bool = False


@dataclass(frozen=True)
class Operator:
    """A sign between operands, before one (`prefix`), or after one or a comma (`postfix`)."""

    text: str
    form: Literal["infix", "prefix", "postfix"] = "infix"


@dataclass(frozen=True)
class Gap:
    """A thin space, where the text has one between two operands."""


@dataclass(frozen=True)
class Accent:
    """A letter under a combining mark."""

    base: Letter
    mark: str


@dataclass(frozen=True)
class Row:
    """Nodes side by side."""

    nodes: "tuple[Node, ...]"


@dataclass(frozen=True)
class Fenced:
    """A row between two fences."""

    open: str
    body: "Node"
    close: str


@dataclass(frozen=True)
class Root:
    """A square root."""

    body: "Node"


@dataclass(frozen=True)
class Scripts:
    """What is set below and above a base; at least one of them."""

    base: "Node"
    low: "Node | None" = None
    high: "Node | None" = None


Node: TypeAlias = Number | Fraction | Letter | Name | Operator | Gap | Accent | Row | Fenced | Root | Scripts
