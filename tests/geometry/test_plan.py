"""Which way the overlap is computed, and that it says so: the switch between Cholesky and QR, and the ways to formed rows."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import generic, gram_route, per_sample_jacobian, tangent_overlap
from boundcheck.geometry.generic import choose, products
from boundcheck.geometry.model import Function, model_of
from tests.geometry.oracle import geometry, in_halves, jacobian_rows
from tests.geometry.test_overlap import EPSILON, exactly, random

CONDITIONS = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10]


def conditioned(condition: float) -> tuple[nn.Module, Tensor, Tensor]:
    """A linear model, whose Jacobian is its data: three rows of one condition number, and fifteen others."""
    u, _, v = torch.linalg.svd(random(3, 8), full_matrices=False)
    x_train = u * torch.tensor([1.0, condition**-0.5, 1 / condition], dtype=torch.float64) @ v
    return nn.Linear(8, 1, bias=False).double(), x_train, random(15, 8, seed=1)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition_number_is_met_within_the_stated_error(condition: float) -> None:
    module, x_train, x_eval = conditioned(condition)
    found = tangent_overlap(module, x_train, x_eval)
    gamma, smallest, largest, scale = exactly(x_train, x_eval)
    cholesky = found.plan.factor.startswith("Cholesky")
    assert cholesky if condition <= 1e2 else not cholesky if condition >= 1e4 else True
    allowed = 100 * EPSILON * condition * scale + (gram_route.ACCURACY * gamma if cholesky else 0.0)
    assert abs(found.gamma_ov - gamma) <= min(10 * found.gamma_error, allowed)
    relative = 100 * EPSILON * condition + (gram_route.ACCURACY if cholesky else 0.0)
    assert found.sigma_min == pytest.approx(smallest, rel=relative)
    assert found.sigma_max == pytest.approx(largest, rel=100 * EPSILON + relative)


@pytest.mark.parametrize("condition", CONDITIONS[:8])
def test_both_sides_of_the_switch(condition: float) -> None:
    """The bound itself is where the way changes; both ways meet the truth within what they say."""
    module, x_train, x_eval = conditioned(condition)
    by_cholesky = tangent_overlap(module, x_train, x_eval, accuracy=0.999)
    assert by_cholesky.plan.factor.startswith("Cholesky")
    bound = float(by_cholesky.plan.factor.split("off by ")[1].split(" ")[0])
    above = tangent_overlap(module, x_train, x_eval, accuracy=1.1 * bound)
    below = tangent_overlap(module, x_train, x_eval, accuracy=0.9 * bound)
    assert above.gamma_ov == by_cholesky.gamma_ov
    assert below.plan.factor.startswith("QR: a Cholesky factor could be off by")
    gamma, smallest, _, _ = exactly(x_train, x_eval)
    for found, off in ((above, 1.1 * bound), (below, 0.0)):
        assert abs(found.gamma_ov - gamma) <= 10 * found.gamma_error
        assert found.sigma_min == pytest.approx(smallest, rel=off + 100 * EPSILON * condition)


def test_squaring_the_condition_number_does_cost_something() -> None:
    """What the bound is there for: at κ = 10⁷ the Cholesky factor is off by a thousand times what a QR loses."""
    module, x_train, x_eval = conditioned(1e7)
    gamma = exactly(x_train, x_eval)[0]
    off = [abs(tangent_overlap(module, x_train, x_eval, accuracy=a).gamma_ov - gamma) for a in (0.999, 0.0)]
    assert off[0] > 1000 * off[1]


def test_a_gram_matrix_without_a_cholesky_factor_goes_by_qr() -> None:
    module, x_train, x_eval = conditioned(1e9)
    found = tangent_overlap(module, x_train, x_eval, accuracy=0.999)
    assert found.plan.factor.startswith("QR")
    assert found.full_rank


def test_a_plan_says_what_was_chosen() -> None:
    net = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 2)).double()
    said = str(tangent_overlap(net, random(3, 6), random(40, 6, seed=1), chunk=7).plan)
    assert "0.weight, 0.bias: activations and signals" in said
    assert "1.weight, 1.bias: rows, by reverse mode" in said
    assert "R of J_S: Cholesky: off by" in said
    assert "7 evaluation samples a pass: about" in said
    assert "R of J_S: QR, as asked for" in str(
        tangent_overlap(net, random(3, 6), random(40, 6, seed=1), accuracy=0).plan
    )
    many = tangent_overlap(nn.Linear(3, 1).double(), random(6, 3), random(9, 3, seed=1))
    assert "R of J_S: QR: more rows than parameters" in str(many.plan)


def test_the_memory_of_a_pass_counts_what_has_no_parameters() -> None:
    """Twenty elementwise layers keep 40,000 numbers a sample for the backward pass; the maps see 4,000."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 2000), *(nn.Softplus() for _ in range(20)), nn.Linear(2000, 1)).double()
    plan = tangent_overlap(net, random(3, 2), random(30, 2, seed=1), memory=2**23).plan
    assert plan.chunk * 8 * 20 * 2000 <= plan.bytes <= 2**23


