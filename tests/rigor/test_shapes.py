"""Moving, creating, overwriting and picking entries."""

import math
from fractions import Fraction
from typing import Any

import pytest
import torch

from boundcheck.rigor import Enclosure
from boundcheck.rigor.registry import ruled
from boundcheck.rigor.shapes import CREATIONS, MOVES
from tests.rigor.oracle import UNSURE, YES, apply, ball, inside, truth

GRID = torch.arange(1.0, 13.0, dtype=torch.float64).reshape(3, 4)
MOVE_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "view.default": ([2, 6],),
    "reshape.default": ([2, 6],),
    "_unsafe_view.default": ([2, 6],),
    "_reshape_alias.default": ([2, 6], [6, 1]),
    "expand.default": ([2, 3, 4],),
    "permute.default": ([1, 0],),
    "transpose.int": (0, 1),
    "unsqueeze.default": (1,),
    "squeeze.dim": (0,),
    "squeeze.dims": ([0, 1],),
    "select.int": (0, 1),
    "slice.Tensor": (1, 1, 3),
    "split.Tensor": (2, 1),
    "split_with_sizes.default": ([1, 3], 1),
    "flip.default": ([1],),
    "repeat.default": ([2, 1],),
    "roll.default": ([1], [1]),
    "movedim.int": (0, 1),
    "select_backward.default": ([2, 3, 4], 0, 1),
    "slice_backward.default": ([3, 6], 1, 1, 5, 1),
    "unfold.default": (1, 2, 1),
    "slice_scatter.default": (Enclosure(GRID[:, :2].clone(), GRID[:, :2] / 1024), 1, 2, 4),
    "select_scatter.default": (Enclosure(GRID[0].clone(), GRID[0] / 1024), 0, 2),
    "diagonal_scatter.default": (Enclosure(GRID[0, :3].clone(), GRID[0, :3] / 1024),),
}


@pytest.mark.parametrize("move", MOVES)
def test_a_move_takes_values_and_radii_to_the_same_places(move: str) -> None:
    if f"aten.{move}" not in ruled():
        pytest.fail(f"{move} is listed but has no rule")
    x = Enclosure(GRID.clone(), GRID / 1024)
    listed = move in ("cat.default", "stack.default")
    result = apply(f"aten.{move}", *([[x, x]] if listed else [x]), *MOVE_ARGUMENTS.get(move, ()))
    for part in result if isinstance(result, list) else [result]:
        assert torch.equal(part.rad * 1024, part.mid)
        assert set(part.mid.flatten().tolist()) <= {0.0, *GRID.flatten().tolist()}


@pytest.mark.parametrize("creation", CREATIONS)
def test_a_created_tensor_is_exact_and_in_double(creation: str) -> None:
    like = ball([[1.0, 2.0]], 0.5)
    arguments: dict[str, tuple[Any, ...]] = {
        "scalar_tensor.default": (0.1,),
        "eye.default": (2,),
        "eye.m": (2, 3),
        "arange.default": (3,),
        "arange.start": (1, 4),
        "arange.start_step": (0, 6, 2),
        "full.default": ([2], 0.5),
        "full_like.default": (like, 0.5),
        "new_full.default": (like, [2], 0.5),
        "new_empty_strided.default": (like, [2], [1]),
        "tril_indices.default": (3, 3),
        "triu_indices.default": (3, 3),
        "_new_zeros_with_same_feature_meta.default": (like, like),
    }
    shaped = (like, [2]) if creation.startswith("new_") else (like,) if "_like" in creation else ([2],)
    result = apply(f"aten.{creation}", *arguments.get(creation, shaped))
    assert bool((result.rad == 0).all())
    assert not result.mid.is_floating_point() or result.mid.dtype == torch.float64


