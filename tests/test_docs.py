"""Every code block in the documents runs, every command they name exists, and what they show is what is printed."""

import json
import re
import shlex
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import click
import pytest

from boundcheck.cli import main

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path for path in ROOT.rglob("*.md") if not {".venv", "latest", "node_modules"} & set(path.relative_to(ROOT).parts)
)
README = ROOT / "README.md"


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(encoding="utf-8"), flags=re.DOTALL)


def commands(document: Path) -> list[str]:
    """What stands in backticks or in console blocks."""
    text = document.read_text(encoding="utf-8")
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    console = [line[2:].split("  #")[0] for block in blocks(document, "console") for line in block.splitlines()]
    return [command.strip() for command in inline + console]


def assert_shown(printed: str, block: str) -> None:
    """Each line of a text block stands in what was printed, in this order; `…` stands for anything."""
    lines = iter(printed.splitlines())
    for wanted in block.strip().splitlines():
        pattern = re.sub(r"\[", "[[]", wanted.strip()).replace("…", "*")
        assert any(fnmatchcase(line.strip(), pattern) for line in lines), f"not printed, or not there: {wanted}"


def test_readme_claims_end_as_it_says(pytester: pytest.Pytester) -> None:
    block = blocks(README, "python")[0]
    for claim in re.split(r"(?=@theorem)", block)[1:]:
        assert len(claim.strip().splitlines()) <= 25
    pytester.mkdir("my_claims")
    (pytester.path / "my_claims" / "dimensions.py").write_text(block, encoding="utf-8")
    result = pytester.runpytest_subprocess("my_claims", "--boundcheck-profile", "fast", "--boundcheck-json", "run.json")
    result.assert_outcomes(passed=1, failed=1)
    run = json.loads((pytester.path / "run.json").read_text())
    claims = {f"{e['id']}:{e['form']}": e for e in run["claims"]}
    assert {key: e["verdict"] for key, e in claims.items()} == {
        "MY-right:proved": "HOLDS",
        "MY-wrong:proved": "VIOLATED",
    }
    replay = (sys.executable, "-m", "boundcheck.cli", "replay")
    replayed = pytester.run(*replay, claims["MY-wrong:proved"]["counterexample"], "--claims", "my_claims")
    assert replayed.ret == 0
    failed, proved = (b for b in blocks(README, "text") if "MY-wrong" in b or "VIOLATED: proved" in b)
    assert_shown(result.stdout.str(), failed)
    assert_shown(replayed.stdout.str(), proved)


def test_readme_examples_of_a_model_run(capsys: pytest.CaptureFixture[str]) -> None:
    overlap, fisher = blocks(README, "python")[1:]
    exec(compile(overlap, "README.md", "exec"), {"__name__": "example"})
    printed = capsys.readouterr().out
    assert "gamma_ov 0." in printed
    assert "activations and signals" in printed
    exec(compile(fisher, "README.md", "exec"), {"__name__": "example"})
    printed = capsys.readouterr().out
    assert "gamma" in printed, "the subspace of the example is separated"
    assert "nan" not in printed


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if d != README], ids=lambda p: str(p.relative_to(ROOT)))
def test_blocks_of_other_documents_run(document: Path) -> None:
    namespace: dict[str, object] = {"__name__": "example"}
    for block in blocks(document, "python"):
        exec(compile(block, str(document), "exec"), namespace)


def test_every_block_says_what_it_is() -> None:
    """So that none escapes the tests above; what has no language is a picture in text."""
    for document in DOCUMENTS:
        fences = re.findall(r"^```(.*)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert set(fences[::2]) <= {"python", "console", "text", ""}, document
        pictures = fences[::2].count("")
        assert pictures == (1 if document == ROOT / "boundcheck" / "README.md" else 0), document


def test_every_make_target_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+(?:-[a-z]+)*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {
        word
        for document in DOCUMENTS
        for command in commands(document)
        if command.startswith("make ")
        for word in shlex.split(command)[1:]
        if "=" not in word
    }
    assert {"verify", "test"} <= named <= targets


def test_every_command_named_exists() -> None:
    """Subcommands and their options, by the parser's own word; what they are given need not exist."""
    seen = set()
    for document in DOCUMENTS:
        for command in commands(document):
            if not command.startswith("boundcheck "):
                continue
            name, *arguments = shlex.split(command)[1:]
            if name.startswith("-"):
                continue
            known = main.commands.get(name)
            assert known is not None, f"{document.name}: {command}"
            context = click.Context(known, resilient_parsing=True)
            try:
                known.make_parser(context).parse_args(list(arguments))
            except click.UsageError as error:
                pytest.fail(f"{document.name}: {command}: {error}")
            seen.add(name)
    assert {"list", "report", "replay", "hunt", "ablate"} <= seen


def test_every_option_of_the_plugin_named_exists(pytester: pytest.Pytester) -> None:
    helped = pytester.runpytest_subprocess("--help").stdout.str()
    options = set(re.findall(r"--boundcheck-[a-z-]+", helped))
    for document in DOCUMENTS:
        for option in set(re.findall(r"--boundcheck-[a-z-]*[a-z]", document.read_text(encoding="utf-8"))):
            assert option in options, f"{document.name}: {option}"


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
