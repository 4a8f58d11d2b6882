"""Tails of distributions as formulas that a claim may use: Cantelli's inequality, the binomial law."""

import torch
from torch import Tensor

NEVER = -1e16
"""Stands for the logarithm of a term that is left out: below every other, and not so large that its rounding would matter."""


def cantelli(mean: Tensor, variance: Tensor) -> Tensor:
    """At most Pr[V < 0] for any V of this mean and variance: mean²/(mean² + variance) where the mean is below 0, else 0."""
    below = (-mean).clamp(min=0)
    total = below.square() + variance
    return torch.where(below > 0, below.square() / torch.where(below > 0, total, torch.ones_like(total)), 0.0)


def binomial_logs(trials: int, log_odds: Tensor, most: int) -> Tensor:
    """log(C(N, j)·odds^j) for j = 0, …, most: `[most + 1]`. Pr[Bin(N, p) = j] is this times (1 - p)^N, odds = p/(1 - p)."""
    j = torch.arange(1, most + 1, dtype=log_odds.dtype, device=log_odds.device)
    steps = torch.log((trials + 1 - j) / j) + log_odds
    return torch.cat([torch.zeros_like(log_odds).unsqueeze(0), torch.cumsum(steps, 0)])


def surprise(count: Tensor, trials: int, log_probability: Tensor) -> Tensor:
    """-log Pr[Bin(N, p) >= count]: how surprising so many failures are, were each to happen with probability p.

    Args:
        count: how many of the trials failed, a whole number as a float `[]` (a sum, known up to rounding). trials: N.
        log_probability: log p < 0 `[]`.

    """
    p = torch.exp(log_probability)
    log_rest = torch.log1p(-p)
    logs = binomial_logs(trials, log_probability - log_rest, trials) + trials * log_rest
    j = torch.arange(trials + 1, dtype=logs.dtype, device=logs.device)
    kept = torch.where(j > count - 0.5, logs, torch.full_like(logs, NEVER))
    top = kept.amax()
    total = top + torch.log(torch.exp(kept - top).sum())
    return torch.where(count > 0.5, -total, torch.zeros_like(total))
