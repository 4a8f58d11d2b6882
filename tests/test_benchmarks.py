"""The benchmarks at tiny sizes: all forms give the same numbers, and their page is made of a saved run alone."""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import mpmath
import pytest
import torch
from torch import Tensor

from tests.benchmarks import compare, jax_forms, memory, networks, page, record, roofline, scaling, tables, workloads
from tests.benchmarks.claims import LANES, claims, plain_evaluation
from tests.benchmarks.interleaved import call, compared, difference, reached, result, take_turn
from tests.benchmarks.many_digits import overlap_to_many_digits
from tests.benchmarks.workloads import Form, Workload
from tests.geometry.oracle import jacobian_rows


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("key", workloads.TINY)
def test_all_forms_agree(key: str) -> None:
    workload = workloads.TINY[key]()
    ours = workload.ours.call()
    assert bool(ours.isfinite().all())
    for other in workload.others:
        assert difference(ours, other.call()) <= other.accuracy, other.name


def test_every_workload_has_a_tiny_one() -> None:
    assert {key.removesuffix(", 2 threads") for key in workloads.WORKLOADS} <= set(workloads.TINY)


def test_the_same_on_two_threads() -> None:
    one = workloads.TINY["W1"]()
    two = workloads.on_two_threads(one)
    assert (two.key, two.threads, two.ours) == ("W1, 2 threads", 2, one.ours)
    assert {form.name for form in one.others if "JAX" not in form.name} == {form.name for form in two.others}
    seen: list[int] = []

    def noting() -> Tensor:
        seen.append(torch.get_num_threads())
        return torch.ones(1, 1)

    form = replace(one.ours, call=noting)

    class Benchmark:
        stats = SimpleNamespace(stats=SimpleNamespace(data=[1.0] * 15))

        def pedantic(self, function: Callable[[], Tensor], setup: Callable[[], None], rounds: int) -> None:
            for _ in range(rounds):
                setup()
                function()

    before = torch.get_num_threads()
    found = compared(replace(two, ours=form, others=(replace(form, name="other"),)), Benchmark())
    assert found["threads"] == 2
    assert set(seen) == {2}
    assert torch.get_num_threads() == before


@pytest.mark.skipif(not jax_forms.INSTALLED, reason=jax_forms.ABSENT)
def test_jax_takes_part_in_double_precision() -> None:
    named = [form.name for key in ("W1", "W2 mean", "W3") for form in workloads.TINY[key]().others]
    assert sum("JAX" in name for name in named) == 4
    assert jax_forms.explicit(networks.many_nets(2))().dtype == torch.float64


def test_without_jax_its_rows_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax_forms, "INSTALLED", False)
    for key in ("W1", "W2 mean", "W3"):
        workload = workloads.TINY[key]()
        assert workload.others
        assert not any("JAX" in form.name for form in workload.others)


@pytest.mark.parametrize("apart", [1.0, 1e-3, 1e-6])
def test_many_digits_are_right(apart: float) -> None:
    """Against rows by automatic differentiation, whose own error grows with the condition number."""
    net = networks.nearly_equal(apart, inputs=6, width=5, train=3, evaluation=7)
    exact = overlap_to_many_digits(net)
    rows = [jacobian_rows(net.module, list(net.module.parameters()), x) for x in (net.x_train, net.x_eval)]
    with mpmath.workdps(50):
        train, evaluation = (mpmath.matrix(part.tolist()) for part in rows)
        basis = mpmath.qr(train.T, mode="skinny")[0]
        least = min(mpmath.svd_r(evaluation * basis, compute_uv=False))
        sigmas = mpmath.svd_r(train, compute_uv=False)
        expected = [least / mpmath.sqrt(len(net.x_eval)), min(sigmas), max(sigmas)]
    condition = float(exact[2] / exact[1])
    for found, wanted in zip(exact.flatten().tolist(), expected, strict=True):
        assert found == pytest.approx(float(wanted), rel=20 * 2.0**-52 * condition)


