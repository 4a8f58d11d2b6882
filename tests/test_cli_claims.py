"""Which files `--claims` imports, and how: as pytest would, each once, and nothing of the program's own path is left behind."""

import sys
from pathlib import Path

import pytest

from boundcheck.claim import registered_claims
from boundcheck.cli.claims import load_claims
from boundcheck.errors import BoundcheckError
from tests.user_claims import PREAMBLE, RIGHT


def claims_of(key: str) -> str:
    return PREAMBLE + RIGHT.replace("MY-right", key)


def test_files_that_import_each_other_are_imported_once(tmp_path: Path) -> None:
    """A second copy of a class would make every counterexample of it unreadable."""
    (tmp_path / "zz_claims_a.py").write_text(claims_of("MY-load-a"))
    (tmp_path / "test_zz.py").write_text("# boundcheck, theorem\nimport zz_claims_a\nCOUNTED = [zz_claims_a.Vectors]\n")
    before = list(sys.path)
    load_claims((tmp_path,))
    load_claims((tmp_path / "zz_claims_a.py",))
    assert "MY-load-a:proved" in registered_claims()
    assert sum(getattr(m, "__file__", None) == str(tmp_path / "zz_claims_a.py") for m in sys.modules.values()) == 1
    assert sys.path == before


def test_a_package_may_import_from_itself(tmp_path: Path) -> None:
    package = tmp_path / "zz_package" / "papers"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "zz_first.py").write_text(claims_of("MY-load-first"))
    (package / "zz_second.py").write_text("# boundcheck, theorem\nfrom .zz_first import Vectors\n")
    load_claims((package,))
    assert "MY-load-first:proved" in registered_claims()
    assert sys.modules["zz_package.papers.zz_second"].Vectors is sys.modules["zz_package.papers.zz_first"].Vectors


def test_a_folder_of_the_path_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = list(sys.path)
    (tmp_path / "zz_on_path.py").write_text(claims_of("MY-load-path"))
    load_claims((tmp_path,))
    assert sys.path == before


def test_our_own_theorems_are_not_imported_again() -> None:
    """They are reached by a link: the same file has two names."""
    from boundcheck.theorems.local_edits import lemma_8

    known = set(sys.modules)
    load_claims((Path(lemma_8.__file__).resolve(),))
    assert set(sys.modules) == known


def test_two_folders_with_files_of_one_name_are_both_loaded(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "zz_same.py").write_text(claims_of(f"MY-load-{folder}"))
    load_claims((tmp_path,))
    assert {"MY-load-one:proved", "MY-load-two:proved"} <= set(registered_claims())


@pytest.mark.parametrize(
    "file",
    [".hidden/a.py", "venv/lib/a.py", "__pycache__/a.py", "_private.py", "conftest.py", "silent.py", "notes.txt"],
)
def test_what_pytest_would_not_collect_is_left_alone(file: str, tmp_path: Path) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    about = "" if file == "silent.py" else "# boundcheck theorem\n"
    (tmp_path / file).write_text(about + "raise RuntimeError('imported')")
    (tmp_path / "venv").mkdir(exist_ok=True)
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    load_claims((tmp_path,))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("broken.py", "1 / 0", "broken.py raised ZeroDivisionError: division by zero."),
        ("half.py", "def f(:", "half.py raised SyntaxError"),
        ("notes.txt", "none", "expected a Python file"),
        ("stops.py", "import sys; sys.exit(3)", "stops.py raised SystemExit: 3"),
        ("json.py", "raise ValueError('mine')", "json.py raised ValueError: mine"),
        ("a.b-c.py", "raise ValueError('mine')", "a.b-c.py raised ValueError: mine"),
    ],
)
def test_a_file_that_is_named_and_does_not_work_is_told_of(name: str, text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    known = set(sys.modules)
    with pytest.raises(BoundcheckError) as caught:
        load_claims((tmp_path / name,))
    assert words in str(caught.value)
    assert set(sys.modules) == known, "what ended half-way is not taken for a module"


def test_a_file_of_a_standard_name_shadows_nothing(tmp_path: Path) -> None:
    import json

    (tmp_path / "json.py").write_text(claims_of("MY-load-json"))
    load_claims((tmp_path,))
    assert sys.modules["json"] is json
    assert "MY-load-json:proved" in registered_claims()
