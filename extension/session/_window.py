"""The run to look at and to steer: what stands in cells, and the live layer over it.

`show` is the main thread's and `hear` the orchestrator's. The rest is called on the live
view's own thread, which only asks: the orchestrator for what is so, the main thread for
what needs the notebook's names.
"""

import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Protocol
from uuid import uuid4

from stepwell.errors import InvalidUsage, StepwellError, UnknownStep
from stepwell.frontend import Frontend
from stepwell.orchestrator import (
    Approval,
    ApprovalRequested,
    ApprovalView,
    Happened,
    RunContinued,
    RunHeld,
    RunPaused,
    RunReleased,
    RunStarted,
    RunView,
    State,
    StepForgotten,
    StepRenamed,
    StepsDefined,
    StepView,
    approval_view,
    run_head,
    run_view,
)
from stepwell.session._details import Details, span_record
from stepwell.session._engine import Engine
from stepwell.session._items import item_page
from stepwell.widgets import (
    Link,
    Live,
    Message,
    Spans,
    View,
    approval_facts,
    run_facts,
    run_table,
    step_facts,
)

__all__ = ["Act", "Window"]

Act = Callable[[str], str]
"""Does something to a step, or to the run where the name is empty; answers what to say."""

_KEPT_UP_TO_DATE = 3
_MANY = 1000
_PAGE = 100
_FREE_WITHIN = 1.0
_MOST_ELSEWHERE = 50
_WHILE = 1.0
_OF_ALL = (
    RunContinued,
    RunHeld,
    RunPaused,
    RunReleased,
    RunStarted,
    StepForgotten,
    StepRenamed,
    StepsDefined,
)
"""After these there are other steps than before, or all of them stand otherwise."""


class Decider(Protocol):
    """Decides a question, once and for all; returns when that is on disk."""

    def __call__(
        self, which: str, decision: str, *, reason: str, always: bool, value: object = ...
    ) -> object: ...


def _nobody_decides(which: str, decision: str, **_: object) -> object:
    raise InvalidUsage(f"{which!r} cannot be decided from here")


