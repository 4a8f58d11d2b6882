"""Functions that people write, each from a vector (or a matrix) to one number: what a claim may be made of."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, linalg, special
from torch.nn import functional

Function = Callable[[Tensor], Tensor]

X = torch.tensor([0.3, 0.7, 0.2, 0.6, 0.45, 0.8], dtype=torch.float64)
A = torch.tensor([[1.0, 0.2, 0.3], [0.5, 2.0, 0.1], [0.3, 0.1, 1.5]], dtype=torch.float64)
LABEL = torch.tensor([2])
PLACES = torch.tensor([1, 1, 3, 4, 5, 0])


def zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64)


def cubed(x: Tensor) -> Tensor:
    return (x**3).sum()


def squared(x: Tensor) -> Tensor:
    return x.square().sum()


def definite(a: Tensor) -> Tensor:
    return a @ a.mT + 0.1 * torch.eye(3, dtype=torch.float64)


def written(x: Tensor, place: Any, value: Any) -> Tensor:
    copy = x.clone()
    copy[place] = value
    return squared(copy)


def added_up(function: Function) -> Function:
    return lambda x: function(x).sum()


def norm(p: float) -> Function:
    return lambda x: linalg.vector_norm(x, p)


def attention(x: Tensor, causal: bool) -> Tensor:
    rows = x.reshape(1, 3, 2)
    return squared(functional.scaled_dot_product_attention(rows, rows, rows, is_causal=causal))


def in_place(x: Tensor) -> Tensor:
    """A chain of operators that write in place."""
    y = x.clone().add_(1).mul_(x).sub_(0.1).div_(3).clamp_(0.01, 9).exp_().pow_(2).sqrt_()
    return y.relu_().neg_().abs_().log1p_().masked_fill_(y > 100, 0.0).sum()


ELEMENTWISE: dict[str, Function] = {
    **{
        name: getattr(functional, name)
        for name in [
            "gelu",
            "silu",
            "mish",
            "elu",
            "celu",
            "selu",
            "leaky_relu",
            "hardtanh",
            "relu6",
            "logsigmoid",
            "softplus",
            "hardswish",
            "hardsigmoid",
            "softsign",
            "tanhshrink",
            "softshrink",
            "hardshrink",
        ]
    },
    **{
        name: getattr(torch, name)
        for name in [
            "log2",
            "log10",
            "exp2",
            "sinh",
            "cosh",
            "tan",
            "asin",
            "acos",
            "atan",
            "asinh",
            "atanh",
            "erf",
            "erfc",
            "sign",
            "sgn",
            "floor",
            "ceil",
            "round",
            "trunc",
            "frac",
            "abs",
            "square",
            "reciprocal",
            "rsqrt",
            "sqrt",
            "log1p",
            "expm1",
            "exp",
            "log",
            "sin",
            "cos",
            "tanh",
            "sigmoid",
            "relu",
            "positive",
            "logit",
            "sinc",
            "deg2rad",
            "rad2deg",
            "nan_to_num",
        ]
    },
    **{f"special.{name}": getattr(special, name) for name in ("ndtr", "log_ndtr", "entr", "expit")},
    "acosh": lambda x: torch.acosh(x + 1.1),
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "softplus_beta": lambda x: functional.softplus(x, beta=3.0),
    "prelu": lambda x: functional.prelu(x - 0.5, torch.tensor([0.3]).double()),
    "threshold": lambda x: functional.threshold(x, 0.5, 0.1),
    "rrelu": lambda x: functional.leaky_relu(x - 0.5, 0.2),
    "elu_alpha": lambda x: functional.elu(x - 0.5, 0.7),
    "xlog1py": lambda x: special.xlog1py(x, x),
    "xlogy": lambda x: torch.xlogy(x, x),
    "xlogy_number": lambda x: torch.xlogy(x, 2.5),
    "logit_eps": lambda x: torch.logit(x, 0.25),
    "atan2": lambda x: torch.atan2(x, x - 0.5),
    "hypot": lambda x: torch.hypot(x, x + 1),
    "lerp": lambda x: torch.lerp(x, x * x, 0.3),
    "lerp_tensor": lambda x: torch.lerp(x, x * x, x),
    "logaddexp": lambda x: torch.logaddexp(x, x * x),
    "power_of_tensors": lambda x: torch.pow(x, x),
    "power_of_a_number": lambda x: torch.pow(2.5, x),
    "root": lambda x: x ** (1 / 3),
    "fmax": lambda x: torch.fmax(x, x * x),
    "fmin": lambda x: torch.fmin(x, x * x),
    "copysign": lambda x: torch.copysign(x, x * x - 0.5),
    "remainder": lambda x: torch.remainder(x, 0.31),
    "remainder_tensor": lambda x: torch.remainder(x, 0.31 + 0 * x),
    "fmod": lambda x: torch.fmod(x, 0.31) + torch.fmod(x, 0.71 + 0 * x),
    "clamp_tensors": lambda x: torch.clamp(x, x * x, x + 1),
    "clamp_max": lambda x: torch.clamp_max(x, 0.5),
    "clamp_max_tensor": lambda x: torch.clamp(x, max=x * x + 0.1),
    "clamp_min_tensor": lambda x: torch.clamp(x, min=x * x),
    "clamp": lambda x: torch.clamp(x, 0.25, 0.65),
    "addcdiv": lambda x: torch.addcdiv(x, x, x + 3, value=0.5),
    "addcmul": lambda x: torch.addcmul(x, x, x + 3, value=0.5),
    "where": lambda x: torch.where(x > 0.5, x, x * 2),
    "masked_fill": lambda x: x.masked_fill(x > 0.5, 2.0),
    "masked_fill_tensor": lambda x: x.masked_fill(x > 0.5, x[0]),
    "either": lambda x: torch.where((x > 0.25) ^ (x > 0.65), x, -x),
    "one or the other": lambda x: torch.where(torch.logical_xor(x > 0.25, x > 0.65), x, -x),
    "signbit": lambda x: torch.where(torch.signbit(x - 0.5), x, -x),
    "finite": lambda x: torch.where(x.isfinite() & ~x.isinf() & ~torch.isposinf(x) & ~torch.isneginf(x), x, 0.0),
    "counted": lambda x: torch.cos(x) * (torch.arange(6) % 4),
}

NOT_DIFFERENTIABLE: dict[str, Function] = {
    "floor_divide": lambda x: (x // 0.31).sum() + torch.floor_divide(x, 0.31 + 0 * x).sum(),
    "divided_down": lambda x: torch.div(x, 0.31, rounding_mode="trunc").sum(),
    "heaviside": lambda x: torch.heaviside(x - 0.5, x).sum(),
    "count_nonzero": lambda x: x.count_nonzero().double() + (x > 0.5).reshape(2, 3).count_nonzero(0).double().sum(),
    "steps": lambda x: torch.where(x > 0.5, 1.0, 0.0).sum(),
}

REDUCTIONS: dict[str, Function] = {
    "softmax": lambda x: functional.softmax(x, -1)[0],
    "log_softmax": lambda x: functional.log_softmax(x, -1)[1],
    "logsumexp": lambda x: torch.logsumexp(x, -1),
    "logsumexp_axes": lambda x: torch.logsumexp(x.reshape(2, 3), [0, 1], keepdim=True).sum(),
    "logcumsumexp": lambda x: torch.logcumsumexp(x, -1)[3],
    "var": lambda x: x.var(),
    "var_correction": lambda x: x.reshape(2, 3).var(1, correction=0).sum(),
    "std": lambda x: x.std(),
    "var_mean": lambda x: sum(torch.var_mean(x), zeros()),
    "std_mean": lambda x: sum(torch.std_mean(x.reshape(2, 3), -1), zeros(2)).sum(),
    "prod": lambda x: x.prod(),
    "prod_axis": lambda x: x.reshape(2, 3).prod(-1, keepdim=True).sum(),
    "cumprod": lambda x: x.cumprod(-1).sum(),
    "cumsum": lambda x: squared(x.cumsum(-1)),
    "diff": lambda x: squared(x.diff()),
    **{f"norm {p}": norm(p) for p in (0, 1, 1.5, 2, 3, math.inf, -math.inf)},
    "Tensor.norm": lambda x: x.norm() + x.norm(3) + x.reshape(2, 3).norm(dim=1).sum(),
    "aten.norm": lambda x: (
        torch.ops.aten.norm(x, 3) + torch.ops.aten.norm.ScalarOpt_dim_dtype(x, 2, [0], False, dtype=torch.float64)
    ),
    "normalize": lambda x: functional.normalize(x, dim=-1)[0],
    "dist": lambda x: torch.dist(x, x * x),
    "max_axis": lambda x: x.reshape(2, 3).max(-1).values.sum(),
    "min_axis": lambda x: x.reshape(2, 3).min(-1).values.sum(),
    "max": lambda x: x.max(),
    "amax": lambda x: x.reshape(2, 3).amax(-1).sum(),
    "aminmax": lambda x: sum(x.aminmax(), zeros()),
    "aminmax_axis": lambda x: sum(x.reshape(2, 3).aminmax(dim=1), zeros(2)).sum(),
    "picked by argmax": lambda x: x.gather(0, x.argmax(0, keepdim=True)).sum(),
    "one hot": lambda x: (functional.one_hot(x.argmax(-1), 6) * x).sum(),
    "sort": lambda x: (x.sort().values * torch.arange(6)).sum(),
    "sort_stable": lambda x: x.sort(stable=True, descending=True).values[1],
    "topk": lambda x: x.topk(2).values.sum(),
    "msort": lambda x: x.msort()[0],
    "median": lambda x: x.median(),
    "median_axis": lambda x: x.reshape(2, 3).median(-1).values.sum(),
    "kthvalue": lambda x: x.kthvalue(2).values,
    "quantile": lambda x: x.quantile(0.3),
    "argsort": lambda x: x[x.argsort()][0],
    "nansum": lambda x: x.nansum(),
    "mean": lambda x: x.reshape(2, 3).mean(1).square().sum(),
    "layer_norm": lambda x: cubed(functional.layer_norm(x, (6,), x, x * x)),
    "rms_norm": lambda x: cubed(functional.rms_norm(x, (6,), x)),
    "group_norm": lambda x: cubed(functional.group_norm(x.reshape(1, 6), 2, x, x * x)),
    "batch_norm": lambda x: cubed(functional.batch_norm(x.reshape(3, 2), zeros(2), zeros(2) + 1, x[:2], x[2:4])),
    "batch_norm_training": lambda x: cubed(functional.batch_norm(x.reshape(3, 2), None, None, x[:2], training=True)),
    "instance_norm": lambda x: cubed(functional.instance_norm(x.reshape(1, 2, 3))),
}

LOSSES: dict[str, Function] = {
    "mse": lambda x: functional.mse_loss(x, x * x),
    "mse_sum": lambda x: functional.mse_loss(x, x * x, reduction="sum"),
    "l1": lambda x: functional.l1_loss(x, x * x),
    "smooth_l1": lambda x: functional.smooth_l1_loss(x, x * x, beta=0.2),
    "huber": lambda x: functional.huber_loss(x, x * x, delta=0.2),
    "bce_logits": lambda x: functional.binary_cross_entropy_with_logits(x, torch.sigmoid(x), pos_weight=x),
    "bce": lambda x: functional.binary_cross_entropy(
        torch.sigmoid(x), torch.sigmoid(x * x), weight=torch.ones(6).double()
    ),
    "kl": lambda x: functional.kl_div(functional.log_softmax(x, -1), functional.softmax(x * x, -1), reduction="sum"),
    "cross_entropy": lambda x: functional.cross_entropy(x[None], LABEL),
    "nll": lambda x: functional.nll_loss(functional.log_softmax(x[None], -1), LABEL),
    "cross_entropy_soft": lambda x: functional.cross_entropy(x[None], functional.softmax(x, -1)[None]),
    "cross_entropy_smoothed": lambda x: functional.cross_entropy(x[None], LABEL, label_smoothing=0.1),
    "cosine": lambda x: functional.cosine_similarity(x, x * x, dim=0),
    "margin": lambda x: functional.multi_margin_loss(x[None], LABEL),
    "soft_margin": lambda x: functional.soft_margin_loss(x, torch.tensor([1.0, -1, 1, 1, -1, 1]).double()),
    "attention": lambda x: attention(x, False),
    "masked attention": lambda x: attention(x, True),
    "glu": lambda x: functional.glu(x).sum(),
}

MOVES: dict[str, Function] = {
    "outer": lambda x: squared(torch.outer(x, x)),
    "addr": lambda x: squared(torch.addr(zeros(6, 6), x, x, beta=0.5, alpha=2.0)),
    "dot": lambda x: x.dot(x) + torch.vdot(x, x) + torch.inner(x, x),
    "kron": lambda x: torch.kron(x, x).square().sum(),
    "cross": lambda x: squared(linalg.cross(x[:3], x[3:])),
    "einsum": lambda x: torch.einsum("i,j,ij->", x, x, torch.outer(x, x)),
    "embedding": lambda x: squared(functional.embedding(torch.tensor([0, 2, 2]), x.reshape(3, 2))),
    "embedding_padded": lambda x: squared(
        functional.embedding(torch.tensor([[0, 2], [2, 1]]), x.reshape(3, 2), padding_idx=0)
    ),
    "index": lambda x: squared(x[torch.tensor([0, 2, 2])]),
    "index_put": lambda x: squared(x.index_put((torch.tensor([0]),), torch.tensor(1.0).double())),
    "scatter": lambda x: zeros(6).scatter(0, torch.tensor([1, 2, 3, 4, 5, 0]), x)[2].square(),
    "scatter_add": lambda x: squared(zeros(6).scatter_add(0, PLACES, x)),
    "scatter_reduce": lambda x: squared(zeros(6).scatter_reduce(0, PLACES, x, "sum")),
    "index_add": lambda x: squared(zeros(6).index_add(0, PLACES, x, alpha=2.0)),
    "index_copy": lambda x: squared(zeros(6).index_copy(0, torch.tensor([1, 2, 3, 4, 5, 0]), x)),
    "index_fill": lambda x: squared(x.index_fill(0, torch.tensor([0]), 1.0)),
    "index_fill_tensor": lambda x: squared(x.index_fill(0, torch.tensor([0]), torch.tensor(1.0).double())),
    "index_select": lambda x: squared(x.reshape(2, 3).index_select(1, torch.tensor([0, 0]))),
    "take": lambda x: squared(x.take(torch.tensor([0, 2]))),
    "take_along": lambda x: squared(x.take_along_dim(torch.tensor([0, 2]))),
    "entry overwritten": lambda x: written(x, 0, 2.0),
    "entries overwritten": lambda x: written(x, torch.tensor([0, 1]), 2.0),
    "slice overwritten": lambda x: written(x, slice(1, 3), x[0]),
    "in place": in_place,
    "unfold": lambda x: x.unfold(0, 2, 1).prod(-1).sum(),
    "reflected": lambda x: squared(functional.pad(x[None], (1, 1), mode="reflect")[0, 1:]),
    "replicated": lambda x: squared(functional.pad(x[None], (1, 1), mode="replicate")),
    "reflected plane": lambda x: squared(functional.pad(x.reshape(1, 1, 2, 3), (1, 1, 1, 1), mode="reflect")[0, 0, 1:]),
    "replicated plane": lambda x: squared(functional.pad(x.reshape(1, 1, 2, 3), (1, 1, 1, 1), mode="replicate")),
    "pixel_shuffle": lambda x: cubed(functional.pixel_shuffle(x[:4].reshape(4, 1, 1), 2)),
    "pixel_unshuffle": lambda x: cubed(functional.pixel_unshuffle(x[:4].reshape(1, 2, 2), 2)),
    "bilinear": lambda x: squared(functional.bilinear(x[None, :2], x[None, 2:4], x[:4].reshape(1, 2, 2))),
    "linear": lambda x: squared(functional.linear(x, x[None], x[:1])),
    "cdist": lambda x: torch.cdist(x.reshape(3, 2), x.reshape(3, 2) + 5).sum(),
    "trapezoid": lambda x: torch.trapezoid(x * x),
    "repeat_interleave": lambda x: squared(x.repeat_interleave(2)),
    "meshgrid": lambda x: squared(torch.meshgrid(x, x, indexing="ij")[0]),
    "triangle": lambda x: squared(x[torch.triu_indices(3, 3)[0]]),
    "triangle filled": lambda x: squared(zeros(3, 3).index_put(tuple(torch.tril_indices(3, 3)), x)),
    "vander": lambda x: squared(linalg.vander(x)),
    "rot90": lambda x: cubed(torch.rot90(x.reshape(3, 2))),
    "block_diag": lambda x: squared(torch.block_diag(x[:2, None], x[2:, None])),
    "diagonal overwritten": lambda x: squared(torch.diagonal_scatter(zeros(6, 6), x)),
    "rows sliced": lambda x: squared(torch.slice_scatter(x.reshape(2, 3), x[:2, None], 1, 1, 2)),
    "row selected": lambda x: squared(torch.select_scatter(x.reshape(2, 3), x[:3], 0, 1)),
    "any": lambda x: torch.where((x > 0.5).any(), x, -x).sum(),
    "all over axes": lambda x: torch.where((x.reshape(1, 2, 3) > 0).all((1, 2)), x.sum(), 0.0).sum(),
}

MATRICES: dict[str, Function] = {
    "det": linalg.det,
    "slogdet": lambda a: linalg.slogdet(a)[1],
    "logdet": lambda a: torch.logdet(definite(a)),
    "inv": lambda a: linalg.inv(a).sum(),
    "cholesky": lambda a: linalg.cholesky(definite(a)).sum(),
    "cholesky_upper": lambda a: linalg.cholesky(definite(a), upper=True).sum(),
    "matrix_exp": lambda a: linalg.matrix_exp(a).sum(),
    "svdvals": lambda a: linalg.svdvals(a)[-1],
    "eigvalsh": lambda a: linalg.eigvalsh(definite(a))[-1],
    "eigh": lambda a: (lambda w, v: (v * w.exp() @ v.mT)[0, 1])(*linalg.eigh(definite(a))),
    "svd": lambda a: (lambda u, s, v: (u * s.exp() @ v)[0, 1])(*linalg.svd(a)),
    "qr": lambda a: (linalg.qr(a).Q @ linalg.qr(a).Q.mT @ a)[0, 1],
    "qr_triangle": lambda a: linalg.qr(a).R.sum(),
    "pinv": lambda a: linalg.pinv(a[:, :2]).sum(),
    "pinv_wide": lambda a: linalg.pinv(a[:2]).sum(),
    "cond": linalg.cond,
    "frobenius": linalg.matrix_norm,
    "nuclear": lambda a: linalg.matrix_norm(a, "nuc"),
    "spectral": lambda a: linalg.matrix_norm(a, 2),
    "column sums": lambda a: linalg.matrix_norm(a, 1),
    "solve": lambda a: linalg.solve(a, a[0]).sum(),
    "solve_left": lambda a: linalg.solve(a, a[:2], left=False).sum(),
    "solve_triangular": lambda a: linalg.solve_triangular(a.tril(), a, upper=False).sum(),
    "solve_unitriangular": lambda a: linalg.solve_triangular(a, a, upper=True, unitriangular=True, left=False).sum(),
    "lu_solve": lambda a: linalg.lu_solve(*linalg.lu_factor(a), a + 1).sum(),
    "cholesky_solve": lambda a: torch.cholesky_solve(a, linalg.cholesky(definite(a))).sum(),
    "cholesky_inverse": lambda a: torch.cholesky_inverse(linalg.cholesky(definite(a))).sum(),
    "matrix_power": lambda a: linalg.matrix_power(a, 3).sum() + linalg.matrix_power(a, -2).sum(),
    "trace": lambda a: torch.trace(a) ** 2,
    "multi_dot": lambda a: linalg.multi_dot([a, a, a]).sum(),
    "addmv": lambda a: torch.addmv(a[0], a, a[1], beta=0.5, alpha=2.0).sum(),
    "baddbmm": lambda a: torch.baddbmm(a[None], a[None], a[None]).sum(),
    "addbmm": lambda a: torch.addbmm(a, a[None], a[None]).sum(),
    "diag": lambda a: squared(torch.diag(a)) + squared(torch.diag(a[0])),
    "vecdot": lambda a: linalg.vecdot(a, a).sum(),
}

_TWICE = """
gelu silu mish elu celu selu logsigmoid softplus softplus_beta hardswish softsign tanhshrink gelu_tanh log2 log10 exp2 sinh
cosh tan asin acos acosh atan asinh atanh erf erfc logit sinc sigmoid tanh expm1 special.ndtr special.log_ndtr special.entr
xlog1py xlogy atan2 hypot lerp_tensor logaddexp abs sgn power_of_tensors power_of_a_number root addcdiv softmax log_softmax
logsumexp var std prod layer_norm rms_norm mse cross_entropy attention cosine slogdet inv svdvals eigvalsh eigh qr solve
cholesky matrix_exp nuclear
"""
CURVED = set(_TWICE.split())
"""Those that are differentiated twice."""

CATALOGUE: dict[str, tuple[Function, Tensor]] = {
    **{name: (added_up(f), X) for name, f in ELEMENTWISE.items()},
    **{name: (f, X) for group in (NOT_DIFFERENTIABLE, REDUCTIONS, LOSSES, MOVES) for name, f in group.items()},
    **{name: (f, A) for name, f in MATRICES.items()},
}
