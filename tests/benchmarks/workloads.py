"""What is compared: each workload in our form and in others, with the ratio to reach and the differences allowed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from boundcheck.geometry import (
    Softmax,
    TangentOverlap,
    curvature_coupling,
    family_overlaps,
    fisher_information,
    tangent_overlap,
)
from tests.benchmarks import jax_forms, loops, networks
from tests.benchmarks.networks import Net, Nets

AGREEMENT = 1e-9
"""Relative difference allowed where κ(J_S) stays below 10³: the `accuracy` that `tangent_overlap` has by default."""

MANY_AGREEMENT = 1e-8
"""Among a thousand random nets a few are ill-conditioned."""

SQUARED_AGREEMENT = 1e-5
"""For forms that square the condition number, on the same thousand nets."""

FISHER_AGREEMENT = 1e-12
HESSIAN_AGREEMENT = 1e-10
LEADING = 10
LOOPED_NETS = 20


@dataclass(frozen=True)
class Form:
    """One way to a workload's numbers.

    Attributes:
        name: in a table.
        call: to the numbers `[quantities, instances]`; of the first ones alone where it does not give all.
        scale: by which its time is multiplied, where it does only a part of the work.
        target: how many times as long as ours it should take (or ours at most that many times as long as it).
        accuracy: relative difference from ours that is allowed.
        compile_seconds: what was spent on compilation, apart.

    """

    name: str
    call: Callable[[], Tensor]
    scale: float = 1.0
    target: float | None = None
    accuracy: float = AGREEMENT
    compile_seconds: float | None = None


@dataclass(frozen=True)
class Workload:
    """The same numbers by ours and by other forms.

    Attributes:
        key, title: in a table.
        ours: our form.
        others: what it is compared with.
        instances: how many one call measures.
        ratio_of_ours: whether the ratio is our time over the other's, and a target its largest value (for costs).
        threads: of every form.

    """

    key: str
    title: str
    ours: Form
    others: tuple[Form, ...]
    instances: int = 1
    ratio_of_ours: bool = False
    threads: int = 1


def on_two_threads(workload: Workload) -> Workload:
    """The same, every form on two threads (but JAX, whose threads are settled when it is loaded)."""
    others = tuple(form for form in workload.others if not form.name.startswith("JAX"))
    return replace(workload, key=f"{workload.key}, 2 threads", others=others, threads=2)


def by_module(net: Net) -> Tensor:
    """γ_ov, σ_min, σ_max `[3, 1]` of a module."""
    return _three(tangent_overlap(net.module, net.x_train, net.x_eval))


def by_function(net: Net) -> Tensor:
    """The same of a function f(params, x)."""
    return _three(tangent_overlap(net, net.x_train, net.x_eval, params=net.params))


def by_family(nets: Nets) -> Tensor:
    """γ_ov, σ_min, σ_max `[3, lanes]` of many nets."""
    found = family_overlaps(nets.family, nets.theta, {"head": nets.head}, nets.x_train, nets.x_eval)
    return torch.stack([found.gamma_ov, found.sigma_min, found.sigma_max])


def _three(found: TangentOverlap) -> Tensor:
    return torch.tensor([found.gamma_ov, found.sigma_min, found.sigma_max])[:, None]


def two_layer(**sizes: int) -> Workload:
    """W1."""
    net = networks.two_layer(**sizes)
    others = (
        Form("per-sample loop", lambda: loops.looped(net), target=150),
        Form("torch.func vmap(grad), QR, SVD", lambda: loops.by_torch_func(net), target=50),
        *_in_jax(net, None),
    )
    return Workload("W1", f"two-layer {_shape(net)}", Form("module", lambda: by_module(net)), others)


def two_layer_nearly_equal(**sizes: int) -> Workload:
    """W1 with samples so nearly equal that the condition number must not be squared."""
    net = networks.nearly_equal(**sizes)
    sigmas = loops.looped(net)[1:, 0]
    accuracy = float(100 * torch.finfo(torch.float64).eps * sigmas[1] / sigmas[0])
    others = (Form("per-sample loop", lambda: loops.looped(net), target=60, accuracy=accuracy),)
    title = f"the same, samples nearly equal (κ = {float(sigmas[1] / sigmas[0]):.1e})"
    return Workload("W1 accurate", title, Form("module", lambda: by_module(net)), others)


def attention(*, mean: bool, **sizes: int) -> Workload:
    """W2."""
    net = networks.attention(mean=mean, **sizes)
    others = (
        Form("per-sample loop", lambda: loops.looped(net), target=40),
        Form("torch.func vmap(grad), QR, SVD", lambda: loops.by_torch_func(net)),
        *_in_jax(net, 8),
    )
    title = f"attention and MLP on {'the mean' if mean else 'all tokens'}, {_shape(net)}"
    return Workload("W2 mean" if mean else "W2 flat", title, Form("module", lambda: by_module(net)), others)


def as_function(net: Net, key: str) -> Workload:
    """A net given as a function, whose layers are recognised by what they do."""
    others = (Form("per-sample loop", lambda: loops.looped(net)),)
    title = f"the net of {key} as a function, {_shape(net)}"
    return Workload(f"{key} function", title, Form("f(params, x)", lambda: by_function(net)), others)


def in_einsums(net: Net, key: str, target: float) -> Workload:
    """A net of no known layers, written as sums over indices."""
    return _other_module(net, networks.EinsumLinear, f"{key} einsum", f"the net of {key} in einsums", target)


def generic(net: Net, key: str, target: float) -> Workload:
    """A net whose layers nobody can recognise: its rows must be formed."""
    return _other_module(net, networks.ReshapedLinear, f"{key} generic", f"the net of {key}, layers not seen", target)


def _other_module(net: Net, layer: type[nn.Linear], key: str, title: str, target: float) -> Workload:
    other = networks.rewritten(net, layer)
    others = (
        Form("per-sample loop", lambda: loops.looped(net), target=target),
        Form("torch.func vmap(grad), QR, SVD", lambda: loops.by_torch_func(net)),
    )
    return Workload(key, f"{title}, {_shape(net)}", Form("module", lambda: by_module(other)), others)


def many_nets(lanes: int = 1000, **sizes: int) -> Workload:
    """W3."""
    nets = networks.many_nets(lanes, **sizes)
    looped = min(LOOPED_NETS, lanes)
    others = [
        Form(
            f"per-sample loop (timed on {looped} nets)",
            lambda: loops.looped_nets(nets, looped),
            scale=lanes / looped,
            target=1000,
            accuracy=MANY_AGREEMENT,
        ),
        Form("torch.func vmap(jacrev), QR, SVD", lambda: loops.nets_by_torch_func(nets), accuracy=MANY_AGREEMENT),
    ]
    if jax_forms.INSTALLED:
        explicit, structured = jax_forms.explicit(nets), jax_forms.structured(nets)
        others += [
            Form("JAX jit, Jacobians, QR, SVD", explicit, 1.0, 1.5, MANY_AGREEMENT, explicit.seconds),
            Form("JAX jit, Gram, Cholesky, eigh", structured, 1.0, 1.5, SQUARED_AGREEMENT, structured.seconds),
        ]
    title = f"{lanes:,} nets 6-8-2, m {nets.x_train.shape[1]}, N {nets.x_eval.shape[1]}"
    return Workload("W3", title, Form("family", lambda: by_family(nets)), tuple(others), instances=lanes)


def fisher(**sizes: int) -> Workload:
    """The leading eigenvalues of a Fisher information with too many parameters for its matrix."""
    module, x = networks.classifier(**sizes)
    at = fisher_information(module, x, Softmax())

    def ours() -> Tensor:
        found = at.leading(LEADING)
        assert found.counted_by, "it is known that none of the largest is missing"
        return found.eigenvalues[:LEADING, None]

    def dense() -> Tensor:
        return loops.dense_leading(at, LEADING)[:, None]

    others = (Form("dense rows, eigh of A·Aᵀ", dense, target=25, accuracy=FISHER_AGREEMENT),)
    title = f"top {LEADING} of a Fisher matrix, n = {at.parameters:,}, {at.rows:,} rows"
    return Workload("Fisher", title, Form("leading", ours), others)


def hessian(**sizes: int) -> Workload:
    """g and ∇g·g beside g alone (lengths stand for vectors)."""
    module, x = networks.classifier(**sizes)
    loss = networks.cross_entropy(module, x)
    params = {name: value.detach().requires_grad_() for name, value in module.named_parameters()}

    def gradient() -> Tensor:
        return _lengths(_flat(torch.autograd.grad(loss(params), list(params.values()))))

    def ours() -> Tensor:
        return _lengths(*curvature_coupling(loss, params))

    def forward_over_reverse() -> Tensor:
        at = {name: value.detach() for name, value in params.items()}
        first, bent = torch.func.jvp(torch.func.grad(loss), (at,), (torch.func.grad(loss)(at),))[:2]
        return _lengths(_flat(first.values()), _flat(bent.values()))

    others = (
        Form("one gradient", gradient, target=2.2, accuracy=HESSIAN_AGREEMENT),
        Form("forward over reverse", forward_over_reverse, accuracy=HESSIAN_AGREEMENT),
    )
    count = sum(value.numel() for value in params.values())
    title = f"gradient and Hessian times gradient, n = {count:,}, {len(x)} samples"
    return Workload("Hessian", title, Form("curvature_coupling", ours), others, ratio_of_ours=True)


def _flat(parts: Iterable[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


def _lengths(*vectors: Tensor) -> Tensor:
    return torch.stack([vector.norm() for vector in vectors])[:, None]


def _in_jax(net: Net, target: float | None) -> tuple[Form, ...]:
    if not jax_forms.INSTALLED:
        return ()
    compiled = jax_forms.of_net(net)
    return (Form("JAX jit vmap(grad), QR, SVD", compiled, target=target, compile_seconds=compiled.seconds),)


def _shape(net: Net) -> str:
    count = sum(value.numel() for value in net.params.values())
    return f"n = {count:,}, m {len(net.x_train)}, N {len(net.x_eval):,}"


WORKLOADS: Mapping[str, Callable[[], Workload]] = {
    "W1": two_layer,
    "W1 accurate": two_layer_nearly_equal,
    "W1 function": lambda: as_function(networks.two_layer(), "W1"),
    "W1 einsum": lambda: in_einsums(networks.two_layer(), "W1", 4),
    "W1 generic": lambda: generic(networks.two_layer(), "W1", 4),
    "W2 mean": lambda: attention(mean=True),
    "W2 flat": lambda: attention(mean=False),
    "W2 function": lambda: as_function(networks.attention(mean=True), "W2"),
    "W2 einsum": lambda: in_einsums(networks.attention(mean=True), "W2", 10),
    "W2 generic": lambda: generic(networks.attention(mean=True), "W2", 10),
    "W3": many_nets,
    "Fisher": fisher,
    "Hessian": hessian,
    "W1, 2 threads": lambda: on_two_threads(two_layer()),
    "W2 mean, 2 threads": lambda: on_two_threads(attention(mean=True)),
    "W2 flat, 2 threads": lambda: on_two_threads(attention(mean=False)),
    "W1 generic, 2 threads": lambda: on_two_threads(generic(networks.two_layer(), "W1", 4)),
    "W2 generic, 2 threads": lambda: on_two_threads(generic(networks.attention(mean=True), "W2", 10)),
}

_SMALL_NET = {"train": 3, "evaluation": 7}
_SMALL_ATTENTION = {"tokens": 3, "width": 4, "hidden": 5, **_SMALL_NET}
_SMALL_CLASSIFIER = {"inputs": 5, "hidden": 7, "classes": 3, "prompts": 6}
TINY: Mapping[str, Callable[[], Workload]] = {
    "W1": lambda: two_layer(inputs=6, width=5, **_SMALL_NET),
    "W1 two outputs": lambda: two_layer(inputs=6, width=5, outputs=2, **_SMALL_NET),
    "W1 accurate": lambda: two_layer_nearly_equal(inputs=6, width=5, **_SMALL_NET),
    "W1 function": lambda: as_function(networks.two_layer(inputs=6, width=5, **_SMALL_NET), "W1"),
    "W1 einsum": lambda: in_einsums(networks.two_layer(inputs=6, width=5, **_SMALL_NET), "W1", 4),
    "W1 generic": lambda: generic(networks.two_layer(inputs=6, width=5, **_SMALL_NET), "W1", 4),
    "W2 mean": lambda: attention(mean=True, **_SMALL_ATTENTION),
    "W2 flat": lambda: attention(mean=False, **_SMALL_ATTENTION),
    "W2 function": lambda: as_function(networks.attention(mean=False, **_SMALL_ATTENTION), "W2"),
    "W2 einsum": lambda: in_einsums(networks.attention(mean=False, **_SMALL_ATTENTION), "W2", 10),
    "W2 generic": lambda: generic(networks.attention(mean=False, **_SMALL_ATTENTION), "W2", 10),
    "W3": lambda: many_nets(lanes=5),
    "Fisher": lambda: fisher(**_SMALL_CLASSIFIER),
    "Hessian": lambda: hessian(**_SMALL_CLASSIFIER),
}
"""The same at sizes that take no time, for the test that all forms agree."""
