"""What a wish comes down to: which steps are owed, given what is known. Pure."""

from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b

from stepwell.flow import Step
from stepwell.orchestrator._call_events import ApprovalRequested
from stepwell.orchestrator._decide import current_inputs, is_current
from stepwell.orchestrator._events import AttemptInterrupted, StepsRequested
from stepwell.orchestrator._keys import place_name
from stepwell.orchestrator._state import State
from stepwell.orchestrator._unit import Running, StepState

__all__ = ["closure", "has_failed", "interrupted", "recover", "request", "running_attempts"]


def closure(state: State, names: Iterable[str]) -> tuple[str, ...]:
    """These steps and everything they read from, in an order in which they can run."""
    wanted = set(names)
    return state.flow.order(wanted | set(state.flow.ancestors(wanted)))


def request(
    state: State,
    names: Collection[str],
    environments: Mapping[str, str],
    *,
    by: str,
    force: Collection[str] = (),
    failed_only: bool = False,
) -> StepsRequested:
    """Ask for `names`, and for as much of what they read as is not up to date.

    A step that somebody names is always asked for. One that is only read from is left
    alone while it runs, while it is current, and after it failed: running a reader's cell
    does not pay for the same failure again. One that was cancelled is asked for again.
    """
    wanted: dict[str, str] = {}
    named = frozenset(names)
    for name in closure(state, named):
        if name in named or _is_due(state, name, environments.get(name, ""), wanted):
            wanted[name] = environments.get(name, "")
    return StepsRequested(
        environments=wanted,
        by=by,
        force=tuple(force),
        failed_only=failed_only,
        goes_on=tuple(name for name in wanted if name in state.unfinished),
    )


def _is_due(state: State, name: str, environment: str, wanted: Mapping[str, str]) -> bool:
    step, definition = state.step(name), state.flow[name]
    if step.owed:
        return False
    if (
        step.cancelled
        or step.is_undone
        or any(upstream in wanted for upstream in state.flow.upstream(name))
    ):
        return True
    if definition.transient and name not in state.live:
        return True
    inputs = current_inputs(state, definition)
    if step.failed is not None:
        return not _same_work(step.failed, definition.digest, inputs, environment)
    checkpoint = step.checkpoint
    return checkpoint is None or not is_current(checkpoint, definition, inputs, environment)


def has_failed(step: StepState) -> bool:
    """Whether the step, or any of its items, has failed since it was last tried."""
    return step.error is not None or (step.items is not None and bool(step.items.failed))


def _same_work(run: Running, code: str, inputs: dict[str, str], environment: str) -> bool:
    return run.code == code and run.inputs == inputs and run.environment == environment


Remains = tuple[str, str, int, AttemptInterrupted | ApprovalRequested]
"""Step, item, attempt, and what is to be recorded of it."""


def interrupted(state: State) -> list[Remains]:
    """What is to be said of attempts that were under way when the last process ended.

    Of a step that must not happen twice a person is asked what came of it.
    """
    found: list[Remains] = []
    for name in state.running:
        step = state.steps[name]
        tried = running_attempts(step)
        found += [(name, *rest, AttemptInterrupted()) for rest in tried]
        definition = state.flow.get(name)
        if definition is None or not definition.once:
            continue
        for item, attempt in tried:
            # Of a mapped step the items are what happens.
            if item or step.items is None:
                found.append((name, item, attempt, _in_doubt(state, definition, item, attempt)))
    return found


def _in_doubt(state: State, definition: Step, item: str, attempt: int) -> ApprovalRequested:
    parts = (state.run, definition.name, str(attempt), *([item] if item else ()))
    named = "\0".join(parts).encode()
    return ApprovalRequested(
        f"d{blake2b(named, digest_size=4).hexdigest()}",
        question=f"Attempt {attempt} at {place_name(definition.name, item)!r} was cut off and may "
        "have happened. "
        "What came of it? Respond with its result if it happened, approve to run it again, "
        "reject if it failed.",
        form="in_doubt",
        edit=definition.writes,
    )


def running_attempts(step: StepState) -> list[tuple[str, int]]:
    """Item and number of every attempt of the step that is under way, items first."""
    found: list[tuple[str, int]] = []
    if step.items is not None:
        units = [(key, step.items.by_key[key].running) for key in step.items.running]
        found += [(key, run.attempt) for key, run in units if run is not None]
    if step.running is not None:
        found.append(("", step.running.attempt))
    return found


def recover(state: State) -> State:
    """The state for a new process, after `interrupted` was applied.

    Nothing starts by itself: what was owed is remembered as unfinished until somebody
    asks for it. Nothing is live any more: transient outputs went with the process.
    """
    state.live.clear()
    for step in state.steps.values():
        step.again = False
        step.restored = False
        if step.items is not None:
            step.items.live.clear()
        if step.owed:
            _let_go(state, step)
    state.fresh.clear()
    state.ready.clear()
    state.limited.clear()
    state.superseded.clear()
    state.retrying.clear()
    state.settled = state.settled or "interrupted"
    return state


def _let_go(state: State, step: StepState) -> None:
    step.owed = False
    state.owed -= 1
    state.unfinished[step.name] = None
