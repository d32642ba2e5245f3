"""IPython's shell as a step sees it: its magics work on the step's names.

The running shell belongs to the notebook. A magic that reads or assigns names (`%time x = f()`,
`!ls {folder}`) would do so in the notebook's namespace, while other cells run there.
"""

import copy
import sys
from collections.abc import Callable
from types import MethodType
from typing import Any

__all__ = ["StepShell", "give_shell"]

# What looks names up or assigns them by itself. The rest of the shell is the notebook's.
_ON_NAMES = frozenset(
    {"del_var", "ev", "ex", "getoutput", "push", "run_cell_magic", "run_line_magic", "system"}
    | {"system_piped", "system_raw", "var_expand"}
)


class StepShell:
    """The notebook's shell, with another namespace. For one attempt."""

    def __init__(self, shell: Any, namespace: dict[str, object]) -> None:
        self._shell = shell
        self.user_ns = namespace
        self.user_global_ns = namespace

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._shell, name)
        if name in _ON_NAMES and isinstance(found, MethodType):
            # The same function without a frame in between: it counts frames to find names.
            return MethodType(found.__func__, self)
        return found

    def _find_with_lazy_load(self, kind: str, name: str) -> Any:
        # Where IPython itself looks for the magic it is to run.
        return self._adopted(self._shell._find_with_lazy_load(kind, name))

    def find_line_magic(self, name: str) -> Any:
        """The magic, working for the step."""
        return self._adopted(self._shell.find_line_magic(name))

    def find_cell_magic(self, name: str) -> Any:
        """The magic, working for the step."""
        return self._adopted(self._shell.find_cell_magic(name))

    def _adopted(self, magic: Any) -> Any:
        # With this shell in the place of the notebook's.
        owner: Any = getattr(magic, "__self__", None)
        if owner is None or getattr(owner, "shell", None) is not self._shell:
            return magic
        mine = copy.copy(owner)
        mine.shell = self
        return MethodType(magic.__func__, mine)


def give_shell(namespace: dict[str, object]) -> None:
    """Let `get_ipython()` in this namespace mean a shell that works on it."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        namespace["get_ipython"] = _giving(StepShell(shell, namespace))


def _giving(shell: StepShell) -> Callable[[], StepShell]:
    def get_ipython() -> StepShell:
        """The shell, as this step sees it."""
        return shell

    return get_ipython
