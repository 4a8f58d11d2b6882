"""Inner products of the Jacobian rows of many `TwoLayer` nets, without signals, rows or any other array of N·k·width numbers.

A row is (1/√width)·(a_j ⊙ φ'(W·x)) ⊗ x, so an inner product of two is (x·x')·Σ_h a_jh·a_j'h·φ'_h(x)·φ'_h(x')/width. Everything of
the fine-tuning samples goes into one small matrix a lane, and one product with φ' at the evaluation samples gives the rest.
The evaluation samples stay the last axis throughout: BLAS and the elementwise kernels both want their long axis contiguous.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from boundcheck.geometry.family import TwoLayer


@dataclass(frozen=True)
class TrainProducts:
    """Everything that the fine-tuning samples contribute, lane by lane, in float64.

    Attributes:
        gram: K = J_S·J_Sᵀ, `[lanes, mk, mk]`.
        slopes: φ' at the fine-tuning samples, `[lanes, m, width]`.
        head: the head over √width, `[lanes, k, width]`.
        left: the first layer above the fine-tuning samples, `[lanes, width + m, features]`.
        through: signals of fine-tuning sample and output times the head's rows, `[lanes, m·k·k, width]`.
        signals: squared lengths of the head's columns, `[lanes, 1, width]`.
        longest: the largest of these and of the fine-tuning samples' squared lengths, `[lanes]`.

    """

    family: TwoLayer
    gram: Tensor
    slopes: Tensor
    head: Tensor
    left: Tensor
    through: Tensor
    signals: Tensor
    longest: Tensor

    def rows(self) -> Tensor:
        """J_S itself, `[lanes, mk, n]`."""
        signals = _signals(self.slopes, self.head)
        x = self.left[:, self.family.width :]
        return (signals.unsqueeze(-1) * x[:, :, None, None]).flatten(3).flatten(1, 2)

    @property
    def sizes(self) -> Tensor:
        """Of each row of J_S its norm, `[lanes, mk]`: one product a parameter, so nothing cancels."""
        return self.gram.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()

    @property
    def terms(self) -> int:
        """Roundings on the way to an entry of `gram`, at most: two short sums, slopes and scales."""
        return self.family.width + self.family.inputs + 16


@dataclass(frozen=True)
class EvalProducts:
    """What evaluation samples add.

    Attributes:
        cross: C = J_eval·J_Sᵀ, `[lanes, N·k, mk]`, the transpose of a contiguous tensor.
        square: ‖J_eval‖² (Frobenius), `[lanes]`.
        longest: the largest squared length of a sample, `[lanes]`.

    """

    cross: Tensor
    square: Tensor
    longest: Tensor


def train_products(family: TwoLayer, theta: Tensor, head: Tensor, x: Tensor) -> TrainProducts:
    """Of the nets theta `[lanes, n]` with heads `[lanes, k, width]` at x `[lanes, m, features]`."""
    samples, width = x.shape[1], family.width
    head = head * family._scale
    left = torch.cat([theta.unflatten(-1, (width, family.inputs)), x], dim=1)
    own = x @ left.mT
    slopes, inputs = slope(family.activation, own[..., :width].contiguous()), own[..., width:]
    pairs = head[:, :, None] * head[:, None]
    through = (slopes[:, :, None, None] * pairs[:, None]).flatten(1, 3)
    rows = _signals(slopes, head).flatten(1, 2)
    gram = (rows @ rows.mT).unflatten(2, (samples, -1)).unflatten(1, (samples, -1)).mul_(inputs[:, :, None, :, None])
    gram = gram.flatten(3).flatten(1, 2)
    signals = head.square().sum(1, keepdim=True)
    longest = torch.cat([inputs.diagonal(dim1=-2, dim2=-1), signals[:, 0]], dim=-1).amax(-1)
    return TrainProducts(family, gram, slopes, head, left, through, signals, longest)


@dataclass
class Workspace:
    """Arrays that one block of lanes after another writes to: fresh ones cost more in page faults than in arithmetic."""

    arrays: dict[str, Tensor] = field(default_factory=dict)

    def matmul(self, name: str, left: Tensor, right: Tensor) -> Tensor:
        """left @ right, over what the array of this name held."""
        return torch.matmul(left, right, out=self._array(name, left, (*left.shape[:-1], right.shape[-1])))

    def square(self, name: str, values: Tensor) -> Tensor:
        """The squares of the values, likewise."""
        return torch.square(values, out=self._array(name, values, values.shape))

    def _array(self, name: str, like: Tensor, shape: tuple[int, ...]) -> Tensor:
        if name not in self.arrays or self.arrays[name].shape != shape:
            self.arrays[name] = like.new_empty(shape)
        return self.arrays[name]


def eval_products(train: TrainProducts, lanes: slice, x: Tensor, space: Workspace) -> EvalProducts:
    """Of some of the lanes at their evaluation samples `[lanes, N, features]`; `cross` lies in the workspace."""
    family, width = train.family, train.family.width
    inputs = space.matmul("inputs", train.left[lanes, width:], x.mT)
    slopes = slope(family.activation, space.matmul("hidden", train.left[lanes, :width], x.mT))
    cross = _times_inputs(space.matmul("cross", train.through[lanes], slopes), inputs, family.outputs_)
    lengths = space.square("squares", x) @ x.new_ones(family.inputs, 1)
    signals = space.matmul("signals", train.signals[lanes], slopes.square_())
    return EvalProducts(cross.flatten(3).flatten(1, 2).mT, (signals @ lengths).flatten(), lengths.flatten(1).amax(-1))


def _signals(slopes: Tensor, head: Tensor) -> Tensor:
    """What reaches the hidden units from each sample and output: `[lanes, m, k, width]`."""
    return slopes[:, :, None] * head[:, None]


def _times_inputs(signals: Tensor, inputs: Tensor, outputs: int) -> Tensor:
    """Inner products of signals `[lanes, m·k'·k, N]` times those of the inputs `[lanes, m, N]`: `[lanes, m, k', k, N]`."""
    return signals.unflatten(1, (inputs.shape[1], outputs, outputs)).mul_(inputs[:, :, None, None])


def slope(activation: str, t: Tensor) -> Tensor:
    """φ'(t), each to a few u of itself, in the place of t: 1 - tanh² would lose what is left of a saturated unit.

    By σ(-|t|) ≤ ½, whose complement does not cancel; torch's σ also takes a fraction of the time of its tanh.
    """
    if activation == "softplus":
        return t.sigmoid_()
    factor, scale = {"tanh": (-2.0, 4.0), "sigmoid": (-1.0, 1.0)}[activation]
    tail = t.abs_().mul_(factor).sigmoid_()
    return tail.addcmul_(tail, tail, value=-1.0).mul_(scale)
