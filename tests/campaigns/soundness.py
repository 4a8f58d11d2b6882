"""Are the screening's error bounds sound? Float enclosures of operators and of whole claims beside the same in Arb balls.

`make soundness` asks for 1,000,000 lane evaluations; `tests/rigor/test_soundness.py` for a few thousand in each run of the tests.
A lane is unsound where the exact value, enclosed at 192 bits, certainly lies outside the float enclosure.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import hypothesis
import torch
from hypothesis import HealthCheck, Phase, settings
from torch import Tensor

from boundcheck.claim import Claim, build
from boundcheck.proof.balls import Balls
from boundcheck.proof.machine import run, run_whole
from boundcheck.proof.program import Input
from boundcheck.rigor import Enclosure, trace
from boundcheck.rigor.lowering import lower
from boundcheck.search.certify import Certifier
from boundcheck.search.drawing import one_thread_on
from boundcheck.search.evaluate import Evaluator

BALLS = Balls(192)
Function = Callable[..., Tensor]


@dataclass
class Figures:
    """What was compared.

    Attributes:
        lanes: evaluations. decided: those whose float radius was finite. unsound: descriptions of those that were wrong.

    """

    lanes: int = 0
    decided: int = 0
    unsound: list[str] = field(default_factory=list)

    def compare(self, name: str, low: object, high: object, enclosure: Enclosure, entry: int) -> None:
        """One exact value (between low and high) beside one entry of a float enclosure."""
        below, above = float(enclosure.lower.flatten()[entry]), float(enclosure.upper.flatten()[entry])
        self.lanes += 1
        known = bool(enclosure.rad.flatten()[entry].isfinite())
        self.decided += known
        # A NaN midpoint with a finite radius would claim knowledge of nothing: it counts as wrong where a value exists.
        undefined = below != below and known and low != -float("inf")
        if low > above or high < below or undefined:  # type: ignore[operator]
            self.unsound.append(f"{name}: exact [{_shown(low)}, {_shown(high)}] beside [{below!r}, {above!r}]")


def _shown(endpoint: object) -> str:
    try:
        return repr(float(endpoint))  # type: ignore[arg-type]
    except OverflowError:
        return "more than any double"


# ------------------------------------------------------------------------------------------------------ operators


ONE: dict[str, Function] = {
    "neg": torch.neg,
    "abs": torch.abs,
    "square": torch.square,
    "cube": lambda x: x**3,
    "power -2": lambda x: x**-2,
    "power 1.5": lambda x: x**1.5,
    "power -0.5": lambda x: x**-0.5,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "sin": torch.sin,
    "cos": torch.cos,
    "atan": torch.atan,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": torch.nn.functional.softplus,
    "softplus, beta 3": lambda x: torch.nn.functional.softplus(x, beta=3),
    "erf": torch.erf,
    "relu": torch.relu,
    "clamp": lambda x: x.clamp(-0.5, 2.0),
    "sum": lambda x: x.reshape(-1, 5).sum(1),
    "mean": lambda x: x.reshape(-1, 5).mean(1),
    "cumsum": lambda x: x.reshape(-1, 5).cumsum(1),
    "amax": lambda x: x.reshape(-1, 5).amax(1),
    "amin": lambda x: x.reshape(-1, 5).amin(1),
    "2-norm": lambda x: torch.linalg.vector_norm(x.reshape(-1, 5), dim=1),
    "1-norm": lambda x: torch.linalg.vector_norm(x.reshape(-1, 5), 1, dim=1),
    "max-norm": lambda x: torch.linalg.vector_norm(x.reshape(-1, 5), float("inf"), dim=1),
    "matrix product": lambda x: (x.reshape(-1, 5, 6) @ x.reshape(-1, 6, 5)).flatten(),
    "singular values": lambda x: torch.linalg.svdvals(x.reshape(-1, 3, 5)).flatten(),
    "eigenvalues": lambda x: torch.linalg.eigvalsh(x.reshape(-1, 5, 6)[..., :5]).flatten(),
    "squared basis": lambda x: (torch.linalg.qr(x.reshape(-1, 5, 3)).Q.square().sum(-1)).flatten(),
    "solve": lambda x: torch.linalg.solve_ex(
        x.reshape(-1, 5, 6)[..., :5], x.reshape(-1, 5, 6)[..., 5:]
    ).result.flatten(),
    "tanh gradient": lambda x: torch.func.grad(lambda t: torch.tanh(t).sum())(x),
    "sigmoid gradient": lambda x: torch.func.grad(lambda t: torch.sigmoid(t).sum())(x),
    "relu gradient": lambda x: torch.func.grad(lambda t: torch.relu(t).sum())(x),
}
TWO: dict[str, Function] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "x + 3 y": lambda x, y: torch.add(x, y, alpha=3),
    "where": lambda x, y: torch.where(x > y, x * y, x - y),
    "dot": lambda x, y: (x.reshape(-1, 5) * y.reshape(-1, 5)).sum(1),
}  # fmt: skip


def samples(count: int, seed: int) -> Tensor:
    """Doubles of every sort: ordinary, whole, tiny, huge, near 0, near softplus's threshold, duplicated, zero."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(count, dtype=torch.float64, generator=generator)
    spread = torch.rand(count, dtype=torch.float64, generator=generator)
    kinds = [
        normal,
        (4 * normal).round(),
        normal * torch.exp(60 * (spread - 0.5)),
        normal * torch.exp(1400 * (spread - 0.5)),
        20 + normal * 10.0 ** (-4 * spread),
        30 * normal,
        normal.roll(1),
        torch.zeros(count, dtype=torch.float64),
    ]
    pick = torch.randint(0, len(kinds), (count // 30 + 1,), generator=generator).repeat_interleave(30)[:count]
    return torch.stack(kinds)[pick, torch.arange(count)]


def _inside(value: Tensor, radius: Tensor, seed: int) -> Tensor:
    """A double within the ball, often at its end."""
    generator = torch.Generator().manual_seed(seed)
    share = (2.4 * torch.rand(value.shape, dtype=torch.float64, generator=generator) - 1.2).clamp(-1, 1)
    point = value + share * radius
    lists = (tensor.tolist() for tensor in (point, value, radius))
    exactly = [abs(Fraction(p) - Fraction(v)) <= Fraction(r) for p, v, r in zip(*lists, strict=True)]
    return torch.where(torch.tensor(exactly), point, value)


def compare_operator(
    name: str, function: Function, operands: int, count: int, seed: int, figures: Figures, *, device: str = "cpu"
) -> None:
    """One operator on `count` entries, half of the batches with radii."""
    values = [samples(count, seed + 1000 * k) for k in range(operands)]
    wide = torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 7))
    radii = [value.abs() * 10.0 ** (-16 * wide) * (seed % 2) for value in values]
    points = [_inside(value, radius, seed + 50) for value, radius in zip(values, radii, strict=True)]
    there = [value.to(device) for value in values]
    (found,) = trace(lambda *x: [function(*x)], there).enclose(
        *(Enclosure(x, r.to(device)) for x, r in zip(there, radii, strict=True))
    )
    enclosure = Enclosure(found.mid.cpu(), found.rad.cpu())
    program = lower(trace(lambda *x: [function(*x)], values, functional=True).graph)
    with BALLS.working():
        (exact,) = run_whole(program, [Input(point.tolist()) for point in points], BALLS)
        for entry, number in enumerate(exact):
            figures.compare(name, *BALLS.endpoints(number), enclosure, entry)


