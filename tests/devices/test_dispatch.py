"""Without a GPU: claims and geometry on a pretend device, on which whatever a GPU would refuse is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import boundcheck.theorems.alignment_collapse
import boundcheck.theorems.local_edits  # noqa: F401 - registers the claims
from boundcheck.claim import Sides, build, registered_claims
from boundcheck.exact import constant
from boundcheck.geometry import Softmax, fisher_information, tangent_overlap, tangent_overlaps
from boundcheck.profiles import profile
from boundcheck.search import Hunt, Options, hunt, run_campaign
from boundcheck.search.drawing import one_thread_on, over
from boundcheck.search.evaluate import Evaluator
from boundcheck.verdict import Status
from tests.devices.pretend import Remote, moved, pretend_device
from tests.search.test_hunt import Prey, claim_of

CLAIMS = registered_claims()
LANES = 3

NOT_PRETENDED = {
    "AC-3.3:softmax": "vmap writes its double derivative of a softmax out for tensors that torch knows, which Remote is not",
}
SLOW = {"AC-quartic:neural-lower", "AC-quartic:neural-upper"}
FIRST = {
    CLAIMS[key].registered_at[0]: key for key in sorted(CLAIMS, reverse=True) if key not in SLOW | set(NOT_PRETENDED)
}
"""One claim of each module is for every run of the tests; the others are for `make slow`."""
KEYS = [
    pytest.param(
        key,
        marks=[
            *([pytest.mark.skip(reason=NOT_PRETENDED[key])] if key in NOT_PRETENDED else []),
            *([] if key in FIRST.values() else [pytest.mark.slow]),
        ],
    )
    for key in sorted(CLAIMS)
]


def _recipe(key: str) -> Any:
    drawn: list[Any] = []
    over(CLAIMS[key].over, drawn.append, 1, 0)
    return drawn[0]


@pytest.mark.parametrize("key", KEYS)
def test_a_claim_is_built_and_evaluated_on_the_device(key: str) -> None:
    recipe = _recipe(key)
    with one_thread_on("cpu"):
        here = Evaluator(CLAIMS[key])(build(recipe, LANES))
    with pretend_device() as device, one_thread_on(device):
        batch = build(recipe, LANES).to(device)
        there = Evaluator(CLAIMS[key])(batch)
        assert all(isinstance(leaf, Remote) for leaf in batch.leaves().values())
        for part in (there.smaller.mid, there.smaller.rad, there.larger.mid, there.larger.rad, there.status):
            assert isinstance(part, Remote), "nothing moved back to the CPU on the way"
        status = there.status.cpu()
    assert status.tolist() == here.status.tolist()


def too_small(p: Prey, c: Tensor = constant("9/10", scales="larger", unit="n |x|^2")) -> Sides:
    """False by a tenth, where all entries are equal."""
    return Sides(p.x.sum().square(), c * p.x.shape[0] * p.x.square().sum())


@pytest.mark.parametrize("method", ["gradient", "evolution"])
def test_a_hunt_runs_on_the_device(method: str, tmp_path: Path) -> None:
    claim = claim_of(too_small, f"TEST-device:{method}")
    with pretend_device() as device:
        options = Hunt(structures=1, lanes=8, steps=40, method=method, device=device)  # type: ignore[arg-type]
        found = hunt(claim, options, counterexamples=tmp_path)
    assert found is not None
    assert found.status is Status.VIOLATED, "proved on the CPU, by both routes"
    assert not any(isinstance(leaf, Remote) for leaf in found.problem.leaves().values())


def test_a_campaign_runs_on_the_device(tmp_path: Path) -> None:
    few = replace(profile("fast"), lanes=64, examples=4)
    claim = claim_of(too_small, "TEST-device:campaign")
    with pretend_device() as device:
        entry = run_campaign(claim, Options(few, device=device, counterexamples=tmp_path / "c"))
    assert entry["verdict"] == "VIOLATED", entry["reason"]
    assert entry["counterexample"]


# ------------------------------------------------------------------------------------------------------ geometry


def _net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)).double()


def _samples(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).standard_normal(shape))


def _function(params: dict[str, Tensor], x: Tensor) -> Tensor:
    return torch.tanh(x @ params["first"]) @ params["second"]


def _params() -> dict[str, Tensor]:
    return {"first": _samples(4, 6), "second": _samples(6, 2)}


def test_geometry_needs_no_default_device() -> None:
    """Of one's own model: nobody sets a default device, so whatever is made on the way must say where."""
    params, x, y = _params(), _samples(5, 4), _samples(9, 4)
    fisher, overlap = fisher_information(_function, x, Softmax(), params=params), tangent_overlap
    here = fisher.matrix()
    eigenvalues = fisher.spectrum().eigenvalues
    gamma = overlap(_function, x, y, params=params).gamma_ov
    with pretend_device():
        there = {name: moved(value) for name, value in params.items()}
        remote = fisher_information(_function, moved(x), Softmax(), params=there)
        assert torch.allclose(remote.matrix().cpu(), here, rtol=1e-12)
        assert torch.allclose(remote.spectrum().eigenvalues.cpu(), eigenvalues, rtol=1e-9, atol=1e-12)
        measured = overlap(_function, moved(x), moved(y), params=there)
        assert measured.gamma_ov == pytest.approx(gamma, rel=1e-10)


def test_overlaps_of_lanes_stay_on_the_device() -> None:
    net, x, y = _net(), _samples(3, 5, 4), _samples(3, 9, 4)
    params = {name: value.detach().expand(3, *value.shape).clone() for name, value in net.named_parameters()}
    here = tangent_overlaps(net, params, x, y)
    with pretend_device():
        there = tangent_overlaps(net, {n: moved(v) for n, v in params.items()}, moved(x), moved(y))
        assert isinstance(there.gamma_ov, Remote)
        assert torch.allclose(there.gamma_ov.cpu(), here.gamma_ov, rtol=1e-12)


# ---------------------------------------------------------------------------------------- the pretend device itself


def test_it_refuses_what_a_gpu_refuses() -> None:
    x = _samples(3)
    with pretend_device() as device:
        there = moved(x)
        with pytest.raises(RuntimeError, match="same device"):
            there + x
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(3, dtype=torch.float64)
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
        with pytest.raises(RuntimeError, match="generator"):
            torch.randn(3, device=device, generator=torch.Generator("cpu"))
        with pytest.raises(RuntimeError, match="same device"):
            x[there.argsort()]


def test_it_takes_what_a_gpu_takes() -> None:
    x = _samples(3)
    with pretend_device() as device:
        there = moved(x)
        assert isinstance(there + torch.tensor(1.0, dtype=torch.float64), Remote), "0-dimensional ones from the CPU"
        assert isinstance(there[torch.tensor([1, 0])], Remote), "CPU indices"
        assert isinstance(there.new_tensor([1.0, 2.0]), Remote)
        assert isinstance(torch.zeros(2, device=device), Remote)
        with torch.device(device):
            assert isinstance(torch.tensor([1.0, 2.0]), Remote)
        assert torch.equal(there.cpu(), x)


def test_division_by_a_number_is_rounded_twice_there() -> None:
    """As in torch's CUDA kernels, which multiply by the reciprocal."""
    x = _samples(1000)
    with pretend_device():
        quotient = (moved(x) / 3.0).cpu()
    assert torch.equal(quotient, x * (1 / torch.tensor(3.0, dtype=torch.float64)))
    assert bool((quotient != x / 3.0).any())
