"""Into a shell, and out of it without a trace."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from stepwell.magics._port import Notebook
from stepwell.magics._setup import give_empty_body, rewrite_setup, use_notebook

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["register"]

_registered: "WeakKeyDictionary[InteractiveShell, Callable[[], None]]" = WeakKeyDictionary()


def register(shell: "InteractiveShell", notebook: Notebook) -> Callable[[], None]:
    """Make the magics of this notebook known to the shell. The answer takes them away again.

    A shell has one notebook: an earlier registration is taken away first. Taking away
    restores magics of the same names that were there before; a second time does nothing.
    """
    undo_earlier = _registered.get(shell)
    if undo_earlier is not None:
        undo_earlier()
    undo = [_add_magics(shell, notebook), _add_transformers(shell), _add_matcher(shell, notebook)]
    use_notebook(notebook)

    def unregister() -> None:
        if _registered.get(shell) is unregister:
            del _registered[shell]
            use_notebook(None)
            while undo:
                undo.pop()()

    _registered[shell] = unregister
    return unregister


def _add_magics(shell: "InteractiveShell", notebook: Notebook) -> Callable[[], None]:
    from stepwell.magics._ipython import StepwellMagics

    ours: Any = StepwellMagics(shell, notebook)
    manager: Any = shell.magics_manager
    names = [(kind, name) for kind in ("line", "cell") for name in ours.magics[kind]]
    before = {(kind, name): manager.magics[kind].get(name) for kind, name in names}
    manager.register(ours)

    def undo() -> None:
        for kind, name in names:
            table = manager.magics[kind]
            if getattr(table.get(name), "__self__", None) is ours:
                del table[name]
                if before[kind, name] is not None:
                    table[name] = before[kind, name]
        manager.registry.pop(type(ours).__name__, None)
        with suppress(ValueError):
            shell.configurables.remove(ours)

    return undo


def _add_transformers(shell: "InteractiveShell") -> Callable[[], None]:
    ours = [rewrite_setup, give_empty_body]
    for transform in ours:
        # A terminal asks whether a cell is complete. Rewritten it would always be, so this
        # keeps IPython from applying ours to that question.
        transform.has_side_effects = True  # type: ignore[attr-defined]
    transforms = shell.input_transformers_cleanup
    transforms.extend(ours)

    def undo() -> None:
        transforms[:] = [transform for transform in transforms if transform not in ours]

    return undo


def _add_matcher(shell: "InteractiveShell", notebook: Notebook) -> Callable[[], None]:
    from stepwell.magics._ipython import matcher_for

    matcher = matcher_for(notebook)
    completer: Any = shell.Completer
    matchers: list[Any] = completer.custom_matchers
    matchers.append(matcher)

    def undo() -> None:
        with suppress(ValueError):
            matchers.remove(matcher)

    return undo
