"""Two saved benchmark runs beside each other, by their ratios: those hardly depend on how busy the machine was, times do.

python -m tests.benchmarks.compare [BEFORE NOW]
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from tests.benchmarks.record import judged, read, saves
from tests.benchmarks.tables import seconds

HEADS = ["", "before", "now", "now/before"]


def rows(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[list[str]]:
    """Every figure with a target, then the time of each of our forms; what only one run has is left blank in the other."""
    figures = [{what: value for what, value, _, _ in judged(run["speed"])} for run in (before, now)]
    times = [{f"time of {one['key']}": one["median"] for one in run["speed"]["comparisons"]} for run in (before, now)]
    made = [_row(what, *(run.get(what) for run in figures), style="{:,.4g}".format) for what in figures[0] | figures[1]]
    return made + [_row(what, *(run.get(what) for run in times), style=seconds) for what in times[0] | times[1]]


def _row(what: str, before: float | None, now: float | None, *, style: Any) -> list[str]:
    shown = ["" if value is None else style(value) for value in (before, now)]
    return [what, *shown, "" if now is None or not before else f"{now / before:.2f}"]


def main(words: list[str] | None = None) -> int:
    """Print the comparison of two saves, the last two if none are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.compare", description=__doc__.splitlines()[0])
    parser.add_argument("saves", nargs="*", type=Path, help="two files in .benchmarks; the last two if not given")
    chosen = parser.parse_args(words).saves or saves()[-2:]
    if len(chosen) != 2:
        print(f"{len(chosen)} saved runs, two are needed: run `make bench` before and after a change", file=sys.stderr)
        return 1
    try:
        before, now = (read(path) for path in chosen)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{chosen[0].name} -> {chosen[1].name}\n")
    print(tabulate(rows(before, now), HEADS, disable_numparse=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