def test_picked_entries_keep_their_radii() -> None:
    x = Enclosure(GRID.clone(), GRID / 1024)
    where = Enclosure.exactly(torch.tensor([2, 0]))
    wide = Enclosure.exactly(torch.tensor([[0, 3], [1, 1], [2, 0]]))
    column = Enclosure(x.mid[:, :1], x.rad[:, :1])
    for result in (
        apply("aten.squeeze_.dim", column, 1),
        apply("aten.index.Tensor", x, [where]),
        apply("aten.index.Tensor", x, [None, where]),
        apply("aten.index_select.default", x, 1, where),
        apply("aten.gather.default", x, 1, wide),
    ):
        assert torch.equal(result.rad * 1024, result.mid)
    assert column.mid.shape == (3, 1)


def test_nothing_is_known_of_an_entry_picked_at_an_undecided_position() -> None:
    x = ball([10.0, 20.0])
    positions = apply("aten._to_copy.default", apply("aten.gt.Scalar", ball([0.0, 1.0], 0.5), 0.0), dtype=torch.int64)
    for name in ("aten.gather.default", "aten.index_select.default"):
        picked = apply(name, x, 0, positions)
        assert picked.rad[0] == math.inf
    assert apply("aten.index.Tensor", x, [positions]).rad[0] == math.inf


def test_a_border_has_radius_0_whatever_its_value() -> None:
    padded = apply("aten.constant_pad_nd.default", ball([1.0, 2.0], 0.5), [1, 1], -3.0)
    assert padded.mid.tolist() == [-3.0, 1.0, 2.0, -3.0]
    assert padded.rad.tolist() == [0.0, 0.5, 0.5, 0.0]


def test_writing_in_place_changes_value_and_radius() -> None:
    x = ball([1.0, 2.0], 0.5)
    apply("aten.fill_.Scalar", apply("aten.select.int", x, 0, 0), 7.0)
    assert (x.mid.tolist(), x.rad.tolist()) == ([7.0, 2.0], [0.0, 0.5])
    apply("aten.copy_.default", apply("aten.slice.Tensor", x, 0, 1, 2), ball([9.0], 0.25))
    assert (x.mid.tolist(), x.rad.tolist()) == ([7.0, 9.0], [0.0, 0.25])
    apply("aten.zero_.default", x)
    assert (x.mid.tolist(), x.rad.tolist()) == ([0.0, 0.0], [0.0, 0.0])


ALIASING = {
    "neg": lambda x: apply("aten.neg.default", x),
    "abs": lambda x: apply("aten.abs.default", x),
    "relu": lambda x: apply("aten.relu.default", x),
    "clamp": lambda x: apply("aten.clamp_min.default", x, -9.0),
    "clone": lambda x: apply("aten.clone.default", x),
    "cast": lambda x: apply("aten._to_copy.default", x, dtype=torch.float64),
    "copy": lambda x: apply("aten._to_copy.default", x),
    "sum": lambda x: apply("aten.sum.dim_IntList", x, [0], True),
    "maximum": lambda x: apply("aten.maximum.default", x, x),
    "power": lambda x: apply("aten.pow.Tensor_Scalar", x, 1),
    "where": lambda x: apply("aten.where.self", truth(YES), x, x),
    "norm": lambda x: apply("aten.linalg_vector_norm.default", x, 2, [0], True),
}


@pytest.mark.parametrize("name", ALIASING)
def test_writing_into_a_result_leaves_its_argument_alone(name: str) -> None:
    x = ball([2.0], 0.5)
    apply("aten.zero_.default", ALIASING[name](x))
    assert (x.mid.tolist(), x.rad.tolist()) == ([2.0], [0.5])


@pytest.mark.parametrize("name", ["aten._to_copy.default", "aten.to.dtype"])
def test_a_cast_to_a_narrower_type_adds_its_rounding_and_stays_in_double(name: str) -> None:
    narrow = (
        apply(name, ball([0.1, 0.5]), torch.float32)
        if "to.dtype" in name
        else apply(name, ball([0.1, 0.5]), dtype=torch.float32)
    )
    assert narrow.mid.dtype == torch.float64
    assert inside(Fraction(0.1), float(narrow.mid[0]), float(narrow.rad[0]))
    assert float(narrow.mid[0]) == float(torch.tensor(0.1))
    assert narrow.rad[1] == 0


