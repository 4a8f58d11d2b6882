"""A run in any of the formats, as text or as files."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from boundcheck.errors import BoundcheckError
from boundcheck.record.store import one_line, write_bytes
from boundcheck.report.provenance import UNFINISHED

Run = Mapping[str, Any]


class Told(Protocol):
    """Who wants to know how far a long page is."""

    def __call__(self, done: int, total: int, words: str) -> None:
        """So much of the total is done; `words` say what."""
        ...


def page(run: Run, form: str, *, title: str | None = None, told: Told | None = None) -> str:
    """The run as one page without files beside it. Raises BoundcheckError for an unknown format."""
    if form == "terminal":
        return _terminal(run, title)
    if form == "markdown":
        from boundcheck.report.markdown import markdown_page

        return markdown_page(run, title=title)
    if form == "latex":
        from boundcheck.report.latex import latex_page

        return latex_page(run, title=title)
    if form == "html":
        from boundcheck.report.html import html_page

        return html_page(run, title=title, told=told)
    if form == "json":
        from boundcheck.report.summary import summary

        return json.dumps(summary(run), indent=1, allow_nan=False) + "\n"
    raise BoundcheckError(f"the format {form!r}", expected=f"one of {', '.join(FORMATS)}")


def write_report(
    run: Run, form: str, folder: Path, *, title: str | None = None, told: Told | None = None
) -> list[Path]:
    """Write the run's page with its figures into a folder, which is made where it is missing.

    Args:
        run: a run of the current schema.
        form: one of FORMATS.
        folder: where `report.txt`, `.md`, `.tex`, `.html` or `.json` goes, in the place of an earlier one.
        title: of the page, instead of its own.
        told: is told how far it is, where that takes long.

    Returns:
        The files, the page first.

    Raises:
        BoundcheckError: for an unknown format, and where the folder cannot be written.

    """
    files = (
        _FILES[form](run, title) if form in _FILES else {_NAMES.get(form, ""): page(run, form, title=title, told=told)}
    )
    for name, content in files.items():
        write_bytes(folder / name, content.encode() if isinstance(content, str) else content)
    return [folder / name for name in files]


def _terminal(run: Run, title: str | None) -> str:
    """The closing table of the run. What a file says cannot move the cursor."""
    from boundcheck.report.counterexamples import BESIDE, stored
    from boundcheck.report.terminal import closing_page

    claims = run["claims"]
    beside = [BESIDE] if stored(claims) else []
    origin = f"profile {run['profile']}, {run['datetime']}, boundcheck {run['version']}: {run['command']}"
    unfinished = [] if run["finished"] else [UNFINISHED]
    parts = [*([title] if title else []), *unfinished, closing_page(claims), *beside, origin]
    return "\n".join(one_line(line) for line in "\n\n".join(parts).split("\n")) + "\n"


def _markdown_files(run: Run, title: str | None) -> dict[str, str | bytes]:
    from boundcheck.report.figures.pages import svg
    from boundcheck.report.figures.summary import summary_figure
    from boundcheck.report.markdown import markdown_page

    text = markdown_page(run, title=title, figures={"summary": "summary.svg"})
    return {"report.md": text, "summary.svg": svg(summary_figure(run["claims"]))}


def _latex_files(run: Run, title: str | None) -> dict[str, str | bytes]:
    from boundcheck.report.figures.pages import pdf
    from boundcheck.report.figures.summary import summary_figures
    from boundcheck.report.latex import fragments, latex_page

    text = latex_page(run, title=title, figure="summary.pdf")
    return {"report.tex": text, "summary.pdf": pdf(summary_figures(run["claims"])), **fragments(run)}


_NAMES = {
    "terminal": "report.txt",
    "markdown": "report.md",
    "latex": "report.tex",
    "html": "report.html",
    "json": "report.json",
}
_FILES: dict[str, Callable[[Run, str | None], dict[str, str | bytes]]] = {
    "markdown": _markdown_files,
    "latex": _latex_files,
}
FORMATS = tuple(_NAMES)
"""What a run can be written as."""
