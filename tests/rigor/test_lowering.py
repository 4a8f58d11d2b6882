"""Lowering: a program gives what torch gives, whatever operators the function uses."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from boundcheck.errors import UnknownOperatorError
from boundcheck.proof.balls import Balls
from boundcheck.proof.machine import operations, run
from boundcheck.proof.program import Input, Program
from boundcheck.rigor import trace
from boundcheck.rigor.lowering import lower

BALLS = Balls(128)


def _outputs(function: Callable[..., list[Tensor]], *inputs: Tensor) -> list[tuple[float, float]]:
    traced = trace(function, inputs, functional=True)
    program = Program.from_json(lower(traced.graph).to_json())
    with BALLS.working():
        numbers = run(program, [Input(x.flatten().tolist()) for x in inputs], BALLS)
        return [(float(low), float(high)) for low, high in map(BALLS.endpoints, numbers)]


def _numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


X, Y, V, SQUARE = _numbers(3, 4), _numbers(4, 3, seed=1), _numbers(4, seed=2), _numbers(3, 3, seed=3)
BATCH, OTHER = _numbers(2, 3, 4, seed=4), _numbers(2, 4, 3, seed=5)

FUNCTIONS: dict[str, tuple[Callable[..., Tensor], tuple[Tensor, ...]]] = {
    "broadcast sum": (lambda x, v: (x + v).sum(), (X, V)),
    "scalar first": (lambda x: (1.5 - x).square().mean(), (X,)),
    "alpha": (lambda x, v: torch.add(x, v, alpha=-3).abs().amax(), (X, V)),
    "sum over axes": (lambda x: x.sum(0).square().sum() + x.sum(-1, keepdim=True).abs().sum(), (X,)),
    "sum over nothing": (lambda x: x[0:0].sum() + x.sum(), (X,)),
    "mean over an axis": (lambda x: x.mean(1).amin(), (X,)),
    "cumsum": (lambda x: (x.cumsum(0) * x.cumsum(1)).sum(), (X,)),
    "matrix products": (lambda x, y, v: ((x @ y).trace() + (x @ v).sum() + v @ v), (X, Y, V)),
    "batched product": (lambda a, b: (a @ b).square().sum(), (BATCH, OTHER)),
    "einsum": (lambda a, b: torch.einsum("bij,bjk->bik", a, b).amax(), (BATCH, OTHER)),
    "product of a batch and a matrix": (lambda a, y: (a @ y).abs().sum(), (BATCH, Y)),
    "addmm": (lambda x, y, s: torch.addmm(s, x, y, beta=2, alpha=-1).sum(), (X, Y, SQUARE)),
    "moves": (lambda x: (x.T.flip(0)[1:].reshape(-1)[::2] * torch.arange(5.0).double()[:5]).sum(), (X,)),
    "stacking": (lambda x, v: torch.cat([x, v[None] * 2]).roll(1, 0)[0].dot(torch.stack([v, v])[1]), (X, V)),
    "triangles": (lambda s: s.tril().sum() - s.triu(1).square().sum(), (SQUARE,)),
    "diagonal": (lambda s: torch.diagonal(s).sum() + torch.diag_embed(s[0]).square().sum(), (SQUARE,)),
    "index": (lambda x: x[:, [2, 0]].square().sum() + x[torch.tensor([1]), torch.tensor([2])].sum(), (X,)),
    "gather": (lambda x: torch.gather(x, 1, torch.tensor([[1], [0], [3]])).sum(), (X,)),
    "pad": (lambda v: functional.pad(v, (1, 2), value=2.5).square().sum(), (V,)),
    "where": (lambda x: torch.where(x > 0.1, x, -2 * x).sum(), (X,)),
    "truths": (lambda x: ((x > 0) & ~(x > 1) | (x < -1)).sum().double() + (x > 0).any().double(), (X,)),
    "truths over an axis": (lambda x: torch.where((x < 3).all(1), x[:, 0], x[:, 1]).sum(), (X,)),
    "finite": (lambda x: torch.where(x.isfinite(), x, 0.0).sum(), (X,)),
    "clamp": (lambda x: x.clamp(-0.5, 0.5).sum() + torch.relu(x).sum() + torch.maximum(x, x.abs() - 1).sum(), (X,)),
    "powers": (lambda x: (x**3).sum() + (x.abs() ** 1.5).sum() + (x.square() + 1).rsqrt().sum() + (x**-2).sum(), (X,)),
    "functions": (lambda x: (x.tanh() + x.sigmoid() + x.exp() + x.sin() + x.cos() + x.atan() + x.erf()).sum(), (X,)),
    "logarithms": (lambda x: (x.exp().log() + x.square().log1p() + x.expm1()).sum(), (X,)),
    "softplus": (lambda x: functional.softplus(10 * x).sum(), (X,)),
    "norms": (lambda x: torch.linalg.vector_norm(x) + x.norm(p=1) + torch.linalg.vector_norm(x, float("inf"), 1).sum(), (X,)),
    "singular values": (lambda x: torch.linalg.svdvals(x)[-1] + torch.linalg.matrix_norm(x, 2), (X,)),
    "batched singular values": (lambda a: torch.linalg.svdvals(a).square().sum(), (BATCH,)),
    "eigenvalues": (lambda s: torch.linalg.eigvalsh(s @ s.T)[0] + torch.linalg.eigvalsh(s + s.T, UPLO="U")[1], (SQUARE,)),
    "basis": (lambda y, v: (torch.linalg.qr(y).Q.T @ v).square().sum(), (Y, V)),
    "solve": (lambda s, x: torch.linalg.solve(s, x).sum() + torch.linalg.inv(s)[0, 1], (SQUARE, X)),
    "solve a vector": (lambda s, x: torch.linalg.solve_ex(s, x[:, 0]).result.sum(), (SQUARE, X)),
    "determinant": (lambda s: torch.linalg.det(s), (SQUARE,)),
    "matrix exponential": (lambda s: torch.linalg.matrix_exp(0.3 * s).trace(), (SQUARE,)),
    "rank": (lambda x: torch.ops.boundcheck.rank(x) + 0 * x.sum(), (torch.ones(3, 4).double(),)),
    "powers of two tensors": (lambda x, v: (x.exp() ** v).sum(), (X, V)),
    "overwritten entries": (lambda v: (v.index_put((torch.tensor([1]),), v[:1] * 2)).square().sum(), (V,)),
    "scattered": (lambda v: v.scatter(0, torch.tensor([0, 2]), v[:2] + 1).scatter(0, torch.tensor([1]), 4.0).norm(), (V,)),
    "activations": (lambda x: (functional.gelu(x) + functional.silu(x) + functional.elu(x)).sum(), (X,)),
    "softmax": (lambda x: torch.softmax(x, 1)[0, 0] + torch.log_softmax(x, 0)[1, 1] + torch.logsumexp(x, 1).sum(), (X,)),
    "spread": (lambda x: x.var(1).sum() + x.std() + x.prod(1).sum(), (X,)),
    "more functions": (lambda x: (x.sinh() + x.asinh() + x.erfc() + x.exp2() + x.square().add(1).log2()).sum(), (X,)),
    "gradient": (lambda v: torch.func.grad(lambda t: (t.tanh() * t.sigmoid()).sum().square())(v).sum(), (V,)),
    "Jacobian of a net": (
        lambda x, y: torch.func.jacrev(lambda w: torch.relu(x @ w).tanh().sum(0))(y).square().sum(),
        (X, Y),
    ),
    "Hessian": (lambda v: torch.func.hessian(lambda t: (t.exp() * t.roll(1)).sum())(v).square().sum(), (V,)),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_program_gives_what_torch_gives(name: str) -> None:
    function, inputs = FUNCTIONS[name]
    ((low, high),) = _outputs(lambda *args: [function(*args)], *inputs)
    expected = float(function(*inputs))
    assert high - low <= 1e-25 * max(1.0, abs(low)) or high - low <= 4e-15 * max(1.0, abs(low))
    assert low - 1e-9 * max(1.0, abs(low)) <= expected <= high + 1e-9 * max(1.0, abs(high))


def test_every_operation_of_the_machine_is_used_by_some_function() -> None:
    used = set()
    for function, inputs in FUNCTIONS.values():
        program = lower(trace(lambda *args, f=function: [f(*args)], inputs, functional=True).graph)
        used |= {step.operation for step in program.instructions}
    unused = set(operations()) - used
    assert unused <= {"truths", "gather_truths", "some", "smallest"}, sorted(unused)


def test_what_depends_on_values_is_refused_by_name() -> None:
    with pytest.raises(UnknownOperatorError, match=r"positions that depend on the instance|_to_copy"):
        lower(trace(lambda x: [x[(x > 0).long()].sum()], [V]).graph)
    with pytest.raises(UnknownOperatorError, match=r"lgamma"):
        lower(trace(lambda x: [torch.lgamma(x).sum()], [V]).graph)
    with pytest.raises(UnknownOperatorError, match="result 0"):
        lower(trace(lambda x: [torch.linalg.svd(x).U.sum()], [X]).graph)


def test_a_constant_enters_exactly() -> None:
    """One third is no double: the program gets the rational."""
    from fractions import Fraction

    program = lower(trace(lambda x, c: [x * c], [torch.tensor(3.0).double(), torch.tensor(1 / 3).double()]).graph)
    with BALLS.working():
        (product,) = run(program, [Input([3.0]), Input([Fraction(1, 3)])], BALLS)
        low, high = BALLS.endpoints(product)
    assert low <= 1 <= high
    assert high - low < Fraction(1, 2**120)
