"""Shared by all tests: one thread a process, and pytester for tests of the plugin."""

import hypothesis
import pytest
import torch

# The same examples in every run: a test that fails should fail again. (Campaigns have seeds of their own.)
hypothesis.settings.register_profile("boundcheck-tests", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("boundcheck-tests")

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
