"""How large a function of the parameters, its slope and its bend can become in a ball, composed as derivatives are.

A `Jet` bounds a matrix- or vector-valued h(θ) for all θ with ‖θ - θ_0‖ <= ρ: its spectral norm (of a vector: the Euclidean
norm), and the norms of u -> Dh[u] and of (u, v) -> D²h[u, v] in the Frobenius norm of their values. The ball is convex, so that
J = Dh has the Lipschitz constant `bend` between any two of its points.

Rules. ‖XY‖_F <= ‖X‖·‖Y‖_F and <= ‖X‖_F·‖Y‖ throughout.

*A trained block* W of θ: ‖W‖ <= ‖W_0‖ + ρ, DW[u] = u_W, D²W = 0.

*Product of functions of disjoint blocks.* D(AB)[u] = DA[u]·B + A·DB[u], and D²(AB)[u, v] = D²A[u, v]·B + DA[u]·DB[v] +
DA[v]·DB[u] + A·D²B[u, v]. With u split into (u_A, u_B) the slope is bounded by s_A·v_B·‖u_A‖ + v_A·s_B·‖u_B‖, so by the root of
the sum of squares; the bend by p·‖u_A‖‖v_A‖ + q·(‖u_A‖‖v_B‖ + ‖u_B‖‖v_A‖) + r·‖u_B‖‖v_B‖ with p = b_A·v_B, q = s_A·s_B,
r = v_A·b_B, so by the larger eigenvalue of ((p, q), (q, r)).

*Activation* of a vector z: Dφ(z)[u] = φ'⊙Dz[u], D²φ(z)[u, v] = φ''⊙Dz[u]⊙Dz[v] + φ'⊙D²z[u, v], and ‖a⊙b‖ <= ‖a‖·‖b‖.

*Softmax* p of a row z: for its variance under p, Var_p(u) = ⟨u, Dp[u]⟩ <= (max u - min u)²/4 <= ‖u‖²/2, and Dp is symmetric and
positive semidefinite: slope 1/2. ⟨w, D²p[u, v]⟩ is the third joint cumulant of u, v, w under p, symmetric in them, so its norm
is attained at u = v = w (Banach). There it is a third central moment, of a variable with values in an interval of length
l <= √2·‖u‖: among all laws with a given mean an extreme one has two values (the concave envelope of (t - μ)³ on an interval
is a chord beside a part of it), and for weights x and 1 - x it is x(1 - x)(1 - 2x)·l³ <= l³/(6√3). So the bend is √6/9.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from boundcheck.geometry.activations import Activation
from boundcheck.geometry.overlap import singular_values


@dataclass(frozen=True)
class Jet:
    """Upper bounds of ‖h‖, ‖Dh‖ and ‖D²h‖ on the ball, each `[...]`."""

    value: Tensor
    slope: Tensor
    bend: Tensor

    @classmethod
    def trained(cls, block: Tensor, radius: Tensor) -> Self:
        """A block of θ, `[..., rows, columns]` at the centre of the ball."""
        value = singular_values(block)[..., 0] + radius
        return cls(value, torch.ones_like(value), torch.zeros_like(value))

    def scaled(self, size: Tensor | float) -> "Jet":
        """A multiple by a number, or the image under a linear map of this spectral norm."""
        return Jet(size * self.value, size * self.slope, size * self.bend)

    def times_apart(self, other: "Jet") -> "Jet":
        """The product of two matrices that depend on disjoint blocks of θ."""
        p, q, r = self.bend * other.value, self.slope * other.slope, self.value * other.bend
        slope = (self.slope * other.value).square() + (self.value * other.slope).square()
        half = ((p - r) / 2).square() + q.square()
        return Jet(self.value * other.value, slope.sqrt(), (p + r) / 2 + half.sqrt())

    def activated(self, activation: Activation, size: int) -> "Jet":
        """φ of a vector with `size` entries, on a ball in which none of them meets a kink."""
        by_slope = activation.steepest * self.value
        root = self.value.new_tensor(float(size)).sqrt()
        value = by_slope + root * activation.at_zero
        if activation.limit < float("inf"):
            value = torch.minimum(value, root * activation.limit + torch.zeros_like(value))
        bend = activation.steepest * self.bend
        if activation.sharpest > 0:
            bend = bend + activation.sharpest * self.slope.square()
        return Jet(value, activation.steepest * self.slope, bend)

    def softmax(self, rows: int) -> "Jet":
        """The softmax of each of `rows` rows; their weights have a Frobenius norm of at most √rows."""
        root = self.value.new_tensor(float(rows)).sqrt()
        sharpest = self.value.new_tensor(6.0).sqrt() / 9
        value = root + torch.zeros_like(self.value)
        return Jet(value, self.slope / 2, self.bend / 2 + sharpest * self.slope.square())
