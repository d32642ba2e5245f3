"""A way into the kernel that a running cell does not block. The only module that knows how.

The kernel hands each message for a widget to the thread it was last heard from, by
default the one that runs cells: a click made while a cell computes waits for the cell.
So a subshell of our own is made, by the public protocol, and the kernel is told to hand our
widget's messages to that. The telling is a private method of ipykernel 7.4's comms; where it
is missing, JupyterLab's own subshells do the same from ipykernel 7.1 to 7.3, and elsewhere
a click waits: `route` says which it is.
"""

import logging
from typing import Any

__all__ = ["Subshell"]

_LOG = logging.getLogger("stepwell.subshell")
_HOOK = "_reply_subshell_for"
_PATIENCE_SECONDS = 5.0


class Subshell:
    """A subshell of a kernel, made when it is first needed. One thread at a time may call."""

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._id = ""

    def route(self, comm: Any) -> bool:
        """Have what comes in on this comm handled while a cell runs; whether that can be done."""
        if not hasattr(comm, _HOOK) or not getattr(
            self._kernel, "_supports_kernel_subshells", False
        ):
            return False
        try:
            self._id = self._id or _ask(self._kernel, "create_subshell_request", {}, "subshell_id")
        except Exception:
            # A kernel that refuses, or that is ending: clicks wait for the cell then.
            _LOG.exception("no subshell could be made; clicks are heard between cells only")
        if not self._id:
            return False
        subshell = self._id

        def always_ours(data: object, default: object) -> str:
            return subshell

        setattr(comm, _HOOK, always_ours)
        return True

    def close(self) -> None:
        """Give the subshell back. Not while the kernel is ending: it would not answer."""
        if self._id:
            subshell, self._id = self._id, ""
            _ask(self._kernel, "delete_subshell_request", {"subshell_id": subshell}, "")


def _ask(kernel: Any, request: str, content: dict[str, str], wanted: str) -> str:
    """Ask the kernel by its own control channel, as a front end would."""
    from ipykernel.connect import get_connection_file
    from jupyter_client.blocking.client import BlockingKernelClient

    client: Any = BlockingKernelClient(connection_file=get_connection_file())
    client.load_connection_file()
    client.start_channels(shell=False, iopub=False, stdin=False, hb=False, control=True)
    try:
        message = client.session.msg(request, content)
        client.control_channel.send(message)
        reply = client.get_control_msg(timeout=_PATIENCE_SECONDS)
    finally:
        client.stop_channels()
    return str(reply["content"].get(wanted) or "")
