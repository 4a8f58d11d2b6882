"""Where to compute, by name."""

from boundcheck.errors import BoundcheckError

PROPOSALS = (
    "numbers that climbs propose in; verdicts are float64's and the balls' in any case. "
    "For GPUs with slow float64: on a CPU float32 took 0.7 to 1.1 of the time, and came at most as close"
)
"""The help of an option that is there twice."""


def checked_device(name: str) -> str:
    """The torch device of that name: cpu, cuda, cuda:N, or auto for a GPU where there is one, else the CPU.

    Only a name other than cpu costs the import of torch. Raises BoundcheckError for one that this machine does not have.
    """
    if name == "cpu":
        return name
    import torch

    present = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if name == "auto":
        return "cuda" if present else "cpu"
    if name in present or (name == "cuda" and present):
        return name
    raise BoundcheckError(f"the device {name!r}", expected=f"one of {', '.join(['cpu', 'auto', *present])} here")
