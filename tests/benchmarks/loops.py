"""The obvious ways in torch: one automatic derivative a row, or `torch.func` as its tutorial has it; then QR and SVD."""

import math

import torch
from torch import Tensor

from boundcheck.geometry import Fisher
from tests.benchmarks.networks import Net, Nets
from tests.geometry.oracle import jacobian_rows


def finish(train: Tensor, evaluation: Tensor, samples: int) -> Tensor:
    """γ_ov, σ_min and σ_max `[3, ...]` of stacked Jacobians `[..., rows, n]`."""
    basis, triangle = torch.linalg.qr(train.mT)
    sigmas = torch.linalg.svdvals(triangle)
    gamma = torch.linalg.svdvals(evaluation @ basis)[..., -1] / math.sqrt(samples)
    return torch.stack([gamma, sigmas[..., -1], sigmas[..., 0]])


def looped(net: Net) -> Tensor:
    """The loop over samples: one backward pass a row."""
    params = list(net.module.parameters())
    train, evaluation = (jacobian_rows(net.module, params, x) for x in (net.x_train, net.x_eval))
    return finish(train, evaluation, len(net.x_eval))[:, None]


def looped_nets(nets: Nets, lanes: int) -> Tensor:
    """The loop over the first nets and their samples."""
    return torch.stack([_one_net(nets, lane) for lane in range(lanes)], dim=-1)


def _one_net(nets: Nets, lane: int) -> Tensor:
    parameters = nets.theta[lane].clone().requires_grad_()
    frozen = {"head": nets.head[lane]}

    def rows(x: Tensor) -> Tensor:
        return jacobian_rows(lambda z: nets.family.outputs(parameters, frozen, z), [parameters], x)

    return finish(rows(nets.x_train[lane]), rows(nets.x_eval[lane]), nets.x_eval.shape[1])


def by_torch_func(net: Net) -> Tensor:
    """`vmap(grad)` (or `vmap(jacrev)`, for several outputs) over `functional_call`, all samples at once."""
    params = net.params
    single = net(params, net.x_train[:1]).shape[-1] == 1

    def alone(given: dict[str, Tensor], sample: Tensor) -> Tensor:
        outputs = net(given, sample[None])[0]
        return outputs[0] if single else outputs

    derivative = torch.func.grad(alone) if single else torch.func.jacrev(alone)
    batched = torch.func.vmap(derivative, in_dims=(None, 0))

    def rows(x: Tensor) -> Tensor:
        blocks = batched(params, x)
        first = 1 if single else 2
        return torch.cat([blocks[name].flatten(first) for name in params], dim=-1).flatten(0, first - 1)

    return finish(rows(net.x_train), rows(net.x_eval), len(net.x_eval))[:, None]


def nets_by_torch_func(nets: Nets) -> Tensor:
    """`vmap(vmap(jacrev))` over nets and samples, then batched QR and SVD."""

    def outputs(theta: Tensor, head: Tensor, sample: Tensor) -> Tensor:
        return nets.family.outputs(theta, {"head": head}, sample[None])[0]

    over_samples = torch.func.vmap(torch.func.jacrev(outputs), in_dims=(None, None, 0))
    over_nets = torch.func.vmap(over_samples)
    train, evaluation = (over_nets(nets.theta, nets.head, x).flatten(1, 2) for x in (nets.x_train, nets.x_eval))
    return finish(train, evaluation, nets.x_eval.shape[1])


def dense_leading(fisher: Fisher, d: int) -> Tensor:
    """The d largest eigenvalues of F: its rows A in full, then all eigenpairs of A·Aᵀ."""
    rows = fisher.scores()
    return torch.linalg.eigh(rows @ rows.mT).eigenvalues.flip(0)[:d]
