"""Into a shell, and out of it without a trace."""

import subprocess
import sys
from typing import Any

from stepwell.magics import register


def traces(shell: Any) -> dict[str, Any]:
    """Everything in a shell that registering may touch."""
    manager = shell.magics_manager
    completer = shell.Completer
    return {
        "line": dict(manager.magics["line"]),
        "cell": dict(manager.magics["cell"]),
        "registry": dict(manager.registry),
        "transforms": list(shell.input_transformers_cleanup),
        "matchers": list(completer.custom_matchers),
        "configurables": list(shell.configurables),
    }


def test_nothing_is_left_behind(bare_shell: Any, notebook: Any) -> None:
    """Taking the magics away restores the shell exactly; doing it twice does no harm."""
    before = traces(bare_shell)
    unregister = register(bare_shell, notebook)
    during = traces(bare_shell)
    assert {key for key in before if before[key] != during[key]} == set(before)
    unregister()
    unregister()
    assert traces(bare_shell) == before


def test_registering_twice_does_not_double(bare_shell: Any, notebook: Any) -> None:
    """The later notebook takes over; the earlier one's way out no longer does anything."""
    before = traces(bare_shell)
    earlier, later = type(notebook)(), notebook
    undo_earlier = register(bare_shell, earlier)
    once = {key: len(value) for key, value in traces(bare_shell).items()}
    undo_later = register(bare_shell, later)
    assert {key: len(value) for key, value in traces(bare_shell).items()} == once
    undo_earlier()
    bare_shell.run_cell("%stepwell status")
    bare_shell.run_cell("%%setup\nx = 1\n")
    assert earlier.calls == []
    assert later.calls == [("status",), ("setup", "x = 1\n")]
    undo_later()
    assert traces(bare_shell) == before


def test_magics_of_the_same_name_come_back(bare_shell: Any, notebook: Any) -> None:
    """What another extension had under one of our names is restored."""
    manager = bare_shell.magics_manager

    def theirs(line: str) -> str:
        return line

    bare_shell.register_magic_function(theirs, "line", "agent")
    register(bare_shell, notebook)()
    assert manager.magics["line"].pop("agent") is theirs


def test_a_magic_put_over_ours_stays(bare_shell: Any, notebook: Any) -> None:
    """Taking ours away does not take away what somebody put in their place."""
    manager = bare_shell.magics_manager

    def theirs(line: str) -> str:
        return line

    unregister = register(bare_shell, notebook)
    bare_shell.register_magic_function(theirs, "line", "agent")
    unregister()
    assert manager.magics["line"].pop("agent") is theirs


def test_importing_the_package_does_not_load_ipython() -> None:
    """The magics are cheap to import until there is a shell."""
    code = "import stepwell.magics, sys; sys.exit('IPython' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
