"""The plugin as a user meets it: folders of claims, options, exit codes, what is written."""

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from boundcheck.report.compare import Limits, compare
from tests.user_claims import BAD, PREAMBLE, RIGHT, WRONG, bad_claims

THEOREMS = Path(__file__).parent.parent / "theorems"
FAST = ("--boundcheck-profile", "fast", "-p", "no:cacheprovider")


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess(*args)


def saved(path: Path) -> dict[str, Any]:
    data = json.loads(path.read_text())
    schema = json.loads(resources.files("boundcheck.record").joinpath("schema.json").read_text())
    jsonschema.validate(data, schema)
    assert isinstance(data, dict)
    return data


def verdicts(run: dict[str, Any]) -> dict[str, str]:
    return {f"{e['id']}:{e['form']}": e["verdict"] for e in run["claims"]}


def test_users_right_claim_passes_and_wrong_one_is_caught(pytester: pytest.Pytester) -> None:
    claims = pytester.mkdir("my_claims")
    (claims / "norms.py").write_text(PREAMBLE + RIGHT + WRONG)
    (pytester.path / "strategies").mkdir()  # a user's own folders of our names must not matter
    (pytester.path / "strategies" / "__init__.py").write_text("raise RuntimeError('shadowed')")
    (pytester.path / "theorems").mkdir()
    (pytester.path / "theorems" / "__init__.py").write_text("raise RuntimeError('shadowed')")
    result = run(pytester, "my_claims", *FAST, "--boundcheck-json", "out/run.json", "--junitxml", "junit.xml")
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*MY-wrong:proved is VIOLATED*instances break it*"])
    data = saved(pytester.path / "out" / "run.json")
    assert verdicts(data) == {"MY-right:proved": "HOLDS", "MY-wrong:proved": "VIOLATED"}
    wrong = next(e for e in data["claims"] if e["id"] == "MY-wrong")
    stored = json.loads((pytester.path / "out" / wrong["counterexample"]).read_text())
    assert stored["problem"]["leaves"]["x"]["shape"] == [1, 2], "shrunk to the smallest dimension that breaks it"
    assert wrong["shown"]["instance"] == ["x = [1, 1]"]
    assert [route["finding"] for route in wrong["shown"]["routes"]] == [
        "the premises hold and the statement does not"
    ] * 2
    assert wrong["file"].startswith("my_claims/norms.py:")
    assert wrong["kind"] == "inequality"
    assert "MY-wrong:proved" in (pytester.path / "junit.xml").read_text()


def test_each_bad_claim_ends_in_its_own_verdict_and_spoils_no_other(pytester: pytest.Pytester) -> None:
    pytester.mkdir("my_claims")
    (pytester.path / "my_claims" / "bad.py").write_text(bad_claims() + RIGHT)
    result = run(pytester, "my_claims", *FAST, "--boundcheck-json", "run.json")
    result.assert_outcomes(passed=1, failed=len(BAD))
    data = saved(pytester.path / "run.json")
    assert verdicts(data)["MY-right:proved"] == "HOLDS"
    for key, (verdict, words, _) in BAD.items():
        entry = next(e for e in data["claims"] if f"{e['id']}:{e['form']}" == key)
        assert entry["verdict"] == verdict, (key, entry["reason"])
        assert words in entry["reason"], (key, entry["reason"])


def test_duplicate_key_is_one_sentence_and_a_collection_error(pytester: pytest.Pytester) -> None:
    pytester.mkdir("my_claims")
    (pytester.path / "my_claims" / "twice.py").write_text(PREAMBLE + RIGHT + RIGHT)
    result = run(pytester, "my_claims", *FAST)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*'MY-right:proved'*is already defined at*rename one of them*"])


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("profile", "extreme", "expected one of fast, default, deep"),
        ("device", "quantum", "expected one of cpu, auto"),
        ("seed", "x", "expected a whole number"),
        ("budget", "0", "expected a whole number of holds"),
        ("budget", "²", "expected a whole number of holds"),
    ],
)
def test_bad_option_is_a_usage_error(pytester: pytest.Pytester, option: str, value: str, words: str) -> None:
    result = run(pytester, f"--boundcheck-{option}={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{words}*"])


