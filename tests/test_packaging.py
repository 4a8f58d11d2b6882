"""What the package imports is what it says it needs."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FOLDERS = ("boundcheck", "strategies", "theorems")


def names(requirements: list[str]) -> set[str]:
    found = [re.match(r"[\w.-]+", requirement) for requirement in requirements]
    return {match.group().lower().replace("_", "-") for match in found if match}


def imported(file: Path) -> set[str]:
    """The top-level modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names - {"boundcheck"}


def test_every_import_is_a_declared_dependency() -> None:
    """Of users, that is: what only `dev` brings is not there where the package is installed from its wheel."""
    of_users = [wanted for name, wanted in PROJECT["optional-dependencies"].items() if name != "dev"]
    declared = {name for wanted in [PROJECT["dependencies"], *of_users] for name in names(wanted)}
    homes = packages_distributions()
    used = {module for folder in FOLDERS for file in (ROOT / folder).rglob("*.py") for module in imported(file)}
    assert {"torch", "hypothesis", "click"} <= used
    undeclared = {module for module in used if not names(homes.get(module, [module])) & declared}
    assert not undeclared
