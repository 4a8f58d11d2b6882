"""The files that an entry of a run names, seen from another folder."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def seen_from(entry: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A claim's entry, which names its files absolutely, with each of them named from `folder`."""
    return _with_files(entry, lambda file: relative(file, folder))


def as_typed(entry: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The same for people who work in `folder`: files below it are named from there, others absolutely."""
    return _with_files(entry, lambda file: near(file, folder))


def near(file: str | Path, folder: Path) -> str:
    """The way from `folder` to a file below it, else the file's whole name."""
    path = Path(file)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


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
