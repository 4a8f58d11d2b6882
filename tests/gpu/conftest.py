"""What must be as true on a GPU as on the CPU: `make gpu`. BOUNDCHECK_GPU_SUITE_ON=cpu runs the same code without one."""

import os
from pathlib import Path

import pytest
import torch

ON = os.environ.get("BOUNDCHECK_GPU_SUITE_ON", "cuda")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.gpu)
            if ON == "cuda" and not torch.cuda.is_available():
                item.add_marker(pytest.mark.skip(reason="torch.cuda.is_available() is False: this needs a GPU"))


@pytest.fixture
def device() -> str:
    return ON
