"""Where a run came from: machine, versions, commit. In the shape of pytest-benchmark's."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any


def machine_info() -> dict[str, Any]:
    """Processor, system and the versions of the libraries that compute."""
    versions = {}
    for name in ("torch", "numpy", "scipy", "hypothesis", "pytest"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "release": platform.release(),
        "python_version": platform.python_version(),
        "cpu_count": os.cpu_count() or 0,
        "versions": versions,
    }


@lru_cache(maxsize=8)
def commit_info(where: Path) -> dict[str, Any]:
    """The git commit that `where` is at and whether there are changes on top; {} outside a repository."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=where, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {
            "id": git("rev-parse", "HEAD"),
            "dirty": bool(git("status", "--porcelain")),
            "time": git("log", "-1", "--format=%cI"),
        }
    except (OSError, subprocess.CalledProcessError):
        return {}


def now() -> str:
    """The time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
