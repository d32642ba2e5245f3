"""Real kernels, kept away from the settings of whoever runs the tests."""

import os
from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest
import written
from written import Write

SUPPORT = Path(written.__file__).parent


@pytest.fixture(scope="session", autouse=True)
def jupyter_home(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """Jupyter and IPython with fresh folders, and the stand-in engine importable in kernels."""
    home = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        for folder in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
            patch.setenv(f"JUPYTER_{folder}", str(home / folder.lower()))
        before = os.environ.get("PYTHONPATH", "")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(SUPPORT), before])))
        yield home


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a notebook into the test's own folder."""
    return partial(written.write_notebook, tmp_path)
