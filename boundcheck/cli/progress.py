"""How far a long command is: a bar in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from boundcheck.record.store import one_line

SECONDS = 10.0
"""Without a terminal a line is written so often at most, and whenever something new begins."""


class Shown(Protocol):
    """Where progress goes."""

    def __call__(self, done: int, total: int, words: str, *, phase: str) -> None:
        """So much of the total is done; `words` say more, `phase` names what is being done."""
        ...


@contextmanager
def progress(title: str, stream: TextIO | None = None) -> Iterator[Shown]:
    """Show the progress of one task on standard error."""
    out = stream or sys.stderr
    if not out.isatty():
        yield _Plain(title, out)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(
        *columns, TextColumn("{task.fields[words]}", markup=False), console=Console(file=out), transient=True
    ) as bar:
        task = bar.add_task(title, total=None, words="")

        def show(done: int, total: int, words: str, *, phase: str) -> None:
            bar.update(task, completed=min(done, total), total=total, words=one_line(f"{words}; {phase}"))

        yield show


class _Plain:
    def __init__(self, title: str, out: TextIO) -> None:
        self._title, self._out = title, out
        self._last, self._phase = 0.0, ""

    def __call__(self, done: int, total: int, words: str, *, phase: str) -> None:
        now = time.monotonic()
        if phase == self._phase and now - self._last < SECONDS:
            return
        self._last, self._phase = now, phase
        line = f"{self._title}: {min(100, 100 * done // max(total, 1)):3d} %, {words}; {phase}"
        self._out.write(f"{one_line(line)}\n")
        self._out.flush()
