"""A table as plain text, for a terminal."""

from textwrap import fill

from tabulate import tabulate

from boundcheck.report.table import Table

WIDTH = 120


def plain(table: Table | None, *, headed: bool = True) -> str:
    """The table below its title and above its note; nothing where there is none."""
    if table is None:
        return ""
    headers = [column.header for column in table.columns]
    align = [column.align for column in table.columns]
    body = str(tabulate(table.rows, headers=headers, tablefmt="simple", disable_numparse=True, colalign=align))
    parts = [table.title if headed else "", body, fill(table.note, width=WIDTH)]
    return "\n".join(part for part in parts if part)
