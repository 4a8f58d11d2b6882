"""How hard a hunt looks."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch

from boundcheck.errors import BoundcheckError

Method = Literal["auto", "gradient", "evolution"]
"""By gradient, without one, or by gradient where the claim has one."""

Proposals = Literal["float64", "float32"]
"""The numbers in which a climb looks for better instances. What it finds is judged in float64 and in balls, whichever it is."""


@dataclass(frozen=True)
class Hunt:
    """A budget in evaluations. The same budget and seed find the same instance; a clock can only end a hunt early.

    Attributes:
        structures: how many different structures (sizes, families) are explored, a quarter of the steps each. The best quarter
            of them is refined, all the steps each.
        lanes: random starts of a structure. steps: of an ascent. seed: of structures and starts.
        device: where tensors live. method: see `Method`. proposals: see `Proposals`.
        minutes: the hunt ends after the first look beyond so many; what it found says that it was cut short.

    """

    structures: int = 12
    lanes: int = 128
    steps: int = 200
    seed: int = 0
    device: str = "cpu"
    method: Method = "auto"
    proposals: Proposals = "float64"
    minutes: float | None = None

    def __post_init__(self) -> None:
        """Counts are at least 1, a clock runs, the device is there."""
        for name in ("structures", "lanes", "steps"):
            if getattr(self, name) < 1:
                raise BoundcheckError(f"{name}={getattr(self, name)}", expected="a whole number >= 1")
        if not 0 <= self.seed < 2**31:
            raise BoundcheckError(f"seed={self.seed}", expected="a whole number >= 0, below 2^31")
        _check(self.device)
        if self.method not in get_args(Method):
            raise BoundcheckError(f"method={self.method!r}", expected=f"one of {', '.join(get_args(Method))}")
        if self.proposals not in get_args(Proposals):
            raise BoundcheckError(f"proposals={self.proposals!r}", expected=f"one of {', '.join(get_args(Proposals))}")
        if self.minutes is not None and not self.minutes > 0:
            raise BoundcheckError(f"minutes={self.minutes}", expected="a positive number, or none")

    @property
    def numbers(self) -> torch.dtype:
        """What proposals are computed in."""
        return torch.float32 if self.proposals == "float32" else torch.float64

    @property
    def exploring(self) -> int:
        """Steps of an ascent that explores a structure."""
        return max(1, self.steps // 4)

    @property
    def refined(self) -> int:
        """How many structures are refined."""
        return max(1, self.structures // 4)

    @property
    def polished(self) -> int:
        """How many of the best lanes of a refined structure are polished one by one."""
        return 1 + min(2, self.steps // 100)

    @property
    def evaluations(self) -> int:
        """How many instances are evaluated in floats, looks with error bounds and polishing aside."""
        return self.lanes * (self.structures * self.exploring + self.refined * self.steps)

    def to_json(self) -> dict[str, Any]:
        """What a result depends on: all but the clock."""
        return {name: value for name, value in asdict(self).items() if name != "minutes"}


def _check(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BoundcheckError(
            f"device={device!r} ({(str(error).splitlines() or [''])[0][:100]})", expected="cpu, or a GPU that is there"
        ) from None
