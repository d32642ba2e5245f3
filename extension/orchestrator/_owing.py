"""Who is owed an answer, and what they wait for. Parts of `apply`."""

from stepwell.orchestrator._state import State, StepState

__all__ = ["hold_readers", "owe", "wait_or_ready"]


def wait_or_ready(state: State, step: StepState) -> None:
    step.waiting = {
        name for name in state.flow.upstream(step.name) if not state.step(name).is_settled
    }
    state.unset_ready(step.name)
    if not step.waiting:
        state.set_ready(step)


def hold_readers(state: State, step: StepState) -> None:
    """A reader that was about to start waits for the step's new answer."""
    for name in state.flow.downstream(step.name):
        reader = state.steps.get(name)
        if reader is not None and reader.owed:
            reader.waiting.add(step.name)
            state.unset_ready(name)


def owe(state: State, step: StepState, *, owed: bool) -> None:
    if step.owed is not owed:
        step.owed = owed
        state.owed += 1 if owed else -1