def test_a_wrong_number_is_seen() -> None:
    right = torch.tensor([[1.0, 2.0]])
    assert difference(right, right) == 0
    assert difference(right, torch.tensor([[1.0, 2.0 * (1 + 1e-6)]])) == pytest.approx(1e-6, rel=1e-3)
    assert difference(right, torch.tensor([[1.0]])) == 0, "a form may do only the first instances"
    assert difference(torch.cat([right, right]), right) == 0, "or only the first quantities"
    assert difference(right, torch.tensor([[1.0, math.nan]])) == math.inf
    assert difference(right, torch.tensor([[1.0, 0.0]])) == math.inf
    assert difference(torch.zeros(1, 1), torch.zeros(1, 1)) == 0


def test_ratios_are_taken_within_a_round() -> None:
    ours, other = (call(Form(name, lambda: torch.ones(1, 1), scale=scale)) for name, scale in (("a", 1.0), ("b", 2.0)))
    ours.seconds, other.seconds = {0: 1.0, 1: 2.0, 2: 4.0}, {0: 3.0, 2: 14.0}
    other = replace(other, form=replace(other.form, target=6.5))
    found = result(Workload("key", "title", ours.form, (other.form,), instances=10), ours, [other])
    (beside,) = found["others"]
    assert beside["ratios"] == [6.0, 7.0]
    assert (beside["ratio"], beside["median"], beside["min"]) == (6.5, 17.0, 6.0)
    assert beside["reached"] is True
    assert beside["ratio_of_least"] == 6.0
    assert found["per_second"] == 5.0
    assert {len(tables.tables({**record.empty(), "comparisons": [found]})[0].heads)} == {10}
    cost = Workload("key", "title", ours.form, (other.form,), ratio_of_ours=True)
    assert result(cost, ours, [other])["others"][0]["ratios"] == [1 / 7, 1 / 6]


def test_reached() -> None:
    assert reached(2.0, 2.0, at_most=True) is reached(2.0, 2.0, at_most=False) is True
    assert reached(2.1, 2.0, at_most=True) is reached(1.9, 2.0, at_most=False) is False
    assert reached(1.0, None, at_most=True) is None


def test_slow_forms_take_part_in_fewer_rounds() -> None:
    form = call(Form("slow", lambda: torch.ones(1, 1)))
    form.first = 2.0
    assert [turn for turn in range(15) if form.takes_part(turn, 15)] == [0, 5, 10]
    form.first = 1e-3
    assert all(form.takes_part(turn, 15) for turn in range(15))
    assert all(form.takes_part(turn, 3) for turn in range(3))


def test_peak_of_a_fresh_process_is_that_of_the_call() -> None:
    ballast = torch.ones(2**25)  # 256 MiB here must not show there
    peak = memory.peak_of("64 MiB")
    assert ballast.numel()
    # Two fresh processes differ by some pages before anything is called (0.2 MiB seen): address layout, locale, allocator.
    assert 62 * 2**20 <= peak.extra <= 80 * 2**20


def test_every_call_whose_memory_is_reported_has_its_target_among_them() -> None:
    assert set(memory.TARGETS) <= set(memory.REPORTED)


def test_operations_are_counted() -> None:
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    with roofline.Work() as work:
        a @ b
    assert (work.operators, work.flops, work.bytes) == (1, 2 * 3 * 5 * 7, 8 * (15 + 35 + 21))
    tall, row = torch.ones(9, 4), torch.ones(1, 3)
    with roofline.Work() as work:
        torch.linalg.qr(tall, mode="r")
    assert work.flops == pytest.approx(2 * 9 * 16 - 2 * 64 / 3)
    with roofline.Work() as work:
        a.mT.unsqueeze(0).expand(6, 5, 3)
    assert (work.operators, work.flops) == (0, 0), "views move nothing"
    with roofline.Work() as work:
        row.expand(1000, 3) + 1.0
    assert work.bytes == 8 * (3 + 3000), "an expanded tensor is read as often as it has entries of its own"


