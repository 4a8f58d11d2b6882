"""Drawing structures with Hypothesis, and computing on one thread in full precision."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import hypothesis
import torch
from hypothesis import HealthCheck, Phase, settings

from boundcheck.claim import Draws
from boundcheck.precision import full_precision
from boundcheck.search.choices import NAME, seeded


@contextmanager
def one_thread_on(device: str) -> Iterator[None]:
    """One thread: sums then do not depend on the machine, and small batches run faster. New tensors go to the device.

    Reduced precision (TF32 and its like) is off. All of it is put back afterwards.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with full_precision(device), nullcontext() if device == "cpu" else torch.device(device):
            yield
    finally:
        torch.set_num_threads(before)


def over(strategy: Draws, visit: Callable[[Any], None], examples: int, seed: int) -> None:
    """Let Hypothesis draw `examples` times; no database, no deadline, the user's own settings untouched.

    The same seed gives the same draws, whatever else is imported.

    The first exception of `visit` is raised as it is: Hypothesis would run the example again and call it flaky.
    """
    raised: list[Exception] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=False,
        backend=NAME,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(strategy)
    def draw(drawn: Any) -> None:
        if raised:
            return
        try:
            visit(drawn)
        except hypothesis.errors.HypothesisException:
            raise
        except Exception as error:
            raised.append(error)

    with seeded(seed):
        draw()
    if raised:
        raise raised[0]
