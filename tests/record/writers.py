"""Processes that write and are killed. Run as `python -m tests.record.writers MODE FOLDER [NUMBER]`; says what it saw as JSON.

A process of its own: one import of torch serves all the children that are forked, and none of pytest's threads is forked.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from boundcheck.errors import BoundcheckError
from boundcheck.record import store
from boundcheck.record.counterexample import read_counterexample
from boundcheck.record.store import read_json, store_counterexample, stored_counterexamples, write_json
from tests.record.samples import counterexample

LONGEST = 0.03
NOBODY = 65_534
Reported = dict[Path, int]
"""A path that was said to be stored, and the seed of the counterexample in it."""


def faults(folder: Path, reported: Reported, known: frozenset[Path] = frozenset()) -> list[str]:
    """What is wrong in a folder: a reported file that is not there or not the one, or a visible one that is not whole.

    Files in `known` were looked at before.
    """
    found = []
    listed = set(stored_counterexamples(folder))
    visible = [path for path in folder.iterdir() if not path.name.startswith(".") and path not in known]
    for path in sorted({*visible, *reported}):
        try:
            made = read_counterexample(path)
        except BoundcheckError as error:
            found.append(str(error))
            continue
        if made.seed != reported.get(path, made.seed):
            found.append(f"{path.name} has the seed {made.seed} in place of {reported[path]}")
        if path not in listed:
            found.append(f"{path.name} is not listed")
    return found


def fork(child: Callable[[int], object]) -> tuple[int, int]:
    """A child that runs `child` with the end of a pipe to write to, and the end to read from."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    status = 1
    try:
        os.close(reading)
        child(writing)
        status = 0
    finally:
        os._exit(status)


def whole_lines(reading: int) -> list[str]:
    """What a child said until its end; a line that it did not finish is not said."""
    text = b""
    while chunk := os.read(reading, 2**16):
        text += chunk
    os.close(reading)
    return text.decode().split("\n")[:-1]


def say(writing: int, text: str, write: Callable[[int, bytes], int] = os.write) -> None:
    write(writing, f"{text}\n".encode())


# ----------------------------------------------------------------------------------------------- killed at random moments


def kill(folder: Path, rounds: int) -> dict[str, Any]:
    """Children that store and are killed, one after another; every path they reported and every file there is looked at."""
    rng = random.Random(300)
    examples, runs = folder / "counterexamples", folder / "runs"
    for made in (examples, runs):
        made.mkdir()
    base = counterexample()
    everything: Reported = {}
    looked_at: frozenset[Path] = frozenset()
    wrong: list[str] = []
    silent = 0

    def write_for_ever(number: int, writing: int) -> NoReturn:
        count = 0
        say(writing, "ready")
        while True:
            seed = number * 1_000_000 + count // 2  # each twice: the second time it stands there already
            say(writing, f"stored {seed} {store_counterexample(examples, replace(base, seed=seed))}")
            write_json(runs / "run.json", {"round": number, "count": count, "padding": ["x" * 50] * 100, "end": count})
            say(writing, f"run {count}")
            count += 1

    for number in range(rounds):
        pid, reading = fork(lambda writing, number=number: write_for_ever(number, writing))  # type: ignore[misc]
        os.read(reading, len("ready\n"))
        time.sleep(rng.uniform(0, LONGEST))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        reported: Reported = {}
        last = -1
        for line in whole_lines(reading):
            word, number_said, *path = line.split(" ", 2)
            if word == "stored":
                reported[Path(path[0])] = int(number_said)
            else:
                last = int(number_said)
        silent += not reported
        wrong += faults(examples, reported, looked_at) + _run_faults(runs / "run.json", number, last)
        looked_at = frozenset(examples.iterdir())
        everything |= reported
    left = [file for file in (*examples.iterdir(), *runs.iterdir()) if file.name.startswith(".")]
    for file in left:
        os.utime(file, (0, 0))
    usable = store_counterexample(examples, replace(base, seed=-1))
    write_json(runs / "run.json", {})
    wrong += faults(examples, everything | {usable: -1})
    still = [path.name for path in (*examples.iterdir(), *runs.iterdir()) if path.name.startswith(".")]
    return {
        "rounds": rounds,
        "reported": len(everything),
        "rounds that reported nothing": silent,
        "left unfinished": len(left),
        "left after sweeping": still,
        "faults": wrong[:5],
    }


def _run_faults(path: Path, number: int, last: int) -> list[str]:
    if not path.exists():
        return [f"{path.name} is gone"] if last >= 0 else []
    try:
        run = read_json(path)
    except BoundcheckError as error:
        return [str(error)]
    if run["count"] != run["end"]:
        return ["a run of two halves"]
    older = run["round"] < number or run["count"] < last
    return [f"run {run['round']}, {run['count']} after {number}, {last}"] if last >= 0 and older else []


def kill_in_place(folder: Path, rounds: int) -> dict[str, Any]:
    """The same with a store that writes into the file itself."""

    def in_place(path: Path, content: bytes) -> None:
        with path.open("wb") as stream:
            for start in range(0, len(content), 1000):
                stream.write(content[start : start + 1000])
                stream.flush()
                time.sleep(0.0005)

    store.write_bytes = in_place
    return kill(folder, rounds)


