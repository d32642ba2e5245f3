"""The one module that knows the kernel's insides: which cell is running, and how to reach one.

Whatever stepwell sends from its own threads carries the header of the cell it belongs to.
Left to itself the kernel would attach it to the cell that happens to run, or to a click.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from stepwell.errors import UnsupportedEnvironment
from stepwell.subshell import Subshell

__all__ = ["Frontend", "KernelFrontend", "NoFrontend", "frontend_for", "watch_requests"]

Content = dict[str, Any]

_SHUTDOWN_SWITCH_SECONDS = 0.0001


def watch_requests(begins: Callable[[], None], ends: Callable[[], None]) -> Callable[[], None]:
    """Have these called around whatever this process's kernel is asked for: a cell, a comm's
    message, a completion. The answer takes that back. Without a kernel there is nothing to watch.
    """
    ipython = sys.modules.get("IPython")
    kernel: Any = getattr(ipython and ipython.get_ipython(), "kernel", None)
    if kernel is None:
        return lambda: None
    before, after = kernel.pre_handler_hook, kernel.post_handler_hook

    def pre_handler_hook() -> None:
        begins()
        before()

    def post_handler_hook() -> None:
        after()
        ends()

    hooks = {"pre_handler_hook": pre_handler_hook, "post_handler_hook": post_handler_hook}
    had = {name: kernel.__dict__[name] for name in hooks if name in kernel.__dict__}
    kernel.__dict__.update(hooks)

    def take_back() -> None:
        for name, hook in hooks.items():
            # Unless somebody else has taken the same place meanwhile.
            if kernel.__dict__.get(name) is hook:
                del kernel.__dict__[name]
                kernel.__dict__.update({name: had[name]} if name in had else {})

    return take_back


class Frontend(Protocol):
    """Where people look, if there is such a place."""

    def where(self) -> object:
        """The cell that is being executed; None when there is none."""
        ...

    def cell_id(self) -> str:
        """The notebook's id of that cell, where the front end sends one."""
        ...

    def show(self, bundle: Mapping[str, object], display_id: str, where: object) -> None:
        """A new display in that cell."""
        ...

    def update(self, bundle: Mapping[str, object], display_id: str, where: object) -> None:
        """Another content for a display made by `show`."""
        ...

    def relay(self, where: object, entries: list[Content]) -> None:
        """A step's own outputs, into its cell."""
        ...

    def before_thread(self) -> None:
        """On each new thread that runs steps: let `display` find the step."""
        ...

    def is_attended(self) -> bool:
        """Whether somebody sits before the cell that is being executed, and could click."""
        ...

    def route(self, comm: Any) -> bool:
        """Have a widget's messages heard while a cell runs; whether that can be done."""
        ...

    def on_main(self, work: Callable[[], None]) -> None:
        """Call `work` on the main thread, between cells."""
        ...

    def has_outputs_apart(self) -> bool:
        """Whether each output is a document of its own, out of a script's reach: VS Code."""
        ...

    def is_restarting(self) -> bool:
        """Whether this kernel is about to be replaced: front ends have let go of it already."""
        ...

    def on_shutdown(self, work: Callable[[], None]) -> Callable[[], None]:
        """Call `work` when the kernel is asked to end; the answer takes that back."""
        ...


class NoFrontend:
    """A script, or a terminal: what a step prints goes where print goes."""

    def where(self) -> object:
        """There are no cells."""
        return None

    def cell_id(self) -> str:
        """There are no cells."""
        return ""

    def show(self, bundle: Mapping[str, object], display_id: str, where: object) -> None:
        """Nobody is looking."""

    def update(self, bundle: Mapping[str, object], display_id: str, where: object) -> None:
        """Nobody is looking."""

    def relay(self, where: object, entries: list[Content]) -> None:
        """Text to the terminal; displays as their plain text."""
        for entry in entries:
            if entry["output_type"] == "stream":
                stream = sys.stderr if entry["name"] == "stderr" else sys.stdout
                stream.write(entry["text"])
            else:
                sys.stdout.write(str(entry.get("data", {}).get("text/plain", "")) + "\n")

    def before_thread(self) -> None:
        """Nothing to prepare."""

    def is_attended(self) -> bool:
        """There is nothing to click at."""
        return False

    def route(self, comm: Any) -> bool:
        """There are no widgets."""
        return False

    def on_main(self, work: Callable[[], None]) -> None:
        """Here and now: nobody waits for cells to end."""
        work()

    def has_outputs_apart(self) -> bool:
        """There are none."""
        return False

    def is_restarting(self) -> bool:
        """There is no kernel."""
        return False

    def on_shutdown(self, work: Callable[[], None]) -> Callable[[], None]:
        """The interpreter's own exit is all there is."""
        return lambda: None


