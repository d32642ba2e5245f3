"""Cards that stay up to date.

`open` shows a card in the calling thread, so that it stands in its cell before the cell is
done. `update` may be called from any thread and only notes what is new. One daemon thread
shows it, as often as front ends bear; it is started when there is something to show and
ends when nothing has happened for a while.

States are shown in the order in which they are told. Whoever opens a card while the step
goes on makes its view where updates are made, or an old state may be told after a new one.

Two locks: `_lock` guards what is noted and is held for moments; `_showing` is held while a
card is rendered and sent, so that a newer state is never overtaken by an older one. They
are taken in the order `_showing`, `_lock`.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from stepwell.orchestrator import Phase, StepView
from stepwell.widgets._card import card
from stepwell.widgets._pace import SECOND, Pace
from stepwell.widgets._view import Bundle

__all__ = ["Board", "Publisher"]

_LOG = logging.getLogger("stepwell.widgets")
_FINAL = frozenset({Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED, Phase.SKIPPED, Phase.UNDONE})
_IDLE_SECONDS = 60.0


class Publisher(Protocol):
    """Sends displays to the front end. Called from any thread, one call at a time."""

    def show(self, bundle: Bundle, display_id: str, where: object) -> None:
        """A new display in the cell that `where` stands for."""
        ...

    def update(self, bundle: Bundle, display_id: str, where: object) -> None:
        """Another content for the display, wherever it is shown."""
        ...


@dataclass(slots=True)
class _Place:
    """Where a step's card is, and what is to be seen there."""

    display_id: str
    where: object
    view: StepView


class Board:
    """The cards of one notebook, one to a step.

    The newest state is always shown in the end. A state is shown at most four times a second
    per card and ten times a second in all; a final one (done, failed, cancelled) at once. The
    time of a running step is counted up each second, after a minute every ten. `clock` gives
    microseconds since 1970.
    """

    def __init__(
        self,
        publisher: Publisher,
        clock: Callable[[], int],
        *,
        idle_seconds: float = _IDLE_SECONDS,
    ) -> None:
        self._publisher = publisher
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._prefix = f"stepwell-{uuid4().hex[:12]}"
        self._places: dict[str, _Place] = {}
        self._pace = Pace()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._showing = threading.RLock()
        self._thread: threading.Thread | None = None
        self._wakes = 0
        self._closed = False

    def open(self, view: StepView, where: object) -> None:
        """Show the step's card in a cell. With `where` None there is no cell: nothing happens.

        A card that is shown already is shown here as well; both places are kept up to date.
        """
        if where is None or self._closed:
            return
        with self._showing:
            with self._lock:
                now = self._clock()
                place = self._places.get(view.name)
                if place is None:
                    display_id = f"{self._prefix}-{len(self._places)}"
                    place = self._places[view.name] = _Place(display_id, where, view)
                place.where, place.view = where, view
                self._pace.opened(view.name, now, since=_running_since(view))
                self._wake(now)
            self._send(self._publisher.show, place, now)

    def update(self, view: StepView) -> None:
        """Note the step's newest state. Steps whose card is not open are passed over."""
        place = self._places.get(view.name)
        if place is None:
            return
        with self._lock:
            if place.view == view or self._closed:
                return
            place.view = view
            now = self._clock()
            self._pace.changed(
                view.name, now, since=_running_since(view), is_final=view.phase in _FINAL
            )
            self._wake(now)

    def flush(self) -> None:
        """Show everything new now, in the calling thread."""
        with self._showing:
            with self._lock:
                now = self._clock()
                cards = self._pace.everything(now)
            self._show(cards, now)

    def close(self) -> None:
        """Show everything new, then nothing any more. Safe to call twice."""
        self.flush()
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=2)

    # -- the thread -------------------------------------------------------------------------

    def _wake(self, now: int) -> None:
        """With the lock held: see to it that somebody shows what is new when it is due."""
        due = self._pace.next(now)
        if due is None:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="stepwell-cards", daemon=True)
            self._wakes = due
            self._thread.start()
        elif due < self._wakes:
            self._wakes = due
            self._changed.notify_all()

    def _run(self) -> None:
        while self._wait():
            with self._showing:
                with self._lock:
                    now = self._clock()
                    cards = [] if self._closed else self._pace.due(now)
                self._show(cards, now)

    def _wait(self) -> bool:
        """Until something is due; False when the thread is not needed any more."""
        with self._lock:
            while not self._closed:
                now = self._clock()
                due = self._pace.next(now)
                if due is not None and due <= now:
                    return True
                # With nothing due, any change is sooner than this.
                self._wakes = now + 1_000_000 * SECOND if due is None else due
                seconds = self._idle_seconds if due is None else (due - now) / SECOND
                woken = self._changed.wait(max(seconds, 0.001))
                if not woken and self._pace.next(self._clock()) is None:
                    self._thread = None
                    return False
            return False

    def _show(self, cards: list[str], now: int) -> None:
        for name in cards:
            self._send(self._publisher.update, self._places[name], now)

    def _send(self, send: Callable[[Bundle, str, object], None], place: _Place, now: int) -> None:
        # One card that cannot be shown must not keep the others from being shown.
        try:
            send(card(place.view, now=now), place.display_id, place.where)
        except Exception:
            _LOG.exception("the card of step %r could not be shown", place.view.name)


def _running_since(view: StepView) -> int:
    """Since when its time is counted up, or down to a retry; 0 where it is not."""
    # A card that asks stands still: somebody may be writing in the form that is drawn over it.
    asks = view.approval is not None and view.approval.status == "pending"
    return view.since if not asks and (view.phase is Phase.RUNNING or view.retry_at) else 0
