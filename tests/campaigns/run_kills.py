"""`make kills`: runs are killed (SIGKILL) at random moments, 300 times; what they had reported must be there, whole and valid.

Each round forks a process that checks a false claim over and over, seed after seed, writes the run after each, and reports a file
only after the function that stored it has returned. The proving processes of the killed runs must end by themselves.
"""

import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.claim import Claim, Sides, Source, Stance, scaled, theorem
from boundcheck.problem import Problem
from boundcheck.profiles import PROFILES
from boundcheck.record import make_run, read_counterexample, read_run, write_run
from boundcheck.search import Options, run_campaign
from boundcheck.strategies.lanes import LaneStream

ROUNDS = int(os.environ.get("BOUNDCHECK_ROUNDS", "300"))
LONGEST = 2.0


@dataclass(frozen=True)
class KilledPoints(Problem):
    x: Tensor


@dataclass(frozen=True)
class KilledPointsRecipe:
    dim: int
    seed: int

    @property
    def label(self) -> str:
        return f"dim={self.dim}"

    def build(self, lanes: int, first: int = 0) -> KilledPoints:
        return KilledPoints(LaneStream(self.seed, lanes, first).normal(self.dim))


def _false_claim() -> Claim:
    def norm_le_largest(p: KilledPoints) -> Sides:
        """‖x‖ <= max|x_i|."""
        return Sides(torch.linalg.vector_norm(p.x), p.x.abs().amax())

    draws = st.builds(KilledPointsRecipe, st.integers(1, 4), st.integers(0, 10**6))
    register = theorem(
        "KILL-norm:proved",
        source=Source("tests", "none"),
        stance=Stance.PROVED,
        over=draws,
        mutants={"half": scaled("1/2")},
    )
    return register(norm_le_largest)


def _work(claim: Claim, folder: Path, first_seed: int, report: int) -> None:
    """Check the claim for one seed after another; report each file once it is stored."""
    for seed in range(first_seed, first_seed + 1000):
        options = Options(PROFILES["fast"], counterexamples=folder / "counterexamples", seed=seed)
        entry = run_campaign(claim, options)
        for key in ("counterexample", "worst_counterexample"):
            os.write(report, f"{entry[key]}\n".encode())
        run = folder / f"run-{os.getpid()}.json"
        write_run(run, make_run([entry], command="kills", where=folder, seconds=0.0, profile="fast", finished=False))
        os.write(report, f"{run}\n".encode())


def _one_round(claim: Claim, folder: Path, number: int, generator: random.Random) -> list[Path]:
    """What a run had reported when it was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            _work(claim, folder, 1000 * number, writing)
        finally:
            os._exit(1)
    os.close(writing)
    time.sleep(generator.uniform(0, LONGEST))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading) as lines:
        return [Path(line.removesuffix("\n")) for line in lines if line.endswith("\n")]


def test_kills(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    claim, generator = _false_claim(), random.Random(0)
    warm = run_campaign(claim, Options(PROFILES["fast"], counterexamples=tmp_path / "counterexamples"))
    assert warm["verdict"] == "VIOLATED"
    from boundcheck.proof.prover import shared_prover

    shared_prover().close()  # each round has to start its own
    reported: set[Path] = set()
    for number in range(ROUNDS):
        reported.update(_one_round(claim, tmp_path, number, generator))
        if number % 25 == 24:
            sys.stderr.write(f"\n{number + 1} of {ROUNDS} runs killed, {len(reported)} files reported\n")
    stored = [path for path in (tmp_path / "counterexamples").iterdir() if path.suffix == ".json"]
    for path in {*reported, *stored}:  # what was stored and not yet reported has to be whole, too
        if path.parent == tmp_path:
            assert read_run(path)["claims"][0]["verdict"] == "VIOLATED"
        else:
            assert read_counterexample(path).status == "VIOLATED"
    assert len(reported) >= ROUNDS // 10
    sys.stderr.write(
        f"{ROUNDS} runs killed: {len(reported)} files reported and {len(stored)} stored, none lost or corrupt\n"
    )
