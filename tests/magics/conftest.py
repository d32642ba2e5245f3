"""A notebook that only writes down what it was asked, and a real IPython to type into."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from stepwell.magics import register

Call = tuple[Any, ...]


class RecordingNotebook:
    """Answers each request with a text that names it, and keeps a list of them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.fails: Exception | None = None
        self.steps: list[str] = ["plan", "search", "draft-2"]

    def __getattr__(self, name: str) -> Callable[..., object]:
        if name.startswith("_"):
            raise AttributeError(name)

        def record(*arguments: object, **named: object) -> object:
            self.calls.append((name, *arguments, *([named] if named else [])))
            if self.fails is not None:
                raise self.fails
            return None if name in ("setup", "wait") else f"<{name}>"

        return record

    def step_names(self) -> list[str]:
        """As the flow has them."""
        if self.fails is not None:
            raise self.fails
        return self.steps

    def agent_step_names(self) -> list[str]:
        """As agents have them."""
        if self.fails is not None:
            raise self.fails
        return ["researcher/look"]

    def run_ids(self) -> list[str]:
        """As the store has them."""
        return ["brave-otter", "calm-heron"]

    def output_names(self) -> list[str]:
        """As the steps write them."""
        return ["queries", "hits", "report"]


@pytest.fixture
def notebook() -> RecordingNotebook:
    """A notebook nobody has asked for anything."""
    return RecordingNotebook()


@pytest.fixture(scope="module")
def bare_shell(tmp_path_factory: pytest.TempPathFactory) -> InteractiveShell:
    """IPython as it comes, without a history file."""
    folder: Path = tmp_path_factory.mktemp("ipython")
    config: Any = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    return InteractiveShell(config=config, ipython_dir=str(folder))


@pytest.fixture
def shell(bare_shell: InteractiveShell, notebook: Any) -> Iterator[InteractiveShell]:
    """IPython with the magics of `notebook`."""
    unregister = register(bare_shell, notebook)
    yield bare_shell
    unregister()
