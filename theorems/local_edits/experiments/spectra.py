"""Where d_eff(Σ) = Tr(Σ)²/Tr(Σ²) and r(Σ) = Tr(Σ)/‖Σ‖ part ways, and what that does to Appendix B.

    python -m boundcheck.theorems.local_edits.experiments.spectra reports

writes appendix-b.json (every figure with its instance), appendix-b.md and appendix-b.svg. For each printed bound and each
constant on its ladder the smallest dimension is looked for in which a spectrum breaks it with a probability of a half or
more: from instances that the claim's own strategy draws, by differential evolution (scipy) of eigenvalues, multiplicities and
the number of samples; each is proved by two routes. Beside them: how often samples of random spectra miss the bounds, and for
flat spectra up to which dimension they do so more often than exp(-m). Source: Local Edits, Appendix B.
"""

import json
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from scipy.optimize import differential_evolution
from scipy.stats import chi2
from torch import Tensor

from boundcheck.claim import Claim
from boundcheck.geometry import surprise
from boundcheck.problem import tensor_to_json
from boundcheck.search import drawing
from boundcheck.search.certify import Certifier
from boundcheck.search.evaluate import Evaluator
from boundcheck.search.hunting.landscape import Landscape
from boundcheck.strategies.blocks import Blocks
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.sampled_blocks import GatedBlocks, SampledGrams, SampledGramsRecipe, sampled_from
from boundcheck.theorems.local_edits import linear_regression, polynomial_regression, regression_samples
from boundcheck.theorems.local_edits.experiments.spectra_pages import write_pages
from boundcheck.verdict import Status

SEED = 0
DRAWS = 40
LANES = 512
POPULATION = 96
GENERATIONS = 400
DIGITS = 3
"""Eigenvalues and sizes are rounded to so many, so that what is printed is what is proved."""

PRINTED = (
    (linear_regression.largest_singular_value_le, "11"),
    (linear_regression.overlap_ge, "11"),
    (linear_regression.spill_ge, "11"),
    (polynomial_regression.largest_singular_value_le, "31"),
    (polynomial_regression.overlap_ge, "31"),
    (polynomial_regression.spill_ge, "31"),
)
"""The claims, and the degrees of the features of the two blocks."""


# ----------------------------------------------------------------------------------------------- spectra that break a bound


def rounded(value: Tensor) -> Tensor:
    """To a few significant digits."""
    scale = 10.0 ** (DIGITS - 1 - torch.floor(torch.log10(value.clamp(min=1e-300))))
    return torch.where(value > 0, torch.round(value * scale) / scale, value)


def spectrum(x: Tensor, degrees: str) -> Blocks:
    """Two blocks from logarithms `[lanes, 5]`: λ_1/λ_2, μ_1/μ_2 (0 below -20), both sizes, samples; λ_2 = μ_2 = 1."""
    values = rounded(torch.exp(x))
    ones = torch.ones_like(values[:, 0])
    unseen = torch.where(x[:, 1] < -20, 0.0, values[:, 1])
    return Blocks(
        first=torch.stack([values[:, 0], ones], -1),
        second=torch.stack([unseen, ones], -1),
        sizes=torch.stack([torch.round(values[:, 2]), torch.round(values[:, 3])], -1).clamp(min=1),
        samples=torch.round(values[:, 4]).clamp(min=1),
        degrees=degrees,
    )


def coordinates(p: Blocks) -> Tensor:
    """The inverse, of spectra of any scale."""
    ratios = torch.stack([p.first[:, 0] / p.first[:, 1], p.second[:, 0] / p.second[:, 1]], -1)
    return torch.log(torch.cat([ratios, p.sizes, p.samples[:, None]], -1).clamp(min=1e-10))


def breaking(claim: Claim, degrees: str) -> Tensor:
    """Coordinates of drawn instances of two blocks that break the claim: `[n, 5]`."""
    found: list[Tensor] = []
    evaluator = Evaluator(claim)

    def visit(recipe: Any) -> None:
        if len(found) < 3:
            drawn = replace(recipe, degrees=degrees).build(LANES)
            lanes = evaluator(drawn).broken() & (drawn.second[:, 1] > 0)
            if bool(lanes.any()):
                found.append(coordinates(drawn.with_leaves({k: v[lanes] for k, v in drawn.leaves().items()})))

    drawing.over(claim.over, visit, DRAWS, SEED)
    return torch.cat(found) if found else torch.empty(0, 5, dtype=torch.float64)


def smallest(claim: Claim, degrees: str) -> dict[str, Any] | None:
    """The instance in the fewest dimensions that was found to break the claim, proved by two routes; None where none was."""
    starts = breaking(claim, degrees)
    if not len(starts):
        return None

    def dimension(x: Any) -> Any:
        p = spectrum(torch.as_tensor(x, dtype=torch.float64).T.reshape(-1, 5), degrees)
        terms = Landscape(claim, p).terms(Landscape(claim, p).still())
        broken = (terms.smaller > terms.larger * (1 + 1e-9)) & (terms.larger <= math.log(2))
        good = broken & (terms.margins >= 0).all(0)
        return torch.where(good, torch.log(p.sizes.sum(-1)), 1e3).numpy()

    spread = LaneStream(SEED, POPULATION).normal(5) * 0.05
    population = starts[torch.arange(POPULATION) % len(starts)] + spread
    bounds = [(-1.0, 40.0), (-25.0, 5.0), (0.0, 5.0), (0.0, 36.0), (0.0, 36.0)]
    result = differential_evolution(
        dimension,
        bounds,
        init=population.clamp(torch.tensor([b[0] for b in bounds]), torch.tensor([b[1] for b in bounds])).numpy(),
        maxiter=GENERATIONS,
        rng=SEED,
        vectorized=True,
        updating="deferred",
        polish=False,
        tol=0,
    )
    return proved(claim, spectrum(torch.as_tensor(result.x)[None], degrees))


