"""What front ends are told while they look: snapshots, changes, and answers.

Front ends lose messages without a word, come late, and there may be several. So every
message bears a number, a front end that misses one asks for everything again, and a change
is a step's whole state: told twice, or after a snapshot that has it already, it does no harm.

One daemon thread does all of it. `changed`, `happened` and `hear` may be called from any
thread; they note what is new and return. What the source is asked for it is asked for on
that thread, and so is what people do: a click waits behind nothing but other clicks.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, Protocol, TypeGuard

from stepwell.errors import StepwellError
from stepwell.orchestrator import RunView, StepView
from stepwell.widgets._snapshot import Message, run_facts, step_facts
from stepwell.widgets._spans import SpanRecord, Spans
from stepwell.widgets._text import line
from stepwell.widgets._view import Bundle

__all__ = ["Connect", "Link", "Live", "Source"]

_LOG = logging.getLogger("stepwell.widgets")
INTERVAL = 0.1
"""Seconds between two messages about changes: at most ten a second."""
EVERYTHING = 15.0
"""Seconds between two snapshots that nobody asked for, while something changes."""
KEPT = 1.0
"""Seconds after which what stands in the cells follows, while nobody has a live view."""
KEPT_WHILE_VIEWED = 30.0
AWAY = 25.0
"""Seconds without a word after which a front end is taken to be gone."""
SILENT = 11.0
"""Seconds without a word after which front ends are asked whether they are there."""
ANSWER = 2.0
"""Seconds in which they answer."""
_LONGER, _LONGEST = 1.3, 120.0
_SNAPSHOT_STEPS = 1000
"""A run of more steps than this is told whole only to those who ask."""
_PART = 1000


class Link(Protocol):
    """Messages to every front end that shows the notebook."""

    def send(self, message: Message) -> None:
        """Say it to all of them."""
        ...

    def display(self) -> Bundle:
        """For front ends whose scripts cannot reach what stands in the cells."""
        ...

    def close(self) -> None:
        """They fall back to what stands in the notebook."""
        ...


Connect = Callable[[Callable[[Message], None]], Link]
"""Makes a link; what front ends say is given to the function, on any thread."""


class Source(Protocol):
    """Where a live view gets what it shows. Called on the view's thread alone."""

    def run(self) -> RunView:
        """The current run, with all its steps."""
        ...

    def steps(self, names: Iterable[str]) -> tuple[RunView, list[StepView]]:
        """The run without its steps, and of these the ones it has."""
        ...

    def spans(self) -> Spans:
        """When the run's attempts began and ended, as far as it is on disk."""
        ...

    def is_cut_off(self) -> bool:
        """Whether somebody is asked while the kernel is so busy that a page which is loaded
        now is not told of the live view when it asks for it.
        """
        ...

    def verbs(self) -> list[str]:
        """What a person can do from here: `run`, `cancel`, `rerun`, …"""
        ...

    def answer(self, kind: str, message: Message) -> object:
        """Answer a request, as plain JSON, now or in the future.

        Raises `StepwellError` with what to say instead.
        """
        ...

    def keep(self) -> None:
        """Write the run as it is now into the cells that show it."""
        ...


