"""A table that knows nothing of a format: what stands in its cells, and what kind of thing each column holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

Entry = Mapping[str, Any]


SILENT = frozenset({"", "-", "0.0 %", "none stated"})
"""Cells that say nothing."""


class Kind(StrEnum):
    """What a column's cells are, so that each format can set them."""

    KEY = "key"
    WORDS = "words"
    FORMULA = "formula"
    NUMBER = "number"
    PATH = "path"


@dataclass(frozen=True)
class Column:
    """A header, the kind of what is below it, and the side it is flush with.

    Attributes:
        share: for columns of long text: their part of the width that the others leave; 0 for columns as wide as their cells.
        meaning: what the header stands for, in words that belong below the table.

    """

    header: str
    kind: Kind = Kind.WORDS
    align: Literal["left", "right"] = "left"
    share: float = 0
    meaning: str = ""


@dataclass(frozen=True)
class Table:
    """Columns and rows of plain text; `remark` is what the columns' own meanings leave to be said."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    remark: str = ""

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), self.title

    @property
    def note(self) -> str:
        """A paragraph for below the table: what its headers mean."""
        meanings = [f"{column.header}: {column.meaning}." for column in self.columns if column.meaning]
        return " ".join([*meanings, *([self.remark] if self.remark else [])])

    def telling(self) -> "Table":
        """The same rows without the columns that say nothing of any of them, and without what their headers mean."""
        if not self.rows:
            return self
        columns = zip(self.columns, zip(*self.rows, strict=True), strict=True)
        return self.only(*(column.header for column, cells in columns if not set(cells) <= SILENT))

    def only(self, *headers: str) -> "Table":
        """The same rows with these columns, in this order."""
        places = [[column.header for column in self.columns].index(header) for header in headers]
        rows = tuple(tuple(row[place] for place in places) for row in self.rows)
        return replace(self, columns=tuple(self.columns[place] for place in places), rows=rows)


def table(title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]], remark: str = "") -> Table | None:
    """A table, or None where there would be nothing in it."""
    return Table(title, tuple(columns), tuple(tuple(row) for row in rows), remark) if rows else None


def key(entry: Entry) -> tuple[str, str]:
    """What entries are sorted by."""
    return entry["id"], entry["form"]


def name(entry: Entry) -> str:
    """The claim's key, as people type it."""
    return f"{entry['id']}:{entry['form']}"


def number(value: float | None, digits: int = 4) -> str:
    """A measured number to so many digits; a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}g}"


def ratio(value: float | None, digits: int = 4) -> str:
    """A ratio of both sides: as `number`, and near 1 by its distance from 1, so that only an exact 1 reads 1."""
    plain = number(value, digits)
    if value is None or value == 1 or plain != "1":
        return plain
    return f"1 {'-' if value < 1 else '+'} {abs(value - 1):.2g}"


def share(entry: Entry, count: int) -> str:
    """A count in per cent of the instances tested."""
    return percent(count, entry["tested"])


def percent(part: int, whole: int, decimals: int = 1) -> str:
    """Per cent; only none of them reads 0, and only all of them 100."""
    if not whole:
        return "-"
    step, shown = 10.0**-decimals, f"{100 * part / whole:.{decimals}f}"
    if part and not float(shown):
        return f"< {step:g} %"
    return f"> {100 - step:.{decimals}f} %" if part < whole and float(shown) == 100 else f"{shown} %"
