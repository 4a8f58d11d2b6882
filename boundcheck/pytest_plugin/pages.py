"""Pages of the run, written beside its file when it has ended."""

from pathlib import Path
from typing import Any

import pytest

from boundcheck.errors import BoundcheckError
from boundcheck.pytest_plugin.options import option, run_path
from boundcheck.pytest_plugin.saving import placed

FOLDER = "report"
"""Pages go into this folder beside the run."""


def formats(config: pytest.Config) -> list[str]:
    """The formats that were asked for. Raises BoundcheckError for an unknown one."""
    asked = option(config, "report")
    if not asked:
        return []
    from boundcheck.report.writing import FORMATS

    names = [name.strip() for name in asked.split(",")]
    for name in names:
        if name not in FORMATS:
            raise BoundcheckError(
                f"{name!r} in --boundcheck-report={asked}",
                expected=f"some of {', '.join(FORMATS)}, with commas between",
            )
    return list(dict.fromkeys(names))


def write_pages(config: pytest.Config, run: dict[str, Any], form: str) -> list[Path]:
    """Write the pages of one format; the run's entries name their files absolutely. Raises whatever a page stumbles over."""
    from boundcheck.report.writing import write_report

    folder = run_path(config).parent
    return write_report(placed(run, folder), form, folder / FOLDER)
