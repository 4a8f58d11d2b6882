"""`per_sample_jacobian` against a loop over samples and outputs."""

import math
from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor, nn

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import per_sample_jacobian
from tests.geometry.oracle import jacobian_rows


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def mlp(seed: int = 0, outputs: int = 2) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, outputs)).double()


def bent(theta: Tensor, x: Tensor) -> Tensor:
    return torch.tanh(x @ theta.reshape(4, 2))


@pytest.mark.parametrize("names", [("narrow", "wide"), ("wide", "narrow")])
def test_narrow_parameters_do_not_narrow_the_rows_of_others(names: tuple[str, str]) -> None:
    """The derivative of a million is no number of 16 bits."""
    both = {"narrow": torch.tensor([0.5], dtype=torch.float16), "wide": random(2).float()}
    x = random(3, 2, seed=1).float()
    found = per_sample_jacobian(
        lambda p, x: (1e6 * x * p["wide"]).sum(1) + p["narrow"] * x[:, 0], {name: both[name] for name in names}, x
    )
    columns = {"narrow": x[:, :1].half(), "wide": 1e6 * x}
    assert found.dtype is torch.float32
    assert torch.equal(found[:, 0], torch.cat([columns[name] for name in names], 1))


@pytest.mark.parametrize("chunk", [None, 1, 3, 7, 100])
def test_a_module_has_the_rows_of_the_loop(chunk: int | None) -> None:
    module, x = mlp(), random(7, 4)
    jacobian = per_sample_jacobian(module, None, x, chunk=chunk)
    assert jacobian.shape == (7, 2, 25 + 10 + 12)
    torch.testing.assert_close(jacobian.flatten(0, 1), jacobian_rows(module, list(module.parameters()), x))
    assert not jacobian.requires_grad


def test_a_function_of_one_tensor() -> None:
    theta, x = random(8).requires_grad_(), random(5, 4, seed=1)
    jacobian = per_sample_jacobian(bent, theta, x)
    torch.testing.assert_close(jacobian.flatten(0, 1), jacobian_rows(lambda z: bent(theta, z), [theta], x))


def test_columns_follow_the_order_of_the_mapping() -> None:
    def f(params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return x @ params["slope"] + params["shift"]  # [N]: one output

    x = random(3, 2)
    params = {"shift": random(1), "slope": random(2)}
    assert torch.equal(per_sample_jacobian(f, params, x)[:, 0], torch.cat([torch.ones(3, 1), x], dim=1))
    swapped = dict(reversed(params.items()))
    assert torch.equal(per_sample_jacobian(f, swapped, x)[:, 0], torch.cat([x, torch.ones(3, 1)], dim=1))


def test_a_module_may_be_asked_at_other_parameters_and_about_some_of_them() -> None:
    module, x = mlp(), random(3, 4)
    other = {"0.weight": random(5, 4, seed=3)}
    found = per_sample_jacobian(module, other, x)
    with torch.no_grad():
        module[0].weight.copy_(other["0.weight"])  # type: ignore[index]
    torch.testing.assert_close(found, per_sample_jacobian(module, None, x)[..., :20])


def test_frozen_parameters_have_no_columns() -> None:
    module = mlp()
    for parameter in module[0].parameters():  # type: ignore[index]
        parameter.requires_grad_(False)
    assert per_sample_jacobian(module, None, random(2, 4)).shape == (2, 2, 22)


def test_an_unused_parameter_has_zero_columns() -> None:
    jacobian = per_sample_jacobian(lambda p, x: x * p["used"], {"used": random(1), "unused": random(2)}, random(3, 1))
    assert torch.equal(jacobian[..., 1:], torch.zeros(3, 1, 2, dtype=torch.float64))


X = random(3, 4)
NAN = torch.full((3, 4), math.nan, dtype=torch.float64)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: per_sample_jacobian(mlp(), None, NAN), "x is not finite at sample 0"),
        (lambda: per_sample_jacobian(mlp(), None, X * math.inf), "x is not finite"),
        (lambda: per_sample_jacobian(mlp(), None, X[:0]), "at least one sample"),
        (lambda: per_sample_jacobian(mlp(), None, X, chunk=0), "chunk=0"),
        (lambda: per_sample_jacobian(mlp(), {"nope": X}, X), "'nope'"),
        (lambda: per_sample_jacobian(mlp(), X, X), "mapping by parameter name"),
        (lambda: per_sample_jacobian(bent, None, X), "without params"),
        (lambda: per_sample_jacobian(bent, NAN.flatten()[:8], X), "parameter 'params' is not finite"),
        (lambda: per_sample_jacobian(bent, random(0), X), "no parameter"),
        (lambda: per_sample_jacobian(bent, torch.ones(8, dtype=torch.int64), X), "torch.int64"),
        (lambda: per_sample_jacobian(nn.Tanh(), None, X), "no parameter"),
        (lambda: per_sample_jacobian(lambda t, x: (x @ t)[:, None, None], random(4), X), "outputs of shape"),
        (lambda: per_sample_jacobian(lambda t, x: (x @ t).log(), -X[0] * 0, X), "Jacobian is not finite at sample 0"),
        (
            lambda: per_sample_jacobian(nn.Sequential(mlp(), nn.Dropout(0.1)), None, X),
            "Dropout '1' is in training mode",
        ),
        (lambda: per_sample_jacobian(nn.BatchNorm1d(4).double(), None, X), "BatchNorm1d '' is in training mode"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(call: Callable[[], Tensor], message: str) -> None:
    with pytest.raises(BoundcheckError, match=message):
        call()
