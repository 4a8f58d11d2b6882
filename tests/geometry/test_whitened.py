"""Whitened policies against their definitions in 50-digit numbers: KL, Fisher matrix, spread."""

from collections.abc import Mapping

import mpmath
import pytest
import torch
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import BernoulliPolicy, GaussianPolicy, HadamardPolicy, WhitenedPolicy

POLICIES = [policy(q) for policy in (GaussianPolicy, HadamardPolicy, BernoulliPolicy) for q in (1, 2, 3, 5)]


def prompt_of(policy: WhitenedPolicy, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(*shape, dtype=torch.float64, generator=generator) + 0.2
        for name, shape in policy.prompt_shapes.items()
    }


def prompts(
    policy: WhitenedPolicy, f: Tensor, prompt: Mapping[str, Tensor]
) -> list[tuple[mpmath.mpf, list[mpmath.mpf]]]:
    """(weight, logits) of each prompt, written from the definition."""
    z = [mpmath.mpf(float(x)) for x in f]
    if isinstance(policy, HadamardPolicy):
        classes = 1
        while classes <= policy.outputs:
            classes *= 2
        signs = [[(-1) ** bin(row & (k + 1)).count("1") for k in range(policy.outputs)] for row in range(classes)]
        return [(mpmath.mpf(1), [mpmath.fdot(row, z) for row in signs])]
    r = [mpmath.mpf(float(x)) for x in prompt["weights"]]
    total = mpmath.fsum(x**2 for x in r)
    return [(r[k] ** 2 / total, [0, 2 * z[k] / mpmath.sqrt(r[k] ** 2 / total)]) for k in range(policy.outputs)]


def divergence(policy: WhitenedPolicy, f: Tensor, prompt: Mapping[str, Tensor]) -> mpmath.mpf:
    if isinstance(policy, GaussianPolicy):
        return mpmath.fsum(mpmath.mpf(float(x)) ** 2 for x in f) / 2
    result = mpmath.mpf(0)
    for weight, logits in prompts(policy, f, prompt):
        start = mpmath.mpf(1) / len(logits)
        normaliser = mpmath.log(mpmath.fsum(mpmath.exp(x) for x in logits))
        result += weight * mpmath.fsum(start * (mpmath.log(start) - (x - normaliser)) for x in logits)
    return result


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("size", [1.0, 1e-2, 1e-4])
def test_divergence_is_the_kl_of_the_definition(policy: WhitenedPolicy, size: float) -> None:
    generator = torch.Generator().manual_seed(1)
    prompt = prompt_of(policy)
    for _ in range(5):
        f = size * torch.randn(policy.outputs, dtype=torch.float64, generator=generator)
        with mpmath.workdps(50):
            expected = divergence(policy, f, prompt)
            error = abs(mpmath.mpf(float(policy.divergence(f, prompt))) - expected) / expected
        assert error < 1e-14 / size


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_the_fisher_matrix_of_the_outputs_is_the_identity(policy: WhitenedPolicy) -> None:
    prompt = prompt_of(policy)
    hessian = torch.func.hessian(lambda f: policy.divergence(f, prompt))(
        torch.zeros(policy.outputs, dtype=torch.float64)
    )
    assert torch.allclose(hessian, torch.eye(policy.outputs, dtype=torch.float64), atol=1e-12)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_factors_bracket_the_divergence_and_use_the_true_spread(policy: WhitenedPolicy) -> None:
    generator = torch.Generator().manual_seed(2)
    prompt = prompt_of(policy, seed=3)
    for size in (0.1, 1.0, 4.0):
        f = size * torch.randn(policy.outputs, dtype=torch.float64, generator=generator)
        kl, square = float(policy.divergence(f, prompt)), float(f.square().sum())
        lower, upper = float(policy.lower_factor(f, prompt)), float(policy.upper_factor(f, prompt))
        assert lower * square <= kl * (1 + 1e-12)
        assert kl <= upper * square * (1 + 1e-12)
        if not isinstance(policy, GaussianPolicy):
            spread = float(max(max(logits) - min(logits) for _, logits in prompts(policy, f, prompt)))
            assert lower == pytest.approx(float((mpmath.expm1(-spread) + spread) / spread**2), rel=1e-10)


def test_a_policy_without_outputs_is_refused() -> None:
    with pytest.raises(BoundcheckError, match="GaussianPolicy"):
        GaussianPolicy(0)
