"""What happens to the flow: steps defined, forgotten, renamed. Parts of `apply`.

Somebody may be waiting for such a step, or be about to start and read from it. They wait
for what they read as the flow is now; where nobody makes it any more, their wish is given up.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from stepwell.flow import Flow, Step
from stepwell.orchestrator._apply_items import end_pass
from stepwell.orchestrator._owing import owe, wait_or_ready
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import StepState
from stepwell.orchestrator._waiting import end_attempt, withdraw_all

__all__ = ["define", "forget", "rename"]


def define(state: State, definitions: Sequence[Step]) -> None:
    """These steps are as follows from now on."""
    state.is_ranked = state.is_ranked or any(step.priority for step in definitions)
    for flow, steps in _by_flow(state, definitions):
        before = _readers_of(flow, steps) if state.owed and flow is state.flow else {}
        for step in steps:
            previous = flow.get(step.name)
            if previous is not None and previous.digest != step.digest:
                state.sources[previous.digest] = previous.source
        if len(steps) == 1:
            flow.add(steps[0])
        else:
            flow.extend(steps)
        if flow is state.flow:
            for step in steps:
                state.step(step.name)
            if state.owed:
                for step in steps:
                    _let_wait(state, step.name, before.get(step.name, {}))


def _by_flow(state: State, definitions: Sequence[Step]) -> list[tuple[Flow, list[Step]]]:
    names = dict.fromkeys(definition.flow for definition in definitions)
    if len(names) == 1:
        return [(state.flow_of(definitions[0]), list(definitions))]
    return [
        (state.flow_of(mine[0]), mine)
        for name in names
        if (mine := [definition for definition in definitions if definition.flow == name])
    ]


def _readers_of(flow: Flow, steps: Sequence[Step]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Of each step that was there before, its readers with what they read of it."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for name in (step.name for step in steps if step.name in flow):
        writes = set(flow[name].writes)
        found[name] = {
            reader: tuple(read for read in flow[reader].reads if read in writes)
            for reader in flow.downstream(name)
        }
    return found


def _let_wait(state: State, name: str, before: dict[str, tuple[str, ...]]) -> None:
    """The step and its readers, old and new, wait for what they read now."""
    for reader, reads in before.items():
        _give_up_if_lost(state, reader, reads)
    for waiting in (name, *before, *state.flow.downstream(name)):
        _wait_anew(state, waiting)


def _give_up_if_lost(state: State, name: str, reads: Sequence[str]) -> None:
    step = state.steps.get(name)
    if step is None or not step.owed or step.running is not None:
        return
    still = set(state.flow[name].reads)
    if any(read in still and state.flow.writer_of(read) is None for read in reads):
        state.unset_ready(name)
        step.cancelled = True
        state.troubled[name] = None
        owe(state, step, owed=False)


def _wait_anew(state: State, name: str) -> None:
    step = state.steps.get(name)
    if step is None or not step.owed or step.running is not None or state.is_replayed:
        return
    wait_or_ready(state, step)


def forget(state: State, name: str, agent: str = "") -> None:
    """The step is no part of the flow any more, or of that agent's."""
    if agent:
        if name in state.agents.get(agent, ()):
            state.agents[agent].remove(name)
    elif name in state.flow:
        before = _readers_of(state.flow, [state.flow[name]])[name]
        state.flow.remove(name)
        withdraw_all(state, [name], "the step was forgotten")
        _drop(state, name)
        for reader, reads in before.items():
            _give_up_if_lost(state, reader, reads)
            _wait_anew(state, reader)


def _drop(state: State, name: str) -> StepState:
    step = state.steps.pop(name, None) or StepState(name)
    owe(state, step, owed=False)
    state.past[name] = (step.attempts, step.checkpoints)
    state.doubtful.pop(name, None)
    state.undoing.pop(name, None)
    state.unset_ready(name)
    end_attempt(state, step, step=name, item="", at=step.waiting_since)
    end_pass(state, step, step.waiting_since)
    groups = (state.fresh, state.ready, state.running, state.unfinished, state.troubled)
    for group in (*groups, state.retrying):
        group.pop(name, None)
    state.superseded.pop(name, None)
    state.live.discard(name)
    return step


def rename(state: State, old: str, new: str) -> None:
    """What the step has done goes with it; who waits for it waits for it by its new name."""
    if old not in state.flow or new in state.flow:
        return
    definition, is_live = state.flow[old], old in state.live
    readers = state.flow.downstream(old)
    state.flow.remove(old)
    state.flow.add(replace(definition, name=new))
    step = _drop(state, old)
    # A step that had the new name once may still be heard of.
    attempts, checkpoints = state.past.get(new, (0, 0))
    step.name = new
    step.running = None
    step.attempts = max(step.attempts, attempts)
    step.checkpoints = max(step.checkpoints, checkpoints)
    state.steps[new] = step
    for approval in state.approvals.values():
        if approval.step == old:
            approval.step = new
    if is_live:
        state.live.add(new)
    if step.error is not None or step.cancelled:
        state.troubled[new] = None
    for reader in readers:
        _wait_anew(state, reader)
