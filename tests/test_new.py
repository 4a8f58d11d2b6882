"""`boundcheck new`: what it writes passes and fails as it should at once, and nothing is ever overwritten."""

import ast
import re
import sys
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from boundcheck.cli import main
from boundcheck.cli.new import filled

FAST = ("--boundcheck-profile", "fast", "-p", "no:cacheprovider")


def new(*args: str) -> Result:
    return CliRunner().invoke(main, ["new", *args])


def test_its_claims_and_its_tests_pass_from_an_empty_folder(pytester: pytest.Pytester) -> None:
    result = new("my_lemma")
    assert result.exit_code == 0, result.output
    assert "pytest my_lemma.py" in result.output
    assert {file.name for file in pytester.path.iterdir()} == {"my_lemma.py", "test_my_lemma.py"}
    run = pytester.runpytest_subprocess(".", *FAST, "-v")
    run.assert_outcomes(passed=2 + 3)
    run.stdout.fnmatch_lines(["*my_lemma:proved PASSED*", "*my_lemma:printed PASSED*", "*test_it_holds PASSED*"])
    rows = [line.split()[:2] for line in run.outlines]
    assert ["my_lemma:proved", "HOLDS"] in rows
    assert ["my_lemma:printed", "REFUTED"] in rows
    stored = sorted((pytester.path / ".boundcheck" / "counterexamples").glob("*.json"))
    assert any(file.name.startswith("my_lemma.printed-") for file in stored)
    replay = pytester.run(sys.executable, "-m", "boundcheck.cli", "replay", *stored, "--claims", ".")
    assert replay.ret == 0, "with the test beside it, which imports the claims by their name"
    assert replay.outlines.count("VIOLATED: proved again by two routes.") == len(stored)


def test_two_in_one_folder_do_not_disturb_each_other(pytester: pytest.Pytester) -> None:
    for name in ("first", "second"):
        assert new(name, "--into", "my claims").exit_code == 0
    pytester.runpytest_subprocess("my claims", *FAST).assert_outcomes(passed=2 * 2 + 2 * 3)


def test_what_it_writes_fails_where_it_is_made_wrong(pytester: pytest.Pytester) -> None:
    """The tests look at the claims: a wrong constant in the place of the right one is seen by all of them."""
    new("wrong")
    module = pytester.path / "wrong.py"
    module.write_text(module.read_text().replace('constant("9/8"', 'constant("17/16"').replace('"11/10"', '"33/32"'))
    run = pytester.runpytest_subprocess("wrong.py", "test_wrong.py", *FAST)
    assert run.parseoutcomes()["failed"] == 2, "the claim, and the test that it holds"
    run.stdout.fnmatch_lines(["*wrong:proved is VIOLATED*"])


def test_inside_a_package_its_test_imports_from_there(pytester: pytest.Pytester) -> None:
    package = pytester.mkpydir("mine") / "papers"
    package.mkdir()
    (package / "__init__.py").touch()
    assert new("lemma_two", "--into", "mine/papers").exit_code == 0
    assert "from mine.papers.lemma_two import lemma_two" in (package / "test_lemma_two.py").read_text()
    pytester.runpytest_subprocess("mine", *FAST).assert_outcomes(passed=5)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my-lemma", "expected a name for a Python module"),
        ("2nd", "expected a name for a Python module"),
        ("class", "expected a name for a Python module"),
        ("lemma_σ", "expected a name for a Python module"),
        ("../up", "expected a name for a Python module"),
        ("", "expected a name for a Python module"),
        ("_private", "of which pytest collects no claims"),
        ("conftest", "of which pytest collects no claims"),
        ("json", "which is another module here"),
        ("torch", "which is another module here"),
        ("boundcheck", "which is another module here"),
        ("l" * 300, "could not be written (File name too long)"),
    ],
)
def test_a_name_that_would_not_work_is_refused(name: str, words: str, tmp_path: Path) -> None:
    result = new(name, "--into", str(tmp_path))
    assert result.exit_code == 2
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("taken", ["lemma_x.py", "test_lemma_x.py"])
@pytest.mark.parametrize("dangling", [False, True])
def test_nothing_is_overwritten(taken: str, dangling: bool, tmp_path: Path) -> None:
    if dangling:
        (tmp_path / taken).symlink_to(tmp_path / "nowhere")
    else:
        (tmp_path / taken).write_text("mine")
    result = new("lemma_x", "--into", str(tmp_path))
    assert result.exit_code == 2
    assert f"{taken} exists; choose another NAME" in result.output
    assert [file.name for file in tmp_path.iterdir()] == [taken], "not even the other file is written"
    assert dangling or (tmp_path / taken).read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for into, words in (("file", "which is a file"), ("file/below", f"and {tmp_path / 'file'} is a file")):
        result = new("lemma_x", "--into", str(tmp_path / into))
        assert result.exit_code == 2
        assert f"--into {tmp_path / into}, {words}; expected a folder" in result.output
    assert "--into ''; expected the name of a folder" in new("lemma_x", "--into", "").output
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,12}", fullmatch=True)


@given(NAMES | st.sampled_from(["template", "Template", "TEMPLATE", "a_template_of_templates"]))
def test_any_name_gives_modules_that_name_nothing_else(name: str) -> None:
    for template in ("_template.py", "_test_template.py"):
        text = filled(template, name, name)
        ast.parse(text)
        assert "template" not in text.replace(name, "").replace(name.replace("_", " ").capitalize(), "").lower()
    assert f'"{name}:proved"' in filled("_template.py", name, name)


def test_the_comment_about_other_instances_is_code_that_runs() -> None:
    text = resources.files("boundcheck.theorems").joinpath("_template.py").read_text(encoding="utf-8")
    lines = re.findall(r"^# {5}(.*)$|^#()$", text, flags=re.MULTILINE)
    code = "\n".join(line for line, _ in lines)
    module = type(sys)("own_instances")
    sys.modules["own_instances"] = module
    exec(compile("from torch import Tensor\n" + code, "_template.py", "exec"), module.__dict__)
    batch = module.VectorRecipe(dim=3, seed=1).build(5)
    assert batch.u.shape == (5, 3)
    assert module.DRAWN.validate() is None
