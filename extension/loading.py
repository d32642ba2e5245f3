"""Into IPython and out of it again. Leaves nothing behind; starts nothing twice.

Loading registers the magics and little else: the parts are joined, and imported, when the
first of them is needed.
"""

import atexit
import builtins
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from stepwell import waiting
from stepwell.frontend import Frontend, frontend_for
from stepwell.magics import register
from stepwell.place import find_place

if TYPE_CHECKING:
    from stepwell.magics import Notebook
    from stepwell.session import SessionNotebook

__all__ = ["current_notebook", "load", "unload"]

_loaded: "_Loaded | None" = None


def current_notebook() -> "SessionNotebook | None":
    """The notebook of this kernel while the extension is loaded."""
    return _loaded.notebook if _loaded else None


def load(shell: Any) -> None:
    """`%load_ext stepwell`. Opens no store and starts no thread before one is needed."""
    global _loaded  # noqa: PLW0603 - one kernel, one notebook
    if _loaded is None:
        _loaded = _Loaded(shell, frontend_for(shell))


def unload(shell: Any) -> None:
    """`%unload_ext stepwell`: what runs is stopped as at a shutdown; the store keeps it all."""
    global _loaded
    if _loaded is not None:
        loaded, _loaded = _loaded, None
        loaded.undo()


class _Loaded:
    """The extension in one shell. Speaks to the magics for a notebook that may not exist yet."""

    def __init__(self, shell: Any, frontend: Frontend) -> None:
        self._shell = shell
        self._frontend = frontend
        self._notebook: SessionNotebook | None = None
        self._undo: list[Callable[[], None]] = []
        try:
            self._undo.append(register(shell, cast("Notebook", self)))
            self._undo.append(self._wait_in_cells())
        except BaseException:
            self.undo()
            raise

    @property
    def notebook(self) -> "SessionNotebook":
        """The notebook, with everything that goes with it."""
        if self._notebook is None:
            self._notebook = self._make()
        return self._notebook

    def __getattr__(self, name: str) -> Any:
        # What the magics call: each of them is a reason to have a notebook.
        return getattr(self.notebook, name)

    def step_names(self) -> Sequence[str]:
        """For Tab, which is none."""
        return self._notebook.step_names() if self._notebook else ()

    def agent_step_names(self) -> Sequence[str]:
        """For completion."""
        return self._notebook.agent_step_names() if self._notebook else ()

    def run_ids(self) -> Sequence[str]:
        """For Tab."""
        return self._notebook.run_ids() if self._notebook else ()

    def output_names(self) -> Sequence[str]:
        """For Tab."""
        return self._notebook.output_names() if self._notebook else ()

    def undo(self) -> None:
        """Take everything back, last first."""
        while self._undo:
            self._undo.pop()()

    def _make(self) -> "SessionNotebook":
        from stepwell.agents import set_cell_caller
        from stepwell.session import Session, SessionNotebook
        from stepwell.workers import (
            follow_threads,
            install_streams,
            leave_threads,
            remove_streams,
        )

        session = Session(self._shell.user_ns, self._frontend)
        install_streams()
        follow_threads(self._frontend.before_thread)
        # Second line: an interpreter that ends without a shutdown request.
        atexit.register(session.close)
        set_cell_caller(session.call_agent)
        self._undo += [
            lambda: set_cell_caller(None),
            session.close,
            remove_streams,
            leave_threads,
            self._frontend.on_shutdown(session.close),
            lambda: atexit.unregister(session.close),
        ]
        return SessionNotebook(session, self._shell)

    def _wait_in_cells(self) -> Callable[[], None]:
        transformer = waiting.WaitTransformer(self._is_awaited)
        transformers: list[Any] = self._shell.ast_transformers
        transformers.append(transformer)
        waiting.set_waiter(self._wait_for)

        def undo() -> None:
            waiting.set_waiter(None)
            if transformer in transformers:
                transformers.remove(transformer)

        return undo

    def _wait_for(self, names: tuple[str, ...], timeout: float | None) -> None:
        from stepwell.workers import recording

        if recording.get() is not None:
            # Code that a step has IPython run: what it reads it was given, and of what it
            # makes itself it would wait for ever.
            return
        self.notebook.session.wait_for_names(names, timeout)

    def _is_awaited(self, name: str) -> bool:
        if self._notebook is None and not self._may_be_stored(name):
            return False
        session = self.notebook.session
        # A step's own cell runs first in most notebooks; opening the store for a cell
        # before it is worth it only for a name that would be an error.
        return session.is_output(name) if session.is_open else session.could_bring(name)

    def _may_be_stored(self, name: str) -> bool:
        namespace: dict[str, Any] = self._shell.user_ns
        if name in namespace or hasattr(builtins, name):
            return False
        place = find_place(namespace)
        return place.store.exists() and place.mode != "fresh"
