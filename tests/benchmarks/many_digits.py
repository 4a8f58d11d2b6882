"""γ_ov, σ_min and σ_max of a two-layer net with one output, to many digits: what the fast ways are held against.

The inner product of two Jacobian rows is φ(h)·φ(h') + 1 + (x·x' + 1)·Σ_j a_j²·φ'(h_j)·φ'(h_j'), taken in Arb balls of the float64
numbers that the net holds; what follows of the small matrices is mpmath's.
"""

from collections.abc import Sequence

import flint
import mpmath
import torch
from torch import Tensor

from tests.benchmarks.networks import Net

BITS = 256


def overlap_to_many_digits(net: Net) -> Tensor:
    """`[3, 1]`, each correctly rounded as far as float64 shows."""
    before = flint.ctx.prec
    flint.ctx.prec = BITS
    try:
        with mpmath.workprec(BITS):
            return torch.tensor([float(value) for value in _measured(net)])[:, None]
    finally:
        flint.ctx.prec = before


def _measured(net: Net) -> list[mpmath.mpf]:
    train, evaluation = (_Samples(net, x) for x in (net.x_train, net.x_eval))
    gram, cross = train.products(train), evaluation.products(train)
    squares = mpmath.eigsy(_matrix(gram), eigvals_only=True)
    lower = mpmath.cholesky(_matrix(gram))
    inverse = lower**-1
    kernel = inverse * _matrix(cross.transpose() * cross) * inverse.T
    energies = mpmath.eigsy((kernel + kernel.T) / 2, eigvals_only=True)
    samples = len(net.x_eval)
    return [mpmath.sqrt(min(energies) / samples), mpmath.sqrt(min(squares)), mpmath.sqrt(max(squares))]


class _Samples:
    """A batch's inputs, hidden values and slopes, in balls."""

    def __init__(self, net: Net, x: Tensor) -> None:
        params = net.params
        self.x = _balls(x)
        shift = flint.arb_mat([[_ball(value) for value in params["0.bias"].tolist()]] * len(x))
        entries = (self.x * _balls(params["0.weight"]).transpose() + shift).tolist()
        self.hidden = flint.arb_mat([[entry.tanh() for entry in row] for row in entries])
        slopes = [[1 - value * value for value in row] for row in self.hidden.tolist()]
        head = [_ball(value) for value in params["2.weight"].flatten().tolist()]
        self.signals = flint.arb_mat([[a * slope for a, slope in zip(head, row, strict=True)] for row in slopes])

    def products(self, other: "_Samples") -> flint.arb_mat:
        """Inner products of Jacobian rows."""
        inputs = (self.x * other.x.transpose()).tolist()
        signals = (self.signals * other.signals.transpose()).tolist()
        hidden = (self.hidden * other.hidden.transpose()).tolist()
        rows = zip(inputs, signals, hidden, strict=True)
        return flint.arb_mat([[(x + 1) * s + h + 1 for x, s, h in zip(*row, strict=True)] for row in rows])


def _ball(value: float) -> flint.arb:
    return flint.arb(value)


def _balls(values: Tensor) -> flint.arb_mat:
    return flint.arb_mat([[_ball(value) for value in row] for row in values.tolist()])


def _matrix(balls: flint.arb_mat) -> mpmath.matrix:
    rows: Sequence[Sequence[flint.arb]] = balls.tolist()
    return mpmath.matrix([[_middle(entry) for entry in row] for row in rows])


def _middle(ball: flint.arb) -> mpmath.mpf:
    mantissa, exponent = ball.mid().man_exp()
    return mpmath.ldexp(mpmath.mpf(int(mantissa)), int(exponent))
