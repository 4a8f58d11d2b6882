"""Any text as Markdown that shows exactly that text: escaped, in code spans, in tables."""

import re

from boundcheck.record.store import one_line
from boundcheck.report.table import Column, Kind, Table

_INLINE = re.compile(r"[\\`*_\[\]|~$]|<(?=[A-Za-z/!?])|&(?=[#A-Za-z])")
_AT_THE_START = re.compile(r"^(\d{1,9})([.)])|^([-+=#>])")


def inline(words: str) -> str:
    """A piece of a line, or of a table's cell, that renders as `words`; runs of white space become one space."""
    return _INLINE.sub(r"\\\g<0>", one_line(" ".join(words.split())))


def text(words: str) -> str:
    """The same for a whole paragraph: nothing at its start makes it a list, a heading or a quotation."""
    escaped = inline(words)
    return _AT_THE_START.sub(lambda found: f"{found[1] or ''}\\{found[2] or found[3]}", escaped)


def code(words: str) -> str:
    """A code span that holds `words`, whatever backticks are in it; nothing where there are none."""
    words = one_line(" ".join(words.split()))
    if not words:
        return ""
    fence = "`" * (_longest_run(words) + 1)
    space = " " if words.startswith("`") or words.endswith("`") else ""
    return f"{fence}{space}{words}{space}{fence}"


def code_block(lines: list[str]) -> str:
    """Lines as they are, in a fenced block."""
    clean = [one_line(line) for line in lines]
    fence = "`" * max(3, _longest_run("\n".join(clean)) + 1)
    return "\n".join([f"{fence}text", *clean, fence])


def _longest_run(words: str) -> int:
    return max((len(run) for run in re.findall("`+", words)), default=0)


def markdown_table(table: Table) -> str:
    """The table without its title and note. Numbers are flush right; what is a key or a path is code."""
    rule = ["---:" if column.align == "right" else ":---" for column in table.columns]
    rows = [[_cell(column, cell) for column, cell in zip(table.columns, row, strict=True)] for row in table.rows]
    lines = [[inline(column.header) for column in table.columns], rule, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(column: Column, cell: str) -> str:
    """Escaped; in code spans a pipe still ends a cell, so that keys and paths with one are text."""
    is_code = column.kind in (Kind.KEY, Kind.PATH) and "|" not in cell
    return code(cell) if is_code else inline(cell)
