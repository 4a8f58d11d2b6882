"""What every command says of itself, and how a newcomer's mistakes end: in one sentence and exit code 2."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from boundcheck.cli import main

FILE_TAKING = ("report", "replay")


def call(*args: str) -> Result:
    return CliRunner().invoke(main, list(args), prog_name="boundcheck")


@pytest.mark.parametrize("command", sorted(main.commands))
def test_help_has_an_example_and_names_the_exit_codes(command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0
    _, _, example = result.output.partition("Example: ")
    assert f"boundcheck {command}" in example.partition("Options:")[0]
    assert "exit code is 0" in " ".join(result.output.split())


def test_help_of_all_names_every_command() -> None:
    output = call("--help").output
    assert all(f"\n  {command} " in output for command in main.commands)


def test_nothing_at_all_is_answered_with_the_help() -> None:
    assert call("--help").output == call().output


def said(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("boundcheck: ")
    assert line.endswith(".")
    return line


@pytest.mark.parametrize("command", FILE_TAKING)
@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("none.json", None, "none.json could not be read (No such file or directory)"),
        ("notes.txt", b"Lemma 6 is fine", "notes.txt is not JSON (line 1: Expecting value)"),
        ("cut.json", b'{"claim": "LE-8', "cut.json is not JSON (it ends too early)"),
        ("empty.json", b"", "empty.json is not JSON"),
        ("picture.json", b"\xff\xd8\xff", "picture.json is not UTF-8 text"),
        ("other.json", b'{"a": 1}', "other.json"),
        ("list.json", b"[]", "list.json holds a list; expected a JSON object"),
        ("", None, "is a folder; expected a JSON file that boundcheck wrote"),
    ],
)
def test_a_wrong_file(command: str, file: str, content: bytes | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / file).write_bytes(content)
    assert words in said(call(command, str(tmp_path / file)))


@pytest.mark.parametrize("command", ["list", "hunt", "ablate"])
def test_an_unknown_key(command: str) -> None:
    assert "no claim's key starts with LE-99; boundcheck list shows them all" in said(call(command, "LE-99"))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["hunt", "LE-8", "--lanes", "many"], "'many' is not a valid integer; see boundcheck hunt --help"),
        (["hunt", "LE-8", "--lanes", "0"], "lanes=0; expected a whole number >= 1"),
        (["hunt", "LE-8", "--method", "magic"], "'magic' is not one of 'auto', 'gradient', 'evolution'"),
        (["hunt", "LE-8", "--device", "quantum"], "the device 'quantum'; expected one of cpu, auto"),
        (["ablate", "LE-8", "--device", "quantum"], "the device 'quantum'; expected one of cpu, auto"),
        (["hunt", "LE-8", "--minutes", "-1"], "minutes=-1.0; expected a positive number"),
        (["list", "--stance", "wrong"], "--stance wrong; expected one of printed, proved, corrected, conjectured"),
        (["list", "--claims", "nowhere"], "--claims nowhere; expected a Python file or a folder that exists"),
        (["list", "--stanze", "proved"], "No such option '--stanze'"),
        (["prove", "LE-8"], "No such command 'prove'; see boundcheck --help"),
        (["hunt"], "Missing argument 'KEYS...'; see boundcheck hunt --help"),
        (["replay"], "Missing argument 'FILES...'; see boundcheck replay --help"),
        (["compare"], "Missing argument 'OLD'; see boundcheck compare --help"),
        (["new"], "Missing argument 'NAME'; see boundcheck new --help"),
        (["list", "--a\nb"], "No such option"),
        (["-V"], "No such option '-V'; see boundcheck --help"),
        (["--quiet", "list"], "No such option '--quiet'; see boundcheck --help"),
    ],
)
def test_an_unknown_value_option_or_command(args: list[str], words: str) -> None:
    assert words in said(call(*args))


def test_auto_is_a_device_on_every_machine(tmp_path: Path) -> None:
    result = call("hunt", "NONE", "--device", "auto", "--save", str(tmp_path))
    assert "no claim's key starts with NONE" in said(result), "the device was taken"
