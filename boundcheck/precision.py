"""Full precision: no TF32, no bfloat16 and no half-precision accumulation in place of what a tensor's type says.

float64 knows none of these, so they touch no verdict; they do touch float32, in which a hunt may propose. They are switched off
for the length of a campaign, a hunt or a replay, checked at its end and between a campaign's batches, and put back as they were.

torch's deterministic algorithms are left as they are: radii hold for any order of summation, so verdicts do not need them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch

from boundcheck.errors import BoundcheckError

EMULATION = "CUBLAS_EMULATE_DOUBLE_PRECISION"
"""With this environment variable at 1, cuBLAS (13.0 update 2 and later) may compute float64 products in fixed point. Their errors
are small beside the largest entry of a row or column, not entry by entry, which is what the rule of matrix products assumes."""

_MIXED = "set in both of torch's ways at once"


@dataclass(frozen=True)
class _Setting:
    """One of torch's switches, below `torch`, and what stands for full precision there: the first of these is set."""

    name: str
    full: tuple[Any, ...]

    def get(self) -> Any:
        try:
            return reduce(getattr, self.name.split("."), torch)
        except RuntimeError:  # torch refuses to say, where its older and newer switches contradict each other
            return _MIXED

    def put(self, value: Any) -> None:
        *owners, last = self.name.split(".")
        setattr(reduce(getattr, owners, torch), last, value)

    @property
    def there(self) -> bool:
        """Whether this version of torch has it."""
        try:
            return self.get() is not None
        except AttributeError:
            return False


class _MatmulPrecision(_Setting):
    """The one switch that is a pair of functions."""

    def get(self) -> Any:
        try:
            return torch.get_float32_matmul_precision()
        except RuntimeError:
            return _MIXED

    def put(self, value: Any) -> None:
        torch.set_float32_matmul_precision(value)


_FP32 = (
    "",
    ".cuda.matmul",
    ".cudnn",
    ".cudnn.conv",
    ".cudnn.rnn",
    ".mkldnn",
    ".mkldnn.matmul",
    ".mkldnn.conv",
    ".mkldnn.rnn",
)
_MATMUL = "backends.cuda.matmul.allow_"

# The older switches first: they write to the newer ones, which then say more exactly what was meant.
_SETTINGS = (
    _MatmulPrecision("float32_matmul_precision", ("highest",)),
    _Setting("backends.cudnn.allow_tf32", (False,)),
    _Setting(f"{_MATMUL}tf32", (False,)),
    _Setting(f"{_MATMUL}fp16_reduced_precision_reduction", (False,)),
    _Setting(f"{_MATMUL}bf16_reduced_precision_reduction", (False,)),
    _Setting(f"{_MATMUL}fp16_accumulation", (False,)),
    *(_Setting(f"backends{place}.fp32_precision", ("ieee",)) for place in _FP32),
)


def require_full_precision(device: str = "cpu") -> None:
    """Raise BoundcheckError where torch may compute less exactly than a tensor's type says; that is switched off first."""
    if device != "cpu" and os.environ.get(EMULATION, "0") not in ("", "0"):
        raise BoundcheckError(
            f"{EMULATION}={os.environ[EMULATION]}",
            expected="float64 products in float64",
            remedy="unset it: the rounding of emulated products has no bound entry by entry",
        )
    off = [f"torch.{s.name} = {s.get()!r}" for s in _SETTINGS if s.there and s.get() not in s.full]
    if off:
        _switch_off()
        raise BoundcheckError(
            f"reduced precision was switched on while claims were evaluated: {', '.join(off)}",
            expected="the full precision that was set before",
            remedy="leave torch's precision alone in claims, strategies and plugins",
        )


@contextmanager
def full_precision(device: str = "cpu") -> Iterator[None]:
    """Reduced precision off, and everything as it was afterwards.

    Raises:
        BoundcheckError: at the end, where something switched it on in between; at once, where cuBLAS emulates float64.

    """
    before = [(setting, setting.get(), _halves(setting)) for setting in _SETTINGS if setting.there]
    _switch_off()
    try:
        require_full_precision(device)
        yield
        require_full_precision(device)
    finally:
        for setting, value, halves in before:
            if value != _MIXED:
                with suppress(RuntimeError):  # a value that this build of torch gives and does not take
                    setting.put(value if halves is None else (value, halves))


def _halves(setting: _Setting) -> bool | None:
    """What a switch of reductions says of split-k beside; setting it to a truth value alone forgets that."""
    return getattr(torch.backends.cuda.matmul, f"{setting.name.rpartition('.')[2]}_split_k", None)


def _switch_off() -> None:
    for setting in _SETTINGS:
        if setting.there:
            setting.put(setting.full[0])
