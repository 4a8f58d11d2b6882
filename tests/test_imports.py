"""What is imported when: pages and comparisons of saved runs need no torch, and pytest starts without it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "statement",
    [
        "import boundcheck",
        "import boundcheck.pytest_plugin",
        "import boundcheck.cli",
        "import boundcheck.report",
        "import boundcheck.report.compare",
        "from boundcheck.record import read_run, write_run",
    ],
)
def test_no_torch_is_imported(statement: str) -> None:
    program = f"{statement}; import sys; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
