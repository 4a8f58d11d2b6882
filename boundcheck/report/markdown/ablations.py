"""Which premises carry a claim, as a page of its own."""

from collections.abc import Sequence

from boundcheck.report.ablations import premises_taken_away, reasons
from boundcheck.report.markdown.text import code, markdown_table, text
from boundcheck.report.table import Entry


def ablation_page(entries: Sequence[Entry], command: str) -> str:
    """The table as a page in Markdown."""
    found = premises_taken_away(entries)
    if found is None:
        return ""
    parts = [f"# {text(found.title)}", code(command), markdown_table(found), text(found.note)]
    listed = "\n".join(f"- {text(reason)}" for reason in reasons(entries))
    return "\n\n".join(part for part in [*parts, listed] if part) + "\n"
