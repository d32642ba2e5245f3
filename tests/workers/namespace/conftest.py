"""A notebook without a kernel: cells executed the way IPython does."""

import linecache
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from stepwell.flow import Binding
from stepwell.store.values import Signer, Trust
from stepwell.workers.namespace import Captured, Restored, capture, restore


class Notebook:
    """Cells, the namespace they fill, and what comes back of it after a restart."""

    signer = Signer(b"a key for tests, 32 bytes long..")
    trust = Trust(signer)

    def __init__(self, mark: str) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self._mark = mark
        self._count = 0

    def cell(self, text: str) -> None:
        """Execute a cell. Its text is found where tracebacks look for it."""
        self._count += 1
        filename = f"/cells/{self._mark}/{self._count}.py"
        lines = [line + "\n" for line in text.splitlines()]
        linecache.cache[filename] = (len(text), None, lines, filename)
        exec(compile(text, filename, "exec", dont_inherit=True), self.names)

    def capture(self, *names: str, writes: Iterable[str] = ()) -> Captured:
        """The environment of a step that reads these names, beside steps that write those."""
        written = set(writes)
        return capture(names, self.names, is_input=written.__contains__, signer=self.signer)

    def digest(self, name: str) -> str:
        """The digest of one name."""
        return self.capture(name).bindings[name].digest

    def binding(self, name: str) -> Binding:
        """The binding of one name."""
        return self.capture(name).bindings[name]

    def restarted(self, captured: Captured, *, trust: Trust = trust) -> tuple["Notebook", Restored]:
        """The same notebook after a restart, with nothing but what was captured."""
        fresh = Notebook(self._mark + "-restarted")
        restored = restore(captured.bindings, captured.blobs, fresh.names, trust=trust)
        return fresh, restored


@pytest.fixture
def notebook(request: pytest.FixtureRequest) -> Notebook:
    """An empty notebook."""
    return Notebook(request.node.name)


@pytest.fixture
def new_notebook(request: pytest.FixtureRequest) -> Callable[[], Notebook]:
    """As many empty notebooks as a test wants."""
    made: list[Notebook] = []

    def make() -> Notebook:
        made.append(Notebook(f"{request.node.name}-{len(made)}"))
        return made[-1]

    return make
