"""The run to look at and to steer: what stands in cells, and the live layer over it.

`show` is the main thread's and `hear` the orchestrator's. The rest is called on the live
view's own thread, which only asks: the orchestrator for what is so, the main thread for
what needs the notebook's names.
"""

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from uuid import uuid4

from stepwell.errors import InvalidUsage
from stepwell.frontend import Frontend
from stepwell.orchestrator import (
    Happened,
    RunStarted,
    RunView,
    State,
    StepForgotten,
    StepRenamed,
    StepsDefined,
    StepView,
    run_head,
    run_view,
)
from stepwell.session._details import Details
from stepwell.session._engine import Engine
from stepwell.widgets import (
    Link,
    Live,
    Message,
    Spans,
    View,
    run_facts,
    run_table,
    step_facts,
)

__all__ = ["Act", "Window"]

Act = Callable[[str], str]
"""Does something to a step, or to the run where the name is empty; answers what to say."""

_KEPT_UP_TO_DATE = 3
_OF_ALL = (RunStarted, StepsDefined, StepForgotten, StepRenamed)
"""After these there are other steps than before."""


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
        self._acts: Mapping[str, Act] = {}
        self._on_main: frozenset[str] = frozenset()
        self._loaded: dict[str, State] = {}
        self.live = Live(self, self._connect)

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

    @property
    def is_attended(self) -> bool:
        """Whether there is any use in being live."""
        return self._frontend.is_attended()

    def hear(self, happened: Sequence[Happened], concerned: Iterable[str]) -> None:
        """This has become durable, and these steps look otherwise now."""
        if not self.live.is_open:
            return
        whole = any(isinstance(what.event, _OF_ALL) for what in happened)
        for what in happened:
            if what.item:
                continue
            kind = str(type(what.event).__struct_config__.tag)
            self.live.happened(kind, what.step, what.attempt, what.at)
        self.live.changed(concerned, is_whole=whole)

    def close(self) -> None:
        """Leave behind what can be read without a kernel."""
        if self.live.is_open:
            self.live.close()

    # -- the live view's source -------------------------------------------------------------

    def run(self) -> RunView:
        """The current run, as far as it is on disk."""
        engine = self._engine()
        store = str(engine.store.path or "memory")

        def look() -> RunView:
            steps = tuple(self._step_view(step.name) for step in engine.state.flow)
            return dataclasses.replace(run_head(engine.state, store=store), steps=steps)

        return engine.orchestrator.look(look)

    def steps(self, names: Iterable[str]) -> tuple[RunView, list[StepView]]:
        """The run without its steps, and of these the ones it has."""
        engine = self._engine()
        store = str(engine.store.path or "memory")

        def look() -> tuple[RunView, list[StepView]]:
            known = [name for name in names if name in engine.state.flow]
            return run_head(engine.state, store=store), list(map(self._step_view, known))

        return engine.orchestrator.look(look)

    def spans(self) -> Spans:
        """When the run's attempts began and ended."""
        engine, spans = self._engine(), Spans()
        for record in Details(engine).spans(engine.run):
            spans.note(*record)
        return spans

    def verbs(self) -> list[str]:
        """What can be done from here."""
        return list(self._acts)

    def answer(self, kind: str, message: Message) -> object:
        """Answer a request of a front end."""
        engine = self._engine()
        run = str(message.get("run") or engine.run)
        step = str(message.get("step") or "")
        match kind:
            case "step":
                return Details(engine).step(self._state(run), step)
            case "items":
                return Details(engine).items(run, step)
            case "child":
                return self._child(run)
            case "act":
                return self._act(str(message.get("verb")), step)
            case _:
                raise InvalidUsage(f"the view asks for {kind!r}, which this version does not know")

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

        return widget_link(hear, self._frontend.route)

    def _state(self, run: str) -> State:
        engine = self._engine()
        if run == engine.run or engine.orchestrator.is_advancing(run):
            return engine.orchestrator.look(lambda: engine.orchestrator.state(run))
        from stepwell.orchestrator import load

        return load(engine.store, engine.resolve(run))

    def _child(self, run: str) -> Message:
        state, spans = self._state(run), Spans()
        for record in Details(self._engine()).spans(state.run):
            spans.note(*record)
        view = run_view(state)
        steps = [step_facts(step) for step in view.steps]
        return {"run": run_facts(view), "steps": steps, "spans": spans.everything()}

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
