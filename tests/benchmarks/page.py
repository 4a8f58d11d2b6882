"""The page on speed from a saved run alone: speed.md, speed.json, speed-scaling.svg, speed-roofline.svg.

python -m tests.benchmarks.page [SAVE] [--into FOLDER]
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from boundcheck.report.figures.pages import svg
from tests.benchmarks.figures import roofline_figure, scaling_figure
from tests.benchmarks.record import judged, read, saves
from tests.benchmarks.tables import Table, seconds, tables

SCALING = "speed-scaling.svg"
ROOFLINE = "speed-roofline.svg"
SCALING_TITLE = "Time against the sizes of the workloads: ours and a per-sample loop"
ROOFLINE_TITLE = "Operations a second of each workload under the ceilings of the processor"


def write_page(found: Mapping[str, Any], folder: Path) -> list[Path]:
    """All files; the same record gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        SCALING: (scaling_figure(found["speed"]["scaling"]), SCALING_TITLE),
        ROOFLINE: (roofline_figure(found["speed"]), ROOFLINE_TITLE),
    }
    contents = {
        "speed.md": markdown(found).encode(),
        "speed.json": (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode(),
        **{name: _named(svg(figure), title) for name, (figure, title) in figures.items()},
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def markdown(found: Mapping[str, Any]) -> str:
    """The page itself."""
    speed = found["speed"]
    parts = [opening(found), verdict(speed), *(section(table) for table in tables(speed))]
    if speed["roofline"]:
        parts.append(f"![{ROOFLINE_TITLE}]({ROOFLINE})")
    if speed["scaling"]:
        parts += [f"## Scaling\n\n![{SCALING_TITLE}]({SCALING})", scaling_table(speed["scaling"])]
    parts += list(speed["notes"])
    return "\n\n".join(parts) + "\n"


def opening(found: Mapping[str, Any]) -> str:
    """Machine, versions, commit."""
    machine, commit = found["machine_info"], found["commit_info"]
    processor = machine.get("cpu", {}).get("brand_raw", machine["machine"])
    versions = ", ".join(f"{name} {version}" for name, version in sorted(machine["versions"].items()))
    changed = " with uncommitted changes" if commit.get("dirty") else ""
    return (
        "# Speed\n\n"
        f"Measured by `make bench` on {processor}, {machine['cpu_count']} processors, one thread a process, "
        f"{machine['system']} {machine['release']}, Python {machine['python_version']}, {versions}; "
        f"commit {str(commit.get('id', 'none'))[:12]}{changed}, {found['datetime'][:10]}. "
        "`make speed` makes this page of the last save; the numbers are in `speed.json`."
    )


def verdict(speed: Mapping[str, Any]) -> str:
    """How many targets were reached, and which were not."""
    all_targets = list(judged(speed))
    missed = [(what, value, target) for what, value, target, reached in all_targets if not reached]
    said = f"{len(all_targets) - len(missed)} of {len(all_targets)} targets were reached."
    if not missed:
        return said
    lines = [f"- {what}: {_figure(value)} where {_figure(target)} is the target" for what, value, target in missed]
    return f"{said} Missed:\n\n" + "\n".join(lines)


def section(table: Table) -> str:
    """One table with its heading."""
    return f"## {table.heading}\n\n{table.text}\n\n{_table(table)}"


def scaling_table(curves: list[Mapping[str, Any]]) -> str:
    """The numbers behind the curves."""
    rows = [
        [curve["key"], curve["symbol"], f"{p['at']:,}", seconds(p["ours"]), seconds(p["loop"]) if p["loop"] else ""]
        for curve in curves
        for p in curve["points"]
    ]
    heads = ["workload", "size", "at", "ours", "loop"]
    return _table(Table("", "", heads, rows))


def _table(table: Table) -> str:
    rows = [[cell.replace("|", "\\|") for cell in row] for row in table.rows]
    return str(tabulate(rows, table.heads, tablefmt="github", disable_numparse=True))


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _named(picture: bytes, title: str) -> bytes:
    return picture.replace(b"<svg ", f'<svg role="img" aria-label="{title}" '.encode(), 1)


def main(words: list[str] | None = None) -> int:
    """Write the page of a save, the last one if none is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.page", description=__doc__.splitlines()[0])
    parser.add_argument("save", nargs="?", type=Path, help="a file in .benchmarks; the last one if not given")
    parser.add_argument("--into", type=Path, default=Path("reports"), help="folder of the page (reports)")
    given = parser.parse_args(words)
    known = [given.save] if given.save else saves()
    if not known:
        print("nothing was saved in .benchmarks: run `make bench` first", file=sys.stderr)
        return 1
    try:
        found = read(known[-1])
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for path in write_page(found, given.into):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
