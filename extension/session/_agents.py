"""The notebook's agents: declared, given steps, called from its cells, brought back.

On the main thread, but for `hear`. A call from a cell is a call of the current run itself:
the same call again is answered by the same run, in a later process too.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from functools import partial
from time import monotonic
from typing import Any

from msgspec.structs import replace

from stepwell.agents import (
    Agent,
    Definition,
    arguments_digest,
    birth_of,
    check_arguments,
    parse_signature,
    result_of,
)
from stepwell.errors import InvalidUsage, RunError, StepwellError, WaitTimedOut, near_misses
from stepwell.flow import Step
from stepwell.orchestrator import (
    AgentDefined,
    AttemptId,
    Birth,
    Call,
    ChildSettled,
    Happened,
    Output,
    State,
    StepForgotten,
    calls_of,
    load,
)
from stepwell.session._engine import Engine
from stepwell.session._nursery import StepNursery
from stepwell.session._people import needs_person, question_below
from stepwell.session._surroundings import Surroundings

__all__ = ["Agents"]

LOOK_SECONDS = 0.1
"""So often it is looked whether a run waits for a person."""


class Agents:
    """Of one session. `known` are its agents by name, as they are declared now."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self.known = surroundings.agents
        self._waiting: dict[str, list[Future[Call]]] = {}

    # -- declared -------------------------------------------------------------------------

    def declare(self, engine: Engine, text: str, *, max_depth: int, cell: str) -> Agent[..., Any]:
        """Make an agent of this signature known, under its name in the notebook."""
        signature = parse_signature(text)
        name = signature.name
        if engine.state.flow.writer_of(name) is not None:
            raise InvalidUsage(
                f"a step of this notebook writes {name!r}; give the agent another name"
            )
        known = engine.state.declared.get(name)
        event = AgentDefined(name, str(signature), max_depth, cell)
        if known is None or replace(known, cell=cell) != event:
            engine.orchestrator.call(partial(engine.orchestrator.record, engine.run, event))
        return self._renew(engine.state, event)

    def add_steps(self, engine: Engine, steps: Iterable[Step]) -> None:
        """Steps of agents were made part of the flow: who calls an agent next calls these too."""
        for name in dict.fromkeys(step.flow for step in steps):
            if (declared := engine.state.declared.get(name)) is not None:
                self._renew(engine.state, declared)

    def forget(self, engine: Engine, agent: str, step: str) -> None:
        """Take the step out of the agent; what its runs have done stays."""
        event = StepForgotten(agent)
        engine.orchestrator.call(partial(engine.orchestrator.record, engine.run, event, step=step))
        self._renew(engine.state, engine.state.declared[agent])

    def check_declared(self, engine: Engine, name: str) -> None:
        """Raises `InvalidUsage` for a step of an agent that nobody has declared."""
        if name not in engine.state.declared:
            near = near_misses(name, engine.state.declared)
            raise InvalidUsage(
                f"there is no agent {name!r}.{near} Declare it above its steps: "
                f"%agent {name}(…) -> …"
            )

    def find(self, state: State, name: str) -> Agent[..., Any] | None:
        """The agent of that name, also where an earlier process has declared it."""
        if name not in self.known and name in state.declared:
            self.restore(state)
        return self.known.get(name)

    def restore(self, state: State) -> None:
        """The agents of a run that has been brought back, under their names in the notebook."""
        for event in state.declared.values():
            self._renew(state, event)

    def _renew(self, state: State, event: AgentDefined) -> Agent[..., Any]:
        flow = state.agents.get(event.name)
        definition = Definition(
            parse_signature(event.signature),
            tuple(flow) if flow is not None else (),
            max_depth=event.max_depth,
        )
        known = self.known.get(event.name)
        if known is None:
            known = self.known[event.name] = Agent(definition)
        known.become(definition)
        self._surroundings.namespace_of_notebook[event.name] = known
        return known

    # -- called from cells ------------------------------------------------------------------

    def start(
        self,
        engine: Engine,
        agent: Agent[..., Any],
        args: Sequence[object],
        kwargs: Mapping[str, object],
        where: object,
        *,
        fresh: bool = False,
    ) -> str:
        """Have a run of the agent for these arguments: the call's key. Returns at once.

        Raises `InvalidArguments`, `UnknownName`, `FlowError`.
        """
        definition = agent.definition
        definition.check()
        nursery = StepNursery(self._surroundings, inputs=_outputs(engine.state))
        values = check_arguments(definition.signature, args, kwargs, nursery.scope(definition))
        encoded = {
            name: engine.values.encode("", f"{agent.name}({name}=…)", value)
            for name, value in values.items()
        }
        parameters = {name: output for name, (output, _) in encoded.items()}
        blobs = [blob for _, blob in encoded.values()]
        birth = birth_of(definition, parameters, blobs, nursery.prepare(definition))
        what = f"{agent.name}({arguments_digest(parameters)})"
        times = sum(key.startswith(f"{what}#") for key in engine.state.calls)
        key = f"{what}#{times if fresh or not times else times - 1}"
        self._begin(engine, key, birth, where)
        return key

    def _begin(self, engine: Engine, key: str, birth: Birth, where: object) -> None:
        def work() -> None:
            engine.orchestrator.children.begin(AttemptId(engine.run, "", 0), key, birth)
            self._surroundings.places[engine.state.calls[key].subject] = where

        engine.orchestrator.call(work)

    async def call(
        self,
        engine: Engine,
        agent: Agent[..., Any],
        args: Sequence[object],
        kwargs: Mapping[str, object],
        *,
        where: object,
        is_patient: Callable[[], bool],
    ) -> Any:
        """What `await agent(…)` in a cell comes to. Raises as `start`, and `AgentFailed`.

        Raises `NeedsPerson` when it waits for one, unless `is_patient`: then somebody can
        decide although the cell runs.
        """
        key = self.start(engine, agent, args, kwargs, where)
        answer = asyncio.wrap_future(self.answer(engine, key))
        while not (await asyncio.wait({answer}, timeout=LOOK_SECONDS))[0]:
            if not is_patient():
                _refuse_person(engine, key)
        call = answer.result()
        scope = StepNursery(self._surroundings).scope(agent.definition)
        return result_of(agent.definition, call, engine.values.load, scope)

    def answer(self, engine: Engine, key: str) -> "Future[Call]":
        """The call's answer, when it is there and on disk."""
        future: Future[Call] = Future()

        def work() -> None:
            call = engine.state.calls[key]
            if call.is_closed:
                future.set_result(call)
            else:
                self._waiting.setdefault(key, []).append(future)

        engine.orchestrator.call(work)
        return future

    def hear(self, engine: Engine, happened: Sequence[Happened]) -> None:
        """On the orchestrator's thread: whoever waits for a run that has ended is told."""
        for what in happened:
            if what.run == engine.run and not what.step and isinstance(what.event, ChildSettled):
                for future in self._waiting.pop(what.event.call, ()):
                    if future.set_running_or_notify_cancel():
                        future.set_result(engine.state.calls[what.event.call])

    def close(self) -> None:
        """Nobody is answered any more."""
        waiting, self._waiting = self._waiting, {}
        for future in (it for futures in waiting.values() for it in futures):
            if future.set_running_or_notify_cancel():
                future.set_exception(RunError("stepwell has been stopped"))

    def wait(self, engine: Engine, timeout: float | None, is_patient: Callable[[], bool]) -> None:
        """Wait for every run that cells have called and that goes on.

        Raises `WaitTimedOut`, and `NeedsPerson` as `call` does.
        """
        for key, call in list(engine.state.calls.items()):
            if call.form == "child" and not call.is_closed:
                answer = self.answer(engine, key)
                end = None if timeout is None else monotonic() + timeout
                while not answer.done():
                    left = LOOK_SECONDS if end is None else min(LOOK_SECONDS, end - monotonic())
                    if left <= 0:
                        raise WaitTimedOut(f"agent {call.agent}", timeout or 0.0)
                    wait([answer], left)
                    if not (answer.done() or is_patient()):
                        _refuse_person(engine, key)

    # -- mended ---------------------------------------------------------------------------

    def failed_callers(self, engine: Engine, agent: str) -> tuple[list[str], list[str]]:
        """Steps, and calls of cells, that failed because a run of this agent has."""
        state = engine.state
        steps = [
            name
            for name in state.troubled
            if state.steps[name].error is not None
            and any(_failed_for(engine, call, agent) for call in calls_of(state.steps[name]))
        ]
        return steps, [key for key, it in state.calls.items() if _failed_for(engine, it, agent)]

    def go_on_with(self, engine: Engine, keys: Iterable[str], where: object) -> None:
        """Calls of cells that failed, and of which the reason is mended, go on."""
        for key in keys:
            self._begin(engine, key, self._birth_again(engine, engine.state.calls[key]), where)

    # -- brought back -----------------------------------------------------------------------

    def go_on(self, engine: Engine) -> list[str]:
        """Runs that cells had called and that were cut off go on; what could not is told."""
        notes: list[str] = []
        for key, call in list(engine.state.calls.items()):
            if call.form == "child" and not call.is_closed:
                try:
                    self._begin(engine, key, self._birth_again(engine, call), None)
                except StepwellError as error:
                    notes.append(f"agent {call.agent!r} does not go on: {error}")
        return notes

    def _birth_again(self, engine: Engine, call: Call) -> Birth:
        if call.agent not in self.known:
            raise InvalidUsage("nobody has declared it here; run the cells that do")
        definition = self.known[call.agent].definition
        definition.check()
        given = load(engine.store, call.subject).given
        parameters = {name: given[name] for name in given if name in definition.given}
        nursery = StepNursery(self._surroundings, inputs=_outputs(engine.state))
        birth = birth_of(definition, parameters, (), nursery.prepare(definition))
        return replace(birth, shown=call.parameters)


def _refuse_person(engine: Engine, key: str) -> None:
    """Raises `NeedsPerson` when the call's run cannot go on without one."""
    asked = question_below(engine.orchestrator, engine.state.calls[key].subject)
    if asked is not None:
        raise needs_person(asked.step, asked)


def _failed_for(engine: Engine, call: Call, agent: str) -> bool:
    """Whether the call is of a run that failed in a step of this agent, at whatever depth."""
    if call.form != "child" or call.status != "failed":
        return False
    below = load(engine.store, call.subject)
    failed = [below.steps[name] for name in below.troubled if below.steps[name].error is not None]
    if call.agent == agent and failed:
        return True
    return any(_failed_for(engine, it, agent) for step in failed for it in calls_of(step))


def _outputs(state: State) -> dict[str, str]:
    """What the notebook's steps have made that is there to be read, by name."""
    outputs: dict[str, Output] = {}
    for step in state.steps.values():
        if step.is_settled and step.checkpoint is not None:
            outputs.update(step.checkpoint.outputs)
    return {name: output.digest for name, output in outputs.items()}
