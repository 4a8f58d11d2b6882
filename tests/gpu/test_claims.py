"""Every claim of both papers on the CPU and on the device: no lane held here and broken there, and sound beside balls."""

import time

import pytest
import torch

import boundcheck.theorems.alignment_collapse
import boundcheck.theorems.local_edits  # noqa: F401 - registers the claims
from boundcheck.claim import registered_claims
from boundcheck.profiles import profile
from boundcheck.search import Options, run_campaign
from boundcheck.search.drawing import one_thread_on
from boundcheck.search.evaluate import Evaluator
from boundcheck.verdict import Judgement
from tests.campaigns.soundness import _problems, compare_claim

CLAIMS = registered_claims()
GENERATED = sorted(key for key, claim in CLAIMS.items() if claim.input == "generated")
WHOLE = ["LE-8:proved", "LE-8:printed", "AC-6.3:printed", "AC-6.3:corrected"]


def _judged(key: str, device: str, lanes: int) -> Judgement:
    (problem,) = _problems(CLAIMS[key], 1, lanes, seed=3)
    with one_thread_on(device):
        return Evaluator(CLAIMS[key])(problem.to(device))


@pytest.mark.parametrize("key", GENERATED)
def test_no_lane_is_decided_both_ways(key: str, device: str) -> None:
    here, there = _judged(key, "cpu", 64), _judged(key, device, 64)
    broken, held = there.broken().cpu(), there.held().cpu()
    assert not bool((here.held() & broken).any() or (here.broken() & held).any())
    for one, other in ((here.smaller, there.smaller), (here.larger, there.larger)):
        low, high = other.lower.cpu(), other.upper.cpu()
        known = one.rad.isfinite() & other.rad.cpu().isfinite() & one.mid.isfinite() & other.mid.cpu().isfinite()
        assert bool(((one.lower <= high) & (low <= one.upper) | ~known).all()), "enclosures of one number must meet"


@pytest.mark.parametrize("key", GENERATED)
def test_enclosures_hold_what_balls_find(key: str, device: str) -> None:
    assert compare_claim(CLAIMS[key], 4, 1, batch=4, points=4, device=device).unsound == []


@pytest.mark.parametrize("key", WHOLE)
def test_a_whole_campaign_ends_in_the_same_verdict(key: str, device: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    fast = profile("fast")
    entries = [
        run_campaign(CLAIMS[key], Options(profile=fast, device=where, counterexamples=tmp_path / f"{n}" / "c"))
        for n, where in enumerate(("cpu", device))
    ]
    assert entries[0]["verdict"] == entries[1]["verdict"]
    assert "exclude each other" not in entries[1]["reason"]


def test_throughput_is_told(device: str) -> None:
    for key in WHOLE:
        (problem,) = _problems(CLAIMS[key], 1, 1024, seed=3)
        for where in ("cpu", device):
            with one_thread_on(where):
                evaluate, batch = Evaluator(CLAIMS[key]), problem.to(where)
                evaluate(batch)
                began = time.perf_counter()
                float(evaluate(batch).smaller.mid.sum())  # waits for the device
                seconds = time.perf_counter() - began
            print(f"{key} on {where}: {1024 / seconds:,.0f} lanes a second")
    assert torch.get_default_device() == torch.device("cpu")
