"""Shared by all tests: one thread a process, and pytester for tests of the plugin."""

import pytest
import torch

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