SHIPPED = (
    ("kl_geometry", "AC-sandwich:upper or AC-sandwich:lower"),
    ("subspace_rotation", "AC-B1:printed"),
    ("theorem_4_1", "AC-A3:upper"),
)
"""Files of theorems/alignment_collapse and quick claims in them: some hold, with a constant and a hunt, and one falls."""


@pytest.mark.parametrize("whose", ["a user's", "shipped"])
def test_two_workers_give_the_same_entries_as_a_serial_run(pytester: pytest.Pytester, whose: str) -> None:
    """Verdicts, counts, constants, scatter, premises, files: all but how long it took and the command."""
    if whose == "shipped":
        files = [str(THEOREMS / "alignment_collapse" / f"{name}.py") for name, _ in SHIPPED]
        args = (*files, "-k", " or ".join(words for _, words in SHIPPED))
    else:
        pytester.mkdir("my_claims")
        (pytester.path / "my_claims" / "norms.py").write_text(PREAMBLE + RIGHT + WRONG)
        args = ("my_claims",)
    run(pytester, *args, *FAST, "--boundcheck-json", "serial/run.json")
    run(pytester, *args, *FAST, "--boundcheck-json", "split/run.json", "-n", "2")
    one, two = saved(pytester.path / "serial" / "run.json"), saved(pytester.path / "split" / "run.json")
    assert len(one["claims"]) == (4 if whose == "shipped" else 2)
    assert any(len(entry["scatter"]) > 100 for entry in one["claims"])
    changing = {"seconds", "command"}
    assert [{k: v for k, v in e.items() if k not in changing} for e in one["claims"]] == [
        {k: v for k, v in e.items() if k not in changing} for e in two["claims"]
    ]
    comparison = compare(one, two, Limits.parse("tightness:0%,constant:0%,verdict"))
    assert not comparison.changed
    assert not comparison.regressions


def test_claims_beside_ordinary_tests_are_collected_once(pytester: pytest.Pytester) -> None:
    (pytester.path / "test_mine.py").write_text(
        PREAMBLE + RIGHT + "\ndef test_ordinary():\n    assert True is not False\n"
    )
    (pytester.path / "plain.py").write_text(PREAMBLE + RIGHT.replace("MY-right", "MY-other"))
    for args in (("test_mine.py", "plain.py"), (".",)):
        result = run(pytester, *args, *FAST, "--collect-only", "-q")
        lines = [line for line in result.outlines if "::" in line]
        assert sorted(line.split("::")[-1] for line in lines) == ["MY-other:proved", "MY-right:proved", "test_ordinary"]


def test_a_file_found_for_its_theorem_gives_its_claims_alone(pytester: pytest.Pytester) -> None:
    """Whether its functions are tests is for `python_files` to say, or for whoever names the file."""
    text = PREAMBLE + RIGHT + "\ndef test_long_campaign():\n    assert False\n"
    (pytester.path / "run_campaign.py").write_text(text)
    for args, names in (
        ((".",), ["MY-right:proved"]),
        (("run_campaign.py",), ["MY-right:proved", "test_long_campaign"]),
    ):
        result = run(pytester, *args, *FAST, "--collect-only", "-q")
        assert sorted(line.split("::")[-1] for line in result.outlines if "::" in line) == names