class KernelFrontend:
    """An ipykernel, 7.1 or newer. Its sockets take messages from any thread."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._kernel = shell.kernel
        self._subshell = Subshell(self._kernel)
        self._is_restarting = False

    def where(self) -> object:
        """The request that the main shell is answering."""
        return self._shell.get_parent()

    def cell_id(self) -> str:
        """As sent with the request; nbclient and others send none."""
        parent: Content = self._shell.get_parent() or {}
        metadata: Content = parent.get("metadata") or {}
        return str(metadata.get("cellId") or "")

    def show(self, bundle: Mapping[str, object], display_id: str, where: object) -> None:
        """A new display in that cell."""
        self._send("display_data", _content(bundle, display_id), where)

    def update(self, bundle: Mapping[str, object], display_id: str, where: object) -> None:
        """Another content for the display."""
        self._send("update_display_data", _content(bundle, display_id), where)

    def relay(self, where: object, entries: list[Content]) -> None:
        """A step's own outputs, into its cell."""
        if where is None:
            return
        for entry in entries:
            kind = entry["output_type"]
            content = {key: value for key, value in entry.items() if key != "output_type"}
            self._send(kind, content, where)

    def before_thread(self) -> None:
        """Catch what `display` sends from this thread."""
        self._shell.display_pub.register_hook(_catch_display)

    def is_attended(self) -> bool:
        """Who may be asked for input is there; nbclient and papermill say they are not."""
        parent: Content = self._shell.get_parent() or {}
        content: Content = parent.get("content") or {}
        return bool(content.get("allow_stdin"))

    def route(self, comm: Any) -> bool:
        """By a subshell of our own."""
        return self._subshell.route(comm)

    def on_main(self, work: Callable[[], None]) -> None:
        """On the loop that executes cells; also while a cell awaits something."""
        self._kernel.io_loop.add_callback(work)

    def has_outputs_apart(self) -> bool:
        """VS Code leaves the notebook's path in the namespace."""
        return "__vsc_ipynb_file__" in self._shell.user_ns

    def is_restarting(self) -> bool:
        """As the shutdown request has said."""
        return self._is_restarting

    def on_shutdown(self, work: Callable[[], None]) -> Callable[[], None]:
        """Before the kernel answers a shutdown request; it has about two seconds."""
        kernel = self._kernel
        original = kernel.do_shutdown

        def do_shutdown(restart: bool) -> Any:
            # A step that computes lets go of the interpreter 200 times a second, too rarely
            # for all the threads that have to come to their end in these two seconds.
            sys.setswitchinterval(_SHUTDOWN_SWITCH_SECONDS)
            self._is_restarting = restart
            work()
            return original(restart)

        kernel.do_shutdown = do_shutdown

        def take_back() -> None:
            if kernel.__dict__.get("do_shutdown") is do_shutdown:
                del kernel.do_shutdown

        return take_back

    def _send(self, kind: str, content: Content, where: object) -> None:
        kernel = self._kernel
        if kernel.iopub_socket is None:
            return
        kernel.session.send(
            kernel.iopub_socket, kind, content, parent=where, ident=kernel._topic(kind)
        )


def _content(bundle: Mapping[str, object], display_id: str) -> Content:
    return {"data": dict(bundle), "metadata": {}, "transient": {"display_id": display_id}}


def _catch_display(message: Content) -> Content | None:
    """A display hook: what a step displays is the step's; anything else goes its way."""
    from stepwell.workers import recording

    recorder = recording.get()
    if recorder is None:
        return message
    recorder.display(message["header"]["msg_type"], dict(message["content"]))
    return None


def frontend_for(shell: Any) -> Frontend:
    """The front end of this IPython. Raises `UnsupportedEnvironment` for a kernel that cannot."""
    if getattr(shell, "kernel", None) is None:
        return NoFrontend()
    from importlib.metadata import version

    found = version("ipykernel")
    if tuple(int(part) for part in found.split(".")[:2]) < (7, 1):
        raise UnsupportedEnvironment(
            f"stepwell needs ipykernel 7.1 or newer; this kernel is {found} "
            f"(7.0 loses or misroutes everything that is shown from another thread). "
            f"In the kernel's environment: pip install 'ipykernel>=7.1', then restart the kernel"
        )
    return KernelFrontend(shell)
