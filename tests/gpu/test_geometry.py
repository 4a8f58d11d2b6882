"""Geometry on the device beside the CPU, within what each says of its own error."""

import torch
from torch import nn

from boundcheck.geometry import Softmax, fisher_information, tangent_overlap, tangent_overlaps
from boundcheck.precision import require_full_precision
from boundcheck.search.drawing import one_thread_on


def _net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)).double()


def _samples(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_overlap_of_a_net(device: str) -> None:
    net, x, y = _net(), _samples(5, 4), _samples(9, 4)
    here = tangent_overlap(net, x, y)
    there = tangent_overlap(net.to(device), x.to(device), y.to(device))
    assert abs(here.gamma_ov - there.gamma_ov) <= here.gamma_error + there.gamma_error
    assert here.rank == there.rank


def test_overlaps_of_lanes(device: str) -> None:
    net, x, y = _net(), _samples(3, 5, 4), _samples(3, 9, 4)
    params = {name: value.detach().expand(3, *value.shape).clone() for name, value in net.named_parameters()}
    here = tangent_overlaps(net, params, x, y)
    there = tangent_overlaps(net.to(device), {n: v.to(device) for n, v in params.items()}, x.to(device), y.to(device))
    apart = (here.gamma_ov - there.gamma_ov.cpu()).abs()
    assert bool((apart <= here.gamma_error + there.gamma_error.cpu()).all())


def test_fisher_information(device: str) -> None:
    net, x = _net(), _samples(7, 4)
    here = fisher_information(net, x, Softmax()).matrix()
    there = fisher_information(net.to(device), x.to(device), Softmax()).matrix()
    assert there.device.type == torch.device(device).type
    assert torch.allclose(here, there.cpu(), rtol=1e-11, atol=1e-12)


def test_float32_products_are_float32s(device: str) -> None:
    a, b = _samples(256, 256).float(), _samples(256, 256).float()
    with one_thread_on(device):
        require_full_precision(device)
        product = (a.to(device) @ b.to(device)).cpu().double()
    bound = 300 * 2.0**-24 * (a.double().abs() @ b.double().abs())  # any order of summation; TF32 keeps 11 bits of 24
    assert bool(((product - a.double() @ b.double()).abs() <= bound).all())
    assert float(((product - a.double() @ b.double()).abs() / (a.double().abs() @ b.double().abs())).max()) < 2.0**-18
