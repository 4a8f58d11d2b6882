"""Claims as pytest items, and the closing table.

`pytest theorems` is the main job: every module that registers claims is collected, each claim becomes an ordinary test
function with its key as the name, its entry of the record travels in `user_properties` (so it crosses pytest-xdist and
reaches JUnit), and the run is written after each claim, so that an interrupted one loses nothing. Nothing here imports torch
before a claim does.
"""

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from boundcheck.errors import BoundcheckError
from boundcheck.profiles import PROFILES, Climbs, Profile, profile

if TYPE_CHECKING:
    from boundcheck.claim import Claim

PROPERTY = "boundcheck_entry"
OPTIONS = {
    "profile": ("default", f"how hard to look: {', '.join(PROFILES)}"),
    "device": ("cpu", "where to compute: cpu, cuda, cuda:N, or auto for a GPU where there is one"),
    "seed": ("0", "seed of all draws; the same seed on the same installation gives the same result"),
    "budget": ("", "holds to ask of each claim, instead of the profile's number"),
    "hunt": ("", "the climb towards each claim's worst case, STRUCTURESxLANESxSTEPS or off, instead of the profile's"),
    "ablate": (
        "off",
        "take each premise away in turn and hunt what is left, STRUCTURESxLANESxSTEPS (minutes a claim) or off",
    ),
    "save": ("", "file to write the run to (default: .boundcheck/last-run.json below the root directory)"),
}
MARKERS = (
    "claim: a claim of a theorem, collected by boundcheck",
    "printed: a claim as its source prints it",
    "proved: a claim with proved constants",
    "corrected: a repaired version of a false claim",
    "conjectured: a claim that is not settled",
    "real: a claim evaluated on real data, which informs and never gates",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, and an ini value `boundcheck_NAME` for each."""
    group = parser.getgroup("boundcheck", "checking the bounds of theorems")
    for name, (default, text) in OPTIONS.items():
        group.addoption(f"--boundcheck-{name}", default=None, metavar=name.upper(), help=text)
        parser.addini(f"boundcheck_{name}", f"default of --boundcheck-{name}", default=default)


def _option(config: pytest.Config, name: str) -> str:
    given = config.getoption(f"--boundcheck-{name}")
    return str(given if given is not None else config.getini(f"boundcheck_{name}"))


def pytest_configure(config: pytest.Config) -> None:
    """Check the options before anything runs, and listen for entries."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    try:
        chosen = _profile(config)
        _seed(config)
        _check_device(_option(config, "device"))
        Climbs.parse(_option(config, "ablate"))
    except BoundcheckError as error:
        raise pytest.UsageError(str(error)) from None
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(config, chosen), "boundcheck-recorder")


def _profile(config: pytest.Config) -> Profile:
    chosen = profile(_option(config, "profile"))
    if climbs := _option(config, "hunt"):
        chosen = chosen.hunting(Climbs.parse(climbs))
    budget = _option(config, "budget")
    if not budget:
        return chosen
    if not _whole(budget) or int(budget) < 1:
        raise BoundcheckError(f"--boundcheck-budget={budget}", expected="a whole number of holds, at least 1")
    return chosen.asking(int(budget))


