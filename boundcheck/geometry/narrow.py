"""Both passes of many small two-layer nets at once, with the lanes innermost in memory.

A net of a few units makes products of matrices too small for BLAS: a batched product then spends its time on where the numbers
lie. With the lanes innermost each term of a product is one entrywise operation over all lanes, as long as there are lanes. The
terms are added one after another, in a fused operation or not: a sum of the same products in another order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from boundcheck.geometry.activations import Activation

MOST_PRODUCTS = 1024
"""So many products a lane for the first layer, at most: about where BLAS catches up (on one core of a CPU)."""


def lanes_last(values: Tensor) -> Tensor:
    """The same `[lanes, …]`, laid out with the lanes innermost."""
    return values.movedim(0, -1).contiguous().movedim(-1, 0)


@dataclass(frozen=True)
class NarrowPasses:
    """`Family.passes` of f(W, x) = scale·head·φ(W·x), W alone trained. The lanes are the last axis of everything held here.

    Attributes:
        x: m rows, each `[features, lanes]`. by_feature: the same, each `[m, 1, lanes]`. head: k rows, each `[width, lanes]`.

    """

    phi: Activation
    scale: float
    x: Sequence[Tensor]
    by_feature: Sequence[Tensor]
    head: Sequence[Tensor]

    @staticmethod
    def of(phi: Activation, scale: float, head: Tensor, x: Tensor) -> "NarrowPasses":
        """For heads `[lanes, k, width]` at x `[lanes, m, features]`."""
        rows = x.movedim(0, -1).contiguous()
        by_feature = [column.unsqueeze(1) for column in rows.unbind(1)]
        return NarrowPasses(phi, scale, rows.unbind(0), by_feature, head.movedim(0, -1).contiguous().unbind(0))

    def __call__(self, theta: Tensor, cotangent_of: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """At theta `[lanes, n]`: the cotangent `[lanes, m, k]` that is made of the outputs, and its pullback `[lanes, n]`."""
        weights = theta.movedim(0, -1).unflatten(0, (-1, len(self.by_feature)))
        value, slope = self.phi.both(_sum_of_products(self.by_feature, weights.unbind(1)))
        outputs = [(value * row).sum(1) * self.scale for row in self.head]
        cotangent = cotangent_of((outputs[0][:, None] if len(outputs) == 1 else torch.stack(outputs, 1)).movedim(-1, 0))
        by_output = cotangent.movedim(0, -1).unsqueeze(1).unbind(2)
        signal = _sum_of_products(by_output, self.head).mul_(slope)
        pulled = _sum_of_products(signal.unsqueeze(2).unbind(0), self.x)
        return cotangent, pulled.mul_(self.scale).flatten(0, 1).movedim(-1, 0)


def _sum_of_products(left: Sequence[Tensor], right: Sequence[Tensor]) -> Tensor:
    total = left[0] * right[0]
    for x, y in zip(left[1:], right[1:], strict=True):
        total.addcmul_(x, y)
    return total