def test_a_cast_to_integers_is_exact_unless_a_whole_number_is_within_the_radius() -> None:
    cut = apply("aten._to_copy.default", ball([2.7, 2.5, 2.999, 1e300], [0.0, 0.4, 0.01, 0.0]), dtype=torch.int64)
    assert cut.mid.tolist()[:3] == [2, 2, 2]
    assert cut.rad.tolist() == [0.0, 0.0, 1.0, math.inf]
    bare = apply("aten._to_copy.default", 0.1, dtype=torch.float64)
    assert float(bare.mid) == 0.1
    counted = apply("aten._to_copy.default", truth(YES, UNSURE), dtype=torch.float64)
    assert counted.rad.tolist() == pytest.approx([0.0, 1.0])


def test_large_whole_numbers_round_when_they_become_doubles() -> None:
    result = apply("aten._to_copy.default", Enclosure.exactly(torch.tensor([2**53 + 1, 7])), dtype=torch.float64)
    assert inside(Fraction(2**53 + 1), float(result.mid[0]), float(result.rad[0]))
    assert result.rad[1] == 0.0


def test_a_number_becomes_a_truth_where_it_is_certainly_0_or_not() -> None:
    result = apply("aten._to_copy.default", ball([0.0, 2.0, 0.1], [0.0, 1.0, 0.2]), dtype=torch.bool)
    assert result.mid.tolist()[:2] == [False, True]
    assert result.rad.tolist() == [0.0, 0.0, math.inf]


def test_changes_of_shape_in_place_give_the_shape() -> None:
    column = ball([[[1.0], [2.0]]], 0.5)
    for name, arguments, shape in (
        ("squeeze_.dims", ([0, 2],), (2,)),
        ("unsqueeze_.default", (0,), (1, 1, 2, 1)),
        ("transpose_.default", (0, 1), (2, 1, 1)),
    ):
        result = apply(f"aten.{name}", column, *arguments)
        assert result.mid.shape == result.rad.shape == shape
    assert apply("aten.t_.default", ball([[1.0, 2.0]])).mid.shape == (2, 1)


# ------------------------------------------------------------------------------------------------ entries at positions

PLACES = torch.tensor([[2, 0, 0], [1, 1, 2]])


def whole(values: Any, rad: Any = 0.0) -> Enclosure:
    tensor = torch.as_tensor(values)
    return Enclosure(tensor, torch.as_tensor(rad, dtype=torch.float64).expand(tensor.shape).clone())


def test_entries_overwritten_at_positions() -> None:
    x, source = ball(GRID[:2, :3], 0.25), ball([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], 0.5)
    apart = whole([[2, 0, 1], [1, 0, 2]])
    result = apply("aten.scatter.src", x, 1, apart, source)
    assert torch.equal(result.mid, x.mid.scatter(1, apart.mid, source.mid))
    assert bool((result.rad == 0.5).all())
    one = apply("aten.scatter.value", x, 1, whole([[1], [0]]), 7.0)
    assert one.mid.tolist() == [[1.0, 7.0, 3.0], [7.0, 6.0, 7.0]]
    assert one.rad.tolist() == [[0.25, 0.0, 0.25], [0.0, 0.25, 0.25]]


def test_nothing_is_known_along_an_axis_where_a_position_is_undecided() -> None:
    x, unsure = ball(GRID[:2, :3]), whole([[1], [0]], [[0.0], [math.inf]])
    for result in (
        apply("aten.scatter.value", x, 1, unsure, 7.0),
        apply("aten.scatter.src", x, 1, unsure, ball([[7.0], [7.0]])),
        apply("aten.scatter_add.default", x, 1, unsure, ball([[7.0], [7.0]])),
    ):
        assert bool(result.rad[0].isfinite().all())
        assert bool(result.rad[1].isinf().all())
    narrow = apply("aten.scatter.value", ball(GRID), 1, whole([[1], [0]], [[math.inf], [0.0]]), 7.0)
    assert bool(narrow.rad[0].isinf().all())
    assert bool((narrow.rad[1:] == 0).all())
    put = apply("aten.index_put.default", ball([1.0, 2.0]), [whole([0], [math.inf])], ball([7.0]))
    assert bool(put.rad.isinf().all())