def _whole(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _seed(config: pytest.Config) -> int:
    text = _option(config, "seed")
    if not _whole(text):
        raise BoundcheckError(f"--boundcheck-seed={text}", expected="a whole number >= 0")
    return int(text)


def _check_device(name: str) -> str:
    """The device to use. Only a name other than cpu costs the import of torch."""
    if name == "cpu":
        return name
    import torch

    present = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if name == "auto":
        return "cuda" if present else "cpu"
    if name == "cuda" and present:
        return name
    if name in present:
        return name
    raise BoundcheckError(
        f"--boundcheck-device={name}", expected=f"one of {', '.join(['cpu', 'auto', *present])} on this machine"
    )


# ------------------------------------------------------------------------------------------------------ collection


class ClaimModule(pytest.Module):
    """A module that registers claims, beside whatever tests it has.

    A file that is collected only because it mentions a theorem gives its claims alone: whether its functions are
    tests is for `python_files` to say.
    """

    claims_only = False

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """The module's tests, then every claim that it registered, by whatever name or in whatever list it is kept.

        A claim that cannot be registered ends in its one sentence.
        """
        try:
            tests = list(super().collect())  # imports the module, which registers its claims
            from boundcheck.claim import registered_claims
        except BoundcheckError as error:
            raise self.CollectError(str(error)) from None
        here = self.path.resolve()
        claims = [claim for claim in registered_claims().values() if claim.defined_in == here]
        if not self.claims_only:
            yield from tests
        for claim in sorted(claims, key=lambda claim: claim.registered_at[1]):
            yield _item_of(claim, self)


def _mentions_claims(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    return "boundcheck" in text and "theorem" in text


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Test modules may hold claims too."""
    if not _mentions_claims(module_path):
        return None
    module: ClaimModule = ClaimModule.from_parent(parent, path=module_path)
    return module


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Collect the claims of any Python file that mentions boundcheck and a theorem, whatever its name."""
    if file_path.suffix != ".py" or file_path.name.startswith("_") or file_path.name == "conftest.py":
        return None
    patterns = parent.config.getini("python_files")
    taken = parent.session.isinitpath(file_path) or any(fnmatch(file_path.name, pattern) for pattern in patterns)
    if taken or not _mentions_claims(file_path):
        return None  # pytest makes its module itself (see above), or there is nothing to collect
    module: ClaimModule = ClaimModule.from_parent(parent, path=file_path)
    module.claims_only = True
    return module


def _item_of(claim: "Claim", module: pytest.Module) -> pytest.Function:
    item: pytest.Function = pytest.Function.from_parent(module, name=claim.key, callobj=_test_of(claim))
    item.add_marker("claim")
    item.add_marker(str(claim.stance))
    if claim.input == "real":
        item.add_marker("real")
    if module.config.pluginmanager.hasplugin("xdist"):
        item.add_marker(pytest.mark.xdist_group(claim.group))
    return item


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(obj: object) -> list[pytest.Item] | None:
    """A claim is collected by its module (above), not by the name it is bound to."""
    claims = sys.modules.get("boundcheck.claim")
    return [] if claims is not None and isinstance(obj, claims.Claim) else None


def _test_of(claim: "Claim") -> Callable[[pytest.FixtureRequest], None]:
    def check(request: pytest.FixtureRequest) -> None:
        from boundcheck.report.terminal import failure
        from boundcheck.search import Options, run_campaign
        from boundcheck.verdict import PASSING, Verdict

        config = request.config
        options = Options(
            profile=_profile(config),
            device=_check_device(_option(config, "device")),
            seed=_seed(config),
            counterexamples=_run_path(config).parent / "counterexamples",
            command=_command(config),
            ablate=Climbs.parse(_option(config, "ablate")),
        )
        entry = run_campaign(claim, options)
        request.node.user_properties.append((PROPERTY, json.dumps(entry)))
        if Verdict(entry["verdict"]) not in PASSING:
            pytest.fail(failure(entry), pytrace=False)

    check.__doc__ = claim.statement
    return check


# ---------------------------------------------------------------------------------------------------------- record


def _run_path(config: pytest.Config) -> Path:
    chosen = _option(config, "save")
    return Path(config.invocation_params.dir, chosen) if chosen else config.rootpath / ".boundcheck" / "last-run.json"


def _command(config: pytest.Config) -> str:
    return shlex.join(["pytest", *map(str, config.invocation_params.args)])


class _Recorder:
    """Collects the entries of all workers and writes the run after each."""

    def __init__(self, config: pytest.Config, chosen: Profile) -> None:
        self.config = config
        self.profile = chosen
        self.entries: list[dict[str, Any]] = []
        self.started = time.perf_counter()
        self.unwritten = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call":
            return
        found = [value for name, value in report.user_properties if name == PROPERTY]
        if found:
            self.entries.extend(json.loads(str(value)) for value in found)
            self._write(finished=False)

    def _write(self, *, finished: bool) -> None:
        from boundcheck.record import keep_out_of_git, make_run, write_run

        path = _run_path(self.config)
        run = make_run(
            [self._relative(entry, path.parent) for entry in self.entries],
            command=_command(self.config),
            where=self.config.rootpath,
            seconds=time.perf_counter() - self.started,
            profile=self.profile.name,
            finished=finished,
        )
        try:
            keep_out_of_git(path)
            write_run(path, run)
        except (BoundcheckError, OSError, ValueError, TypeError) as error:
            self.unwritten = str(error)

    @staticmethod
    def _relative(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
        def below(file: str | None) -> str | None:
            return Path(file).relative_to(folder).as_posix() if file and Path(file).is_relative_to(folder) else file

        files = {name: below(entry[name]) for name in ("counterexample", "worst_counterexample")}
        hunted = entry["hunted"]
        broken = [one | {"counterexample": below(one["counterexample"])} for one in entry["ablations"]]
        instance = hunted and hunted | {"instance": below(hunted["instance"])}
        rungs = [rung | {"counterexample": below(rung["counterexample"])} for rung in entry["ladder"]]
        return entry | files | {"hunted": instance, "ablations": broken, "ladder": rungs}

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.entries:
            return
        from boundcheck.report.terminal import closing_page

        terminalreporter.section("boundcheck")
        for line in closing_page(self.entries).splitlines():
            terminalreporter.write_line(line)
        where = f"not written: {self.unwritten}" if self.unwritten else f"written to {_run_path(self.config)}"
        terminalreporter.write_line(f"\nprofile {self.profile.name}; run {where}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Mark a run that came to its end; one that could not be written must not look like a green one."""
        stopped = session.shouldstop or session.shouldfail
        ended = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not stopped
        if self.entries:
            self._write(finished=ended)
        if self.unwritten and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