def compare_operators(lanes: int, seed: int) -> Figures:
    """All operators on about `lanes` entries together."""
    figures = Figures()
    batch = 600
    repeats = max(2, -(-lanes // (batch * (len(ONE) + len(TWO)))))
    for repeat in range(repeats):
        for operands, functions in ((1, ONE), (2, TWO)):
            for name, function in functions.items():
                compare_operator(name, function, operands, batch, seed + repeat, figures)
    return figures


# ------------------------------------------------------------------------------------------------------ claims


def compare_claim(
    claim: Claim, lanes: int, seed: int, *, batch: int = 64, points: int = 64, device: str = "cpu"
) -> Figures:
    """Both sides and every margin of `lanes` instances of a claim, in floats and in balls."""
    figures = Figures()
    evaluator, certifier = Evaluator(claim), Certifier(claim)
    for problem in _problems(claim, -(-lanes // points), batch, seed):
        with one_thread_on(device):
            judgement = evaluator(problem.to(device))
        program = certifier.program(problem)
        margins = [margin for margin, _ in judgement.premises.values()]
        sides = [judgement.smaller, judgement.larger, *margins]
        enclosures = [Enclosure(side.mid.cpu(), side.rad.cpu()) for side in sides]
        for lane in torch.nonzero(problem.finite()).squeeze(-1).tolist()[:points]:
            with BALLS.working():
                numbers = run(program, certifier.inputs(problem, lane), BALLS)
                for number, enclosure in zip(numbers, enclosures, strict=True):
                    figures.compare(claim.key, *BALLS.endpoints(number), enclosure, lane)
    return figures


def _problems(claim: Claim, structures: int, lanes: int, seed: int) -> Iterator:  # type: ignore[type-arg]
    drawn: list[object] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=structures,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(claim.over)
    def draw(recipe: object) -> None:
        drawn.append(recipe)

    draw()
    for recipe in drawn:
        yield build(recipe, lanes)


def closing_line(name: str, parts: Sequence[Figures]) -> str:
    """The figures of several comparisons together."""
    lanes, decided = sum(f.lanes for f in parts), sum(f.decided for f in parts)
    unsound = sum(len(f.unsound) for f in parts)
    return f"{name}: {lanes:,} lane evaluations, {decided:,} with a finite radius, {unsound} unsound"
