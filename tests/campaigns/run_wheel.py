"""The wheel as a user gets it: built from what is committed, installed where the repository is not, and tried.

    python tests/campaigns/run_wheel.py [FOLDER]

FOLDER holds the clean copy, the environment and what is tried; an environment that is in it already is used again. Where none is
named it is a temporary one. The packages of requirements.txt come from the index that pip is configured for.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOOKS = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"
SHADOWING = "raise RuntimeError('a folder of the user was imported in the place of ours')\n"


class Failed(Exception):  # noqa: N818 - the end of this program, and no error of anybody's code
    """Something did not go as it must."""


def say(words: str) -> None:
    """One line, at once."""
    print(f"wheel: {words}", flush=True)


def run(command: Sequence[str | Path], *, at: Path, expected: int = 0, words: str = "") -> str:
    """What a command prints; `words` say what it does, where it does not do so itself.

    Nothing of this process's Python reaches it. Raises Failed for another exit code than the expected one.
    """
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "PYTEST"))
    }
    shown = words or " ".join([Path(command[0]).name, *map(str, command[1:])])
    started = time.monotonic()
    done = subprocess.run(
        list(map(str, command)),
        cwd=at,
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    say(f"{shown[:110]} ({time.monotonic() - started:.0f} s)")
    if done.returncode != expected:
        raise Failed(f"exit code {done.returncode}, expected {expected}, of: {shown}\n{done.stdout}")
    return done.stdout


def require(holds: bool, words: str) -> None:
    """Raises Failed where it does not hold."""
    if not holds:
        raise Failed(words)


# ------------------------------------------------------------------------------------------------------------ building


def committed(folder: Path) -> Path:
    """A copy of what git has at HEAD, links as links."""
    source = folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x"], cwd=source, input=archive, check=True)
    return source


def built(hook: str, source: Path, folder: Path) -> Path:
    """The sdist or the wheel of a source tree."""
    folder.mkdir(exist_ok=True)
    printed = run([sys.executable, "-c", HOOKS, hook, folder], at=source, words=f"{hook} in {source.name}")
    return folder / printed.strip().splitlines()[-1]


def unpacked(sdist: Path, folder: Path) -> Path:
    """The one folder that an sdist holds."""
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(sdist) as archive:
        links = [member.name for member in archive if member.issym() or member.islnk()]
        require(not links, f"the sdist holds links: {links}")
        archive.extractall(folder, filter="data")
    (only,) = folder.iterdir()
    beside = sorted(
        path.name for path in only.iterdir() if path.suffix not in (".egg-info", ".toml", ".cfg", ".in", ".md")
    )
    require(beside == ["PKG-INFO", "boundcheck"], f"beside the package the sdist holds {beside}")
    return only


def shipped() -> set[str]:
    """What is committed below the package, its two linked folders included, by its name in a wheel."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    names = {
        re.sub(r"^(theorems|strategies)/", r"boundcheck/\1/", name)
        for name in tracked
        if not (ROOT / name).is_symlink()
    }
    return {name for name in names if name.startswith("boundcheck/")}


def check_contents(wheel: Path, other: Path) -> None:
    """All that is committed below the package is in it, nothing else is, and the wheel made of the sdist has the same files."""
    names, others = (sorted(zipfile.ZipFile(file).namelist()) for file in (wheel, other))
    require(names == others, f"made of the sdist the wheel differs in {sorted(set(names) ^ set(others))}")
    strange = [name for name in names if not re.match(r"boundcheck(-[\w.]+\.dist-info)?/", name) or "/tests/" in name]
    require(not strange, f"the wheel holds {strange}")
    left_out = sorted(shipped() - set(names))
    require(not left_out, f"the wheel lacks {left_out}")
    say(f"{wheel.name}: {len(names)} files")