def proved(claim: Claim, p: Blocks) -> dict[str, Any] | None:
    """One instance with what is proved of it; None where it is not."""
    certificate = Certifier(claim).certify(p, 0)
    if certificate.status is not Status.VIOLATED:
        return None
    first = certificate.findings[0]
    m, r, d = (float(v[0]) for v in (p.samples, p.intrinsic_dimension, p.effective_dimension))
    exact = float(chi2.logsf(1.5 * r, m)) if claim.id == "LE-B1b" and float(p.sizes[0, 0]) == 1 else None
    return {
        "claim": claim.key,
        "constants": {name: str(claim.constants[name].value) for name in claim.ladder[-1]},
        "leaves": {name: tensor_to_json(leaf) for name, leaf in p.leaves().items()},
        "degrees": p.degrees,
        "first": p.first[0].tolist(),
        "second": p.second[0].tolist(),
        "sizes": p.sizes[0].tolist(),
        "samples": m,
        "effective": d,
        "intrinsic": r,
        "at_least": math.exp(-float(first.right[1])),
        "allowed_log": -float(first.left[0]),
        "largest_column_log": exact,
    }


def all_smallest() -> Iterator[dict[str, Any]]:
    """Every rung of every printed claim."""
    for claim, degrees in PRINTED:
        for rung in claim.ladder:
            found = smallest(claim.with_constants(rung), degrees)
            if found is not None:
                print(f"{claim.key} {found['constants']}: {sum(found['sizes']):.3g} dimensions", flush=True)
                yield found


# --------------------------------------------------------------------------------------------------- samples of all spectra


def extremes(p: SampledGrams) -> tuple[Tensor, Tensor]:
    """σ_min² and σ_max² of every sample: `[lanes, T]`."""
    names, leaves = list(p.leaves()), list(p.leaves().values())

    def one(*values: Tensor) -> tuple[Tensor, Tensor]:
        return regression_samples.extreme_squares(p.with_leaves(dict(zip(names, values, strict=True))))

    found: tuple[Tensor, Tensor] = torch.vmap(one)(*leaves)
    return found


MAP_SAMPLES = 16
MAP_TRIALS = 32
MAP_LANES = 80
MAP_LEAST = (0.25, 1.0, 4.0, 16.0, 64.0, 256.0)


def scattered() -> list[dict[str, float]]:
    """Random spectra: d_eff/m, r/m, and the share of samples that miss either bound on the singular values."""
    points = []
    for k, least in enumerate(MAP_LEAST):
        for gates in ("00", "000"):
            recipe = SampledGramsRecipe(gates, MAP_SAMPLES, 0.0, least, trials=MAP_TRIALS, seed=SEED + k)
            p = recipe.build(MAP_LANES)
            smallest_one, largest = extremes(p)
            low = (smallest_one < 0.5 * p.trace[:, None]).double().mean(-1)
            high = (largest > 1.5 * p.trace[:, None]).double().mean(-1)
            sides = (p.effective_dimension / MAP_SAMPLES, p.intrinsic_dimension / MAP_SAMPLES, low, high)
            names = ("effective", "intrinsic", "too_small", "too_large")
            points += [dict(zip(names, map(float, one), strict=True)) for one in zip(*sides, strict=True)]
    return points


FLAT_TRIALS = 2000
FLAT_SAMPLES = (1, 2, 4, 6)
FLAT_FACTORS = tuple(range(2, 41))


def flat(m: int) -> dict[str, Any]:
    """Σ = I: the largest n/m at which samples show, at the level of the claims, that a bound fails more often than exp(-m)."""
    lanes = len(FLAT_FACTORS)
    sizes = torch.tensor(FLAT_FACTORS, dtype=torch.float64)[:, None] * m
    ones = torch.ones(lanes, 1, dtype=torch.float64)
    bare = GatedBlocks(ones, ones, sizes, ones[:, 0], degrees="1", gates="0")
    p = sampled_from(bare, LaneStream(SEED, lanes), m, FLAT_TRIALS)
    smallest_one, largest = extremes(p)
    failed = {"smallest": smallest_one < 0.5 * p.trace[:, None], "largest": largest > 1.5 * p.trace[:, None]}
    allowed = torch.tensor(-float(m), dtype=torch.float64)
    level = math.log(regression_samples.LEVEL)
    result: dict[str, Any] = {"samples": m}
    for name, misses in failed.items():
        told = [float(surprise(lane.double().sum(), FLAT_TRIALS, allowed)) for lane in misses]
        result[name] = max((f for f, value in zip(FLAT_FACTORS, told, strict=True) if value > level), default=0)
    return result


def measured() -> dict[str, Any]:
    """Everything that the pages show."""
    return {
        "command": "python -m boundcheck.theorems.local_edits.experiments.spectra reports",
        "seed": SEED,
        "smallest": list(all_smallest()),
        "scattered": scattered(),
        "flat": [flat(m) for m in FLAT_SAMPLES],
    }


def main(folder: Path) -> None:
    """Write the figures and the pages."""
    folder.mkdir(parents=True, exist_ok=True)
    with drawing.one_thread_on("cpu"):
        data: Mapping[str, Any] = measured()
    (folder / "appendix-b.json").write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    write_pages(data, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "reports"))
