"""Real kernels, each in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kernels import Kernel


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    """A running kernel on an empty notebook, extension loaded."""
    with Kernel(tmp_path) as running:
        running.ok("%load_ext stepwell")
        yield running
