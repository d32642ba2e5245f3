"""Steps of agents' runs that are to run again although nothing has changed."""

from stepwell.errors import InvalidUsage
from stepwell.orchestrator import RunStarted, runs
from stepwell.session import _asking as asking
from stepwell.session._below import Below, find_below, is_going_on
from stepwell.session._session import Session

__all__ = ["rerun_below"]


def rerun_below(session: Session, name: str) -> None:
    """Have the step of an agent's run that `name` means run again, and who has called that
    run go on with what it gives; everything else is answered from the store.

    Raises `UnknownStep`, `InvalidUsage` where it cannot be.
    """
    engine = session.engine
    below = find_below(engine, name)
    if below is None:
        asking.check_names(engine.state, [name])
        return
    _check(session, below, name)
    recall = engine.orchestrator.children.recall
    step, call = engine.orchestrator.call(lambda: recall(below.run, below.step))
    if step:
        session.go_on_from([step])
    else:
        session.agents.go_on_with(engine, [call], session.frontend.where())


def _check(session: Session, below: Below, name: str) -> None:
    engine = session.engine
    if not below.step:
        raise InvalidUsage(f"{name!r} is a run; name the step of it: %stepwell rerun {name}/STEP")
    if is_going_on(engine, below.run):
        raise InvalidUsage(
            f"run {below.run} is going on; wait for it, or %stepwell cancel {below.run} first"
        )
    started = {run: event for run, _, event in runs(engine.store)}
    event: RunStarted = started[below.run]
    while event.parent != engine.run:
        event = _called_by_a_step(event, started)
    _called_by_a_step(event, started)
    if event.step:
        asking.check_names(engine.state, [event.step])


def _called_by_a_step(event: RunStarted, started: dict[str, RunStarted]) -> RunStarted:
    if event.item:
        raise InvalidUsage(
            f"an item of the mapped step {event.step!r} has called it, and that is done; run the "
            f"step again: %stepwell rerun {event.step}"
        )
    return started.get(event.parent, event)
