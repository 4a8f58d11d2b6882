"""The Fisher information by its definition, one response at a time, and small networks to take it of."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from boundcheck.geometry import Bernoulli, Gaussian, Policy, Softmax
from tests.geometry.oracle import jacobian_rows

POLICIES = [Softmax(), Bernoulli(), Gaussian(0.7)]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def mlp(outputs: int = 3, width: int = 5, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, outputs)).double()


def bent(theta: Tensor, x: Tensor) -> Tensor:
    return torch.tanh(x @ theta.reshape(4, 3))


def log_likelihoods(policy: Policy, z: Tensor) -> list[tuple[float, Tensor]]:
    """Every response, its probability and its log-probability as a function of outputs z `[k]`, written out."""
    if isinstance(policy, Softmax):
        logs = z - torch.log(torch.exp(z).sum())
        return [(float(torch.exp(log.detach())), log) for log in logs]
    assert isinstance(policy, Bernoulli)
    found = []
    for answer in range(2 ** len(z)):
        bits = torch.tensor([(answer >> j) & 1 for j in range(len(z))])
        log = -torch.log(1 + torch.exp(torch.where(bits == 1, -z, z))).sum()
        found.append((float(torch.exp(log.detach())), log))
    return found


def naive_fisher(policy: Policy, f: Callable[[Tensor], Tensor], params: list[Tensor], x: Tensor, w: Tensor) -> Tensor:
    """E_x E_y of score·scoreᵀ, one automatic derivative a response; a Gaussian by its definition with J."""
    n = sum(p.numel() for p in params)
    total = torch.zeros(n, n, dtype=torch.float64)
    for i, weight in enumerate((w.double() / w.double().sum()).tolist()):
        if isinstance(policy, Gaussian):
            rows = jacobian_rows(f, params, x[i : i + 1])
            total += weight * rows.T @ rows / policy.variance
            continue
        for p, log in log_likelihoods(policy, f(x[i : i + 1])[0]):
            score = torch.cat([g.flatten() for g in torch.autograd.grad(log, params, retain_graph=True)])
            total += weight * p * score[:, None] * score
    return total
