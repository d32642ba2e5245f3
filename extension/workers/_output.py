"""What a step prints and displays: kept with the step, and passed on while it runs.

Many steps run at once in one process that has one `sys.stdout`. Which step a piece of
text belongs to is told by a context variable, which threads started for a step and tasks
of an async step carry with them.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any, cast

from stepwell.store.values import SECRETS

__all__ = ["Recorder", "Relay", "recording"]

_LOG = logging.getLogger("stepwell.workers")

Entry = dict[str, Any]
"""An output in nbformat's shape: `stream`, `display_data` or `update_display_data`."""

TEXT_LIMIT = 1_000_000
ENTRY_LIMIT = 1_000
ENDING_LIMIT = 20

recording: ContextVar["Recorder | None"] = ContextVar("stepwell_recording", default=None)
"""The recorder of the step that is running here."""


class Recorder:
    """The outputs of one attempt, in order; streams joined, the excess left out and counted."""

    __slots__ = (
        *("_characters", "_entries", "_omitted", "_pending", "_relay"),
        *("where", "__weakref__"),
    )
    # Held for moments, and one for all: most steps say nothing, few much at once.
    _lock = threading.Lock()

    def __init__(self, relay: "Relay | None" = None, where: object = None) -> None:
        self.where = where
        # Text in pieces: joining at each write would copy all of it each time. The lists are
        # made when there is something to put in.
        self._entries: list[Entry] | None = None
        self._relay = relay
        self._pending: list[Entry] | None = None
        self._characters = 0
        self._omitted = 0

    def write(self, stream: str, text: str) -> None:
        """Text printed to `stdout` or `stderr`."""
        if not text:
            return
        with self._lock:
            self._characters += len(text)
            if self._characters > TEXT_LIMIT:
                self._omitted += len(text)
                return
            self._append_text(stream, text)
        self._notify()

    def display(self, kind: str, content: Entry) -> None:
        """A `display_data` or `update_display_data` message's content."""
        entry = {"output_type": kind, **content}
        with self._lock:
            self._entries = self._entries or []
            if len(self._entries) >= ENTRY_LIMIT:
                self._omitted += 1
                return
            self._entries.append(entry)
            if self._relay is not None:
                self._pending = self._pending or []
                self._pending.append(entry)
        self._notify()

    def take_pending(self) -> list[Entry]:
        """What has not been passed on yet."""
        with self._lock:
            pending, self._pending = self._pending, None
        return [_joined(entry) for entry in pending or ()]

    def ending(self, characters: int) -> list[Entry]:
        """The end of what has been said so far: about so many characters, and as many displays
        as came with them.
        """
        found: list[Entry] = []
        with self._lock:
            for entry in reversed(self._entries or ()):
                if characters <= 0 or len(found) >= ENDING_LIMIT:
                    break
                if entry["output_type"] != "stream":
                    found.append(entry)
                    continue
                pieces, characters = _last_pieces(entry["text"], characters)
                found.append({**entry, "text": pieces})
        return [_joined(entry) for entry in reversed(found)]

    def finish(self) -> list[Entry]:
        """Everything, for the store; says so where something was left out."""
        if not (self._entries or self._omitted):
            return []
        with self._lock:
            if self._omitted:
                note = f"\n… {self._omitted:,} more characters or displays were not kept\n"
                self._append_text("stderr", note)
                self._omitted = 0
        if self._relay is not None:
            self._relay.flush(self)
        return [_joined(entry) for entry in self._entries or ()]

    def _append_text(self, stream: str, text: str) -> None:
        self._entries = _with_text(self._entries or [], stream, text)
        if self._relay is not None:
            self._pending = _with_text(self._pending or [], stream, text)

    def _notify(self) -> None:
        if self._relay is not None:
            self._relay.due(self)


def _last_pieces(pieces: list[str], characters: int) -> tuple[list[str], int]:
    """Whole ones, so that nothing which is to be covered is cut in two; and what is left."""
    first = len(pieces)
    while first and characters > 0:
        first -= 1
        characters -= len(pieces[first])
    return pieces[first:], characters


def _with_text(entries: list[Entry], stream: str, text: str) -> list[Entry]:
    last = entries[-1] if entries else None
    if last is not None and last["output_type"] == "stream" and last["name"] == stream:
        last["text"].append(text)
    else:
        entries.append({"output_type": "stream", "name": stream, "text": [text]})
    return entries


def _joined(entry: Entry) -> Entry:
    if entry["output_type"] == "stream":
        entry = {**entry, "text": "".join(entry["text"])}
    return cast("Entry", SECRETS.covered(entry))


class Relay:
    """Passes outputs on while steps run, in bunches, so that a loop that prints does not flood.

    `send(where, entries)` is called on a thread of the relay's own, or on the step's when
    it ends; one call at a time. What cannot be sent is kept with the step all the same.
    """

    SECONDS = 0.1

    def __init__(self, send: Callable[[object, list[Entry]], None]) -> None:
        self._send = send
        self._due: dict[int, Recorder] = {}
        self._lock = threading.Lock()
        # Held from taking to having sent, so that nothing overtakes what was said before.
        self._sending = threading.Lock()
        self._is_running = False
        # Places in which something else is to be shown first, and who waits for that.
        self._held: dict[int, list[Recorder]] = {}

    def hold(self, where: object) -> None:
        """Pass nothing on to this place until it is released."""
        with self._lock:
            self._held.setdefault(id(where), [])

    def release(self, where: object) -> None:
        """Pass on what was held back, and everything after it."""
        with self._lock:
            waiting = self._held.pop(id(where), [])
        for recorder in waiting:
            self._pass_on(recorder)

    def due(self, recorder: Recorder) -> None:
        """The recorder has something to pass on."""
        with self._lock:
            self._due[id(recorder)] = recorder
            if self._is_running:
                return
            self._is_running = True
        threading.Thread(target=self._run, name="stepwell-output", daemon=True).start()

    def flush(self, recorder: Recorder) -> None:
        """Pass on what the recorder has, now."""
        with self._lock:
            self._due.pop(id(recorder), None)
        self._pass_on(recorder)

    def _pass_on(self, recorder: Recorder) -> None:
        with self._lock:
            if (waiting := self._held.get(id(recorder.where))) is not None:
                waiting.append(recorder)
                return
        with self._sending:
            entries = recorder.take_pending()
            if not entries:
                return
            try:
                # In a context of its own: what `send` prints is not the step's.
                Context().run(self._send, recorder.where, entries)
            except Exception:
                _LOG.exception("what a step said could not be shown")

    def _run(self) -> None:
        while True:
            time.sleep(self.SECONDS)
            with self._lock:
                due, self._due = self._due, {}
                if not due:
                    self._is_running = False
                    return
            for recorder in due.values():
                self._pass_on(recorder)
