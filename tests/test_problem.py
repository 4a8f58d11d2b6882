"""Batches, their exact JSON round trip, and what a spoiled file says."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, dataclass
from enum import StrEnum
from typing import Any, ClassVar, Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.problem import _PARTS, Part, Problem, Recipe, shown, tensor_from_json, tensor_to_json

COMMON = settings(max_examples=150, deadline=None, derandomize=True, database=None)
NAN, INF = math.nan, math.inf


@dataclass(frozen=True)
class Ruler(Part):
    """A piece of structure."""

    marks: int
    unit: str = "cm"


@dataclass(frozen=True)
class Sample(Problem):
    """Leaves of several shapes, a dict of leaves, structure of several types."""

    ruler: Ruler
    points: Tensor
    size: Tensor
    extra: dict[str, Tensor]
    radius: Tensor
    reach: Tensor
    label: str = "s"
    strict: bool = False
    limit: int | None = None

    radius_of: ClassVar[Mapping[str, str]] = {"points": "radius"}
    unbounded: ClassVar[tuple[str, ...]] = ("reach",)


def sample(lanes: int = 3, **leaves: Tensor) -> Sample:
    ones = torch.ones(lanes, dtype=torch.float64)
    base = Sample(
        ruler=Ruler(7),
        points=torch.arange(lanes * 4, dtype=torch.float64).reshape(lanes, 2, 2),
        size=ones.clone(),
        extra={"head": 2 * ones[:, None], "bias": 3 * ones},
        radius=0 * ones,
        reach=ones.clone(),
    )
    return base.with_leaves(base.leaves() | leaves)


def one_sentence(error: BoundcheckError) -> str:
    text = str(error)
    assert text.endswith(".")
    assert "\n" not in text
    return text


def same_bits(a: Tensor, b: Tensor) -> bool:
    integers = {torch.float64: torch.int64, torch.float32: torch.int32}
    number = a.isnan() & b.isnan()
    equal = a.contiguous().view(integers[a.dtype]) == b.contiguous().view(integers[b.dtype])
    return a.shape == b.shape and a.dtype == b.dtype and bool((equal | number).all())


# ------------------------------------------------------------------------------------------------------- round trips

DOUBLES = st.one_of(
    st.floats(),
    st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 2.0**-1022, 1.7976931348623157e308, INF, -INF, NAN, 0.1, 1 / 3]),
)
SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@st.composite
def tensors(draw: st.DrawFn, dtype: torch.dtype = torch.float64) -> Tensor:
    shape = draw(SHAPES)
    numbers = st.floats(width=32) if dtype == torch.float32 else DOUBLES
    entries = draw(st.lists(numbers, min_size=math.prod(shape), max_size=math.prod(shape)))
    return torch.tensor(entries, dtype=dtype).reshape(shape)


@COMMON
@given(tensor=st.one_of(tensors(), tensors(torch.float32)))
def test_every_tensor_survives_json_bit_by_bit(tensor: Tensor) -> None:
    text = json.dumps(tensor_to_json(tensor), allow_nan=False)
    assert same_bits(tensor_from_json(json.loads(text)), tensor)


@COMMON
@given(lanes=st.integers(1, 3), data=st.data())
def test_every_problem_survives_json_bit_by_bit(lanes: int, data: st.DataObject) -> None:
    def drawn(*shape: int) -> Tensor:
        count = math.prod(shape) * lanes
        return torch.tensor(data.draw(st.lists(DOUBLES, min_size=count, max_size=count)), dtype=torch.float64).reshape(
            lanes, *shape
        )

    problem = Sample(
        Ruler(data.draw(st.integers(-5, 5)), data.draw(st.text(max_size=5))),
        drawn(2),
        drawn(),
        {"head": drawn(1, 2), "a.b": drawn()},
        drawn(),
        drawn(),
        data.draw(st.text(max_size=5)),
        data.draw(st.booleans()),
        data.draw(st.none() | st.integers()),
    )
    back = Problem.from_json(json.loads(json.dumps(problem.to_json(), allow_nan=False)))
    assert isinstance(back, Sample)
    assert back.structure() == problem.structure()
    assert back.ruler == problem.ruler
    assert list(back.leaves()) == list(problem.leaves())
    for name, tensor in problem.leaves().items():
        assert same_bits(back.leaves()[name], tensor), name


def test_an_empty_dict_of_leaves_survives() -> None:
    base = sample()
    empty = Sample(base.ruler, base.points, base.size, {}, base.radius, base.reach)
    back = Problem.from_json(empty.to_json())
    assert isinstance(back, Sample)
    assert back.extra == {}


def test_tensors_are_written_detached_and_in_row_order() -> None:
    tensor = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64, requires_grad=True)
    assert tensor_to_json(tensor.T) == {
        "shape": [2, 2],
        "dtype": "float64",
        "hex": ["0x1.0000000000000p+0", "0x1.8000000000000p+1", "0x1.0000000000000p+1", "0x1.0000000000000p+2"],
    }


# ----------------------------------------------------------------------------------------------------- spoiled files

GOOD = {"shape": [2], "dtype": "float64", "hex": ["0x1p+0", "0x1p+1"]}


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3]},
        {"shape": [2, 2]},
        {"shape": [0]},
        {"shape": "2"},
        {"shape": None},
        {"shape": [1.5]},
        {"shape": ["2"]},
        {"shape": [-2]},
        {"hex": ["0x1p+0"]},
        {"hex": ["one", "two"]},
        {"hex": [1.0, 2.0]},
        {"hex": [None, None]},
        {"hex": [["0x1p+0"], ["0x1p+1"]]},
        {"hex": {"0": "0x1p+0"}},
        {"hex": "0x1p+0"},
        {"dtype": "int64"},
        {"dtype": "object"},
        {"dtype": None},
    ],
    ids=str,
)
def test_a_malformed_tensor_is_refused_in_one_sentence(change: dict[str, Any]) -> None:
    with pytest.raises(BoundcheckError) as caught:
        tensor_from_json(GOOD | change)
    assert "stored tensor" in one_sentence(caught.value)


@pytest.mark.parametrize("missing", ["shape", "dtype", "hex"])
def test_a_tensor_without_one_of_its_parts_is_refused(missing: str) -> None:
    with pytest.raises(BoundcheckError) as caught:
        tensor_from_json({key: value for key, value in GOOD.items() if key != missing})
    assert "expected" in one_sentence(caught.value)


def edited(edit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(sample().to_json()))
    edit(data)
    return data


@pytest.mark.parametrize("name", ["Nobody", None, "builtins.eval", ""])
def test_an_unknown_class_is_refused_with_the_known_ones(name: Any) -> None:
    with pytest.raises(BoundcheckError) as caught:
        Problem.from_json(edited(lambda data: data.update(problem=name)))
    text = one_sentence(caught.value)
    assert repr(name) in text
    assert "Sample" in text
    assert "import the module" in text


def test_a_file_without_a_class_is_refused() -> None:
    with pytest.raises(BoundcheckError, match="None is not known"):
        Problem.from_json({})


def test_an_unknown_part_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BoundcheckError) as caught:
        Problem.from_json(edited(lambda data: data["structure"]["ruler"].update(part="Nobody")))
    text = one_sentence(caught.value)
    assert "'Nobody'" in text
    assert "Ruler" in text


@pytest.mark.parametrize("where", ["structure", "leaves"])
def test_a_field_that_the_class_does_not_have_is_refused(where: str) -> None:
    value: Any = 1 if where == "structure" else GOOD
    with pytest.raises(BoundcheckError) as caught:
        Problem.from_json(edited(lambda data: data[where].update(stranger=value)))
    assert "no field ['stranger']" in one_sentence(caught.value)


# -------------------------------------------------------------------------------------------------------------- lanes


def test_leaves_have_dotted_names_and_structure_has_the_rest() -> None:
    problem = sample()
    assert list(problem.leaves()) == ["points", "size", "extra.head", "extra.bias", "radius", "reach"]
    assert problem.structure() == {
        "ruler": {"part": "Ruler", "marks": 7, "unit": "cm"},
        "label": "s",
        "strict": False,
        "limit": None,
    }


def test_one_lane_is_a_batch_of_its_own() -> None:
    problem = sample(4)
    for lane in range(4):
        one = problem.lane(lane)
        assert one.lanes == 1
        assert one.structure() == problem.structure()
        for name, tensor in problem.leaves().items():
            assert torch.equal(one.leaves()[name][0], tensor[lane])
    one.points.zero_()
    assert bool((problem.points[3] != 0).any())


@pytest.mark.parametrize(
    "leaves",
    [
        {"size": torch.ones(2, dtype=torch.float64)},
        {"size": torch.ones((), dtype=torch.float64)},
        {"extra.head": torch.ones(1, 3, dtype=torch.float64)},
    ],
    ids=["another number of lanes", "a scalar", "a nested leaf"],
)
def test_leaves_that_do_not_agree_on_the_lanes_are_named(leaves: dict[str, Tensor]) -> None:
    with pytest.raises(BoundcheckError) as caught:
        _ = sample(3, **leaves).lanes
    text = one_sentence(caught.value)
    assert next(iter(leaves)) in text
    assert "first axis" in text


def test_a_problem_without_leaves_has_no_lanes() -> None:
    @dataclass(frozen=True)
    class Bare(Problem):
        count: int = 1

    with pytest.raises(BoundcheckError, match="at least one leaf"):
        _ = Bare().lanes


@pytest.mark.parametrize(
    ("name", "bad", "usable"),
    [
        ("points", NAN, False),
        ("points", INF, False),
        ("size", -INF, False),
        ("extra.head", INF, False),
        ("extra.bias", NAN, False),
        ("radius", INF, True),
        ("radius", NAN, False),
        ("reach", INF, True),
        ("reach", NAN, False),
    ],
)
def test_only_radii_and_unbounded_leaves_may_be_infinite(name: str, bad: float, usable: bool) -> None:
    problem = sample(3)
    leaf = problem.leaves()[name].clone()
    leaf[1].view(-1)[0] = bad
    assert sample(3, **{name: leaf}).finite().tolist() == [True, usable, True]


def test_a_problem_is_frozen_and_with_leaves_leaves_it_alone() -> None:
    problem = sample()
    changed = problem.with_leaves(problem.leaves() | {"extra.head": torch.zeros(3, 1, dtype=torch.float64)})
    assert bool((problem.extra["head"] == 2).all())
    assert bool((changed.extra["head"] == 0).all())
    assert changed.extra["bias"] is problem.extra["bias"]
    with pytest.raises(FrozenInstanceError):
        problem.label = "other"  # type: ignore[misc]


def test_moving_to_a_device_keeps_every_bit() -> None:
    problem = sample()
    there = problem.to("cpu")
    assert all(torch.equal(there.leaves()[name], tensor) for name, tensor in problem.leaves().items())
    assert there.structure() == problem.structure()


def test_a_recipe_is_whatever_builds_and_has_a_label() -> None:
    class Good:
        label = "good"

        def build(self, lanes: int, first: int = 0) -> Problem:
            return sample(lanes)

    assert isinstance(Good(), Recipe)
    assert not isinstance(sample(), Recipe)


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.pop("structure"),
        lambda d: d.pop("leaves"),
        lambda d: d["structure"].pop("limit"),
        lambda d: d["leaves"].pop("points"),
        lambda d: d["structure"]["ruler"].update(extra=1),
        lambda d: d["leaves"].update(points=[1, 2]),
        lambda d: d["leaves"]["points"].update(shape=[-1]),
        lambda d: d["leaves"]["points"].update(hex=["0x1p+5000"]),
        lambda d: d.update(problem=["a", "list"]),
        lambda d: d["structure"].update(points=3.0) or d["leaves"].pop("points"),
    ],
)
def test_a_hostile_or_damaged_file_is_one_sentence(edit: Callable[[dict[str, Any]], Any]) -> None:
    with pytest.raises(BoundcheckError) as caught:
        Problem.from_json(edited(edit))
    assert one_sentence(caught.value)


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Sorted(Part):
    """A field of every sort that structure may have."""

    whole: int = 1
    number: float = 1.0
    text: str = "t"
    truth: bool = True
    either: int | str | None = None
    choice: Literal["a", 1] = "a"
    colour: Colour = Colour.RED
    inner: "Sorted | None" = None
    ruler: Ruler | None = None
    anything: Any = None


@dataclass(frozen=True)
class Careful(Problem):
    """A problem that looks at what it is given."""

    part: Sorted
    x: Tensor

    def __post_init__(self) -> None:
        if self.part.whole != self.x.shape[-1]:
            raise BoundcheckError(
                f"{self.part.whole} numbers in {self.x.shape[-1]}", expected="as many as the part says"
            )
        if self.part.text == "spoiled":
            raise ZeroDivisionError("many\nlines")


def careful(**part: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(Careful(Sorted(), torch.ones(1, 1, dtype=torch.float64)).to_json()))
    data["structure"]["part"].update(part)
    return data


def refusal(data: Any) -> str:
    with pytest.raises(BoundcheckError) as caught:
        Problem.from_json(data)
    text = one_sentence(caught.value)
    assert len(text) < 1000
    return text


RULER = {"part": "Ruler", "marks": 1, "unit": "cm"}


@pytest.mark.parametrize(
    "part",
    [
        {"number": 2},
        {"number": -0.0},
        {"either": "x"},
        {"either": 3},
        {"choice": 1},
        {"ruler": RULER},
        {"anything": RULER},
        {"anything": "x"},
        {"anything": 2**1022},
        {"inner": {"part": "Sorted"} | careful()["structure"]["part"]},
    ],
    ids=str,
)
def test_fields_of_the_sorts_that_a_class_says_come_back(part: dict[str, Any]) -> None:
    back = Problem.from_json(careful(**part))
    assert json.dumps(back.to_json()) == json.dumps(careful(**part))


@pytest.mark.parametrize(
    "part",
    [
        {"whole": "1"},
        {"whole": True},
        {"whole": 1.0},
        {"whole": None},
        {"whole": []},
        {"whole": {}},
        {"whole": 2**1024},
        {"whole": -(10**400)},
        {"number": "1.0"},
        {"number": True},
        {"text": 1},
        {"truth": 1},
        {"either": 1.5},
        {"either": RULER},
        {"choice": True},
        {"choice": "b"},
        {"colour": "blue"},
        {"colour": 3},
        {"inner": RULER},
        {"ruler": "cm"},
        {"anything": [1]},
        {"anything": {"a": 1}},
        {"anything": {"float": "1.0"}},
        {"anything": {"part": ["Ruler"]}},
        {"anything": {"part": "Part"}},
        {"anything": RULER | {"marks": "7"}},
        {"anything": {"part": "x" * 10**6}},
        {"__class__": "Ruler"},
        {"__init__": 1},
        {"y" * 10**6: 1},
    ],
    ids=lambda part: str(part)[:40],
)
def test_fields_of_other_sorts_are_refused_before_a_class_is_called(part: dict[str, Any]) -> None:
    refusal(careful(**part))


def test_what_a_class_itself_refuses_is_passed_on_and_what_it_trips_over_is_told() -> None:
    assert refusal(careful(whole=10**18)) == f"{10**18} numbers in 1; expected as many as the part says."
    assert "a stored Careful cannot be made (ZeroDivisionError: many)" in refusal(careful(text="spoiled"))


def test_infinities_and_nan_in_structure_survive_json() -> None:
    for number in (INF, -INF, NAN):
        problem = Careful(Sorted(number=number, anything=number), torch.ones(1, 1, dtype=torch.float64))
        back = Problem.from_json(json.loads(json.dumps(problem.to_json(), allow_nan=False)))
        assert isinstance(back, Careful)
        assert str(back.part) == str(problem.part)


def test_a_whole_number_that_no_file_may_hold_is_refused_when_it_is_written() -> None:
    with pytest.raises(BoundcheckError, match="1025 bits"):
        Careful(Sorted(anything=2**1024), torch.ones(1, 1, dtype=torch.float64)).to_json()


def test_parts_may_be_nested_and_not_without_end() -> None:
    def nested(depth: int) -> dict[str, Any]:
        part: dict[str, Any] = careful()["structure"]["part"]
        for _ in range(depth):
            part = careful()["structure"]["part"] | {"inner": part}
        return careful(inner=part)

    assert Problem.from_json(nested(10)).lanes == 1
    assert "nested at most" in refusal(nested(40))
    assert "nested at most" in refusal(nested(3000))


def test_a_part_of_a_class_that_was_imported_again_still_fits() -> None:
    before = _PARTS["Ruler"]
    names = {"__module__": __name__, "__annotations__": {"marks": int, "unit": str}}
    again: type[Part] = dataclass(frozen=True)(type("Ruler", (Part,), names))
    try:
        assert _PARTS["Ruler"] == [again]
        back = Problem.from_json(careful(ruler=RULER))
    finally:
        _PARTS["Ruler"] = before
    assert isinstance(back, Careful)
    assert type(back.part.ruler) is again


def test_annotations_that_cannot_be_looked_up_restrict_nothing() -> None:
    @dataclass(frozen=True)
    class Obscure(Problem):
        x: "Unheard"  # type: ignore[name-defined]  # noqa: F821 - that is the point
        size: "Of"  # type: ignore[name-defined]  # noqa: F821

    problem = Obscure(torch.ones(2, 1, dtype=torch.float64), 3)
    back = Problem.from_json(json.loads(json.dumps(problem.to_json())))
    assert back.structure() == {"size": 3}


@pytest.mark.parametrize(
    ("shape", "entries"),
    [
        ([10**9, 10**9], 0),
        ([0, 10**18], 0),
        ([1, 0, 10**8], 0),
        ([2**31, 2**31, 0], 0),
        ([2**13, 2**12, 0], 0),
        ([1] * 17, 1),
        ([1] * 10**5, 1),
        ([10**4000], 1),
        ([True], 1),
        ([1.0], 1),
        ([2, -1, -1], 2),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, list) and len(value) < 9 else "",
)
def test_shapes_that_stand_for_gigabytes_are_refused(shape: list[int], entries: int) -> None:
    with pytest.raises(BoundcheckError, match="a stored tensor of shape") as caught:
        tensor_from_json({"shape": shape, "dtype": "float64", "hex": ["0x1p+0"] * entries})
    assert len(one_sentence(caught.value)) < 400


def test_small_empty_tensors_are_fine() -> None:
    assert tensor_from_json({"shape": [1, 0, 1000], "dtype": "float64", "hex": []}).shape == (1, 0, 1000)


@pytest.mark.parametrize("entry", ["0x1.0000000000001p+0", "0x1p+200", "0x1p-200"])
def test_entries_that_the_dtype_cannot_hold_are_refused(entry: str) -> None:
    with pytest.raises(BoundcheckError, match="holds exactly"):
        tensor_from_json({"shape": [1], "dtype": "float32", "hex": [entry]})


@pytest.mark.parametrize(
    ("leaves", "words"),
    [
        ({"extra": GOOD}, "not both"),
        ({"points.a": GOOD}, "not both"),
        ({"label": GOOD}, "twice"),
        ({"ruler.marks": GOOD}, "twice"),
        ({".a": GOOD}, "no field ['']"),
        ({"": GOOD}, "no field ['']"),
        ({"__dict__.x": GOOD}, "no field ['__dict__']"),
        ({"a" * 10**6: GOOD}, "no field ['aaa"),
        ({f"stranger{number}": GOOD for number in range(1000)}, "…]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_leaves_that_belong_nowhere(leaves: dict[str, Any], words: str) -> None:
    assert words in refusal(edited(lambda data: data["leaves"].update(leaves)))


def test_a_dict_of_leaves_may_have_any_keys() -> None:
    one = torch.ones(3, dtype=torch.float64)
    base = sample()
    odd = Sample(base.ruler, base.points, base.size, {"": one, ".": 2 * one, "a.b.c": 3 * one}, base.radius, base.reach)
    back = Problem.from_json(odd.to_json())
    assert isinstance(back, Sample)
    assert {key: float(value[0]) for key, value in back.extra.items()} == {"": 1.0, ".": 2.0, "a.b.c": 3.0}


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, 10**5000, "a\nb", ["x" * 10**6] * 3, [[1]], {"a": 1}, None, 1.5, NAN, "\ud800"],
    ids=lambda v: "",
)
def test_whatever_is_shown_in_a_message_is_short_and_on_one_line(value: Any) -> None:
    assert len(shown(value)) < 400
    assert shown(value).isprintable()


@pytest.mark.parametrize("data", [[], None, 3, "text"])
def test_what_is_no_object_is_one_sentence(data: Any) -> None:
    with pytest.raises(BoundcheckError):
        Problem.from_json(data)


@pytest.mark.parametrize("index", [-1, 99])
def test_a_lane_that_there_is_not_is_refused(index: int) -> None:
    with pytest.raises(BoundcheckError, match="expected 0 to"):
        sample().lane(index)
