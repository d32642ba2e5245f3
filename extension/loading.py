"""Into IPython and out of it again. Leaves nothing behind; starts nothing twice."""

import atexit
from collections.abc import Callable
from typing import Any

from stepwell import waiting
from stepwell.frontend import frontend_for
from stepwell.notebook import SessionNotebook
from stepwell.session import Session
from stepwell.workers import install_streams, remove_streams

__all__ = ["current_notebook", "load", "unload"]

_loaded: "tuple[SessionNotebook, list[Callable[[], None]]] | None" = None


def current_notebook() -> SessionNotebook | None:
    """The notebook of this kernel while the extension is loaded."""
    return _loaded[0] if _loaded else None


def load(shell: Any) -> None:
    """`%load_ext stepwell`. Opens no store and starts no thread before one is needed."""
    global _loaded  # noqa: PLW0603 - one kernel, one notebook
    if _loaded is not None:
        return
    from stepwell.magics import register

    frontend = frontend_for(shell)
    namespace: dict[str, Any] = shell.user_ns
    session = Session(namespace, frontend)
    notebook = SessionNotebook(session, shell)
    undo: list[Callable[[], None]] = [session.close]
    try:
        undo.append(register(shell, notebook))
        install_streams()
        undo.append(remove_streams)
        undo.append(_wait_in_cells(shell, session))
        undo.append(frontend.on_shutdown(session.close))
        # Second line: an interpreter that ends without a shutdown request.
        atexit.register(session.close)
        undo.append(lambda: atexit.unregister(session.close))
    except BaseException:
        _undo(undo)
        raise
    _loaded = notebook, undo


def unload(shell: Any) -> None:
    """`%unload_ext stepwell`: what runs is stopped as at a shutdown; the store keeps it all."""
    global _loaded  # noqa: PLW0603 - as above
    if _loaded is not None:
        _, undo = _loaded
        _loaded = None
        _undo(undo)


def _undo(undo: list[Callable[[], None]]) -> None:
    while undo:
        undo.pop()()


def _wait_in_cells(shell: Any, session: Session) -> Callable[[], None]:
    def is_awaited(name: str) -> bool:
        if session.is_open:
            return session.is_output(name)
        return session.could_bring(name)

    transformer = waiting.WaitTransformer(is_awaited)
    shell.ast_transformers.append(transformer)
    waiting.set_waiter(session.wait_for_names)

    def undo() -> None:
        waiting.set_waiter(None)
        if transformer in shell.ast_transformers:
            shell.ast_transformers.remove(transformer)

    return undo