def test_the_memory_of_a_pass_counts_no_constants() -> None:
    """Weights that are not trained are kept once, however many samples there are."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(20, 4), nn.Tanh(), nn.Linear(4, 500), nn.Tanh(), nn.Linear(500, 500)).double()
    net = nn.Sequential(net, nn.Tanh(), nn.Linear(500, 1).double())
    for name, value in net.named_parameters():
        value.requires_grad_(name.startswith("0.0."))
    assert tangent_overlap(net, random(3, 20), random(40, 20, seed=1), memory=2**21).plan.chunk >= 30


@pytest.mark.parametrize("memory", [1, 10_000, 10**9])
def test_less_memory_gives_shorter_passes_and_the_same_overlap(memory: int) -> None:
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)).double()
    x_train, x_eval = random(3, 6), random(700, 6, seed=1)
    found = tangent_overlap(net, x_train, x_eval, memory=memory)
    assert found.plan.bytes <= memory or found.plan.chunk == 1
    assert found.gamma_ov == pytest.approx(tangent_overlap(net, x_train, x_eval).gamma_ov, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"accuracy": -1.0}, "accuracy=-1.0"),
        ({"accuracy": 1.0}, "accuracy=1.0"),
        ({"memory": 0}, "memory=0"),
        ({"memory": math.nan}, "memory=nan"),
    ],
)
def test_a_budget_that_is_none_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(BoundcheckError, match=message):
        tangent_overlap(nn.Linear(3, 1).double(), random(2, 3), random(5, 3), **options)  # type: ignore[arg-type]


# Rows that must be formed.


def opaque(p: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """A net whose weights are pieces of one vector, with a recurrence: nothing of it is seen from outside."""
    first, second = p["theta"][:48].reshape(8, 6), p["theta"][48:].reshape(2, 8)
    hidden = torch.einsum("oi,ni->no", first, x).tanh()
    return torch.einsum("oi,ni->no", second, hidden + hidden.square().cumsum(1))


def mixing(p: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Samples of a batch influence each other: f is what comes back for a batch of one."""
    return opaque(p, x + x.mean(0))


@pytest.mark.parametrize(("f", "forward"), [(opaque, False), (opaque, True), (mixing, False)])
def test_both_ways_to_products_with_formed_rows(f: Function, forward: bool) -> None:
    params, x_train, x_eval = {"theta": random(64, seed=2)}, random(3, 6), random(11, 6, seed=1)
    model = model_of(f, params)
    leaf = params["theta"].clone().requires_grad_()
    rows, others = (jacobian_rows(lambda z: f({"theta": leaf}, z), [leaf], x) for x in (x_train, x_eval))
    choice = replace(choose(model, x_eval, 11, 6), forward=forward)
    found = products(model, x_eval, rows, choice)
    torch.testing.assert_close(found.values, others @ rows.mT)
    lengths = torch.linalg.vector_norm(others, dim=-1)
    assert not found.vanish
    # by forward mode sizes are estimated along 8 random directions: within a factor of 4 in all but some in 10⁴ cases
    assert bool(((found.sizes < 4 * lengths) & (found.sizes > lengths / 4)).all())
    if not forward:
        torch.testing.assert_close(found.sizes, lengths)


