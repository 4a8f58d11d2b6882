"""The options, each with an ini value of the same name, and what they say when they are read."""

import shlex
from pathlib import Path
from typing import Literal

import pytest

from boundcheck.devices import PROPOSALS
from boundcheck.errors import BoundcheckError
from boundcheck.profiles import PROFILES, Climbs, Profile, profile

OPTIONS = {
    "profile": ("default", f"how hard to look: {', '.join(PROFILES)}"),
    "device": ("cpu", "where to compute: cpu, cuda, cuda:N, or auto for a GPU where there is one"),
    "proposals": ("float64", f"float64 or float32: {PROPOSALS}"),
    "seed": ("0", "seed of all draws; the same seed and versions give the same result"),
    "budget": ("", "holds to ask of each claim, instead of the profile's number"),
    "hunt": ("", "the climb towards each claim's worst case, STRUCTURESxLANESxSTEPS or off, instead of the profile's"),
    "ablate": (
        "off",
        "take each premise away in turn and hunt what is left, STRUCTURESxLANESxSTEPS (minutes a claim) or off",
    ),
    "json": ("", "file to write the run to (default: .boundcheck/last-run.json below the root directory)"),
    "save": (
        "",
        "keep the run, under this name, as NNNN_NAME.json among the saved runs (`boundcheck runs` lists them)",
    ),
    "storage": ("", "folder of saved runs (default: .boundcheck/runs below the root directory)"),
    "compare": (
        "",
        "compare with this run: a file, the number or name of a saved run, or last, which is also meant where nothing is named",
    ),
    "compare-fail": (
        "",
        "with --boundcheck-compare, let a claim's test fail for a regression: verdict (it passed, and has another verdict now), "
        "tightness:X%% (its worst ratio fell by more than X %%), constant:X%% (a constant's checked value moved in its weaker "
        "direction, or its found value in the stronger one, by more than X %%), with commas between",
    ),
    "report": (
        "",
        "write pages of the run into the folder report/ beside its file: html, latex, markdown, json, with commas",
    ),
}

METAVARS = {
    "json": "FILE",
    "save": "NAME",
    "storage": "DIR",
    "compare": "RUN",
    "compare-fail": "RULES",
    "report": "FORMATS",
}
AUTOSAVE = "keep the run under the commit's id and the time, where --boundcheck-save gives it no other name"


def add_options(parser: pytest.Parser) -> None:
    """The options, and an ini value `boundcheck_NAME` for each."""
    group = parser.getgroup("boundcheck", "checking the bounds of theorems")
    for name, (default, text) in OPTIONS.items():
        unnamed = {"nargs": "?", "const": "last"} if name == "compare" else {}
        group.addoption(
            f"--boundcheck-{name}", default=None, metavar=METAVARS.get(name, name.upper()), help=text, **unnamed
        )
        parser.addini(ini_name(name), f"default of --boundcheck-{name}", default=default)
    group.addoption("--boundcheck-autosave", action="store_true", default=None, help=AUTOSAVE)
    parser.addini(ini_name("autosave"), "default of --boundcheck-autosave", type="bool", default=False)


def ini_name(name: str) -> str:
    """The name of an option in the ini file."""
    return f"boundcheck_{name.replace('-', '_')}"


def option(config: pytest.Config, name: str) -> str:
    """What the command line says of an option, else the ini file, else its default."""
    given = config.getoption(f"--boundcheck-{name}")
    return str(given if given is not None else config.getini(ini_name(name)))


def autosaves(config: pytest.Config) -> bool:
    """Whether runs are kept that nobody named."""
    return bool(config.getoption("--boundcheck-autosave") or config.getini(ini_name("autosave")))


def profile_of(config: pytest.Config) -> Profile:
    """The profile, with the hunt and the budget that were asked for. Raises BoundcheckError for values that are off."""
    chosen = profile(option(config, "profile"))
    if climbs := option(config, "hunt"):
        chosen = chosen.hunting(Climbs.parse(climbs))
    budget = option(config, "budget")
    if not budget:
        return chosen
    if not _whole(budget) or int(budget) < 1:
        raise BoundcheckError(f"--boundcheck-budget={budget}", expected="a whole number of holds, at least 1")
    return chosen.asking(int(budget))


def proposals_of(config: pytest.Config) -> Literal["float64", "float32"]:
    """What climbs propose in. Raises BoundcheckError for another word."""
    text = option(config, "proposals")
    if text == "float64":
        return "float64"
    if text == "float32":
        return "float32"
    raise BoundcheckError(f"--boundcheck-proposals={text}", expected="float64 or float32")


def _whole(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def seed_of(config: pytest.Config) -> int:
    """The seed. Raises BoundcheckError for what is no whole number."""
    text = option(config, "seed")
    if not _whole(text):
        raise BoundcheckError(f"--boundcheck-seed={text}", expected="a whole number >= 0")
    return int(text)


def run_path(config: pytest.Config) -> Path:
    """Where the run is written."""
    chosen = option(config, "json")
    return Path(config.invocation_params.dir, chosen) if chosen else config.rootpath / ".boundcheck" / "last-run.json"


def storage_path(config: pytest.Config) -> Path:
    """Where runs are saved."""
    chosen = option(config, "storage")
    return Path(config.invocation_params.dir, chosen) if chosen else config.rootpath / ".boundcheck" / "runs"


def command_of(config: pytest.Config) -> str:
    """The command line, for the record."""
    return shlex.join(["pytest", *map(str, config.invocation_params.args)])
