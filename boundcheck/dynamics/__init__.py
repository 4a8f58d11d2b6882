"""Fine-tuning problems and their gradient descent, run to the limit with a certified radius."""

from boundcheck.dynamics import contraction
from boundcheck.dynamics.descent import descend
from boundcheck.dynamics.fine_tuning import Displaced, FineTuning, Setup, mean_square

__all__ = ["Displaced", "FineTuning", "Setup", "contraction", "descend", "mean_square"]
