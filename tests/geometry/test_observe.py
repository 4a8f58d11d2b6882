"""Which networks give their Jacobian rows away as activations and signals, and that those are the rows of the loop."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from boundcheck.geometry import tangent_overlap
from boundcheck.geometry.layers import Captured
from boundcheck.geometry.observe import observe
from boundcheck.geometry.rows import Rows, no_rows, with_sizes
from boundcheck.geometry.watch import Watch
from tests.geometry.oracle import geometry, in_halves, jacobian_rows

Params = Mapping[str, Tensor]
Function = Callable[[Params, Tensor], Tensor]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


HELD = random(8, 6, seed=7)


def by_hand(p: Params, x: Tensor) -> Tensor:
    return torch.tanh(x @ p["w"] + p["b"]) @ p["v"].T + p["c"]


def bias_first(p: Params, x: Tensor) -> Tensor:
    return p["c"] + torch.tanh(torch.addmm(p["b"], x, p["w"])).matmul(p["v"].mT)


def products_of_other_names(p: Params, x: Tensor) -> Tensor:
    return torch.mm(functional.linear(x, p["w"].t(), p["b"]).sigmoid(), torch.t(p["v"])).add(p["c"])


def twice(p: Params, x: Tensor) -> Tensor:
    hidden = torch.tanh(x @ p["w"] + p["b"])
    return torch.tanh((hidden[:, :6] @ p["w"]) + p["b"]) @ p["v"].T + p["c"]


def frozen_within(p: Params, x: Tensor) -> Tensor:
    """A first layer that is trained by its bias alone: its weight is no parameter."""
    return functional.linear(x, HELD, p["b"]).tanh() @ p["v"].T + p["c"] + 0.0 * p["w"].sum()


def by_einsum(p: Params, x: Tensor) -> Tensor:
    return torch.tanh(torch.einsum("ni,io->no", x, p["w"]) + p["b"]) @ p["v"].T + p["c"]


CAPTURED: dict[str, Function] = {
    "by hand": by_hand,
    "bias first": bias_first,
    "other names": products_of_other_names,
    "twice": twice,
    "einsum": by_einsum,
}


def also_outside(p: Params, x: Tensor) -> Tensor:
    return by_hand(p, x) * p["w"].norm()


def two_partners(p: Params, x: Tensor) -> Tensor:
    """One weight with two biases: how they act together is in neither pair."""
    return (
        torch.tanh(functional.linear(x, p["w"].t(), p["b"]) + functional.linear(x.cos(), p["w"].t(), None)) @ p["v"].T
    )


def both_ways(p: Params, x: Tensor) -> Tensor:
    """One square weight, once as it is and once transposed."""
    square = p["w"][:, :6]
    return torch.tanh(x @ square @ square.T) @ p["v"][:, :6].T + p["c"] + 0.0 * p["b"].sum()


def within_a_map(p: Params, x: Tensor) -> Tensor:
    return torch.func.vmap(lambda one: torch.tanh(one[None] @ p["w"] + p["b"])[0])(x) @ p["v"].T + p["c"]


def by_keyword(p: Params, x: Tensor) -> Tensor:
    return torch.tanh(torch.matmul(x, other=p["w"]) + p["b"]) @ p["v"].T + p["c"]


def scaled_sum(p: Params, x: Tensor) -> Tensor:
    return torch.add(torch.tanh(x @ p["w"]) @ p["v"].T, p["c"], alpha=3.0) + 0.0 * p["b"].sum()


def halves(p: Params, x: Tensor) -> Tensor:
    return torch.tanh(in_halves(x, p["w"].T) + p["b"]) @ p["v"].T + p["c"]


FORMED: dict[str, Function] = {
    "in halves": halves,
    "also outside": also_outside,
    "two partners": two_partners,
    "both ways": both_ways,
    "within somebody's vmap": within_a_map,
    "by keyword": by_keyword,
    "a scaled sum": scaled_sum,
    "bias alone": frozen_within,
}


def parameters() -> dict[str, Tensor]:
    return {"w": random(6, 8, seed=3), "b": random(8, seed=4), "v": random(2, 8, seed=5), "c": random(2, seed=6)}


def by_loop(f: Function, x_train: Tensor, x_eval: Tensor) -> tuple[float, float, float]:
    leaves = {name: value.requires_grad_() for name, value in parameters().items()}
    rows = [jacobian_rows(lambda z: f(leaves, z), list(leaves.values()), x) for x in (x_train, x_eval)]
    return geometry(rows[0], rows[1], x_eval.shape[0])


@pytest.mark.parametrize("chunk", [None, 5])
@pytest.mark.parametrize("name", [*CAPTURED, *FORMED])
def test_a_function_written_out_has_the_overlap_of_the_loop(name: str, chunk: int | None) -> None:
    f, x_train, x_eval = (CAPTURED | FORMED)[name], random(3, 6), random(17, 6, seed=1)
    found = tangent_overlap(f, x_train, x_eval, params=parameters(), chunk=chunk)
    expected = by_loop(f, x_train, x_eval)
    assert (found.gamma_ov, found.sigma_min, found.sigma_max) == pytest.approx(expected, rel=1e-9, abs=1e-11)
    assert (found.plan.formed is None) == (name in CAPTURED)


@st.composite
def equations(draw: st.DrawFn) -> tuple[str, str, str, bool]:
    """Indices of activations, of a weight and of the result, and whether that is an affine map whose weight lies plainly."""
    inward, outward = draw(st.sampled_from(["i", "ij"])), draw(st.sampled_from(["o", "op"]))
    kept = draw(st.sampled_from(["", "s", "st"]))
    given_ = "n" + "".join(draw(st.permutations(kept + inward)))
    made = "n" + "".join(draw(st.permutations(kept + outward)))
    weight = "".join(draw(st.permutations(inward + outward)))
    inside = [letter in inward for letter in weight]
    return given_, weight, made, inside in (sorted(inside), sorted(inside, reverse=True))


@settings(max_examples=60, deadline=None)
@given(equations(), st.booleans())
def test_sums_over_indices_are_affine_maps(equation: tuple[str, str, str, bool], weight_first: bool) -> None:
    activations, weight, made, plain = equation
    sizes = dict(zip("nstijop", (3, 2, 3, 2, 3, 2, 2), strict=True))
    entries = math.prod(sizes[letter] for letter in made[1:])
    terms = (weight, activations) if weight_first else (activations, weight)

    def f(p: Params, x: Tensor) -> Tensor:
        factors = (p["w"], x) if weight_first else (x, p["w"])
        hidden = torch.einsum(f"{terms[0]}, {terms[1]} -> {made}", *factors)
        return hidden.tanh().flatten(1) @ random(entries, 2, seed=9)

    params = {"w": random(*(sizes[letter] for letter in weight), seed=3)}
    x = random(3, *(sizes[letter] for letter in activations[1:]))
    seen = observe(f, params, x)
    assert ("w" in seen.formed) == (not plain)
    if plain:
        leaf = params["w"].requires_grad_()
        expected = jacobian_rows(lambda z: f({"w": leaf}, z), [leaf], x)
        torch.testing.assert_close(seen.captured["w", ""].rows().flatten(0, 1), expected)


@pytest.mark.parametrize(
    ("equation", "shape"),
    [
        ("ni,ni->n", (3, 3)),  # no axis of the weight is left
        ("ni,no->nio", (3, 4)),  # entry by entry along the first axis
        ("ni,io->on", (3, 4)),  # the result does not begin with the samples
        ("nii,io->no", (3, 4)),  # a diagonal of what comes in
        ("ni,ioo->no", (3, 4, 4)),  # and of the weight
        ("ni,oip->nop", (2, 3, 4)),  # a weight whose rows cannot be told from its columns
        ("ni,io", (3, 4)),  # a result that is not spelled out
        ("nti,io->no", (3, 4)),  # a sum over an axis of the activations alone
        ("ni,io->n", (3, 4)),  # and of the weight alone
        ("ni,...->ni...", (3, 4)),  # a product of everything with everything
        ("ni,io->no", (1, 4)),  # an axis of the weight that is stretched
    ],
)
def test_other_sums_over_indices_are_not(equation: str, shape: tuple[int, ...]) -> None:
    weight, x = random(*shape).requires_grad_(), random(*(3 for _ in equation.split(",", maxsplit=1)[0]))
    with Watch({"w": weight}) as watch:
        found = torch.einsum(equation, x, weight)
    assert not watch.applied
    assert torch.equal(found, torch.einsum(equation, x, weight))


@pytest.mark.parametrize("weight", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("transposed", [True, False])
def test_a_weighted_sum_of_rows(weight: bool, bias: bool, transposed: bool) -> None:
    seen = Captured(random(4, 3, 5), random(4, 2, 3, 6, seed=1), weight, bias, transposed)
    weights = random(4, 2, seed=2)
    expected = [torch.einsum("nkr,nk->r", block, weights) for block in seen.blocks()]
    for found, wanted in zip(seen.combined(weights), expected, strict=True):
        torch.testing.assert_close(found, wanted)
    some = seen.at([0, 3])
    torch.testing.assert_close(
        some.rows() if weight or bias else some.inputs, (seen.rows() if weight or bias else seen.inputs)[[0, 3]]
    )


def test_a_map_whose_part_is_rounding_is_not_discredited() -> None:
    """Where all tokens are alike, the signals of keys and queries are what is left of sums that cancel."""

    def f(p: Params, x: Tensor) -> Tensor:
        weights = torch.softmax((x @ p["q"] + p["a"]) @ (x @ p["k"] + p["b"]).mT, dim=-1)
        return (weights @ (x.cos() @ p["v"] + p["c"])).tanh().mean(1)

    params = {name: random(4, 4, seed=seed) for seed, name in enumerate("qkv")}
    params |= {name: random(4, seed=seed) for seed, name in enumerate("abc")}
    for scale in (0.0, 1.0):
        assert not observe(f, params, scale * random(3, 5, 4, seed=9)).formed


@pytest.mark.parametrize(("dtype", "scale"), [(torch.float32, 1e4), (torch.float64, 1e9)])
def test_a_wrong_row_is_seen_beside_a_much_longer_one(dtype: torch.dtype, scale: float) -> None:
    """The second output of a sample depends on the others of its batch."""

    def f(p: Params, x: Tensor) -> Tensor:
        hidden = x @ p["w"].mT
        return torch.cat([scale * hidden[:, :1], hidden[:, 1:] * hidden[:, 1:].mean(0)], 1)

    weight = random(2, 5).to(dtype)
    assert observe(f, {"w": weight}, random(2, 5, seed=1).to(dtype)).formed == {"w"}


def test_a_wrong_row_is_seen_beside_many_right_ones() -> None:
    """In float32, √u times the length of some thousand rows is more than one of them."""

    def f(p: Params, x: Tensor) -> Tensor:
        outputs = x @ p["w"].mT
        return torch.cat([outputs[:, :-1], outputs[:, -1:] * outputs[:, -1:].mean(0)], 1)

    assert observe(f, {"w": random(3000, 2).float()}, random(2, 2, seed=1).float()).formed == {"w"}


@pytest.mark.parametrize(("dtype", "share"), [(torch.float16, 0.05), (torch.bfloat16, 0.4)])
def test_samples_that_influence_each_other_are_seen_in_half_precision(dtype: torch.dtype, share: float) -> None:
    def f(p: Params, x: Tensor) -> Tensor:
        hidden = torch.tanh(x @ p["w"])
        return hidden + share * hidden.sum(0)

    assert observe(f, {"w": random(4, 1).to(dtype)}, torch.eye(4)[:2].to(dtype)).formed == {"w"}


def words(*places: int) -> Tensor:
    return functional.one_hot(torch.tensor(places), 4).double()


TABLE, HEAD = random(4, 3, seed=3), random(2, seed=4)


def factorised_embedding(p: Params, x: Tensor) -> Tensor:
    return torch.tanh(x @ (TABLE @ p["w"])) @ HEAD


def shifted_table(p: Params, x: Tensor) -> Tensor:
    return torch.tanh(x @ (TABLE[:, :2] + p["b"])) @ HEAD


class Damped(torch.autograd.Function):
    """A linear map whose gradient is damped at large inputs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return functional.linear(x, weight)

    @staticmethod
    def backward(ctx: Any, signal: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        damped = torch.where(x.abs().amax(1, keepdim=True) > 2, 0.1 * signal, signal)
        return signal @ weight, damped.mT @ x


def damped(p: Params, x: Tensor) -> Tensor:
    result: Tensor = Damped.apply(x, p["w"])  # type: ignore[no-untyped-call]
    return torch.tanh(result) @ HEAD


def masked(p: Params, x: Tensor) -> Tensor:
    return (torch.where(x > 3, -torch.inf, x) + p["b"]).softmax(-1) @ HELD[:3, 0]


def by_a_vector(p: Params, x: Tensor) -> Tensor:
    return torch.tanh(functional.linear(x.unflatten(-1, (2, 3)), p["w"]))


LARGE_WITHIN = random(5, 3, seed=5).clamp(-1, 1)
LARGE_WITHIN[2] = torch.tensor([5.0, -1.0, 0.3])


@pytest.mark.parametrize(
    ("f", "params", "x"),
    [
        (factorised_embedding, {"w": random(3, 2)}, words(0, 1, 1, 3)),
        (shifted_table, {"b": random(2)}, words(0, 1, 1, 3)),
        (damped, {"w": random(2, 3)}, LARGE_WITHIN),
        (masked, {"b": random(3)}, LARGE_WITHIN),
        (by_a_vector, {"w": random(3)}, random(5, 6)),
    ],
)
def test_samples_in_the_middle_of_a_batch_are_no_other_than_its_ends(f: Function, params: Params, x: Tensor) -> None:
    """Maps that pass for affine at the first and the last sample."""
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    rows = jacobian_rows(lambda batch: f(leaves, batch), list(leaves.values()), x)
    few = x[:1]
    found = tangent_overlap(f, few, x, params=params)
    expected = geometry(rows[: len(rows) // len(x)], rows, len(x))
    assert (found.gamma_ov, found.sigma_min, found.sigma_max) == pytest.approx(expected, rel=1e-9)


def test_outputs_that_are_a_parameter_or_none_of_it() -> None:
    params = {"w": random(1, 2)}
    assert tangent_overlap(lambda p, x: p["w"], random(1, 6), random(1, 6), params=params).sigma_min == 1.0
    turned = {"w": random(2, 1)}
    assert tangent_overlap(lambda p, x: p["w"].T, random(1, 6), random(1, 6), params=turned).sigma_min == 1.0
    assert tangent_overlap(lambda p, x: x[:, :2], random(1, 6), random(1, 6), params=params).rank == 0


def by_batch(p: Params, x: Tensor) -> Tensor:
    """The whole batch goes one of two ways, both of them affine maps."""
    return x @ (p["w"] if bool(x.sum() > 0) else p["v"]) + x[:, :2] @ p["u"]


def by_batch_unseen(p: Params, x: Tensor) -> Tensor:
    """The same of maps that nobody sees."""
    return in_halves(x, (p["w"] if bool(x.sum() > 0) else p["v"]).T) + x[:, :2] @ p["u"]


@pytest.mark.parametrize("f", [by_batch, by_batch_unseen])
def test_a_parameter_that_one_sample_alone_reaches_is_not_lost(f: Function) -> None:
    params = {"w": random(4, 1), "v": random(4, 1, seed=1), "u": random(2, 1, seed=2)}
    x_train, x_eval = random(2, 4, seed=3), random(7, 4, seed=4)
    x_train = torch.stack([3 * x_train[0].abs(), -x_train[1].abs()])
    found = tangent_overlap(f, x_train, x_eval, params=params)
    leaves = {name: value.requires_grad_() for name, value in params.items()}
    rows = [jacobian_rows(lambda z: f(leaves, z), list(leaves.values()), x) for x in (x_train, x_eval)]
    expected = geometry(rows[0], rows[1], 7)
    assert (found.gamma_ov, found.sigma_min, found.sigma_max) == pytest.approx(expected, rel=1e-9, abs=1e-11)


def beside_its_map(p: Params, x: Tensor) -> Tensor:
    """`w` acts outside of its map too, but at no sample that is 0."""
    return by_hand(p, x) + x.square().sum(-1, keepdim=True) * p["w"].norm()


def beside_dead_units(p: Params, x: Tensor) -> Tensor:
    """`v` acts twice, but at no sample where every unit is dead."""
    hidden = torch.relu(x @ p["w"] + p["b"] * (x[:, :1] != 0))
    return hidden @ p["v"].T + p["c"] + hidden.sum(-1, keepdim=True) * p["v"].norm()


def a_dead_call_beside(p: Params, x: Tensor) -> Tensor:
    """`w` is multiplied once for nothing and acts once where no map is seen."""
    torch.tanh(x @ p["w"])
    return torch.tanh(in_halves(x, p["w"].T) + p["b"]) @ p["v"].T + p["c"]


def neighbours(p: Params, x: Tensor) -> Tensor:
    """The first sample of a batch hears the second, and the last none."""
    hidden = torch.tanh(x @ p["w"] + p["b"])
    heard = torch.cat([hidden[:1] + hidden[1:2], hidden[1:]]) if len(x) > 2 else hidden
    return heard @ p["v"].T + p["c"]


def neighbours_at_the_end(p: Params, x: Tensor) -> Tensor:
    hidden = torch.tanh(x @ p["w"] + p["b"])
    heard = torch.cat([hidden[:-1], hidden[-1:] + hidden[-2:-1]]) if len(x) > 2 else hidden
    return heard @ p["v"].T + p["c"]


@pytest.mark.parametrize(
    "f", [beside_its_map, beside_dead_units, a_dead_call_beside, neighbours, neighbours_at_the_end]
)
@pytest.mark.parametrize("silent", [[], [-1], [0, -1]], ids=["nowhere", "last", "first and last"])
@pytest.mark.parametrize("chunk", [None, 5])
def test_what_some_samples_do_not_show_is_seen(f: Function, silent: list[int], chunk: int | None) -> None:
    x_train, x_eval = random(4, 6), random(17, 6, seed=1)
    x_train[silent], x_eval[silent] = 0.0, 0.0
    found = tangent_overlap(f, x_train, x_eval, params=parameters(), chunk=chunk)
    expected = by_loop(f, x_train, x_eval)
    assert found.sigma_max == pytest.approx(expected[2], rel=1e-9)
    if found.full_rank:  # not of two samples alike
        assert (found.gamma_ov, found.sigma_min) == pytest.approx(expected[:2], rel=1e-9, abs=1e-11)
    assert found.plan.formed is not None


def test_a_tied_embedding_and_padding() -> None:
    """A padded sample takes nothing from the table that the head shares."""

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.body = nn.Embedding(5, 4, padding_idx=0), nn.Linear(4, 4)
            self.head = nn.Linear(4, 5, bias=False)
            self.head.weight = self.table.weight

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.head(torch.tanh(self.body(self.table(x).mean(1))))
            return out[:, :2]

    torch.manual_seed(0)
    module, generator = Tied().double(), torch.Generator().manual_seed(0)
    x_train, x_eval = (torch.randint(1, 5, (n, 4), generator=generator) for n in (3, 17))
    x_train[-1], x_eval[-1] = 0, 0
    found = tangent_overlap(module, x_train, x_eval)
    rows = [jacobian_rows(module, list(module.parameters()), x) for x in (x_train, x_eval)]
    expected = geometry(rows[0], rows[1], len(x_eval))
    assert (found.gamma_ov, found.sigma_min, found.sigma_max) == pytest.approx(expected, rel=1e-9, abs=1e-11)


class Convolutions(nn.Module):
    def __init__(self, first: nn.Module, second: nn.Module, width: int) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), nn.Flatten()), nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(x))
        return out


