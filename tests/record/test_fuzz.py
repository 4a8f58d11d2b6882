"""Spoiled files, thousands of them: each is one sentence, or is whole."""

import json
import random
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem
from boundcheck.record.counterexample import parse_counterexample, read_counterexample
from tests.record.fuzzing import mutate, spoiled
from tests.record.samples import counterexamples

IN_MEMORY, ON_DISK, PROBLEMS = 10_400, 400, 3_000
LONGEST_SECONDS = 1.0
MOST_MEMORY = 300 * 2**20
FORBIDDEN = ("exec", "compile", "import", "open", "os.", "subprocess.", "socket.", "ctypes.", "pickle.", "shutil.")


@dataclass
class Watch:
    """What the interpreter reports while it is looking."""

    looking: bool = False
    seen: list[str] = field(default_factory=list)

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.looking and event.startswith(FORBIDDEN):
            self.seen.append(f"{event} {args!r}"[:200])


WATCH = Watch()
sys.addaudithook(WATCH)  # there is no way to take one off again: it looks only when it is told to


def outcome(content: bytes, where: Path | None) -> str:
    """What becomes of a file: refused in one sentence, or whole. Whatever else it raises is a failure."""
    started = time.process_time()
    try:
        if where is None:
            WATCH.looking = True
            made = parse_counterexample(content, "x.json")
        else:
            where.write_bytes(content)
            made = read_counterexample(where)
    except BoundcheckError as error:
        text = str(error)
        assert text.isprintable()
        assert text.endswith(".")
        assert len(text) < 2000
        return "refused"
    finally:
        WATCH.looking = False
        assert time.process_time() - started < LONGEST_SECONDS
    assert made.to_bytes() == content
    assert made.problem.lanes == 1
    assert bool(made.problem.finite().all())
    return "whole"


def test_ten_thousand_spoiled_files(tmp_path: Path) -> None:
    rng = random.Random(20_25)
    good = [made.to_bytes() for made in counterexamples()]
    for content in good:
        assert outcome(content, None) == "whole"
    WATCH.seen.clear()  # what is imported at the first use was imported now
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts: Counter[str] = Counter()
    for number in range(IN_MEMORY + ON_DISK):
        original = rng.choice(good)
        content, fits = spoiled(original, rng.choice(good), rng)
        where = tmp_path / "x.json" if number >= IN_MEMORY else None
        found = outcome(content, where)
        kind = "as it was" if content in good else "with a digest that fits" if fits else "as it is"
        counts[f"{kind}: {found}"] += 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(dict(counts), f"{grown / 2**20:.0f} MiB")
    assert sum(counts.values()) - counts["as it was: whole"] >= 10_000
    assert counts["as it is: whole"] == 0, "a digest sees every change"
    assert counts["with a digest that fits: whole"] > 100, "some changes leave a file that is in order"
    assert counts["with a digest that fits: refused"] > 3000
    assert counts["as it is: refused"] > 3000
    assert WATCH.seen == []
    assert grown < MOST_MEMORY


def test_spoiled_problems() -> None:
    """Behind the digest: whatever JSON value a problem is asked to come from."""
    rng = random.Random(7)
    good = [json.dumps(made.problem.to_json()) for made in counterexamples()]
    counts: Counter[str] = Counter()
    for _ in range(PROBLEMS):
        data = json.loads(rng.choice(good))
        for _ in range(rng.choice((1, 1, 2, 4))):
            if data:
                mutate(data, rng)
        try:
            problem = Problem.from_json(data)
        except BoundcheckError:
            counts["refused"] += 1
        else:
            again = Problem.from_json(json.loads(json.dumps(problem.to_json(), allow_nan=False)))
            assert again.identity() == problem.identity()
            counts["made"] += 1
    print(dict(counts))
    assert counts["refused"] > 1000
    assert counts["made"] > 100


def test_the_watch_sees_what_it_should() -> None:
    WATCH.seen.clear()
    WATCH.looking = True
    try:
        with pytest.raises(FileNotFoundError):
            open("/nowhere/at/all")  # noqa: SIM115 - there is nothing to close
        exec("1")
    finally:
        WATCH.looking = False
    assert [event.split()[0] for event in WATCH.seen if event.startswith(("open", "exec"))] == ["open", "exec"]
    WATCH.seen.clear()
