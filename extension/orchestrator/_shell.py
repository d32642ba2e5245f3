"""The orchestrator: the one who takes what happens, writes it, and acts on what is durable.

Threads. One daemon thread runs an anyio loop and owns every run's state. Others reach it
by mail (`call`, a worker's reports) and never touch the state. The user's code runs on
neither. Work is done in slices of at most `SLICE` pieces of mail, so that the kernel's own
threads get their turn.

Order. An event is applied in memory at once, which lets one commit carry "this step is
done" together with "the next one starts"; but nothing is *done* about it (an attempt
started, a listener told, a caller answered) before it is on disk.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

import anyio
import anyio.abc

from stepwell.errors import StoreClosed, StoreError
from stepwell.orchestrator._answers import Answers, deny, give
from stepwell.orchestrator._apply import apply
from stepwell.orchestrator._attempts import Attempts
from stepwell.orchestrator._body import encoded
from stepwell.orchestrator._budget import BudgetSet
from stepwell.orchestrator._call_events import MessageSent
from stepwell.orchestrator._children import Children
from stepwell.orchestrator._clock import Clock, SystemClock
from stepwell.orchestrator._courtesy import COURTESY, Rush
from stepwell.orchestrator._decide import decide
from stepwell.orchestrator._decide_due import next_alarm
from stepwell.orchestrator._events import AttemptStarted, Event, RunSettled
from stepwell.orchestrator._hands import Hands
from stepwell.orchestrator._history import load
from stepwell.orchestrator._journal import Effect, Journal
from stepwell.orchestrator._limits import Limits
from stepwell.orchestrator._link import (
    Awaited,
    Begun,
    Noted,
    Paused,
    Posted,
    Reserving,
    Rested,
    Shown,
    ToOrchestrator,
)
from stepwell.orchestrator._mail import Asked, Due, Durable, Mail, Trouble, check_place
from stepwell.orchestrator._mailbox import Mailbox
from stepwell.orchestrator._minutes import Minutes
from stepwell.orchestrator._news import News
from stepwell.orchestrator._permits import PermitMail, Permits, Sharers
from stepwell.orchestrator._port import (
    NOTHING,
    AttemptId,
    Expanded,
    Failed,
    Finished,
    Happened,
    Listener,
    SignListener,
    Skipped,
    Stopped,
    Worker,
)
from stepwell.orchestrator._purse import Purse
from stepwell.orchestrator._recording import message
from stepwell.orchestrator._sealing import Sealed, Seals
from stepwell.orchestrator._state import State
from stepwell.store import Blob, Store

__all__ = ["Orchestrator"]

SLICE = 64
SLOTS = 256
RETRY_SECONDS = 1.0
LOOK_SECONDS = 0.005

Answer = TypeVar("Answer")


class Orchestrator:
    """Advances runs. Public methods may be called from any thread but its own."""

    def __init__(
        self, store: Store, worker: Worker, *, clock: Clock | None = None, slots: int = SLOTS
    ) -> None:
        self._store = store
        self._worker = worker
        self._clock: Clock = clock or SystemClock()
        self._slots = slots
        self._mailbox: Mailbox[Mail] = Mailbox(self._read, slice_=SLICE, aside=COURTESY.aside)
        self._journal = Journal(store, lambda error: self._mailbox.put(Trouble(error)))
        self._states: dict[str, State] = {}
        self._rush = Rush()
        self._news = News()
        self._minutes = Minutes()
        self._effects: list[Effect] = []
        self._answers = Answers()
        self._purse = Purse(self)
        link = ToOrchestrator(self._mailbox.put, self._clock.now, lambda: self._purse.is_limiting)
        self._hands = Hands(worker, link, self.record, self._clock.now)
        seals = Seals(store, self._mailbox.put, self._after, self._clock.now)
        show = self._news.listeners.show
        self._attempts = Attempts(
            self, self._purse, seals, self._answers, after=self._after, show=show
        )
        self._permits = Permits(self._states.get)
        self.limits = Limits(self._states, self._permits.holders)
        self.children = Children(self, partial(load, store))
        # Runs in which something has happened that was not decided about yet.
        self._moved: dict[str, None] = {}
        self._trouble: StoreError | None = None
        self._is_trying_again = False
        self._scope: anyio.CancelScope | None = None
        self._tasks: anyio.abc.TaskGroup | None = None
        self._thread: threading.Thread | None = None
        self._end: BaseException | None = None
        """Why nobody is answered any more: a mistake of ours, or the end."""
        self._process = os.getpid()

    # -- from outside -----------------------------------------------------------------

    def start(self) -> None:
        """Begin. Starting twice is harmless."""
        if self._thread is None:
            name = "stepwell-orchestrator"
            self._thread = threading.Thread(target=self._run, name=name, daemon=True)
            self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Take no more mail and end the thread; what was handed to the store is written."""
        thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():
            end = time.monotonic() + timeout
            self._mailbox.put(Asked(self._cancel, Future()))
            thread.join(timeout)
            self._journal.drain(max(0.0, end - time.monotonic()))
            self._refuse_all([])

    def listen(self, listener: Listener, *, first: bool = False) -> None:
        """Tell `listener` of everything that becomes durable from now on.

        `first`: before `is_durable` says so, to make ready what others wait for.
        """
        listeners = self._news.listeners
        (listeners.first if first else listeners.events).append(listener)

    def watch_signs(self, listener: SignListener) -> None:
        """Show `listener` what running attempts show; it is not kept."""
        self._news.listeners.signs.append(listener)

    def call(self, work: Callable[[], Answer], *, timeout: float | None = 60.0) -> Answer:
        """Run `work` on the orchestrator's thread; answer when what it wrote is durable.

        Raises what `work` raised, or the store's error while the store cannot be written.
        """
        return self._call(work, timeout)

    def look(self, work: Callable[[], Answer], *, timeout: float | None = 60.0) -> Answer:
        """Run `work`, which records nothing, on the orchestrator's thread; answer at once.

        A disk that cannot be written does not matter to it. Raises what `work` raised.
        """
        return self._call(work, timeout, is_look=True)

    def _call(
        self, work: Callable[[], Answer], timeout: float | None, *, is_look: bool = False
    ) -> Answer:
        check_place(is_running=self._thread is not None, process=self._process)
        answer: Future[Answer] = Future()
        COURTESY.go_on()  # it is we who are waited for
        self._mailbox.put(Asked(work, answer, is_look))
        # Looked at after the mail was left: either it is found there, or this is.
        if self._end is not None:
            deny(answer, self._end)
        return answer.result(timeout)

    @property
    def trouble(self) -> BaseException | None:
        """Why nothing can go on at present: a store that cannot be written, which is tried
        again and again, or a mistake of ours.
        """
        return self._end or self._trouble

    def is_durable(self, run: str, step: str) -> bool:
        """Whether all the state says of the step is on disk. Look at the state first, then ask."""
        return self._news.is_written(run, step)

    def now(self) -> int:
        """The time by the clock that all timers go by, microseconds UTC."""
        return self._clock.now()

    # -- on the orchestrator's thread ---------------------------------------------------

    @property
    def is_all_durable(self) -> bool:
        """Whether everything that has happened is on disk."""
        return self._news.is_all_written

    def state(self, run: str) -> State:
        """The state of a run that was adopted. For `work` given to `call`, and listeners."""
        return self._states[run]

    def states(self) -> list[State]:
        """Every run that was adopted. As `state`."""
        return list(self._states.values())

    def adopt(self, state: State) -> None:
        """Advance this run from now on."""
        self._states[state.run] = state
        self._purse.look()

    def expect(self, pieces: int) -> None:
        """So many things are about to happen at once. As `state`."""
        self._rush.see(pieces)

    def find(self, run: str) -> State | None:
        """The state of a run that is being advanced. Any thread may ask: at its end it is let
        go of at any moment, and what was found is then as its events leave it.
        """
        return self._states.get(run)

    def is_advancing(self, run: str) -> bool:
        """Whether this run was adopted and not let go of."""
        return run in self._states

    def release(self, run: str) -> None:
        """Let go of this run: it is as its events leave it, and nothing is decided in it."""
        del self._states[run]
        self._moved.pop(run, None)

    def release_idle(self, *, but: str) -> None:
        """Let go of runs in which nothing is under way or asked for, except this one."""
        for run, state in list(self._states.items()):
            if run != but and not (state.running or state.owed):
                del self._states[run]

    def record(
        self,
        run: str,
        event: Event,
        *,
        step: str = "",
        item: str = "",
        attempt: int = 0,
        blobs: Sequence[Blob] = (),
        objects: Mapping[str, object] = NOTHING,
    ) -> None:
        """Something happened: apply it, and write it with the blobs it speaks of."""
        at = self._clock.now()
        if isinstance(event, AttemptStarted):
            happened = Happened(run, step, attempt, at, event, item=item)
            self._take_in(happened)
            self._minutes.add_start(happened, event)
            return
        event, body = encoded(event)
        happened = Happened(run, step, attempt, at, event, objects, item)
        self._take_in(happened)
        self._minutes.add(happened, body, blobs)

    def _take_in(self, happened: Happened) -> None:
        """Apply what has happened. It is on disk, or on its way there."""
        run, step, item = happened.run, happened.step, happened.item
        # Before it is applied: whoever has seen its effect finds that it is not on disk yet.
        self._news.add(happened)
        state = self._states[run]
        event, attempt, at = happened.event, happened.attempt, happened.at
        apply(state, event, step=step, item=item, attempt=attempt, at=at)
        self._moved[run] = None
        self._attempts.follow(state, event, step, item)
        self.children.follow(state, event, step, item)
        self.limits.follow(event, at)
        if self._purse.is_limiting or isinstance(event, BudgetSet):
            self._purse.follow(state, event, AttemptId(run, step, attempt, item), at)

    def post(self, run: str, event: MessageSent, blobs: Sequence[Blob] = ()) -> None:
        """Give a message to a run, whether it is advanced or not. Raises `UnknownRun`."""
        if run in self._states:
            self.record(run, event, blobs=blobs)
        else:
            self._minutes.extend(message(self._store, run, event, self._clock.now(), blobs))

    def sharers(self, limit: str) -> Sharers:
        """Who shares the limit now. As `state`."""
        return self._permits.sharers(limit, self.limits)

    def interrupt(self, run: str, step: str) -> None:
        """End every attempt at the step that is under way: somebody has said so."""
        state = self._states[run]
        if (found := state.steps.get(step)) is not None:
            self._hands.interrupt(state, found)

    def _after(self, effect: Effect) -> None:
        self._effects.append(effect)

    def _run(self) -> None:
        end: BaseException = StoreClosed("stepwell was stopped before this was written down")
        try:
            anyio.run(self._main)
        except BaseException as error:
            # A mistake of ours. Nobody may be left waiting for a thread that is gone.
            end = error
            self._refuse_all([], end)
            raise
        finally:
            self._end = end

    def _refuse_all(self, mail: Sequence[Mail], error: BaseException | None = None) -> None:
        self._end = self._end or error or StoreClosed("stepwell has been stopped")
        for piece in (*mail, *self._mailbox.rest()):
            if isinstance(piece, Asked):
                deny(piece.answer, self._end)
        self._answers.refuse(self._end)
        self._attempts.refuse(self._end)
        self._purse.refuse(self._end)
        self._permits.refuse(self._end)

    async def _main(self) -> None:
        async with anyio.create_task_group() as tasks:
            self._tasks, self._scope = tasks, tasks.cancel_scope
            self._mailbox.open()
            try:
                await anyio.sleep_forever()
            finally:
                self._mailbox.close()
                self._rush.end()
        if self._end is not None:
            raise self._end

    def _read(self, mail: list[Mail]) -> None:
        """One slice: take note, decide, write."""
        try:
            for piece in mail:
                self._handle(piece)
            self._permits.look(self.limits, self._clock.now())
            self._moved.update(dict.fromkeys(self._states))
            while self._moved:
                run = next(iter(self._moved))
                del self._moved[run]
                self._advance(run)
            self._write()
            self._set_alarm()
            self._rush.see(len(mail))
        except BaseException as error:
            self._refuse_all(mail, error)
            self._cancel()

    def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    def _set_alarm(self) -> None:
        others = filter(None, (self.limits.next_due, self._attempts.next_due))
        due, is_idle = next_alarm(self._states.values(), min(others, default=0))
        is_idle = is_idle and self._news.is_all_written and not len(self._mailbox)
        self._clock.wake_at(due, partial(self._mailbox.put, Due()), is_idle=is_idle)

    def _handle(self, mail: Mail) -> None:
        match mail:
            case Finished() | Failed() | Stopped() | Skipped() | Expanded():
                self._attempts.report(mail)
            case Durable():
                self._written(mail.happened)
            case Asked():
                self._answer(mail)
            case (
                Noted()
                | Begun()
                | Reserving()
                | Awaited()
                | Paused()
                | Posted()
                | Rested()
                | Shown()
            ):
                self._attempts.serve(mail)
            case Trouble():
                self._in_trouble(mail.error)
            case Sealed():
                if (happened := self._attempts.unseal(mail)) is not None:
                    self._take_in(happened)
            case PermitMail():
                self._permits.take(mail)
            case Due():
                self.limits.next_due = 0
                self._attempts.ring()

    def _advance(self, run: str) -> None:
        state = self._states.get(run)
        if state is None:
            return
        now, limits = self._clock.now, self.limits
        while commands := decide(state, slots=self._slots, now=now(), limits=limits):
            for command in commands:
                self._hands.carry_out(state, command)

    def _write(self) -> None:
        happened, records = self._news.take(), self._minutes.take()
        if (hand_over := self._hands.take_leaving()) is not None:
            self._effects.append(hand_over)
        if not (records or self._effects or happened):
            return
        if happened:
            # Ahead of the answers to callers: who has been answered and looks again by
            # another call finds everything told that the first one was answered after.
            self._effects.insert(0, partial(self._landed, Durable(happened)))
            self._mailbox.look_in(LOOK_SECONDS, lambda: not self._news.is_all_written)
        self._journal.write(records, self._effects)
        self._effects = []

    def _landed(self, told: Durable) -> None:
        # At once, on the store's thread: whoever is answered after this looks at it.
        self._trouble = None
        (self._mailbox.leave if told.can_wait else self._mailbox.put)(told)

    def _written(self, happened: Sequence[Happened]) -> None:
        self._news.tell(happened)
        for run in [what.run for what in happened if isinstance(what.event, RunSettled)]:
            if self._news.is_written(run, "") and self.children.is_over(run):
                del self._states[run]

    def _answer(self, call: Asked) -> None:
        try:
            result = call.work()
        except BaseException as error:
            deny(call.answer, error)
            return
        if call.is_look:
            give(call.answer, result)
            return
        if self._trouble is not None:
            # Somebody asks, perhaps because there is space again: find out now.
            self._journal.retry()
        self._answers.expect(call.answer)
        self._effects.append(partial(give, call.answer, result))

    def _in_trouble(self, error: StoreError) -> None:
        """The disk refuses: say so to everybody who waits, and go on trying."""
        self._trouble = error
        self._answers.refuse(error)
        self._news.tell(())
        if self._tasks is not None and not self._is_trying_again:
            self._is_trying_again = True
            self._tasks.start_soon(self._try_again)

    async def _try_again(self) -> None:
        while self._trouble is not None:
            await anyio.sleep(RETRY_SECONDS)
            self._journal.retry()
        self._is_trying_again = False