# -------------------------------------------------------------------------------------------------- killed at every step

STEPS = ("open", "mkdir", "write", "chmod", "fsync", "close", "replace", "unlink", "scandir", "stat")


def steps(folder: Path, _: int) -> dict[str, Any]:
    """A child killed before and after every call into the system, and in the middle of each write."""
    outcomes: dict[str, int] = {"old": 0, "new": 0}
    wrong: list[str] = []
    base = counterexample()
    moment = 0
    while True:
        at = folder / str(moment)
        at.mkdir()
        write_json(at / "run.json", {"state": "old"})

        def child(writing: int, at: Path = at, moment: int = moment) -> None:
            _die_at(moment)
            write_json(at / "run.json", {"state": "new"})
            say(writing, "run")
            say(writing, str(store_counterexample(at / "deep" / "er", base)))

        pid, reading = fork(child)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        said = whole_lines(reading)
        state = read_json(at / "run.json")["state"]
        outcomes[state] += 1
        if said and state != "new":
            wrong.append(f"moment {moment}: the run was reported and is {state}")
        if (at / "deep" / "er").exists():
            wrong += faults(at / "deep" / "er", {Path(path): 0 for path in said[1:]})
        elif said[1:]:
            wrong.append(f"moment {moment}: {said[1]} was reported and is not there")
        write_json(at / "run.json", {"state": "again"})
        wrong += faults(at / "deep" / "er", {store_counterexample(at / "deep" / "er", base): 0})
        if status != -signal.SIGKILL:
            return {"moments": moment, "outcomes": outcomes, "status": status, "said": len(said), "faults": wrong[:5]}
        moment += 1


def _die_at(moment: int) -> None:
    """Kill this process at the moment-th of the times before, in the middle of and after a step."""
    passed = 0

    def tick() -> None:
        nonlocal passed
        if passed == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        passed += 1

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            tick()
            if name == "write":
                handle, data = args
                count: int = real(handle, data[: len(data) // 2 or 1])
            result = count if name == "write" else real(*args, **kwargs)
            tick()
            return result

        return call

    for name in STEPS:
        setattr(os, name, watched(name, getattr(os, name)))


# ------------------------------------------------------------------------------------------------------- several at once


def together(folder: Path, each: int) -> dict[str, Any]:
    """Four writers into one folder that none has made yet, with contents that overlap."""
    base = counterexample()
    examples = folder / "made" / "by" / "all"
    seeds = [random.Random(number).sample(range(each + each // 2), each) for number in range(4)]

    def write_all(number: int, writing: int) -> None:
        for seed in seeds[number]:
            say(writing, f"{seed} {store_counterexample(examples, replace(base, seed=seed))}")
            write_json(examples.parent / "run.json", {"writer": number, "seed": seed})

    children = [fork(lambda writing, number=number: write_all(number, writing)) for number in range(4)]  # type: ignore[misc]
    lines = [whole_lines(reading) for _, reading in children]
    failed = [pid for pid, _ in children if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]
    reported = {Path(path): int(seed) for said in lines for seed, path in (line.split(" ", 1) for line in said)}
    return {
        "stores": sum(map(len, lines)),
        "failed": len(failed),
        "contents": len({seed for drawn in seeds for seed in drawn}),
        "files": len(stored_counterexamples(examples)),
        "left unfinished": [path.name for path in examples.iterdir() if path.name.startswith(".")],
        "run": sorted(read_json(examples.parent / "run.json")),
        "faults": faults(examples, reported)[:5],
    }


# ------------------------------------------------------------------------------------------------------------- no room


def no_room(folder: Path, _: int) -> dict[str, Any]:
    """Limits that the system itself sets: a size that files may not exceed, and folders that may not be written or read."""
    folder.chmod(0o755)
    base = counterexample()
    said: dict[str, list[str]] = {}

    def attempt(name: str, limit: Callable[[], object], mode: int) -> None:
        at = folder / name
        at.mkdir()
        path = store_counterexample(at, base)
        before = {file.name: file.read_bytes() for file in at.iterdir()}
        at.chmod(mode)

        def child(writing: int) -> None:
            limit()
            for other in (replace(base, seed=1), base):
                try:
                    say(writing, f"stored {store_counterexample(at, other).name}")
                except BoundcheckError as error:
                    say(writing, str(error))
            try:
                say(writing, f"read {read_counterexample(path).seed}")
            except BoundcheckError as error:
                say(writing, str(error))

        pid, reading = fork(child)
        said[name] = whole_lines(reading)
        os.waitpid(pid, 0)
        at.chmod(0o755)
        after = {file.name: file.read_bytes() for file in at.iterdir()}
        said[name].append("untouched" if before == after else "changed")

    attempt("size", _small_files, 0o755)
    attempt("read-only", _as_nobody, 0o555)
    attempt("closed", _as_nobody, 0o000)
    attempt("write-only", _as_nobody, 0o333)
    return said


def _small_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))


def _as_nobody() -> None:
    """Permissions do not bind the superuser."""
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)


if __name__ == "__main__":
    modes = {"kill": kill, "kill-in-place": kill_in_place, "steps": steps, "together": together, "no-room": no_room}
    started = time.perf_counter()
    result = modes[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps(result | {"seconds": round(time.perf_counter() - started, 2)}))