LINE = (2, 12)
CONVOLUTIONS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], bool]] = {
    "images": (lambda: Convolutions(nn.Conv2d(2, 3, 3), nn.Conv2d(3, 2, 2, bias=False), 18), (2, 6, 6), True),
    "strides": (
        lambda: Convolutions(nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 0)), nn.Conv2d(3, 2, 2, dilation=2), 6),
        (2, 6, 6),
        True,
    ),
    "lines": (lambda: Convolutions(nn.Conv1d(2, 3, 3, stride=2, padding=1), nn.Conv1d(3, 2, 2, dilation=2), 8), LINE, True),
    "rings": (lambda: Convolutions(nn.Conv1d(2, 3, 3, padding=1, padding_mode="circular"), nn.Conv1d(3, 1, 1), 12), LINE, True),
    "groups": (lambda: Convolutions(nn.Conv2d(2, 4, 3, groups=2), nn.Conv2d(4, 2, 2), 18), (2, 6, 6), False),
    "same": (lambda: Convolutions(nn.Conv2d(2, 3, 3, padding="same"), nn.Conv2d(3, 2, 2), 50), (2, 6, 6), False),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str) -> None:
    make, shape, captured = CONVOLUTIONS[name]
    torch.manual_seed(0)
    module, x_train, x_eval = make().double(), random(3, *shape), random(17, *shape, seed=1)
    found = tangent_overlap(module, x_train, x_eval)
    rows = [jacobian_rows(module, list(module.parameters()), x) for x in (x_train, x_eval)]
    expected = geometry(rows[0], rows[1], len(x_eval))
    assert (found.gamma_ov, found.sigma_min, found.sigma_max) == pytest.approx(expected, rel=1e-9, abs=1e-11)
    assert (found.plan.formed is None) == captured


