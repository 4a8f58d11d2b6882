"""What people write, and its derivatives: traced, written out and enclosed, beside what torch itself computes.

Single operators are held against exact numbers elsewhere; here it is whether a formula is the right one, in every mode, and
whether a box of inputs is enclosed as a whole.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import grad, grad_and_value, jvp, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor import DECOMPOSITIONS, Enclosure
from tests.rigor import test_formulas
from tests.rigor.catalogue import CATALOGUE, CURVED, ELEMENTWISE, LOSSES, NOT_DIFFERENTIABLE, Function
from tests.rigor.oracle import named, written_out

KINDS: dict[str, Callable[[Function], Callable[[Tensor], Any]]] = {
    "value": lambda f: f,
    "gradient": grad_and_value,
    "curvature": lambda f: lambda x: jvp(grad(f), (x,), (x,))[1],
}
UNKNOWN = {
    # torch has no such derivative, or writes it with an operator that has no rule.
    ("hardsigmoid", "curvature"),
    ("glu", "curvature"),
    ("huber", "curvature"),
    ("margin", "gradient"),
    ("one hot", "gradient"),
    ("cdist", "gradient"),
    ("reflected", "gradient"),
    ("replicated", "gradient"),
    ("reflected plane", "gradient"),
    ("replicated plane", "gradient"),
    ("lu_solve", "gradient"),
    ("det", "curvature"),
    ("entry overwritten", "gradient"),
    ("slice overwritten", "gradient"),
    ("in place", "gradient"),
}
WIDE = {
    # The largest of several computed numbers: which one it is stays open where an equation of two enclosures decides it.
    ("spectral", "gradient"),
    ("column sums", "gradient"),
    # The logarithm of a gradient that is 0 in places.
    ("logcumsumexp", "gradient"),
}
TORCH_IS_OFF = {"hardsigmoid": 1e-7}
"""What torch computes with a constant in single precision."""


def wanted(name: str, kind: str) -> bool:
    if kind == "value":  # elementwise: in test_formulas.py
        return name not in ELEMENTWISE and not wanted(name, "gradient")
    if kind == "curvature" and name not in CURVED:
        return False
    return (name, kind) not in UNKNOWN and name not in NOT_DIFFERENTIABLE


ALL = [(name, kind) for name in CATALOGUE for kind in KINDS if wanted(name, kind)]


def lanes(x: Tensor) -> Tensor:
    return torch.stack([x, x * 0.9 + 0.01])


@pytest.mark.parametrize(("name", "kind"), ALL, ids=[f"{name}-{kind}" for name, kind in ALL])
def test_a_box_of_inputs_is_enclosed(name: str, kind: str) -> None:
    function, x = CATALOGUE[name]
    derived = vmap(KINDS[kind](function), randomness="error")
    batch = lanes(x)
    traced = written_out(derived, batch)
    generator = torch.Generator().manual_seed(3)
    for radius in (0.0, 1e-3):
        results = traced.enclose(Enclosure(batch.clone(), torch.full_like(batch, radius)))
        for _ in range(3 if radius else 1):
            corner = 2.0 * torch.randint(0, 2, batch.shape, generator=generator) - 1
            there = derived(batch + radius * corner)
            for result, value in zip(results, there if isinstance(there, tuple) else [there], strict=True):
                assert not bool(result.rad.isnan().any())
                scale = max(1e-3, float(result.mid.abs().max()))
                if radius == 0 and (name, kind) not in WIDE:
                    assert bool((result.rad <= 3e-9 * scale).all())
                allowed = result.rad * (1 + 1e-9) + TORCH_IS_OFF.get(name, 1e-9) * scale
                assert bool(((value.double() - result.mid).abs() <= allowed).all()), (radius, value, result)


ALONE: dict[str, Callable[[Function], Function]] = {
    "gradient": grad,
    "directional derivative": lambda f: lambda x: jvp(f, (x,), (1 - x,))[1],
}
ONES = sorted({*LOSSES, "layer_norm", "group_norm", "batch_norm_training", "softmax"} - {"margin"})


@pytest.mark.parametrize("kind", ALONE)
@pytest.mark.parametrize("name", ONES)
def test_one_instance_alone_is_enclosed(name: str, kind: str) -> None:
    function, x = CATALOGUE[name]
    if (name, kind) == ("soft_margin", "directional derivative"):
        pytest.skip("torch has no such derivative")
    derived = ALONE[kind](function)
    (result,) = written_out(derived, x).enclose(Enclosure.exactly(x))
    scale = max(1e-3, float(result.mid.abs().max()))
    assert bool((result.rad <= 3e-9 * scale).all())
    assert bool(((derived(x) - result.mid).abs() <= result.rad + 1e-9 * scale).all())


@pytest.mark.parametrize(("name", "kind"), sorted(UNKNOWN), ids=[f"{name}-{kind}" for name, kind in sorted(UNKNOWN)])
def test_what_cannot_be_enclosed_says_so(name: str, kind: str) -> None:
    function, x = CATALOGUE[name]
    derived = vmap(KINDS[kind](function))
    with pytest.raises((UnknownOperatorError, NotImplementedError, RuntimeError)):
        written_out(derived, lanes(x)).enclose(Enclosure.exactly(lanes(x)))


ALSO = [
    ("count_nonzero", "value"),
    ("aten.norm", "value"),
    ("sgn", "gradient"),
    ("embedding", "gradient"),
    ("take", "gradient"),
    ("unfold", "gradient"),
    ("diag", "gradient"),
]
"""What uses formulas only over lanes."""


def used(function: Callable[[Tensor], Any], x: Tensor) -> set[Any]:
    """The formulas that a trace of a function used."""
    found = set()

    def noting(operator: Any, formula: Callable[..., Any]) -> Callable[..., Any]:
        def apply(*args: Any, **kwargs: Any) -> Any:
            found.add(operator)
            return formula(*args, **kwargs)

        return apply

    make_fx(function, decomposition_table={op: noting(op, f) for op, f in DECOMPOSITIONS.items()})(x)
    return found


def test_every_formula_is_used_by_something_that_is_tested() -> None:
    left = {op for op in DECOMPOSITIONS if not op._schema.name.endswith("_")}
    left -= {named(case.name) for case in test_formulas.CASES}
    left -= {named("aten.native_group_norm_backward.default")}  # in test_formulas.py
    alone = [
        (name, KINDS["value"]) for name in CATALOGUE if name != "one hot"
    ]  # torch reads its classes off the tensor
    alone += [(name, grad) for name in ONES] + [("glu", ALONE["directional derivative"])]
    for name, derived in alone:
        left -= used(derived(CATALOGUE[name][0]), CATALOGUE[name][1])
    for name, kind in ALSO:
        left -= used(vmap(KINDS[kind](CATALOGUE[name][0])), lanes(CATALOGUE[name][1]))
    assert {str(op) for op in left} == set()