class Live:
    """The live layer of one notebook, over what stands in its cells."""

    def __init__(self, source: Source, connect: Connect) -> None:
        self._source = source
        self._connect = connect
        self._link: Link | None = None
        self._mail: deque[Message] = deque()
        self._dirty: dict[str, None] = {}
        self._spans: Spans | None = None
        self._is_whole = False
        self._sent: dict[str, Message] = {}
        self._number = 0
        self._last_whole = 0.0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._heard = -AWAY
        self._kept_due: float | None = None
        self._pause = SILENT
        self._doubt_due = time.monotonic() + SILENT
        self._has_asked = False
        self._was_running = False
        self._kept_run = ""

    # -- from any thread ------------------------------------------------------------------

    def open(self) -> None:
        """Be there for whoever looks. Opening twice is harmless."""
        with self._changed:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="stepwell-view", daemon=True)
                self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether anybody may be looking."""
        return self._thread is not None

    def happened(self, record: SpanRecord) -> None:
        """A record was written that tells when something ran or waited."""
        if self._spans is not None:
            with self._changed:
                self._spans.note(record)

    def changed(self, names: Iterable[str], *, is_whole: bool = False) -> None:
        """Of these steps something else is to be said; `is_whole`: of the run itself."""
        if self._thread is None:
            return
        with self._changed:
            self._dirty.update(dict.fromkeys(names))
            self._is_whole |= is_whole
            if self._dirty or self._is_whole:
                self._changed.notify()

    def hear(self, message: Message) -> None:
        """A front end says something."""
        with self._changed:
            self._mail.append(message)
            self._changed.notify()

    def close(self, *, is_silent: bool = False) -> None:
        """Say nothing more; front ends fall back to what stands in the cells. Twice is harmless.

        `is_silent`: they know already that this is the end, and would be confused by hearing it.
        """
        with self._changed:
            self._closed = True
            thread, self._thread = self._thread, None
            self._changed.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=1)
        link, self._link = self._link, None
        if link is not None and not is_silent:
            link.close()

    # -- the thread -----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._link = self._connect(self.hear)
        except Exception:
            # What stands in the notebook is all there is then, and is enough to read.
            _LOG.exception("the live view could not be opened")
        while self._wait():
            try:
                self._work(self._link)
            except Exception:
                _LOG.exception("the live view could not be brought up to date")

    def _wait(self) -> bool:
        with self._changed:
            due = min(self._kept_due or self._doubt_due, self._doubt_due)
            self._changed.wait_for(self._has_work, max(0.0, due - time.monotonic()))
            return not self._closed

    def _has_work(self) -> bool:
        return bool(self._closed or self._mail or self._dirty or self._is_whole)

    def _work(self, link: Link | None) -> None:
        while self._mail:
            self._read(link, self._mail.popleft())
        if self._dirty or self._is_whole:
            self._tell(link)
            # Mail ends the pause: nobody who clicks waits for it.
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._mail, INTERVAL)
        if self._kept_due is not None and self._kept_due <= time.monotonic():
            self._kept_due = None
            self._source.keep()
        if link is not None and self._doubt_due <= time.monotonic():
            self._doubt(link)

    def _doubt(self, link: Link) -> None:
        """Nothing was heard for long. A page that was loaded anew meanwhile asks the kernel
        which widgets there are, and has no answer while a cell computes: told by the kernel
        itself of a new one, it shows that at once.
        """
        self._has_asked = not self._has_asked
        if self._has_asked:
            link.send({"kind": "there?"})
            self._doubt_due = time.monotonic() + ANSWER
            return
        self._pause = min(_LONGER * self._pause, _LONGEST)
        self._doubt_due = time.monotonic() + self._pause
        if self._source.is_cut_off():
            self._link = self._connect(self.hear)
            # Should there be a page after all that has the old one: it must not draw both.
            link.close()

    @property
    def _is_viewed(self) -> bool:
        return time.monotonic() - self._heard < AWAY

    def _read(self, link: Link | None, message: Message) -> None:
        self._heard = time.monotonic()
        self._pause, self._doubt_due, self._has_asked = SILENT, self._heard + SILENT, False
        kind, number = str(message.get("kind", "")), message.get("id")
        if link is None or kind == "here":
            return
        if kind == "hello":
            self._tell_everything(link)
            return
        try:
            value = self._source.answer(kind, message)
        except BaseException as error:
            link.send(_refusal(number, error))
            return
        if _is_promise(value):
            value.add_done_callback(lambda done: _settle(link, number, done))
        else:
            link.send({"kind": "answer", "id": number, "value": value})

    def _tell(self, link: Link | None) -> None:
        with self._changed:
            names, self._dirty = list(self._dirty), {}
            is_whole, self._is_whole = self._is_whole, False
        if link is None or not self._is_viewed:
            self._keep_soon(self._source.steps(())[0])
            return
        is_due = time.monotonic() - self._last_whole > EVERYTHING
        if is_whole or (is_due and len(self._sent) <= _SNAPSHOT_STEPS):
            self._tell_everything(link)
        else:
            self._tell_changes(link, names)

    def _keep_soon(self, run: RunView) -> None:
        """Have what stands in the cells follow: at once where a run has come to its end."""
        is_running = run.status == "running"
        seconds = KEPT_WHILE_VIEWED if self._is_viewed else KEPT
        if run.run != self._kept_run or (self._was_running and not is_running):
            seconds = 0.0
        self._was_running, self._kept_run = is_running, run.run
        due = time.monotonic() + seconds
        self._kept_due = due if self._kept_due is None else min(self._kept_due, due)

    def _tell_changes(self, link: Link, names: list[str]) -> None:
        run, views = self._source.steps(names)
        steps = [said for view in views if (said := step_facts(view)) != self._sent.get(view.name)]
        self._sent.update((said["name"], said) for said in steps)
        with self._changed:
            spans, stretches = self._spans.take_changed() if self._spans else ([], [])
        self._number += 1
        said = {"steps": steps, "spans": spans, "stretches": stretches, "run": run_facts(run)}
        link.send({"kind": "changes", "number": self._number, **said})
        self._keep_soon(run)

    def _tell_everything(self, link: Link) -> None:
        self._last_whole = time.monotonic()
        spans = self._source.spans()
        with self._changed:
            self._spans = spans
        view = self._source.run()
        steps = [step_facts(step) for step in view.steps]
        self._sent = {said["name"]: said for said in steps}
        with self._changed:
            bars, stretches = spans.everything()
        self._number += 1
        head: Message = {"kind": "snapshot", "number": self._number, "run": run_facts(view)}
        head["verbs"] = self._source.verbs()
        # In parts, so that the kernel answers others in between.
        whole: dict[str, list[Any]] = {"steps": steps, "spans": bars, "stretches": stretches}
        for at in range(0, max(1, *map(len, whole.values())), _PART):
            part = {name: rows[at : at + _PART] for name, rows in whole.items()}
            link.send({**(head if at == 0 else {"kind": "more", "number": self._number}), **part})
        self._keep_soon(view)


def _is_promise(value: object) -> "TypeGuard[Future[Any]]":
    return isinstance(value, Future)


def _settle(link: Link, number: object, done: "Future[Any]") -> None:
    error = done.exception()
    if error is not None:
        link.send(_refusal(number, error))
    else:
        link.send({"kind": "answer", "id": number, "value": done.result()})


def _refusal(number: object, error: BaseException) -> Message:
    said, kind = str(error), type(error).__name__
    if not isinstance(error, StepwellError):
        _LOG.error("a request of the live view failed", exc_info=error)
        said = f"{kind}: {line(said, 400)}"
    message = {"kind": "answer", "id": number, "error": said, "type": kind}
    if isinstance(error, StepwellError) and "problems" in error.facts:
        message["problems"] = [list(problem) for problem in error.facts["problems"]]
    return message