@pytest.mark.parametrize(("unseen", "parts"), [("weights", 1), ("scale", 3)])
def test_maps_are_looked_at_where_that_costs_less_than_their_rows(unseen: str, parts: int) -> None:
    """Biases beside weights that nobody sees are formed with them; layers beside a scale that nobody sees are not."""

    def f(p: Mapping[str, Tensor], x: Tensor) -> Tensor:
        if unseen == "scale":
            return functional.linear(functional.linear(x, p["w"], p["b"]).tanh() * p["scale"].exp(), p["v"])
        return in_halves((in_halves(x, p["w"]) + p["b"]).tanh() * p["scale"].exp(), p["v"])

    params = {"w": random(30, 20), "b": random(30, seed=1), "v": random(2, 30, seed=2), "scale": random(30, seed=3)}
    x_train, x_eval = random(4, 20, seed=4), random(9, 20, seed=5)
    found = tangent_overlap(f, x_train, x_eval, params=params)
    assert len(found.plan.parts) == parts
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    rows = [jacobian_rows(lambda z: f(leaves, z), list(leaves.values()), x) for x in (x_train, x_eval)]
    assert (found.gamma_ov, found.sigma_min, found.sigma_max) == pytest.approx(geometry(rows[0], rows[1], 9), rel=1e-9)


