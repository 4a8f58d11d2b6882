"""Finished climbs in files, so that an interrupted hunt can be taken up: one file a climb, written as it ends."""

import hashlib
import inspect
import json
from pathlib import Path
from typing import Any

import torch

from boundcheck.claim import Claim
from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem
from boundcheck.record import read_json, write_json
from boundcheck.search.hunting.options import Hunt
from boundcheck.search.hunting.passed import Passed


class Climbs:
    """The climbs of one claim's hunt.

    Args:
        folder: where they are. claim, options: a file is taken up only for the same claim (its constants and the text of its
            function included) and the same budget. resume: whether to take any up; they are written in any case.

    """

    def __init__(self, folder: Path, claim: Claim, options: Hunt, *, resume: bool) -> None:
        self._folder, self._resume = folder, resume
        constants = {name: str(exact.value) for name, exact in claim.constants.items()}
        self._about = json.dumps([claim.key, constants, inspect.getsource(claim.check), options.to_json()])

    def recall(self, key: str) -> Passed | None:
        """What was kept under this key; None for nothing, or for a file that cannot be read (it is climbed again)."""
        file = self._file(key)
        if not self._resume or not file.exists():
            return None
        try:
            data = read_json(file)
            ratios = torch.tensor([float.fromhex(text) for text in data["ratios"]], dtype=torch.float64)
            problem = Problem.from_json(data["problem"])
            return Passed(problem, ratios, float.fromhex(data["random"]), int(data["evaluations"]))
        except (BoundcheckError, KeyError, TypeError, ValueError):
            return None

    def keep(self, key: str, passed: Passed) -> None:
        """Write a finished climb."""
        data: dict[str, Any] = {
            "key": key,
            "ratios": [float(ratio).hex() for ratio in passed.ratios],
            "random": float(passed.random).hex(),
            "evaluations": passed.evaluations,
            "problem": passed.problem.to_json(),
        }
        write_json(self._file(key), data)

    def _file(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(f'{self._about}{key}'.encode()).hexdigest()[:32]}.json"
