"""The models and inputs of the workloads, at any size, always from the same seed."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from boundcheck.geometry import TwoLayer

SEED = 0


@dataclass(frozen=True)
class Net:
    """A module with its fine-tuning and evaluation samples."""

    module: nn.Module
    x_train: Tensor
    x_eval: Tensor

    @property
    def params(self) -> dict[str, Tensor]:
        """Its parameters by name, detached."""
        return {name: value.detach() for name, value in self.module.named_parameters()}

    def __call__(self, params: dict[str, Tensor], x: Tensor) -> Tensor:
        """The same net as a function f(params, x)."""
        return torch.func.functional_call(self.module, params, (x,))


class EinsumLinear(nn.Linear):
    """A linear layer as a sum over indices."""

    def forward(self, x: Tensor) -> Tensor:
        """`[..., out]`."""
        return torch.einsum("...i,oi->...o", x, self.weight) + self.bias


class ReshapedLinear(nn.Linear):
    """A linear layer whose weight comes reshaped, as out of one vector of all parameters: nobody can tell that it is one."""

    def forward(self, x: Tensor) -> Tensor:
        """`[..., out]`."""
        return nn.functional.linear(x, self.weight.flatten().unflatten(0, self.weight.shape), self.bias)


def rewritten(net: Net, layer: type[nn.Linear]) -> Net:
    """The same net, its linear layers of another class."""
    module = copy.deepcopy(net.module)
    for part in module.modules():
        if type(part) is nn.Linear:
            part.__class__ = layer
    return Net(module, net.x_train, net.x_eval)


@dataclass(frozen=True)
class Nets:
    """Many members of a family, each with its own parameters and samples."""

    family: TwoLayer
    theta: Tensor
    head: Tensor
    x_train: Tensor
    x_eval: Tensor

    @property
    def lanes(self) -> int:
        """How many nets."""
        return self.theta.shape[0]


class AttentionNet(nn.Module):
    """Self-attention of one head, then an MLP on the tokens' mean or on all of them."""

    def __init__(self, *, mean: bool, tokens: int, width: int, hidden: int) -> None:
        super().__init__()
        self.mean = mean
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.mlp = nn.Sequential(nn.Linear(width if mean else tokens * width, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.softmax(self.query(x) @ self.key(x).mT / math.sqrt(x.shape[-1]), dim=-1)
        attended = x + weights @ self.value(x)
        return self.mlp(attended.mean(1) if self.mean else attended.flatten(1))


def two_layer(inputs: int = 400, width: int = 128, outputs: int = 1, train: int = 32, evaluation: int = 1000) -> Net:
    """W1: Linear, Tanh, Linear."""
    torch.manual_seed(SEED)
    module = nn.Sequential(nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, outputs))
    return Net(module, torch.randn(train, inputs), torch.randn(evaluation, inputs))


def nearly_equal(apart: float = 1e-5, **sizes: int) -> Net:
    """W1 with fine-tuning samples that lie close together, so that J_S is ill-conditioned."""
    net = two_layer(**sizes)
    return Net(net.module, net.x_train[:1] + apart * net.x_train, net.x_eval)


def attention(
    *, mean: bool, tokens: int = 5, width: int = 80, hidden: int = 48, train: int = 32, evaluation: int = 1000
) -> Net:
    """W2: `AttentionNet` on sequences of tokens."""
    torch.manual_seed(SEED)
    module = AttentionNet(mean=mean, tokens=tokens, width=width, hidden=hidden)
    return Net(module, torch.randn(train, tokens, width), torch.randn(evaluation, tokens, width))


def many_nets(lanes: int = 1000, train: int = 4, evaluation: int = 64) -> Nets:
    """W3: nets 6-8-2 whose first layer is trained."""
    torch.manual_seed(SEED)
    family = TwoLayer(6, 8, 2)
    theta, head = torch.randn(lanes, family.parameters), torch.randn(lanes, 2, 8)
    return Nets(family, theta, head, torch.randn(lanes, train, 6), torch.randn(lanes, evaluation, 6))


def classifier(inputs: int = 300, hidden: int = 300, classes: int = 10, prompts: int = 256) -> tuple[nn.Module, Tensor]:
    """The net of the Fisher workload and its prompts."""
    torch.manual_seed(SEED)
    module = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, classes))
    return module, torch.randn(prompts, inputs)


def cross_entropy(module: nn.Module, x: Tensor) -> Callable[[dict[str, Tensor]], Tensor]:
    """A fine-tuning loss as a function of the parameters: cross entropy over drawn labels."""
    classes = module(x[:1]).shape[-1]
    labels = torch.randint(classes, (len(x),), generator=torch.Generator().manual_seed(SEED))
    return lambda params: nn.functional.cross_entropy(torch.func.functional_call(module, params, (x,)), labels)
