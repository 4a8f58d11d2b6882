"""The same quantities in JAX: jit and vmap, float64, on one thread. Needs the optional `jax` (`pip install 'boundcheck[bench]'`).

Compilation happens once, when a form is made; `Compiled.seconds` says how long it took.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.benchmarks.networks import AttentionNet, Net, Nets

INSTALLED = find_spec("jax") is not None
ABSENT = "jax is not installed: its rows are left out (pip install 'boundcheck[bench]')"
FLAGS = "--xla_cpu_multi_thread_eigen=false"


@dataclass(frozen=True)
class Compiled:
    """A compiled function of fixed arguments, and the seconds that compiling took."""

    function: Callable[[], Any]
    seconds: float

    def __call__(self) -> Tensor:
        """γ_ov, σ_min and σ_max `[3, lanes]`."""
        found = np.asarray(self.function())  # waits until it is computed
        return torch.from_numpy(found.reshape(3, -1).copy())


def of_net(net: Net) -> Compiled:
    """Per-sample gradients by `vmap(jacrev)`, QR, SVD."""
    jax = _jax()
    forward = _forward(net.module)
    params = {name: _array(value) for name, value in net.params.items()}

    def rows(given: dict[str, Any], x: Any) -> Any:
        blocks = jax.vmap(jax.jacrev(forward), in_axes=(None, 0))(given, x)
        flat = [block.reshape(*block.shape[:2], -1) for block in blocks.values()]
        joined = jax.numpy.concatenate(flat, axis=-1)
        return joined.reshape(-1, joined.shape[-1])

    def measure(given: dict[str, Any], x_train: Any, x_eval: Any) -> Any:
        return _finish(rows(given, x_train), rows(given, x_eval), len(x_eval))

    return _compiled(measure, params, _array(net.x_train), _array(net.x_eval))


def explicit(nets: Nets) -> Compiled:
    """Jacobians of all nets by `vmap(vmap(jacrev))`, QR, SVD."""
    jax = _jax()
    jnp = jax.numpy
    width = nets.family.width

    def outputs(theta: Any, head: Any, sample: Any) -> Any:
        return head @ jnp.tanh(theta.reshape(width, -1) @ sample) / np.sqrt(width)

    jacobian = jax.vmap(jax.jacrev(outputs), in_axes=(None, None, 0))

    def one(theta: Any, head: Any, x_train: Any, x_eval: Any) -> Any:
        train, evaluation = (jacobian(theta, head, x).reshape(-1, theta.shape[-1]) for x in (x_train, x_eval))
        return _finish(train, evaluation, len(x_eval))

    return _compiled(lambda *given: jax.vmap(one)(*given).T, *_nets(nets))


def structured(nets: Nets) -> Compiled:
    """Gram matrices from inputs and signals without Jacobians, Cholesky, eigenvalues: fast, and squares the condition number."""
    jax = _jax()
    jnp, linalg = jax.numpy, jax.numpy.linalg
    width = nets.family.width

    def signals(theta: Any, head: Any, x: Any) -> Any:
        slope = 1 - jnp.tanh(x @ theta.reshape(width, -1).T) ** 2
        return slope[:, None, :] * head / np.sqrt(width)

    def products(x: Any, a: Any, y: Any, b: Any) -> Any:
        found = jnp.einsum("ikh,jlh->ikjl", a, b) * (x @ y.T)[:, None, :, None]
        return found.reshape(a.shape[0] * a.shape[1], -1)

    def one(theta: Any, head: Any, x_train: Any, x_eval: Any) -> Any:
        a, b = signals(theta, head, x_train), signals(theta, head, x_eval)
        gram, cross = products(x_train, a, x_train, a), products(x_eval, b, x_train, a)
        lower = linalg.cholesky(gram)
        half = jax.scipy.linalg.solve_triangular(lower, cross.T @ cross, lower=True)
        kernel = jax.scipy.linalg.solve_triangular(lower, half.T, lower=True)
        energies, squares = linalg.eigvalsh((kernel + kernel.T) / 2), linalg.eigvalsh(gram)
        return jnp.sqrt(jnp.stack([energies[0] / len(x_eval), squares[0], squares[-1]]))

    return _compiled(lambda *given: jax.vmap(one)(*given).T, *_nets(nets))


def _finish(train: Any, evaluation: Any, samples: int) -> Any:
    jnp = _jax().numpy
    basis, triangle = jnp.linalg.qr(train.T)
    sigmas = jnp.linalg.svd(triangle, compute_uv=False)
    small = jnp.linalg.qr(evaluation @ basis, mode="r")  # faster than an SVD of all rows
    gamma = jnp.linalg.svd(small, compute_uv=False)[-1] / np.sqrt(samples)
    return jnp.stack([gamma, sigmas[-1], sigmas[0]])


def _forward(module: nn.Module) -> Callable[[dict[str, Any], Any], Any]:
    """One sample through one of our two nets, in JAX; parameters by torch's names."""
    jnp = _jax().numpy

    def linear(params: dict[str, Any], name: str, x: Any) -> Any:
        return x @ params[f"{name}.weight"].T + params[f"{name}.bias"]

    def mlp(params: dict[str, Any], prefix: str, x: Any) -> Any:
        return linear(params, f"{prefix}2", jnp.tanh(linear(params, f"{prefix}0", x)))

    if not isinstance(module, AttentionNet):
        return lambda params, x: mlp(params, "", x)

    def attention(params: dict[str, Any], x: Any) -> Any:
        query, key, value = (linear(params, name, x) for name in ("query", "key", "value"))
        weights = _jax().nn.softmax(query @ key.T / np.sqrt(x.shape[-1]), axis=-1)
        attended = x + weights @ value
        return mlp(params, "mlp.", attended.mean(0) if module.mean else attended.reshape(-1))

    return attention


def _nets(nets: Nets) -> list[Any]:
    return [_array(value) for value in (nets.theta, nets.head, nets.x_train, nets.x_eval)]


def _array(value: Tensor) -> Any:
    return _jax().numpy.asarray(value.detach().numpy())


def _compiled(function: Callable[..., Any], *arguments: Any) -> Compiled:
    start = time.perf_counter()
    compiled = _jax().jit(function).lower(*arguments).compile()
    seconds = time.perf_counter() - start
    return Compiled(lambda: compiled(*arguments), seconds)


def _jax() -> Any:
    """The library in float64; its pool of threads is made when it is first used, while one processor is in sight."""
    os.environ.setdefault("XLA_FLAGS", FLAGS)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    with _one_processor():
        import jax
        import jax.scipy.linalg

        jax.config.update("jax_enable_x64", True)
        jax.devices()
    return jax


@contextmanager
def _one_processor() -> Iterator[None]:
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
