"""The widget behind everything live: one to a notebook, without a place of its own.

It is never displayed. A display of it would be kept by the notebook and read "model not
found" as soon as the kernel is gone; so its script looks for what stands in the cells (static
HTML that names its run) and draws over that. Where there is no model any more, the HTML is
what is seen.

Only front ends whose outputs live in documents of their own (VS Code) are given a display.
"""

from collections.abc import Callable
from typing import Any, cast

import anywidget

from stepwell.widgets._script import script, style
from stepwell.widgets._snapshot import Message
from stepwell.widgets._view import Bundle

__all__ = ["WidgetLink"]


class StepwellModel(anywidget.AnyWidget):
    """State travels by messages alone: traits would be echoed, and written by two sides."""

    _esm = script()
    _css = style()


class WidgetLink:
    """Messages to and from the model of every front end. See `Link`.

    `route` has what comes in delivered while a cell is running, if the kernel can do that;
    it answers whether it can.
    """

    def __init__(self, hear: Callable[[Message], None], route: Callable[[Any], bool]) -> None:
        self._hear = hear
        self._model: Any = StepwellModel()
        # First of all: making the way takes long enough for a front end to say hello.
        self._model.on_msg(self._receive)
        self.is_prompt = route(self._model.comm)

    def _receive(self, model: object, content: object, buffers: object) -> None:
        # On the kernel's thread: an error here would be shown nowhere.
        if isinstance(content, dict):
            self._hear(cast("Message", content))

    def send(self, message: Message) -> None:
        """Say it to all of them."""
        self._model.send(message)

    def display(self) -> Bundle:
        """For front ends whose scripts cannot reach what stands in the cells."""
        kind = "application/vnd.jupyter.widget-view+json"
        return {kind: _reference(self._model.model_id), "text/plain": ""}

    def close(self) -> None:
        """The models in the front ends go, and with them all that was drawn."""
        self._model.close()


def _reference(model: str) -> Message:
    return {"version_major": 2, "version_minor": 0, "model_id": model}