def environment(folder: Path, wheel: Path) -> Path:
    """The folder of programs of an environment with the pinned packages and this wheel, and nothing of the system's."""
    if not (folder / "bin" / "python").exists():
        run([sys.executable, "-m", "venv", folder], at=folder.parent)
    pip: list[str | Path] = [
        folder / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    run([*pip, "-r", ROOT / "requirements.txt"], at=folder.parent)
    run([*pip, "--no-deps", "--force-reinstall", wheel], at=folder.parent)
    run([folder / "bin" / "python", "-m", "pip", "check"], at=folder.parent)
    return folder / "bin"


# -------------------------------------------------------------------------------------------------------------- trying


def try_commands(programs: Path, at: Path) -> None:
    """What a user types first, in an empty folder."""
    where = run([programs / "python", "-c", "import boundcheck; print(boundcheck.__file__)"], at=at, words="import")
    require(Path(where.strip()).is_relative_to(programs.parent), f"boundcheck was imported from {where}")
    require("version" in run([programs / "boundcheck", "--version"], at=at), "no version is printed")
    listed = run([programs / "boundcheck", "list"], at=at)
    require("LE-7:U" in listed and "AC-6.2:printed" in listed, "the shipped claims are not listed")
    run([programs / "boundcheck", "new", "my_lemma"], at=at)
    tried = run([programs / "pytest", ".", "--boundcheck-profile", "fast", "-q"], at=at)
    require("5 passed" in tried, f"what `boundcheck new` wrote does not pass:\n{tried}")


def try_own_claims(programs: Path, at: Path) -> None:
    """The README's example, beside folders of the user's own that have our names."""
    for name in ("strategies", "theorems"):
        (at / name).mkdir()
        (at / name / "__init__.py").write_text(SHADOWING)
    example = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)[0]
    (at / "my_claims").mkdir()
    (at / "my_claims" / "dimensions.py").write_text(example, encoding="utf-8")
    run([programs / "pytest", "my_claims", "--boundcheck-profile", "fast", "-q"], at=at, expected=1)
    found = json.loads((at / ".boundcheck" / "last-run.json").read_text())
    verdicts = {f"{entry['id']}:{entry['form']}": entry["verdict"] for entry in found["claims"]}
    require(verdicts == {"MY-right:proved": "HOLDS", "MY-wrong:proved": "VIOLATED"}, f"the verdicts are {verdicts}")
    require(
        "VIOLATED" in run([programs / "boundcheck", "list", "MY-", "--claims", "my_claims"], at=at), "no verdict listed"
    )
    run([programs / "boundcheck", "report", ".boundcheck/last-run.json"], at=at)
    for form in ("html", "markdown", "latex", "json"):
        said = run([programs / "boundcheck", "report", "--format", form, "-o", "pages"], at=at).splitlines()
        written = [line for line in said if line.startswith("pages")]  # what else is said is progress
        require(bool(written) and all((at / file).is_file() for file in written), f"report as {form} wrote {written}")
    run([programs / "boundcheck", "compare", ".boundcheck/last-run.json"], at=at)
    (wrong,) = (entry for entry in found["claims"] if entry["verdict"] == "VIOLATED")
    stored = Path(".boundcheck", wrong["counterexample"])
    proved = run([programs / "boundcheck", "replay", stored, "--claims", "my_claims"], at=at)
    require("proved again by two routes" in proved, proved)
    (at / "notes.txt").write_text("Lemma 1 is fine\n")
    run([programs / "boundcheck", "replay", "notes.txt"], at=at, expected=2)


def main(folder: Path) -> None:
    """Build, install, try."""
    say(f"in {folder}")
    source = committed(folder)
    sdist = built("build_sdist", source, folder / "dist")
    wheel = built("build_wheel", unpacked(sdist, folder / "unpacked"), folder / "dist")
    check_contents(wheel, built("build_wheel", source, folder / "direct"))
    programs = environment(folder / "environment", wheel)
    for number, trial in enumerate((try_commands, try_own_claims)):
        at = folder / f"try-{number}"
        shutil.rmtree(at, ignore_errors=True)
        at.mkdir()
        trial(programs, at)


if __name__ == "__main__":
    kept = [Path(word).resolve() for word in sys.argv[1:2]]
    with tempfile.TemporaryDirectory(prefix="boundcheck-wheel-") as temporary:
        try:
            main(*(kept or [Path(temporary)]))
        except Failed as failure:
            say(f"FAILED: {failure}")
            sys.exit(1)
    say("PASSED: built, installed, and tried outside the repository")
