"""Reduced precision is off while claims are checked, that it is is looked at, and afterwards all is as it was."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.claim import Sides, Source, Stance, scaled, theorem
from boundcheck.errors import BoundcheckError
from boundcheck.precision import _SETTINGS, EMULATION, full_precision, require_full_precision
from boundcheck.problem import Problem
from boundcheck.profiles import profile
from boundcheck.search import Hunt, Options, hunt, run_campaign
from boundcheck.strategies.lanes import LaneStream


def _state() -> list[tuple[str, object]]:
    return [(setting.name, setting.get()) for setting in _SETTINGS if setting.there]


def _matmul_high() -> None:
    torch.set_float32_matmul_precision("high")


def _cudnn() -> None:
    torch.backends.cudnn.allow_tf32 = True


def _cublas() -> None:
    torch.backends.cuda.matmul.allow_tf32 = True


def _half() -> None:
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = True


def _bfloat() -> None:
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = True


def _on_the_cpu() -> None:
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"  # type: ignore[attr-defined, unused-ignore]


SWITCHES: list[Callable[[], None]] = [_matmul_high, _cudnn, _cublas, _half, _bfloat, _on_the_cpu]


@pytest.mark.parametrize("switch", SWITCHES)
def test_what_is_switched_on_in_between_is_told_and_put_back(switch: Callable[[], None]) -> None:
    before = _state()

    def switched() -> None:
        with full_precision():
            require_full_precision()
            switch()

    with pytest.raises(BoundcheckError, match="reduced precision was switched on"):
        switched()
    assert _state() == before


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_users_own_settings_come_back(switch: Callable[[], None]) -> None:
    with full_precision():  # puts back what the switch changes
        pass
    before = _state()
    try:
        switch()
        chosen = _state()
        with full_precision():
            assert torch.get_float32_matmul_precision() == "highest"
            require_full_precision()
        assert _state() == chosen
    finally:
        for setting, (_, value) in zip([s for s in _SETTINGS if s.there], before, strict=True):
            setting.put(value)
    assert _state() == before


def test_an_error_inside_is_the_one_that_is_seen() -> None:
    before = _state()

    def failing() -> None:
        with full_precision():
            _matmul_high()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert _state() == before


def test_emulated_float64_is_refused_on_a_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EMULATION, "1")
    with full_precision("cpu"):
        pass
    with pytest.raises(BoundcheckError, match=EMULATION), full_precision("cuda"):
        pass


@dataclass(frozen=True)
class Switching(Problem):
    x: Tensor


@dataclass(frozen=True)
class SwitchingRecipe:
    seed: int
    label: str = "x"

    def build(self, lanes: int, first: int = 0) -> Switching:
        return Switching(LaneStream(self.seed, lanes, first).normal(3))


def _square_le_double(p: Switching) -> Sides:
    torch.backends.cuda.matmul.allow_tf32 = True
    return Sides(p.x.square().sum(), 2 * p.x.square().sum())


def test_a_claim_that_switches_it_on_ends_in_an_error_that_says_so(tmp_path: Path) -> None:
    before = _state()
    claim = theorem(
        "TEST-switches:on",
        source=Source("tests", "none"),
        stance=Stance.PROVED,
        over=st.builds(SwitchingRecipe, st.integers(0, 99)),
        mutants={"third": scaled("1/3")},
    )(_square_le_double)
    entry = run_campaign(claim, Options(profile("fast"), counterexamples=tmp_path / "c"))
    assert entry["verdict"] == "ERROR"
    assert "reduced precision was switched on" in entry["reason"]
    assert "allow_tf32" in entry["reason"]
    with pytest.raises(BoundcheckError, match="reduced precision"):
        hunt(claim, Hunt(structures=1, lanes=4, steps=2), counterexamples=tmp_path / "c")
    assert _state() == before
