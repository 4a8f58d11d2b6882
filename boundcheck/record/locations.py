"""The files that an entry of a run names, seen from another folder."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def seen_from(entry: Mapping[str, Any], folder: Path, *, at: Path | None = None) -> dict[str, Any]:
    """The entry with every file it names relative to `folder`, with forward slashes.

    Args:
        entry: a claim's entry of a run.
        folder: the folder of the file that the entry will stand in.
        at: the folder that relative names in `entry` start from now; None where it has absolute names alone.

    """
    return _with_files(entry, lambda file: relative(file if at is None else str(at / file), folder))


def relative(file: str, folder: Path) -> str:
    """The way from `folder` to `file`, with forward slashes; the absolute name where there is none (another drive)."""
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:
        return Path(file).absolute().as_posix()


def _with_files(entry: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    def changed(part: Mapping[str, Any], name: str) -> dict[str, Any]:
        return dict(part) | {name: change(part[name]) if part[name] else part[name]}

    result = dict(entry)
    for name in ("counterexample", "worst_counterexample"):
        result = changed(result, name)
    for name in ("ablations", "ladder"):
        result[name] = [changed(one, "counterexample") for one in entry[name]]
    if entry["hunted"]:
        result["hunted"] = changed(entry["hunted"], "instance")
    return result
