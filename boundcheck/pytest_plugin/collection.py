"""Modules that register claims, each claim one test function."""

import json
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from boundcheck.devices import checked_device
from boundcheck.errors import BoundcheckError
from boundcheck.profiles import Climbs
from boundcheck.pytest_plugin.baseline import regressions_of
from boundcheck.pytest_plugin.figures import properties
from boundcheck.pytest_plugin.options import command_of, option, profile_of, proposals_of, run_path, seed_of

if TYPE_CHECKING:
    from boundcheck.claim import Claim

PROPERTY = "boundcheck_entry"
"""Under this name a claim's entry of the record crosses from a worker."""


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
        from boundcheck.outcome import PASSING, Verdict
        from boundcheck.record.locations import as_typed
        from boundcheck.report.terminal import failure
        from boundcheck.search import Options, run_campaign

        config = request.config
        options = Options(
            profile=profile_of(config),
            device=checked_device(option(config, "device")),
            seed=seed_of(config),
            counterexamples=run_path(config).parent / "counterexamples",
            command=command_of(config),
            ablate=Climbs.parse(option(config, "ablate")),
            proposals=proposals_of(config),
        )
        entry = run_campaign(claim, options)
        request.node.user_properties += [
            (PROPERTY, json.dumps(entry)),
            *properties(entry, run_path(config).parent),
        ]
        wrong = [] if Verdict(entry["verdict"]) in PASSING else [failure(as_typed(entry, config.invocation_params.dir))]
        if wrong := wrong + regressions_of(config, entry):
            pytest.fail("\n".join(wrong), pytrace=False)

    check.__doc__ = claim.statement
    return check