def test_no_registered_claim_is_lost(pytester: pytest.Pytester) -> None:
    """In a list, made by another module's helper, in a class, under an alias, behind a mark: all are collected."""
    claim = RIGHT.replace("def largest_le_norm(p):", "def NAME(p):")

    def one(key: str, name: str) -> str:
        return claim.replace("MY-right", key).replace("NAME", name)

    inner = one("KEY", "inner").replace('"KEY:proved"', "key").replace("\n", "\n    ")
    (pytester.path / "helper.py").write_text(f"{PREAMBLE}def make(key):\n{inner}\n    return inner\n")
    module = pytester.mkdir("my_claims") / "many.py"
    module.write_text(
        "import sys; sys.path.insert(0, '.')\nimport pytest\nfrom helper import make\n"
        + PREAMBLE
        + "ALL = [make(f'MY-list{i}:proved') for i in range(2)]\n"
        + "class Lemmas:\n"
        + one("MY-class", "inside").replace("\n", "\n    ")
        + "\n@pytest.mark.slow\n"
        + one("MY-marked", "marked").lstrip()
        + "\nthm = theorem\n"
        + one("MY-alias", "aliased").replace("@theorem", "@thm")
    )
    result = run(pytester, "my_claims", *FAST, "--collect-only", "-q")
    found = sorted(line.split("::")[-1].split(":")[0] for line in result.outlines if "::" in line)
    assert found == ["MY-alias", "MY-class", "MY-list0", "MY-list1", "MY-marked"]


def test_an_interrupted_run_is_not_marked_finished(pytester: pytest.Pytester) -> None:
    pytester.mkdir("my_claims")
    (pytester.path / "my_claims" / "norms.py").write_text(PREAMBLE + WRONG + RIGHT)
    run(pytester, "my_claims", *FAST, "--boundcheck-json", "part.json", "-x")
    assert saved(pytester.path / "part.json")["finished"] is False
    run(pytester, "my_claims", *FAST, "--boundcheck-json", "whole.json")
    assert saved(pytester.path / "whole.json")["finished"] is True


def test_selection_by_keyword_and_marker(pytester: pytest.Pytester) -> None:
    pytester.mkdir("my_claims")
    (pytester.path / "my_claims" / "norms.py").write_text(PREAMBLE + RIGHT + WRONG)
    result = run(pytester, "my_claims", *FAST, "-k", "MY-right", "-m", "proved", "--strict-markers")
    result.assert_outcomes(passed=1, deselected=1)


def test_unwritable_run_file_is_reported_and_not_green(pytester: pytest.Pytester) -> None:
    pytester.mkdir("my_claims")
    (pytester.path / "my_claims" / "norms.py").write_text(PREAMBLE + RIGHT)
    (pytester.path / ".boundcheck").write_text("a file where a folder should be")
    result = run(pytester, "my_claims", *FAST)
    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*not written: *.boundcheck*"])


@pytest.mark.parametrize("place", ["taken/run.json", "taken/new/run.json", "folder", "/proc/x/y.json", "n" * 300])
def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(pytester: pytest.Pytester, place: str) -> None:
    pytester.mkdir("folder")
    (pytester.path / "folder" / "norms.py").write_text(PREAMBLE + RIGHT)
    (pytester.path / "taken").write_text("a file")
    result = run(pytester, "folder", *FAST, "--boundcheck-json", place)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: --boundcheck-json={place} cannot be written (*); expected a file in a folder *"]
    )
    assert [file.name for file in (pytester.path / "folder").iterdir()] == ["norms.py"], "nothing was even imported"
    assert (pytester.path / "taken").read_text() == "a file"
    assert not (pytester.path / ".boundcheck").exists()


@pytest.mark.parametrize("place", ["there/run.json", "there/kept.json", "there/new/deep/run.json"])
def test_a_place_that_can_be_written_is_left_as_it_was(pytester: pytest.Pytester, place: str) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    kept = pytester.mkdir("there") / "kept.json"
    kept.write_text("an earlier run")
    run(pytester, "--boundcheck-json", place).assert_outcomes(passed=1)
    assert list(kept.parent.iterdir()) == [kept]
    assert kept.read_text() == "an earlier run"


def test_pytest_starts_without_torch() -> None:
    code = "import boundcheck.pytest_plugin, boundcheck, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