def test_what_was_seen_is_the_rows() -> None:
    params = parameters()
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    x = random(5, 6)
    seen = observe(by_hand, params, x)
    assert not seen.formed
    order = [name for key in seen.captured for name in key if name]
    rows = torch.cat([one.rows() for one in seen.captured.values()], -1).flatten(0, 1)
    torch.testing.assert_close(rows, jacobian_rows(lambda z: by_hand(leaves, z), [leaves[name] for name in order], x))


def captured(samples: int, outputs: int, tokens: int, inputs: int, width: int, bias: bool, seed: int) -> Captured:
    return Captured(
        random(samples, tokens, inputs, seed=seed), random(samples, outputs, tokens, width, seed=seed + 1), True, bias
    )


@settings(deadline=None, max_examples=60)
@given(
    samples=st.integers(1, 5),
    outputs=st.integers(1, 3),
    tokens=st.integers(1, 3),
    inputs=st.integers(1, 40),
    width=st.integers(1, 40),
    bias=st.booleans(),
)
def test_reduced_rows_have_the_same_inner_products(
    samples: int, outputs: int, tokens: int, inputs: int, width: int, bias: bool
) -> None:
    seen = captured(samples, outputs, tokens, inputs, width, bias, seed=inputs)
    rows, fewer = seen.rows().flatten(0, 1), seen.reduced().rows().flatten(0, 1)
    assert fewer.shape[-1] <= rows.shape[-1]
    size = float(seen.sizes().square().sum())
    torch.testing.assert_close(fewer @ fewer.mT, rows @ rows.mT, rtol=0, atol=1e-14 * size)


