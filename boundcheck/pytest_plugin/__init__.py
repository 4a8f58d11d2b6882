"""Claims as pytest items, and the closing table.

`pytest theorems` is the main job: every module that registers claims is collected, each claim becomes an ordinary test
function with its key as the name, its entry of the record travels in `user_properties` (so it crosses pytest-xdist and
reaches JUnit), and the run is written after each claim, so that an interrupted one loses nothing. Nothing here imports torch
before a claim does.
"""

import pytest

from boundcheck.devices import checked_device
from boundcheck.errors import BoundcheckError
from boundcheck.profiles import Climbs
from boundcheck.pytest_plugin.baseline import set_baseline
from boundcheck.pytest_plugin.collection import (
    pytest_collect_file,
    pytest_pycollect_makeitem,
    pytest_pycollect_makemodule,
)
from boundcheck.pytest_plugin.comparing import Comparing
from boundcheck.pytest_plugin.options import add_options, option, profile_of, proposals_of, seed_of
from boundcheck.pytest_plugin.pages import formats
from boundcheck.pytest_plugin.progress import Progress
from boundcheck.pytest_plugin.recorder import Recorder
from boundcheck.pytest_plugin.saving import check_place, check_saving

__all__ = [
    "pytest_addoption",
    "pytest_collect_file",
    "pytest_configure",
    "pytest_pycollect_makeitem",
    "pytest_pycollect_makemodule",
]

MARKERS = (
    "claim: a claim of a theorem, collected by boundcheck",
    "printed: a claim as its source prints it",
    "proved: a claim with proved constants",
    "corrected: a repaired version of a false claim",
    "conjectured: a claim that is not settled",
    "real: a claim evaluated on real data, which informs and never gates",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, and an ini value for each."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Check the options before anything runs, and listen for entries."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    try:
        chosen = profile_of(config)
        seed_of(config)
        proposals_of(config)
        checked_device(option(config, "device"))
        Climbs.parse(option(config, "ablate"))
        check_saving(config)
        formats(config)
        set_baseline(config)
        if not hasattr(config, "workerinput"):
            check_place(config)
    except BoundcheckError as error:
        raise pytest.UsageError(str(error)) from None
    if not hasattr(config, "workerinput"):
        recorder = Recorder(config, chosen)
        config.pluginmanager.register(recorder, "boundcheck-recorder")
        config.pluginmanager.register(Comparing(config, recorder), "boundcheck-comparing")
        config.pluginmanager.register(Progress(), "boundcheck-progress")