class Window:
    """What people see of one notebook's current run. See `widgets.Source`."""

    def __init__(
        self,
        engine: Callable[[], Engine],
        frontend: Frontend,
        step_view: Callable[[str], StepView],
    ) -> None:
        self._engine = engine
        self._frontend = frontend
        self._step_view = step_view
        self._places: list[tuple[str, object]] = []
        self._apart: tuple[str, object] | None = None
        self._has_cards = False
        self._clock = time.monotonic
        self._latest_head: tuple[float, RunView] = 0.0, RunView(run="", flow="", status="")
        self._acts: Mapping[str, Act] = {}
        self._decider: Decider = _nobody_decides
        self._on_main: frozenset[str] = frozenset()
        self._loaded: dict[str, State] = {}
        self.live = Live(self, self._connect)

    def decides(self, decider: "Decider") -> None:
        """How a decision is made. It raises what is to be said instead."""
        self._decider = decider

    def can(self, acts: Mapping[str, Act], *, on_main: Iterable[str]) -> None:
        """What people can do from the view; what is `on_main` needs the notebook's names."""
        self._acts, self._on_main = acts, frozenset(on_main)

    def show(self, view: View) -> None:
        """Show the run in the cell that is being executed, from now on as it goes on."""
        where = self._frontend.where()
        place = f"stepwell-run-{uuid4().hex[:12]}", where
        self._frontend.show(view.bundle, *place)
        self._places = [*self._places[-_KEPT_UP_TO_DATE + 1 :], place]
        self.live.open()

    def card_opened(self) -> None:
        """A step's card stands in a cell: if it asks something, the answer can be given there."""
        if self._has_cards or not self.is_attended:
            return
        self._has_cards = True
        engine = self._engine()
        if engine.orchestrator.look(lambda: bool(engine.state.pending)):
            self.live.open()

    @property
    def is_attended(self) -> bool:
        """Whether there is any use in being live."""
        return self._frontend.is_attended()

    def hear(self, happened: Sequence[Happened], concerned: Iterable[str]) -> None:
        """This has become durable, and these steps of the current run look otherwise now."""
        asked = any(isinstance(what.event, ApprovalRequested) for what in happened)
        if asked and self._has_cards:
            self.live.open()
        if not self.live.is_open:
            return
        mine = [what for what in happened if what.run == self._engine().run]
        for what in mine:
            if not what.item and (record := span_record(what)) is not None:
                self.live.happened(record)
        # A child run's question is the run's concern, and no step's.
        others = [""] if len(mine) < len(happened) else []
        whole = any(isinstance(what.event, _OF_ALL) for what in mine)
        self.live.changed([*concerned, *others], is_whole=whole)

    def close(self) -> None:
        """Leave behind what can be read without a kernel."""
        if not self.live.is_open:
            return
        with suppress(StepwellError):
            if len(self._engine().state.steps) <= _MANY:
                self.keep()
        if self._apart is not None:
            # Or the notebook would keep a widget that nobody can draw.
            self._frontend.update({"text/plain": ""}, *self._apart)
        self.live.close(is_silent=self._frontend.is_restarting())

    # -- the live view's source -------------------------------------------------------------

    def run(self) -> RunView:
        """The current run, as far as it is on disk."""
        engine = self._engine()
        store = str(engine.store.path or "memory")

        def look() -> RunView:
            steps = tuple(self._step_view(step.name) for step in engine.state.flow)
            return dataclasses.replace(self._head(engine.state, store), steps=steps)

        return engine.orchestrator.look(look)

    def steps(self, names: Iterable[str]) -> tuple[RunView, list[StepView]]:
        """The run without its steps, and of these the ones it has."""
        engine = self._engine()
        store = str(engine.store.path or "memory")

        def look() -> tuple[RunView, list[StepView]]:
            known = [name for name in names if name in engine.state.flow]
            return self._head(engine.state, store), list(map(self._step_view, known))

        return engine.orchestrator.look(look)

    def _head(self, state: State, store: str) -> RunView:
        # Adding up very many steps ten times a second would be felt.
        at, head = self._latest_head
        is_recent = self._clock() - at < _WHILE and head.run == state.run
        if not is_recent or len(state.steps) <= _MANY:
            head = run_head(state, store=store, find=self._engine().find)
            self._latest_head = self._clock(), head
        return dataclasses.replace(head, approvals=self._open_questions())

    def _open_questions(self) -> tuple[ApprovalView, ...]:
        """Those of child runs too: whoever looks at a run is who they are for."""
        return tuple(
            approval_view(state.approvals[name])
            for state in self._engine().orchestrator.states()
            for name in state.pending
        )

    def is_cut_off(self) -> bool:
        """Whether a question is open while a cell computes."""
        if not self._engine().orchestrator.look(self._open_questions):
            return False
        is_free = threading.Event()
        self._frontend.on_main(is_free.set)
        return not is_free.wait(_FREE_WITHIN)

    def spans(self) -> Spans:
        """When the run's attempts began and ended."""
        engine, spans = self._engine(), Spans()
        for record in Details(engine).spans(engine.run):
            spans.note(record)
        return spans

    def verbs(self) -> list[str]:
        """What can be done from here."""
        return list(self._acts)

    def answer(self, kind: str, message: Message) -> object:
        """Answer a request of a front end."""
        details = Details(self._engine())
        match kind:
            case "step" | "now" | "items" | "child" | "elsewhere":
                return self._look(details, kind, message)
            case "approval":
                return details.question(self._approval(message))
            case "decide":
                self._decide(message)
                return details.question(self._approval(message))
            case "act":
                return self._act(_text(message, "verb"), _text(message, "step"))
            case _:
                raise InvalidUsage(f"the view asks for {kind!r}, which this version does not know")

    def _look(self, details: Details, kind: str, message: Message) -> Message:
        run = _text(message, "run") or self._engine().run
        step, item = _text(message, "step"), _text(message, "item")
        match kind:
            case "step":
                return details.step(self._state(run), step, item)
            case "items":
                return self._items(self._state(run), step, message)
            case "child":
                return self._child(run, _text(message, "mark"))
            case "elsewhere":
                return self._elsewhere()
            case _:
                return details.now(run, step, item)

    def keep(self) -> None:
        """Write the run as it is now into the cells that show it."""
        if self._places:
            bundle = run_table(self.run(), now=time.time_ns() // 1000, is_anchored=True).bundle
            for display, where in self._places:
                self._frontend.update(bundle, display, where)

    # -- inside -------------------------------------------------------------------------------

    def _connect(self, hear: Callable[[Message], None]) -> Link:
        # Here, since it takes a third of a second that nobody should wait for.
        from stepwell.widgets import widget_link

        link = widget_link(hear, self._frontend.route)
        if self._places and self._frontend.has_outputs_apart():
            known, (_, where) = self._apart, self._places[-1]
            self._apart = known or (f"stepwell-live-{uuid4().hex[:12]}", where)
            send = self._frontend.update if known else self._frontend.show
            send(link.display(), *self._apart)
        return link

    def _state(self, run: str) -> State:
        engine = self._engine()

        def look() -> State | None:
            # At one moment: a child may come to its end between two.
            is_here = run == engine.run or engine.orchestrator.is_advancing(run)
            return engine.orchestrator.state(run) if is_here else None

        if (found := engine.orchestrator.look(look)) is not None:
            return found
        from stepwell.orchestrator import load

        return load(engine.store, engine.resolve(run))

    def _approval(self, message: Message) -> Approval:
        return self._engine().desk.approval(_text(message, "approval"))

    def _elsewhere(self) -> Message:
        """Open questions of runs that nobody advances here."""
        questions = self._engine().desk.elsewhere()[:_MOST_ELSEWHERE]
        facts = [
            {**approval_facts(approval_view(it.approval)), "run": it.run, "notebook": it.notebook}
            for it in questions
        ]
        return {"questions": facts}

    def _decide(self, message: Message) -> None:
        # Durable when it returns: what is answered then is what the store says.
        given = {"value": message["value"]} if "value" in message else {}
        self._decider(
            str(message.get("approval")),
            str(message.get("decision")),
            reason=str(message.get("reason") or ""),
            always=bool(message.get("always")),
            **given,
        )

    def _items(self, state: State, step: str, message: Message) -> Message:
        if step not in state.flow:
            raise UnknownStep(step)
        return item_page(
            state.step(step),
            at=int(message.get("at") or 0),
            most=int(message.get("most") or _PAGE),
            query=_text(message, "query"),
            only=_text(message, "only"),
        )

    def _child(self, run: str, mark: str) -> Message:
        state, spans = self._state(run), Spans()
        for record in Details(self._engine()).spans(state.run):
            spans.note(record)
        view = run_view(state, find=self._engine().find)
        steps = [step_facts(step) for step in view.steps]
        bars, stretches = spans.everything()
        found = {"run": run_facts(view), "steps": steps, "spans": bars, "stretches": stretches}
        # Who looks on asks again and again: what has not changed is not sent again.
        now = f"{hash(repr(found)):x}"
        return {"mark": now} if now == mark else {"mark": now, **found}

    def _act(self, verb: str, step: str) -> object:
        act = self._acts.get(verb)
        if act is None:
            raise InvalidUsage(f"{verb!r} cannot be done from here")
        if verb not in self._on_main:
            return act(step)
        answer: Future[str] = Future()

        def work() -> None:
            try:
                answer.set_result(act(step))
            except BaseException as error:  # also an interrupt that was meant for a cell
                answer.set_exception(error)

        self._frontend.on_main(work)
        return answer


def _text(message: Message, key: str) -> str:
    return str(message.get(key) or "")
