"""Random numbers keyed by lane: a lane's numbers do not depend on how many lanes are drawn, or on which device."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


def _on_device(numbers: np.ndarray) -> Tensor:
    """On torch's default device: the same numbers, drawn on the CPU, whatever it is."""
    return torch.from_numpy(numbers).to(torch.get_default_device())


@dataclass
class LaneStream:
    """Numbers for lanes first, first + 1, …: each lane has a Philox generator of its own, keyed by (seed, lane).

    Draws come in order: the second call continues where the first stopped, in every lane alike.
    """

    seed: int
    lanes: int
    first: int = 0

    def __post_init__(self) -> None:
        keys = range(self.first, self.first + self.lanes)
        self._generators = [
            np.random.Generator(np.random.Philox(key=np.array([self.seed, k], np.uint64))) for k in keys
        ]

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers, `[lanes, *shape]`, float64."""
        return _on_device(self._filled(shape, np.random.Generator.standard_normal))

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform numbers in [low, high), `[lanes, *shape]`, float64."""
        return low + (high - low) * _on_device(self._filled(shape, np.random.Generator.random))

    def _filled(self, shape: tuple[int, ...], draw: Callable[..., Any]) -> np.ndarray:
        """Each lane's row filled in place: thousands of small arrays take longer to stack than to draw."""
        numbers = np.empty((self.lanes, *shape))
        for generator, row in zip(self._generators, numbers.reshape(self.lanes, math.prod(shape)), strict=True):
            draw(generator, out=row)
        return numbers

    def log_uniform(self, low: float, high: float) -> Tensor:
        """Numbers in [low, high) with a uniform logarithm: `[lanes]`."""
        return torch.exp(self.uniform(low=float(np.log(low)), high=float(np.log(high))))

    def chi_square(self, freedom: Tensor) -> Tensor:
        """χ² numbers of these degrees of freedom `[lanes, …]`, any size; 0 where there are none."""
        drawn = [
            np.where(f > 0, g.chisquare(np.maximum(f, 1.0)), 0.0)
            for g, f in zip(self._generators, freedom.cpu().numpy(), strict=True)
        ]
        return _on_device(np.stack(drawn))

    def choice(self, *options: float) -> Tensor:
        """One of the options a lane, each as likely: `[lanes]`."""
        return torch.tensor(options, dtype=torch.float64)[(self.uniform() * len(options)).long()]

    def unit(self, dim: int) -> Tensor:
        """Uniform directions, `[lanes, dim]`."""
        vector = self.normal(dim)
        return vector / torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