def test_the_resource_that_binds() -> None:
    ceiling = {"flops_per_second": 1e10, "bytes_per_second": 1e9}
    for flops, moved, word in (
        (9e9, 1e8, "matrix products"),
        (1e8, 9e8, "memory"),
        (1e8, 3e9, "cache"),
        (1e8, 1e8, "neither: small operators and factorisations"),
    ):
        asked = {"flops": flops, "bytes": moved, "seconds": 1.0, "operators": 1}
        assert roofline.binding(asked, ceiling)["binds"] == word


@pytest.mark.parametrize("curve", scaling.CURVES, ids=lambda curve: f"{curve.key} {curve.symbol}")
def test_every_curve_can_be_measured(curve: scaling.Curve) -> None:
    assert len(curve.at) == scaling.POINTS
    ours, _, rows = curve.made(min(curve.at))
    assert bool(ours().isfinite().all())
    assert rows > 0


def test_a_claim_without_error_bounds_gives_the_same_sides() -> None:
    claim = claims()["LE-R9:quadratic"]
    problem = _drawn(claim)
    constants = [torch.tensor(exact.nearest()[0]) for exact in claim.constants.values()]
    plain = plain_evaluation(claim, problem, constants)(*problem.leaves().values(), *constants)
    lane = 3
    alone = problem.with_leaves({name: leaf[lane] for name, leaf in problem.leaves().items()})
    sides, _ = claim.state(alone, dict(zip(claim.constants, constants, strict=True)))
    assert plain[0].shape == (LANES,)
    torch.testing.assert_close(plain[0][lane], vars(sides)[next(iter(vars(sides)))], rtol=1e-9, atol=1e-12)


def _drawn(claim: Any) -> Any:
    from boundcheck.claim import build
    from boundcheck.search.drawing import over

    found: list[Any] = []
    over(claim.over, found.append, 2, 0)
    return build(found[-1], LANES, 0)


# --------------------------------------------------------------------------------------------- the page and the comparison


@pytest.fixture
def saved() -> dict[str, Any]:
    """A run in which a little of everything was measured, as pytest-benchmark saves it."""
    speed = record.empty()
    workload = workloads.TINY["W3"]()
    ours, *others = (call(form) for form in (workload.ours, *workload.others))
    for one in (ours, *others):
        take_turn(one, 0)
    speed["comparisons"].append(result(workload, ours, others))
    speed["ceilings"] += [{"threads": n, "flops_per_second": n * 5e10, "bytes_per_second": 3e10} for n in (1, 2)]
    asked = roofline.asked_of(workload.ours.call)
    speed["roofline"].append({"key": "W3", **asked, **roofline.binding(asked, speed["ceilings"][0])})
    judged = {"target": 10.0, "reached": True}
    speed["accuracy"].append({"key": "W1", "quantity": "σ_min", "condition": 1e5, "error": 1.2, **judged})
    speed["memory"].append({"key": "W1", "extra": 4e7, "hidden": 0, "target": 1e7, "reached": False})
    speed["memory"].append({"key": "W2", "extra": 4e7, "hidden": 0, "target": None, "reached": None})
    speed["throughput"].append({"processes": 2, "per_second": 61_000.0, "target": 60_000.0, "reached": True})
    parts = {"build": 1.0, "plain": 0.1, "enclosed": 0.5, "instances_per_second": 1000.0}
    speed["screening"].append({"claim": "LE-7:U", **parts, "ratio": 1.36, "target": 2.0, "reached": True})
    rates = {"ours_per_second": 2000.0, "script_per_second": 8.0, "ratio": 250.0}
    speed["scripts"].append({"claim": "LE-7:U", **rates, "target": 200.0, "reached": True})
    run = {"command": "pytest a|b", "seconds": 30.0, "claims": 5, "instances": 2688, "instances_per_second": 89.6}
    speed["runs"].append({**run, "passed": True})
    points = [{"at": n, "ours": n * 1e-5, "loop": n * 1e-3 if n < 100 else None} for n in (10, 100)]
    speed["scaling"].append({"key": "W3", "symbol": "lanes", "points": points})
    speed["notes"].append("something was left out")
    machine = {"machine": "x86_64", "system": "Linux", "release": "6", "python_version": "3.11", "cpu_count": 2}
    return {
        "machine_info": {**machine, "versions": {"torch": "2.6"}, "cpu": {"brand_raw": "A processor"}},
        "commit_info": {"id": "0123456789abcdef", "dirty": True},
        "datetime": "2026-01-02T03:04:05",
        "benchmarks": [],
        "speed": speed,
    }


