"""Which operators a claim may use: each has a rule or a formula, and each of those is tested."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from boundcheck.errors import BoundcheckError, UnknownOperatorError
from boundcheck.rigor import DECOMPOSITIONS, Enclosure, vocabulary
from boundcheck.rigor.registry import lookup, ruled
from boundcheck.rigor.shapes import CREATIONS, MOVES
from tests.rigor import test_arithmetic, test_functions
from tests.rigor.oracle import DECISIONS, aten, ball, named, written_out

ELEMENTWISE = {case.name for case in [*test_arithmetic.CASES, *test_functions.CASES]} | {
    "aten.mul.Scalar",
    "aten.div.Scalar",
    "aten.pow.Tensor_Tensor",
    *(f"aten.{name}.{overload}" for name in ("remainder", "fmod") for overload in ("Tensor", "Scalar")),
    "aten.div.Tensor_mode",
    "aten.div.Scalar_mode",
}
LOGIC = {
    "aten.logical_and.default",
    "aten.logical_or.default",
    "aten.logical_not.default",
    "aten.bitwise_and.Tensor",
    "aten.bitwise_or.Tensor",
    "aten.bitwise_not.default",
    *(f"aten.{name}.{overload}" for name in ("all", "any") for overload in ("default", "dim", "dims")),
    "aten.isnan.default",
    "aten.isinf.default",
    "aten.where.self",
}
REDUCTIONS = {
    "aten.sum.default",
    "aten.sum.dim_IntList",
    "aten.mean.default",
    "aten.mean.dim",
    "aten.cumsum.default",
    "aten.amax.default",
    "aten.amin.default",
    "aten.max.default",
    "aten.min.default",
    "aten.argmax.default",
    "aten.argmin.default",
    "aten.sort.default",
    "aten.sort.stable",
    "aten.linalg_vector_norm.default",
}
PRODUCTS = {
    "aten.bmm.default",
    "aten.mm.default",
    "aten.matmul.default",
    "aten.mv.default",
    "aten.dot.default",
    "aten.addmm.default",
    "aten.baddbmm.default",
}
MATRICES = {  # in test_linear_algebra.py and test_matrix_functions.py
    "aten._linalg_svd.default",
    "aten.linalg_svdvals.default",
    "aten.linalg_qr.default",
    "aten._linalg_eigh.default",
    "aten._linalg_solve_ex.default",
    "aten._linalg_check_errors.default",
    "aten._linalg_det.default",
    "aten.linalg_lu_factor_ex.default",
    "aten.linalg_lu_solve.default",
    "aten.linalg_cholesky_ex.default",
    "aten.linalg_matrix_exp.default",
    "boundcheck.rank.default",
}
STORAGE = {
    "aten.index.Tensor",
    "aten._unsafe_index.Tensor",
    "aten.gather.default",
    "aten.index_select.default",
    "aten.index_put.default",
    "aten._unsafe_index_put.default",
    "aten.scatter.src",
    "aten.scatter.value",
    "aten.scatter_add.default",
    "aten.constant_pad_nd.default",
    "aten.squeeze_.dim",
    "aten.squeeze_.dims",
    "aten.unsqueeze_.default",
    "aten.t_.default",
    "aten.transpose_.default",
    "aten.fill_.Scalar",
    "aten.zero_.default",
    "aten.copy_.default",
    "aten._to_copy.default",
    "aten.to.dtype",
}


def test_every_rule_is_tested() -> None:
    tested = ELEMENTWISE | set(DECISIONS) | LOGIC | REDUCTIONS | PRODUCTS | MATRICES | STORAGE
    only_move_or_create = {f"aten.{name}" for name in [*MOVES, *CREATIONS]}
    assert set(ruled()) - only_move_or_create == tested


def test_the_vocabulary_is_what_has_a_rule_or_a_formula() -> None:
    assert set(vocabulary()) == set(ruled()) | {str(operator) for operator in DECOMPOSITIONS}
    assert {"aten.gelu.default", "aten.exp.default", "aten.add_.Tensor", "boundcheck.rank.default"} <= set(vocabulary())


def test_an_operator_without_a_rule_is_named() -> None:
    with pytest.raises(UnknownOperatorError, match=r"aten\.lgamma\.default") as caught:
        lookup(aten.lgamma.default)
    assert isinstance(caught.value, BoundcheckError)
    assert caught.value.operator == "aten.lgamma.default"


# --------------------------------------------------------------------------------------------------- writing in place

WRITING = sorted(str(op) for op in DECOMPOSITIONS if op._schema.name.endswith("_"))


def test_operators_that_write_in_place_are_those_one_would_think_of() -> None:
    expected = "add_.Tensor sub_.Tensor mul_.Tensor div_.Tensor exp_.default clamp_.default relu_.default pow_.Scalar"
    assert {f"aten.{name}" for name in expected.split()} <= set(WRITING)
    assert not any(name.startswith(("aten.squeeze_", "aten.transpose_", "aten.t_")) for name in WRITING)


@pytest.mark.parametrize("name", ["add_.Tensor", "masked_fill_.Scalar", "exp_.default", "gelu_.default", "pow_.Scalar"])
def test_writing_in_place_becomes_a_copy_that_views_see(name: str) -> None:
    tail: dict[str, tuple[Any, ...]] = {"add_.Tensor": (1.0,), "pow_.Scalar": (3.0,)}

    def function(x: Tensor) -> list[Tensor]:
        base = x.clone()
        part = base[1:]
        arguments = (part > 1, 0.5) if name == "masked_fill_.Scalar" else tail.get(name, ())
        result = named(f"aten.{name}")(part, *arguments)
        return [base, part, result]

    x = torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64)
    traced = written_out(function, x)
    assert "aten.copy_.default" in traced.operators()
    base, part, result = traced.enclose(ball(x, [0.0, 0.25, 0.0]))
    plain = function(x)
    assert torch.allclose(base.mid[::2], plain[0][::2])
    assert torch.equal(base.mid[1:], part.mid)
    assert torch.equal(base.rad[1:], result.rad)
    assert base.rad[0] == 0.0
    assert base.rad[1] > 0.2


# ------------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_narrow_floats_are_refused_or_converted(dtype: torch.dtype) -> None:
    x = torch.tensor([0.1, 2.5, 3.0], dtype=dtype)
    for function in (torch.exp, torch.sin, lambda t: t + 1, lambda t: (t * t).sum(), torch.nn.functional.gelu):
        with pytest.raises(BoundcheckError, match=r"float64|torch\.float"):
            written_out(function, x).enclose(Enclosure.exactly(x))
    (converted,) = written_out(lambda t: t.double() * 2, x).enclose(Enclosure.exactly(x))
    assert converted.mid.tolist() == (x.double() * 2).tolist()
    assert converted.mid.dtype == torch.float64


@pytest.mark.parametrize("layout", ["transposed", "strided", "expanded"])
def test_tensors_may_lie_in_memory_in_any_way(layout: str) -> None:
    base = torch.arange(1.0, 13.0, dtype=torch.float64).reshape(3, 4)
    x = {"transposed": base.T, "strided": base[:, ::2], "expanded": base[:1].expand(3, 4)}[layout]

    def function(t: Tensor) -> list[Tensor]:
        return [torch.softmax(t, -1).sum(0), torch.nn.functional.gelu(t.mT).flatten(), t.sort(0).values, t.std(1)]

    for result, exact in zip(written_out(function, x).enclose(ball(x)), function(x), strict=True):
        assert bool(((result.mid - exact).abs() <= result.rad + 1e-14).all())


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3), (2, 0, 3)])
def test_empty_tensors_give_empty_or_neutral_results(shape: tuple[int, ...]) -> None:
    x = torch.zeros(shape, dtype=torch.float64)

    def function(t: Tensor) -> list[Tensor]:
        return [
            t.exp().sum(),
            torch.nn.functional.gelu(t),
            t.sort(-1).values,
            t.cumsum(0),
            t.prod(),
            t.mT if t.dim() > 1 else t,
        ]

    for result, exact in zip(written_out(function, x).enclose(ball(x)), function(x), strict=True):
        assert result.mid.shape == result.rad.shape == exact.shape
        assert torch.equal(result.mid, exact)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda t: torch.softmax(t, -1),
    "logsumexp": lambda t: torch.logsumexp(t, -1),
    "std": lambda t: t.std(-1),
    "sort": lambda t: t.sort(-1).values,
    "max": lambda t: t.max(-1).values,
    "topk": lambda t: t.topk(2).values,
    "prod": lambda t: t.prod(-1),
    "norm": lambda t: torch.linalg.vector_norm(t, 3, dim=-1),
    "layer_norm": lambda t: torch.nn.functional.layer_norm(t, (3,)),
    "gelu": torch.nn.functional.gelu,
    "floor": torch.floor,
    "sign": torch.sign,
    "atan2": lambda t: torch.atan2(t, t + 1),
    "scatter": lambda t: torch.zeros_like(t).scatter_add(1, torch.tensor([[0, 0, 1]] * 5), t),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_entries_that_are_invalid_or_unknown_are_never_made_up(name: str) -> None:
    good = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    mid = torch.stack([good, good, good, good, good])
    mid[1, 1], mid[2, 2], mid[3, 0] = math.nan, math.inf, math.nan
    rad = torch.zeros_like(mid)
    rad[3, 0], rad[4, 1] = math.inf, math.inf
    function = FUNCTIONS[name]
    (result,) = written_out(function, mid).enclose(Enclosure(mid, rad))
    (alone,) = written_out(function, mid).enclose(ball(torch.stack([good] * 5)))
    assert not bool(result.rad.isnan().any())
    assert torch.equal(result.mid[0], alone.mid[0])
    assert torch.equal(result.rad[0], alone.rad[0])
    exact = function(mid)
    for lane in range(5):
        computed, radius = result.mid[lane].flatten(), result.rad[lane].flatten()
        there = exact[lane].flatten()
        # What torch itself computes as NaN or infinite is NaN, infinite or unknown here.
        bad = ~there.isfinite()
        assert bool((radius.isinf() | ~computed.isfinite())[bad].all()), (lane, result)
    if name not in ("sign", "scatter", "gelu", "floor", "atan2", "sort", "topk"):
        assert bool((result.rad[3:].isinf() | ~result.mid[3:].isfinite()).all()), result