@pytest.mark.parametrize("tokens", [1, 4])
def test_roundings_are_not_undercounted(tokens: int) -> None:
    """An inner product by rows has width·(inputs + 1) terms, each a sum over tokens; by tokens, sums of both lengths."""
    seen = {("w", "b"): captured(3, 2, tokens, 5, 7, True, seed=0)}
    least = 5 + 7 if tokens == 1 else max(5 + 7 + tokens**2, 6 * 7 + tokens)
    assert with_sizes(seen, no_rows(seen)).terms() >= least
    assert with_sizes({}, random(3, 2, 90)).terms() >= 90


def test_few_wide_rows_are_reduced_to_what_they_span() -> None:
    seen = captured(32, 1, 1, 400, 128, True, seed=0)
    assert seen.reduced().rows().shape[-1] == 32 * 32 + 32


@pytest.mark.parametrize("numbers", [1, 7, 100, 10**6])
def test_a_triangle_from_pieces_is_the_triangle(numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from boundcheck.geometry import rows as module

    monkeypatch.setattr(module, "TEMPORARY", numbers)
    seen = {("w", "b"): captured(3, 2, 2, 5, 4, True, seed=0), ("v", ""): captured(3, 2, 1, 6, 3, False, seed=2)}
    made = random(3, 2, 9, seed=5)
    rows = with_sizes(seen, made)
    whole = torch.cat([*(one.rows() for one in seen.values()), made], -1).flatten(0, 1)
    triangle = rows.triangle()
    assert triangle.shape == (6, 6)
    torch.testing.assert_close(triangle.mT @ triangle, whole @ whole.mT)
    assert torch.equal(triangle, triangle.triu())


def test_a_triangle_of_more_rows_than_columns() -> None:
    seen = {("w", ""): captured(5, 1, 1, 1, 2, False, seed=0)}
    triangle = Rows(seen, no_rows(seen), random(5)).triangle()
    assert triangle.shape == (2, 5)
    rows = seen["w", ""].rows().flatten(0, 1)
    torch.testing.assert_close(triangle.mT @ triangle, rows @ rows.mT)


def test_a_reduced_row_keeps_its_own_accuracy() -> None:
    """Rows of lengths 1 and 1e-9: the short one's relative error stays near u, as if it were alone."""
    seen = captured(2, 1, 1, 400, 128, False, seed=0)
    short = Captured(
        seen.inputs * torch.tensor([1.0, 1e-9], dtype=torch.float64)[:, None, None], seen.signals, True, False
    )
    squares = [part.rows().square().sum(-1).flatten() for part in (short, short.reduced())]
    assert float(((squares[0] - squares[1]) / squares[0]).abs().max()) < 1e-13
    assert math.sqrt(float(squares[0][1])) < 1e-6