@pytest.fixture
def store(tmp_path: Path) -> Callable[[int, Any], Path]:
    """Writes a save under its number, where pytest-benchmark would."""

    def written(number: int, content: Any) -> Path:
        path = tmp_path / ".benchmarks" / "Linux" / f"{number:04d}_commit.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return written


def test_the_page_is_made_from_a_save_alone(saved: Any, store: Any, tmp_path: Path, monkeypatch: Any) -> None:
    store(1, {**saved, "speed": record.empty()})
    store(2, saved)
    monkeypatch.chdir(tmp_path)
    assert page.main([]) == 0
    folder = tmp_path / "reports"
    assert sorted(path.name for path in folder.iterdir()) == [page.ROOFLINE, page.SCALING, "speed.json", "speed.md"]
    text = (folder / "speed.md").read_text(encoding="utf-8")
    for table in tables.tables(saved["speed"]):
        assert f"## {table.heading}" in text
    for shown in ("A processor", "0123456789ab with uncommitted changes", "something was left out", "pytest a\\|b"):
        assert shown in text
    assert "- memory: W1: 40,000,000 where 10,000,000 is the target" in text
    for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", text):
        root = ElementTree.fromstring((folder / picture).read_bytes())
        assert root.get("role") == "img"
        assert root.get("aria-label")
    again = tmp_path / "again"
    kept = json.loads((folder / "speed.json").read_text(encoding="utf-8"))
    assert kept.keys() == {"machine_info", "commit_info", "datetime", "speed"}
    page.write_page(kept, again)
    for path in folder.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()


def test_a_table_has_as_many_cells_as_heads(saved: Any) -> None:
    for table in tables.tables(saved["speed"]):
        assert {len(row) for row in table.rows} == {len(table.heads)}, table.heading
    assert tables.tables(record.empty()) == []


def test_a_page_of_a_run_in_which_nothing_was_measured(saved: Any, tmp_path: Path) -> None:
    page.write_page({**saved, "speed": record.empty()}, tmp_path)
    assert "0 of 0 targets" in (tmp_path / "speed.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [[], {}, {"speed": {}}, {"benchmarks": [], "speed": {"comparisons": []}}])
def test_what_is_no_save_is_refused(content: Any, store: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = store(1, content)
    assert page.main([str(path)]) == 1
    assert "is not saved by `make bench`" in capsys.readouterr().err


def test_without_a_save_it_says_what_to_do(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert page.main([]) == compare.main([]) == 1
    assert "make bench" in capsys.readouterr().err


def test_two_saves_beside_each_other(saved: Any, store: Any, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    store(9, {**saved, "speed": record.empty()})
    store(10, saved)
    faster = json.loads(json.dumps(saved))
    faster["speed"]["scripts"][0]["ratio"] = 500.0
    faster["speed"]["memory"] = []
    store(11, faster)
    monkeypatch.chdir(tmp_path)
    assert compare.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "0010_commit.json -> 0011_commit.json"
    (script,) = (line for line in lines if line.startswith("scripts: LE-7:U"))
    assert script.split()[-3:] == ["250", "500", "2.00"]
    (gone,) = (line for line in lines if line.startswith("memory: W1"))
    assert gone.split()[-1] == "4e+07"


def test_inputs_are_the_same_every_time() -> None:
    assert torch.equal(networks.two_layer().x_eval, networks.two_layer().x_eval)
    assert torch.equal(networks.many_nets(3).theta, networks.many_nets(3).theta)
