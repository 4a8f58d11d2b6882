"""A table in the style of booktabs, which goes on over as many pages as it needs and is never wider than one."""

from collections.abc import Sequence

from boundcheck.report.latex.text import code, comment, number, statement, words
from boundcheck.report.table import Column, Kind, Table

EM = {Kind.KEY: 0.54, Kind.PATH: 0.54}
"""The width of a letter in em: of a typewriter's, and (USUAL) of the others."""

USUAL = 0.5
LINE = 54.0
"""About how many em of a table's letters stand side by side on a line, without the gaps between columns."""

WIDEST = 17.0
"""In em: a column whose cells are longer breaks its lines; one that may do so gets no less than LEAST."""

LEAST = 8.0


def fragment(tables: Sequence[Table], label: str, stamp: str) -> str:
    """Tables in a file of their own, which says where it comes from and what it needs."""
    needs = r"\usepackage{array,booktabs,longtable,amsmath,amssymb}"
    return "\n".join([comment(stamp), f"% needs {needs}", longtables(tables, label), ""])


def longtables(tables: Sequence[Table], label: str) -> str:
    """Tables with the same headers, each with a caption, and what the headers mean below the last."""
    labels = [label if i == 0 else f"{label}-{i + 1}" for i in range(len(tables))]
    parts = [longtable(table, each) for table, each in zip(tables, labels, strict=True)]
    note = tables[-1].note
    return "\n".join([*parts, *([rf"{{\footnotesize\noindent {words(note)}\par\medskip}}"] if note else [])])


def longtable(table: Table, label: str = "") -> str:
    """One table; without a label it has no caption either. It needs array, booktabs, longtable, amsmath and amssymb."""
    headers = " & ".join(words(column.header) for column in table.columns) + r" \\"
    gap = r" \addlinespace[1.5pt]" if any(column.share for column in table.columns) else ""
    rows = [
        " & ".join(_cell(column, cell) for column, cell in zip(table.columns, row, strict=True)) + r" \\" + gap
        for row in table.rows
    ]
    caption = [rf"\caption{{{words(table.title)}.}}\label{{{label}}}\\"] if label else []
    lines = [
        r"\begingroup\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\begin{{longtable}}[l]{{@{{}}{_columns(table)}@{{}}}}",
        *caption,
        rf"\toprule {headers} \midrule \endfirsthead",
        rf"\toprule {headers} \midrule \endhead",
        r"\bottomrule \endfoot",
        *rows,
        r"\end{longtable}",
        r"\endgroup",
    ]
    return "\n".join(lines)


def _cell(column: Column, cell: str) -> str:
    """A cell in its column's kind. What stands first in a row must not look like an option of the row's end before it."""
    write = {Kind.KEY: code, Kind.PATH: code, Kind.FORMULA: statement, Kind.NUMBER: number, Kind.WORDS: words}[
        column.kind
    ]
    written = "--" if cell == "-" else write(cell) if cell else ""
    return f"{{}}{written}" if written.startswith(("[", "*")) else written


def _columns(table: Table) -> str:
    """Narrow columns are as wide as their cells; the others share, by their weights, what is left of the line."""
    widths = [_natural(column, [row[i] for row in table.rows]) for i, column in enumerate(table.columns)]
    narrow = [width for column, width in zip(table.columns, widths, strict=True) if not column.share]
    widest = _widest(narrow, LINE - LEAST * (len(widths) - len(narrow)))
    taken = sum(min(width, widest) for width in narrow)
    weights = sum(column.share for column in table.columns)
    left = rf"\dimexpr\linewidth-{taken:.1f}em-{2 * len(widths) - 2}\tabcolsep\relax"
    specs = []
    for column, width in zip(table.columns, widths, strict=True):
        if column.share:
            specs.append(_paragraph(rf"{column.share / weights:.3f}{left}"))
        elif width > widest:
            specs.append(_paragraph(f"{widest:.1f}em"))
        else:
            specs.append("r" if column.align == "right" else "l")
    return "".join(specs)


def _widest(widths: list[float], room: float) -> float:
    """The width above which columns have to break their lines, so that all fit into the room."""
    widest = WIDEST
    while sum(min(width, widest) for width in widths) > room and widest > 1:
        widest -= 0.5
    return widest


def _paragraph(width: str) -> str:
    return rf">{{\raggedright\arraybackslash}}p{{{width}}}"


def _natural(column: Column, cells: list[str]) -> float:
    """About how wide a column is, in em."""
    longest = max(len(cell) for cell in [column.header, *cells])
    return EM.get(column.kind, USUAL) * longest
