"""Every code block in the documents runs: the README's two claims end as the README says."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def python_blocks(document: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", document.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_readme_claims_end_as_it_says(pytester: pytest.Pytester) -> None:
    block, _ = python_blocks(ROOT / "README.md")
    for claim in re.split(r"(?=@theorem)", block)[1:]:
        assert len(claim.strip().splitlines()) <= 25
    pytester.mkdir("my_claims")
    (pytester.path / "my_claims" / "dimensions.py").write_text(block, encoding="utf-8")
    result = pytester.runpytest_subprocess("my_claims", "--boundcheck-profile", "fast", "--boundcheck-json", "run.json")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*MY-wrong:proved is VIOLATED: * instances break it; proved twice for * of them. (*Counterexample: *.json.*"]
    )
    run = json.loads((pytester.path / "run.json").read_text())
    assert {f"{e['id']}:{e['form']}": e["verdict"] for e in run["claims"]} == {
        "MY-right:proved": "HOLDS",
        "MY-wrong:proved": "VIOLATED",
    }


def test_readme_example_of_a_model_runs(capsys: pytest.CaptureFixture[str]) -> None:
    _, block = python_blocks(ROOT / "README.md")
    exec(compile(block, "README.md", "exec"), {"__name__": "example"})
    printed = capsys.readouterr().out
    assert "gamma" in printed, "the subspace of the example is separated"
    assert "nan" not in printed


@pytest.mark.parametrize("document", sorted((ROOT / "strategies").glob("*.md")), ids=lambda p: p.name)
def test_blocks_of_other_documents_run(document: Path) -> None:
    blocks = python_blocks(document)
    namespace: dict[str, object] = {"__name__": "example"}
    for block in blocks:
        exec(compile(block, str(document), "exec"), namespace)


def test_every_claim_is_in_the_index_of_theorems() -> None:
    from boundcheck.claim import registered_claims
    from boundcheck.theorems import alignment_collapse, local_edits

    index = (ROOT / "theorems" / "README.md").read_text(encoding="utf-8")
    assert local_edits.__all__
    assert alignment_collapse.__all__
    for claim in registered_claims().values():
        if claim.id.startswith(("LE-", "AC-")):
            assert claim.id in index or claim.input == "real", claim.key
            assert Path(claim.registered_at[0]).name in index, claim.registered_at
