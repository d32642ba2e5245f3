"""Runs that agents have begun below the current one, and their steps, by what people call them.

`RUN` is the id of such a run or the beginning of it, `AGENT` the only run of that agent;
`RUN/STEP` and `AGENT/STEP` are steps of theirs. What is done to one of them is done to the
run that was called, and so to those who wait for it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from stepwell.errors import InvalidUsage, UnknownStep, near_misses
from stepwell.flow import Flow
from stepwell.orchestrator import RunStarted, State, load, runs
from stepwell.session import _asking as asking
from stepwell.session._engine import Engine

__all__ = [
    "Below",
    "agent_step",
    "cancel",
    "find_below",
    "is_going_on",
    "names_below",
    "runs_with",
]

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Below:
    """A run of an agent; with a step, that step of it."""

    run: str
    step: str = ""


def find_below(engine: Engine, name: str, *, going_on: bool = False) -> Below | None:
    """What a name means; None for one that is no agent's and no run's.

    Raises `InvalidUsage` where it may mean several, and `UnknownStep` for a step that the run does
    not have. With `going_on` only runs that have not ended are meant.
    """
    where, slash, step = name.partition("/")
    found = [run for run, _ in runs_with(engine, where)]
    if slash:
        found = [run for run in found if step in _flow(engine, run)]
    if going_on:
        found = [run for run in found if is_going_on(engine, run)]
    if not found:
        _refuse_what_is_not_there(engine, name, going_on=going_on)
        return None
    if len(found) > 1:
        raise InvalidUsage(_several(engine, name, found, step))
    return Below(found[0], step)


def runs_with(engine: Engine, where: str) -> list[tuple[str, RunStarted]]:
    """Runs below the current one that an agent's name or an id, or the beginning of it, means."""
    mine = [(run, it) for run, _, it in runs(engine.store) if it.root == engine.run]
    of_agent = [(run, it) for run, it in mine if it.flow == where]
    by_id = [(run, it) for run, it in mine if where and run.startswith(where)]
    return of_agent or by_id


def names_below(engine: Engine) -> Iterator[str]:
    """What steps of agents are called, for Tab."""
    for agent, flow in engine.state.agents.items():
        yield from (f"{agent}/{step.name}" for step in flow)


def agent_step(engine: Engine, name: str) -> tuple[str, str] | None:
    """The agent and its step that `AGENT/STEP` means, as they are declared; None for another name.

    Raises `UnknownStep` for a step that the agent does not have.
    """
    agent, slash, step = name.partition("/")
    flow = engine.state.agents.get(agent)
    if not slash or flow is None:
        return None
    if step not in flow:
        raise UnknownStep(name, near_misses(name, names_below(engine)))
    return agent, step


def cancel(engine: Engine, names: Collection[str]) -> None:
    """Start nothing more of these steps (or of all), end these runs of agents and steps of theirs.

    Raises `UnknownStep`, `InvalidUsage` as `find_below` does.
    """
    own = [name for name in names if name in engine.state.flow]
    if len(own) < len(names):
        _cancel_below(engine, [name for name in names if name not in own])
    if own or not names:
        asking.cancel(engine, own)


def _cancel_below(engine: Engine, names: Collection[str]) -> None:
    """These alone: the calls that wait for them fail."""
    found = [(name, find_below(engine, name, going_on=True)) for name in names]
    for name, below in found:
        if below is None:
            known = [*(step.name for step in engine.state.flow), *engine.state.agents]
            raise UnknownStep(name, near_misses(name, [*known, *names_below(engine)]))

    def work() -> None:
        for below in filter(None, (below for _, below in found)):
            # It may have ended by itself since.
            if engine.orchestrator.is_advancing(below.run):
                if below.step:
                    engine.orchestrator.children.cancel_steps(below.run, [below.step])
                else:
                    engine.orchestrator.children.cancel(below.run)

    engine.orchestrator.call(work)


def _refuse_what_is_not_there(engine: Engine, name: str, *, going_on: bool) -> None:
    where, _, step = name.partition("/")
    known = runs_with(engine, where)
    if not known:
        if where in engine.state.agents:
            raise InvalidUsage(f"agent {where!r} has not been called in this run")
        return
    if step and not any(step in _flow(engine, run) for run, _ in known):
        steps = [f"{where}/{it.name}" for run, _ in known for it in _flow(engine, run)]
        raise UnknownStep(name, near_misses(name, dict.fromkeys(steps)))
    if going_on:
        ended = ", ".join(f"{run} {load(engine.store, run).settled}" for run, _ in known[:_SHOWN])
        raise InvalidUsage(f"nothing of {name!r} is going on: {ended}")


def _several(engine: Engine, name: str, found: list[str], step: str) -> str:
    rest = f"/{step}" if step else ""
    shown = [f"{run}{rest} ({_parameters(engine, run)})" for run in found[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{name!r} may mean {len(found)} runs; name one: {', '.join(shown)}{more}"


def _parameters(engine: Engine, run: str) -> str:
    given = load(engine.store, run).given
    return ", ".join(f"{name}={output.preview}" for name, output in given.items())


def _flow(engine: Engine, run: str) -> Flow:
    return _state(engine, run).flow


def is_going_on(engine: Engine, run: str) -> bool:
    """Whether the run has not come to its end."""
    state = engine.find(run)
    return state is not None and not state.settled


def _state(engine: Engine, run: str) -> State:
    return engine.find(run) or load(engine.store, run)