def several(p: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Parameters of no, one, two and three axes, whose gradients come in more than one order of them."""
    hidden = (x @ p["first"].cos() + torch.einsum("nij,hji->nh", x.reshape(-1, 2, 3), p["second"].sin())).tanh()
    return p["scale"] * hidden @ p["third"].sin().mT + p["shift"].exp()


@pytest.mark.parametrize("forward", [False, True])
@pytest.mark.parametrize("formed", [1, 10**6])
def test_rows_over_parameters_of_every_shape(forward: bool, formed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generic, "FORMED", formed)
    shapes = {"first": (6, 5), "scale": (), "second": (5, 3, 2), "third": (2, 5), "shift": (2,)}
    params = {name: random(1, *shape, seed=seed)[0] for seed, (name, shape) in enumerate(shapes.items())}
    x = random(7, 6, seed=9)
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    expected = jacobian_rows(lambda z: several(leaves, z), list(leaves.values()), x)
    torch.testing.assert_close(per_sample_jacobian(several, params, x).flatten(0, 1), expected)
    model, rows = model_of(several, params), random(3, expected.shape[-1], seed=10)
    found = products(model, x, rows, replace(choose(model, x, 7, 3), forward=forward))
    torch.testing.assert_close(found.values, expected @ rows.mT)


@given(st.lists(st.permutations(range(3)), min_size=1, max_size=4))
def test_rows_in_any_order_of_their_axes(orders: list[list[int]]) -> None:
    """Blocks that lie one way, then another: the products are those of the rows in their natural order."""
    shape = (2, 3, 4)
    part, block = random(5, 24), random(6, 2, *shape, seed=1)
    columns = generic._Columns(part, torch.Size(shape))
    for order in orders:
        back = [order.index(axis) + 2 for axis in range(3)]
        lying = block.permute(0, 1, *(axis + 2 for axis in order)).contiguous().permute(0, 1, *back)
        train, flat = columns.beside(lying)
        assert flat.untyped_storage().data_ptr() == lying.untyped_storage().data_ptr(), "a block is not copied"
        torch.testing.assert_close(train @ flat.mT, part @ block.flatten(2).flatten(0, 1).mT)


def test_the_overlap_of_an_opaque_function_by_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    params, x_train, x_eval = {"theta": random(64, seed=2)}, random(3, 6), random(11, 6, seed=1)
    leaf = params["theta"].clone().requires_grad_()
    rows = [jacobian_rows(lambda z: opaque({"theta": leaf}, z), [leaf], x) for x in (x_train, x_eval)]
    expected = geometry(rows[0], rows[1], 11)
    for ways in (1e-9, 1e9):
        monkeypatch.setattr(generic, "WORTHWHILE", 0.0)
        monkeypatch.setattr(generic, "_forward_operations", lambda *_, ways=ways: ways)
        found = tangent_overlap(opaque, x_train, x_eval, params=params)
        assert found.plan.formed is not None
        assert found.plan.formed.forward == (ways < 1)
        assert (found.gamma_ov, found.sigma_min, found.sigma_max) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("hidden", [False, True])
def test_an_error_names_the_sample_of_the_set_and_not_of_the_pass(hidden: bool) -> None:
    def f(p: Mapping[str, Tensor], x: Tensor) -> Tensor:
        outputs = (in_halves(x, p["w"]) if hidden else x @ p["w"].mT).tanh()
        return outputs * torch.where(x[:, :1] > 50, torch.inf, 1.0)

    x = random(30, 4)
    x[25, 0] = 100
    with pytest.raises(BoundcheckError, match="Jacobian is not finite at sample 25;"):
        tangent_overlap(f, x[:1], x, params={"w": 0.01 * random(2, 4)}, chunk=7)


def test_samples_that_influence_each_other_are_not_for_forward_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generic, "WORTHWHILE", 0.0)
    monkeypatch.setattr(generic, "_forward_operations", lambda *_: 1e-9)
    params = {"theta": random(64, seed=2)}
    assert choose(model_of(opaque, params), random(11, 6), 11, 6).forward
    choice = choose(model_of(mixing, params), random(11, 6), 11, 6)
    assert not choice.forward
    assert "influence each other" in choice.why


def test_many_outputs_and_few_rows_are_for_forward_mode() -> None:
    """50 outputs, one fine-tuning sample's first output repeated: 50 rows a sample by reverse mode."""

    def wide(p: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return torch.einsum("oi,ni->no", p["w"].reshape(50, 40), x.tanh())

    def narrow(p: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return torch.einsum("i,ni->n", p["w"].square(), x.tanh())

    wide_model = model_of(wide, {"w": random(2000)})
    narrow_model = model_of(narrow, {"w": random(2000)})
    assert choose(wide_model, random(1, 40), 10**4, 5).forward
    assert not choose(narrow_model, random(1, 2000), 10**6, 500).forward


class NoForward(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.sin()

    @staticmethod
    def setup_context(ctx: torch.autograd.function.FunctionCtx, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradient * x.cos()


NoForward.generate_vmap_rule = True


def test_an_operation_without_forward_mode_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(p: Mapping[str, Tensor], x: Tensor) -> Tensor:
        bent: Tensor = NoForward.apply(torch.einsum("oi,ni->no", p["w"], x))  # type: ignore[no-untyped-call]
        return functional.pad(bent, (0, 0))

    monkeypatch.setattr(generic, "WORTHWHILE", 0.0)
    choice = choose(model_of(f, {"w": random(3, 6)}), random(4, 6), 4, 2)
    assert not choice.forward
    assert choice.why.startswith("no forward mode: ")


def test_rows_of_zeros_by_either_way() -> None:
    model = model_of(lambda p, x: x[:, :2] + 0.0 * p["w"].sum(), {"w": random(5)})
    for forward in (False, True):
        found = products(model, random(4, 6), random(3, 5), replace(choose(model, random(4, 6), 4, 3), forward=forward))
        assert found.vanish
        assert not bool(found.values.any())


@pytest.mark.parametrize("forward", [False, True])
def test_rows_that_are_not_finite_are_refused(forward: bool) -> None:
    model = model_of(lambda p, x: (x @ p["w"]).sqrt().reshape(-1, 1), {"w": random(5)})
    x = torch.stack([random(5), torch.zeros(5, dtype=torch.float64)])
    with pytest.raises(BoundcheckError, match="the Jacobian is not finite at sample"):
        products(model, x, random(3, 5), replace(choose(model, x, 2, 3), forward=forward))


def test_a_network_that_looks_at_values_goes_one_sample_at_a_time() -> None:
    def f(p: Mapping[str, Tensor], x: Tensor) -> Tensor:
        scale = 2.0 if float(x[0, 0]) > 0 else 0.5
        return in_halves(scale * x, p["w"]).tanh()

    params, x_train, x_eval = {"w": random(2, 6, seed=2)}, random(3, 6), random(11, 6, seed=1)
    found = tangent_overlap(f, x_train, x_eval, params=params)
    assert "one sample at a time" in str(found.plan)
    leaf = params["w"].clone().requires_grad_()
    rows = [jacobian_rows(lambda z: f({"w": leaf}, z), [leaf], x) for x in (x_train, x_eval)]
    torch.testing.assert_close(per_sample_jacobian(f, params, x_eval).flatten(0, 1), rows[1])
    assert (found.gamma_ov, found.sigma_min, found.sigma_max) == pytest.approx(geometry(rows[0], rows[1], 11), rel=1e-9)


def test_a_mistake_in_a_network_is_told_as_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        per_sample_jacobian(lambda p, x: x @ p["w"], {"w": random(5, 2)}, random(3, 6))