def test_entries_picked_at_a_position_that_one_lane_leaves_open() -> None:
    x = ball(GRID)
    lanes, places = whole([0, 1, 2]), whole([3, 0, 1], [0.0, math.inf, 0.0])
    for result in (
        apply("aten.index.Tensor", x, [lanes, places]),
        apply("aten.gather.default", x, 1, Enclosure(places.mid[:, None], places.rad[:, None])),
    ):
        assert result.rad.flatten().tolist() == [0.0, math.inf, 0.0]
    rows = apply("aten.index.Tensor", ball(GRID.reshape(3, 2, 2)), [None, whole([1, 0], [0.0, math.inf])])
    assert rows.rad.isinf().tolist() == [[[False, False], [True, True]]] * 3
    apart = apply(
        "aten.index.Tensor", ball(GRID.reshape(2, 3, 2)), [whole([1, 0], [0.0, math.inf]), None, whole([0, 1])]
    )
    assert apart.rad.isinf().tolist() == [[False] * 3, [True] * 3]


@pytest.mark.parametrize("scale", [1.0, 1e-310, 1e300])
def test_entries_added_at_positions_hold_the_exact_sums(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x, source = (scale * torch.randn(2, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    sums = [[Fraction(float(v)) for v in row] for row in x]
    for i in range(2):
        for j in range(3):
            sums[i][int(PLACES[i, j])] += Fraction(float(source[i, j]))
    rows = whole([[0, 0, 0], [1, 1, 1]])
    for result in (
        apply("aten.scatter_add.default", ball(x), 1, whole(PLACES), ball(source)),
        apply("aten.index_put.default", ball(x), [rows, whole(PLACES)], ball(source), True),
    ):
        for i in range(2):
            for j in range(3):
                assert inside(sums[i][j], float(result.mid[i, j]), float(result.rad[i, j]))
        assert bool((result.rad <= 1e-14 * scale + 1e-320).all())
    wide = apply("aten.scatter_add.default", ball(x, scale), 1, whole(PLACES), ball(source, 2 * scale))
    assert bool((wide.rad >= scale).all())
    assert float(wide.rad[0, 0]) >= 5 * scale


def test_whole_numbers_added_at_positions_stay_exact() -> None:
    counts = apply("aten.scatter_add.default", whole([0, 0, 0]), 0, whole([2, 2, 1]), whole([1, 1, 1]))
    assert counts.mid.tolist() == [0, 1, 2]
    assert counts.rad.tolist() == [0.0, 0.0, 0.0]


def test_rows_written_with_gaps_in_the_positions() -> None:
    x = ball(torch.zeros(2, 3, 2))
    result = apply("aten.index_put.default", x, [None, whole([2, 0])], ball([[[1.0, 2.0], [3.0, 4.0]]] * 2, 0.5))
    assert result.mid[0].tolist() == [[3.0, 4.0], [0.0, 0.0], [1.0, 2.0]]
    assert result.rad[0].tolist() == [[0.5, 0.5], [0.0, 0.0], [0.5, 0.5]]


def test_values_and_radii_have_one_layout_in_memory() -> None:
    turned = Enclosure(GRID.mT, (GRID / 1024).mT.contiguous())
    for name in ("neg", "exp", "abs", "clone", "relu"):
        result = apply(f"aten.{name}.default", turned)
        assert result.mid.stride() == result.rad.stride()
        assert bool((result.rad >= 0).all())
    for exponent in (1, 1.0, 2, 0):
        power = apply("aten.pow.Tensor_Scalar", turned, exponent)
        assert power.mid.stride() == power.rad.stride()
